"""Chat models that are put in place of a plugin's own, to see how it takes what a model does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, PrivateAttr

from solon.ledger import Ledger
from solon.models.base import ChatModel, Reply, Request
from solon.models.scripted import Line, Scripted
from solon.plugins.base import Plugin
from solon.stream import Retries, Stream

P = TypeVar("P", bound=Plugin)

NONSENSE = (
    Line(when="", say="I would rather not say."),
    Line(when="", say=""),
    Line(when="", say="It is", stop="length"),
    Line(when="", say="I cannot help with that.", stop="refused"),
)
"""Replies without a verdict."""
CUT_OFF = NONSENSE[2:]
"""Those of them that are no text to go on with either."""


class Behind(ChatModel):
    """Answers as another model does, counts the calls that reach it, and lets replies arrive in another order.

    Attributes:
        inner: the model.
        backwards: whether a call that comes later is answered earlier.
    """

    kind: ClassVar[str] = "contract_behind"

    inner: Any
    backwards: bool = False

    _calls: list[Request] = PrivateAttr(default_factory=list)

    @property
    def name(self) -> str:
        """As the model's."""
        return str(self.inner.name)

    @property
    def max_in_flight(self) -> int:
        """Enough for calls to overtake each other."""
        return 64

    @property
    def calls(self) -> Sequence[Request]:
        """All that reached it."""
        return self._calls

    def describe(self) -> dict[str, object]:
        """As the model: the ledger holds them for one."""
        described: dict[str, object] = self.inner.describe()
        return described

    async def complete(self, request: Request) -> Reply:
        """The model's reply, after the replies to a few of the calls that come later."""
        self._calls.append(request)
        if self.backwards:
            for _ in range(max(0, 40 - 7 * (len(self._calls) % 6))):
                await asyncio.sleep(0)
        reply: Reply = await self.inner.complete(request)
        return reply

    async def aclose(self) -> None:
        """Closes the model."""
        await self.inner.aclose()


def saying(line: Line) -> Callable[[ChatModel], ChatModel]:
    """A model of the same name that says one thing to everything."""
    return lambda model: Scripted(replies=(line,), model=model.name)


def with_models(plugin: P, put: Callable[[ChatModel], ChatModel]) -> tuple[P, list[ChatModel]]:
    """The plugin with other chat models in its settings, at any depth, and these models in their order."""
    made: list[ChatModel] = []

    def other(value: Any) -> Any:
        if isinstance(value, ChatModel):
            made.append(put(value))
            return made[-1]
        if isinstance(value, BaseModel):
            changed = {
                name: new
                for name in type(value).model_fields
                if (new := other(getattr(value, name))) is not getattr(value, name)
            }
            return value.model_copy(update=changed) if changed else value
        if isinstance(value, list | tuple):
            new = [other(item) for item in value]
            return value if all(a is b for a, b in zip(new, value, strict=True)) else type(value)(new)
        if isinstance(value, dict):
            new_values = {name: other(item) for name, item in value.items()}
            return value if all(new_values[name] is item for name, item in value.items()) else new_values
        return value

    return other(plugin), made


@asynccontextmanager
async def stream(models: Sequence[ChatModel] = (), ledger: Path | None = None) -> AsyncIterator[Stream]:
    """What questions go through, with retries that do not wait. Models are closed at its end."""
    retries = Retries(tries=2, first_wait_s=0, quick_wait_s=0)
    try:
        if ledger is None:
            async with Stream(None, run="contract", stage="label", retries=retries) as open_stream:
                yield open_stream
        else:
            with Ledger.open(ledger) as opened:
                async with Stream(opened, run="contract", stage="label", retries=retries) as open_stream:
                    yield open_stream
    finally:
        for model in models:
            await model.aclose()
