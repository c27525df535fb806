"""Every trainer is killed at a step that a seed draws, and ends with the weights of one that nothing disturbed."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

import in_process
import killed
from every_trainer import FAMILIES, KINDS, OFFLINE, dataset_of, judging, made
from solon.errors import TrainingError
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora, Policy
from solon.trainers.gradient import GradientTrainer
from solon.trainers.launch import run_training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
STEPS = 6


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64, spread=0.3)


def six_steps(kind: str, folder: Path, lora: Lora | None) -> tuple[GradientTrainer, Path]:
    """Two epochs of three steps for what reads responses; six rounds for what writes them."""
    length = {"epochs": 2} if kind in OFFLINE else {"max_steps": STEPS}
    dropout = {} if kind == "ppo" or lora is None else {"dropout": 0.1}  # draws random numbers at every step
    adapter = None if lora is None else lora.model_copy(update=dropout)
    rows = 12 if kind in OFFLINE else 5
    return made(kind, lora=adapter, save_every=1, **length), dataset_of(kind, folder, rows=rows, held_out=2)


@pytest.mark.parametrize("form", ["full", "lora"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_step_it_ends_with_the_same_weights(kind: str, form: str, base: Path, tmp_path: Path) -> None:
    """At a step that the kind and the form draw. The curve is the same as well."""
    lora = Lora(r=4) if form == "lora" else None
    settings, dataset = six_steps(kind, tmp_path / "dataset", lora)
    stop_at = Random(f"{kind}:{form}").randint(1, STEPS)
    _, whole = in_process.train(settings, base, dataset, tmp_path / "whole", judging=judging(tmp_path))
    assert [line["step"] for line in whole if "loss" in line] == list(range(1, STEPS + 1))
    kept = tmp_path / "kept"
    with pytest.raises(in_process.Killed):
        in_process.train(
            settings, base, dataset, tmp_path / "killed", kept=kept, stop_at=stop_at, judging=judging(tmp_path)
        )
    _, rest = in_process.train(settings, base, dataset, tmp_path / "again", kept=kept, judging=judging(tmp_path))
    assert rest[0]["step"] == stop_at  # the one before was kept, and this one is done again
    assert rest == whole[-len(rest) :]
    assert in_process.weights(tmp_path / "again") == in_process.weights(tmp_path / "whole")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_process_that_was_killed_with_signal_9_is_gone_on_from(
    kind: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training process, right after a step; then the same command, to the weights of one that was not killed."""
    monkeypatch.setenv("PYTHONPATH", killed.install(tmp_path / "site"))
    settings, dataset = six_steps(kind, tmp_path / "dataset", Lora(r=4))
    in_process.train(settings, base, dataset, tmp_path / "whole", judging=judging(tmp_path))
    dies_at = Random(f"{kind}:9").randint(2, STEPS)
    own = {name: value for name, value in settings.settings().items() if name != "kind"}
    dying = killed.KILLED[kind].model_validate({**own, "dies_at": dies_at, "once": str(tmp_path / "once")})
    steps: list[int] = []
    (tmp_path / "run").mkdir()

    def run() -> None:
        run_training(
            dying,
            Policy(model=str(base), threads=1),
            dataset=dataset,
            seed=3,
            run_dir=tmp_path / "run",
            out=tmp_path / "run" / "out",
            on_step=lambda step, _steps, metrics: steps.append(step),
            judging=judging(tmp_path),
        )

    with pytest.raises(TrainingError, match=r"was ended by SIGKILL.*lower train\.batch_size \(now 4\)"):
        run()
    assert steps[-1] == dies_at
    assert not (tmp_path / "run" / "out").exists()
    begun = len(steps)
    run()
    assert steps[begun] == dies_at  # not from the start
    assert in_process.weights(tmp_path / "run" / "out") == in_process.weights(tmp_path / "whole")
    assert not (tmp_path / "run" / ".training").exists()


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_newest_step_that_was_half_written_is_passed_over(kind: str, base: Path, tmp_path: Path) -> None:
    """It has no name yet: the one before it counts, and the end is the same."""
    settings, dataset = six_steps(kind, tmp_path / "dataset", Lora(r=4))
    in_process.train(settings, base, dataset, tmp_path / "whole", judging=judging(tmp_path))
    kept = tmp_path / "kept"
    with pytest.raises(in_process.Killed):
        in_process.train(settings, base, dataset, tmp_path / "killed", kept=kept, stop_at=4, judging=judging(tmp_path))
    newest = max((kept / "trainer").iterdir())
    assert newest.name == "step-00000003"
    newest.rename(newest.with_name(f".{newest.name}.partial"))
    for file in list(newest.with_name(f".{newest.name}.partial").rglob("*")):
        if file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    _, rest = in_process.train(settings, base, dataset, tmp_path / "again", kept=kept, judging=judging(tmp_path))
    assert rest[0]["step"] == 3
    assert in_process.weights(tmp_path / "again") == in_process.weights(tmp_path / "whole")
