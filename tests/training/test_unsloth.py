"""Every trainer by Unsloth, where it is installed: without a GPU it runs with stock kernels, all around them is real.

Each training has a process of its own, for Unsloth patches the libraries that this one has imported.
"""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from reward_adapters import classifier, model_of, untrained
from rewarding import CONSTITUTION
from selfplaying import POLICY, RULES
from selfplaying import dataset as prompts_of_quickstart
from solon.errors import SolonError
from solon.models.backend.loading import load
from solon.models.base import Request
from solon.plugins.registry import load as plugin
from solon.testing.llama31 import tiny_llama_31
from solon.trainers.base import Judging, Policy
from solon.trainers.launch import run_training
from solon.trainers.ppo import PPO

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


def train(
    kind: str, rows: str, base: Path, folder: Path, backend: str = "unsloth", **own: Any
) -> tuple[Path, list[float]]:
    """Four steps, of every round where there are several; the checkpoint's folder and the losses."""
    dataset = folder / "rows"
    if rows == "questions":
        prompts_of_quickstart(dataset, train=8, test=0)
    else:
        dataset.mkdir()
        pq.write_table(pa.Table.from_pylist(ROWS[rows]), dataset / "train.parquet")
    settings = {"lora": {"r": 2}, "batch_size": 8, "gradient_accumulation": 1, "max_steps": 4, "warmup_ratio": 0}
    rewarded = {"reward": {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}}, "max_new_tokens": 4}
    if rows == "prompts":
        own = rewarded | ({} if kind == "ppo" else {"num_generations": 4})
    losses: list[float] = []
    run_training(
        plugin("solon.trainers", kind).model_validate(
            {**settings, "backend": backend, "learning_rate": 1e-2, "schedule": "constant", **own}
        ),
        Policy(model=str(base), threads=1),
        dataset=dataset,
        seed=1,
        run_dir=folder,
        out=folder / "out",
        on_step=lambda _step, _steps, numbers: losses.extend(numbers[name] for name in ("loss",) if name in numbers),
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


def test_self_play_answers_and_learns_by_unsloth(tmp_path):
    """In both rounds, and one adapter is left.

    The second goes on with the first one's adapter, which is its reference, so its first loss is log 2 again. The
    quickstart's policy ends its answers; those that are cut off are never the better ones.
    """
    own = {"labeler": RULES, "rounds": 2, "num_generations": 3, "max_new_tokens": 48, "learning_rate": 2e-3}
    out, losses = train("selfplay", "questions", POLICY, tmp_path, **own)
    assert len(losses) == 8
    assert [losses[0], losses[4]] == pytest.approx([math.log(2)] * 2, abs=1e-3)
    assert max(losses[3], losses[7]) < losses[0]
    adapters = (out / "rounds" / "1" / "checkpoint", out)
    one, two = (load_file(folder / "adapter_model.safetensors") for folder in adapters)
    assert len(one) == len(two) == 2 * 2 * 7
    assert all((one[name] != two[name]).any() for name in one)
    load(str(POLICY), adapter=str(out))


def test_ppo_by_unsloth_is_rewarded_through_its_own_base(base, tmp_path):
    """Which it holds in bfloat16, as the ledger says; but for that, logits are those of the reward model by itself."""
    judge = classifier(base, untrained(base, tmp_path / "reward"))
    train("ppo", "questions", base, tmp_path, reward=judge, max_new_tokens=4)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger:
        ((described,),) = ledger.execute("SELECT description FROM models").fetchall()
        requests, replies = zip(*ledger.execute("SELECT request, reply FROM replies"), strict=True)
    assert json.loads(described)["weights"] == "bfloat16"
    alone = model_of(PPO(reward=judge)).complete_batch([Request.model_validate_json(one) for one in requests])
    for reply, other in zip(replies, asyncio.run(alone), strict=True):
        assert json.loads(reply)["logits"] == pytest.approx(other.logits, abs=0.3)


def test_a_reward_model_that_unsloth_made_without_a_head_is_refused(base, tmp_path):
    """It takes no notice of `num_labels` where it has no GPU, and would train the head that gives the next token."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU, where Unsloth makes it")
    with pytest.raises(SolonError, match="unsloth makes a model with a head of one number on a GPU only"):
        train("reward", "preferences", base, tmp_path)
