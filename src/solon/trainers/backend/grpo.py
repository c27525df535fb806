"""GRPO and RLOO on TRL's trainers, with labelers as rewards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from solon.data.records import Checkpoint
from solon.errors import TrainingError
from solon.trainers.backend.divided import Undivided
from solon.trainers.backend.few_scores import FewScoresOnline
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.reporting import REMEDY
from solon.trainers.backend.resuming import Resumable
from solon.trainers.backend.rewards import curves, open_rewards, shared
from solon.trainers.backend.trl import Prepared, train_with_trl
from solon.trainers.base import Job
from solon.trainers.dataset import Rows, prompt_of, prompts_of
from solon.trainers.rewards import Score

if TYPE_CHECKING:
    from solon.trainers.grpo import GRPO
    from solon.trainers.rloo import RLOO

REPORTED = (
    "reward",
    "reward_std",
    "frac_reward_zero_std",
    "kl",
    "entropy",
    "clip_ratio/region_mean",
    "completions/mean_length",
    "completions/clipped_ratio",
)


_NO_PROBABILITIES = ("probability tensor contains", "device-side assert")
"""What torch says when it is to sample from what is not a number."""


class _Rewarded(Resumable):
    """What both trainers share: the rewards of the completions that were sampled last, here and by all processes."""

    score: Score
    model_wrapped: Any
    undivided: Undivided | None = None
    totals: Sequence[float | None] = ()
    everyones: Sequence[float | None] = ()

    def reward(self, prompts: list[Any], completions: list[Any], log_metric: Any, **columns: Any) -> list[float | None]:
        """TRL's reward function: one number a completion, ``None`` where it is missing."""
        topics, references = (columns.get(name) or [None] * len(prompts) for name in ("topic", "reference"))
        rows = zip(prompts, topics, references, strict=True)
        asked = [
            prompt_of({"prompt": one, "topic": topic, "reference": answer}, "prompts") for one, topic, answer in rows
        ]
        rewarded = self.score(asked, list(map(_text, completions)))
        for name, value in curves(rewarded.everyones).items():  # the same in each process, whose mean is logged
            log_metric(name, value)
        self.totals, self.everyones = rewarded.total, rewarded.everyones.total
        return list(rewarded.total)

    def before_it_is_divided(self) -> None:
        """Copies the model, to write completions with."""
        super().before_it_is_divided()
        self.undivided = Undivided(self.model)

    def _generate_single_turn(self, *given: Any, **more: Any) -> Any:
        """As TRL's; of a divided model by a whole one, for no process waits for the others' tokens."""
        if self.undivided is None:
            return super()._generate_single_turn(*given, **more)
        divided = self.model_wrapped
        # in the number type of the forward passes that learn, into which accelerate wraps the model that it knows
        with self.undivided.whole() as self.model_wrapped, self.accelerator.autocast():
            try:
                return super()._generate_single_turn(*given, **more)
            finally:
                self.model_wrapped = divided

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        """As TRL's, which counts groups whose rewards are all alike otherwise: none that lacks one, nor with a KL.

        Raises:
            TrainingError: the policy's probabilities are not numbers, so that nothing can be sampled.
        """
        try:
            output = super()._generate_and_score_completions(inputs)
        except RuntimeError as error:  # torch has no class of its own for it, on a GPU not even a message
            if not any(sign in str(error) for sign in _NO_PROBABILITIES):
                raise
            raise TrainingError(
                f"the policy's probabilities are not numbers at step {self.state.global_step + 1} of "
                f"{self.state.max_steps}, so training stopped and nothing of that step was kept: {REMEDY}"
            ) from error
        # a group may be shared by several processes
        starts = range(0, len(self.everyones), self.num_generations)
        groups = [self.everyones[start : start + self.num_generations] for start in starts]
        alike = sum(len({*group} - {None}) <= 1 for group in groups)
        self._metrics["train"]["frac_reward_zero_std"][-1] = alike / len(groups)
        return output


class _GRPO(_Rewarded, FewScoresOnline, GRPOTrainer):  # type: ignore[misc]  # TRL is not followed by mypy
    def _generate_and_score_completions(self, inputs: Any) -> Any:
        """As TRL's, which gives completions without a reward an advantage of 0: no gradient but that of the KL term.

        They leave that too.
        """
        output = super()._generate_and_score_completions(inputs)
        mask = output["completion_mask"]
        mask[[place for place, total in enumerate(self.totals) if total is None]] = 0
        output["num_items_in_batch"] = self.accelerator.gather(mask.sum()).sum()
        return output


class _RLOO(_Rewarded, FewScoresOnline, RLOOTrainer):  # type: ignore[misc]
    pass


def train_grpo(settings: GRPO, job: Job) -> Checkpoint:
    """Runs ``GRPO.train``; its errors are named there."""
    return _train(settings, job, lambda prepared, score: grpo_trainer(settings, prepared, score))


def train_rloo(settings: RLOO, job: Job) -> Checkpoint:
    """Runs ``RLOO.train``."""
    return _train(settings, job, lambda prepared, score: rloo_trainer(settings, prepared, score))


def grpo_trainer(settings: GRPO, prepared: Prepared, score: Score) -> Any:
    """TRL's, with the settings in its words."""
    own = {
        "loss_type": "grpo" if settings.loss == "gspo" else settings.loss,
        "importance_sampling_level": "sequence" if settings.loss == "gspo" else "token",
        "scale_rewards": settings.scaled_by,
        "epsilon": settings.clipped_at,
        "use_bias_correction_kl": True,  # changes the gradient even where the ratio is 1
    }
    return _rewarded(settings, prepared, score, _GRPO, GRPOConfig, own)


def rloo_trainer(settings: RLOO, prepared: Prepared, score: Score) -> Any:
    """TRL's, with the settings in its words."""
    own = {"normalize_advantages": settings.normalize_advantages, "epsilon": settings.epsilon}
    return _rewarded(settings, prepared, score, _RLOO, RLOOConfig, own)


def _rewarded(
    settings: GRPO | RLOO,
    prepared: Prepared,
    score: Score,
    trainer_class: Any,
    config_class: Callable[..., Any],
    own: dict[str, Any],
) -> Any:
    full = settings.lora is None
    arguments = config_class(
        **_shared(prepared),
        **own,
        # with all weights trained, the reference is put in below: TRL's would lack the policy's adapter
        beta=0.0 if full else settings.beta,
        num_generations=settings.num_generations,
        max_completion_length=settings.max_new_tokens,
        temperature=settings.temperature,
        num_iterations=settings.num_iterations,
        epsilon_high=settings.epsilon_high,
        mask_truncated_completions=settings.mask_truncated_completions,
        disable_dropout=False,  # done already, before the adapters came in
    )

    def reward(**given: Any) -> list[float | None]:
        return trainer.reward(**given)  # type: ignore[no-any-return]

    trainer = trainer_class(args=arguments, reward_funcs=[reward], **prepared.parts())
    trainer.score = shared(Processes.here(), score)
    if full and settings.beta:
        reference = prepared.reference(precomputed=False)["ref_model"]
        trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)
        trainer.beta = settings.beta
    return trainer


def _train(settings: GRPO | RLOO, job: Job, make: Callable[[Prepared, Score], Any]) -> Checkpoint:
    def checked(rows: Rows) -> Rows:
        prompts_of(rows.train, str(job.dataset if job.dataset.is_file() else job.dataset / "train.parquet"))
        return rows

    with open_rewards(settings, job) as score:
        names = [f"rewards/{reward.called}" for reward in settings.reward]
        names += [f"gold/{judge.called}" for judge in settings.held_out_judge]
        reported = (*REPORTED, *names, "rewards/missing")
        return train_with_trl(settings, job, lambda prepared: make(prepared, score), reported=reported, arrange=checked)


def _shared(prepared: Prepared) -> dict[str, Any]:
    """The arguments of all trainings on TRL, without those of trainings on responses."""
    arguments = prepared.arguments()
    # held-out prompts are answered and judged by the evaluate stage
    arguments |= {"eval_strategy": "no", "per_device_eval_batch_size": arguments["per_device_train_batch_size"]}
    del arguments["max_length"]
    return arguments


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
