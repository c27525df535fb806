"""Reliability from agreement alone: what was planted is found."""

from itertools import product

import pytest

from solon.statistics.dawid_skene import _BEGUN, Pattern, Reliability, _estimated, _scaled, reliability

ACCURACIES = (0.9, 0.8, 0.7)
EXACT = Reliability(
    priors={"above": 0.5, "below": 0.5},
    confusion=tuple(
        {
            ("above", "above"): accuracy,
            ("above", "below"): 1 - accuracy,
            ("below", "below"): accuracy,
            ("below", "above"): 1 - accuracy,
        }
        for accuracy in ACCURACIES
    ),
    units=2000,
)


def planted() -> dict[Pattern, int]:
    """How often each pattern comes among 2,000 units, half of each category, with raters right .9, .8, .7 of the time.

    All are whole: (above, above, above) comes 1000 * (.9 * .8 * .7 + .1 * .2 * .3) = 510 times.
    """
    counts = {}
    for pattern in product(("above", "below"), repeat=3):
        shares = []
        for truth in ("above", "below"):
            share = 1.0
            for said, accuracy in zip(pattern, ACCURACIES, strict=True):
                share *= accuracy if said == truth else 1 - accuracy
            shares.append(share)
        counts[pattern] = round(1000 * sum(shares))
    assert sum(counts.values()) == 2000
    assert counts["above", "above", "above"] == 510
    return counts


def test_the_posterior_is_bayes_rule() -> None:
    """The first says above, both others below: .9 * .2 * .3 = .054 against .1 * .8 * .7 = .056."""
    posterior = EXACT.posterior(("above", "below", "below"))
    assert posterior == pytest.approx({"above": 0.054 / 0.11, "below": 0.056 / 0.11}, abs=1e-12)


def test_who_said_nothing_moves_nothing() -> None:
    """.9 against .1; nobody at all leaves the priors."""
    assert EXACT.posterior(("above", None, None)) == pytest.approx({"above": 0.9, "below": 0.1}, abs=1e-12)
    assert EXACT.posterior((None, None, None)) == pytest.approx({"above": 0.5, "below": 0.5}, abs=1e-12)


def test_accuracy_is_the_diagonal_weighed_by_the_priors() -> None:
    """With priors of .8 and .2, right in .9 of the one and .5 of the other: .72 + .1."""
    confusion = {("a", "a"): 0.9, ("a", "b"): 0.1, ("b", "b"): 0.5, ("b", "a"): 0.5}
    assert Reliability({"a": 0.8, "b": 0.2}, (confusion,), 1).accuracy(0) == pytest.approx(0.82, abs=1e-12)


def test_too_many_units_are_scaled_down_in_proportion() -> None:
    """Of 10 units 7, 2 and 1 come; of 5 these are 3.5, 1 and .5: 3, 1 and 0, and the first of the equal rests up."""
    counts: dict[Pattern, int] = {("a", "a"): 7, ("a", "b"): 2, ("b", "b"): 1}
    assert _scaled(counts, 5) == {("a", "a"): 4, ("a", "b"): 1}
    assert _scaled(counts, 10) == counts


def test_nothing_said_is_nothing_known() -> None:
    """No fit, and no number in its place."""
    assert reliability({}) is None
    assert reliability({(None, None, None): 4, ("a", "b", "a"): 0}) is None


@pytest.mark.slow
def test_planted_accuracies_are_found_from_agreement_alone() -> None:
    """The counts are exactly those expected, so the likeliest matrices are the planted ones."""
    found = reliability(planted())
    assert found is not None
    assert [found.accuracy(rater) for rater in range(3)] == pytest.approx(list(ACCURACIES), abs=0.01)
    assert found.priors == pytest.approx({"above": 0.5, "below": 0.5}, abs=0.01)
    assert found.units == 2000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, at what crowd-kit does
@pytest.mark.parametrize(
    "patterns",
    [
        # 128 rounds
        dict(zip(product("ab", repeat=3), (12, 5, 2, 6, 3, 3, 8, 11), strict=True)),
        # votes that are missing, and a third category: 33 rounds
        {
            ("a", "a", "a"): 20,
            ("b", "b", "b"): 18,
            ("a", "b", None): 6,
            ("b", "a", "a"): 5,
            ("a", "a", "b"): 9,
            ("b", "b", "c"): 2,
            (None, "b", "a"): 4,
        },
    ],
    ids=["three raters", "missing votes"],
)
def test_the_rounds_on_patterns_end_where_crowd_kit_itself_ends(patterns: dict[Pattern, int]) -> None:
    """A thousand rounds of crowd-kit take ten seconds however little there is to fit; nothing else is to change."""
    rows = [
        (unit, rater, label)
        for unit, pattern in enumerate(
            pattern for pattern, count in sorted(patterns.items(), key=str) for _ in range(count)
        )
        for rater, label in enumerate(pattern)
        if label is not None
    ]
    data = pytest.importorskip("pandas").DataFrame(rows, columns=["task", "worker", "label"])
    whole = pytest.importorskip("crowdkit.aggregation").DawidSkene(n_iter=1000, tol=1e-7).fit(data)
    assert len(whole.loss_history_) > _BEGUN
    found = reliability(patterns)
    assert found is not None
    assert found.priors == pytest.approx(dict(whole.priors_), abs=1e-12)
    for rater, matrix in enumerate(found.confusion):
        theirs = {(true, said): whole.errors_[true][rater, said] for true, said in matrix}
        assert matrix == pytest.approx(theirs, abs=1e-12)


@pytest.mark.slow
def test_an_adversary_is_found_and_its_votes_count_against_what_it_says() -> None:
    """Two that are right .9 of the time and one that is wrong .9 of the time: its word for above speaks for below."""
    counts: dict[Pattern, int] = {}
    for truth, other in (("above", "below"), ("below", "above")):
        for first, second, third in product((True, False), repeat=3):
            share = (0.9 if first else 0.1) * (0.9 if second else 0.1) * (0.1 if third else 0.9)
            pattern = tuple(truth if right else other for right in (first, second, third))
            counts[pattern] = counts.get(pattern, 0) + round(1000 * share)
    found = reliability(counts)
    assert found is not None
    assert found.accuracy(2) == pytest.approx(0.1, abs=0.01)
    assert found.posterior((None, None, "above"))["below"] == pytest.approx(0.9, abs=0.01)


@pytest.mark.slow
def test_the_fit_is_the_same_every_time_and_whatever_the_order_of_the_counts() -> None:
    """Weights decide labels, and labels must come out the same again."""
    counts = planted()
    backwards = dict(reversed(counts.items()))
    first = reliability(counts, at_most=1999)
    _estimated.cache_clear()
    second = reliability(backwards, at_most=1999)
    assert first is not None
    assert second is not None
    assert (first.priors, first.confusion) == (second.priors, second.confusion)


@pytest.mark.slow
def test_units_that_not_all_rated_and_a_rater_who_said_nothing() -> None:
    """Missing votes are missing, and a silent rater has no matrix and no weight."""
    found = reliability({("a", "a", None): 60, ("b", "b", None): 60, ("a", "b", None): 10, ("b", None, None): 5})
    assert found is not None
    assert found.confusion[2] == {}
    assert found.accuracy(2) == 0.0
    assert found.units == 135
