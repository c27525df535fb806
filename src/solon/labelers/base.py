"""What a labeler is: a question in, a judgment out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import ClassVar, Protocol, TypeAlias

from pydantic import JsonValue

from solon.data.records import Candidates, Constitution, Judgment, Question
from solon.labelers.together import together
from solon.models.base import ChatModel
from solon.plugins.base import Plugin

Label: TypeAlias = Callable[[Question], Awaitable[Judgment]]
Revise: TypeAlias = Callable[[Judgment], Judgment]


class Account(Protocol):
    """What a labeler has to say about its judgments as a whole: a panel how far its members agree, and so on.

    Its memory must not grow with the number of judgments.
    """

    def add(self, judgments: Sequence[Judgment]) -> None:
        """Counts all judgments on one prompt."""
        ...

    def summary(self) -> dict[str, JsonValue]:
        """What ``run.json`` and the report hold of it; shares and statistics with their n.

        A text under ``note``, where there is one, is what to say in a few words.
        """
        ...


class Labeler(Plugin):
    """Judges completions under a constitution.

    ``label`` answers one question. ``examine`` decides which questions to ask about a prompt's completions; the default
    rates each completion under each principle that applies. Both run many at a time: ask models through
    ``solon.stream.ask``, which gives ledger, retries, limits and budget.
    """

    group: ClassVar[str] = "solon.labelers"
    revises: ClassVar[bool] = False
    """Whether it writes better responses in place of verdicts (``Revised``), on which nobody can vote."""

    @property
    def options(self) -> int:
        """How many completions one question shows: 1 is rated, 2 are compared, 0 is as many as the prompt has."""
        return 1

    @property
    def name(self) -> str:
        """Short name for people and for ``Judgment.labeler``."""
        return ":".join([self.kind, *[model.name for model in self.models()]])

    def models(self) -> tuple[ChatModel, ...]:
        """Every chat model it asks; for prices, plans and warnings about judges that grade their own labels."""
        return ()

    def problems_under(self, constitution: Constitution) -> list[str]:
        """As ``problems``: what would stop it under this constitution, and not under every other.

        Only its own: those of labelers among its settings are asked for themselves.
        """
        del constitution
        return []

    async def label(self, question: Question) -> Judgment:
        """Answers one question. What a judge failed to say is a ``Failed`` outcome, never a number or an exception."""
        raise NotImplementedError(f"labeler {self.kind!r} does not implement label()")

    def questions(self, candidates: Candidates, constitution: Constitution) -> Iterable[Question]:
        """One question a completion and principle that applies."""
        for principle in constitution.principles:
            if principle.applies_to(candidates.prompt.topic):
                for completion in candidates.completions:
                    yield Question(
                        prompt=candidates.prompt,
                        principles=(principle,),
                        options=(completion,),
                        scale=constitution.rating,
                    )

    async def examine(
        self, candidates: Candidates, constitution: Constitution, *, label: Label | None = None
    ) -> tuple[Judgment, ...]:
        """Every judgment on the completions of one prompt, in an order that does not depend on which arrived first.

        Args:
            candidates: the prompt and its completions.
            constitution: what to judge under.
            label: answers each question in place of ``self.label``: how a panel or a cascade asks all of its members
                the questions that its first member would ask.
        """
        questions = self.questions(candidates, constitution)
        return tuple(await together(map(label or self.label, questions)))

    def account(self) -> Account | None:
        """A fresh account of what is peculiar to this kind of labeler; ``None`` when there is nothing to say."""
        return None

    def conclude(self, judgments: Callable[[], Iterator[Judgment]]) -> Revise | None:
        """A last look at all judgments of a stage, for what only all of them together can tell.

        Args:
            judgments: reads them all, in order, each time it is called. Do not hold them: there may be millions.

        Returns:
            What each judgment becomes, or ``None`` when all stay as they are.
        """
        del judgments
        return None

    def expected_questions(self, completions: int, principles: int) -> int:
        """About how many questions ``examine`` asks about one prompt: what ``solon plan`` counts."""
        return completions * principles

    @property
    def longest_reply(self) -> int:
        """The longest reply that it asks of a model for one question, in tokens: what ``solon plan`` counts."""
        return 16
