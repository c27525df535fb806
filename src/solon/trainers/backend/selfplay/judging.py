"""The labeler at work on a round: through the run's ledger and budget, what failed counted and never a label."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from solon.data.records import Candidates, Judgment, Prompt
from solon.errors import TrainingError
from solon.evaluation.comparison import Preferred, by_id, comparisons, preferred
from solon.labelers.base import Labeler
from solon.labelers.boundary import boundary, examined
from solon.labelers.tally import Tally
from solon.ledger import Ledger
from solon.loops import run_to_end
from solon.models.transformers import unload
from solon.statistics.estimates import Estimate, wilson
from solon.stream import Stream
from solon.stream.window import window
from solon.trainers.backend.rewards import STAGE
from solon.trainers.base import Job, Judging
from solon.trainers.scoring import Scored, numbers, scored


@dataclass(frozen=True)
class Bench:
    """A labeler with all it takes to ask it.

    Attributes:
        labeler: who judges.
        judging: under what, and on whose account.
    """

    labeler: Labeler
    judging: Judging

    @classmethod
    def of(cls, labeler: Labeler, job: Job) -> Bench:
        """That of a training.

        Raises:
            TrainingError: the job does not say how labelers are asked.
        """
        if job.judging is None:
            raise TrainingError("trainer 'selfplay' asks a labeler, and its job does not say under what: `judging`")
        return cls(labeler, job.judging)

    def examined(self, candidates: Sequence[Candidates]) -> list[Judgment]:
        """All judgments on them, in their order.

        Raises:
            ModelRejected, ModelDown, BudgetReached: as ``solon.stream.ask``.
            PluginError: the labeler raised what no labeler may.
            StageIncomplete: more judgments failed than ``max_failed`` allows.
        """
        return list(chain.from_iterable(self._judged(candidates)))

    def compared(self, before: Sequence[Candidates], after: Sequence[Candidates]) -> Compared:
        """The only answer of each prompt before and after: which the labeler prefers, over all of them.

        Raises:
            as ``examined``.
        """
        both = [
            Candidates(prompt=old.prompt, completions=tuple(dict.fromkeys((*new.completions, *old.completions))))
            for old, new in zip(before, after, strict=True)
        ]
        # two equal texts are a tie that nobody is asked about, but what each is worth can be asked
        asked = [one for one in both if self.labeler.options == 1 or not _same(one)]
        judged = dict(zip([one.prompt for one in asked], self._judged(asked), strict=True))
        principles = by_id(self.judging.constitution)
        told: Counter[Preferred] = Counter()
        new: list[Scored | None] = []
        old: list[Scored | None] = []
        for one in both:
            judgments = judged.get(one.prompt, ())
            first, second = one.completions[0], one.completions[-1]
            pair = comparisons(judgments, first.id, second.id)
            told["tie" if _same(one) else preferred(pair, first.id, principles)] += 1
            if self.labeler.options == 1:
                found = scored(
                    dict.fromkeys(one.completions, 1),
                    judgments,
                    principles,
                    options=1,
                    veto_below=self.judging.veto_below,
                )
                new.append(found.get(first.text))
                old.append(found.get(second.text))
        worth = numbers([*new, *old])  # of all at once: a mean of logits and shares is nothing
        return Compared.of(told, worth[: len(new)], worth[len(new) :], list(chain.from_iterable(judged.values())))

    def applies_to(self, prompt: Prompt) -> bool:
        """Whether there is a principle to judge answers to it under."""
        return any(principle.applies_to(prompt.topic) for principle in self.judging.constitution.principles)

    def _judged(self, work: Sequence[Candidates]) -> list[tuple[Judgment, ...]]:
        """The judgments on each, as the labeler has them once it has seen all."""
        tally = self._tally()
        found = run_to_end(self._examined(work, tally))
        unload()  # a judge that runs here leaves the memory to the training
        with boundary(self.labeler):
            revise = self.labeler.conclude(lambda: chain.from_iterable(found))
            if revise is not None:
                found, tally = [tuple(map(revise, judgments)) for judgments in found], self._tally()
                for judgments in found:
                    tally.add(judgments)
        tally.stop_if_too_many()
        return found

    async def _examined(self, work: Sequence[Candidates], tally: Tally) -> list[tuple[Judgment, ...]]:
        models, judging = self.labeler.models(), self.judging
        found = []

        async def examine(candidates: Candidates) -> tuple[Judgment, ...]:
            return await examined(self.labeler, candidates, judging.constitution)

        try:
            with Ledger.open(judging.ledger) as ledger:
                async with Stream(
                    ledger,
                    run=judging.run,
                    stage=STAGE,
                    max_usd=judging.max_usd,
                    budget=judging.budget,
                    asks_remote=any(model.remote for model in models),
                ) as stream:
                    async for _, judgments in stream.map(examine, work, window=window(*models)):
                        tally.add(judgments)
                        tally.stop_if_hopeless()
                        found.append(judgments)
        finally:
            for model in models:  # only now: the stream has waited for replies that were under way
                await model.aclose()
        return found

    def _tally(self) -> Tally:
        return Tally(self.judging.max_failed, self.labeler)


def _same(one: Candidates) -> bool:
    return len({completion.text for completion in one.completions}) == 1


@dataclass(frozen=True)
class Compared:
    """Two policies' answers to the same prompts, compared.

    Attributes:
        estimate: share of the prompts on which the newer policy's is preferred, a tie counting half, with its 95 %
            interval; of nothing where ``n`` is 0.
        n: prompts with a verdict. Those to which no principle applies are not among them.
        failed: prompts without one.
        reward, reward_before: mean score of the newer and the older answers, where the labeler scores each by itself.
        judgments: all of them.
    """

    estimate: Estimate
    n: int
    failed: int
    reward: float | None
    reward_before: float | None
    judgments: list[Judgment]

    @classmethod
    def of(
        cls,
        told: Counter[Preferred],
        new: Sequence[float | None],
        old: Sequence[float | None],
        judgments: list[Judgment],
    ) -> Compared:
        """From how often which verdict was given, and the scores of the newer and the older answers."""
        n = told["first"] + told["tie"] + told["second"]
        share = wilson(told["first"] + told["tie"] / 2, n)
        return cls(share, n, told["failed"], _mean(new), _mean(old), judgments)

    def numbers(self) -> dict[str, float]:
        """What is logged of it."""
        rewards = {"selfplay/reward": self.reward, "selfplay/reward_before": self.reward_before}
        share = self.estimate
        rate = {"selfplay/win_rate": share.value, "selfplay/low": share.low, "selfplay/high": share.high}
        return {
            **(rate if self.n else {}),
            "selfplay/n": float(self.n),
            "selfplay/failed": float(self.failed),
            **{name: value for name, value in rewards.items() if value is not None},
        }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
