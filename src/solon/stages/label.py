"""Labeling: every judgment on every prompt's completions, failures counted and never turned into labels."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from solon.data.artifacts import read_jsonl, writing_jsonl
from solon.data.candidates import read_candidates
from solon.data.records import Candidates, Failed, Judgment, Scored, Usage
from solon.data.verdicts import OrderConsistency, order_consistency
from solon.errors import PluginError, SolonError, StageIncomplete
from solon.labelers.base import Labeler
from solon.plugins.base import located
from solon.stages.run import Run, Stage, stage, window
from solon.stream import Stream

ENOUGH_TO_TELL = 50
"""Judgments after which a stage that mostly fails is stopped instead of paid for to its end."""


def label(run: Run) -> None:
    """Writes ``judgments.jsonl``.

    Raises:
        StageIncomplete: more judgments failed than ``max_failed`` allows; the message says what the judge said.
    """
    recipe = run.recipe
    labeler = recipe.label
    assert labeler is not None
    source = candidates_file(run)
    inputs = {
        "candidates": candidates_identity(run),
        "principles": [principle.model_dump(mode="json") for principle in run.constitution.principles],
        "rating": run.constitution.rating.model_dump(mode="json"),
        "label": labeler.effects(),
    }
    again = run.directory.summary("label").get("failed", {}).get("unavailable", 0) > 0
    with stage(run, "label", inputs, needs=[labeler], again=again) as work:
        if work is not None:
            work.summary["labeler"] = labeler.name
            asyncio.run(_label(run, work, labeler, source))


def candidates_file(run: Run) -> Path | None:
    """``candidates.jsonl`` of the sampling stage; ``None`` when the recipe begins at candidates of the user's own."""
    return None if run.recipe.candidates is not None else run.path / "candidates.jsonl"


def candidates(run: Run) -> Iterator[Candidates]:
    """The prompts with their completions, wherever the recipe begins."""
    if run.recipe.candidates is not None:
        yield from read_candidates(located(run.recipe.candidates), run.recipe.columns).candidates
    else:
        yield from read_jsonl(run.path / "candidates.jsonl", Candidates)


def candidates_identity(run: Run) -> dict[str, str] | list[str]:
    """What a stage that reads the candidates depends on: the file that was sampled, or the ids of those given."""
    if run.recipe.candidates is not None:
        return [one.id for one in candidates(run)]
    return run.directory.outputs("sample")


async def _label(run: Run, work: Stage, labeler: Labeler, source: Path | None) -> None:
    tally = Tally(run.recipe.max_failed, labeler)
    total = run.directory.summary("sample").get("prompts") if source else None
    models = labeler.models()

    async def examine(one: Candidates) -> tuple[Judgment, ...]:
        try:
            return await labeler.examine(one, run.constitution)
        except SolonError:
            raise
        except Exception as error:
            # whatever a labeler of somebody else's raises, the user needs its name
            raise PluginError(
                f"labeler {labeler.kind!r} ({type(labeler).__module__}) raised {type(error).__name__}: {error}. "
                "What it cannot judge it should answer with Failed; --debug shows where"
            ) from error

    with (
        writing_jsonl(work.file("judgments.jsonl")) as write,
        run.progress.stage("label", total, "prompts") as bar,
    ):
        async with run.stream("label", *models) as stream:
            async for _, judgments in stream.map(examine, candidates(run), window=window(*models)):
                for judgment in judgments:
                    write(judgment)
                failed = tally.add(judgments)
                bar.advance(failed=failed, usd=sum(one.cost_usd for one in judgments), note=tally.note(stream))
                tally.stop_if_hopeless()
        tally.stop_if_too_many()
    work.summary.update(tally.summary())


class Tally:
    """Counts judgments and stops the stage when too many failed."""

    def __init__(self, limit: float, labeler: Labeler) -> None:
        self.limit, self.labeler = limit, labeler
        self.judgments = 0
        self.failed: Counter[str] = Counter()
        self.said: dict[str, str] = {}
        self.usage, self.cost = Usage(), 0.0
        self.orders: Counter[str] = Counter()

    def add(self, judgments: tuple[Judgment, ...]) -> int:
        """Counts one prompt's judgments; how many of them failed."""
        before = self.failed.total()
        self.orders.update(order_consistency(judgments).model_dump())
        for judgment in judgments:
            self.judgments += 1
            self.usage += judgment.usage
            self.cost += judgment.cost_usd
            match judgment.outcome:
                case Failed(reason=reason, raw=raw):
                    self.failed[reason] += 1
                    self.said.setdefault(reason, raw or "")
                case Scored():
                    pass
        return self.failed.total() - before

    def note(self, stream: Stream) -> str:
        """What the progress bar says of the judgments so far."""
        return f"{self.judgments:,} judgments, {stream.tally.from_ledger:,} from the ledger"

    def stop_if_hopeless(self) -> None:
        """Stops early when what failed is beyond what chance explains of a stage within its limit."""
        share = self.failed.total() / max(1, self.judgments)
        if self.judgments >= ENOUGH_TO_TELL and share > max(2 * self.limit, 0.5):
            self._stop("stopped early")

    def stop_if_too_many(self) -> None:
        """At the end: the limit as it was set."""
        if self.failed.total() > self.limit * self.judgments:
            self._stop("all were asked")

    def _stop(self, when: str) -> None:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.failed.most_common())
        reason = self.failed.most_common(1)[0][0]
        said = self.said[reason]
        example = f" {self.labeler.name} said, for example: {said[:200]!r}." if said else ""
        remedy = (
            "Run again to ask for those that were unavailable"
            if reason == "unavailable"
            else "Asking again would give the same replies: change the judge or its settings, or the constitution"
        )
        raise StageIncomplete(
            f"{self.failed.total():,} of {self.judgments:,} judgments failed ({reasons}); max_failed allows "
            f"{self.limit:.0%}; {when}.{example} No failed judgment became a label, and every reply is in the ledger. "
            f"{remedy}"
        )

    def summary(self) -> dict[str, object]:
        """What run.json and the report hold of this stage."""
        orders = OrderConsistency(**self.orders)
        compared = {
            "pairs": orders.consistent + orders.order_dependent,
            "consistent": orders.consistent,
            "order_dependent": orders.order_dependent,
            "first_slot_wins": round(orders.first_slot_wins / orders.decided, 4) if orders.decided else None,
        }
        return {
            "judgments": self.judgments,
            "failed": dict(sorted(self.failed.items())),
            **(compared if compared["pairs"] else {}),
            "usage": self.usage.model_dump(),
            "cost_usd": round(self.cost, 6),
        }
