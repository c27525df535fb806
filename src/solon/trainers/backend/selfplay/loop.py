"""The way of a training in rounds: answer, judge, pair, learn, compare; and again from the policy that came of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from solon.data.artifacts import read_jsonl, write_json, write_jsonl
from solon.data.records import Candidates, Checkpoint, Failed, Judgment
from solon.errors import DataError, Problem, TrainingError
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.resuming import newest
from solon.trainers.backend.runtime import deterministic, memory_boundary
from solon.trainers.backend.selfplay.answers import Answering
from solon.trainers.backend.selfplay.files import Round, once, publish, read_json
from solon.trainers.backend.selfplay.judging import Bench, Compared
from solon.trainers.backend.selfplay.pairs import Built, build_pairs
from solon.trainers.backend.selfplay.policy import Loader
from solon.trainers.backend.selfplay.prompts import Prompts, prompts_of_round, read_prompts
from solon.trainers.backend.selfplay.training import train_round
from solon.trainers.backend.trl import check_policy, described, ways_to_save_memory
from solon.trainers.base import Job
from solon.trainers.protocol import LAST_GOOD
from solon.trainers.selfplay import SelfPlay

ROUND, ROUNDS = "selfplay/round", "selfplay/rounds"
"""The round that a step belongs to, and how many are over."""
LEFT = "selfplay/left"
"""The round whose policy is the result; with the numbers of the last round."""


def train_selfplay(settings: SelfPlay, job: Job) -> Checkpoint:
    """Runs ``SelfPlay.train``; its errors are named there."""
    check_policy(settings, job.policy)
    bench = Bench.of(settings.labeler, job)
    processes = Processes.joined()  # before loading: each has a GPU of its own
    loader = Loader(settings, job.policy, settings.choose_backend(job.policy), job.seed)
    answering = Answering(loader, job.seed, processes)
    prompts = read_prompts(job.dataset, answering, bench.applies_to)
    with deterministic(job.seed), memory_boundary(ways_to_save_memory(settings)):
        loop = Loop(settings, job, bench, answering, prompts)
        chosen = loop.run()
        every = [Round.of(job.kept, number) for number in range(0 if prompts.held_out else 1, loop.over + 1)]
        processes.by_the_first(lambda: publish(every, chosen, settings.checkpoints_left, job.out))
    numbers = {**loop.last, **prompts.changed}
    return described(settings, job, prompts.rows, numbers, "policy", apart=False)


class Loop:
    """A training under way.

    Attributes:
        step: optimizer steps done, of all rounds.
        over: rounds done.
        last: the last value of every number reported.
    """

    def __init__(self, settings: SelfPlay, job: Job, bench: Bench, answering: Answering, prompts: Prompts) -> None:
        self.settings, self.job, self.bench, self.answering = settings, job, bench, answering
        self.processes = answering.processes
        self.prompts, self.held_out = prompts.train, prompts.held_out
        self.step = self.over = 0
        self.last: dict[str, float] = {}

    def run(self) -> Round:
        """Goes through the rounds from where they were left; the one whose policy is the result."""
        if self.processes.first:
            self._go_on()
        chosen = self._round_of(0)
        self._answer_held_out(chosen, None)
        closed: dict[str, Any] = {}
        for number in range(1, self.settings.rounds + 1):
            one = self._round_of(number)
            closed = self._closed(one) or self._round(one, chosen)
            self.step, self.over = int(closed["step"]), number
            chosen = self._round_of(int(closed["chosen"]))
            if self.processes.first:
                self._clear(number)
            if closed["ended"]:
                break
        if closed.get("selfplay/n") == 0:  # the win rate that was reported last is that of another round
            others = {name for name in self.last if name.startswith("selfplay/")} - {ROUND, *closed}
            self.last = {name: value for name, value in self.last.items() if name not in others}
        return chosen

    def _round_of(self, number: int) -> Round:
        return Round.of(self.job.kept, number)

    def _closed(self, one: Round) -> dict[str, Any] | None:
        """What was written of a round's end, if it is over."""
        return self.processes.by_the_first(lambda: read_json(one.closed))

    def _round(self, one: Round, before: Round) -> dict[str, Any]:
        """One round, from the policy of the one before; returns what is written of its end."""
        settings, number = self.settings, one.number
        start = before.checkpoint if number > 1 else None
        size = settings.prompts_of_a_round(len(self.prompts))
        prompts = prompts_of_round(self.prompts, number, size, self.job.seed)
        self.answering.answer(one.candidates, prompts, start, tag=f"round {number}", each=settings.num_generations)
        built, failed = self.processes.by_the_first(lambda: self._judged(one))
        numbers = {ROUNDS: float(number), "selfplay/pairs": float(built.pairs)}
        numbers["selfplay/failed_judgments"] = float(failed)
        if not built.pairs:
            return self._nothing_to_learn(one, built, numbers)
        try:
            steps = train_round(self.answering.loader, self._inner(number), one, start, self.processes)
        except TrainingError:
            if self.processes.first:
                self._leave_the_last_good(one, start)
            raise
        self.step += steps
        ended, worse = False, False
        if self.held_out:
            self._answer_held_out(one, one.checkpoint)
            compared = self.processes.by_the_first(lambda: self._compared(before, one))
            numbers |= compared.numbers()
            ended, worse = self._ends(compared), compared.estimate.value < 0.5
        # of the untrained policy there is no checkpoint: the first round's is left even if it is worse
        chosen = number - 1 if ended and worse and number > 1 else number
        to_come = 0 if ended else steps * (settings.rounds - number)
        return self._close(one, numbers, chosen=chosen, ended=ended, steps=self.step + to_come)

    def _judged(self, one: Round) -> tuple[Built, int]:
        """The pairs that the round's answers are built into, and how many judgments failed."""
        candidates = list(read_jsonl(one.candidates, Candidates))
        judgments = once(one.judgments, Judgment, lambda: self.bench.examined(candidates))
        built = build_pairs(self.settings, self.bench.judging, one, candidates, judgments, self.job.seed)
        return built, sum(isinstance(judgment.outcome, Failed) for judgment in judgments)

    def _compared(self, before: Round, one: Round) -> Compared:
        """Two rounds' answers to the held-out prompts."""
        old, new = (list(read_jsonl(each.held_out, Candidates)) for each in (before, one))
        compared = self.bench.compared(old, new)
        write_jsonl(one.comparisons, compared.judgments)
        return compared

    def _leave_the_last_good(self, one: Round, start: Path | None) -> None:
        """Puts the policy of the last good step where that of any training is looked for, numbered over all rounds."""
        kept = self.job.kept.parent
        left = list(one.folder.glob(f"{LAST_GOOD}*"))
        for folder in left:
            folder.replace(kept / f"{LAST_GOOD}{self.step + int(folder.name.removeprefix(LAST_GOOD))}")
        if not left and start is not None:
            place = kept / f"{LAST_GOOD}{self.step}"
            shutil.copytree(start, place, dirs_exist_ok=True)  # no links: this one is the user's

    def _ends(self, compared: Compared) -> bool:
        """Whether no round follows one that compares so with the last; where nothing was told, one does."""
        if not compared.n:
            return False
        match self.settings.stop:
            case "never":
                return False
            case "worse":
                return compared.estimate.high < 0.5
            case "unclear":
                return compared.estimate.low <= 0.5

    def _nothing_to_learn(self, one: Round, built: Built, numbers: Mapping[str, float]) -> dict[str, Any]:
        """The end of the rounds where all answers to each prompt are judged alike.

        Raises:
            DataError: it is the first round, so there is no policy to leave.
        """
        if one.number > 1:
            return self._close(one, numbers, chosen=one.number - 1, ended=True, steps=self.step)
        what = f"no pair came out of the first round's judgments, so there is nothing to learn ({built.why()})"
        remedy = "lower train.min_margin, raise train.num_generations or train.temperature, or look at the labeler"
        raise DataError([Problem(str(self.job.dataset), what, remedy)])

    def _close(
        self, one: Round, numbers: Mapping[str, float], *, chosen: int, ended: bool, steps: int
    ) -> dict[str, Any]:
        last = ended or one.number == self.settings.rounds
        numbers = {**numbers, **({LEFT: float(chosen)} if last else {})}
        if self.last.get(ROUNDS) != one.number:  # else it was reported before a kill
            self._report(self.step, steps, numbers)
        closed = {"step": self.step, "chosen": chosen, "ended": ended, **numbers}
        if self.processes.first:
            write_json(one.closed, closed)
        return closed

    def _answer_held_out(self, one: Round, checkpoint: Path | None) -> None:
        """A policy's answers to the held-out prompts: by the same random numbers in every round."""
        if self.held_out:
            self.answering.answer(one.held_out, self.held_out, checkpoint, tag="held out", each=1)

    def _clear(self, number: int) -> None:
        """Removes what no later round reads and nobody wants to keep."""
        shutil.rmtree(self._round_of(number).training, ignore_errors=True)
        # the one before the last may be the better of the two
        for old in range(1, number - max(2, self.settings.checkpoints_left) + 1):
            shutil.rmtree(self._round_of(old).checkpoint, ignore_errors=True)

    # ------------------------------------------------------------ numbers over all rounds

    def _inner(self, number: int) -> Job:
        """The job of a round's training, whose steps are numbered on from those of the rounds before."""
        before, rounds = self.step, self.settings.rounds - number + 1

        def report(step: int, steps: int, metrics: Mapping[str, float]) -> None:
            self._report(before + step, before + steps * rounds, {**metrics, ROUND: float(number)})

        def go_on_from(step: int) -> Mapping[str, float]:
            self.last.update(self.job.go_on_from(before + step))
            return {}  # the numbers of other rounds are none of this one's

        return replace(self.job, report=report, go_on_from=go_on_from)

    def _report(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        self.last.update(metrics)
        self.job.report(step, steps, metrics)

    def _go_on(self) -> None:
        """Takes over what an earlier process had logged, unless that is left to a training in the middle of a round."""
        step, folder = 0, self.job.kept / "rounds"
        if not folder.is_dir():
            return
        for number in range(1, self.settings.rounds + 1):
            one = Round(number, folder / str(number))
            if (closed := read_json(one.closed)) is not None:
                step = int(closed["step"])
                continue
            trained = read_json(one.trained)
            if trained is not None and one.checkpoint.is_dir():
                step += int(trained["steps"])
            elif one.training.is_dir() and newest(one.training) is not None:
                return
            break
        self.last.update(self.job.go_on_from(step))
