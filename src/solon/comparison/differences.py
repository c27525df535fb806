"""Which of two policies is better at what: paired tests on the items that both were measured on, and how many count."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import cast

from solon.comparison.record import UNTRAINED, Tested
from solon.data.records import Metric
from solon.evaluation.base import Both, Measured
from solon.evaluation.paired import Held, paired_means, paired_shares
from solon.report.rows import part_of, wanted
from solon.statistics.estimates import RESAMPLES
from solon.statistics.holm import holm
from solon.statistics.spread import sign_flip


def wholes(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics of policies that are tested, one for each name.

    Parts of others are left out, but for those that have a better and a worse where their whole has none: harmful
    requests that are refused, answers that are cut off. So is what is said of judges.
    """
    names = list(dict.fromkeys(metric.name for metric in metrics if metric.of in ("after", "pair")))
    found = {metric.name: metric for metric in metrics if metric.of != "labels"}
    return [found[name] for name in names if _stands(name, names) and not name.startswith("order_consistency")]


def _stands(name: str, names: Collection[str]) -> bool:
    part = part_of(name, names)
    return not part or bool(wanted(name) and not wanted(name.removesuffix(f"/{part}")))


def between(metrics: Mapping[str, Sequence[Metric]], items: Mapping[str, Measured]) -> tuple[Tested, ...]:
    """Every two entries on every metric that both have items of, each with the p-value that is left after correction.

    Holm's correction is for all of them at once, but that metrics with a better and a worse are one family and those
    without (lengths, divergences, diversity) another: whoever asks which is better does not pay for the latter.
    """
    names, pairs = _in_order(metrics), list(combinations(metrics, 2))
    found = [
        tested
        for name, metric in names.items()
        for one, other in pairs
        if (
            tested := _tested(
                metric,
                (one, other),
                items[one].get(name, {}),
                items[other].get(name, {}),
                _resamples(len(pairs) * _family(name, names)),
            )
        )
        is not None
    ]
    return _corrected(found)


def against_untrained(
    metrics: Mapping[str, Sequence[Metric]], items: Mapping[str, Measured] | None = None
) -> tuple[Tested, ...]:
    """Each entry's own tests against the policy that it began with, corrected as ``between``.

    Args:
        metrics: of each entry.
        items: of each; where they are there, a p-value as small as a test with its usual number of resamples can give
            is made with more, so that a correction for many tests leaves something of it.
    """
    names = _in_order(metrics)
    found = []
    for name in names:
        resamples = _resamples(len(metrics) * _family(name, names))
        for entry, own in metrics.items():
            pair = next((metric for metric in own if metric.name == name and metric.of == "pair"), None)
            if pair is not None and pair.p_value is not None:
                finer = _finer(pair, (items or {}).get(entry, {}).get(name, {}), resamples)
                found.append(_of(finer, entry, UNTRAINED))
    return _corrected(found)


def _family(name: str, names: Collection[str]) -> int:
    """How many metrics are corrected together with this one."""
    return sum(bool(wanted(other)) == bool(wanted(name)) for other in names)


def _resamples(tests: int) -> int:
    """So many that the smallest p-value, two of them in all, is still below .01 when there are so many tests."""
    return max(RESAMPLES, 200 * tests)


def _finer(pair: Metric, items: Mapping[str, Both], resamples: int) -> Metric:
    told = [(before, after) for before, after in items.values() if before is not None and after is not None]
    differences = [after - before for before, after in told]
    smallest = pair.p_value is not None and pair.p_value <= 2 / (RESAMPLES + 1)
    if not smallest or "sign-flip" not in pair.method or resamples == RESAMPLES or len(differences) != pair.n:
        return pair
    return pair.model_copy(update={"p_value": sign_flip(differences, resamples=resamples)})


def _tested(
    metric: Metric,
    two: tuple[str, str],
    mine: Mapping[str, Both],
    theirs: Mapping[str, Both],
    resamples: int,
) -> Tested | None:
    """The difference of two on the items that both have; ``None`` where there are none."""
    one, other = two
    both = [item for item in mine if item in theirs]
    # the one that is named first stands where the trained policy does
    values = [(theirs[item][1], mine[item][1]) for item in both]
    if not any(None not in pair for pair in values):
        return None
    if all(value is None or isinstance(value, bool) for pair in values for value in pair):
        found = paired_shares(metric.name, cast("list[Held]", values))
    else:
        found = paired_means(metric.name, values, metric.unit)
    pair = _finer(next(each for each in found if each.of == "pair"), dict(zip(both, values, strict=True)), resamples)
    method = pair.method.replace("after less before", f"{one} less {other}")
    return _of(pair.model_copy(update={"method": method}), one, other)


def _of(pair: Metric, one: str, other: str) -> Tested:
    nothing = 0.5 if wanted(pair.name) and "win_rate" in pair.name and other == UNTRAINED else 0.0
    sign = (pair.value > nothing) - (pair.value < nothing)
    return Tested(metric=pair.name, one=one, other=other, difference=pair, way=wanted(pair.name) * sign)


def _corrected(found: Sequence[Tested]) -> tuple[Tested, ...]:
    adjusted: dict[int, float] = {}
    for better in (True, False):
        tests = {
            place: tested.difference.p_value
            for place, tested in enumerate(found)
            if tested.difference.p_value is not None and bool(wanted(tested.metric)) == better
        }
        adjusted |= zip(tests, holm(list(tests.values())), strict=True)
    return tuple(tested.model_copy(update={"adjusted": adjusted.get(place)}) for place, tested in enumerate(found))


def _in_order(metrics: Mapping[str, Sequence[Metric]]) -> dict[str, Metric]:
    """The tested metrics of all entries by their names, in the order in which they first come up."""
    found: dict[str, Metric] = {}
    for metric in (metric for own in metrics.values() for metric in wholes(own)):
        found.setdefault(metric.name, metric)
    return found
