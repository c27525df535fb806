"""Adapters and models as others' tools write them: what is refused elsewhere must not cost those that are sound."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'solon[train]'")

from solon.errors import DataError
from solon.models.backend.loading import load
from solon.testing.tiny import tiny_llama

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # what PEFT and transformers warn of is theirs

KINDS: dict[str, dict[str, Any]] = {
    "a head and embeddings of its own": {"modules_to_save": ["lm_head", "embed_tokens"]},
    "on embeddings and the head": {"target_modules": ["embed_tokens", "lm_head", "q_proj"]},
    "weights in size and direction": {"use_dora": True},
    "scaled by the root of the rank": {"use_rslora": True},
    "biases": {"bias": "all"},
    "another rank for some": {"rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 3}},
    "some layers": {"target_modules": ["q_proj", "up_proj"], "layers_to_transform": [1]},
    "modules by a pattern": {"target_modules": r".*\.(q_proj|down_proj)"},
    "some tokens' embeddings": {"trainable_token_indices": [1, 2]},
}


def saved(base: Path, folder: Path, settings: dict[str, Any], **how: Any) -> Any:
    """Logits of an adapter with weights of its own, which PEFT has written into a folder as it does by default."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(**{"r": 4, "target_modules": "all-linear", "init_lora_weights": False, **settings})
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder, **how)
    return logits(model)


def logits(model: Any) -> Any:
    """What it thinks of three tokens."""
    import torch

    with torch.no_grad():
        return model(torch.tensor([[1, 2, 3]])).logits


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_lora_computes_what_it_computed_where_it_was_trained(
    kind: str, tied: bool, tmp_path: Path
) -> None:
    """On a head of its own and on one that is the embeddings, which no file of weights holds twice."""
    import torch

    base = tied_llama(tmp_path / "base") if tied else tiny_llama(tmp_path / "base")
    wanted = saved(base, tmp_path / "adapter", KINDS[kind])
    assert torch.equal(logits(load(str(base), adapter=str(tmp_path / "adapter")).model), wanted)


def test_whole_embeddings_beside_an_adapter_are_taken(tmp_path: Path) -> None:
    """As PEFT writes them where it cannot tell whether the vocabulary was changed."""
    import torch

    base = tiny_llama(tmp_path / "base")
    wanted = saved(base, tmp_path / "adapter", {}, save_embedding_layers=True)
    assert torch.equal(logits(load(str(base), adapter=str(tmp_path / "adapter")).model), wanted)


@pytest.mark.parametrize("named", ["unsloth/llama-3-8b-bnb-4bit", "/a/folder/that/has/moved", "./models/base"])
def test_an_adapter_may_name_a_base_that_is_not_here(named: str, tmp_path: Path) -> None:
    """In 4 bits on a hub, or a path of the machine that it was trained on."""
    import torch

    base = tiny_llama(tmp_path / "base")
    wanted = saved(base, tmp_path / "adapter", {})
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": named}))
    assert torch.equal(logits(load(str(base), adapter=str(tmp_path / "adapter")).model), wanted)


def test_a_model_in_parts_is_loaded_by_its_index(tmp_path: Path) -> None:
    """As every larger model is."""
    import torch
    from transformers import AutoModelForCausalLM

    base = tiny_llama(tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(base)
    (base / "model.safetensors").unlink()
    model.save_pretrained(base, max_shard_size="20KB")
    assert len(list(base.glob("model-*.safetensors"))) > 1
    assert torch.equal(logits(load(str(base)).model), logits(model.eval()))


def test_embeddings_that_were_made_longer_are_told_by_both_sizes(tmp_path: Path) -> None:
    """They do not go on the base as it is: it has fewer tokens than the adapter."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = tiny_llama(tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(model.config.vocab_size + 3)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=True)
    with pytest.raises(DataError, match=r"does not fit .*size mismatch for .*embed_tokens"):
        load(str(base), adapter=str(tmp_path / "adapter"))


def tied_llama(folder: Path) -> Path:
    """A Llama whose head is its embeddings."""
    from transformers import AutoModelForCausalLM

    from solon.models.backend.tensor_files import tensors_of_folder

    tiny_llama(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, tie_word_embeddings=True)
    model.save_pretrained(folder)
    assert not any("lm_head" in name for name in tensors_of_folder(str(folder)))
    return folder
