"""The policy's answers: each with random numbers of its own, so that batches and kills change nothing."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from solon.data.records import Candidates, Completion, Prompt, Usage
from solon.models.backend.generation import Ask, write
from solon.models.backend.loading import Loaded, load
from solon.plugins.base import located
from solon.trainers.backend.selfplay.files import resumed
from solon.trainers.base import Policy
from solon.trainers.selfplay import SelfPlay

WRITER = "policy"
"""What wrote the answers, as ``Completion.model`` has it."""


@dataclass(frozen=True)
class Answering:
    """How a policy answers.

    Attributes:
        settings: the trainer's.
        policy: the untrained one.
        seed: of the training.
    """

    settings: SelfPlay
    policy: Policy
    seed: int

    def answers(
        self, path: Path, prompts: Sequence[Prompt], checkpoint: Path | None, *, tag: str, each: int
    ) -> list[Candidates]:
        """The prompts with ``each`` answers, from the file at ``path`` or, where it is not there, from the policy.

        Args:
            path: where they are, or come to be.
            prompts: what is answered.
            checkpoint: the policy's, of an earlier round; ``None`` is the untrained policy.
            tag: answers to the same prompt with the same tag are drawn by the same random numbers.
            each: how many to a prompt.
        """

        def make(done: int) -> Iterator[list[Candidates]]:
            if done == len(prompts):
                return
            with self.loaded(checkpoint) as loaded:
                tokens = loaded.chat.encode([prompt.messages for prompt in prompts])
                at_once = max(1, self.policy.batch_size // each)
                for start in range(done, len(prompts), at_once):
                    rows = range(start, min(start + at_once, len(prompts)))
                    yield self._batch(loaded, [prompts[row] for row in rows], [tokens[row] for row in rows], tag, each)

        return resumed(path, Candidates, make)

    def _batch(
        self, loaded: Loaded, prompts: Sequence[Prompt], tokens: Sequence[Sequence[int]], tag: str, each: int
    ) -> list[Candidates]:
        settings = self.settings
        asks = [
            Ask(
                ids, settings.max_new_tokens, settings.temperature, settings.top_p, seed=self._seed(tag, prompt, number)
            )
            for prompt, ids in zip(prompts, tokens, strict=True)
            for number in range(each)
        ]
        completions = [
            Completion(
                text=loaded.chat.decode(reply.tokens),
                model=WRITER,
                seed=ask.seed,
                temperature=settings.temperature,
                top_p=settings.top_p,
                stop="end" if reply.ended else "length",
                usage=Usage(input_tokens=len(ask.tokens), output_tokens=len(reply.tokens) + reply.ended),
            )
            for ask, reply in zip(asks, write(loaded, asks), strict=True)
        ]
        return [
            Candidates(prompt=prompt, completions=tuple(completions[place * each : (place + 1) * each]))
            for place, prompt in enumerate(prompts)
        ]

    def _seed(self, tag: str, prompt: Prompt, number: int) -> int:
        text = f"{self.seed}:{tag}:{prompt.id}:{number}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

    @contextmanager
    def loaded(self, checkpoint: Path | None) -> Iterator[Loaded]:
        """The policy, whose memory is free again after the block: the judge and the training need it."""
        policy, full = self.policy, self.settings.lora is None
        adapter = located(policy.adapter) if policy.adapter is not None else None
        loaded = load(
            str(checkpoint) if checkpoint is not None and full else located(policy.model),
            adapter=adapter if checkpoint is None else None if full else str(checkpoint),
            dtype=policy.dtype,
            load_in_4bit=policy.load_in_4bit,
            threads=policy.threads,
        )
        self.settings.refuse_encoder_decoder(loaded.apart)  # again: of a hub id it may be known only now
        try:
            yield loaded
        finally:
            del loaded
            free()


def free() -> None:
    """Gives memory back that nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def prompts_of_round(prompts: Sequence[Prompt], number: int, size: int, seed: int) -> list[Prompt]:
    """The prompts that a round answers: every one before any comes again, shuffled; or all as they are.

    Args:
        prompts: all of them.
        number: of the round, from 1.
        size: how many, at most all.
        seed: of the order.
    """
    count = len(prompts)
    if size == count:
        return list(prompts)
    order: list[int] = []
    every: list[int] = []
    for turn in range(-(-number * size // count)):
        # what the round in which two turns meet has of the one comes last in the other: no round has a prompt twice
        met = set(order[count - turn * count % size :]) if turn * count % size else set[int]()
        order = list(range(count))
        Random(f"{seed}:prompts:{turn}").shuffle(order)
        order.sort(key=met.__contains__)  # stable
        every += order
    return [prompts[row] for row in every[(number - 1) * size : number * size]]
