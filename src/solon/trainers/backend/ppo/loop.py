"""The way of a PPO training: answer, reward, learn, keep, and again; then the checkpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from solon.data.records import Checkpoint
from solon.errors import RecipeError, TrainingError
from solon.models.backend.loading import Loaded
from solon.plugins.base import located
from solon.trainers.backend import network
from solon.trainers.backend.kept import Kept, random_state, read_state, restore_random, write_state
from solon.trainers.backend.loop import share_of_rate
from solon.trainers.backend.ppo.algorithm import KLController, RunningMoments
from solon.trainers.backend.ppo.policy import Actor, head_of
from solon.trainers.backend.ppo.rollout import Prompts, Rollouts, read_prompts, roll_out
from solon.trainers.backend.ppo.update import Experience, learn
from solon.trainers.backend.rewards import curves
from solon.trainers.backend.runtime import deterministic, memory_boundary
from solon.trainers.backend.saving import Configuration, save_adapter, save_full, stored_dtype
from solon.trainers.backend.trl import check_policy, described, ways_to_save_memory
from solon.trainers.backends import Choice
from solon.trainers.base import Job, Policy
from solon.trainers.dataset import read_rows
from solon.trainers.ppo import PPO
from solon.trainers.rewards import Rewarded, Score

_STATE = "state.pt"


def train_ppo(settings: PPO, job: Job, score: Score) -> Checkpoint:
    """Runs ``PPO.train``, whose errors are named there, with rewards from ``score``."""
    check_policy(settings, job.policy)
    choice = _backend(settings, job.policy)
    rows = read_rows(job.dataset, settings.consumes, trainer=settings.kind)
    remedies = [f"lower train.max_new_tokens (now {settings.max_new_tokens})", *ways_to_save_memory(settings)]
    with deterministic(job.seed), memory_boundary(remedies):
        loaded = network.load_policy(job.policy, choice, lora=settings.lora, seed=job.seed).loaded
        prompts = read_prompts(
            job.dataset, rows, loaded, max_new_tokens=settings.max_new_tokens, max_length=settings.max_length
        )
        configuration = Configuration.of(loaded.network)
        loop = Loop(settings, job, loaded, prompts, score)
        loop.run()
        trained = loop.actor.loaded
        if settings.lora is None:
            dtype = stored_dtype(located(job.policy.model))
            save_full(trained.model, loaded.tokenizer, job.out, dtype=dtype, configuration=configuration)
        else:
            save_adapter(trained.model, loaded.tokenizer, job.out, base_model=str(job.policy.model))
    return described(settings, job, rows, loop.last, "policy")


class Loop:
    """A training under way.

    Attributes:
        actor: policy, reference and value.
        step, steps: rounds done, and how many there will be.
        last: the last value of every number reported.
    """

    def __init__(self, settings: PPO, job: Job, loaded: Loaded, prompts: Prompts, score: Score) -> None:
        self.settings, self.job, self.prompts, self.score = settings, job, prompts, score
        on_gpu = loaded.device.type == "cuda"
        self.actor = Actor(loaded, settings.lora, temperature=settings.temperature, checkpointing=on_gpu)
        if settings.value_from is not None:
            head = self.actor.head.weight
            head.data.copy_(head_of(located(settings.value_from), head.shape[1]))
        rate, head = settings.peak_learning_rate, self.actor.head
        groups = [
            {"params": list(self.actor.trained.values()), "peak": rate},
            # a step of Adam moves every weight by about the rate, so a value by that times the width
            {"params": [head.weight], "peak": settings.value_learning_rate / head.in_features},
            {"params": [head.bias], "peak": settings.value_learning_rate},
        ]
        # N+, general details: Adam's epsilon is 1e-5, and no weight decays
        self.optimizer = torch.optim.AdamW(groups, lr=rate, eps=1e-5, weight_decay=0.0)
        self.kl = KLController(settings.kl_coefficient, settings.kl_target)
        self.moments = RunningMoments()
        self.kept = Kept(job.kept)
        self.step = 0
        self.steps = settings.rounds(len(prompts.records))
        self.last: dict[str, float] = {}

    def run(self) -> None:
        """Goes from the last step that was kept to the end."""
        self._go_on()
        every = self.settings.steps_between_saves(self.steps)
        while self.step < self.steps:
            metrics = self.round()
            self.step += 1
            self.last.update({name: value for name, value in metrics.items() if math.isfinite(value)})
            self.job.report(self.step, self.steps, metrics)
            if self.step % every == 0 and self.step < self.steps:
                self._keep()  # after the report: who goes on from here must find this step's numbers written

    def round(self) -> dict[str, float]:
        """Answers, rewards, learns; returns the numbers of it."""
        settings, seed = self.settings, f"{self.job.seed}:{self.step}"
        rate = self._set_rates()
        rollouts = roll_out(
            self.actor.loaded,
            self.prompts,
            self.prompts.of_round(self.step, settings.rollouts, self.job.seed),
            round_seed=seed,
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            batch_size=self.job.policy.batch_size,
        )
        rewarded = self.score(rollouts.asked, rollouts.texts)
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
        experience = Experience.of(self.actor, rollouts.episodes, scores, settings, self.kl.coefficient)
        before = experience.metrics()
        learned = learn(self.actor, experience, settings, self.optimizer, seed=seed)
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

    def _scores(self, totals: Sequence[float], ended: Sequence[bool]) -> list[float]:
        """Rewards as they are learned from: normalised, clipped, and less where a completion did not end (N+ 23)."""
        settings = self.settings
        if settings.normalise_rewards:
            self.moments.add(totals)
            totals = [self.moments.normalise(total) for total in totals]
        limit = math.inf if settings.reward_clip is None else settings.reward_clip
        clipped = [min(max(total, -limit), limit) for total in totals]
        penalty = settings.missing_end_penalty
        return [total - (0.0 if end else penalty) for total, end in zip(clipped, ended, strict=True)]

    def _set_rates(self) -> float:
        share = share_of_rate(
            self.step, self.steps, schedule=self.settings.schedule, warmup_ratio=self.settings.warmup_ratio
        )
        for group in self.optimizer.param_groups:
            group["lr"] = share * group["peak"]
        return float(self.optimizer.param_groups[0]["lr"])

    def _keep(self) -> None:
        with self.kept.writing(self.step) as folder:
            write_state(
                folder / _STATE,
                {
                    "policy": {name: weight.detach() for name, weight in self.actor.trained.items()},
                    "head": self.actor.head.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "kl_coefficient": self.kl.coefficient,
                    "moments": (self.moments.count, self.moments.mean, self.moments.squares),
                    "random": random_state(),
                },
            )

    def _go_on(self) -> None:
        newest = self.kept.latest()
        if newest is None:
            return
        state = read_state(newest / _STATE)
        with torch.no_grad():
            for name, weight in self.actor.trained.items():
                weight.copy_(state["policy"][name])
        self.actor.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.kl.coefficient = state["kl_coefficient"]
        self.moments = RunningMoments(*state["moments"])
        restore_random(state["random"])
        self.step = self.kept.step_of(newest)
        self.last.update(self.job.go_on_from(self.step))


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


def _backend(settings: PPO, policy: Policy) -> Choice:
    choice = settings.choose_backend(policy)
    if settings.backend == "unsloth":
        raise RecipeError("train.backend: ppo does not train on unsloth yet; take `bitsandbytes` or `plain`")
    if choice.name == "unsloth":
        return Choice("bitsandbytes" if policy.load_in_4bit else "plain", "ppo does not train on unsloth yet")
    return choice
