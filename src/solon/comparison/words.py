"""A comparison in plain words: each sentence says what a number with its n, interval or test carries, and no more."""

from __future__ import annotations

from collections.abc import Iterator

from solon.comparison.differences import wholes
from solon.comparison.record import UNTRAINED, Comparison, Side, Tested
from solon.data.records import Metric
from solon.report.headline import FIRST
from solon.report.rows import is_win_rate, wanted
from solon.report.text import one_line, shorten_paths
from solon.report.wording import counted, dollars, label, listed, lower_first, number, p_value, plain, with_interval

_MOST_NAMED = 4


def sentences(comparison: Comparison) -> list[str]:
    """The whole paragraph, the most important first."""
    return [
        *_failures(comparison),
        *_main(comparison),
        *_others(comparison),
        *_lost(comparison),
        *_standings(comparison),
        *_distance(comparison),
        *_cost(comparison),
        *_alarms(comparison),
        *_caution(comparison),
    ]


def main_metric(comparison: Comparison) -> str | None:
    """What the comparison is about first; ``None`` where nothing was measured."""
    names = list(dict.fromkeys(metric.name for own in comparison.metrics.values() for metric in wholes(own)))
    ranked = [name for base in FIRST for name in names if name.split("/")[0] == base]
    return next(iter([*ranked, *names]), None)


def of(comparison: Comparison, entry: str, name: str) -> Metric | None:
    """An entry's own number: of the trained policy, or the one that compares it with the untrained one."""
    own = [metric for metric in comparison.metrics.get(entry, ()) if metric.name == name]
    return next((metric for which in ("after", "pair") for metric in own if metric.of == which), None)


def before(comparison: Comparison, name: str) -> Metric | None:
    """The untrained policy's number."""
    found = (metric for own in comparison.metrics.values() for metric in own if metric.name == name)
    return next((metric for metric in found if metric.of == "before"), None)


def _failures(comparison: Comparison) -> Iterator[str]:
    for side in comparison.sides:
        if side.failed:
            why = one_line(shorten_paths(side.failed.partition("\n")[0]), 300).rstrip(".")
            yield f"{side.name} did not get to its end and is not compared: {why}."


def _main(comparison: Comparison) -> Iterator[str]:
    name = main_metric(comparison)
    if name is None:
        return
    told = [(side.name, metric) for side in comparison.finished if (metric := of(comparison, side.name, name))]
    if not told:
        return
    unit, untrained = told[0][1].unit, before(comparison, name)
    began = f"{number(untrained.value, unit)} untrained; " if untrained is not None else ""
    each = ", ".join(f"{entry} {with_interval(metric)}" for entry, metric in told)
    ns = {metric.n for _, metric in told}
    many = f"{min(ns):,}" if len(ns) == 1 else f"{min(ns):,} to {max(ns):,}"
    yield f"{label(name)} (n {many}): {began}{each}."
    yield from _between(comparison, name)


def _between(comparison: Comparison, name: str) -> Iterator[str]:
    tests = [tested for tested in comparison.between if tested.adjusted is not None]
    mine = [tested for tested in tests if tested.metric == name]
    if not mine:
        return
    sure = [tested for tested in mine if tested.counts]
    family = sum(bool(wanted(tested.metric)) == bool(wanted(name)) for tested in tests)
    correction = f"after Holm's correction for {counted(family, 'test')} between entries"
    if not sure:
        yield f"Of its {counted(len(mine), 'difference')} between entries none is more than chance, {correction}."
        return
    said = "; ".join(map(_difference, sure[:_MOST_NAMED]))
    more = f"; and {len(sure) - _MOST_NAMED} more" if len(sure) > _MOST_NAMED else ""
    rest = len(mine) - len(sure)
    chance = f" The other {counted(rest, 'difference')} may be chance." if rest else ""
    yield f"Of its differences between entries these are more than chance, {correction}: {said}{more}.{chance}"


def _others(comparison: Comparison) -> Iterator[str]:
    """The differences in all other metrics that count."""
    name = main_metric(comparison)
    rest = [tested for tested in comparison.between if tested.metric != name and tested.adjusted is not None]
    if not rest:
        return
    sure = [tested for tested in rest if tested.counts]
    better = [tested for tested in sure if tested.way]
    neutral = list(dict.fromkeys(lower_first(label(tested.metric)) for tested in sure if not tested.way))
    parts = []
    if better:
        said = "; ".join(
            f"{lower_first(label(tested.metric))}, {_difference(tested)}" for tested in better[:_MOST_NAMED]
        )
        more = f"; and {len(better) - _MOST_NAMED} more in the table" if len(better) > _MOST_NAMED else ""
        parts.append(f"Elsewhere entries differ beyond chance in {said}{more}")
    if neutral:
        parts.append(f"{'They' if better else 'Entries'} differ in {listed(neutral)}, where neither way is better")
    yield f"{'. '.join(parts) or 'In no other metric that was tested do two entries differ beyond chance'}."


def _lost(comparison: Comparison) -> Iterator[str]:
    """What became worse than it was untrained."""
    tests = [tested for tested in comparison.against_untrained if wanted(tested.metric)]
    if not tests:
        return
    worse = [tested for tested in tests if tested.way < 0 and tested.counts]
    if not worse:
        many = counted(len({tested.metric for tested in tests}), "metric")
        yield f"Against the untrained policy nothing was lost beyond chance: {many} tested."
        return
    said = "; ".join(
        f"{tested.one} lost {lower_first(label(tested.metric))} ({_size(tested)})" for tested in worse[:_MOST_NAMED]
    )
    more = f"; and {len(worse) - _MOST_NAMED} more in the table" if len(worse) > _MOST_NAMED else ""
    yield f"Against the untrained policy, beyond chance: {said}{more}."


def _standings(comparison: Comparison) -> Iterator[str]:
    for name, own in comparison.standings.items():
        ranked = sorted((one for one in own if one.name != UNTRAINED), key=lambda one: -one.beats_untrained.value)
        if len(ranked) > 1:
            each = ", ".join(f"{one.name} {with_interval(one.beats_untrained)}" for one in ranked)
            yield (
                f"With each two compared by the judge ({lower_first(label(name))}), the chance to be preferred to the "
                f"untrained policy, fitted to all comparisons: {each}."
            )


def _distance(comparison: Comparison) -> Iterator[str]:
    moved = [(side.name, metric) for side in comparison.finished if (metric := of(comparison, side.name, "kl"))]
    if len(moved) > 1:
        ordered = sorted(moved, key=lambda one: -one[1].value)
        each = ", ".join(f"{entry} {number(metric.value, 'nats')}" for entry, metric in ordered)
        yield f"Distance from the untrained policy (KL), the farthest first: {each}."


def _cost(comparison: Comparison) -> Iterator[str]:
    told = [(side, side.spent) for side in comparison.finished if side.spent is not None]
    timed = sorted(
        ((side.name, spent.used.cpu_seconds) for side, spent in told if spent.used.cpu_seconds), key=lambda one: one[1]
    )
    if len(timed) > 1:
        (fastest, least), rest = timed[0], timed[1:]
        times = ", ".join(f"{name} {seconds / least:.1f} times" for name, seconds in rest)
        yield f"Training took {fastest} {least:,.1f} s of CPU, the least; {times} that."
    paid = [(side.name, spent.usd) for side, spent in told]
    if any(usd for _, usd in paid):
        each = ", ".join(f"{name} {dollars(usd)}" for name, usd in paid)
        yield f"Labels cost, as if nothing had been in the ledger, with what each paid for rewards: {each}."


def _alarms(comparison: Comparison) -> Iterator[str]:
    raised = [(side.name, list(side.alarms)) for side in comparison.finished if side.alarms]
    if raised:
        yield f"Alarms were raised while {listed([f'{name} trained ({listed(own)})' for name, own in raised])}."


def _caution(comparison: Comparison) -> Iterator[str]:
    if not comparison.same_data:
        yield "Not all entries learned from the same rows: see what each learned from."
    if len(comparison.finished) > 1:
        yield (
            f"All of this is one seed ({comparison.seed}) and these settings: intervals hold for other prompts, not "
            "for other seeds, and a method that lost here may win with settings that suit it better."
        )


def _difference(tested: Tested) -> str:
    turned = tested.turned()
    return f"{turned.one} {'over' if turned.way else 'above'} {turned.other} by {_size(turned)}"


def _size(tested: Tested) -> str:
    """How far apart, whichever way, and how sure that is; of a win rate over the untrained policy what it is."""
    metric, p = tested.difference, f", {p_value(tested.adjusted)}" if tested.adjusted is not None else ""
    if is_win_rate(metric.name) and tested.other == UNTRAINED:
        return f"{with_interval(metric)}{p}"
    sign = -1 if metric.value < 0 else 1
    low, high = sorted((sign * metric.low, sign * metric.high))
    unit = "points" if metric.unit == "share" else metric.unit if metric.unit in ("nats", "tokens") else ""
    scale, digits = (100, 1) if metric.unit == "share" else (1, 1 if unit else 2)
    ends = " to ".join(plain(scale * end, digits) for end in (low, high))
    return f"{scale * abs(metric.value):.{digits}f}{f' {unit}' if unit else ''} [{ends}]{p}"


def headline(comparison: Comparison) -> str:
    """One sentence for the top of the page."""
    name, finished = main_metric(comparison), comparison.finished
    told = [(side, metric) for side in finished if name and (metric := of(comparison, side.name, name))]
    if name is None or not told:
        return f"{', '.join(side.name for side in comparison.sides)}: nothing was measured."
    untrained = before(comparison, name)
    began = f" from {number(untrained.value, untrained.unit)}" if untrained is not None else ""
    each = ", ".join(f"{side.name} {number(metric.value, metric.unit)}" for side, metric in told)
    return f"{label(name)}{began}: {each}."


def trainers_of(side: Side) -> str:
    """Its trainers as they follow each other."""
    return ", then ".join(side.trainers)
