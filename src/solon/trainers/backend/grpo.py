"""GRPO and RLOO on TRL's trainers, with labelers as rewards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from solon.data.records import Checkpoint, Message, Prompt
from solon.errors import DataError, Problem
from solon.trainers.backend.resuming import Resumable
from solon.trainers.backend.rewards import curves, open_rewards
from solon.trainers.backend.trl import Prepared, train_with_trl
from solon.trainers.base import Job
from solon.trainers.rewards import Score

if TYPE_CHECKING:
    from solon.trainers.groups import GroupTrainer
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


class _Rewarded(Resumable):
    """What both trainers share: the rewards of the completions that were sampled last."""

    score: Score
    totals: Sequence[float | None] = ()

    def reward(self, prompts: list[Any], completions: list[Any], log_metric: Any, **columns: Any) -> list[float | None]:
        """TRL's reward function: one number a completion, ``None`` where it is missing."""
        topics, references = (columns.get(name) or [None] * len(prompts) for name in ("topic", "reference"))
        asked = list(map(_prompt, prompts, topics, references))
        rewarded = self.score(asked, list(map(_text, completions)))
        for name, value in curves(rewarded).items():
            log_metric(name, value)
        self.totals = rewarded.total
        return list(rewarded.total)

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        """As TRL's, which counts groups whose rewards are all alike otherwise: none that lacks one, nor with a KL."""
        output = super()._generate_and_score_completions(inputs)
        starts = range(0, len(self.totals), self.num_generations)
        groups = [self.totals[start : start + self.num_generations] for start in starts]
        alike = torch.tensor([float(len({*group} - {None}) <= 1) for group in groups], device=self.accelerator.device)
        self._metrics["train"]["frac_reward_zero_std"][-1] = self.accelerator.gather(alike).mean().item()
        return output


class _GRPO(_Rewarded, GRPOTrainer):  # type: ignore[misc]  # TRL is not followed by mypy
    def _generate_and_score_completions(self, inputs: Any) -> Any:
        """As TRL's, which gives completions without a reward an advantage of 0: no gradient but that of the KL term.

        They leave that too.
        """
        output = super()._generate_and_score_completions(inputs)
        mask = output["completion_mask"]
        mask[[place for place, total in enumerate(self.totals) if total is None]] = 0
        output["num_items_in_batch"] = self.accelerator.gather(mask.sum()).sum()
        return output


class _RLOO(_Rewarded, RLOOTrainer):  # type: ignore[misc]
    pass


def train_grpo(settings: GRPO, job: Job) -> Checkpoint:
    """Runs ``GRPO.train``; its errors are named there."""
    own = {
        "loss_type": "grpo" if settings.loss == "gspo" else settings.loss,
        "importance_sampling_level": "sequence" if settings.loss == "gspo" else "token",
        "scale_rewards": settings.scaled_by,
        "epsilon": settings.clipped_at,
    }
    return _train(settings, job, _GRPO, GRPOConfig, own)


def train_rloo(settings: RLOO, job: Job) -> Checkpoint:
    """Runs ``RLOO.train``."""
    own = {"normalize_advantages": settings.normalize_advantages, "epsilon": settings.epsilon}
    return _train(settings, job, _RLOO, RLOOConfig, own)


def _train(
    settings: GRPO | RLOO, job: Job, trainer_class: Any, config_class: Callable[..., Any], own: dict[str, Any]
) -> Checkpoint:
    with open_rewards(settings, job) as score:

        def make(prepared: Prepared) -> Any:
            _refuse_no_room(settings, prepared)
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
            trainer.score = score
            if full and settings.beta:
                reference = prepared.reference(precomputed=False)["ref_model"]
                trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)
                trainer.beta = settings.beta
            return trainer

        names = [f"rewards/{reward.called}" for reward in settings.reward]
        names += [f"gold/{judge.called}" for judge in settings.held_out_judge]
        return train_with_trl(settings, job, make, reported=(*REPORTED, *names, "rewards/missing"))


def _shared(prepared: Prepared) -> dict[str, Any]:
    """The arguments of all trainings on TRL, without those of trainings on responses."""
    arguments = prepared.arguments()
    # held-out prompts are answered and judged by the evaluate stage
    arguments |= {"eval_strategy": "no", "per_device_eval_batch_size": arguments["per_device_train_batch_size"]}
    del arguments["max_length"]
    return arguments


def _refuse_no_room(settings: GroupTrainer, prepared: Prepared) -> None:
    """Counts prompts after which a completion does not fit into ``max_length`` or the model's context.

    Raises:
        DataError: there are some.
    """
    tokenizer, context = prepared.loaded.tokenizer, prepared.loaded.context
    limit = min(settings.max_length or math.inf, math.inf if context is None else context)
    if limit == math.inf:
        return
    texts = prepared.rows.train["prompt"].to_pylist()
    if isinstance(texts[0], str):
        lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    else:
        encoded = tokenizer.apply_chat_template(texts, tokenize=True, return_dict=True, add_generation_prompt=True)
        lengths = [len(ids) for ids in encoded["input_ids"]]
    too_long = sum(length + settings.max_new_tokens > limit for length in lengths)
    if too_long:
        what = (
            f"{too_long} of {len(lengths)} prompts leave no room for a completion of train.max_new_tokens "
            f"{settings.max_new_tokens} within {limit} tokens; the longest has {max(lengths)}"
        )
        where = str(prepared.job.dataset / "train.parquet")
        raise DataError([Problem(where, what, "lower train.max_new_tokens, or leave those prompts out")])


def _prompt(said: Any, topic: str | None, reference: str | None) -> Prompt:
    messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
    return Prompt(
        messages=tuple(Message(role=one["role"], content=one["content"]) for one in messages),
        topic=topic,
        reference=reference,
    )


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
