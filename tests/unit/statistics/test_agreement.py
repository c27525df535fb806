"""Coefficients of agreement against their authors' worked examples."""

import math
from collections.abc import Sequence
from random import Random

import pytest

from solon.statistics.agreement import Agreement, NumericAgreement

_ = None
# Krippendorff (2011), section C: four observers, twelve units, five categories; a unit that only one rated is left out
FOUR_OBSERVERS = [
    (1, 1, _, 1),
    (2, 2, 3, 2),
    (3, 3, 3, 3),
    (3, 3, 3, 3),
    (2, 2, 2, 2),
    (1, 2, 3, 4),
    (4, 4, 4, 4),
    (1, 1, 2, 1),
    (2, 2, 2, 2),
    (_, 5, 5, 5),
    (_, _, 1, 1),
    (_, 3, _, _),
]


def counted(units: Sequence[Sequence[object]]) -> Agreement:
    """The agreement of these units."""
    agreement = Agreement(len(units[0]))
    for unit in units:
        agreement.add(unit)
    return agreement


def two_by_two(both: int, first: int, second: int, neither: int) -> Agreement:
    """Two raters who say yes or no."""
    agreement = Agreement(2)
    for ratings, times in {(1, 1): both, (1, 0): first, (0, 1): second, (0, 0): neither}.items():
        agreement.add(ratings, times)
    return agreement


def test_alpha_of_two_observers_and_binary_data() -> None:
    """Krippendorff (2011), section A, .095. 4 of 10 units differ, 14 zeros and 6 ones: 1 - 19 * 4 / (14 * 6) = 2/21."""
    meg = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0)
    owen = (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)
    assert counted(list(zip(meg, owen, strict=True))).alpha() == pytest.approx(2 / 21, abs=1e-12)


def test_alpha_of_two_observers_and_nominal_data() -> None:
    """Krippendorff (2011), section B, .692. 3 of 12 units differ; categories occur 4, 6, 6, 6 and 2 times.

    Observed 6/24; expected 1 - (4*3 + 3*6*5 + 2*1) / (24*23) = 448/552; alpha = 1 - 138/448.
    """
    ben = "aabbdcccedda"
    gerry = "babbbcccedd" + "d"
    assert counted(list(zip(ben, gerry, strict=True))).alpha() == pytest.approx(1 - 138 / 448, abs=1e-12)


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_with_missing_ratings_at_each_level(level: str, published: float) -> None:
    """Krippendorff (2011), sections C to E, three decimals."""
    found = counted(FOUR_OBSERVERS).alpha(level)
    assert found is not None
    assert round(found, 3) == published


def test_nominal_alpha_with_missing_ratings_by_hand() -> None:
    """Forty ratings: 9 ones, 13 twos, 10 threes, 5 fours, 3 fives.

    Unit 2 has 3 differing pairs of 6, unit 8 too, unit 6 all 6: 2 * (3 + 6 + 3) / 3 = 8 off the diagonal. Pairs that
    differ by chance: 40 * 40 - (81 + 169 + 100 + 25 + 9) = 1216. alpha = 1 - 39 * 8 / 1216 = 113/152.
    """
    assert counted(FOUR_OBSERVERS).alpha() == pytest.approx(113 / 152, abs=1e-12)


def test_ac1_with_missing_ratings() -> None:
    """The same data in Gwet's Handbook of Inter-Rater Reliability: raw agreement .81818, AC1 .77544."""
    agreement = counted(FOUR_OBSERVERS)
    assert (agreement.raw(), agreement.units) == (pytest.approx(9 / 11, abs=1e-12), 11)
    assert round(agreement.ac1() or 0.0, 5) == 0.77544


def test_ac1_and_kappa_where_one_category_prevails() -> None:
    """Gwet (2002), "Kappa statistic is not satisfactory": 118, 5, 2 and 0 of 125; kappa -.0234, AC1 .9408.

    Raw .944; chance of kappa .984 * .96 + .016 * .04 = .94528; of AC1 2 * .972 * .028 = .054432.
    """
    agreement = two_by_two(118, 5, 2, 0)
    assert agreement.raw() == pytest.approx(0.944, abs=1e-12)
    assert agreement.kappa(0, 1) == pytest.approx((0.944 - 0.94528) / (1 - 0.94528), abs=1e-9)
    assert agreement.ac1() == pytest.approx((0.944 - 0.054432) / (1 - 0.054432), abs=1e-9)


def test_the_same_raw_agreement_gives_a_low_kappa_and_a_high_ac1() -> None:
    """93.5 % positive: raw .938; kappa (.938 - .87845) / .12155 = .49; AC1 (.938 - .12155) / .87845 = .93."""
    agreement = two_by_two(904, 31, 31, 34)
    assert agreement.raw() == pytest.approx(0.938, abs=1e-12)
    assert agreement.kappa(0, 1) == pytest.approx(0.05955 / 0.12155, abs=1e-6)
    assert agreement.ac1() == pytest.approx(0.81645 / 0.87845, abs=1e-6)


def test_interval_alpha_from_sums_is_that_from_coincidences() -> None:
    """Ratings of any precision would each be a category of their own."""
    by_sums = NumericAgreement()
    for unit in FOUR_OBSERVERS:
        by_sums.add(unit)
    assert by_sums.alpha() == pytest.approx(counted(FOUR_OBSERVERS).alpha("interval"), abs=1e-12)
    assert by_sums.units == 11


def test_order_of_units_and_repeats_change_nothing() -> None:
    """Counts are compact: the same ratings three times are one entry."""
    rng = Random(3)
    units = [tuple(rng.choice([None, "a", "b", "c"]) for _ in range(3)) for _ in range(200)]
    one_by_one, at_once = Agreement(3), Agreement(3)
    for unit in units * 3:
        one_by_one.add(unit)
    for unit in reversed(units):
        at_once.add(unit, times=3)
    for coefficient in ("raw", "alpha", "ac1", "mean_kappa"):
        first, second = getattr(one_by_one, coefficient)(), getattr(at_once, coefficient)()
        assert first == pytest.approx(second, abs=1e-12)


def test_raters_who_always_agree_have_one_everywhere() -> None:
    """The upper end of every coefficient."""
    agreement = counted([("a", "a", "a"), ("b", "b", "b"), ("c", None, "c")])
    assert [agreement.raw(), agreement.alpha(), agreement.ac1(), agreement.mean_kappa()] == [1.0] * 4


def test_what_nothing_follows_from_is_none_and_not_a_number() -> None:
    """Nothing rated twice: nothing is known. One category only: chance alone explains kappa and alpha."""
    nothing = counted([(None, None), ("a", None)])
    assert [nothing.raw(), nothing.alpha(), nothing.ac1(), nothing.mean_kappa()] == [None] * 4
    uniform = counted([("a", "a")] * 5)
    assert [uniform.raw(), uniform.alpha(), uniform.ac1(), uniform.mean_kappa()] == [1.0, None, 1.0, None]
    level = NumericAgreement()
    assert level.alpha() is None
    for _unit in range(1000):
        level.add((0.1, 0.1, 0.1))
    assert level.alpha() is None


def test_a_rating_for_each_rater_is_expected() -> None:
    """A shifted column would compare other raters."""
    with pytest.raises(ValueError, match="3 ratings of 2 raters"):
        Agreement(2).add((1, 2, 3))
    with pytest.raises(ValueError, match="at least 2 raters"):
        Agreement(1)


@pytest.mark.slow
def test_kappa_is_that_of_scikit_learn() -> None:
    """On random tables of two raters with three categories."""
    from sklearn.metrics import cohen_kappa_score

    rng = Random(7)
    for _round in range(20):
        truth = [rng.choice("abc") for _ in range(60)]
        pairs = [(one if rng.random() < 0.6 else rng.choice("abc"), rng.choice([one, "b"])) for one in truth]
        expected = float(cohen_kappa_score(*zip(*pairs, strict=True)))
        found = counted(pairs).kappa(0, 1)
        assert found is not None
        assert math.isclose(found, expected, abs_tol=1e-9)
