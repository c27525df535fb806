"""What a labeler is: a question in, a judgment out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from solon.data.records import Candidates, Constitution, Judgment, Question
from solon.models.base import ChatModel
from solon.plugins.base import Plugin


class Labeler(Plugin):
    """Judges completions under a constitution.

    ``label`` answers one question. ``examine`` decides which questions to ask about a prompt's completions; the default
    rates each completion under each principle that applies. Both run many at a time: ask models through
    ``solon.stream.ask``, which gives ledger, retries, limits and budget.
    """

    group: ClassVar[str] = "solon.labelers"
    options: ClassVar[int] = 1
    """How many completions one question shows: 1 is rated, 2 are compared, more are ranked."""

    @property
    def name(self) -> str:
        """Short name for people and for ``Judgment.labeler``."""
        return ":".join([self.kind, *(model.name for model in self.models())])

    def models(self) -> tuple[ChatModel, ...]:
        """Every chat model it asks; for prices, plans and warnings about judges that grade their own labels."""
        return ()

    async def label(self, question: Question) -> Judgment:
        """Answers one question. What a judge failed to say is a ``Failed`` outcome, never a number or an exception."""
        raise NotImplementedError(f"labeler {self.kind!r} does not implement label()")

    def questions(self, candidates: Candidates, constitution: Constitution) -> Iterable[Question]:
        """One question a completion and principle that applies."""
        for principle in constitution.principles:
            if principle.applies_to(candidates.prompt.topic):
                for completion in candidates.completions:
                    yield Question(prompt=candidates.prompt, principles=(principle,), options=(completion,))

    async def examine(self, candidates: Candidates, constitution: Constitution) -> tuple[Judgment, ...]:
        """Every judgment on the completions of one prompt, in an order that does not depend on which arrived first."""
        questions = self.questions(candidates, constitution)
        return tuple(await asyncio.gather(*(self.label(question) for question in questions)))

    def expected_questions(self, completions: int, principles: int) -> int:
        """About how many questions ``examine`` asks about one prompt: what ``solon plan`` counts."""
        return completions * principles

    @property
    def longest_reply(self) -> int:
        """The longest reply that it asks of a model for one question, in tokens: what ``solon plan`` counts."""
        return 16
