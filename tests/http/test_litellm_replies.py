"""``litellm`` against a real server on loopback, in both wire formats. Importing it takes seconds, so all are slow."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest

from served import FREE, reply_to, request, served
from solon.data.records import Usage
from solon.errors import ModelRejected
from solon.models.base import Reply
from solon.models.litellm import LiteLLM
from solon.testing import Fault, FaultServer

pytestmark = pytest.mark.slow


async def test_the_reply_carries_text_usage_and_the_name_of_what_answered():
    """5 characters in, 11 out, up to four of them a token, as the server counts."""
    reply = await reply_to(request(), FaultServer(answer=lambda asked: f"you: {asked.text}!"), "litellm")
    assert reply == Reply(text="you: hello!", usage=Usage(input_tokens=2, output_tokens=3), model="served")


async def test_the_whole_request_is_sent():
    """Nothing is dropped in silence where the provider knows it."""
    server = FaultServer(logprobs={"A": math.log(0.5), " A": math.log(0.25), "B": -2.0})
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    asked = request(temperature=0.7, seed=3, top_p=0.9, choices=("A", "B"), json_schema=schema)
    reply = await reply_to(asked, server, "litellm")
    assert server.requests[0].body == {
        "model": "served",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 8,
        "seed": 3,
        "logprobs": True,
        "top_logprobs": 20,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": schema, "strict": True},
        },
    }
    assert reply.choices == pytest.approx({"A": math.log(0.75), "B": -2.0})


async def test_without_sampling_no_temperature_and_no_seed_is_sent():
    """For models that reason."""
    server = FaultServer()
    await reply_to(request(temperature=0.7, seed=3, top_p=0.9, choices=("A",)), server, "litellm", sampling=False)
    assert set(server.requests[0].body) == {"model", "messages", "max_tokens"}


async def test_extra_fields_are_laid_over_the_request_and_null_takes_one_out():
    """As for the other kinds."""
    server = FaultServer()
    await reply_to(request(), server, "litellm", extra_body={"max_tokens": 4, "temperature": None})
    assert server.requests[0].body["max_tokens"] == 4
    assert "temperature" not in server.requests[0].body


@pytest.mark.parametrize(
    ("fault", "text", "stop"),
    [
        (Fault.FILTERED, "", "filtered"),
        (Fault.REFUSED, "I cannot help with that.", "refused"),
        (Fault.CUT_OFF, "an answer", "length"),
    ],
)
async def test_a_reply_that_is_no_whole_answer_says_so(fault: Fault, text: str, stop: str):
    """LiteLLM keeps a refusal among the fields of the provider."""
    reply = await reply_to(request(), FaultServer([fault], answer=lambda _: "an answer"), "litellm")
    assert (reply.text, reply.stop) == (text, stop)


async def test_a_prompt_that_a_filter_stopped_is_counted_as_read():
    """Azure charges for it."""
    reply = await reply_to(request(), FaultServer([Fault.FILTERED_PROMPT]), "litellm")
    assert (reply.stop, reply.usage) == ("filtered", Usage(input_tokens=85, estimated=True))


async def test_tokens_that_were_not_counted_are_charged_as_many_as_there_can_be():
    """LiteLLM writes 0 where the server says nothing; 0 would be free."""
    reply = await reply_to(request(), FaultServer([Fault.NO_USAGE]), "litellm")
    assert reply.usage == Usage(input_tokens=85, output_tokens=8, estimated=True)


async def test_another_providers_wire_format_ends_in_the_same_reply():
    """Anthropic's, which litellm translates."""
    async with FaultServer(answer=lambda asked: "yes") as server:
        model = LiteLLM(model="anthropic/served", base_url=server.root, price=FREE, timeout_s=10)
        reply = await model.complete(request(system="Be brief."))
        await model.aclose()
    assert (reply.text, reply.stop, reply.model) == ("yes", "end", "served")


async def test_a_key_that_litellm_does_not_find_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch):
    """Before anything is sent; litellm itself calls it an error of the server."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ModelRejected, match="name its variable in `api_key_env`"):
        await LiteLLM(model="openai/gpt-4.1").complete(request())


async def test_a_key_that_litellm_found_by_itself_is_in_no_message(monkeypatch: pytest.MonkeyPatch):
    """The server repeats what it was sent. It was sent none: a server of one's own gets no provider's key."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
    server = FaultServer([Fault.UNAUTHORIZED])
    with pytest.raises(ModelRejected) as caught:
        await reply_to(request(), server, "litellm")
    assert "canary" not in str(caught.value)
    assert "canary" not in str(server.headers)


async def test_one_object_serves_one_event_loop_after_another():
    """LiteLLM keeps its connections for the whole process; they are let go."""
    async with served(FaultServer(), "litellm") as model:
        await model.complete(request("one"))
        await model.aclose()
        assert (await model.complete(request("two"))).text.startswith("reply")


def test_importing_it_asks_no_network_and_says_nothing():
    """It would fetch a price map from the network, and read a .env file."""
    code = "from solon.models.litellm import _litellm; m = _litellm(); print(m.telemetry, m.num_retries)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False None\n", "")
