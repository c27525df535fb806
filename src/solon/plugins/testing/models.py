"""The clauses of chat models: one attempt a call, errors of two kinds, and a description that is its identity."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from solon.data.records import Message
from solon.errors import ModelError, ModelRejected, ModelUnavailable
from solon.models.base import ChatModel, Reply, Request
from solon.plugins.testing.asking import Behind, stream
from solon.plugins.testing.clauses import Broken, Clause, Unchecked, clause, raised, some
from solon.plugins.testing.material import HOSTILE
from solon.plugins.testing.served import Fault
from solon.plugins.testing.settings import ALL
from solon.plugins.testing.subject import CANARY, Subject
from solon.stream import ask

T = TypeVar("T")


class ModelSubject(Subject[ChatModel]):
    """A chat model and what it replies."""

    @cached_property
    def reply(self) -> Reply:
        """Its reply to a question, through a stream of its own."""
        return self.through_a_stream(lambda model: ask(model, asked("Say hello.")))

    def through_a_stream(self, deed: Callable[[ChatModel], Awaitable[T]]) -> T:
        """What ``deed`` gives for the model, which is closed afterwards."""

        async def work() -> T:
            async with stream([self.plugin]):
                return await deed(self.plugin)

        return asyncio.run(work())

    def alone(self, request: Request) -> Reply:
        """One attempt, without a stream around it."""

        async def work() -> Reply:
            try:
                return await self.plugin.complete(request)
            finally:
                await self.plugin.aclose()

        return asyncio.run(work())


def asked(text: str, **settings: Any) -> Request:
    """A request of a single user turn."""
    return Request(messages=(Message(role="user", content=text),), **{"max_tokens": 16, **settings})


MODELS: list[Clause[Any]] = [*ALL]


@clause(MODELS, "model-answers", "answers with a text, why it ended, and its tokens", "all else is made of replies")
def _answers(subject: ModelSubject) -> None:
    reply = subject.reply
    if not isinstance(reply, Reply):
        raise Broken(expected="a solon.plugins.Reply", happened=type(reply).__name__, remedy="return Reply(text=...)")
    if not reply.usage.input_tokens:
        raise Broken(
            expected="the tokens that were read and written",
            happened=reply.usage,
            remedy="fill Reply.usage from what the server says; where it says nothing, Usage(..., estimated=True)",
        )


@clause(MODELS, "model-max-tokens", "writes no more than max_tokens, and says when it was cut off", "limits and prices")
def _max_tokens(subject: ModelSubject) -> None:
    reply = subject.through_a_stream(lambda model: ask(model, asked("Count to a hundred.", max_tokens=1)))
    if reply.usage.output_tokens > 1 and not reply.usage.estimated:
        raise Broken(
            expected="at most 1 token at max_tokens=1",
            happened=f"{reply.usage.output_tokens} tokens: {reply.text!r}",
            remedy="pass request.max_tokens on, and stop='length' where the reply was cut off",
        )


@clause(MODELS, "model-repeats", "says the same to the same request, seed and all", "a run is repeated from its recipe")
def _repeats(subject: ModelSubject) -> None:
    if subject.plugin.remote and subject.server is None:
        raise Unchecked("it is behind a network, where nobody can promise it")

    async def twice(model: ChatModel) -> list[Reply]:
        return [await model.complete(asked("Say hello.", temperature=1.0, seed=7)) for _ in range(2)]

    first, second = subject.through_a_stream(twice)
    if first.text != second.text:
        raise Broken(
            expected="the same text for the same messages, temperature and seed",
            happened=f"{first.text!r}, then {second.text!r}",
            remedy="draw every random number from request.seed (and request.attempt)",
        )


@clause(MODELS, "model-many", "answers many requests at once, each with its own reply", "stages ask so")
def _many(subject: ModelSubject) -> None:
    requests = [asked(f"Repeat the number {number}.", seed=number) for number in range(24)]

    async def one_by_one(model: ChatModel) -> list[str]:
        return [(await model.complete(request)).text for request in requests]

    async def together(model: ChatModel) -> list[str]:
        return [reply.text for reply in await asyncio.gather(*(ask(model, request) for request in requests))]

    alone, at_once = subject.through_a_stream(one_by_one), subject.through_a_stream(together)
    if subject.plugin.remote and subject.server is None:
        return
    if differing := [place for place, (a, b) in enumerate(zip(alone, at_once, strict=True)) if a != b]:
        place = differing[0]
        raise Broken(
            expected=f"the same reply to request {place} alone and among others: {alone[place]!r}",
            happened=at_once[place],
            remedy="keep nothing of one request where another finds it, and give complete_batch's replies in order",
        )


@clause(MODELS, "model-choices", "gives log-probabilities of choices, or none", "judges are measured by them")
def _choices(subject: ModelSubject) -> None:
    reply = subject.through_a_stream(lambda model: ask(model, asked("A or B?", choices=("A", "B"))))
    if reply.choices is None:
        return
    if not set(reply.choices) <= {"A", "B"} or not all(math.isfinite(v) and v <= 0 for v in reply.choices.values()):
        raise Broken(
            expected="natural logarithms, none above 0, of the choices that were asked for",
            happened=reply.choices,
            remedy="leave out what was not asked for, and Reply.choices=None where the model cannot say",
        )


@clause(MODELS, "model-hostile", "answers or raises a ModelError whatever it is asked", "prompts hold anything")
def _hostile(subject: ModelSubject) -> None:
    for what, text in HOSTILE.items():
        try:
            subject.alone(asked(text))
        except ModelError:
            continue
        except Exception as error:
            raise Broken(
                expected=f"a reply or a ModelError, where a message is {what}",
                happened=raised(error),
                remedy="raise ModelRejected (or PromptTooLong) from what the request cannot be written or read as",
            ) from error


_HEALS: dict[Fault, bool] = {
    "overloaded": True,
    "forbidden": False,
    "web page": True,
    "broken": True,
    "empty": True,
    "hangs up": True,
}


@clause(MODELS, "model-errors", "tells errors that may heal from those that will not", "retries and stops go by it")
def _errors(subject: ModelSubject) -> None:
    subject.plugin  # noqa: B018 - starts the server
    if subject.server is None:
        raise Unchecked("it asks no server of this machine: state `checked_with: ClassVar = Served(...)`")
    for fault, heals in _HEALS.items():
        subject.server.fault = fault
        try:
            reply = subject.alone(asked("Say hello."))
        except ModelUnavailable:
            right, happened = heals, "ModelUnavailable"
        except ModelRejected:
            right, happened = not heals, "ModelRejected"
        except Exception as error:  # noqa: BLE001 - a foreign model may raise anything
            right, happened = False, raised(error)
        else:
            right, happened = False, f"the reply {reply.text!r}"
        finally:
            subject.server.fault = None
        if not right:
            raise Broken(
                expected=f"{'ModelUnavailable' if heals else 'ModelRejected'}, where the server is {fault!r}",
                happened=happened,
                remedy="catch what the client raises around the call: 401, 403 and 404 reject; a time-out, a reset, "
                "429, 5xx and an answer that is no reply (malformed=True) may heal",
            )


@clause(MODELS, "model-one-attempt", "tries once a call", "retries, limits and budgets are the stream's")
def _one_attempt(subject: ModelSubject) -> None:
    subject.plugin  # noqa: B018 - starts the server
    if subject.server is None:
        raise Unchecked("it asks no server of this machine")
    subject.server.fault, before = "overloaded", subject.server.asked
    try:
        subject.alone(asked("Say hello."))
    except ModelUnavailable:
        pass
    finally:
        subject.server.fault = None
    if (sent := subject.server.asked - before) > 1:
        raise Broken(
            expected="one request for one call of complete()",
            happened=f"{sent} requests",
            remedy="switch the client's own retries off (max_retries=0)",
        )


@clause(
    MODELS,
    "model-identity",
    "describes what changes a reply, without keys and paths",
    "the ledger goes by it",
)
def _identity(subject: ModelSubject) -> None:
    described = subject.plugin.describe()
    try:
        json.dumps(described, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Broken(
            expected="describe() of plain JSON values", happened=error, remedy="use texts and numbers"
        ) from error
    private = {str(Path.home()), tempfile.gettempdir(), CANARY}
    if found := [value for value in _texts(described) if any(part in value for part in private)]:
        raise Broken(
            expected="no key and no path of this machine",
            happened=some(found),
            remedy="say what the weights are (a hash, a name and version), and leave keys and folders out",
        )
    if subject.plugin.describe() != described:
        raise Broken(
            expected="the same description twice", happened=subject.plugin.describe(), remedy="describe settings alone"
        )
    name = getattr(subject.plugin, "model", None)
    if subject.plugin.remote and isinstance(name, str):
        other = subject.plugin.model_copy(update={"model": f"{name}-of-another-kind"})
        if other.describe() == described:
            raise Broken(
                expected="another description where `model` is another",
                happened="the same, so that the ledger takes one model's replies for the other's",
                remedy="put every setting that may change a reply into describe()",
            )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


@clause(MODELS, "model-ledger", "is found again in the ledger by itself in another process", "paid for once")
def _ledger(subject: ModelSubject) -> None:
    counts = []
    for _ in range(2):
        again = subject.cls.model_validate({k: v for k, v in subject.plugin.settings().items() if k != "kind"})
        behind = Behind(inner=again)

        async def work(model: Behind = behind) -> None:
            async with stream([model], subject.folder / "ledger.sqlite"):
                await ask(model, asked("Say hello.", seed=1))

        asyncio.run(work())
        counts.append(len(behind.calls))
    if counts != [1, 0]:
        raise Broken(
            expected="one call, then the reply from the ledger",
            happened=f"{counts[0]} call, then {counts[1]}",
            remedy="let describe() be the same for the same settings",
        )


@clause(MODELS, "model-closes", "can be closed twice and asked again afterwards", "each stage closes its models")
def _closes(subject: ModelSubject) -> None:
    async def work() -> None:
        try:
            for _ in range(2):
                await subject.plugin.complete(asked("Say hello."))
                await subject.plugin.aclose()
                await subject.plugin.aclose()
        finally:
            await subject.plugin.aclose()

    try:
        asyncio.run(work())
    except Exception as error:
        raise Broken(
            expected="aclose() twice, then another reply",
            happened=raised(error),
            remedy="open connections when they are needed, and forget them in aclose()",
        ) from error
