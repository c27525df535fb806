"""``anthropic`` through its SDK against a real server on loopback: what is sent, and what is made of a reply."""

from __future__ import annotations

from typing import Any

import pytest

from served import reply_to, request, served
from solon.data.records import Message, Usage
from solon.errors import ModelRejected, ModelUnavailable
from solon.models.base import Reply, Request
from solon.models.messages_format import enforceable
from solon.testing import Fault, FaultServer


async def body_sent(asked: Request, **settings: Any) -> dict[str, Any]:
    server = FaultServer()
    await reply_to(asked, server, "anthropic", **settings)
    return dict(server.requests[0].body)


async def test_the_system_message_stands_apart_and_is_marked_for_the_cache():
    """Judges have the constitution there. A seed and choices cannot be said; no temperature is, unless asked for."""
    asked = request(system="Be brief.", temperature=0.7, top_p=0.9, seed=3, choices=("A", "B"))
    assert await body_sent(asked) == {
        "model": "served",
        "max_tokens": 8,
        "messages": [{"role": "user", "content": "hello"}],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    }


async def test_the_constitution_is_paid_for_in_full_once():
    """3 tokens of system prompt, 2 of question. First they are written into the cache, then they are read from it.

    At $1 for a token read fresh, $1.25 written and $0.10 cached: 2 + 3.75, then 2 + 0.3; and 1 out each time.
    """
    price = {"input": 1e6, "output": 1e6, "cached": 1e5, "cache_write": 1.25e6}
    async with served(FaultServer(answer=lambda asked: "A"), "anthropic", price=price) as model:
        first = await model.complete(request("one++", system="Be brief."))
        second = await model.complete(request("two++", system="Be brief."))
    assert first.usage == Usage(input_tokens=5, output_tokens=1, cache_write_tokens=3)
    assert second.usage == Usage(input_tokens=5, output_tokens=1, cached_tokens=3)
    assert [model.cost_of(first), model.cost_of(second)] == pytest.approx([6.75, 3.3])


async def test_without_cache_nothing_is_marked():
    """For system prompts that no two requests share."""
    assert (await body_sent(request(system="Be brief."), cache=False))["system"] == [
        {"type": "text", "text": "Be brief."}
    ]


async def test_an_older_model_is_sent_a_temperature_under_the_version_that_takes_one():
    """From version 2026-10-21 any temperature is an error. Many models refuse it together with top_p."""
    for asked, expected in ((request(temperature=0.7), {"temperature": 0.7}), (request(top_p=0.9), {"top_p": 0.9})):
        server = FaultServer()
        await reply_to(asked, server, "anthropic", sampling=True)
        sampling = {name: server.requests[0].body.get(name) for name in ("temperature", "top_p")}
        assert {name: value for name, value in sampling.items() if value is not None} == expected
        assert server.headers[0]["anthropic-version"] == "2023-06-01"


async def test_thinking_and_effort_are_sent_as_set():
    """And joined with the schema, which stands in the same field."""
    body = await body_sent(request(json_schema={"type": "object"}), thinking="disabled", effort="low")
    assert body["thinking"] == {"type": "disabled"}
    schema = {"type": "object", "additionalProperties": False}
    assert body["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": schema}}


def test_a_schema_is_sent_without_the_bounds_that_anthropic_refuses():
    """A property may be called `maximum`; that one stays."""
    schema = {
        "type": "object",
        "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}, "maximum": {"enum": ["minimum"]}},
        "required": ["score"],
    }
    assert enforceable(schema) == {
        "type": "object",
        "properties": {"score": {"type": "integer"}, "maximum": {"enum": ["minimum"]}},
        "required": ["score"],
        "additionalProperties": False,
    }


async def test_extra_fields_are_laid_over_the_request_and_null_takes_one_out():
    """Whatever Anthropic thinks of next."""
    body = await body_sent(request(), extra_body={"service_tier": "standard_only", "max_tokens": None})
    assert body == {
        "model": "served",
        "messages": [{"role": "user", "content": "hello"}],
        "service_tier": "standard_only",
    }


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.REFUSED, ("an answer", "refused")),
        (Fault.FILTERED, ("bio", "refused")),
        (Fault.CUT_OFF, ("an answer", "length")),
        (Fault.FILTERED_PROMPT, ("output blocked by content filtering policy", "filtered")),
    ],
)
async def test_a_reply_that_is_no_whole_answer_says_so(fault: Fault, expected: tuple[str, str]):
    """A refusal may come without a text; then its category stands in for it."""
    reply = await reply_to(request(), FaultServer([fault], answer=lambda _: "an answer"), "anthropic")
    assert (reply.text, reply.stop) == expected


async def test_tokens_that_were_not_counted_are_charged_as_many_as_there_can_be():
    """64 + 16 + 5 bytes in, and the 8 tokens that were allowed out."""
    reply = await reply_to(request(), FaultServer([Fault.NO_USAGE]), "anthropic")
    assert reply.usage == Usage(input_tokens=85, output_tokens=8, estimated=True)


def answered(**fields: Any) -> dict[str, Any]:
    body = {"model": "served", "messages": [{"role": "user", "content": "x"}]}
    return {**FaultServer(answer=lambda _: "yes").reply_to("/v1/messages", body), **fields}


async def test_thoughts_are_no_part_of_the_answer():
    """They come before it, as blocks of another type; what they cost is in the tokens written."""
    blocks = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}]
    async with served(FaultServer(), "anthropic") as model:
        reply = model.reply_in(answered(content=blocks), request())
        assert reply == Reply(text="yes", usage=Usage(input_tokens=1, output_tokens=1), model="served")
        with pytest.raises(ModelUnavailable, match="in place of a text") as caught:
            model.reply_in(answered(content=blocks[:1]), request())
        assert caught.value.malformed
        cut_off = model.reply_in(answered(content=blocks[:1], stop_reason="max_tokens"), request())
        assert (cut_off.text, cut_off.stop) == ("", "length")


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refused"),
        ("pause_turn", None),
        ("tool_use", None),
        (None, None),
        (3, None),
    ],
)
async def test_every_way_to_stop_is_a_named_one(reason: Any, stop: str | None):
    """What solon did not ask for (tools, a pause) makes no reply."""
    async with served(FaultServer(), "anthropic") as model:
        if stop is None:
            with pytest.raises(ModelUnavailable, match="ended its reply for a reason that makes no reply"):
                model.reply_in(answered(stop_reason=reason), request())
        else:
            assert model.reply_in(answered(stop_reason=reason), request()).stop == stop


async def test_a_conversation_without_a_user_is_rejected_before_it_is_sent():
    """Anthropic would answer 400."""
    server = FaultServer()
    only_system = Request(messages=(Message(role="system", content="Be brief."),), max_tokens=8)
    with pytest.raises(ModelRejected, match="there are only system messages"):
        await reply_to(only_system, server, "anthropic")
    assert server.requests == []


async def test_text_that_is_no_valid_unicode_survives_the_way_there_and_back():
    """Half a surrogate pair, NUL, and right-to-left marks, as judged text may hold them."""
    odd = "half \ud83d of a pair, \x00 and \u202e"
    assert (await reply_to(request(odd), FaultServer(answer=lambda asked: asked.text), "anthropic")).text == odd


async def test_one_object_serves_one_event_loop_after_another():
    """Each stage runs in a loop of its own."""
    async with served(FaultServer(), "anthropic") as model:
        await model.complete(request("one"))
        await model.aclose()
        assert (await model.complete(request("two"))).text.startswith("reply")


async def test_the_environment_sends_no_request_elsewhere(monkeypatch: pytest.MonkeyPatch):
    """ANTHROPIC_BASE_URL would, and the ledger would call both the same."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    reply = await reply_to(request(), FaultServer(answer=lambda asked: asked.text), "anthropic")
    assert reply.text == "hello"


async def test_the_environment_sends_no_key_that_the_recipe_does_not_name(monkeypatch: pytest.MonkeyPatch):
    """The SDK would put the headers before the key."""
    monkeypatch.setenv("GATEWAY_KEY", "the-right-key")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Api-Key: elsewhere\nAuthorization: Bearer elsewhere")
    server = FaultServer()
    await reply_to(request(), server, "anthropic", api_key_env="GATEWAY_KEY")
    assert "the-right-key" in str(server.headers[0])
    assert "elsewhere" not in str(server.headers[0])
