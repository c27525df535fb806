"""Trainers of ours that learn from preferences without a reference: the policy, the loss of a pair, what is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from torch import Tensor

from solon.data.records import Checkpoint
from solon.trainers.backend.breaking_off import leaving_the_last_good, put_back
from solon.trainers.backend.divided import divide, within
from solon.trainers.backend.kept import STATE, read_state
from solon.trainers.backend.length import fitted
from solon.trainers.backend.loop import Loop, Measure
from solon.trainers.backend.losses import sums_of_rows
from solon.trainers.backend.network import adapters, load_policy
from solon.trainers.backend.pairs_batch import Pair, batch_of, pairs_of
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.runtime import deterministic, memory_boundary
from solon.trainers.backend.saving import Configuration, save_trained
from solon.trainers.backend.scores import likelihoods, scores_of
from solon.trainers.backend.trl import check_policy, described, ways_to_save_memory
from solon.trainers.backend.turns import in_turns
from solon.trainers.base import Job
from solon.trainers.dataset import read_rows
from solon.trainers.gradient import GradientTrainer

PairLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From the chosen and the rejected responses' mean log-probabilities a token, and the negative log-likelihood of the
chosen ones, to losses; each of shape (pairs,)."""

NUMBERS = (
    "rewards/chosen",
    "rewards/rejected",
    "rewards/margins",
    "rewards/accuracies",
    "logps/chosen",
    "logps/rejected",
)
"""What is reported beside what every training reports: means over the pairs."""


def train_pairs(
    settings: GradientTrainer, job: Job, *, loss: PairLoss, beta: float, prompts: bool = False
) -> Checkpoint:
    """Trains ``job.policy`` on preferences and writes it into ``job.out``; its errors are named at the trainers.

    Args:
        settings: the trainer.
        job: the training.
        loss: what is minimised.
        beta: a response's reward, as it is reported, is this times its mean log-probability a token.
        prompts: whether the likelihood that ``loss`` is given counts the prompt's tokens as well.
    """
    check_policy(settings, job.policy)
    choice = settings.choose_backend(job.policy)
    processes = Processes.joined()  # before loading: each has a GPU of its own
    rows = read_rows(job.dataset, settings.consumes, trainer=settings.kind)
    with deterministic(job.seed), memory_boundary(ways_to_save_memory(settings)):
        trainable = load_policy(job.policy, choice, lora=settings.lora, seed=job.seed, max_length=settings.max_length)
        loaded, model = trainable.loaded, trainable.loaded.model
        settings.refuse_encoder_decoder(loaded.apart)  # again: of a hub id it may be known only now
        rows, spelt = in_turns(rows, loaded.chat)
        rows, changed = fitted(settings, rows, loaded, job.dataset)
        network, configuration = loaded.network, Configuration.of(loaded.network)
        train = pairs_of(rows.train, loaded.tokenizer, where=f"{job.dataset}: train")
        test = pairs_of(rows.test, loaded.tokenizer, where=f"{job.dataset}: test") if rows.test is not None else []
        if settings.lora is not None and not trainable.adapted:
            model = get_peft_model(model, adapters(settings.lora))
        if loaded.device.type == "cuda" and not trainable.adapted:  # Unsloth has its own
            network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        measured = measure_of(network, loss, pad_id=loaded.pad_id, beta=beta, prompts=prompts)
        if processes.divided:
            divide(network)

        def measure(rows: Sequence[Pair], step: Sequence[Pair]) -> tuple[Tensor, Mapping[str, Tensor]]:
            return within(network, lambda: measured(rows, step))

        loop = Loop(settings, job, model, measure, NUMBERS, train, test, processes)

        def leave(job: Job, numbers: Mapping[str, float]) -> Checkpoint:
            full = settings.lora is None
            save_trained(model, loaded.tokenizer, job, full=full, configuration=configuration)
            return described(settings, job, rows, {**numbers, **changed, **spelt}, "policy", apart=loaded.apart)

        def restore(kept: Path) -> Mapping[str, float]:
            put_back(loop.moving, read_state(kept / STATE)["weights"])
            return loop.reporter.kept

        with leaving_the_last_good(job, restore, leave):
            return leave(job, loop.run())


def measure_of(network: Any, loss: PairLoss, *, pad_id: int, beta: float, prompts: bool) -> Measure[Pair]:
    """The forward pass over pairs: their losses, rewards and log-probabilities.

    Args:
        network: a causal language model; adapters inside it are in force.
        loss: of a pair.
        pad_id: fills the rows.
        beta: as for ``train_pairs``.
        prompts: as for ``train_pairs``.

    Raises:
        RecipeError: the model does something to its scores that is not known here.
    """
    scores, vocabulary = scores_of(network), network.config.get_text_config().vocab_size
    device = network.device
    bfloat16 = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")

    def measure(rows: Sequence[Pair], step: Sequence[Pair]) -> tuple[Tensor, dict[str, Tensor]]:
        batch = batch_of(rows, pad_id=pad_id, device=device, prompts=prompts)
        with bfloat16:
            hidden = network.get_decoder()(input_ids=batch.input_ids, use_cache=False).last_hidden_state
            states = hidden[batch.rows, batch.columns]
            logps, _ = likelihoods(scores, states, batch.tokens, vocabulary=vocabulary)
        every, responses = batch.rows, batch.rows[batch.in_response]
        sums = sums_of_rows(logps[batch.in_response], responses, count=2 * len(rows))
        chosen, rejected = (sums / torch.bincount(responses)).chunk(2)
        # over the step's mean length, not the row's own: the mean over rows is then that over tokens
        a_pair = sum(pair.learned(prompts=prompts) for pair in step) / len(step)
        nll = -sums_of_rows(logps, every, count=2 * len(rows)).chunk(2)[0] / a_pair
        rewards = beta * chosen.detach(), beta * rejected.detach()
        summed = sums.detach().chunk(2)
        return loss(chosen, rejected, nll), {
            "rewards/chosen": rewards[0],
            "rewards/rejected": rewards[1],
            "rewards/margins": rewards[0] - rewards[1],
            "rewards/accuracies": (rewards[0] > rewards[1]).float(),
            "logps/chosen": summed[0],
            "logps/rejected": summed[1],
        }

    return measure
