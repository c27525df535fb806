"""The simulated judge behind a real server: asked by solon's models and labelers, and started as users start it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from solon.data.records import Completion, Principle, Prompt, Question, Scored
from solon.labelers.pairwise import Pairwise
from solon.ledger import Ledger
from solon.models.anthropic import Anthropic
from solon.models.endpoint import Endpoint
from solon.models.remote import RemoteModel
from solon.stream import Stream
from solon.testing.judge_server import JudgeServer

QUESTION = Question(
    prompt=Prompt.of("What is 17 + 25?"),
    principles=(Principle(id="polite", text="The response is polite."),),
    options=(Completion(text="Gladly: 42.", model="policy"), Completion(text="42, you idiot.", model="policy")),
)
FREE = {"input": 0, "output": 0}


async def judged_by(judge: RemoteModel, folder: Path) -> Scored:
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        async with Stream(ledger, run="r", stage="s") as stream:
            (judgment,) = [
                judgment async for _, judgment in stream.map(Pairwise(judge=judge).label, [QUESTION], window=1)
            ]
    await judge.aclose()
    assert isinstance(judgment.outcome, Scored)
    return judgment.outcome


async def test_openais_format_has_log_probabilities_and_anthropics_has_none(tmp_path: Path) -> None:
    """P(first is better) is the logistic of 12; of a bare letter it is 1."""
    async with JudgeServer() as server:
        measured = await judged_by(Endpoint(base_url=server.base_url, model="judge", price=FREE), tmp_path)
        told = await judged_by(Anthropic(base_url=server.root, model="judge", price=FREE, api_key_env=None), tmp_path)
    assert measured.scores == pytest.approx((1 - 6.1e-6, 6.1e-6), rel=0.01)
    assert measured.probability == pytest.approx(1 - 6.1e-6)
    assert (told.scores, told.probability) == ((1, 0), None)


async def started(*words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "solon.testing.judge_server", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.slow
async def test_it_ends_by_itself_and_says_where_it_was() -> None:
    """A server that is forgotten must not stay for ever."""
    code, out, err = await started("--port", "0", "--minutes", "0")
    assert (code, err) == (0, "")
    assert out.count("http://127.0.0.1:") == 2


@pytest.mark.slow
async def test_it_lives_as_long_as_a_command_and_ends_with_its_exit_code() -> None:
    """Standard output is the command's alone, so it can be piped on."""
    code, out, err = await started("--port", "0", "--", sys.executable, "-c", "print('hello'); raise SystemExit(7)")
    assert (code, out) == (7, "hello\n")
    assert "http://127.0.0.1:" in err


@pytest.mark.slow
@pytest.mark.parametrize(("words", "told"), [((), "Is a judge there already?"), (("--", "no-such-command"), "no-such")])
async def test_what_keeps_it_from_starting_is_one_line(words: tuple[str, ...], told: str) -> None:
    """A port that is taken, a command that does not exist."""
    async with JudgeServer() as server:
        port = server.root.rpartition(":")[2] if not words else "0"
        code, _, err = await started("--port", port, *words)
    assert code in (1, 127)
    assert told in err
    assert "Traceback" not in err


async def test_faults_are_drawn_as_for_any_fault_server() -> None:
    """Its settings are passed on."""
    settings: dict[str, Any] = {"share": 1.0, "key": "sk-right"}
    async with JudgeServer(**settings) as server:
        assert server.root.startswith("http://127.0.0.1:")
        assert await server_status(server) == 401


async def server_status(server: JudgeServer) -> int:
    import aiohttp

    body = {"model": "judge", "messages": [{"role": "user", "content": "What is 1 + 1?"}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.base_url}/chat/completions", json=body) as got,
    ):
        return got.status
