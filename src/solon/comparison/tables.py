"""The tables of a comparison, as text: the same in the terminal, in Markdown and on the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from solon.comparison.differences import wholes
from solon.comparison.record import UNTRAINED, Comparison, Side, Tested
from solon.comparison.words import before, of, trainers_of
from solon.data.records import Metric
from solon.report.rows import part_of, wanted
from solon.report.tables import Table
from solon.report.wording import counted, dollars, label, number, p_value, short, signed, with_interval

_MOST_PARTS = 8


@dataclass(frozen=True)
class Cell:
    """One number of the table of quality.

    Attributes:
        metric: it, with its interval, n and failures.
        verdict: ``better`` or ``worse`` than untrained where that is more than chance after Holm, ``other`` where they
            differ and neither way is better, else empty.
    """

    metric: Metric | None
    verdict: str = ""


@dataclass(frozen=True)
class Line:
    """One metric of all: a number of the untrained policy, and one of each entry."""

    name: str
    part: str
    unit: str
    untrained: Cell
    cells: tuple[Cell, ...]

    @property
    def title(self) -> str:
        """For people."""
        return self.part.replace("_", " ") if self.part else label(self.name)


def quality(comparison: Comparison) -> list[Line]:
    """Every metric, parts below their wholes."""
    sides = comparison.finished
    metrics = [metric for side in sides for metric in comparison.metrics.get(side.name, ())]
    tested = {metric.name for side in sides for metric in wholes(comparison.metrics.get(side.name, ()))}
    names = list(dict.fromkeys(metric.name for metric in metrics if metric.of != "labels"))
    verdicts = {
        (test.metric, test.one): {1: "better", -1: "worse"}.get(test.way, "other")
        for test in comparison.against_untrained
        if test.counts
    }
    lines, parts = [], dict[str, int]()
    for name in names:
        part = part_of(name, names)
        if not part and name not in tested:
            continue  # how far a judge depends on the order compares no policies
        whole = name.removesuffix(f"/{part}") if part else name
        parts[whole] = parts.get(whole, 0) + bool(part)
        if parts[whole] > _MOST_PARTS:
            continue
        cells = tuple(Cell(of(comparison, side.name, name), verdicts.get((name, side.name), "")) for side in sides)
        untrained = before(comparison, name)
        unit = next((cell.metric.unit for cell in cells if cell.metric is not None), "share")
        lines.append(Line(name, part, unit, Cell(untrained), cells))
    return lines


def quality_table(comparison: Comparison) -> Table:
    """As text, with intervals and signs: ▲ better, ▼ worse, ◆ otherwise."""
    signs = {"better": " ▲", "worse": " ▼", "other": " ◆", "": ""}
    rows = [
        (
            f"{'· ' if line.part else ''}{line.title}",
            with_interval(line.untrained.metric),
            *(f"{with_interval(cell.metric)}{signs[cell.verdict]}" for cell in line.cells),
            count([cell.metric for cell in line.cells]),
        )
        for line in quality(comparison)
    ]
    heads = ("metric", UNTRAINED, *(side.name for side in comparison.finished), "n")
    note = (
        "In brackets 95% intervals. ▲ better, ▼ worse, ◆ different than untrained, each after Holm's correction for "
        f"{families(comparison.against_untrained)}."
    )
    return Table.of("Quality", heads, rows, note)


def between_table(comparison: Comparison) -> Table | None:
    """The differences between entries that count, whoever is better, or has more, named first."""
    tests = [tested for tested in comparison.between if tested.adjusted is not None]
    if not tests:
        return None
    rows = [
        (
            label(tested.metric),
            f"{tested.one} {'over' if tested.way else 'above'} {tested.other}",
            _signed(tested.difference),
            _bare_p(tested.difference.p_value),
            _bare_p(tested.adjusted),
            f"{tested.difference.n:,}",
        )
        for tested in map(Tested.turned, tests)
        if tested.counts
    ]
    heads = ("metric", "who", "by [95%]", "p", "p after Holm", "n")
    note = (
        f"{len(rows)} of {counted(len(tests), 'paired test')} between entries; the others may be chance. Corrected are "
        f"{families(tests)}. “Over” is the "
        "better of two, “above” has more where neither is better by itself. Paired by prompt: exact McNemar tests of "
        "shares, sign-flip tests of means."
    )
    return Table.of("Differences between entries that are more than chance", heads, rows, note)


def standing_tables(comparison: Comparison) -> Iterator[Table]:
    """Who is preferred to whom, one table a judge."""
    for name, own in comparison.standings.items():
        heads = ("answers of", "preferred to untrained [95%]", *(f"over {one.name}" for one in own), "n")
        rows = [
            (
                one.name,
                "–" if one.name == UNTRAINED else with_interval(one.beats_untrained),
                *(number(one.points[other.name].value) if other.name in one.points else "–" for other in own),
                f"{one.beats_untrained.n:,}",
            )
            for one in own
        ]
        note = (
            "The first number is fitted to all comparisons (Bradley and Terry), prompts as clusters; the others are "
            "the share of prompts on which the judge preferred the row's answer, both orders asked, ties a half."
        )
        yield Table.of(f"Each two compared: {label(name).lower()}", heads, rows, note)


def cost_table(comparison: Comparison) -> Table:
    """What each entry took."""
    sides = [side for side in comparison.finished if side.spent is not None]
    rows = [(title, *cells) for title, cells in _costs(sides) if any(cell not in ("", "–", "none") for cell in cells)]
    note = (
        "Time and memory are of the training processes, loading included; evaluation is left out. Memory is what the "
        "process had at most, libraries included."
    )
    return Table.of("What it took", ("", *(side.name for side in sides)), rows, note)


def _costs(sides: list[Side]) -> Iterator[tuple[str, list[str]]]:
    spent = [side.spent for side in sides if side.spent is not None]
    yield "trained with", [trainers_of(side) for side in sides]
    yield "learned from", [one.learned or counted(one.rows, "row") for one in spent]
    yield "CPU time", [_seconds(one.used.cpu_seconds) for one in spent]
    yield "by the clock", [_seconds(one.used.seconds) for one in spent]
    yield "peak memory", [_gib(one.used.peak_gib) for one in spent]
    yield "peak GPU memory", ["–" if one.used.gpu_gib is None else _gib(one.used.gpu_gib) for one in spent]
    yield "models in memory", [f"{len(one.models)}: {', '.join(one.models)}" for one in spent]
    yield "parameters trained", ["–" if one.trainable is None else short(one.trainable) for one in spent]
    yield "tokens sampled", ["–" if one.tokens is None else short(one.tokens) for one in spent]
    yield "judgments", [short(one.judged) for one in spent]
    yield "money", [dollars(one.usd) for one in spent]
    yield "alarms", [", ".join(f"{name} ×{times}" for name, times in side.alarms.items()) or "none" for side in sides]


def _seconds(seconds: float) -> str:
    if not seconds:
        return "–"
    return f"{seconds:,.1f} s" if seconds < 600 else f"{seconds / 60:,.0f} min"


def _gib(gib: float) -> str:
    return f"{gib:.2f} GiB" if gib else "–"


def families(tests: Sequence[Tested]) -> str:
    """For how many tests p-values are corrected: those of what has a better and a worse, and those of what has not."""
    told = [wanted(test.metric) for test in tests if test.adjusted is not None]
    better, rest = sum(map(bool, told)), sum(not way for way in told)
    parts = [f"{counted(better, 'paired test')} where there is a better", f"{rest:,} apart where there is none"]
    return ", ".join(part for part, count in zip(parts, (better, rest), strict=True) if count)


def _bare_p(p: float | None) -> str:
    return p_value(p).removeprefix("p ").removeprefix("= ")


def _signed(metric: Metric) -> str:
    scale, digits, unit = (100, 1, " points") if metric.unit == "share" else (1, 2, "")
    ends = [signed(scale * end, digits) for end in (metric.value, metric.low, metric.high)]
    return f"{ends[0]}{unit} [{ends[1]} to {ends[2]}]"


def count(metrics: list[Metric | None]) -> str:
    """On how many items, and how many more could not be measured."""
    known = [metric for metric in metrics if metric is not None]
    n, failed = {metric.n for metric in known}, sum(metric.failed for metric in known)
    said = f"{min(n):,}" if len(n) == 1 else f"{min(n):,}–{max(n):,}" if n else "–"
    return f"{said} +{failed:,} failed" if failed else said
