"""Endpoint against a real OpenAI-compatible server that is not ours: ``transformers serve`` with a tiny Llama."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from solon.data.records import Message
from solon.errors import ModelError
from solon.ledger import Ledger
from solon.models.base import Request
from solon.models.endpoint import Endpoint
from solon.stream import Stream, ask
from solon.testing.tiny import tiny_llama

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

START_S = 180.0
"""Importing torch and transformers takes most of it, on a busy machine."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The server's base URL and the folder of its model. The server ends with the module, whatever happens."""
    command = shutil.which("transformers", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("the `transformers` command is not installed: pip install 'solon[dev]'")
    folder = tmp_path_factory.mktemp("served")
    model = tiny_llama(folder / "tiny")
    port = _free_port()
    log = (folder / "log").open("wb")
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HOME": str(folder)}
    server = subprocess.Popen(
        [command, "serve", "--host", "127.0.0.1", "--port", f"{port}", "--device", "cpu"],
        env={**os.environ, **quiet},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        if not asyncio.run(_healthy(f"http://127.0.0.1:{port}/health", server)):
            pytest.fail(f"transformers serve did not start:\n{(folder / 'log').read_text()[-3000:]}")
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        log.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


async def _healthy(url: str, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                async with session.get(url) as response:
                    if response.status == 200:
                        return True
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
    return False


def request(text: str, **fields: object) -> Request:
    return Request(messages=(Message(role="user", content=text),), **{"max_tokens": 6, **fields})


async def test_a_real_server_answers_and_the_ledger_keeps_what_it_said(served: tuple[str, Path], tmp_path: Path):
    """Text, tokens and stop reason of six tokens; the second time from the ledger, though the port might be another."""
    url, folder = served
    model = Endpoint(base_url=url, model=str(folder), concurrency=2)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s") as stream:
            first = await ask(model, request("hello"))
            again = await ask(Endpoint(base_url="http://localhost:1/v1", model=str(folder)), request("hello"))
            assert (stream.tally.sent, stream.tally.from_ledger) == (1, 1)
    await model.aclose()
    assert again == first
    assert first.model == f"{folder}@main"
    # <|user|>, five bytes, <|end|>, <|assistant|>: the tokenizer of the tiny Llama knows bytes alone
    assert first.usage.input_tokens == 8
    assert 1 <= first.usage.output_tokens <= 6
    assert first.stop == ("length" if first.usage.output_tokens == 6 else "end")


async def test_the_same_seed_gives_the_same_sample_and_greedy_decoding_needs_none(served: tuple[str, Path]):
    """What is sent is what the server understands."""
    url, folder = served
    model = Endpoint(base_url=url, model=str(folder))
    sampled = [await model.complete(request("hello", temperature=1.0, seed=seed)) for seed in (1, 1)]
    greedy = [await model.complete(request("hello")) for _ in range(2)]
    await model.aclose()
    assert sampled[0].text == sampled[1].text
    assert greedy[0].text == greedy[1].text


async def test_a_server_that_ignores_logprobs_gives_no_choices(served: tuple[str, Path]):
    """It answers 200 without them; a judge then reads the text."""
    url, folder = served
    model = Endpoint(base_url=url, model=str(folder))
    reply = await model.complete(request("A or B?", choices=("A", "B"), max_tokens=1))
    await model.aclose()
    assert reply.choices is None
    assert reply.usage.output_tokens == 1


async def test_a_model_that_the_server_does_not_have_is_an_error(served: tuple[str, Path]):
    """Offline, an unknown name cannot be loaded; whatever status that gives, it is no reply."""
    url, _ = served
    model = Endpoint(base_url=url, model="no/such-model")
    with pytest.raises(ModelError, match=r"no/such-model at 127\.0\.0\.1"):
        await model.complete(request("hello"))
    await model.aclose()
