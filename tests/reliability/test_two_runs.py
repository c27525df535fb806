"""Two runs in one run directory: the second is refused at once, and the lock of a dead one is taken over."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from failing import KEY, project, shorter
from project import Project, artifacts
from solon.testing import Asked, Fault, FaultServer

pytestmark = pytest.mark.slow  # several processes

QUESTIONS, AT_ONCE = 20, 4


async def said_by(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what it said, while this process serves on."""
    out, err = await asyncio.to_thread(process.communicate, timeout=800)
    return process.returncode, out + err


@pytest.mark.reliability("two-runs")
async def test_a_second_run_is_refused_at_once_and_that_of_a_dead_process_goes_on(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """The first waits for a server that hangs, so a second that waited for it would wait for ever.

    What the second asks, writes or deletes is counted, and it is nothing. `solon report` is refused alike, and a killed
    process's lock is in nobody's way.
    """
    reached = asyncio.Event()
    hangs = True

    def script(asked: Asked) -> Fault | None:
        if asked.position < AT_ONCE or not hangs:
            return None
        if asked.position == 2 * AT_ONCE - 1:
            reached.set()  # it has sent all that it may
        return Fault.HANG

    made = project(tmp_path / "project", QUESTIONS, concurrency=AT_ONCE, timeout_s=600)
    async with FaultServer(script, answer=shorter) as server:
        first = started(made, server, "label")
        await asyncio.wait_for(reached.wait(), 120)
        asked, before = len(server.requests), artifacts(made.run_dir)
        refusals = []
        for verb in ("label", "run"):
            begun = time.monotonic()
            code, said = await said_by(started(made, server, verb))
            refusals.append(time.monotonic() - begun)
            assert code == 1
            assert f"is in use by process {first.pid} (`solon label recipe.yaml`, since " in said
            assert "wait for it, stop it, or give another --run-dir" in said
        assert (len(server.requests), artifacts(made.run_dir)) == (asked, before)
        assert first.poll() is None
        first.send_signal(signal.SIGKILL)
        await said_by(first)
        hangs = False
        code, said = await said_by(started(made, server, "label"))
        assert code == 0, said
    figure(
        f"{len(refusals)} of {len(refusals)} refused in {max(refusals):.1f} s with the start of Python, naming process "
        "and command: 0 requests, 0 bytes changed; after `kill -9` of the first the third goes on"
    )


@pytest.mark.reliability("two-runs")
async def test_a_run_at_work_can_be_looked_at_and_its_report_says_who_holds_it(tmp_path: Path) -> None:
    """A finished run is labeled anew; meanwhile `view` shows what there is, and `report` is refused as a run is."""
    reached = asyncio.Event()

    def script(asked: Asked) -> Fault | None:
        if asked.position < QUESTIONS:
            return None
        reached.set()
        return Fault.HANG

    made = project(tmp_path / "project", QUESTIONS, concurrency=AT_ONCE, timeout_s=600)
    async with FaultServer(script, answer=shorter) as server:
        made.write("recipe.yaml", (made.folder / "recipe.yaml").read_text().replace("{url}", server.base_url))
        code, said = await said_by(started(made, server, "run"))
        assert code == 0, said
        first = started(made, server, "run", "label.reasoning=true")
        await asyncio.wait_for(reached.wait(), 120)
        before = artifacts(made.run_dir)
        code, said = await said_by(made.start("report", str(made.run_dir)))
        assert code == 1
        assert f"is in use by process {first.pid} (`solon run recipe.yaml`, since " in said
        viewer = made.start("view", "recipe.yaml", "--as", "me", "--no-browser")
        assert viewer.stderr is not None
        lines = [await asyncio.to_thread(viewer.stderr.readline) for _ in range(3)]
        assert any("http://127.0.0.1:" in line for line in lines), lines
        viewer.send_signal(signal.SIGINT)
        await said_by(viewer)
        assert artifacts(made.run_dir) == before
        first.send_signal(signal.SIGKILL)
        await said_by(first)


def started(made: Project, server: FaultServer, verb: str, *more: str) -> subprocess.Popen[str]:
    """The verb on its recipe, with the server's address."""
    return made.start(verb, "recipe.yaml", f"label.judge.base_url={server.base_url}", *more, environment={KEY: "sk-a"})
