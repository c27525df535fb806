"""Responses as published datasets hold them, each in a cell: texts, messages, or conversations that end with one."""

from __future__ import annotations

from typing import Any, NamedTuple

from solon.data.prompts import turns
from solon.data.records import Message


class Response(NamedTuple):
    """What was said.

    Attributes:
        text: the response.
        model: who wrote it, where the cell says so.
        before: the conversation that it answers, where the cell holds that too; else empty.
    """

    text: str
    model: str | None = None
    before: tuple[Message, ...] = ()


def responses_in(cell: Any) -> list[Response | None] | str:
    """The responses in a cell, ``None`` for each that is missing; a text says what is wrong with it.

    A cell holds one response or a list of them. A response is a text, an assistant's message, a conversation that ends
    with one (as in ``chosen`` and ``rejected`` of TRL), or an object with ``response`` and perhaps ``model`` (as in
    ``completions`` of UltraFeedback).
    """
    if not isinstance(cell, list) or _is_conversation(cell):
        cell = [cell]
    found: list[Response | None] = []
    for value in cell:
        response = _response(value)
        if isinstance(response, str):
            return response
        found.append(response)
    return found


def last_turn(conversation: tuple[Message, ...]) -> Response:
    """The response that a conversation ends with."""
    return Response(conversation[-1].content, before=conversation[:-1])


def _is_conversation(value: Any) -> bool:
    """Several messages of the assistant alone are several responses."""
    if not isinstance(value, list) or not all(isinstance(turn, dict) and "role" in turn for turn in value):
        return False
    return len(value) == 1 or any(turn["role"] != "assistant" for turn in value)


def _response(value: Any) -> Response | str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return Response(value)
    if isinstance(value, dict) and isinstance(value.get("response"), str):
        model = value.get("model")
        return Response(value["response"], model=None if model is None else str(model))
    if isinstance(value, dict) and "role" in value:
        value = [value]
    if not _is_conversation(value):
        return "a response is a text, or there is a list of texts"
    said = turns(value)
    if isinstance(said, str):
        return said
    if said[-1].role != "assistant":
        return f"a conversation with a response ends with the assistant, and this one with {said[-1].role!r}"
    return last_turn(said)
