"""Every trainer by Unsloth, where it is installed: without a GPU it runs with stock kernels, all around them is real.

Each training has a process of its own, for Unsloth patches the libraries that this one has imported.
"""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from rewarding import CONSTITUTION
from solon.errors import SolonError
from solon.models.backend.loading import load
from solon.plugins.registry import load as plugin
from solon.testing.llama31 import tiny_llama_31
from solon.trainers.base import Judging, Policy
from solon.trainers.launch import run_training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # its import takes a quarter of a minute of CPU time
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(find_spec("unsloth") is None, reason="unsloth is not installed"),
]
ASKED = [{"role": "user", "content": "Is it?"}]
YES, NO = ([{"role": "assistant", "content": text}] for text in ("yes", "no"))
ROWS: dict[str, list[dict[str, Any]]] = {
    "preferences": [{"prompt": ASKED, "chosen": YES, "rejected": NO}] * 8,
    "ratings": [{"prompt": ASKED, "completion": said, "label": said is YES} for said in (YES, NO)] * 4,
    "demonstrations": [{"prompt": ASKED, "completion": YES}] * 8,
    "prompts": [{"prompt": ASKED}] * 8,
}
KINDS = {
    "sft": "demonstrations",
    "dpo": "preferences",
    "simpo": "preferences",
    "orpo": "preferences",
    "kto": "ratings",
    "grpo": "prompts",
    "rloo": "prompts",
    "ppo": "prompts",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny folder of Llama 3.1's form."""
    return tiny_llama_31(tmp_path_factory.mktemp("base"), seed=1, spread=0.3)


def train(kind: str, rows: str, base: Path, folder: Path, backend: str = "unsloth") -> tuple[Path, list[float]]:
    """Four steps; the checkpoint's folder and the losses."""
    dataset = folder / "rows"
    dataset.mkdir()
    pq.write_table(pa.Table.from_pylist(ROWS[rows]), dataset / "train.parquet")
    settings = {"lora": {"r": 2}, "batch_size": 8, "gradient_accumulation": 1, "max_steps": 4, "warmup_ratio": 0}
    rewarded = {"reward": {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}}, "max_new_tokens": 4}
    own = (rewarded | ({} if kind == "ppo" else {"num_generations": 4})) if rows == "prompts" else {}
    losses: list[float] = []
    run_training(
        plugin("solon.trainers", kind).model_validate(
            {**settings, **own, "backend": backend, "learning_rate": 1e-2, "schedule": "constant"}
        ),
        Policy(model=str(base), threads=1),
        dataset=dataset,
        seed=1,
        run_dir=folder,
        out=folder / "out",
        on_step=lambda _step, _steps, numbers: losses.append(numbers["loss"]),
        judging=Judging(constitution=CONSTITUTION, ledger=folder / "ledger.sqlite", run="mine", max_failed=1),
    )
    return folder / "out", losses


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_trainer_trains_by_unsloth_and_leaves_an_adapter_that_peft_reads(kind, base, tmp_path):
    """And one adapter only: TRL adds a copy as its reference, which is the model without it."""
    out, losses = train(kind, KINDS[kind], base, tmp_path)
    assert len(losses) == 4
    assert all(math.isfinite(loss) for loss in losses)
    if KINDS[kind] != "prompts":
        assert losses[-1] < losses[0]
    assert [path.name for path in out.iterdir() if path.is_dir()] == []
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
    weights = load_file(out / "adapter_model.safetensors")
    assert len(weights) == 2 * 2 * 7
    assert all(weight.any() for name, weight in weights.items() if "lora_B" in name)
    load(str(base), adapter=str(out))


def test_the_reference_of_dpo_is_the_policy_before_training(base, tmp_path):
    """The first loss is log 2, as with every other backend."""
    (tmp_path / "unsloth").mkdir()
    (tmp_path / "plain").mkdir()
    _, losses = train("dpo", "preferences", base, tmp_path / "unsloth")
    _, plain = train("dpo", "preferences", base, tmp_path / "plain", backend="plain")
    assert losses[0] == pytest.approx(math.log(2), abs=1e-3)
    assert plain[0] == pytest.approx(math.log(2), abs=1e-3)


def test_a_reward_model_that_unsloth_made_without_a_head_is_refused(base, tmp_path):
    """It takes no notice of `num_labels` where it has no GPU, and would train the head that gives the next token."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU, where Unsloth makes it")
    with pytest.raises(SolonError, match="unsloth makes a model with a head of one number on a GPU only"):
        train("reward", "preferences", base, tmp_path)
