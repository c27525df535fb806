"""Endpoint against a server that fails: every fault becomes the one error that says what to do about it."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from solon.data.records import Message
from solon.errors import ModelRejected, ModelUnavailable, PromptTooLong
from solon.models.base import Request
from solon.models.chat_completions import retry_after
from solon.models.endpoint import Endpoint
from solon.testing import Fault, FaultServer

REQUEST = Request(messages=(Message(role="user", content="hello"),), max_tokens=8)

UNAVAILABLE = {
    Fault.THROTTLED: "answered 429: rate limit reached",
    Fault.THROTTLED_WITH_SECONDS: "answered 429: rate limit reached",
    Fault.THROTTLED_WITH_DATE: "answered 429: rate limit reached",
    Fault.INTERNAL_ERROR: "answered 500: the server had an error",
    Fault.BAD_GATEWAY: "answered 502",
    Fault.OVERLOADED: "answered 503: overloaded",
    Fault.RESET_BEFORE: "broke off",
    Fault.RESET_DURING: "broke off",
    Fault.TRUNCATED: "broke off",
    Fault.HANG: r"did not answer within 0\.3 s",
    Fault.DRIP: r"did not answer within 0\.3 s",
    Fault.WEB_PAGE: "something that is not JSON: <html><body>Welcome to the proxy",
    Fault.WRONG_JSON: r"JSON that is not an object: \[\"not\", \"an\", \"object\"\]",
    Fault.EMPTY_CHOICES: "answered without a message",
    Fault.NULL_CONTENT: "answered with null in place of a text",
    Fault.HUGE: "more than 10,000,000 bytes",
}
REJECTED = {
    Fault.BAD_REQUEST: "answered 400: temperature is not supported.*`extra_body`",
    Fault.UNAUTHORIZED: "answered 401.*It refuses the key in the environment variable A_KEY: check that it is right",
    Fault.FORBIDDEN: "answered 403: not allowed in this region.*environment variable A_KEY",
    Fault.NOT_FOUND: "answered 404: the model 'served' does not exist.*Check the model's name.*base_url",
    Fault.QUOTA_USED_UP: "quota of the key in the environment variable A_KEY is used up: add credit",
    Fault.TOO_LONG: "prompt is too long for this model",
    Fault.REDIRECT: r"answered 307.*http://elsewhere\.example.*base_url",
    Fault.WRONG_MODEL: "'served' was asked and 'another-model' has answered",
}
REPLIES = {Fault.FILTERED, Fault.CUT_OFF, Fault.NO_USAGE}
MAYBE_BILLED = {
    Fault.RESET_BEFORE,
    Fault.RESET_DURING,
    Fault.TRUNCATED,
    Fault.HANG,
    Fault.DRIP,
    Fault.WEB_PAGE,
    Fault.WRONG_JSON,
    Fault.EMPTY_CHOICES,
    Fault.NULL_CONTENT,
    Fault.HUGE,
}


async def ask_once(server: FaultServer, **settings: Any) -> None:
    async with server:
        endpoint = Endpoint(base_url=server.base_url, **{"model": "served", "timeout_s": 10, **settings})
        try:
            await endpoint.complete(REQUEST)
        finally:
            await endpoint.aclose()


def test_every_fault_of_the_server_is_tested():
    """A new fault must say here what it becomes."""
    assert {*UNAVAILABLE, *REJECTED, *REPLIES} == set(Fault)


@pytest.mark.parametrize("fault", UNAVAILABLE, ids=lambda fault: fault.name)
async def test_what_may_heal_is_unavailable_and_says_whether_it_may_be_billed(fault: Fault):
    """The stream asks again; what the server may have worked on is charged as in doubt."""
    timeout = {"timeout_s": 0.3} if fault in (Fault.HANG, Fault.DRIP) else {}
    server = FaultServer([fault])
    with pytest.raises(ModelUnavailable, match=UNAVAILABLE[fault]) as caught:
        await ask_once(server, **timeout)
    assert caught.value.throttled == fault.name.startswith("THROTTLED")
    assert caught.value.maybe_billed == (fault in MAYBE_BILLED)
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", REJECTED, ids=lambda fault: fault.name)
async def test_what_will_not_heal_is_rejected_with_what_to_do_and_without_the_key(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
):
    """Some servers put the key that they refuse into their answer."""
    monkeypatch.setenv("A_KEY", "sk-canary")
    server = FaultServer([fault])
    with pytest.raises(ModelRejected, match=REJECTED[fault]) as caught:
        await ask_once(server, api_key_env="A_KEY")
    assert "served at 127.0.0.1" in str(caught.value)
    assert "sk-canary" not in str(caught.value)
    assert isinstance(caught.value, PromptTooLong) == (fault is Fault.TOO_LONG)
    assert len(server.requests) == 1


async def test_a_server_that_wants_a_key_where_none_is_set_says_how_to_set_one():
    """The recipe has no api_key_env."""
    with pytest.raises(ModelRejected, match="It refuses the missing key \\(set `api_key_env`\\)"):
        await ask_once(FaultServer([Fault.UNAUTHORIZED]))


async def test_a_key_that_is_not_in_the_environment_is_missed_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch):
    """By the name of its variable."""
    monkeypatch.delenv("A_KEY", raising=False)
    server = FaultServer()
    with pytest.raises(ModelRejected, match="the environment variable A_KEY is not set"):
        await ask_once(server, api_key_env="A_KEY")
    assert server.requests == []


async def test_a_key_with_a_line_break_in_it_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch):
    """It would be another header."""
    monkeypatch.setenv("A_KEY", "sk-canary\r\nX-Other: 1")
    with pytest.raises(ModelRejected, match="A_KEY holds characters that no key has") as caught:
        await ask_once(FaultServer(), api_key_env="A_KEY")
    assert "canary" not in str(caught.value)


async def test_a_server_that_is_not_running_is_unavailable_and_owes_nothing():
    """A port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = Endpoint(base_url=f"http://127.0.0.1:{port}/v1", model="served")
    with pytest.raises(ModelUnavailable, match=r"cannot be reached.*is it running") as caught:
        await endpoint.complete(REQUEST)
    await endpoint.aclose()
    assert not caught.value.maybe_billed


@pytest.mark.parametrize(("fault", "seconds"), [(Fault.THROTTLED_WITH_SECONDS, 7.5), (Fault.THROTTLED_WITH_DATE, 2.0)])
async def test_how_long_the_server_asks_to_wait_is_passed_on(fault: Fault, seconds: float):
    """In seconds, or as a date two seconds after that of the response."""
    with pytest.raises(ModelUnavailable) as caught:
        await ask_once(FaultServer([fault], retry_after=7.5))
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3.0), ("-1", 0.0), ("soon", None), ("", None), ("inf", None), ("nan", None)]
)
def test_a_retry_after_that_makes_no_sense_is_no_wait(value: str, seconds: float | None):
    """It comes from outside."""
    assert retry_after({"Retry-After": value}) == seconds
