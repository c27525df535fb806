"""The alarms of a training as the report shows them: a sentence to distrust, a table, and marks in the curves."""

from __future__ import annotations

from collections.abc import Iterator

from solon.report.summary import Raised, Summary
from solon.report.tables import Table
from solon.report.text import one_line
from solon.report.wording import counted

_SENTENCE = 300


def alarms(summary: Summary) -> tuple[Raised, ...]:
    """Those that were raised while it trained, in the order in which they were raised first."""
    return summary.trained.alarms if summary.trained is not None else ()


def alarm_doubt(summary: Summary) -> Iterator[str]:
    """One sentence on all of them, so that they leave room for what else there is to doubt."""
    if raised := alarms(summary):
        said = [one_line(alarm.text, _SENTENCE) + _times(alarm.times) for alarm in raised]
        yield f"Training raised {counted(len(raised), 'alarm')}: {'; '.join(said)}."


def alarm_tables(summary: Summary) -> list[Table]:
    """Step, value and limit of each one, and what to do; empty where there was none."""
    raised = alarms(summary)
    if not raised:
        return []
    heads = ("alarm", "number", "first at step", "value", "limit", "times")
    rows = [
        (each.name, each.metric, f"{each.step:,}", f"{each.value:.3g}", f"{each.limit:g}", f"{each.times:,}")
        for each in raised
    ]
    note = " ".join(f"{each.name}: {each.remedy}." for each in raised if each.remedy)
    return [Table.of("Alarms", heads, rows, one_line(note, 8 * _SENTENCE))]


def alarm_marks(summary: Summary) -> dict[str, list[int]]:
    """The steps at which alarms were raised first, by the number that they were raised on."""
    marks: dict[str, list[int]] = {}
    for alarm in alarms(summary):
        marks.setdefault(alarm.metric, []).append(alarm.step)
    return marks


def _times(count: int) -> str:
    return f" ({count:,} times)" if count > 1 else ""
