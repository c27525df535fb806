"""What `openai` tells OpenAI to keep: the instructions, which the next request begins with too, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from solon.data.records import Message
from solon.models.base import Request
from solon.models.openai import OpenAI

EXPLICIT = {"mode": "explicit"}
REQUEST = Request(
    messages=(Message(role="system", content="the constitution"), Message(role="user", content="the question")),
    max_tokens=8,
)


def body(request: Request = REQUEST, **settings: Any) -> dict[str, Any]:
    return OpenAI.model_validate({"model": "gpt-6-luna", **settings}).body_of(request)


def test_the_breakpoint_is_at_the_end_of_the_instructions() -> None:
    """OpenAI's own would be at the question: written each time, at 1.25 times the price, and never found."""
    sent = body()
    assert sent["prompt_cache_options"] == EXPLICIT
    assert sent["messages"] == [
        {
            "role": "system",
            "content": [{"type": "text", "text": "the constitution", "prompt_cache_breakpoint": EXPLICIT}],
        },
        {"role": "user", "content": "the question"},
    ]


def test_of_several_system_messages_the_last_in_front_is_marked() -> None:
    """What stands before it is kept with it; one in the middle of a conversation is not of the beginning."""
    roles = ("system", "system", "user", "system")
    request = Request(messages=tuple(Message(role=role, content=role) for role in roles), max_tokens=8)
    assert [isinstance(message["content"], list) for message in body(request)["messages"]] == [
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("request_", [REQUEST, REQUEST.model_copy(update={"messages": REQUEST.messages[1:]})])
def test_without_a_breakpoint_nothing_is_kept_or_charged_for(request_: Request) -> None:
    """``cache: false``; and prompts without instructions, which have nothing in common."""
    sent = body(request_, cache=len(request_.messages) == 1)
    assert sent["prompt_cache_options"] == EXPLICIT
    assert [message["content"] for message in sent["messages"]] == [one.content for one in request_.messages]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model": "gpt-5.6"}, True),
        ({"model": "gpt-5.10-mini"}, True),
        ({"model": "gpt-6.1-sol"}, True),
        ({"model": "gpt-12"}, True),
        ({"model": "gpt-5.5"}, False),
        ({"model": "gpt-5-mini-2025-08-07"}, False),
        ({"model": "gpt-4.1"}, False),
        ({"model": "gpt-4o"}, False),
        ({"model": "o4-mini"}, False),
        ({"model": "gpt-6-luna", "base_url": "https://gateway.example/v1"}, False),
    ],
    ids=lambda value: value["model"] if isinstance(value, dict) else "",
)
def test_only_models_from_gpt_5_6_on_at_openai_itself_are_told(settings: dict[str, Any], expected: bool) -> None:
    """Others do not know the fields, and may refuse them."""
    sent = body(**settings)
    assert ("prompt_cache_options" in sent, isinstance(sent["messages"][0]["content"], list)) == (expected, expected)


def test_extra_body_goes_before_it() -> None:
    """As for every field: replaced, or taken out."""
    assert body(extra_body={"prompt_cache_options": {"mode": "implicit"}})["prompt_cache_options"] == {
        "mode": "implicit"
    }
    assert "prompt_cache_options" not in body(extra_body={"prompt_cache_options": None})


def test_what_is_kept_changes_no_key_in_the_ledger() -> None:
    """The reply is the same, so what was paid for before is found."""
    assert OpenAI(model="gpt-6-luna").describe() == OpenAI(model="gpt-6-luna", cache=False).describe()
