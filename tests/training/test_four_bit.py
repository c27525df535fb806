"""4-bit weights where bitsandbytes is installed: its CPU library has NF4, so all but a card's own kernels runs here."""

from __future__ import annotations

import math
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import in_process
from reward_adapters import ANSWERS, SMALL, classifier, lent, logits, model_of, untrained
from rewarding import CONSTITUTION
from solon.models.backend import loading
from solon.models.backend.heads import scorer_around
from solon.plugins.registry import load as plugin
from solon.testing.llama31 import tiny_llama_31
from solon.trainers import backends
from solon.trainers.backend import network
from solon.trainers.backend.scores import likelihoods_of_rows
from solon.trainers.backends import GPU, Choice, Machine
from solon.trainers.base import Judging, Lora, Policy
from solon.trainers.ppo import PPO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"),
]
WIDE = {"hidden_size": 128, "intermediate_size": 256}
"""bitsandbytes packs no narrower matrices on a CPU."""
LINEARS = 2 * 7


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of random 16-bit weights."""
    return tiny_llama_31(tmp_path_factory.mktemp("base"), **WIDE)


@pytest.fixture
def as_if_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for 4 bits without a GPU is refused; here the CPU stands for it."""
    monkeypatch.setattr(loading, "device_of", lambda torch, *_, **__: torch.device("cpu"))
    machine = Machine((GPU("a card", 80.0),), frozenset({"bitsandbytes"}))
    monkeypatch.setattr(backends.Machine, "here", classmethod(lambda _: machine))


def loaded(folder: Path) -> torch.nn.Module:
    """The model as a trainer gets it."""
    policy = Policy(model=str(folder), load_in_4bit=True, dtype="bfloat16", threads=1)
    return network.load_policy(policy, Choice("bitsandbytes", ""), lora=Lora(r=2), seed=0).loaded.network


def test_matrices_are_quantised_and_norms_embeddings_and_head_are_not(base, as_if_on_a_card):
    """What is left of 16 bits is what memory estimates count so."""
    model = loaded(base)
    kinds = [type(module).__name__ for module in model.modules()]
    assert kinds.count("Linear4bit") == LINEARS
    rest = {name: weight.dtype for name, weight in model.named_parameters() if "_proj" not in name}
    assert set(rest.values()) == {torch.bfloat16}
    assert {name.split(".")[-2] for name in rest} == {
        "embed_tokens",
        "input_layernorm",
        "post_attention_layernorm",
        "norm",
        "lm_head",
    }
    state = model.model.layers[0].mlp.up_proj.weight.quant_state
    assert (state.quant_type, state.nested, state.blocksize) == ("nf4", True, 64)


PAIR = {
    "prompt": [{"role": "user", "content": "?"}],
    "chosen": [{"role": "assistant", "content": "yes"}],
    "rejected": [{"role": "assistant", "content": "no"}],
}
RATED = [
    {"prompt": PAIR["prompt"], "completion": PAIR[side], "label": side == "chosen"} for side in PAIR if side[0] != "p"
]
ROWS = {
    "dpo": [PAIR] * 8,
    "orpo": [PAIR] * 8,
    "reward": [PAIR] * 8,
    "kto": RATED * 4,
    "grpo": [PAIR] * 8,
    "ppo": [PAIR] * 8,
}


@pytest.mark.parametrize("kind", list(ROWS))
def test_adapters_are_trained_in_float32_on_4_bit_weights(kind, base, tmp_path, as_if_on_a_card, monkeypatch):
    """TRL would train them in bfloat16, in which small steps are lost."""
    from safetensors.torch import load_file

    folder = tmp_path / "rows"
    folder.mkdir()
    online = kind in ("grpo", "ppo")
    rows = [{"prompt": row["prompt"]} for row in ROWS[kind]] if online else ROWS[kind]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    rewarded = {"reward": {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}}, "max_new_tokens": 4}
    own = rewarded | ({"num_generations": 4} if kind == "grpo" else {}) if online else {}
    settings = {"lora": {"r": 2}, "batch_size": 8, "gradient_accumulation": 1, "max_steps": 2, "learning_rate": 1e-5}
    judging = Judging(constitution=CONSTITUTION, ledger=tmp_path / "ledger.sqlite", run="mine", max_failed=1)
    made = plugin("solon.trainers", kind).model_validate({**settings, **own, "warmup_ratio": 0})
    checkpoint, logged = in_process.train(
        made, base, folder, tmp_path / "out", judging=judging, load_in_4bit=True, dtype="auto"
    )
    assert checkpoint.form == "lora"
    assert len([row for row in logged if "loss" in row]) == 2
    weights = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    moved = [weight for name, weight in weights.items() if "lora_B" in name]
    assert len(moved) == LINEARS
    assert any(weight.any() for weight in moved)


def test_a_reward_of_the_same_base_is_asked_through_its_4_bit_weights(base, tmp_path, as_if_on_a_card):
    """The logits are those of its adapter and head on such weights, and for the ledger another model's."""
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoConfig

    reward = untrained(base, tmp_path / "reward")
    settings = PPO(reward=classifier(base, reward), lora=SMALL)
    described = model_of(settings).describe()
    with lent(settings, base, load_in_4bit=True, dtype="bfloat16") as actor:
        assert model_of(settings).describe() == {**described, "weights": "nf4"}
        found, tokenizer = logits(settings), actor.loaded.tokenizer
    scorer = scorer_around(loaded(base), AutoConfig.from_pretrained(base, num_labels=1))
    scorer.score = torch.nn.Linear(WIDE["hidden_size"], 1, bias=False)
    trunk = PeftModel.from_pretrained(scorer, reward).base_model.model.model
    (head,) = load_file(reward / "adapter_model.safetensors")["base_model.model.score.weight"]
    for said, logit in zip(ANSWERS, found, strict=True):
        turns = [{"role": "user", "content": "Is 9?"}, {"role": "assistant", "content": said}]
        ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"]
        with torch.no_grad():
            assert logit == pytest.approx(float(trunk(input_ids=ids)[0][0, -1].float() @ head), abs=0.3)
    assert found != pytest.approx(logits(settings), abs=0.5)  # of the weights before they were rounded


def test_the_gpu_checks_model_is_read_as_it_was_quantised(tmp_path, as_if_on_a_card, monkeypatch):
    """Made without transformers, a layer at a time; and what transformers makes of it gives numbers."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks" / "gpu"))
    sizes = {**WIDE, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    from bitsandbytes.functional import dequantize_4bit
    from shape import SPREAD, make

    make(tmp_path / "made", device="cpu", ordinary=256, **sizes, max_position_embeddings=64)
    sys.modules.pop("shape", None)
    model = loaded(tmp_path / "made")
    linears = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    assert len(linears) == LINEARS
    for linear in linears:
        weight = dequantize_4bit(linear.weight.data, linear.weight.quant_state).float()
        assert weight.shape == (linear.out_features, linear.in_features)
        assert float(weight.std()) == pytest.approx(SPREAD, rel=0.1)
    ids = torch.arange(40, 56)[None]
    seen = torch.ones_like(ids)
    found, _ = likelihoods_of_rows(model, ids, seen, seen.cumsum(1) > 1)
    assert bool(found.isfinite().all())
    assert float(found[0, 1:].mean()) == pytest.approx(-math.log(512), rel=0.05)
