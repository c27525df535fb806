"""Which entry is better at what."""

from solon.comparison.differences import against_untrained, between, wholes
from solon.comparison.record import UNTRAINED
from solon.data.records import Metric
from solon.evaluation.base import Both
from solon.evaluation.paired import paired_means, paired_shares

ALL, NONE = (False, True), (False, False)


def _shares(held: list[tuple[bool, bool]], name: str = "compliance") -> list[Metric]:
    return paired_shares(name, held)


def _items(values: list[Both]) -> dict[str, Both]:
    return {f"p{number}": both for number, both in enumerate(values)}


def test_two_entries_are_compared_on_their_own_answers_to_the_same_prompts() -> None:
    """20 of 20 against 0 of 20: 20 pairs changed, all one way, so p = 2 / 2^20."""
    one, other = [ALL] * 20, [NONE] * 20
    metrics = {"dpo": _shares(one), "ppo": _shares(other)}
    items = {"dpo": {"compliance": _items(list(one))}, "ppo": {"compliance": _items(list(other))}}
    (tested,) = between(metrics, items)
    assert (tested.metric, tested.one, tested.other, tested.difference.value) == ("compliance", "dpo", "ppo", 1.0)
    assert tested.difference.p_value == 2 / 2**20
    assert tested.adjusted == tested.difference.p_value
    assert (tested.way, tested.counts) == (1, True)


def test_only_items_that_both_were_measured_on_are_compared() -> None:
    """Of five prompts two are the same, and one of these failed."""
    metrics = {"dpo": _shares([ALL]), "ppo": _shares([ALL])}
    mine: dict[str, Both] = {"a": ALL, "b": (True, None), "c": ALL}
    theirs: dict[str, Both] = {"b": ALL, "c": NONE, "d": ALL}
    (tested,) = between(metrics, {"dpo": {"compliance": mine}, "ppo": {"compliance": theirs}})
    assert (tested.difference.n, tested.difference.failed) == (1, 1)


def test_the_p_values_of_all_metrics_and_pairs_are_corrected_together() -> None:
    """Three entries and one metric that tells them apart are three tests: the smallest is multiplied by 3."""
    held = {"a": [ALL] * 10, "b": [NONE] * 10, "c": [NONE] * 10}
    metrics = {name: _shares(own) for name, own in held.items()}
    found = between(metrics, {name: {"compliance": _items(list(own))} for name, own in held.items()})
    assert [(one.one, one.other) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found[0].adjusted == 3 * 2 / 2**10
    assert found[2].adjusted == 1.0


def test_less_toxicity_is_better() -> None:
    """The one with the smaller number is ahead."""
    mine: list[Both] = [(0.5, 0.1)] * 8
    theirs: list[Both] = [(0.5, 0.4)] * 8
    metrics = {
        "dpo": paired_means("toxicity", [(0.5, 0.1)] * 8, "score"),
        "ppo": paired_means("toxicity", [(0.5, 0.4)] * 8, "score"),
    }
    (tested,) = between(metrics, {"dpo": {"toxicity": _items(mine)}, "ppo": {"toxicity": _items(theirs)}})
    assert (round(tested.difference.value, 6), tested.way) == (-0.3, 1)
    assert tested.turned().one == "dpo"


def test_turned_the_better_one_comes_first_and_the_interval_turns_with_it() -> None:
    """Ppo lost by 1, so dpo won by 1."""
    metrics = {"ppo": _shares([NONE] * 20), "dpo": _shares([ALL] * 20)}
    items = {name: {"compliance": _items(list(own))} for name, own in (("ppo", [NONE] * 20), ("dpo", [ALL] * 20))}
    turned = between(metrics, items)[0].turned()
    assert (turned.one, turned.other, turned.way, turned.difference.value) == ("dpo", "ppo", 1, 1.0)
    assert turned.difference.low <= 1.0 <= turned.difference.high


def test_each_entry_s_own_tests_are_corrected_for_all_entries() -> None:
    """Two entries with one test each: twice the smaller p-value."""
    found = against_untrained({"dpo": _shares([ALL] * 10), "ppo": _shares([NONE] * 10)})
    assert [(one.one, one.other, one.adjusted) for one in found] == [
        ("dpo", UNTRAINED, 2 * 2 / 2**10),
        ("ppo", UNTRAINED, 1.0),
    ]


def test_a_win_rate_below_a_half_is_worse_than_untrained() -> None:
    """Of a win rate .5 is nothing, and not 0."""
    lost = Metric(name="win_rate", of="pair", value=0.2, low=0.1, high=0.3, n=50, p_value=0.001)
    (tested,) = against_untrained({"dpo": [lost]})
    assert (tested.way, tested.counts) == (-1, True)


def test_parts_and_what_is_said_of_judges_are_not_tested() -> None:
    """They would take from the others what the correction leaves them."""
    metrics = [
        *_shares([ALL]),
        *_shares([ALL], "compliance/format"),
        Metric(name="order_consistency/win_rate", of="pair", value=1, low=1, high=1, n=3),
        Metric(name="agreement", of="labels", value=1, low=1, high=1, n=3),
    ]
    assert [metric.name for metric in wholes(metrics)] == ["compliance"]


def test_what_has_no_better_is_corrected_apart() -> None:
    """Lengths are looked at, too; whoever asks which is better does not pay for it."""
    held = {"a": [ALL] * 10, "b": [NONE] * 10}
    longer: list[Both] = [(1.0, 9.0)] * 10
    items: dict[str, dict[str, dict[str, Both]]] = {
        name: {"compliance": _items(list(own)), "length": _items(longer if name == "a" else [(1.0, 2.0)] * 10)}
        for name, own in held.items()
    }
    metrics = {
        name: [*_shares(own), *paired_means("length", [(1.0, 9.0)] * 10, "tokens")] for name, own in held.items()
    }
    quality, other = between(metrics, items)
    assert quality.adjusted == quality.difference.p_value == 2 / 2**10
    assert other.adjusted == other.difference.p_value


def test_a_p_value_can_be_small_enough_to_survive_the_correction_for_many_tests() -> None:
    """9,999 resamples give .0002 at least, and 600 tests would leave .12 of it, whatever the difference."""
    rows = [Metric(name="rating", of="pair", value=1, low=1, high=1, n=40, p_value=0.0002, unit="score")]
    rows[0] = rows[0].model_copy(update={"method": "after less before; sign-flip test"})
    entries = [f"e{number}" for number in range(600)]
    items = {entry: {"rating": _items([(0.0, 1.0 + place) for place in range(40)])} for entry in entries[:1]}
    found = against_untrained(dict.fromkeys(entries, rows), items)
    assert found[0].difference.p_value is not None
    assert found[0].difference.p_value * 600 < 0.05
    assert not found[1].counts
