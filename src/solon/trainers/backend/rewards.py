"""Asking labelers from within a training: one event loop, the run's ledger and budget, answers in their own order."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product

import torch

from solon.data.records import Candidates, Completion, Judgment, Prompt
from solon.errors import StageIncomplete, TrainingError
from solon.labelers.boundary import examined
from solon.labelers.tally import ENOUGH_TO_TELL
from solon.ledger import Ledger
from solon.loops import run_in_front
from solon.stream import Stream
from solon.trainers.backend.kept import Kept
from solon.trainers.backend.processes import Processes
from solon.trainers.base import Job, Judging
from solon.trainers.rewards import Combine, Rewarded, RewardTrainer, Score, WeightedReward
from solon.trainers.scoring import Scored, numbers, scored

STAGE = "train"


@contextmanager
def open_rewards(settings: RewardTrainer, job: Job) -> Iterator[Score]:
    """Gives what scores completions, for as long as the block runs.

    All groups and rewards of a call are asked for at the same time. The random numbers of the training are not touched:
    a judge that runs in this process draws others.

    Of several processes the first asks for all (``shared``): there is one budget, one ledger, and one count of what a
    provider allows. The others are given what must not be called.

    Raises:
        TrainingError: the job does not say how labelers are asked.
        StorageError: the ledger cannot be opened.
    """
    if job.judging is None:
        raise TrainingError(
            f"trainer {settings.kind!r} asks for rewards, and its job does not say under what: `judging`"
        )
    processes = Processes.joined()
    if not processes.first:
        yield _nobody
        return
    with Ledger.open(job.judging.ledger) as ledger, asyncio.Runner() as runner:
        # not one `asyncio.run` a call: connections and what is learned of a provider's limits live in the loop
        asking = Asking(
            settings.reward,
            job.judging,
            settings.held_out_judge,
            settings.check_every,
            _asked_before(settings, job),
            settings.combine,
        )
        run_in_front(runner.run, asking.open(ledger))
        try:

            def score(prompts: Sequence[Prompt], completions: Sequence[str]) -> Rewarded:
                devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
                with torch.random.fork_rng(devices=devices):
                    return run_in_front(runner.run, asking.score(prompts, completions))

            yield score
        finally:
            runner.run(asking.close())


def shared(processes: Processes, score: Score) -> Score:
    """Scores the completions of all processes in the first one, those of one prompt judged together.

    Each process calls it with its own completions, and is given the rewards of these.

    Args:
        processes: all of which call it at the same time.
        score: what the first asks; the others never call it.
    """
    if processes.count == 1:
        return score

    def together(prompts: Sequence[Prompt], completions: Sequence[str]) -> Rewarded:
        everyones = processes.gather((tuple(prompts), tuple(completions)))
        asked = [prompt for given, _ in everyones for prompt in given]
        answered = [text for _, given in everyones for text in given]
        rewarded = processes.by_the_first(lambda: score(asked, answered))
        start = sum(len(given) for given, _ in everyones[: processes.place])
        return rewarded.at(range(start, start + len(prompts)))

    return together


def _nobody(_prompts: Sequence[Prompt], _completions: Sequence[str]) -> Rewarded:
    raise AssertionError("the first process asks for rewards")


@dataclass
class Asking:
    """Rewards that are asked through one stream.

    Attributes:
        rewards: who judges, with weights.
        judging: under what.
        held_out: who else is asked, at every ``check_every``-th call.
        check_every: calls.
        calls: how often completions were scored, before a kill too.
        combine: how several rewards become one.
        asked, missing: completions that were scored so far, and of these those without a score, for each reward.
        said: the first thing that each reward said in place of a verdict.
    """

    rewards: Sequence[WeightedReward]
    judging: Judging
    held_out: Sequence[WeightedReward] = ()
    check_every: int = 1
    calls: int = 0
    combine: Combine = "sum"
    asked: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    said: dict[str, str] = field(default_factory=dict)

    async def open(self, ledger: Ledger | None) -> None:
        """Opens the stream, through which everything asked from now on goes."""
        models = [model for reward in (*self.rewards, *self.held_out) for model in reward.labeler.models()]
        self._open = AsyncExitStack()
        for model in models:  # closed after the stream, which waits for replies that are under way
            self._open.push_async_callback(model.aclose)
        self._stream = await self._open.enter_async_context(
            Stream(
                ledger,
                run=self.judging.run,
                stage=STAGE,
                max_usd=self.judging.max_usd,
                budget=self.judging.budget,
                asks_remote=any(model.remote for model in models),
            )
        )

    async def close(self) -> None:
        """Closes the stream and the models."""
        await self._open.aclose()

    async def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> Rewarded:
        """The rewards of completions, those of one prompt judged together.

        Raises:
            ModelRejected, ModelDown, BudgetReached: as ``solon.stream.ask``.
            PluginError: a labeler raised what no labeler may, or gave a score that is none.
            StageIncomplete: more rewards are missing than ``max_failed`` allows.
        """
        groups: dict[Prompt, Counter[Completion]] = {}
        for prompt, text in zip(prompts, completions, strict=True):
            groups.setdefault(prompt, Counter())[Completion(text=text, model="policy")] += 1
        self.calls += 1
        learned = len(self.rewards)
        judges = [*self.rewards, *(self.held_out if self.calls % self.check_every == 0 else ())]
        work = list(product(range(len(judges)), groups.items()))

        async def deed(one: tuple[int, tuple[Prompt, Counter[Completion]]]) -> dict[str, Scored]:
            number, (prompt, copies) = one
            candidates = Candidates(prompt=prompt, completions=tuple(copies))
            return self._scored(judges[number], copies, await _examined(judges[number], candidates, self.judging))

        found: list[dict[Prompt, dict[str, Scored]]] = [{} for _ in judges]
        async for (number, (prompt, _)), by_text in self._stream.map(deed, work, window=max(1, len(work))):
            found[number][prompt] = by_text
        scores = [
            (judge.called, numbers([of[prompt].get(text) for prompt, text in zip(prompts, completions, strict=True)]))
            for judge, of in zip(judges, found, strict=True)
        ]
        parts = dict(scores[:learned])
        self._count(parts)
        weights = {reward.called: reward.weight for reward in self.rewards}
        return Rewarded.of(parts, weights, dict(scores[learned:]), self.combine)

    def _scored(
        self, reward: WeightedReward, copies: Counter[Completion], judgments: Sequence[Judgment]
    ) -> dict[str, Scored]:
        for judgment in judgments:
            if judgment.outcome.kind == "failed":
                self.said.setdefault(reward.called, f"{judgment.outcome.reason}: {judgment.outcome.raw or ''}"[:200])
        principles = {principle.id: principle for principle in self.judging.constitution.principles}
        return scored(copies, judgments, principles, options=reward.labeler.options, veto_below=self.judging.veto_below)

    def _count(self, parts: dict[str, tuple[float | None, ...]]) -> None:
        for name, scores in parts.items():
            self.asked[name] += len(scores)
            self.missing[name] += scores.count(None)
            if self.asked[name] >= ENOUGH_TO_TELL and self.missing[name] > _allowed(
                self.judging.max_failed, self.asked[name]
            ):
                said = f". {name} said, for example: {self.said[name]!r}" if name in self.said else ""
                raise StageIncomplete(
                    f"{self.missing[name]:,} of {self.asked[name]:,} rewards {name!r} are missing; max_failed allows "
                    f"{self.judging.max_failed:.0%}{said}. None of them became a number, and every reply is in the "
                    "ledger. Look at the judge, then run again: the training goes on from where it was last kept"
                )


def _allowed(limit: float, n: int) -> float:
    """How many of ``n`` may be missing before chance does not explain it any more: the limit and three deviations."""
    return limit * n + 3 * math.sqrt(n * limit * (1 - limit))


async def _examined(reward: WeightedReward, candidates: Candidates, judging: Judging) -> tuple[Judgment, ...]:
    return await examined(reward.labeler, candidates, judging.constitution)


def _asked_before(settings: RewardTrainer, job: Job) -> int:
    """How often completions were scored until the step that the training goes on from."""
    kept = Kept(job.kept)
    latest = kept.latest()
    return 0 if latest is None else kept.step_of(latest) // settings.steps_a_scoring


def curves(rewarded: Rewarded) -> dict[str, float]:
    """What is logged of a step's rewards: the mean of each over those that are there, and how many are missing.

    ``rewards/<name>`` is before weighting, ``gold/<name>`` is of judges that are not learned from. One of which all are
    missing has no mean.
    """
    means = {}
    for kind, parts in (("rewards", rewarded.parts), ("gold", rewarded.held_out)):
        for name, scores in parts.items():
            if given := [score for score in scores if score is not None]:
                means[f"{kind}/{name}"] = math.fsum(given) / len(given)
    return {**means, "rewards/missing": float(rewarded.total.count(None))}
