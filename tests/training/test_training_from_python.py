"""Training as a call: stopped and gone on with, from what is in memory and from what a run has left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import solon
from solon.progress import Bar

pytestmark = pytest.mark.slow
POLICY = {
    "model": str(Path(__file__).parents[2] / "examples" / "quickstart" / "models" / "policy"),
    "threads": 1,
    "batch_size": 32,
}
DPO = {"kind": "dpo", "learning_rate": 2e-4, "batch_size": 4, "gradient_accumulation": 1, "max_steps": 40}
PAIRS = [
    {"prompt": f"What is {n} + {n}?", "chosen": f"Answer: {2 * n}", "rejected": f"It is {2 * n}."} for n in range(16)
]


class _Watched:
    """A progress that says when the first step of a training was reported."""

    def __init__(self) -> None:
        self.stepped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.steps = 0

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Bar]:
        yield self

    def advance(
        self, steps: int = 1, *, failed: int = 0, usd: float = 0.0, note: str = "", total: int | None = None
    ) -> None:
        self.steps += steps
        if self.steps:
            self._loop.call_soon_threadsafe(self.stepped.set)

    def say(self, text: str) -> None:
        pass

    def note(self, text: str) -> None:
        pass


async def test_a_training_that_is_cancelled_stops_and_the_same_call_ends_it(tmp_path: Path) -> None:
    """Cancelled after its first step, it leaves no checkpoint and no process; called again, it gets to its end."""
    watched = _Watched()
    waiting = asyncio.ensure_future(
        solon.aio.train(PAIRS, POLICY, DPO, out=tmp_path / "out", ledger=None, progress=watched)
    )
    await watched.stepped.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert watched.steps < 40
    assert not (tmp_path / "out" / "checkpoints" / "dpo").exists()
    checkpoint = await solon.aio.train(PAIRS, POLICY, DPO, out=tmp_path / "out", ledger=None, progress=False)
    assert (Path(checkpoint.path) / "model.safetensors").is_file()
    assert solon.open_run(tmp_path / "out").checkpoint == checkpoint


async def test_a_trained_policy_is_sampled_and_measured_as_it_is(tmp_path: Path) -> None:
    """A checkpoint goes wherever a model does; a prompt that was trained on is refused."""
    checkpoint = solon.train(
        PAIRS, POLICY, {**DPO, "max_steps": 1, "lora": {"r": 2}}, out=tmp_path / "out", ledger=None, progress=False
    )
    assert checkpoint.form == "lora"
    (found,) = solon.sample(["Hi"], checkpoint, n=2, max_tokens=4, ledger=None, progress=False)
    assert len(found.completions) == 2
    evaluation = solon.evaluate(
        checkpoint, ["Hi", "Ho"], "length", against=POLICY, max_tokens=4, ledger=None, progress=False
    )
    assert evaluation["length"].after.n == 2
    assert [pair.prompt.text for pair in evaluation.answers] == ["Hi", "Ho"]
    with pytest.raises(solon.SolonError, match="1 of 1 prompts are trained on too"):
        solon.evaluate(checkpoint, ["Hi"], "length", against=POLICY, trained_on=["Hi"], progress=False)
