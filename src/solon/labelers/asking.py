"""One way to ask a judge: its reply is read strictly, and asked for again where that can heal it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar, assert_never

from solon.data.records import Failed, Usage
from solon.errors import ModelUnavailable, PromptTooLong
from solon.models.base import ROOM_TO_REASON, ChatModel, Reply, Request
from solon.stream import ask

T = TypeVar("T")

_NOTHING = Usage()


class Answer(NamedTuple, Generic[T]):
    """What a judge said in the end.

    Attributes:
        outcome: what was read, or why nothing could be.
        text: the reply that counted, or the last one; ``None`` when there was none.
        usage, cost_usd: of all replies, those that were no use included.
    """

    outcome: T | Failed
    text: str | None
    usage: Usage
    cost_usd: float


async def asked(judge: ChatModel, request: Request, read: Callable[[Reply], T | Failed], *, reasks: int) -> Answer[T]:
    """Asks until the reply can be read, at most ``1 + reasks`` times.

    A reply that is cut off or holds no verdict is asked for again from a model that may answer differently: one behind
    a network, or any at a temperature above 0. What refuses, or was filtered, is not pressed.

    Args:
        judge: the model.
        request: its first attempt; each further one has its own key in the ledger.
        read: the verdict in a reply that was neither refused nor filtered, or ``Failed``.
        reasks: how often to ask again.

    Raises:
        ModelRejected, ModelDown, BudgetReached: as ``solon.stream.ask``; the stage stops.
    """
    usage, cost = _NOTHING, 0.0
    may_heal = judge.remote or request.temperature > 0
    last = reasks if may_heal else 0
    text: str | None = None
    attempt = 0
    while True:
        try:
            reply = await ask(judge, request)
        except ModelUnavailable as error:
            reason = "malformed" if error.malformed else "unavailable"
            return Answer(Failed(reason=reason, raw=str(error)), text, usage, cost)
        except PromptTooLong as error:
            return Answer(Failed(reason="too_long", raw=str(error)), text, usage, cost)
        usage = usage + reply.usage if attempt else reply.usage
        cost, text = cost + judge.cost_of(reply), reply.text
        match reply.stop:
            case "refused" | "filtered":
                return Answer(Failed(reason=reply.stop, raw=reply.text), text, usage, cost)
            case "end" | "length":
                outcome = read(reply)
            case _:
                assert_never(reply.stop)
        if attempt == last or not isinstance(outcome, Failed):
            return Answer(outcome, text, usage, cost)
        attempt += 1
        request = request.model_copy(update={"attempt": attempt})


def too_little_room(model: ChatModel, max_tokens: int) -> list[str]:
    """What to say of a model that would be cut off while it still thinks; nothing of any other."""
    if not model.reasons or max_tokens >= ROOM_TO_REASON:
        return []
    problem = (
        f"{model.name} reasons before it answers, and would be cut off at {max_tokens} tokens, its thoughts included. "
        "Set `max_tokens: 1000` beside it, or turn its reasoning off where that can be done"
    )
    return [problem]
