"""Labelers that break one clause each, and what they are made of, which keeps all."""

# ruff: noqa: D102 - each method is what its class says

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

from solon.plugins import (
    AnyChatModel,
    Candidates,
    ChatModel,
    Constitution,
    Failed,
    Judgment,
    Labeler,
    Message,
    ModelRejected,
    ModelUnavailable,
    PromptTooLong,
    Question,
    Reply,
    Request,
    Scored,
    ask,
)

counter = itertools.count()


class Judge(Labeler):
    """A labeler that keeps every clause.

    Attributes:
        judge: who is asked.
    """

    kind: ClassVar[str] = "broken"
    api_version: ClassVar[str | None] = "1.0"
    checked_with: ClassVar = {"judge": {"kind": "scripted", "default": "yes"}}

    judge: AnyChatModel

    def models(self) -> tuple[ChatModel, ...]:
        return (self.judge,)

    async def reply(self, request: Request) -> Reply:
        return await ask(self.judge, request)

    def failed(self, reply: Reply) -> Any:
        return Failed(reason="unparseable", raw=reply.text)

    def score(self) -> tuple[float, ...]:
        return (1.0,)

    async def label(self, question: Question) -> Any:
        request = Request(messages=(Message(role="user", content=repr(question.options[0].text)),), max_tokens=8)
        try:
            reply = await self.reply(request)
        except (ModelUnavailable, PromptTooLong) as error:
            return question.judged(Failed(reason="unavailable", raw=str(error)), labeler=self.name)
        right = reply.stop == "end" and reply.text == "yes"
        outcome = Scored(scores=self.score()) if right else self.failed(reply)
        return question.judged(outcome, labeler=self.name)


class OutOfRange(Judge):
    """Scores above 1."""

    def score(self) -> tuple[float, ...]:
        return (7.0,)


class Restless(Judge):
    """Says another thing each time."""

    def score(self) -> tuple[float, ...]:
        return (1 / (2 + next(counter)),)


class Inventive(Judge):
    """Makes a number of nonsense."""

    def failed(self, reply: Reply) -> Any:
        return Scored(scores=(0.5,))


class Fragile(Judge):
    """Raises at an empty completion."""

    async def label(self, question: Question) -> Any:
        question.options[0].text.encode()[0]
        return await super().label(question)


class Swallowing(Judge):
    """Goes on after an error that will not heal."""

    async def label(self, question: Question) -> Any:
        try:
            return await super().label(question)
        except ModelRejected as error:
            return question.judged(Failed(reason="unavailable", raw=str(error)), labeler=self.name)


class Bypassing(Judge):
    """Asks past the ledger."""

    async def reply(self, request: Request) -> Reply:
        return await self.judge.complete(request)


class Anonymous(Judge):
    """Names itself as it likes."""

    @property
    def name(self) -> str:
        return "me"


class Modest(Judge):
    """Promises fewer questions than it asks."""

    def expected_questions(self, completions: int, principles: int) -> int:
        return min(1, completions * principles)


class Incognito(Judge):
    """Signs its judgments with another name."""

    async def label(self, question: Question) -> Any:
        return (await super().label(question)).model_copy(update={"labeler": "somebody"})


class Hurried(Judge):
    """Gives judgments as they come."""

    async def examine(self, candidates: Candidates, constitution: Constitution, **_: Any) -> tuple[Judgment, ...]:
        came: list[Judgment] = []

        async def one(question: Question) -> None:
            came.append(await self.label(question))

        await asyncio.gather(*map(one, self.questions(candidates, constitution)))
        return tuple(came)


class Impatient(Judge):
    """Raises where an answer never came."""

    async def label(self, question: Question) -> Any:
        request = Request(messages=(Message(role="user", content="?"),), max_tokens=8)
        await self.reply(request)
        return await super().label(question)


class Lawless(Judge):
    """Judges by nothing where no principle applies."""

    def questions(self, candidates: Candidates, constitution: Constitution) -> Iterator[Question]:
        asked = list(super().questions(candidates, constitution))
        yield from asked or [Question(prompt=candidates.prompt, options=candidates.completions[:1])]


class Pairs(Judge):
    """Compares: a labeler that keeps every clause too."""

    @property
    def options(self) -> int:
        return 2

    def score(self) -> tuple[float, ...]:
        return (0.5, 0.5)

    def expected_questions(self, completions: int, principles: int) -> int:
        return completions * (completions - 1) * principles

    def questions(self, candidates: Candidates, constitution: Constitution) -> Iterator[Question]:
        for principle in constitution.principles:
            if principle.applies_to(candidates.prompt.topic):
                for pair in itertools.combinations(candidates.completions, 2):
                    question = Question(prompt=candidates.prompt, principles=(principle,), options=pair)
                    yield from self.orders(question)

    def orders(self, question: Question) -> tuple[Question, ...]:
        return question, question.reversed()


class OneSided(Pairs):
    """Shows each pair in one order."""

    def orders(self, question: Question) -> tuple[Question, ...]:
        return (question,)
