"""What to distrust: sentences that the numbers themselves give, so that a report argues against itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from solon.report.alarm_facts import alarm_doubt
from solon.report.examples import kind_by_yes_no
from solon.report.label_doubts import FAILED_SHARE, label_doubts
from solon.report.rows import Row, rows
from solon.report.summary import Built, Summary
from solon.report.text import one_line, shorten_paths
from solon.report.watched import watched
from solon.report.wording import change, counted, label, lower_first, number, p_value, share

# Where a number becomes worth a sentence. None of them hides anything: the number itself is in the report either way.
SMALL_N = 100
"""Below this many items a 95 % interval of a share is wider than 19 points at its middle."""
_DROPPED_SHARE = 0.3
_LENGTH_FACTOR = 1.5
_LARGE_KL = 10.0
_REPEATED = 0.1
_SENTENCE = 600


def distrust(summary: Summary, today: dt.date | None = None) -> tuple[str, ...]:
    """The sentences, what weighs most first. Empty only where nothing was measured that could be doubted.

    Args:
        summary: of the run.
        today: for what is too old by now; left out of pages, which are the same whenever they are written.
    """
    table = rows(summary.metrics)
    wholes = tuple(
        row for row in table if not row.part
    )  # what a part does is in the table, and is no sentence of its own
    found = [
        *_degraded(wholes),
        *alarm_doubt(summary),
        *_turned(summary),
        *_given_warnings(summary),
        *_chance(wholes),
        *_thin(wholes),
        *_symptoms(table),
        *_lost_examples(summary),
        *label_doubts(summary, today),
        *(_drops(summary.built) if summary.built is not None else ()),
        *_always(summary, table),
    ]
    return tuple(dict.fromkeys(found))


def _given_warnings(summary: Summary) -> Iterator[str]:
    for warning in summary.evaluated.warnings if summary.evaluated is not None else ():
        sentence = shorten_paths(one_line(warning, _SENTENCE))
        yield sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."


def _degraded(table: tuple[Row, ...]) -> Iterator[str]:
    for row in table:
        if row.verdict == "degraded":
            by = f" by {change(row).lstrip('+−')}" if change(row) else ""
            yield f"{label(row.name)} got worse{by}{_test(row)}: training cost something here."


def _turned(summary: Summary) -> Iterator[str]:
    for judge in watched(summary.steps):
        if judge.best is None:
            continue
        if judge.ends_beyond:
            yield f"{judge.sentence} The last checkpoint is not the best one: stop there, or hold the policy closer."
        else:
            last = f"the last checkpoint is at a distance of {judge.points[-1].distance:.2f}"
            yield f"{judge.sentence} The policy came back: {last}, where nothing says that it is worse."


def _chance(table: tuple[Row, ...]) -> Iterator[str]:
    for row in table:
        if row.verdict == "unclear" and row.change != 0:
            what = (
                f"The change in {lower_first(label(row.name))} ({change(row)})"
                if change(row)
                else f"The {lower_first(label(row.name))}"
            )
            why = p_value(row.p_value) or "the intervals allow for no change"
            yield f"{what} is within what chance gives: {why}."


def _thin(table: tuple[Row, ...]) -> Iterator[str]:
    for row in table:
        metric = row.metrics[-1]
        if 0 < metric.n < SMALL_N and not row.of_groups:
            yield f"{label(row.name)} rests on {counted(metric.n, 'item')} only."
        worst = max(row.metrics, key=lambda each: each.failed)
        if worst.failed > FAILED_SHARE * (worst.n + worst.failed):
            of = worst.n + worst.failed
            lost = f"{worst.failed:,} of {of:,} items ({share(worst.failed, of)})"
            yield f"{label(row.name)}: {lost} could not be measured."


def _symptoms(table: tuple[Row, ...]) -> Iterator[str]:
    for row in table:
        if row.base == "length" and row.before is not None and row.after is not None and row.before.value > 0:
            factor = row.after.value / row.before.value
            if factor > _LENGTH_FACTOR or 0 < factor < 1 / _LENGTH_FACTOR:
                how = f"{factor:.1f} times as long" if factor > 1 else f"cut to {number(factor)} of their length"
                yield f"Answers are {how}: a judge that likes that length would see an improvement in it alone."
        more = row.verdict == "changed" and row.change is not None and row.change > 0
        if row.base == "repeated_answers" and more and row.after is not None and row.after.value > _REPEATED:
            yield f"Answers repeat each other: {number(row.after.value)} of them say what another says ({change(row)})."
        metric = row.metrics[-1]
        if row.base == "kl" and metric.unit == "nats" and metric.value > _LARGE_KL:
            far = number(metric.value, metric.unit)
            yield f"The policy moved far from where it began (KL {far} an answer): look for what these metrics miss."


def _lost_examples(summary: Summary) -> Iterator[str]:
    # a lower number is not something lost: half of all numbers fall by chance
    kinds = [kind_by_yes_no(example) for example in summary.examples]
    lost, judged = kinds.count("degraded"), len(kinds) - kinds.count("unjudged")
    if lost:
        yield f"{lost:,} of {judged:,} held-out answers lost something that the untrained model's had."


def _drops(built: Built) -> Iterator[str]:
    # what the others leave out is mostly what preferences are better made of
    for name, split in list(built.datasets.items())[:1]:
        dropped, kept = sum(built.dropped.get(name, {}).values()), split.train + split.test
        if dropped > _DROPPED_SHARE * (dropped + kept):
            left = f"{counted(dropped, f'{name} row')} {'was' if dropped == 1 else 'were'} left out"
            yield f"{left} and {kept:,} kept: what is left may not be typical."


def _always(summary: Summary, table: tuple[Row, ...]) -> Iterator[str]:
    if not table:
        return
    tests = sum(row.p_value is not None for row in table)
    if tests > 2:
        yield f"The {tests} p-values are not corrected for there being {tests} of them."
    if summary.trained is not None:
        yield f"This is one training seed ({summary.seed}): the intervals cover the choice of prompts, not of the seed."


def _test(row: Row) -> str:
    return f" ({p_value(row.p_value)})" if row.p_value is not None else ""
