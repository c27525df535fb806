"""How much verdicts depend on the place of a response: counted for judgments and votes, with intervals."""

from __future__ import annotations

from build_cases import asked, compared, ranked
from solon.data.position import OrderConsistency, Position, order_consistency
from solon.data.records import Completion, Judgment, Principle, Question, Scored
from solon.statistics.estimates import wilson

POLITE = Principle(id="polite", text="Be polite.")


def shown(first: str, second: str, p: float, labeler: str = "judge") -> Judgment:
    """A comparison of these two texts in this order."""
    question = asked(POLITE, *(Completion(text=text, model="policy") for text in (first, second)))
    return question.judged(Scored(scores=(p, 1 - p)), labeler=labeler)


def test_shares_come_with_their_intervals():
    """Three pairs, two of them judged alike in both orders, one won by the first slot twice; of 6 it won 4."""
    position = Position()
    for pair in (compared("a", "b"), compared("c", "d"), [shown("e", "f", 1.0), shown("f", "e", 1.0)]):
        position.add(pair)
    alike, slot = wilson(2, 3), wilson(4, 6)
    assert position.summary() == {
        "pairs": 3,
        "consistent": 2,
        "order_dependent": 1,
        "first_slot_wins": 0.6667,
        "order_consistency": {"value": 0.6667, "low": round(alike.low, 4), "high": round(alike.high, 4), "n": 3},
        "first_slot": {"value": 0.6667, "low": round(slot.low, 4), "high": round(slot.high, 4), "n": 6},
    }


def test_votes_are_counted_by_who_cast_them():
    """A panel may look consistent while one of its members always takes the first."""
    orders = [
        shown(first, second, p, labeler="panel").model_copy(
            update={"votes": (shown(first, second, p, "fair"), shown(first, second, 1.0, "biased"))}
        )
        for first, second, p in (("a", "b", 1.0), ("b", "a", 0.0))
    ]
    position = Position()
    position.add(orders)
    summary = position.summary()
    assert (summary["pairs"], summary["consistent"]) == (1, 1)
    votes = summary["votes"]
    assert isinstance(votes, dict)
    found = {name: (counts["consistent"], counts["order_dependent"]) for name, counts in votes.items()}
    assert found == {"biased": (0, 1), "fair": (1, 0)}


def test_rankings_are_counted_two_options_at_a_time():
    """a, b, c shown in this order and the reverse; each ranking puts what it saw first at the top.

    Three pairs a ranking, all six won by the earlier one; all three turn with the order.
    """
    one = ranked({"a": 1, "b": 0.5, "c": 0})
    other = ranked({"c": 1, "b": 0.5, "a": 0})
    assert order_consistency([one, other]) == OrderConsistency(order_dependent=3, first_slot_wins=6, decided=6)
    agrees = ranked({"c": 0, "b": 0.5, "a": 1})
    assert order_consistency([one, agrees]) == OrderConsistency(consistent=3, first_slot_wins=3, decided=6)


def test_a_ranking_that_was_put_together_counts_by_its_votes():
    """The order of its own options was shown to nobody."""
    listwise = ranked({"a": 1, "b": 0.5, "c": 0})
    listwise = listwise.model_copy(update={"votes": (listwise,)})
    tournament = ranked({"a": 1, "b": 0.5, "c": 0}, labeler="t").model_copy(update={"votes": tuple(compared("a", "b"))})
    assert order_consistency([listwise, tournament]) == OrderConsistency()
    position = Position()
    position.add([listwise, tournament])
    summary = position.summary()
    votes = summary["votes"]
    assert isinstance(votes, dict)
    assert list(summary) == ["votes"]
    assert sorted(votes) == ["judge", "r"]
    assert (votes["judge"]["pairs"], votes["r"]["first_slot"]["n"]) == (1, 3)


def test_ratings_have_no_position():
    """Nothing was shown beside them."""
    rating = Question(
        prompt=asked(POLITE, Completion(text="a", model="m")).prompt, options=(Completion(text="a", model="m"),)
    )
    position = Position()
    position.add([rating.judged(Scored(scores=(1.0,)), labeler="rules")])
    assert position.summary() == {}
