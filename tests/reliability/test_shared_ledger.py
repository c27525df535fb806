"""Two runs that ask the same questions at the same time share a ledger: nothing is asked twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from failing import KEY, project, shorter
from solon.testing import FaultServer


class Gate(FaultServer):
    """Replies to nobody before both runs are there."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.opened = asyncio.Event()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        await self.opened.wait()
        return await super()._handle(request)


@pytest.mark.slow
@pytest.mark.reliability("shared-ledger")
async def test_two_runs_at_the_same_time_ask_every_question_once_and_judge_alike(
    full: bool, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """Each question is asked by whichever run comes first, and the other waits for that reply."""
    questions = 1000 if full else 100
    made = project(tmp_path / "project", questions, concurrency=8)
    owners = made.folder / ".solon" / "ledger.sqlite-owners"
    async with Gate(answer=shorter, latency_s=0.02) as server:
        url = f"label.judge.base_url={server.base_url}"
        runs = [
            made.start("label", "recipe.yaml", url, "--run-dir", f"runs/{name}", environment={KEY: "sk-a"})
            for name in ("one", "two")
        ]
        while not owners.is_dir() or len(list(owners.iterdir())) < 2:  # noqa: ASYNC110 - other processes make them
            await asyncio.sleep(0.01)
        server.opened.set()
        ended = await asyncio.gather(*(asyncio.to_thread(run.communicate, timeout=800) for run in runs))
    assert [run.returncode for run in runs] == [0, 0], ended
    one, two = ((made.folder / "runs" / name / "judgments.jsonl").read_bytes() for name in ("one", "two"))
    assert one == two
    asked: Counter[str] = server.asked
    twice = sum(times - 1 for times in asked.values())
    assert (len(asked), twice) == (questions, 0)
    figure(f"{questions:,} questions, 2 runs: {len(server.requests):,} requests, {twice} twice; the same judgments")
