"""Programs that mean harm, in the sandbox of code rewards: none comes out, none is rewarded for what it does not do."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from escapes import ENDLESS, ESCAPES, alone
from forgeries import ANSWERS_YES, EXPECTED, FORGERIES, RELATED, TESTS, naively
from shut_in import RUNGS, shut_in
from solon.data.records import Completion, Prompt, Question, Scored
from solon.labelers.verifier import Verifier
from solon.sandbox.worker import Job, Worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="code is run on Linux only"),
]


@pytest.fixture(scope="module", params=RUNGS)
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker that is shut in."""
    yield from shut_in(request.param, "python")


@pytest.fixture
def places(tmp_path: Path) -> Iterator[str]:
    """What there is to reach, as statements before a program; afterwards it is as it was."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    name = f"solon-{os.getpid()}-{tmp_path.name}"
    with (
        subprocess.Popen(["sleep", "1000"]) as victim,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind(f"\0{name}")
        abstract.listen()
        try:
            yield (
                f"import os\nSECRET = {str(secret)!r}; PORT = {server.getsockname()[1]}; NAME = {name!r}\n"
                f"VICTIM = {victim.pid}; PARENT = os.getppid()\n"
            )
        finally:
            victim.kill()


@pytest.mark.reliability("sandbox")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are those of x86-64")
def test_no_program_comes_out(worker: Worker, places: str, tmp_path: Path, figure: Callable[[str], None]) -> None:
    """And afterwards the same worker computes as before, and all that there was to reach is as it was."""
    out = []
    for name, escape in ESCAPES.items():
        arguments = {"code": places + escape.code, "setup": "", "expression": "f()", "truth": False}
        result = worker.run(Job("python", arguments, seconds=5))
        if isinstance(result.claim, dict) and result.claim.get("value", "shut in") == "out":
            out.append(name)
    assert out == []
    assert (tmp_path / "secret").read_text() == "secret"
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    well = {"code": "def f(): return 'out'", "setup": "", "expression": "f()", "truth": False}
    assert worker.run(Job("python", well)).claim == {"value": "out"}
    figure(f"{worker.rung}: {len(ESCAPES)} escapes, {len(ESCAPES) - len(out)} fail")


@pytest.mark.reliability("sandbox")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are those of x86-64")
def test_the_same_programs_come_out_where_nothing_holds_them(
    places: str, figure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    """Or else the test above would say nothing. Some need a right or a kernel that is not everywhere."""
    monkeypatch.setenv("A_SECRET_KEY", "sk-planted")
    tried = {name: escape for name, escape in ESCAPES.items() if escape.bare}
    if not full:
        tried = dict(list(tried.items())[::4])
    said = {name: alone(escape.code, places) for name, escape in tried.items()}
    assert {name: text for name, text in said.items() if text != "out"} == {}
    figure(f"{len(said)} of them succeed in a plain interpreter")


@pytest.mark.reliability("sandbox")
def test_what_does_not_end_is_ended(worker: Worker, figure: Callable[[str], None], full: bool) -> None:
    """By seconds of computing, by the clock, by what it prints and writes."""
    tried = ENDLESS if full else dict(list(ENDLESS.items())[::3])
    for name, body in tried.items():
        code = f"def g():\n    while True: pass\ndef f():\n    {body}\n"
        arguments = {"code": code, "setup": "", "expression": "f()", "truth": False}
        result = worker.run(Job("python", arguments, seconds=1, wall_s=2.0))
        gave = result.claim.get("value", None) if isinstance(result.claim, dict) else None
        assert gave is None, name
        assert result.beyond or result.code or "error" in (result.claim or {}), (name, result)
        assert result.cpu_s < 4, name
    figure(f"{worker.rung}: {len(tried)} programs that never end are ended")


async def scored(code: str, tests: str) -> float:
    """What a response's code is rewarded with."""
    verifier = Verifier.model_validate({"checks": {"it": {"code": "asserts", "seconds": 2}}, "workers": 1})
    question = Question(prompt=Prompt.of("p", reference=tests), options=(Completion(text=code, model="m"),))
    judgment = await verifier.label(question)
    assert isinstance(judgment.outcome, Scored), judgment.outcome
    return judgment.outcome.scores[0]


@pytest.mark.reliability("sandbox")
async def test_no_program_is_rewarded_for_what_it_does_not_solve(figure: Callable[[str], None], full: bool) -> None:
    """The same programs pass where tests and program share a process, as they do elsewhere."""
    assert await scored(f"def f(n): return {EXPECTED!r}", TESTS) == 1
    rewarded = [name for name, code in FORGERIES.items() if await scored(code, TESTS) > 0]
    assert rewarded == []
    related = [test for test in RELATED if await scored(ANSWERS_YES, test) > 0]
    assert related == []
    assert all(naively(ANSWERS_YES, test) for test in RELATED[:2])
    assert await scored("def f(n): return 7.25", "\n".join(RELATED)) == 1
    tried = FORGERIES if full else dict(list(FORGERIES.items())[::4])
    fooled = [name for name, code in tried.items() if naively(code, TESTS)]
    assert fooled == list(tried)
    count, bare = len(FORGERIES) + len(RELATED), f"{len(fooled)} of {len(tried)} pass tests in their own process"
    figure(f"{count} forged passes: {len(rewarded + related)} rewarded ({bare})")
