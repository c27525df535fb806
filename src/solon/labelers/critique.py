"""Critique and revision: a model finds what is wrong with a response under a principle, and writes a better one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random
from typing import ClassVar, Literal, TypeAlias, assert_never, get_args

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Message,
    Principle,
    Prompt,
    Question,
    Revised,
    Revision,
    Usage,
    digest,
)
from solon.labelers.asking import Answer, asked, too_little_room
from solon.labelers.base import Labeler
from solon.labelers.neutral import neutral, original
from solon.labelers.prompt import fill, template
from solon.models.base import ChatModel, Reply, Request
from solon.plugins.registry import AnyChatModel

Step: TypeAlias = Literal["critique", "revision"]
_STEPS: tuple[Step, ...] = get_args(Step)


class Critique(Labeler):
    """Has responses critiqued and revised: the first stage of constitutional AI.

    In each round the model is shown the conversation with the response as its own, is asked to critique it under one
    principle, and then to revise it (Bai et al. 2022, arXiv:2212.08073, section 3.1). The next round begins at the
    revision. A principle asks with its own ``critique`` and ``revision`` texts, or by its ``text`` where it has none.
    The last revision is a response to imitate, and is preferred to the original.

    Attributes:
        model: the chat model that critiques and revises: the policy itself, as in the paper, or a better one.
        rounds: critiques and revisions of each response, one after another.
        completions: which responses of a prompt are revised: ``first``, ``all``, or the first so many. Responses with
            the same text are one.
        seed: of the principles drawn for each prompt, response and round, the likelier the greater their weights and
            none again before all were drawn; and of what the model writes.
        temperature: of critiques and revisions; 0 is greedy.
        max_tokens: room for one critique, and for one revision.
        reasks: how often to ask again for one that is cut off or empty. A local model at temperature 0 would say the
            same again and is not asked.
    """

    kind: ClassVar[str] = "critique"
    revises: ClassVar[bool] = True

    model: AnyChatModel
    rounds: PositiveInt = 1
    completions: Literal["first", "all"] | PositiveInt = "first"
    seed: int = 0
    temperature: NonNegativeFloat = 0.7
    max_tokens: PositiveInt = 1024
    reasks: NonNegativeInt = 2

    def models(self) -> tuple[ChatModel, ...]:
        """The model."""
        return (self.model,)

    def questions(self, candidates: Candidates, constitution: Constitution) -> Iterable[Question]:
        """One question a response that is revised, under the principles that were drawn for it, in their order."""
        applying = [one for one in constitution.principles if one.applies_to(candidates.prompt.topic)]
        if not applying:
            return
        distinct: dict[str, Completion] = {}
        for completion in candidates.completions:
            distinct.setdefault(completion.text, completion)
        for completion in islice(distinct.values(), self._revised(len(distinct))):
            principles = self._drawn(candidates.prompt, completion, applying)
            yield Question(
                prompt=candidates.prompt, principles=principles, options=(completion,), scale=constitution.rating
            )

    def expected_questions(self, completions: int, principles: int) -> int:
        """Requests, at most: a critique and a revision, each round of each response."""
        return 2 * self.rounds * self._revised(completions) if principles else 0

    def problems(self) -> list[str]:
        """The model's, and that there is no room for what it thinks before it answers."""
        return [*super().problems(), *too_little_room(self.model, self.max_tokens)]

    @property
    def longest_reply(self) -> int:
        """``max_tokens``."""
        return self.max_tokens

    async def label(self, question: Question) -> Judgment:
        """Revises one response, a principle of the question each round, from the first again after the last.

        Raises:
            ValueError: the question has more than one option, or no principle.
            ModelRejected, ModelDown: the model is not there; the stage stops.
        """
        if len(question.options) != 1 or not question.principles:
            raise ValueError("a question for a critique has 1 option and a principle or more")
        (response,) = question.options
        if not response.text.strip():
            # providers refuse a turn without text, and would stop the stage for it
            empty = Failed(reason="error", raw="the response is empty: there is nothing to revise")
            return question.judged(empty, labeler=self.name)
        answers: list[Answer[str]] = []
        rounds: list[Revision] = []
        outcome: Revised | Failed
        for number in range(self.rounds):
            made = await self._round(question, rounds[-1].revision if rounds else response.text, number, answers)
            if isinstance(made, Failed):
                outcome = made
                break
            rounds.append(made)
        else:
            last = Completion(
                text=rounds[-1].revision,
                model=self.model.name,
                seed=self._seed(question, self.rounds - 1, "revision"),
                temperature=self.temperature,
                usage=answers[-1].usage,
            )
            outcome = Revised(completion=last, rounds=tuple(rounds))
        return question.judged(
            outcome,
            labeler=self.name,
            usage=sum((answer.usage for answer in answers), Usage()),
            cost_usd=math.fsum(answer.cost_usd for answer in answers),
        )

    async def _round(self, question: Question, text: str, number: int, answers: list[Answer[str]]) -> Revision | Failed:
        """Critiques and revises ``text``; what the model answered is added to ``answers``."""
        principle = question.principles[number % len(question.principles)]
        conversation = [*question.prompt.messages, Message(role="assistant", content=text)]
        said = []
        for step in _STEPS:
            conversation.append(Message(role="user", content=_request(principle, step)))
            answer = await self._answer(conversation, self._seed(question, number, step))
            answers.append(answer)
            if isinstance(answer.outcome, Failed):
                raw = f"round {number + 1}, {step}: {answer.outcome.raw}"
                return Failed(reason=answer.outcome.reason, raw=raw)
            conversation.append(Message(role="assistant", content=answer.outcome))
            said.append(answer.outcome)
        critique, revision = said
        return Revision(principle=principle.id, critique=critique, revision=revision)

    async def _answer(self, conversation: list[Message], seed: int) -> Answer[str]:
        """What the model says next. It sees tokens of chat templates broken, and what it copies of them is mended."""
        shown = tuple(turn.model_copy(update={"content": neutral(turn.content)}) for turn in conversation)
        # where nothing was broken, a backslash in the reply is the model's own
        mended = original if any(one != other for one, other in zip(shown, conversation, strict=True)) else str

        def read(reply: Reply) -> str | Failed:
            if reply.stop == "length":
                return Failed(reason="truncated", raw=reply.text)
            return mended(reply.text.strip()) or Failed(reason="unparseable", raw="the reply is empty")

        request = Request(messages=shown, temperature=self.temperature, max_tokens=self.max_tokens, seed=seed)
        return await asked(self.model, request, read, reasks=self.reasks)

    def _seed(self, question: Question, number: int, step: Step) -> int:
        """31 bits that depend on the setting, the response and the round alone."""
        return int(digest([self.seed, question.prompt.id, question.options[0].id, number, step])[:8], 16) & 0x7FFFFFFF

    def _revised(self, completions: int) -> int:
        """How many of so many different responses are revised."""
        match self.completions:
            case "first":
                return min(1, completions)
            case "all":
                return completions
            case int():
                return min(self.completions, completions)
            case _:
                assert_never(self.completions)

    def _drawn(self, prompt: Prompt, completion: Completion, principles: Sequence[Principle]) -> tuple[Principle, ...]:
        """As many principles as there are rounds, or all in the order of their draw when they are fewer."""
        rng = Random(f"{self.seed}:{prompt.id}:{completion.id}")
        left = list(principles)
        drawn: list[Principle] = []
        while left and len(drawn) < self.rounds:
            (number,) = rng.choices(range(len(left)), [principle.weight for principle in left])
            drawn.append(left.pop(number))
        return tuple(drawn)


def _request(principle: Principle, step: Step) -> str:
    """How the model is asked for a critique, or for a revision."""
    match step:
        case "critique":
            own, general, request = principle.critique, "critique_general", "critique_request"
        case "revision":
            own, general, request = principle.revision, "critique_revision_general", "critique_revision_request"
        case _:
            assert_never(step)
    asks = own.strip() if own else fill(template(general), principle=principle.text.strip())
    return fill(template(request), request=asks)
