"""``solon label`` with a judge that goes by batches: one batch, interrupted, picked up, listed, given up."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from project import Project, artifacts, jsonl
from solon.testing import BatchServer

CONSTITUTION = """\
name: brief
principles:
  - {id: brief, text: Answer in as few words as possible.}
cases:
  - {principle: brief, prompt: Hi, better: Hi., worse: "Hello there, how are you doing today?"}
"""
RECIPE = """\
constitution: constitution.yaml
candidates: candidates.jsonl
max_usd: 10
label:
  kind: pairwise
  judge:
    kind: openai
    base_url: "%s"
    model: gpt-4o-mini
    api_key_env: null
    price: {input: 1, output: 1, batch: 0.5}
    batch: true
"""


def project(folder: Path, server: BatchServer) -> Project:
    folder.mkdir(parents=True)
    made = Project(folder)
    made.write("recipe.yaml", RECIPE % server.base_url)
    made.write("constitution.yaml", CONSTITUTION)
    answers = [{"prompt": f"What is {n} + {n}?", "responses": [f"{2 * n}", f"It is {2 * n}"]} for n in range(30)]
    made.write("candidates.jsonl", jsonl(answers))
    return made


async def solon(of: Project, *words: str) -> tuple[int, str, str]:
    return await asyncio.to_thread(of.solon, *words)


@pytest.mark.slow
async def test_a_labeling_stage_is_one_batch_and_the_ledger_lists_it(tmp_path: Path):
    """30 pairs in both orders: 60 requests, at half the price."""
    async with BatchServer(answer=lambda asked: "A", polls=1) as server:
        made = project(tmp_path / "p" / "project", server)
        code, _, said = await solon(made, "label", "recipe.yaml")
        assert code == 0, said
        assert [len(batch.rows) for batch in server.batches.values()] == [60]
        assert "batch_0: 60 requests handed over" in said
        _, listed, _ = await solon(made, "ledger", "batches", "--json")
        (batch,) = json.loads(listed)["batches"]
        assert (batch["id"], batch["provider"], batch["requests"], batch["open"], batch["phase"]) == (
            "batch_0",
            "openai",
            60,
            0,
            "collected",
        )
        _, table, _ = await solon(made, "ledger", "batches")
        assert "batch_0" in table
        summary = json.loads((made.run_dir / "run.json").read_text())["stages"]["label"]["summary"]
    tokens = summary["usage"]["input_tokens"] + summary["usage"]["output_tokens"]
    assert summary["cost_usd"] == pytest.approx(tokens * 0.5e-6, abs=1e-6)


@pytest.mark.slow
async def test_an_interrupted_stage_says_that_it_can_go_on_and_then_does(tmp_path: Path):
    """Ctrl-C while the batch is at the provider: out at once, and the rerun ends as an undisturbed run."""
    looked = asyncio.Event()

    async def watch(when: str, verb: str, before: int) -> None:
        if verb == "look":
            looked.set()

    async with BatchServer(answer=lambda asked: "A", polls=1) as server:
        whole = project(tmp_path / "whole" / "project", server)
        assert (await solon(whole, "label", "recipe.yaml"))[0] == 0
    async with BatchServer(answer=lambda asked: "A", polls=10**9, watch=watch) as server:
        made = project(tmp_path / "p" / "project", server)
        process = made.start("label", "recipe.yaml")
        await looked.wait()
        process.send_signal(signal.SIGINT)
        _, said = await asyncio.to_thread(process.communicate, timeout=20)
        assert process.returncode == 130
        assert "batch_0 goes on at the provider; the same command picks it up" in said
        _, shown, _ = await solon(made, "ledger", "show")
        assert "60 of 60 requests to gpt-4o-mini are to come" in " ".join(shown.split())
        server._polls = 0
        code, _, said = await solon(made, "label", "recipe.yaml")
        assert code == 0, said
        assert "taken up again, 60 of 60 requests are to come" in said
    assert max(server.came.values()) == 1
    judgments = {name: data for name, data in artifacts(made.run_dir).items() if name.endswith("judgments.jsonl")}
    assert judgments == {name: artifacts(whole.run_dir)[name] for name in judgments} != {}


@pytest.mark.slow
async def test_a_batch_that_is_gone_can_be_given_up(tmp_path: Path):
    """It was deleted at the provider: its requests are in doubt, and asked again."""
    looked = asyncio.Event()

    async def watch(when: str, verb: str, before: int) -> None:
        if verb == "look":
            looked.set()

    async with BatchServer(answer=lambda asked: "A", polls=10**9, watch=watch) as server:
        made = project(tmp_path / "p" / "project", server)
        process = made.start("label", "recipe.yaml")
        await looked.wait()
        assert (await solon(made, "ledger", "give-up", "batch_0"))[0] == 2  # somebody waits for it
        process.kill()
        await asyncio.to_thread(process.communicate)
        assert (await solon(made, "ledger", "give-up", "batch_7"))[0] == 2
        code, out, _ = await solon(made, "ledger", "give-up", "batch_0")
        assert (code, out) == (0, "batch_0 is given up: 60 requests are in doubt, and the next run asks them again\n")
        assert (await solon(made, "ledger", "give-up", "batch_0"))[0] == 2  # once is enough
        server._polls = 1
        code, _, said = await solon(made, "label", "recipe.yaml")
        assert code == 0, said
        _, shown, _ = await solon(made, "ledger", "show", "--json")
    assert [len(batch.rows) for batch in server.batches.values()] == [60, 60]
    assert json.loads(shown)["models"][0]["in_doubt"] == 60
