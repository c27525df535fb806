"""Conversations as the libraries hold them, read into solon's messages; and what their rows are made of."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from solon.data.artifacts import is_text
from solon.data.records import Demonstration, Message, Preference, Prompt, Provenance, Rating, Task
from solon.interchange.shapes import Found, LeftOut, Unreadable, Values

_ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
_TOOLS = {"tool", "function", "function_call", "observation", "ipython", "tool_call", "tool_response"}
_CALLS = ("tool_calls", "tool_call_id", "function_call")
_NAMES = (("role", "content"), ("from", "value"))

Turns = tuple[Message, ...]


def is_message(value: Any) -> bool:
    """Whether it is an object with a role and what was said."""
    return isinstance(value, Mapping) and any(role in value for role, _ in _NAMES)


def is_conversation(value: Any) -> bool:
    """Whether it is a list of messages, or one as JSON in a cell of a CSV file."""
    return bool(_turns(value))


def is_whole(value: Any) -> bool:
    """Whether it is a conversation of more than a response: with what that answers."""
    return len(_turns(value)) > 1


def ends_with(value: Any, role: str) -> bool:
    """Whether the last turn of a conversation is somebody's."""
    turns = _turns(value)
    return bool(turns) and _said_by(turns[-1]) == role


def begins_with(value: Any, role: str) -> bool:
    """Whether the first turn of a conversation is somebody's."""
    turns = _turns(value)
    return bool(turns) and _said_by(turns[0]) == role


def _turns(value: Any) -> list[Mapping[str, Any]]:
    """The messages of a conversation, none where it is no conversation."""
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        value = _from_json(value)
    return value if isinstance(value, list) and all(is_message(turn) for turn in value) else []


def _said_by(turn: Mapping[str, Any]) -> str | None:
    role = next(turn[name] for name, _ in _NAMES if name in turn)
    return _ROLES.get(role) if isinstance(role, str) else None


def conversation(value: Any) -> Turns:
    """The messages of a conversation, or of a text, which a user says."""
    if isinstance(value, str) and is_conversation(value):
        value = _from_json(value)
    if isinstance(value, str):
        return (Message(role="user", content=checked(value)),)
    if not isinstance(value, list):
        raise Unreadable("a conversation is a text, or a list of messages with role and content")
    return tuple(message(turn) for turn in value)


def message(turn: Any) -> Message:
    """One turn, with ``role`` and ``content`` or with ``from`` and ``value``."""
    names = next((pair for pair in _NAMES if isinstance(turn, Mapping) and pair[0] in turn), None)
    if names is None:
        raise Unreadable("a message needs role and content, or from and value")
    role, content = turn[names[0]], turn.get(names[1])
    if not isinstance(role, str):
        raise Unreadable(f"a role is a text: one of {', '.join(_ROLES)}")
    if role in _TOOLS or any(turn.get(call) for call in _CALLS):
        raise LeftOut("tools")
    if role not in _ROLES:
        raise Unreadable(f"role {role!r} is unknown: it is one of {', '.join(_ROLES)}")
    if isinstance(content, list):
        raise LeftOut("media")
    if content is None and _ROLES[role] != "system":
        raise LeftOut("no_response" if _ROLES[role] == "assistant" else "empty_prompt")
    if not isinstance(content, str):
        raise Unreadable("the content of a message is not a text")
    return Message(role=_ROLES[role], content=checked(content))


def response(value: Any) -> tuple[Turns, str]:
    """What a cell answers, where it holds that too, and the response itself."""
    if value is None:
        raise LeftOut("no_response")
    if isinstance(value, str) and not is_conversation(value):
        return (), checked(value)
    turns = (message(value),) if isinstance(value, Mapping) else conversation(value)
    if not turns:
        raise LeftOut("no_response")
    if turns[-1].role != "assistant":
        raise Unreadable(f"a response is the assistant's, and the last message is from {turns[-1].role!r}")
    return turns[:-1], turns[-1].content


def with_system(values: Values, column: str, turns: Turns) -> Turns:
    """The conversation under the system message that stands in a column of its own."""
    text = values.get(column)
    if not text:
        return turns
    if not isinstance(text, str):
        raise Unreadable(f"column {column!r}: a system message is a text")
    return (Message(role="system", content=checked(text)), *turns)


def prompt(turns: Turns, *, topic: str | None = None, reference: str | None = None) -> Prompt:
    """What is to be answered."""
    if not turns or not any(turn.content.strip() for turn in turns if turn.role == "user"):
        raise LeftOut("empty_prompt")
    if turns[-1].role != "user":
        raise LeftOut("order")
    return Prompt(messages=turns, topic=topic, reference=reference)


def checked(text: str) -> str:
    """The text; refused where it is none."""
    if not is_text(text):
        raise LeftOut("malformed")
    return text


def truth(value: Any) -> bool:
    """A label, as it stands in Parquet, JSON or CSV."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise Unreadable(f"a label is true or false, and this is {str(value)[:40]!r}")


def number(values: Values, column: str) -> float | None:
    """A finite number, or nothing where the cell is empty."""
    value = values.get(column)
    if value is None:
        return None
    try:
        found = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise Unreadable(f"column {column!r} holds a number, and this is {str(value)[:40]!r}")
    return found


def margin(values: Values, column: str) -> float | None:
    """How much clearer it is that the first is better, in [0, 1] as solon has it; nothing where nobody said."""
    found = number(values, column)
    if found is not None and not 0 <= found <= 1:
        raise Unreadable(f"column {column!r} is in [0, 1], and this is {found!r}")
    return found


def _from_json(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return None


# ---------------------------------------------------------------- records


def preference(turns: Turns, chosen: Any, rejected: Any, *, notes: Iterable[str] = ()) -> Found:
    """A preference without a word on where it is from; what stands before the responses belongs to the prompt."""
    before, better = response(chosen)
    also, worse = response(rejected)
    if before != also:
        raise LeftOut("other_prompt")
    asked = prompt(continued(turns, before))
    record = Preference(prompt=asked, chosen=better, rejected=worse, provenance=Provenance(prompt_id=asked.id))
    return Found(record, notes=(*notes, *_earlier(turns, before)))


def rating(turns: Turns, completion: Any, label: Any, *, notes: Iterable[str] = ()) -> Found:
    """A response with its label; what stands before it belongs to the prompt."""
    before, text = response(completion)
    asked = prompt(continued(turns, before))
    record = Rating(prompt=asked, completion=text, desirable=truth(label), provenance=Provenance(prompt_id=asked.id))
    return Found(record, notes=(*notes, *_earlier(turns, before)))


def demonstration(turns: Turns, completion: Any, *, notes: Iterable[str] = ()) -> Found:
    """A response to imitate; what stands before it belongs to the prompt."""
    before, text = response(completion)
    asked = prompt(continued(turns, before))
    record = Demonstration(prompt=asked, completion=text, provenance=Provenance(prompt_id=asked.id))
    earlier = ("earlier_turns",) if any(turn.role == "assistant" for turn in before) else ()
    return Found(record, notes=(*notes, *earlier))


def continued(turns: Turns, before: Turns) -> Turns:
    """The prompt, and the turns between it and the response, of which the first is an answer to it."""
    if turns and before and before[0].role != "assistant":
        raise LeftOut("restated")
    return (*turns, *before)


def _earlier(turns: Turns, before: Turns) -> tuple[str, ...]:
    """A response in several turns, of which the last is judged alone."""
    return ("earlier_turns",) if turns and before else ()


def task(turns: Turns, *, reference: Any = None, topic: Any = None, notes: Iterable[str] = ()) -> Found:
    """A prompt to be answered."""
    said = {name: spoken(name, value) for name, value in (("reference", reference), ("topic", topic))}
    asked = prompt(turns, **said)
    return Found(Task(prompt=asked), frozenset(name for name in said if said[name] is not None), tuple(notes))


def spoken(column: str, value: Any) -> str | None:
    """A text, or a number as one; nothing where the cell is empty."""
    if value in (None, "", [], {}):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unreadable(f"column {column!r} holds a text or a number, and this is {str(value)[:40]!r}")
    return checked(str(value))


# ---------------------------------------------------------------- rows


def plain(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Messages as they stand in a row."""
    return [{"role": turn.role, "content": turn.content} for turn in messages]


def said_by_assistant(text: str) -> dict[str, str]:
    """A response as a message; of a column that holds texts alone, also of a text that looks like messages."""
    return {"role": "assistant", "content": text}


def said_by_user(text: str) -> Message:
    """A prompt of a column that holds texts alone."""
    return Message(role="user", content=checked(text))


def alternating(messages: Turns) -> Turns:
    """The turns after the system message, which must alternate and begin and end with the user."""
    turns = messages[1:] if messages[0].role == "system" else messages
    if [turn.role for turn in turns] != ["assistant" if n % 2 else "user" for n in range(len(turns))]:
        raise LeftOut("turns")
    return turns
