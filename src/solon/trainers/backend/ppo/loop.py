"""The way of a PPO training: answer, reward, learn, keep, and again; then the checkpoint.

N+     Huang et al. 2024, arXiv:2403.17031
37     Huang et al. 2022, "The 37 Implementation Details of Proximal Policy Optimization", ICLR blog track
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from solon.data.records import Checkpoint
from solon.errors import ModelRejected, TrainingError
from solon.models.backend.generation import write
from solon.plugins.base import located
from solon.trainers.backend import network
from solon.trainers.backend.breaking_off import leaving_the_last_good, put_back
from solon.trainers.backend.divided import gathered_all, optimizer_state, part, restore_optimizer
from solon.trainers.backend.generate import generated
from solon.trainers.backend.kept import STATE, Kept, random_state, read_state, restore_random, write_state
from solon.trainers.backend.length import fitted
from solon.trainers.backend.loop import share_of_rate
from solon.trainers.backend.ppo.algorithm import KLController, RunningMoments
from solon.trainers.backend.ppo.experience import Experience
from solon.trainers.backend.ppo.policy import Actor
from solon.trainers.backend.ppo.rewarding import RewardAdapter, lending, on_the_base
from solon.trainers.backend.ppo.rollout import Prompts, Rollouts, read_prompts, roll_out
from solon.trainers.backend.ppo.update import learn, not_finite
from solon.trainers.backend.ppo.value import head_of
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.reporting import REMEDY
from solon.trainers.backend.rewards import curves
from solon.trainers.backend.runtime import deterministic, memory_boundary
from solon.trainers.backend.saving import Configuration, save_trained
from solon.trainers.backend.trl import check_policy, described, ways_to_save_memory
from solon.trainers.base import Job
from solon.trainers.dataset import read_rows
from solon.trainers.ppo import PPO
from solon.trainers.rewards import Rewarded, Score


def train_ppo(settings: PPO, job: Job, score: Score) -> Checkpoint:
    """Runs ``PPO.train``, whose errors are named there, with rewards from ``score``."""
    check_policy(settings, job.policy)
    processes = Processes.joined()  # before loading: each has a GPU of its own
    choice = settings.choose_backend(job.policy)
    rows = read_rows(job.dataset, settings.consumes, trainer=settings.kind)
    remedies = [f"lower train.max_new_tokens (now {settings.max_new_tokens})", *ways_to_save_memory(settings)]
    with deterministic(job.seed), memory_boundary(remedies):
        trainable = network.load_policy(
            job.policy, choice, lora=settings.lora, seed=job.seed, max_length=settings.max_length
        )
        loaded = trainable.loaded
        rows, changed = fitted(settings, rows, loaded, job.dataset)
        prompts = read_prompts(
            job.dataset, rows, loaded, max_new_tokens=settings.max_new_tokens, max_length=settings.max_length
        )
        configuration = Configuration.of(loaded.network)
        rewards = on_the_base(settings, job.policy, trainable, processes)
        loop = Loop(settings, job, trainable, prompts, score, processes, rewards)

        def leave(job: Job, numbers: Mapping[str, float]) -> Checkpoint:
            model, full = loop.actor.roles.policy_alone().model, settings.lora is None
            save_trained(model, loaded.tokenizer, job, full=full, configuration=configuration)
            return described(settings, job, rows, {**numbers, **changed}, "policy", apart=loaded.apart)

        def restore(kept: Path) -> Mapping[str, float]:
            put_back(loop.actor.trained, read_state(kept / STATE)["policy"])
            return loop.last_kept

        with leaving_the_last_good(job, restore, leave), lending(rewards, loop.actor.roles, job.policy):
            loop.run()
            return leave(job, loop.last)


class Loop:
    """A training under way.

    Attributes:
        actor: policy, reference and value.
        processes: those that answer and learn together, each its share; the first has the answers rewarded.
        writes: how completions are written.
        step, steps: rounds done, and how many there will be.
        last: the last value of every number reported.
        last_kept: what that was when the last step was kept.
    """

    def __init__(
        self,
        settings: PPO,
        job: Job,
        trainable: network.Trainable,
        prompts: Prompts,
        score: Score,
        processes: Processes,
        rewards: Sequence[RewardAdapter] = (),
    ) -> None:
        self.settings, self.job, self.prompts, self.score, self.processes = settings, job, prompts, score, processes
        self.writes = generated if trainable.adapted else write
        self.actor = Actor(
            trainable.loaded,
            settings.lora,
            value_lora=settings.value_lora,
            adapted=trainable.adapted,
            rewards=[reward.fixed for reward in rewards],
            temperature=settings.temperature,
            checkpointing=trainable.loaded.device.type == "cuda",
        )
        if settings.value_from is not None:
            head = self.actor.head.weight
            head.data.copy_(head_of(located(settings.value_from), head.shape[1]))
        if processes.divided:
            self.actor.divide(processes.count)
        rate, head = settings.peak_learning_rate, self.actor.head
        groups = [
            {"params": list(self.actor.trained.values()), "peak": rate},
            {"params": list(self.actor.valued.values()), "peak": settings.peak_value_rate},
            # a step of Adam moves every weight by about the rate, so a value by that times the width
            {"params": [head.weight], "peak": settings.value_head_rate / head.in_features},
            {"params": [head.bias], "peak": settings.value_head_rate},
        ]
        # Adam's epsilon is 1e-5 (N+; 37, core detail 3), and no weight decays
        self.optimizer = torch.optim.AdamW(groups, lr=rate, eps=1e-5, weight_decay=0.0)
        self.kl = KLController(settings.kl_coefficient, settings.kl_target)
        self.moments = RunningMoments()
        self.kept = Kept(job.kept)
        self.step = 0
        self.steps = settings.rounds(len(prompts.records))
        self.last: dict[str, float] = {}
        self.last_kept: dict[str, float] = {}

    def run(self) -> None:
        """Goes from the last step that was kept to the end."""
        self._go_on()
        every = self.settings.steps_between_saves(self.steps)
        while self.step < self.steps:
            metrics = self.round()
            self.step += 1
            self.last.update({name: value for name, value in metrics.items() if math.isfinite(value)})
            self.job.report(self.step, self.steps, metrics)  # first: the curve shows where it broke off
            if (name := not_finite(metrics)) is not None:
                raise TrainingError(
                    f"{name} is {metrics[name]} at step {self.step} of {self.steps}, so training stopped and nothing "
                    f"of that step was kept: {REMEDY}"
                )
            if self.step % every == 0 and self.step < self.steps:
                self._keep()  # after the report: who goes on from here must find this step's numbers written

    def round(self) -> dict[str, float]:
        """Answers, rewards, learns; returns the numbers of it."""
        settings, seed = self.settings, f"{self.job.seed}:{self.step}"
        rate = self._set_rates()
        rollouts = self._rollouts(seed)
        rewarded = self.processes.by_the_first(lambda: self.score(rollouts.asked, rollouts.texts))
        present = [row for row, total in enumerate(rewarded.total) if total is not None]
        if not present:
            raise TrainingError(
                f"none of the {len(rollouts.texts)} completions of round {self.step + 1} of {self.steps} could be "
                f"rewarded, so there is nothing to learn from: see what the labeler of train.reward answers"
            )
        numbers = _reward_metrics(rollouts, rewarded)
        rollouts = rollouts.at(present)
        totals = [total for total in rewarded.total if total is not None]
        scores = self._scores(totals, rollouts.ended)
        if self.step == 0 and settings.value_from is None:
            # from zero the value would be learned for many rounds before it says more than what all completions earn
            self.actor.head.bias.data.fill_(math.fsum(scores) / len(scores))
        experience = Experience.of(self.actor, rollouts.episodes, scores, settings, self.kl.coefficient, self.processes)
        before = experience.metrics()
        learned = learn(self.actor, experience, settings, self.optimizer, seed=seed, processes=self.processes)
        used = self.kl.coefficient
        self.kl.update(before["objective/kl"])
        order = ("loss", "grad_norm")
        return {
            **{name: learned[name] for name in order if name in learned},
            "learning_rate": rate,
            **before,
            "objective/kl_coefficient": used,
            **numbers,
            **{name: value for name, value in learned.items() if name not in order},
        }

    def _rollouts(self, seed: str) -> Rollouts:
        """The round's answers, of which this process writes its share."""
        settings = self.settings
        places = list(enumerate(self.prompts.of_round(self.step, settings.rollouts, self.job.seed)))
        try:
            with self.actor.writing() as policy:
                written = roll_out(
                    policy,
                    self.prompts,
                    self.processes.share(places),
                    round_seed=seed,
                    max_new_tokens=settings.max_new_tokens,
                    temperature=settings.temperature,
                    batch_size=self.job.policy.batch_size,
                    writes=self.writes,
                )
        except ModelRejected as error:  # its scores are not numbers
            raise TrainingError(
                f"the policy's probabilities are not numbers at step {self.step + 1} of {self.steps}, so training "
                f"stopped and nothing of that step was kept: {REMEDY}"
            ) from error
        return Rollouts.joined(self.processes.gather(written))

    def _scores(self, totals: Sequence[float], ended: Sequence[bool]) -> list[float]:
        """Rewards as they are learned from: normalised, clipped, and less where a completion did not end (N+ 23).

        Normalising and clipping, at 10 by default, are after 37, details 8 and 9 for continuous actions, which divide
        by a deviation as here but leave the mean in.
        """
        settings = self.settings
        if settings.normalise_rewards:
            self.moments.add(totals)
            totals = [self.moments.normalise(total) for total in totals]
        limit = math.inf if settings.reward_clip is None else settings.reward_clip
        clipped = [min(max(total, -limit), limit) for total in totals]
        penalty = settings.missing_end_penalty
        return [total - (0.0 if end else penalty) for total, end in zip(clipped, ended, strict=True)]

    def _set_rates(self) -> float:
        """Of all groups for this round, falling to 0 in a line by default (N+; 37, core detail 4); the policy's."""
        share = share_of_rate(
            self.step, self.steps, schedule=self.settings.schedule, warmup_ratio=self.settings.warmup_ratio
        )
        for group in self.optimizer.param_groups:
            group["lr"] = share * group["peak"]
        return float(self.optimizer.param_groups[0]["lr"])

    def _keep(self) -> None:
        moving = self._moving().items()
        state = {
            **{kind: gathered_all({name: weight.detach() for name, weight in of.items()}) for kind, of in moving},
            "optimizer": optimizer_state(self.optimizer),
            "kl_coefficient": self.kl.coefficient,
            "moments": (self.moments.count, self.moments.mean, self.moments.squares),
            "random": self.processes.gather(random_state()),
        }
        if self.processes.first:
            with self.kept.writing(self.step) as folder:
                write_state(folder / STATE, state)
        self.last_kept = dict(self.last)
        self.processes.wait()

    def _moving(self) -> dict[str, Mapping[str, Tensor]]:
        """The weights that move, by the part of the training that they are."""
        return {
            "policy": self.actor.trained,
            "value": self.actor.valued,
            "head": dict(self.actor.head.named_parameters()),
        }

    def _go_on(self) -> None:
        newest = self.kept.latest()
        if newest is None:
            return
        state = read_state(newest / STATE)
        with torch.no_grad():
            for name, weights in self._moving().items():
                for key, weight in weights.items():
                    weight.copy_(part(state[name][key], like=weight))
        restore_optimizer(self.optimizer, state["optimizer"])
        self.kl.coefficient = state["kl_coefficient"]
        self.moments = RunningMoments(*state["moments"])
        restore_random(state["random"][self.processes.place])
        self.step = self.kept.step_of(newest)
        self.last.update(self.job.go_on_from(self.step))
        self.last_kept = dict(self.last)


def _reward_metrics(rollouts: Rollouts, rewarded: Rewarded) -> dict[str, float]:
    """Means of the rewards as they were given, and of what was rewarded."""
    known = [total for total in rewarded.total if total is not None]
    count = len(rollouts.texts)
    return {
        "objective/rewards": math.fsum(known) / len(known),
        **curves(rewarded),
        "lengths/mean": sum(map(len, rollouts.episodes.responses)) / count,
        "completions/clipped": sum(not ended for ended in rollouts.ended) / count,
    }
