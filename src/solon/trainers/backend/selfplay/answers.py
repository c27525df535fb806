"""The policy's answers: each with random numbers of its own, so that batches, processes and kills change nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from solon.data.records import Candidates, Completion, Prompt, Usage
from solon.models.backend.generation import Ask, write
from solon.models.backend.loading import Loaded
from solon.trainers.backend.generate import generated
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.selfplay.files import begun, grow
from solon.trainers.backend.selfplay.policy import Loader, free

WRITER = "policy"
"""What wrote the answers, as ``Completion.model`` has it."""


@dataclass(frozen=True)
class Answering:
    """How a policy answers.

    Attributes:
        loader: of the policy.
        seed: of the training.
        processes: which answer together, each its share.
    """

    loader: Loader
    seed: int
    processes: Processes

    def answer(self, path: Path, prompts: Sequence[Prompt], checkpoint: Path | None, *, tag: str, each: int) -> None:
        """Writes the prompts with ``each`` answers into the file at ``path``, where it is not there.

        Called by all processes; the first writes the file.

        Args:
            path: where they come to be.
            prompts: what is answered.
            checkpoint: the policy's, of an earlier round; ``None`` is the untrained policy.
            tag: answers to the same prompt with the same tag are drawn by the same random numbers.
            each: how many to a prompt.
        """
        # by its own ``generate`` a row depends on its neighbours: a batch that was cut off is written anew
        at_once = self.processes.count * self._of_a_process(each, len(prompts))
        done = self.processes.by_the_first(lambda: begun(path, at_once))
        if done is None:
            return
        batches = self._batches(prompts, range(done, len(prompts), at_once), checkpoint, tag, each)
        if self.processes.first:
            grow(path, batches)
        else:
            for _ in batches:
                pass

    def _of_a_process(self, each: int, prompts: int) -> int:
        """Prompts that a process answers at once: no more than its share, so that none waits for another's."""
        return max(1, min(self.loader.policy.batch_size // each, -(-prompts // self.processes.count)))

    def _batches(
        self, prompts: Sequence[Prompt], starts: range, checkpoint: Path | None, tag: str, each: int
    ) -> Iterator[list[Candidates]]:
        """The answers of all processes, in the order of the prompts, a batch of each at a time."""
        if not starts:
            return
        with self.loaded(checkpoint) as loaded:
            tokens = loaded.chat.encode([prompt.messages for prompt in prompts])
            at_once = self._of_a_process(each, len(prompts))
            for start in starts:
                first = start + self.processes.place * at_once
                mine = slice(first, min(first + at_once, start + starts.step))
                batch = self._batch(loaded, prompts[mine], tokens[mine], tag, each)
                yield list(chain.from_iterable(self.processes.gather(batch)))

    def _batch(
        self, loaded: Loaded, prompts: Sequence[Prompt], tokens: Sequence[Sequence[int]], tag: str, each: int
    ) -> list[Candidates]:
        settings = self.loader.settings
        asks = [
            Ask(
                ids, settings.max_new_tokens, settings.temperature, settings.top_p, seed=self._seed(tag, prompt, number)
            )
            for prompt, ids in zip(prompts, tokens, strict=True)
            for number in range(each)
        ]
        replies = generated(loaded, asks) if self.loader.by_unsloth else write(loaded, asks)
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
            for ask, reply in zip(asks, replies, strict=True)
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
        loaded = self.loader.to_answer(checkpoint)
        self.loader.settings.refuse_encoder_decoder(loaded.apart)  # again: of a hub id it may be known only now
        try:
            yield loaded
        finally:
            del loaded
            free()
