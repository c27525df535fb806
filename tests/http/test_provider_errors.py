"""Every model behind a network against a server that fails: each fault is the same error, whoever speaks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from weakref import ReferenceType, ref

import httpx
import pytest
from multidict import CIMultiDict

from served import KINDS, reply_to, request, served
from solon.errors import ModelRejected, ModelUnavailable, PromptTooLong
from solon.models.wire import retry_after
from solon.testing import Fault, FaultServer

pytestmark = pytest.mark.slow  # real servers, many calls

THROTTLED = {
    Fault.THROTTLED: None,
    Fault.THROTTLED_WITH_SECONDS: 7.5,
    Fault.THROTTLED_WITH_MILLISECONDS: 7.5,
    Fault.THROTTLED_WITH_DATE: 2.0,
    Fault.THROTTLED_TWICE: 7.5,
}
UNWELL = {
    Fault.INTERNAL_ERROR: "answered 500: .*server",
    Fault.BAD_GATEWAY: "answered 502",
    Fault.OVERLOADED: "answered 5(03|29): .*overloaded",
}
BROKEN = {
    Fault.RESET_BEFORE: "broke off",
    Fault.RESET_DURING: "broke off",
    Fault.TRUNCATED: "broke off",
    Fault.HANG: r"did not answer within 0\.5 s",
    Fault.DRIP: r"did not answer within 0\.5 s",
    Fault.TWO_LENGTHS: "broke off",
}
MALFORMED = {
    Fault.WEB_PAGE: "<html><body>Welcome to the proxy",
    Fault.WRONG_JSON: r"\[.not., .an., .object.\]",
    Fault.ERROR_IN_REPLY: "answered with an error: .*(failed|error)",
    Fault.EMPTY_CHOICES: r"answered (without a message|with \[\] in place of a text)",
    Fault.NULL_CONTENT: "answered (with null in place of a text|without content)",
    Fault.UNKNOWN_STOP: "ended its reply for .* reason.*(tool_calls|pause_turn)",
    Fault.HUGE: "more than 10,000,000 bytes",
}
REJECTED = {
    Fault.BAD_REQUEST: "answered 400: .*temperature.*does not take the request as it is",
    Fault.UNAUTHORIZED: r"answered 401.*\[key\].*It refuses the key in the environment variable A_KEY: check",
    Fault.FORBIDDEN: "answered 403: .*not allowed in this region.*environment variable A_KEY",
    Fault.NOT_FOUND: "answered 404: .*model.*served.*Check the model's name.*base_url",
    Fault.QUOTA_USED_UP: "quota of the key in the environment variable A_KEY is used up: add credit",
    Fault.TOO_LONG: "prompt is too long for this model",
    Fault.REDIRECT: r"answered 307.*http://elsewhere\.example.*base_url",
    Fault.WRONG_MODEL: "'served' was asked and 'another-model' has answered.*answers_as",
}
WHOLE = (Fault.RESET_AFTER, Fault.SLOW, Fault.TWO_TYPES)
REPLIES = {Fault.FILTERED_PROMPT, Fault.FILTERED, Fault.REFUSED, Fault.CUT_OFF, Fault.NO_USAGE, *WHOLE}


def test_every_fault_of_the_server_is_tested():
    """A new fault must say here what it becomes; replies are tested beside this file."""
    assert {*THROTTLED, *UNWELL, *BROKEN, *MALFORMED, *REJECTED, *REPLIES} == set(Fault)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", THROTTLED, ids=lambda fault: fault.name)
async def test_a_429_asks_for_fewer_requests_and_says_for_how_long(kind: str, fault: Fault):
    """In seconds, in milliseconds (which go before), or as a date two seconds after that of the response; of two, the
    longer one.
    """
    server = FaultServer([fault], retry_after=7.5)
    with pytest.raises(ModelUnavailable, match=r"answered 429: .*rate limit") as caught:
        await reply_to(request(), server, kind)
    assert (caught.value.throttled, caught.value.retry_after) == (True, THROTTLED[fault])
    assert not caught.value.maybe_billed
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", UNWELL, ids=lambda fault: fault.name)
async def test_a_server_that_is_unwell_may_heal_and_did_nothing_for_money(kind: str, fault: Fault):
    """The stream asks again. 529 of Anthropic asks everybody for fewer requests, as a 429 does."""
    server = FaultServer([fault])
    with pytest.raises(ModelUnavailable, match=UNWELL[fault]) as caught:
        await reply_to(request(), server, kind)
    assert (caught.value.maybe_billed, caught.value.malformed) == (False, False)
    assert caught.value.throttled == (kind == "anthropic" and fault is Fault.OVERLOADED)
    assert len(server.requests) == 1


async def test_an_error_that_nobody_holds_any_more_is_gone():
    """Its traceback holds the frames it went through; were it held by one of them, a long run would gather them."""
    gone: list[ReferenceType[ModelUnavailable]] = []
    async with served(FaultServer([Fault.INTERNAL_ERROR]), "endpoint") as model:
        try:
            await model.complete(request())
        except ModelUnavailable as error:
            gone.append(ref(error))
        assert gone[0]() is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: fault.name)
async def test_an_answer_that_did_not_arrive_may_be_on_the_bill(kind: str, fault: Fault):
    """The SDKs call a reset connection a time-out; it is told apart by its cause."""
    server = FaultServer([fault])
    slow = fault in (Fault.HANG, Fault.DRIP)
    with pytest.raises(ModelUnavailable, match=BROKEN[fault]) as caught:
        await reply_to(request(), server, kind, **({"timeout_s": 0.5} if slow else {}))
    assert (caught.value.maybe_billed, caught.value.malformed, caught.value.throttled) == (True, False, False)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["endpoint", "openai", "anthropic"])
@pytest.mark.parametrize("fault", MALFORMED, ids=lambda fault: fault.name)
async def test_nonsense_with_status_200_is_malformed_and_never_a_reply(kind: str, fault: Fault):
    """SDKs hand most of these out as success."""
    server = FaultServer([fault])
    with pytest.raises(ModelUnavailable, match=MALFORMED[fault]) as caught:
        await reply_to(request(), server, kind)
    assert (caught.value.maybe_billed, caught.value.malformed, caught.value.throttled) == (True, True, False)
    assert len(server.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", MALFORMED, ids=lambda fault: fault.name)
async def test_nonsense_through_litellm_is_malformed_too(fault: Fault):
    """In litellm's own words; an error in the body becomes the status that the body names."""
    with pytest.raises(ModelUnavailable) as caught:
        await reply_to(request(), FaultServer([fault]), "litellm")
    assert caught.value.malformed == (fault is not Fault.ERROR_IN_REPLY)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", WHOLE, ids=lambda fault: fault.name)
async def test_a_reply_that_arrived_whole_is_taken_and_the_next_one_comes_by_another_connection(
    kind: str, fault: Fault
):
    """However slowly it came, whatever was wrong about its headers, and whatever became of the connection."""
    server = FaultServer([fault], answer=lambda asked: asked.text)
    async with served(server, kind) as model:
        assert (await model.complete(request("one"))).text == "one"
        for _ in range(20):
            await asyncio.sleep(0)  # the event loop hears of what became of the connection
        assert (await model.complete(request("two"))).text == "two"
    assert len(server.requests) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", REJECTED, ids=lambda fault: fault.name)
async def test_what_will_not_heal_is_rejected_with_what_to_do_and_without_the_key(
    kind: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
):
    """Some servers put the key that they refuse into their answer, and the SDKs' errors hold the request."""
    if kind == "litellm" and fault is Fault.REDIRECT:
        pytest.skip("litellm follows redirects, and cannot be told not to")
    monkeypatch.setenv("A_KEY", "sk-canary-0123456789")
    server = FaultServer([fault])
    with pytest.raises(ModelRejected, match=REJECTED[fault]) as caught:
        await reply_to(request(), server, kind, api_key_env="A_KEY")
    assert "served at 127.0.0.1" in str(caught.value)
    assert isinstance(caught.value, PromptTooLong) == (fault is Fault.TOO_LONG)
    assert len(server.requests) == 1
    told: BaseException | None = caught.value
    while told is not None:
        assert "canary" not in f"{told!r}{told}"
        told = told.__cause__


@pytest.mark.parametrize("kind", KINDS)
async def test_the_key_goes_to_the_server_and_into_no_settings(kind: str, monkeypatch: pytest.MonkeyPatch):
    """White space around it is not part of it. The server takes no other key."""
    monkeypatch.setenv("A_KEY", " sk-canary-0123456789\n")
    server = FaultServer(key="sk-canary-0123456789")
    async with served(server, kind, api_key_env="A_KEY") as model:
        assert (await model.complete(request())).stop == "end"
        assert "canary" not in f"{model!r}{model.settings()}{model.describe()}{model.provider}"
        monkeypatch.setenv("A_KEY", "sk-another-0123456789")
        await model.aclose()
        with pytest.raises(ModelRejected, match="answered 401"):
            await model.complete(request())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_that_is_not_in_the_environment_is_missed_before_anything_is_sent(
    kind: str, monkeypatch: pytest.MonkeyPatch
):
    """By the name of its variable."""
    monkeypatch.delenv("A_KEY", raising=False)
    server = FaultServer()
    with pytest.raises(ModelRejected, match="the environment variable A_KEY is not set"):
        await reply_to(request(), server, kind, api_key_env="A_KEY")
    assert server.requests == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_with_a_line_break_in_it_is_refused_without_showing_it(kind: str, monkeypatch: pytest.MonkeyPatch):
    """It would be another header."""
    monkeypatch.setenv("A_KEY", "sk-canary\r\nX-Other: 1")
    with pytest.raises(ModelRejected, match="A_KEY holds characters that no key has") as caught:
        await reply_to(request(), FaultServer(), kind, api_key_env="A_KEY")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_is_not_running_is_unavailable_and_owes_nothing(kind: str):
    """A port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at = {"base_url": f"http://127.0.0.1:{port}" + ("" if kind == "anthropic" else "/v1")}
    async with served(FaultServer(), kind) as model:
        elsewhere = model.model_copy(update=at)
        with pytest.raises(ModelUnavailable, match=r"cannot be reached.*is it running") as caught:
            await elsewhere.complete(request())
        await elsewhere.aclose()
    assert not caught.value.maybe_billed
    assert caught.value.unreachable


@pytest.mark.parametrize("kind", ["endpoint", "openai", "anthropic"])
async def test_a_server_that_cannot_be_reached_safely_is_not_reached(kind: str):
    """HTTPS where the server speaks HTTP; a certificate that is wrong ends the same way. Asking again heals neither."""
    async with served(FaultServer(), kind) as model:
        safely = model.model_copy(update={"base_url": model.base_url.replace("http:", "https:")})
        with pytest.raises(ModelRejected, match=r"cannot be reached safely.*check `base_url`"):
            await safely.complete(request())
        await safely.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_wants_a_key_where_none_is_set_says_how_to_set_one(kind: str):
    """The recipe has no api_key_env."""
    with pytest.raises(ModelRejected, match="It refuses the missing key \\(set `api_key_env`\\)"):
        await reply_to(request(), FaultServer([Fault.UNAUTHORIZED]), kind)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "-1"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, 9.0),
        ({"Date": "Sat, 21 Nov 2026 10:00:00 GMT", "Retry-After": "Sat, 21 Nov 2026 09:00:00 GMT"}, 0.0),
    ],
)
@pytest.mark.parametrize("of", [dict, CIMultiDict, httpx.Headers])
def test_how_long_a_server_asks_to_wait(
    headers: dict[str, str], seconds: float | None, of: Callable[[dict[str, str]], Mapping[str, str]]
):
    """It comes from outside: what makes no sense is no wait."""
    assert retry_after(of(headers)) == seconds


def test_of_several_waits_that_a_server_asks_for_the_longest_counts():
    """Too early is asked in vain; one that makes no sense says nothing."""
    several = [("Retry-After", "2"), ("retry-after", "30"), ("Retry-After", "soon")]
    assert retry_after(CIMultiDict(several)) == 30
    assert retry_after(httpx.Headers(several)) == 30
