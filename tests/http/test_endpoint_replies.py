"""Endpoint against a real server on loopback: what is sent, and what is made of a reply."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from solon.data.records import Message, Usage
from solon.models.base import Price, Reply, Request
from solon.models.endpoint import Endpoint
from solon.testing import Fault, FaultServer


def request(text: str = "hello", **fields: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **{"max_tokens": 8, **fields})


@asynccontextmanager
async def served(server: FaultServer, **settings: Any) -> AsyncIterator[Endpoint]:
    async with server:
        endpoint = Endpoint(base_url=server.base_url, **{"model": "served", "timeout_s": 10, **settings})
        try:
            yield endpoint
        finally:
            await endpoint.aclose()


async def reply_to(asked: Request, server: FaultServer, **settings: Any) -> Reply:
    async with served(server, **settings) as endpoint:
        return await endpoint.complete(asked)


async def test_the_reply_carries_text_usage_and_the_name_of_what_answered():
    """5 characters in, 11 out, up to four of them a token, as the server counts."""
    reply = await reply_to(request(), FaultServer(answer=lambda asked: f"you: {asked.text}!"))
    assert reply == Reply(text="you: hello!", usage=Usage(input_tokens=2, output_tokens=3), model="served")


async def test_the_whole_request_is_sent_in_the_servers_own_terms():
    """Nothing is left out that the ledger's key holds; top_p of 1 is every server's default."""
    server = FaultServer()
    await reply_to(request(temperature=0.7, seed=3, top_p=0.9), server)
    assert server.requests[0].body == {
        "model": "served",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 8,
        "seed": 3,
    }


async def test_extra_fields_are_laid_over_the_request_and_null_takes_one_out():
    """Some servers want max_completion_tokens, or settings of their own."""
    server = FaultServer()
    extra = {"max_tokens": None, "max_completion_tokens": 8, "chat_template_kwargs": {"thinking": False}}
    await reply_to(request(), server, extra_body=extra)
    assert server.requests[0].body == {
        "model": "served",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.0,
        "max_completion_tokens": 8,
        "chat_template_kwargs": {"thinking": False},
    }


async def test_the_key_is_read_from_the_environment_and_sent_as_a_bearer_token(monkeypatch: pytest.MonkeyPatch):
    """Settings hold the name of the variable only."""
    monkeypatch.setenv("A_KEY", " sk-secret\n")
    server = FaultServer()
    await reply_to(request(), server, api_key_env="A_KEY")
    assert server.headers[0]["Authorization"] == "Bearer sk-secret"


async def test_log_probabilities_of_choices_are_those_of_the_first_token():
    """One choice with and without a space before it: .5 + .25 for A; .125 for B; C is not listed, and so absent."""
    server = FaultServer(logprobs={"A": math.log(0.5), " A": math.log(0.25), "B": math.log(0.125), "Hm": -3.0})
    reply = await reply_to(request(choices=("A", "B", "C")), server)
    assert server.requests[0].body["logprobs"] is True
    assert server.requests[0].body["top_logprobs"] == 20
    assert reply.choices == pytest.approx({"A": math.log(0.75), "B": math.log(0.125)})


async def test_a_server_without_log_probabilities_gives_no_choices():
    """The labeler then reads the text; an empty mapping would mean "all unlikely"."""
    assert (await reply_to(request(choices=("A", "B")), FaultServer())).choices is None


async def test_choices_that_were_not_asked_for_are_not_sent_for():
    """Log-probabilities cost some servers time."""
    server = FaultServer(logprobs={"A": -0.1})
    assert (await reply_to(request(), server)).choices is None
    assert "logprobs" not in server.requests[0].body


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.FILTERED, ("", "filtered")),
        (Fault.REFUSED, ("I cannot help with that.", "refused")),
        (Fault.CUT_OFF, ("an answer", "length")),
        (Fault.FILTERED_PROMPT, ("the prompt triggered the content management policy", "filtered")),
    ],
)
async def test_a_reply_that_is_no_whole_answer_says_so(fault: Fault, expected: tuple[str, str]):
    """All are final; none is an answer that ended. Azure says with a 400 that its filter stopped the prompt."""
    reply = await reply_to(request(), FaultServer([fault], answer=lambda _: "an answer"))
    assert (reply.text, reply.stop) == expected


async def test_tokens_that_were_not_counted_are_charged_as_many_as_there_can_be():
    """64 + 16 + 5 bytes in; the 8 tokens that were allowed out, since a model may reason out of sight."""
    reply = await reply_to(request(), FaultServer([Fault.NO_USAGE], answer=lambda _: "x"))
    assert reply.usage == Usage(input_tokens=85, output_tokens=8, estimated=True)


async def test_what_a_filter_stopped_is_counted_as_read():
    """Azure charges for it, and says nothing of tokens."""
    reply = await reply_to(request(), FaultServer([Fault.FILTERED_PROMPT]))
    assert reply.usage == Usage(input_tokens=85, output_tokens=0, estimated=True)


async def test_a_schema_is_sent_in_the_field_that_holds_the_reply_to_it():
    """Strict where the schema is of the kind that OpenAI can enforce: closed objects that require all they name."""
    closed = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    closed["additionalProperties"] = False
    for schema, strict in ((closed, True), ({**closed, "required": []}, False), ({"type": "object"}, False)):
        server = FaultServer()
        await reply_to(request(json_schema=schema), server)
        expected = {"name": "reply", "schema": schema, "strict": strict}
        assert server.requests[0].body["response_format"] == {"type": "json_schema", "json_schema": expected}


async def test_text_that_is_no_valid_unicode_survives_the_way_there_and_back():
    """Half a surrogate pair, NUL, and right-to-left marks, as judged text may hold them."""
    odd = "half \ud83d of a pair, \x00 and \u202e"
    assert (await reply_to(request(odd), FaultServer(answer=lambda asked: asked.text))).text == odd


@pytest.mark.parametrize("named", ["served", "served-2026-11-21", "served:latest", "served@main", "Served-0613", ""])
async def test_a_version_of_the_model_that_was_asked_is_that_model(named: str):
    """Providers answer with the dated name."""
    reply = await reply_to(request(), FaultServer(model=named or None))
    assert reply.model == (named or "served")


async def test_a_model_may_answer_under_another_name_where_the_settings_say_so():
    """A deployment on Azure, or an alias; a version of that name is that name."""
    reply = await reply_to(request(), FaultServer(model="gpt-4o-2024-11-20"), model="ours", answers_as="gpt-4o")
    assert reply.model == "gpt-4o-2024-11-20"


async def test_one_object_serves_one_event_loop_after_another():
    """Each stage runs in a loop of its own."""
    async with served(FaultServer()) as endpoint:
        await endpoint.complete(request("one"))
        await endpoint.aclose()
        assert (await endpoint.complete(request("two"))).text.startswith("reply")


async def test_a_copy_with_another_address_asks_there():
    """Over connections of its own, also where the first has some already."""
    async with served(FaultServer()) as endpoint, FaultServer(answer=lambda _: "other") as other:
        await endpoint.complete(request())
        copied = endpoint.model_copy(update={"base_url": other.base_url})
        assert (await copied.complete(request())).text == "other"
        await copied.aclose()
        assert (await endpoint.complete(request("two"))).text.startswith("reply")


@pytest.mark.parametrize(
    ("url", "free"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1:1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://10.1.2.3/v1", True),
        ("http://192.168.0.7:8000/v1", True),
        ("http://vllm:8000/v1", True),
        ("http://gpu1.internal/v1", True),
        ("https://api.example.com/v1", False),
        ("http://8.8.8.8/v1", False),
        ("https://10.example.com/v1", False),
    ],
)
def test_a_server_of_ones_own_is_free_and_the_price_of_any_other_must_be_stated(url: str, free: bool):
    """An unknown price is not zero."""
    assert Endpoint(base_url=url, model="m").cost() == (Price(input=0, output=0) if free else None)
    priced = Endpoint(base_url=url, model="m", price={"input": 1, "output": 2})
    assert priced.cost() == Price(input=1, output=2)


def test_the_description_holds_what_changes_a_reply_and_no_secret():
    """The same model behind another port of one's own is the same; behind another public server it is not."""

    def described(url: str, **settings: Any) -> dict[str, object]:
        return Endpoint(base_url=url, model="m", **settings).describe()

    assert described("http://localhost:1/v1") == described("http://127.0.0.1:2/v1", api_key_env="K", concurrency=2)
    assert described("http://localhost:1/v1") != described("http://localhost:1/v1", extra_body={"top_k": 5})
    assert described("https://a.example/v1")["server"] == "a.example/v1"
    assert described("https://a.example/v1") != described("https://b.example/v1")


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com/v1",
        "ftp://example.com",
        "https://user:secret@example.com/v1",
        "https://example.com/v1?key=secret",
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url: str):
    """Settings are hashed, written out and shown."""
    with pytest.raises(ValidationError):
        Endpoint(base_url=url, model="m")


def test_what_would_stop_it_is_found_without_asking_it_anything(monkeypatch: pytest.MonkeyPatch):
    """What `solon check` says."""
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    endpoint = Endpoint(base_url="https://api.example.com/v1", model="m", api_key_env="NO_SUCH_KEY")
    key, price = endpoint.problems()
    assert "the environment variable NO_SUCH_KEY is not set" in key
    assert "the price of 'm' at api.example.com/v1 is not known" in price
    assert Endpoint(base_url="http://localhost:1/v1", model="m").problems() == []
