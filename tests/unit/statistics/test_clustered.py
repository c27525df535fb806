"""Estimates from items that come several from a cluster: against the plain ones, and against each other."""

from random import Random

import pytest

from solon.statistics.agreement import Agreement
from solon.statistics.clustered import clustered_share, coefficients
from solon.statistics.estimates import wilson


def test_items_on_their_own_have_wilsons_interval() -> None:
    """A cluster of one is an item."""
    found, plain = clustered_share([(1, 1)] * 7 + [(0, 1)] * 3), wilson(7, 10)
    assert (found.value, found.low, found.high) == (plain.value, plain.low, plain.high)


def test_items_that_go_together_tell_as_much_as_one_of_them() -> None:
    """Ten clusters of five that all say the same tell about as much as ten items."""
    found, ten = clustered_share([(5, 5)] * 7 + [(0, 5)] * 3), wilson(7, 10)
    assert found.value == 0.7
    assert (found.low, found.high) == pytest.approx((ten.low, ten.high), abs=0.03)
    assert "10 clusters" in found.method


def test_where_all_items_count_each_cluster_is_one() -> None:
    """How alike those of one are cannot be seen."""
    assert clustered_share([(5, 5)] * 8).low == wilson(8, 8).low
    assert clustered_share([(0, 5), (0, 2)]).high == wilson(0, 2).high


def test_clusters_without_items_say_nothing() -> None:
    """A prompt of which no pair was decided."""
    assert clustered_share([(0, 0), (1, 2), (2, 2)]) == clustered_share([(1, 2), (2, 2)])
    assert clustered_share([(0, 0)]).method == "nothing measured"


def test_clusters_that_are_more_alike_than_chance_claim_no_more_than_items() -> None:
    """One of two in each: their share does not vary at all, which is taken for luck."""
    found, plain = clustered_share([(1, 2)] * 20), wilson(20, 40)
    assert (found.low, found.high) == (plain.low, plain.high)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_coefficients_are_those_of_the_items(seed: int) -> None:
    """Whatever cluster they come from; ``Agreement`` counts them one by one."""
    random = Random(seed)
    clusters, whole = [], Agreement(2)
    for _ in range(30):
        table: dict[tuple[str, str], int] = {}
        for _ in range(random.randint(0, 6)):
            one = random.choices(["first", "second", "tie"], [0.7, 0.2, 0.1])[0]
            other = one if random.random() < 0.6 else random.choice(["first", "second"])
            table[one, other] = table.get((one, other), 0) + 1
            whole.add((one, other))
        clusters.append(table)
    found = coefficients(clusters, resamples=50)
    assert found["kappa"].value == pytest.approx(whole.kappa(0, 1), abs=1e-9)
    assert found["alpha"].value == pytest.approx(whole.alpha(), abs=1e-9)
    assert found["ac1"].value == pytest.approx(whole.ac1(), abs=1e-9)
    assert all(one.low < one.value < one.high for one in found.values())


def test_verdicts_that_do_not_vary_have_no_coefficient() -> None:
    """Chance would give the same."""
    assert coefficients([{("first", "first"): 3}, {("first", "first"): 1}]) == {}
    assert coefficients([]) == {}
    assert coefficients([{}]) == {}


def test_one_cluster_is_one_item() -> None:
    """However many comparisons of one prompt agree, another prompt was never seen."""
    assert clustered_share([(28, 28)]).low == wilson(1, 1).low
    assert clustered_share([(14, 28)]).high - clustered_share([(14, 28)]).low > 0.8


def test_resamples_in_which_nothing_varies_do_not_take_the_interval_away() -> None:
    """At 97 % of one kind some resamples hold no other, and have no kappa: the interval is that of the others."""
    tables = [{("x", "x"): 1} for _ in range(97)] + [{("y", "y"): 1}, {("x", "y"): 1}, {("y", "y"): 1}]
    found = coefficients(tables, resamples=400)["kappa"]
    assert found.low < found.value < found.high
    assert "of them without it" in found.method or found.method.endswith("resamples of clusters")
