"""``openai`` through OpenAI's SDK against a real server on loopback: what is sent, and what is made of a reply."""

from __future__ import annotations

import math

import pytest

from served import reply_to, request, served
from solon.data.records import Usage
from solon.errors import ModelRejected
from solon.models.base import Reply
from solon.testing import Fault, FaultServer


async def test_the_reply_carries_text_usage_and_the_name_of_what_answered():
    """5 characters in, 11 out, up to four of them a token, as the server counts."""
    reply = await reply_to(request(), FaultServer(answer=lambda asked: f"you: {asked.text}!"), "openai")
    assert reply == Reply(text="you: hello!", usage=Usage(input_tokens=2, output_tokens=3), model="served")


async def test_a_model_that_samples_gets_temperature_seed_and_log_probabilities():
    """max_completion_tokens, because max_tokens is on its way out."""
    server = FaultServer(logprobs={"A": math.log(0.5), " A": math.log(0.25), "B": -2.0})
    asked = request(temperature=0.7, seed=3, top_p=0.9, choices=("A", "B"))
    reply = await reply_to(asked, server, "openai", model="gpt-4.1")
    assert server.requests[0].body == {
        "model": "gpt-4.1",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.7,
        "top_p": 0.9,
        "max_completion_tokens": 8,
        "seed": 3,
        "logprobs": True,
        "top_logprobs": 20,
    }
    assert reply.choices == pytest.approx({"A": math.log(0.75), "B": -2.0})


async def test_a_model_that_reasons_gets_neither():
    """It would refuse the request; without log-probabilities a judge reads the text."""
    server = FaultServer(logprobs={"A": -0.1})
    asked = request(temperature=0.7, seed=3, top_p=0.9, choices=("A", "B"))
    reply = await reply_to(asked, server, "openai", model="gpt-5-mini", reasoning_effort="low")
    assert server.requests[0].body == {
        "model": "gpt-5-mini",
        "messages": [{"role": "user", "content": "hello"}],
        "max_completion_tokens": 8,
        "reasoning_effort": "low",
    }
    assert reply.choices is None


async def test_extra_fields_are_laid_over_the_request_and_null_takes_one_out():
    """Whatever OpenAI thinks of next."""
    server = FaultServer()
    extra = {"service_tier": "flex", "temperature": None, "max_completion_tokens": 4000}
    await reply_to(request(), server, "openai", extra_body=extra)
    assert server.requests[0].body == {
        "model": "served",
        "messages": [{"role": "user", "content": "hello"}],
        "max_completion_tokens": 4000,
        "service_tier": "flex",
    }


async def test_a_temperature_that_is_refused_says_how_to_leave_it_out():
    """A model whose name does not tell that it reasons."""
    with pytest.raises(ModelRejected, match="set `sampling: false`"):
        await reply_to(request(), FaultServer([Fault.BAD_REQUEST]), "openai")


async def test_tokens_read_from_and_written_into_the_cache_are_told_apart():
    """100 read: 40 from the cache, 50 into it, 10 fresh. 40 * 0.1 + 50 * 1.25 + 10 * 1 + 7 out * 1 = 83.5."""
    server = FaultServer()
    counted = {
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 50},
    }
    answer = server.reply_to("/v1/chat/completions", {"model": "m", "messages": [{"content": "x"}]})
    async with served(server, "openai", price={"input": 1, "output": 1, "cached": 0.1, "cache_write": 1.25}) as model:
        reply = model.reply_in({**answer, "model": "served", "usage": counted}, request())
    assert reply.usage == Usage(input_tokens=100, output_tokens=7, cached_tokens=40, cache_write_tokens=50)
    assert model.cost_of(reply) == pytest.approx(83.5e-6)


async def test_text_that_is_no_valid_unicode_survives_the_way_there_and_back():
    """Half a surrogate pair, NUL, and right-to-left marks, as judged text may hold them; the SDK by itself cannot."""
    odd = "half \ud83d of a pair, \x00 and \u202e"
    assert (await reply_to(request(odd), FaultServer(answer=lambda asked: asked.text), "openai")).text == odd


async def test_content_in_parts_is_the_text_among_them():
    """Models that reason may answer in parts, of which thoughts are some."""
    server = FaultServer()
    answer = server.reply_to("/v1/chat/completions", {"model": "served", "messages": [{"content": "x"}]})
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "yes "}, {"type": "text", "text": "and no"}]
    answer["choices"][0]["message"]["content"] = parts
    async with served(server, "openai") as model:
        assert model.reply_in(answer, request()).text == "yes and no"


async def test_one_object_serves_one_event_loop_after_another():
    """Each stage runs in a loop of its own."""
    async with served(FaultServer(), "openai") as model:
        await model.complete(request("one"))
        await model.aclose()
        assert (await model.complete(request("two"))).text.startswith("reply")


async def test_the_environment_sends_no_request_elsewhere(monkeypatch: pytest.MonkeyPatch):
    """OPENAI_BASE_URL would, and the ledger would call both the same."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    reply = await reply_to(request(), FaultServer(answer=lambda asked: asked.text), "openai")
    assert reply.text == "hello"


async def test_the_environment_sends_no_key_and_no_account_that_the_recipe_does_not_name(
    monkeypatch: pytest.MonkeyPatch,
):
    """The SDK would put the headers before the key; and a gateway has no business with an account at OpenAI."""
    monkeypatch.setenv("GATEWAY_KEY", "the-right-key")
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer elsewhere\nX-Other: elsewhere")
    server = FaultServer()
    await reply_to(request(), server, "openai", api_key_env="GATEWAY_KEY")
    assert server.headers[0]["Authorization"] == "Bearer the-right-key"
    assert "elsewhere" not in str(server.headers[0])
