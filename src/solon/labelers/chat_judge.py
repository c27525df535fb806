"""What all labelers that ask a chat model share: whom they ask, under which principles, how often, and how long."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal, TypeVar, assert_never

from pydantic import NonNegativeInt, PositiveInt

from solon.data.records import Constitution, Failed, Principle, Prompt
from solon.labelers.asking import Answer, asked, too_little_room
from solon.labelers.base import Labeler
from solon.models.base import ChatModel, Reply, Request
from solon.plugins.registry import AnyChatModel

T = TypeVar("T")


class ChatJudge(Labeler):
    """Base of labelers that put their questions to a chat model.

    Attributes:
        judge: the chat model that is asked.
        principles: ``each`` asks one question a principle; ``all`` puts every principle into one question; ``one``
            draws a principle for each prompt, the likelier the greater its weight (as in Bai et al. 2022, where each
            comparison is made under one principle at random).
        seed: of all that is drawn.
        max_tokens: room for one reply; left out, it is as long as the form of the reply needs.
        reasks: how often to ask again for a reply that is cut off or not in the form that was asked for. A local model
            at temperature 0 would say the same again and is not asked.
    """

    judge: AnyChatModel
    principles: Literal["each", "all", "one"] = "each"
    seed: int = 0
    max_tokens: PositiveInt | None = None
    reasks: NonNegativeInt = 2

    def models(self) -> tuple[ChatModel, ...]:
        """The judge."""
        return (self.judge,)

    def problems(self) -> list[str]:
        """The judge's, and that there is no room for what it thinks before it answers."""
        return [*super().problems(), *too_little_room(self.judge, self.longest_reply)]

    @property
    def longest_reply(self) -> int:
        """``max_tokens``, or 1024."""
        return self.max_tokens or 1024

    def groups(self, prompt: Prompt, constitution: Constitution) -> tuple[tuple[Principle, ...], ...]:
        """The principles of each question about this prompt; none when no principle applies to it."""
        applying = tuple(principle for principle in constitution.principles if principle.applies_to(prompt.topic))
        if not applying:
            return ()
        match self.principles:
            case "each":
                return tuple((principle,) for principle in applying)
            case "all":
                return (applying,)
            case "one":
                weights = [principle.weight for principle in applying]
                return ((Random(f"{self.seed}:{prompt.id}").choices(applying, weights)[0],),)
            case _:
                assert_never(self.principles)

    def expected_groups(self, principles: int) -> int:
        """Of how many groups ``groups`` makes so many principles, where all of them apply."""
        return principles if self.principles == "each" else min(principles, 1)

    async def asked(self, request: Request, read: Callable[[Reply], T | Failed]) -> Answer[T]:
        """What the judge says in the end (``solon.labelers.asking``), asked again at most ``reasks`` times."""
        return await asked(self.judge, request, read, reasks=self.reasks)
