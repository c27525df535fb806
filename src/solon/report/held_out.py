"""The held-out answers of a run, with what was measured of each of them, and how many items a metric moved."""

from __future__ import annotations

import math
from pathlib import Path

from pydantic import Field, NonNegativeInt

from solon.data.artifacts import read_jsonl
from solon.data.records import Completion, Prompt
from solon.evaluation.base import Both, Decoding, Measured
from solon.report.labeled import Part
from solon.report.rows import is_win_rate, less_is_better, neither_is_better, wanted

STRONGLY_IMPROVED, STRONGLY_DEGRADED = 0.3, -0.2
"""Beyond these a change of a number between 0 and 1 counts as a strong one; of a loss less is enough."""


class Example(Part):
    """One held-out prompt with both answers.

    ``changes``: for each metric that was measured of the answer itself, the number before and after, or whether it
    held; ``None`` where it could not be said.
    """

    prompt: Prompt
    before: Completion
    after: Completion
    decoding: Decoding = "sample"
    changes: dict[str, Both] = Field(default_factory=dict)


class Moved(Part):
    """How many items of a metric of numbers got better or worse, in the direction in which it is wanted.

    ``strongly_improved`` and ``strongly_degraded`` are ``None`` for a metric whose numbers are not all in [0, 1].
    """

    name: str
    n: NonNegativeInt
    improved: NonNegativeInt
    degraded: NonNegativeInt
    strongly_improved: NonNegativeInt | None = None
    strongly_degraded: NonNegativeInt | None = None

    @property
    def unchanged(self) -> int:
        """Those whose two numbers are equal."""
        return self.n - self.improved - self.degraded


def gain(name: str, both: Both) -> float | None:
    """By how much an item got better: above 0 better, below 0 worse, in the metric's own unit (yes is 1, no is 0).

    ``None`` where it was not measured both times, or nobody has said which way is better. A yes/no metric that nobody
    has said it of is taken for one that should hold.
    """
    before, after = both
    if before is None or after is None:
        return None
    if isinstance(before, bool):
        way = 0 if neither_is_better(name) else -1 if less_is_better(name) else 1
    else:
        way = wanted(name)
    found = round(way * (after - before), 12)  # .8 - .5 is a little over .3 in binary
    return found if way and math.isfinite(found) else None


def is_yes_no(both: Both) -> bool:
    """Whether a metric says that something holds or not."""
    return isinstance(both[0], bool) or isinstance(both[1], bool)


def read_examples(run_dir: Path, items: Measured) -> tuple[Example, ...]:
    """The held-out answers. A policy may be evaluated without any (``lm_eval`` only), so the file may be missing.

    Raises:
        DataError: the file is broken, with its line.
    """
    path = run_dir / "evaluation" / "samples.jsonl"
    if not path.is_file():
        return ()
    return tuple(_with_items(example, items) for example in read_jsonl(path, Example))


def _with_items(example: Example, items: Measured) -> Example:
    mine = example.prompt.id
    # where sampled answers are shown, what was measured of greedy ones is not about them
    found = {
        name: known[mine]
        for name, known in items.items()
        if mine in known and (example.decoding == "greedy" or "greedy" not in name.split("/"))
    }
    return example.model_copy(update={"changes": {**example.changes, **found}}) if found else example


def moved(items: Measured) -> tuple[Moved, ...]:
    """One record a metric of numbers that has a good direction, in the order of the metrics."""
    found = []
    for name, known in items.items():
        if any(map(is_yes_no, known.values())):
            continue
        gains = {item: by for item, both in known.items() if (by := gain(name, both)) is not None}
        if not gains:
            continue
        within = not is_win_rate(name) and all(
            0 <= one <= 1 for item in gains for one in known[item] if one is not None
        )
        found.append(
            Moved(
                name=name,
                n=len(gains),
                improved=sum(by > 0 for by in gains.values()),
                degraded=sum(by < 0 for by in gains.values()),
                strongly_improved=sum(by > STRONGLY_IMPROVED for by in gains.values()) if within else None,
                strongly_degraded=sum(by < STRONGLY_DEGRADED for by in gains.values()) if within else None,
            )
        )
    return tuple(found)
