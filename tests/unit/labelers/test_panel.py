"""Several labelers vote: what their votes come to, and what is said of them."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from pydantic import JsonValue, ValidationError

from opinions import PROMPT, SHORT, Opinion, always, comparison, outcome, prefers, rating, said
from solon.data.position import Position
from solon.data.records import (
    Candidates,
    Constitution,
    Failed,
    Judgment,
    Question,
    Revised,
    Revision,
    Scored,
    Usage,
)
from solon.errors import PluginError
from solon.labelers.base import Labeler, Revise
from solon.labelers.critique import Critique
from solon.labelers.panel import Panel
from solon.labelers.rules import Rules
from solon.models.scripted import Scripted

QUESTION = comparison("a", "bbb")
CONSTITUTION = Constitution(name="test", principles=(SHORT,))


async def voted(*values: float | str, shown: int = 2, **settings: object) -> Scored | Failed:
    """What a panel makes of these votes."""
    members = [always(value, f"member-{place}", shown=shown) for place, value in enumerate(values)]
    panel = Panel.model_validate({"members": members, **settings})
    found = (await panel.label(QUESTION if shown == 2 else rating("a"))).outcome
    assert isinstance(found, Scored | Failed)
    return found


@pytest.mark.parametrize(
    ("votes", "first", "probability"),
    [
        ((0.9, 0.8, 0.1), 2 / 3, 2 / 3),  # two of three
        ((0.6, 0.51, 0.0), 2 / 3, 2 / 3),  # a vote is a vote, however sure
        ((1.0, 0.0), 0.5, 0.5),  # as many for either
        ((1.0, 0.5), 0.75, 0.5),  # one for the first, one even
        ((1.0, 0.5, 0.5), 0.5, 2 / 3),  # most are even
        ((0.0, 0.0, 0.5, 0.5), 0.25, 0.5),  # as many even as for the second: the second
        ((0.2, 0.3, 0.4), 0.0, 1.0),
    ],
)
async def test_the_majority_wins_a_comparison(votes: Sequence[float], first: float, probability: float) -> None:
    """The score is the share of the votes for the first, half of each even one."""
    found = await voted(*votes)
    assert isinstance(found, Scored)
    assert found.scores == pytest.approx((first, 1 - first))
    assert found.probability == pytest.approx(probability)


@pytest.mark.parametrize(
    ("votes", "score", "probability"),
    [((0.0, 0.0, 1.0), 0.0, 2 / 3), ((0.2, 0.7, 0.9), 0.7, 2 / 3), ((0.25, 0.75), 0.5, 0.0), ((0.6, 0.8), 0.7, 1.0)],
)
async def test_the_majority_of_ratings_is_their_median(
    votes: Sequence[float], score: float, probability: float
) -> None:
    """Two of three that give 0 under a hard principle veto. ``probability`` is the share on the same side of .5."""
    found = await voted(*votes, shown=1)
    assert isinstance(found, Scored)
    assert (found.scores[0], found.probability) == pytest.approx((score, probability))


async def test_the_mean_takes_how_sure_each_is_into_account() -> None:
    """(.9 + .6 + .0) / 3 = .5, (.9 + .6 + .3) / 3 = .6."""
    assert await voted(0.9, 0.6, 0.3, vote="mean") == Scored(scores=(0.6, 0.4), probability=0.6)
    found = await voted(0.2, 0.9, shown=1, vote="mean")
    assert isinstance(found, Scored)
    assert found.scores == pytest.approx((0.55,))


@pytest.mark.parametrize(("vote", "score"), [("majority", 1.0), ("mean", 2.0)])
async def test_logits_alone_stay_logits_and_with_ratings_become_shares(vote: str, score: float) -> None:
    """Logits of 0, 1 and 5: median 1, mean 2. Beside a rating each counts as its sigmoid: .5 for 0."""

    def logit(value: float) -> Opinion:
        return Opinion(says=lambda _: Scored(scores=(value,), scale="logit"), shown=1)

    panel = Panel(members=(logit(0.0), logit(1.0), logit(5.0)), vote=vote)
    found = (await panel.label(rating("a"))).outcome
    assert isinstance(found, Scored)
    assert (found.scores, found.scale) == ((score,), "logit")
    mixed = (await Panel(members=(logit(0.0), always(0.1, shown=1)), vote=vote).label(rating("a"))).outcome
    assert isinstance(mixed, Scored)
    assert (mixed.scores[0], mixed.scale) == (pytest.approx(0.3), "share")


async def test_a_member_that_failed_casts_no_vote() -> None:
    """Neither for one nor for the other."""
    assert await voted(0.9, "refused", 0.8) == Scored(scores=(1.0, 0.0), probability=1.0)


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        ((0.9, "refused", "refused"), "refused"),  # what all that failed have in common
        ((0.9, "refused", "unparseable"), "disagreed"),
        (("too_long", "too_long", "too_long"), "too_long"),
        ((0.9, "refused", "unavailable"), "unavailable"),  # the next run asks again
    ],
)
async def test_too_few_votes_are_a_failure_and_never_a_number(votes: Sequence[float | str], reason: str) -> None:
    """More than half of the members have to give a verdict."""
    found = await voted(*votes)
    assert isinstance(found, Failed)
    assert found.reason == reason
    given = sum(not isinstance(vote, str) for vote in votes)
    assert found.raw is not None
    assert found.raw.startswith(f"{given} of 3 members gave a verdict; member-")


async def test_how_many_votes_it_takes_can_be_set() -> None:
    """One is enough, or all are needed."""
    assert isinstance(await voted(0.9, "refused", "refused", min_votes=1), Scored)
    assert isinstance(await voted(0.9, 0.9, "refused", min_votes=3), Failed)


async def test_a_judgment_holds_every_vote_and_costs_what_they_cost() -> None:
    """In the order of the members, failures among them."""
    members = (
        always(0.9, "one", usd=0.5, tokens=7),
        always("refused", "two", usd=0.25, tokens=3),
        always(0.8, "three"),
    )
    judgment = await Panel(members=members).label(QUESTION)
    assert [vote.labeler for vote in judgment.votes] == ["one", "two", "three"]
    assert [vote.options for vote in judgment.votes] == [judgment.options] * 3
    assert (judgment.cost_usd, judgment.usage) == (0.75, Usage(input_tokens=10))


async def test_the_first_member_decides_what_is_asked_and_all_are_asked_it() -> None:
    """The others' own questions do not matter."""
    rules = Rules(rules={"short": {"length": "characters", "max": 2}})
    panel = Panel(members=(always(0.9, "first", shown=1), rules))
    candidates = Candidates(prompt=PROMPT, completions=(said("a"), said("bbb")))
    judgments = await panel.examine(candidates, CONSTITUTION)
    assert [judgment.options for judgment in judgments] == [(said("a").id,), (said("bbb").id,)]
    assert [[vote.labeler for vote in judgment.votes] for judgment in judgments] == [["first", "rules"]] * 2
    assert panel.expected_questions(2, 1) == 2


def test_its_name_says_whom_it_asks() -> None:
    """Members without a model have no name to add."""
    panel = Panel.model_validate(
        {
            "members": [
                {"kind": "pairwise", "judge": Scripted(model="small")},
                {"kind": "pairwise", "judge": Scripted(model="large")},
                always(0.5),
            ]
        }
    )
    assert panel.name == "panel:small:large"
    assert [model.name for model in panel.models()] == ["small", "large"]
    assert panel.longest_reply == max(member.longest_reply for member in panel.members)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": [always(0.5)]}, "at least 2"),
        ({"members": [always(0.5), always(0.5, shown=1)]}, "opinion shows 2, opinion shows 1"),
        ({"members": [always(0.5, shown=3), always(0.5, shown=3)]}, "rate one response or compare two"),
        ({"members": [always(0.5, shown=0), always(0.5, shown=0)]}, "rate one response or compare two"),
        ({"members": [always(0.5)] * 2, "vote": "weighted"}, "at least 3 members"),
        ({"members": [always(0.5)] * 2, "min_votes": 3}, "min_votes is 3, and there are 2 members"),
        ({"members": [Critique(model=Scripted()), always(0.5, shown=1)]}, "critique writes revisions"),
    ],
)
def test_a_panel_that_cannot_vote_is_refused(settings: dict[str, object], message: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ValidationError, match=message):
        Panel.model_validate(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        Scored(scores=(0.5,)),
        Scored(scores=(1.5, -0.5)),
        Scored(scores=(3.0, -3.0), scale="logit"),
        Revised(completion=said("b"), rounds=(Revision(principle="short", critique="It is long.", revision="b"),)),
    ],
)
async def test_what_is_no_vote_is_an_error_that_names_the_member(wrong: Scored | Revised) -> None:
    """A labeler of somebody else's that breaks the contract must not become a label."""
    panel = Panel(members=(always(0.9), Opinion(says=lambda _: wrong, called="strange")))
    with pytest.raises(PluginError, match="'strange'"):
        await panel.label(QUESTION)


def test_it_says_what_is_wrong_with_its_members_once(tmp_path: Path) -> None:
    """Two members with the same missing model are one problem."""
    judge = {"kind": "transformers", "model": str(tmp_path / "nowhere")}
    other = {"kind": "transformers", "model": str(tmp_path / "elsewhere")}
    members = [{"kind": "pairwise", "judge": model} for model in (judge, judge, other)]
    found = [problem for problem in Panel.model_validate({"members": members}).problems() if "no such" in problem]
    assert len(found) == 2
    assert "nowhere" in found[0]
    assert "elsewhere" in found[1]


# ---------------------------------------------------------------- the whole stage


class Second(Opinion):
    """Changes its mind at the end: every verdict is turned round."""

    def conclude(self, judgments: Callable[[], Iterator[Judgment]]) -> Revise:
        """Reads all of its judgments, and turns each round."""
        assert {judgment.labeler for judgment in judgments()} == {self.name}

        def revised(judgment: Judgment) -> Judgment:
            assert isinstance(judgment.outcome, Scored)
            return judgment.model_copy(update={"outcome": Scored(scores=judgment.outcome.scores[::-1])})

        return revised


async def judged(panel: Labeler, questions: Sequence[Question]) -> list[Judgment]:
    return [await panel.label(question) for question in questions]


async def test_nothing_is_revised_where_there_is_nothing_to_weigh() -> None:
    """A majority of each question needs no other questions."""
    panel = Panel(members=(always(0.9), always(0.8)))
    assert panel.conclude(lambda: iter(())) is None


def logit_of_length() -> Opinion:
    """A reward model: the length of the text as a logit."""
    return Opinion(says=lambda question: Scored(scores=(len(question.options[0].text),), scale="logit"), shown=1)


@pytest.mark.parametrize("vote", ["majority", "mean"])
async def test_a_logit_is_a_share_too_where_the_member_that_gives_shares_failed(vote: str) -> None:
    """Two logits, and a rating of .2 that fails for "b": its row would hold a logit of 3 among shares.

    For "aaa": logits of 3 are shares of .953; their mean with .2 is .702. For "b": sigmoid(1) = .731.
    """
    rates = Opinion(says=lambda question: outcome(0.2 if len(question.options[0].text) > 1 else "refused", options=1))
    rates = rates.model_copy(update={"shown": 1, "called": "rates"})
    panel = Panel(members=(logit_of_length(), logit_of_length(), rates), vote=vote)
    judgments = await judged(panel, [rating("b"), rating("aaa")])
    revise = panel.conclude(lambda: iter(judgments))
    assert revise is not None
    found = [revise(judgment).outcome for judgment in judgments]
    assert all(isinstance(one, Scored) and one.scale == "share" for one in found)
    scores = [one.scores[0] for one in found if isinstance(one, Scored)]
    assert scores == pytest.approx([0.7311, 0.9526 if vote == "majority" else 0.7017], abs=1e-4)


async def test_logits_of_all_members_stay_as_they_are() -> None:
    """A member that failed everywhere says nothing of the scale."""
    panel = Panel(members=(logit_of_length(), logit_of_length(), always("refused", shown=1)))
    judgments = await judged(panel, [rating("b"), rating("aaa")])
    assert panel.conclude(lambda: iter(judgments)) is None


async def test_what_members_revise_is_voted_on_anew() -> None:
    """Two say the first and one the second; when one of the two changes its mind it is the other way round."""
    turning = Second(says=lambda _: outcome(1.0), called="turning")
    panel = Panel(members=(always(1.0, "one"), always(0.0, "other"), turning))
    judgments = await judged(panel, [QUESTION, comparison("c", "d")])
    assert [judgment.outcome.scores[0] for judgment in judgments] == pytest.approx([2 / 3] * 2)
    revise = panel.conclude(lambda: iter(judgments))
    assert revise is not None
    revised = [revise(judgment) for judgment in judgments]
    assert [judgment.outcome.scores[0] for judgment in revised] == pytest.approx([1 / 3] * 2)
    assert revised[0].votes[2].outcome == Scored(scores=(0.0, 1.0))
    assert revised[0].id != judgments[0].id


def noisy(accuracy: float, seed: int) -> Opinion:
    """Right that often: the shorter text is better. Its luck depends on the pair and not on the order."""

    def says(question: Question) -> Scored | Failed:
        first, second = (option.text for option in question.options)
        right = Random(f"{seed}:{sorted((first, second))}").random() < accuracy
        return outcome(float((len(first) < len(second)) == right))

    return Opinion(says=says, called=f"right {accuracy}")


def pairs(n: int) -> list[Question]:
    """Both orders of pairs of a short and a long text."""
    questions = [comparison(f"{number}", f"{number} and more") for number in range(n)]
    return [order for question in questions for order in (question, question.reversed())]


def right(judgments: Sequence[Judgment], questions: Sequence[Question]) -> float:
    """The share of the judgments that prefer the shorter text."""
    shorter_first = [len(question.options[0].text) < len(question.options[1].text) for question in questions]
    won = [judgment.outcome.scores[0] for judgment in judgments if isinstance(judgment.outcome, Scored)]
    assert len(won) == len(judgments)
    return sum((score > 0.5) == first for score, first in zip(won, shorter_first, strict=True)) / len(won)


@pytest.mark.slow
async def test_weights_from_agreement_see_through_members_who_guess_and_one_who_is_against() -> None:
    """Two that guess, two that know, one that knows better and says the opposite: a majority is led astray."""
    questions = pairs(400)
    panel = Panel(
        members=(noisy(0.55, 1), noisy(0.95, 2), noisy(0.9, 3), noisy(0.55, 4), noisy(0.1, 5)), vote="weighted"
    )
    judgments = await judged(panel, questions)
    revise = panel.conclude(lambda: iter(judgments))
    assert revise is not None
    weighed = [revise(judgment) for judgment in judgments]
    assert right(judgments, questions) < 0.88 < 0.95 < right(weighed, questions)
    assert all(judgment.votes == before.votes for judgment, before in zip(weighed, judgments, strict=True))
    account = panel.account()
    account.add(judgments)
    members = account.summary()["members"]
    assert isinstance(members, list)
    estimated = [member["accuracy_estimated"] for member in members if isinstance(member, dict)]
    assert estimated == pytest.approx([0.55, 0.95, 0.9, 0.55, 0.1], abs=0.06)


@pytest.mark.slow
async def test_weighed_ratings_are_the_probability_of_good() -> None:
    """Three members of whom one says the opposite: what it calls bad is good."""

    def rates(sign: int, seed: int) -> Opinion:
        def says(question: Question) -> Scored | Failed:
            text = question.options[0].text
            slip = Random(f"{seed}:{text}").random() < 0.05
            return outcome(0.5 + sign * (-1 if slip else 1) * (0.3 if "good" in text else -0.2), options=1)

        return Opinion(says=says, called=f"{seed}", shown=1)

    questions = [rating(f"{kind} {number}") for number in range(100) for kind in ("good", "bad")]
    panel = Panel(members=(rates(1, 1), rates(1, 2), rates(-1, 3)), vote="weighted")
    judgments = await judged(panel, questions)
    revise = panel.conclude(lambda: iter(judgments))
    assert revise is not None
    scores = [revise(judgment).outcome.scores[0] for judgment in judgments]
    assert all(0 <= score <= 1 for score in scores)
    good = [
        ("good" in question.options[0].text) == (score > 0.5) for question, score in zip(questions, scores, strict=True)
    ]
    assert sum(good) / len(good) > 0.98


# ---------------------------------------------------------------- the account


async def summary_of(panel: Panel, questions: Sequence[Question]) -> dict[str, JsonValue]:
    """What the panel says of its judgments on these questions."""
    account = panel.account()
    account.add(await judged(panel, questions))
    return account.summary()


async def test_the_account_of_four_comparisons_by_hand() -> None:
    """Two agree on all four: first, second, first, second; the third always says the first slot.

    In two of the four all 3 pairs of members agree, in the others 1 of 3: raw (1 + 1/3) / 2. Of the 12 votes 8 are for
    the first slot and 4 for the second.
    """
    strengths = {"a": 2.0, "bbb": 1.0, "c": 2.0, "ddd": 1.0}
    members = (prefers(strengths, "one"), prefers(strengths, "two"), always(1.0, "slot"))
    questions = [QUESTION, QUESTION.reversed(), comparison("c", "ddd"), comparison("c", "ddd").reversed()]
    found = await summary_of(Panel(members=members), questions)
    agreement = found["agreement"]["short"]
    # ordered pairs that differ, each a half: 2 units * 4 / 2 = 4; by chance 2 * 8 * 4 = 64 of 12 * 11
    assert agreement["alpha"] == pytest.approx(1 - 11 * 4 / 64, abs=1e-4)
    assert (agreement["judgments"], agreement["n"], agreement["alpha_level"]) == (4, 4, "nominal")
    assert agreement["raw"] == pytest.approx(2 / 3, abs=1e-4)
    # of "one" and "two" 1; of either with "slot" as by chance, 0
    assert [pair["kappa"] for pair in agreement["kappa_of_pairs"]] == [1.0, 0.0, 0.0]
    assert agreement["kappa"] == pytest.approx(1 / 3, abs=1e-4)
    # shares 2/3 and 1/3: chance 2 * 2/3 * 1/3 = 4/9; (2/3 - 4/9) / (5/9) = .4
    assert agreement["ac1"] == pytest.approx(0.4, abs=1e-4)
    one, _two, slot = found["members"]
    assert (one["votes"], one["failed"], one["first_slot_wins"]["value"]) == (4, {}, 0.5)
    # always with "two", and with "slot" in half: .75. Where these two differ, the others have no majority
    assert (one["agreement_with_others"]["value"], one["agreement_with_others"]["n"]) == (0.75, 4)
    assert (one["with_majority_of_others"]["value"], one["with_majority_of_others"]["n"]) == (1.0, 2)
    assert (slot["with_majority_of_others"]["value"], slot["with_majority_of_others"]["n"]) == (0.5, 4)
    assert slot["first_slot_wins"]["value"] == 1.0
    assert found["odd_one_out"] is None  # of two pairs nobody can say that


async def test_agreement_is_told_for_each_principle() -> None:
    """Judges may agree on one and not on another."""
    other = SHORT.model_copy(update={"id": "other"})

    def says(question: Question) -> Scored | Failed:
        return outcome(1.0 if question.principles[0].id == "short" else 0.0)

    panel = Panel(members=(always(1.0, "one"), Opinion(says=says, called="two")))
    found = await summary_of(panel, [QUESTION, comparison("a", "b", other)])
    raw = {key: counts["raw"] for key, counts in found["agreement"].items()}
    assert raw == {"short": 1.0, "other": 0.0}


async def test_the_odd_one_out_is_named_when_it_is_clearly_apart() -> None:
    """Two that are right nearly always and one that is right as often as a coin; not when all are alike.

    The coin agrees with either other in about .5, each of the others with the coin in .5 and with the third in .94.
    """
    questions = pairs(150)
    clear = Panel(members=(noisy(0.97, 1), noisy(0.5, 2), noisy(0.97, 3)))
    assert (await summary_of(clear, questions))["odd_one_out"] == "right 0.5"
    alike = Panel(members=(noisy(0.8, 1), noisy(0.8, 2), noisy(0.8, 3)))
    assert (await summary_of(alike, questions))["odd_one_out"] is None
    two = Panel(members=(noisy(0.97, 1), noisy(0.1, 2)))
    assert (await summary_of(two, questions))["odd_one_out"] is None
    slots = Panel(members=(always(0.0, "last"), always(1.0, "first"), always(1.0, "first too")))
    assert (await summary_of(slots, questions))["odd_one_out"] == "last"


@pytest.mark.slow
async def test_of_a_member_that_never_voted_no_accuracy_is_estimated() -> None:
    """Silence is not error: 0 would say that it is always wrong."""
    members = (always("refused", "silent"), always(1.0, "one"), always(1.0, "other"))
    found = await summary_of(Panel(members=members, vote="weighted"), [QUESTION])
    assert [member["accuracy_estimated"] for member in found["members"]] == [None, 1.0, 1.0]


async def test_failures_are_counted_by_member_and_members_with_one_name_told_apart() -> None:
    """Two prompts of one judge are two members."""
    members = (always("refused", "judge"), always(1.0, "judge"), always(1.0, "other"))
    found = await summary_of(Panel(members=members), [QUESTION])
    assert [member["name"] for member in found["members"]] == ["judge (1)", "judge (2)", "other"]
    assert [member["failed"] for member in found["members"]] == [{"refused": 1}, {}, {}]
    assert found["members"][0]["with_majority_of_others"] == {"value": None, "n": 0}
    assert found["members"][0]["agreement_with_others"] == {"value": None, "n": 0}


async def test_the_votes_of_members_with_one_name_are_told_apart() -> None:
    """One prefers what is shown first and one what is shown second: counted as one, they would lean to neither."""
    panel = Panel(members=(always(1.0, "judge"), always(0.0, "judge"), always(1.0, "other")))
    judgments = await judged(panel, [QUESTION, QUESTION.reversed()])
    assert [vote.labeler for vote in judgments[0].votes] == ["judge (1)", "judge (2)", "other"]
    position = Position()
    position.add(judgments)
    found = position.summary()["votes"]
    assert {name: seen["first_slot_wins"] for name, seen in found.items()} == {
        "judge (1)": 1.0,
        "judge (2)": 0.0,
        "other": 1.0,
    }


async def test_ratings_agree_by_their_distance() -> None:
    """Interval alpha of (.2, .4) and (.6, 1.0): within 2 * (.04 + .16) = .4; by chance 2 * (4 * 1.56 - 2.2 ** 2)."""

    def member(called: str, first: float, second: float) -> Opinion:
        return Opinion(
            says=lambda question: outcome(first if question.options[0].text == "a" else second, options=1),
            called=called,
            shown=1,
        )

    panel = Panel(members=(member("one", 0.2, 0.6), member("two", 0.4, 1.0)))
    found = (await summary_of(panel, [rating("a"), rating("b")]))["agreement"]["short"]
    assert found["alpha_level"] == "interval"
    assert found["alpha"] == pytest.approx(1 - 3 * 0.4 / (2 * (4 * 1.56 - 2.2**2)), abs=1e-4)
    assert found["raw"] == 1.0  # both below the middle, both above
    assert "first_slot_wins" not in found


@pytest.mark.slow
async def test_the_account_does_not_grow_with_the_judgments() -> None:
    """There may be millions."""
    panel = Panel(members=(noisy(0.8, 1), noisy(0.8, 2), noisy(0.8, 3)))
    account = panel.account()
    account.add(await judged(panel, pairs(50)))
    small = len(pickle.dumps(account.__dict__, protocol=5))
    for _ in range(20):
        account.add(await judged(panel, pairs(50)))
    assert len(pickle.dumps(account.__dict__, protocol=5)) < small + 200


async def test_a_panel_may_sit_on_a_panel() -> None:
    """Its votes count as one, and its own account stands in the outer one's."""
    inner = Panel(members=(always(1.0, "one"), always(1.0, "two"), always(0.0, "three")))
    outer = Panel(members=(inner, always(1.0, "four"), always(0.0, "five")))
    judgment = await outer.label(QUESTION)
    assert isinstance(judgment.outcome, Scored)
    assert judgment.outcome.scores[0] == pytest.approx(2 / 3)
    assert len(judgment.votes[0].votes) == 3
    found = await summary_of(outer, [QUESTION])
    assert found["members"][0]["account"]["members"][2]["name"] == "three"
