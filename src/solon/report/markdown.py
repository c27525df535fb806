"""The report as Markdown, for a pull request or a model card: the same numbers as the HTML page, fewer examples."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from solon.report.alarm_facts import alarm_tables
from solon.report.curves import CURVES
from solon.report.distrust import distrust
from solon.report.examples import Group, groups
from solon.report.facts import cost_facts, data_facts
from solon.report.grades import Graded
from solon.report.headline import headline
from solon.report.held_out import Example
from solon.report.label_facts import label_told
from solon.report.moved import moved_tables
from solon.report.rows import Row, rows
from solon.report.summary import Summary
from solon.report.tables import Table
from solon.report.text import excerpt, one_line, shorten_paths
from solon.report.watched import watched
from solon.report.wording import change, counted, label, p_value, with_interval
from solon.screen import visible

_SHOWN = 2
_TEXT = 1200
_PRINCIPLES = 60
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def markdown(summary: Summary, figures: Iterable[str] = ()) -> str:
    """The page. ``figures`` are the names of the SVG files beside it, under ``figures/``."""
    drawn, labels = set(figures), label_told(summary)
    sections = [
        f"# {escaped(summary.name)}",
        f"**{escaped(headline(summary))}**",
        "\n".join(_table(rows(summary.metrics))),
        *map(small_table, moved_tables(summary.moved)),
        bullets("What to distrust", distrust(summary)),
        *_examples(groups(summary.examples)),
        _section("Side by side", [_side_by_side(one) for one in summary.graded]),
        _section("Training", [*_curves(drawn), *_judges(summary), *map(small_table, alarm_tables(summary))]),
        bullets("How the labels were made", [f"{fact.name}: {fact.text}" for fact in labels.facts]),
        *map(small_table, labels.tables),
        bullets("Data", [f"{fact.name}: {fact.text}" for fact in data_facts(summary)]),
        _constitution(summary),
        bullets("Cost", [fact.text.capitalize() for fact in cost_facts(summary)]),
        _again(summary),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def escaped(text: str) -> str:
    """Text on one line that Markdown shows as it is: no markup, no link, no HTML, no end of a table cell."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(text).split()))


def fenced(text: str, language: str = "text") -> str:
    """A block of text as it is, in a fence longer than any that the text holds."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _section(title: str, parts: Sequence[str]) -> str:
    return "\n\n".join([f"## {title}", *parts]) if parts else ""


def _curves(drawn: Collection[str]) -> Iterator[str]:
    for each in CURVES:
        if each.name in drawn:
            yield f"![{each.title}](figures/{each.name}.svg)"


def _judges(summary: Summary) -> list[str]:
    return [escaped(f"Held-out judge {judge.sentence}") for judge in watched(summary.steps)]


def bullets(title: str, lines: Sequence[str]) -> str:
    """A section of a list; empty where there is nothing in it."""
    return _section(title, ["\n".join(f"- {escaped(line)}" for line in lines)] if lines else [])


def small_table(table: Table) -> str:
    """A table of text under its title."""
    lines = [_cells(table.heads), f"|---{'|--:' * (len(table.heads) - 1)}|", *map(_cells, table.rows)]
    return "\n\n".join(filter(None, [f"**{escaped(table.title)}**", "\n".join(lines), escaped(table.note)]))


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"


def _table(table: Sequence[Row]) -> Iterator[str]:
    if not table:
        return
    yield "| metric | before [95%] | after [95%] | change | test | n |"
    yield "|---|---|---|---|---|--:|"
    for row in table:
        metric = row.metrics[-1]
        n = f"{metric.n:,}" + (f" (+{metric.failed:,} failed)" if metric.failed else "")
        after = row.pair if row.after is None else row.after
        cells = (label(row.name), with_interval(row.before), with_interval(after), change(row), p_value(row.p_value), n)
        yield _cells(cells)


def _examples(found: Sequence[Group]) -> Iterator[str]:
    if not found:
        return
    yield "## Before and after"
    for group in found:
        shown = group.shown[:_SHOWN]
        yield f"### {group.kind.capitalize()} ({len(shown)} of {group.total:,}, chosen by hash)"
        for example in shown:
            yield _example(example)


def _example(example: Example) -> str:
    texts = (("Prompt", example.prompt.text), ("Before", example.before.text), ("After", example.after.text))
    return "\n\n".join(f"{name}:\n\n{fenced(excerpt(text, _TEXT))}" for name, text in texts)


def _side_by_side(one: Graded) -> str:
    shown: list[tuple[str, str | None, float | None]] = [("Prompt", one.answers.prompt, None)]
    shown += [("Before", one.answers.before, one.before), ("After", one.answers.after, one.after)]
    parts = [f"**{escaped(one.answers.group)}**"]
    for name, text, grade in shown:
        graded = "" if grade is None else f" (grade {grade:g})"
        parts.append(f"{name}{graded}:\n\n{fenced(excerpt('(no answer)' if text is None else text, _TEXT))}")
    return "\n\n".join([*parts, *([f"Note: {escaped(one.note)}"] if one.note else [])])


def _constitution(summary: Summary) -> str:
    constitution = summary.constitution
    if constitution is None:
        return ""
    lines = [
        f"- **{escaped(each.id)}** ({each.severity}, weight {each.weight:g}): {escaped(excerpt(each.text, _TEXT))}"
        for each in constitution.principles[:_PRINCIPLES]
    ]
    if more := len(constitution.principles) - len(lines):
        lines.append(f"- and {counted(more, 'principle')} more in run.json")
    name = f"{escaped(constitution.name)}, version {escaped(constitution.version)}, id `{constitution.id}`"
    return _section("Constitution", [name, "\n".join(lines)])


def _again(summary: Summary) -> str:
    versions = ", ".join(
        f"{one_line(name, 40)} {one_line(text, 40)}" for name, text in sorted(summary.versions.items())
    )
    parts = [f"solon {escaped(summary.solon)}, seed {summary.seed}" + (f"; {escaped(versions)}" if versions else "")]
    if summary.recipe:
        parts.append(fenced(excerpt(shorten_paths(summary.recipe), 20_000).rstrip("\n"), "yaml"))
    return _section("Run it again", parts)
