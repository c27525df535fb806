"""The untrained and the trained policy, as an evaluation asks them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import MappingProxyType

from solon.data.records import Completion, Prompt, Usage
from solon.data.split import split_key
from solon.errors import DataError
from solon.evaluation.base import Decoding, Which
from solon.models.transformers import Transformers
from solon.stages.run import Run
from solon.stages.sample import complete, seed_of
from solon.stream import Stream
from solon.stream.window import window


class Policies:
    """Both of them, asked through one stream with the sampling settings of ``evaluate``.

    Args:
        run: whose recipe it is.
        stream: open as long as they are asked.
        before, after: the models.
        trained_on: split keys of the prompts that the policy was trained on.

    Attributes:
        models: the two, the untrained one first.
        usage: tokens of all answers so far.
    """

    def __init__(
        self, run: Run, stream: Stream, before: Transformers, after: Transformers, trained_on: frozenset[str]
    ) -> None:
        self._run, self._stream, self._trained_on = run, stream, trained_on
        self.models: MappingProxyType[Which, Transformers] = MappingProxyType({"before": before, "after": after})
        self.usage = Usage()

    async def answered(
        self, which: Which, prompts: Sequence[Prompt], decoding: Decoding
    ) -> AsyncIterator[Completion | str]:
        """One's answer to each prompt, in their order, or why there is none."""
        recipe, model = self._run.recipe, self.models[which]
        plan = recipe.evaluate
        assert plan is not None

        async def answer(prompt: Prompt) -> Completion | str:
            return await complete(
                model,
                prompt,
                temperature=plan.temperature if decoding == "sample" else 0.0,
                top_p=plan.top_p if decoding == "sample" else 1.0,
                max_tokens=plan.max_tokens or recipe.sample.max_tokens,
                seed=seed_of(recipe.seed, prompt, -1),
            )

        async for _, one in self._stream.map(answer, prompts, window=window(model)):
            if isinstance(one, Completion):
                self.usage += one.usage
            yield one

    async def answers(self, which: Which, prompts: Sequence[Prompt], decoding: Decoding) -> list[Completion | None]:
        """As ``answered``, of prompts that an evaluator brings; ``None`` where there is no answer.

        Raises:
            DataError: some of them were trained on.
        """
        if seen := [prompt for prompt in prompts if split_key(prompt) in self._trained_on]:
            raise DataError(
                f"{len(seen)} of {len(prompts)} prompts that an evaluator brings are trained on too, the first being "
                f"{seen[0].text[:80]!r}: take them out of one of the two files"
            )
        return [one if isinstance(one, Completion) else None async for one in self.answered(which, prompts, decoding)]

    def log_probs(self, which: Which, completions: tuple[tuple[Prompt, Completion], ...]) -> list[float]:
        """The log-probability of each completion under one of them, in nats, the end of the turn included."""
        return self.models[which].log_probs([(prompt.messages, answer.text) for prompt, answer in completions])
