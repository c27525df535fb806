"""``scripted``: a chat model that says what it was told to. The fake that ships, for your tests as for ours.

kind: scripted
replies:
- {when: "capital of Arkania", say: "Arka", choices: {A: -0.1, B: -2.3}}
- {when: "poison", fault: unavailable}
default: "I do not know."
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, assert_never

from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveInt, PrivateAttr, field_validator
from pydantic.json_schema import SkipJsonSchema

from solon.data.records import StopReason, Usage
from solon.errors import ModelRejected, ModelUnavailable, PromptTooLong
from solon.models.base import ChatModel, Price, Reply, Request
from solon.plugins.base import Settings

ScriptedFault = Literal["unavailable", "throttled", "rejected", "too_long"]


class Line(Settings):
    """What is said, and to what.

    Attributes:
        when: said to every conversation in which this text occurs; a line without it is said once, in its turn.
        say: the reply.
        choices: the log-probability of each choice as the first token, for requests that ask for choices.
        stop: why the reply ended.
        fault: fail like this in place of a reply.
        heals_after: the fault comes only the first so many times that the same request is asked; always when left out.
        retry_after: seconds that an ``unavailable`` or ``throttled`` fault asks to wait.
    """

    when: str | None = None
    say: str = ""
    choices: dict[str, float] | None = None
    stop: StopReason = "end"
    fault: ScriptedFault | None = None
    heals_after: PositiveInt | None = None
    retry_after: NonNegativeFloat | None = None


class Scripted(ChatModel):
    """Says what its script says, costs what it is told to cost, and remembers what it was asked (``seen``).

    The script is the first of these that has something to say: ``answer``, a function (Python only); the first of the
    ``replies`` with a ``when`` that occurs in the conversation; the next of the ``replies`` without ``when``, each once
    and in order; ``default``. Where none has, the request is rejected with what it was.

    A script with turns says other things when a run is resumed, since what the ledger knows is not asked again; one
    with ``when`` or ``answer`` alone does not.

    Attributes:
        replies: lines; a text is short for a line without ``when``, and a mapping for lines of ``when: say``.
        default: the reply to all else.
        answer: a function from the request to its reply, or to the text of it; may raise what a model may raise.
        model: its name.
        remote: whether it passes for a model behind a network, whose requests are journalled and charged.
        price: for tests of budgets; without one, a remote model's price is not known.
        concurrency: how many requests may be under way at once.
        batch_size: how many requests it takes at once.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, validate_by_name=True, validate_by_alias=True)
    kind: ClassVar[str] = "scripted"

    replies: tuple[Line, ...] = ()
    default: str | None = None
    answer: SkipJsonSchema[Callable[[Request], Reply | str] | None] = None
    model: str = "scripted"
    over_a_network: bool = Field(default=False, alias="remote")
    price: Price | None = None
    concurrency: PositiveInt = 1
    batch_size: PositiveInt = 1

    _seen: list[Request] = PrivateAttr(default_factory=list)
    _asked: Counter[str] = PrivateAttr(default_factory=Counter)
    _turn: int = PrivateAttr(default=0)

    @field_validator("replies", mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return [{"when": when, "say": say} for when, say in value.items()]
        if isinstance(value, list | tuple):
            return [{"say": line} if isinstance(line, str) else line for line in value]
        return value

    @property
    def seen(self) -> Sequence[Request]:
        """Every request that was made of this object, faults included, in order."""
        return tuple(self._seen)

    @property
    def name(self) -> str:
        """``model``."""
        return self.model

    @property
    def remote(self) -> bool:
        """As set."""
        return self.over_a_network

    @property
    def max_in_flight(self) -> int:
        """``concurrency``."""
        return self.concurrency

    @property
    def requests_in_a_batch(self) -> int:
        """``batch_size``."""
        return self.batch_size

    def cost(self) -> Price | None:
        """``price``; without one, nothing for a model that passes for a local one."""
        return self.price if self.price is not None or self.remote else Price(input=0, output=0)

    def settings(self) -> dict[str, Any]:
        """As for every plugin; a function appears by its name, since its address changes from run to run."""
        plain = super().settings()
        if self.answer is not None:
            name = getattr(self.answer, "__qualname__", type(self.answer).__qualname__)
            plain["answer"] = f"{self.answer.__module__}.{name}"
        return plain

    def describe(self) -> dict[str, object]:
        """The script and the name. Not the price, nor how many are asked at once: they change no reply."""
        changes_no_reply = {"remote", "price", "concurrency", "batch_size"}
        return {name: value for name, value in self.settings().items() if name not in changes_no_reply}

    async def complete(self, request: Request) -> Reply:
        """The scripted reply, or the scripted fault. Tokens are counted as one for four characters, rounded up."""
        self._seen.append(request)
        said = self._say(request)
        if isinstance(said, Reply):
            return said
        usage = Usage(
            input_tokens=sum(_tokens(message.content) for message in request.messages), output_tokens=_tokens(said.say)
        )
        choices = said.choices if request.choices else None
        return Reply(text=said.say, stop=said.stop, usage=usage, model=self.model, choices=choices)

    def _say(self, request: Request) -> Reply | Line:
        if self.answer is not None:
            answer = self.answer(request)
            return answer if isinstance(answer, Reply) else Line(say=answer)
        conversation = "\n".join(message.content for message in request.messages)
        for line in self.replies:
            if line.when is not None and line.when in conversation:
                self._fail(line, request)
                return line
        turns = [line for line in self.replies if line.when is None]
        if self._turn < len(turns):
            line = turns[self._turn]
            self._fail(line, request)
            self._turn += 1
            return line
        if self.default is not None:
            return Line(say=self.default)
        raise ModelRejected(f"the script of {self.model!r} has nothing to say to {conversation[-200:]!r}")

    def _fail(self, line: Line, request: Request) -> None:
        """Raises the line's fault, if it has one that has not healed for this request."""
        if line.fault is None:
            return
        self._asked[request.id] += 1
        if line.heals_after is not None and self._asked[request.id] > line.heals_after:
            return
        match line.fault:
            case "unavailable":
                raise ModelUnavailable("scripted: unavailable", retry_after=line.retry_after)
            case "throttled":
                raise ModelUnavailable("scripted: throttled", retry_after=line.retry_after, throttled=True)
            case "rejected":
                raise ModelRejected("scripted: rejected")
            case "too_long":
                raise PromptTooLong("scripted: the prompt is too long")
            case _:
                assert_never(line.fault)


def _tokens(text: str) -> int:
    return -(-len(text) // 4)
