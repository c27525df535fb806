"""Evaluators that break one clause each, and what they are made of, which keeps all."""

# ruff: noqa: D102 - each method is what its class says

from __future__ import annotations

import itertools
from typing import Any, ClassVar

from solon.plugins import (
    AnyChatModel,
    ChatModel,
    Completion,
    DataError,
    Evaluator,
    Message,
    Metric,
    ModelUnavailable,
    OfAnswers,
    Prompt,
    PromptTooLong,
    Request,
    ask,
    ids,
    itemised_shares,
    pairs_of,
)

counter = itertools.count()


class Share(OfAnswers):
    """An evaluator that keeps every clause."""

    kind: ClassVar[str] = "broken"
    api_version: ClassVar[str | None] = "1.0"

    async def evaluate(self, evidence: Any) -> list[Metric]:
        pairs = pairs_of(evidence, self.decoding, self.kind)
        held = [("." in pair.before.text, "." in pair.after.text) for pair in pairs]
        return self.put(itemised_shares(evidence, "broken", ids(pairs), held))

    def put(self, metrics: list[Metric]) -> list[Metric]:
        return metrics


class Outside(Share):
    """An interval beside its value."""

    def put(self, metrics: list[Metric]) -> list[Metric]:
        return [one.model_copy(update={"low": one.high + 1, "high": one.high + 2}) for one in metrics]


class Twice(Share):
    """Two metrics of one name."""

    def put(self, metrics: list[Metric]) -> list[Metric]:
        return [*metrics, metrics[0]]


class Dishonest(Share):
    """A metric that is not the mean of its items."""

    def put(self, metrics: list[Metric]) -> list[Metric]:
        return [one.model_copy(update={"value": (one.low + one.high) / 2 + 0.001}) for one in metrics]


class FromNothing(Share):
    """Measures where there is nothing."""

    async def evaluate(self, evidence: Any) -> list[Metric]:
        if not evidence.pairs:
            return [Metric(name="broken", of="after", value=1, low=1, high=1, n=1)]
        return await super().evaluate(evidence)


class Moody(Share):
    """Says another thing each time."""

    def put(self, metrics: list[Metric]) -> list[Metric]:
        return [one.model_copy(update={"method": f"the {next(counter)}th"}) for one in metrics]


class Fragile(Share):
    """Raises at an empty answer."""

    async def evaluate(self, evidence: Any) -> list[Metric]:
        for pair in pairs_of(evidence, self.decoding, self.kind):
            pair.after.text[0]
        return await super().evaluate(evidence)


class Judged(Share):
    """Asks a judge whether an answer is right; keeps every clause.

    Attributes:
        judge: who is asked.
    """

    checked_with: ClassVar = {"judge": {"kind": "scripted", "default": "yes"}}

    judge: AnyChatModel

    def models(self) -> tuple[ChatModel, ...]:
        return (self.judge,)

    async def evaluate(self, evidence: Any) -> list[Metric]:
        pairs = pairs_of(evidence, self.decoding, self.kind)
        held = [(await self.right(pair.before), await self.right(pair.after)) for pair in pairs]
        return itemised_shares(evidence, "broken", ids(pairs), held)

    async def right(self, answer: Completion) -> bool | None:
        request = Request(messages=(Message(role="user", content=repr(answer.text)),), max_tokens=8)
        try:
            reply = await ask(self.judge, request)
        except (ModelUnavailable, PromptTooLong):
            return None
        return self.read({"yes": True, "no": False}.get(reply.text if reply.stop == "end" else ""))

    def read(self, verdict: bool | None) -> bool | None:
        return verdict


class Credulous(Judged):
    """Takes whatever is no verdict for a no."""

    def read(self, verdict: bool | None) -> bool | None:
        return bool(verdict)


class Asking(Evaluator):
    """Has the policies answer prompts of its own; keeps every clause."""

    kind: ClassVar[str] = "broken"
    api_version: ClassVar[str | None] = "1.0"

    async def evaluate(self, evidence: Any) -> list[Metric]:
        if evidence.answers is None:
            raise DataError("the policies are not at hand")
        prompts = [Prompt.of(f"What is {number}?") for number in range(9)]
        answers = [await evidence.answers(which, prompts, "sample") for which in ("before", "after")]
        held = [(self.short(before), self.short(after)) for before, after in zip(*answers, strict=True)]
        items = [prompt.id for prompt in prompts]
        return itemised_shares(evidence, "broken", *self.counted(items, held))

    def short(self, answer: Completion | None) -> bool | None:
        return None if answer is None else len(answer.text) < 20

    def counted(self, items: list[str], held: list[Any]) -> tuple[list[str], list[Any]]:
        return items, held


class Forgiving(Asking):
    """Leaves out what was not answered, as if it had not been asked."""

    def counted(self, items: list[str], held: list[Any]) -> tuple[list[str], list[Any]]:
        answered = [place for place, both in enumerate(held) if None not in both]
        return [items[place] for place in answered], [held[place] for place in answered]


class Severe(Asking):
    """Takes no answer for a long one."""

    def short(self, answer: Completion | None) -> bool | None:
        return answer is not None and len(answer.text) < 20
