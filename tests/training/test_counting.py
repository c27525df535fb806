"""The table of parameters of models whose parts are not known by name: they are built, and their weights are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from solon.errors import DataError
from solon.testing.tiny import tiny_llama, tiny_t5
from solon.trainers.announcing import announced
from solon.trainers.backends import Machine
from solon.trainers.base import Lora, Policy
from solon.trainers.dpo import DPO
from solon.trainers.parameters import Counts, counts, counts_by_building
from solon.trainers.shapes import shape_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and PEFT warn of is theirs
]


def phi(folder: Path) -> tuple[Path, Any]:
    """A tiny Phi-3, whose matrices have names of their own; its folder has a configuration and nothing else."""
    from transformers import Phi3Config, Phi3ForCausalLM

    config = Phi3Config(
        vocab_size=50, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, pad_token_id=0,
    )  # fmt: skip
    config.save_pretrained(folder)
    return folder, Phi3ForCausalLM(config)


def test_any_model_that_transformers_can_build_gets_its_table(tmp_path: Path) -> None:
    """Embeddings and head 50 x 8 each. A layer has norms of 2 x 8, qkv 8 x 24, out 8 x 8, up 8 x 32 and down 16 x 8.

    That is 656 a layer, and 8 for the last norm.
    """
    folder, network = phi(tmp_path)
    lines, metrics = announced(DPO(), Policy(model=str(folder)), Machine())
    assert [line.split() for line in lines[2:]] == [
        ["embeddings", "400", "400", "100.00%"],
        ["blocks", "1,320", "1,320", "100.00%"],
        ["head", "400", "400", "100.00%"],
        ["together", "2,120", "2,120", "100.00%"],
    ]
    assert metrics["parameters/all"] == sum(weight.numel() for weight in network.parameters())


def test_adapters_are_those_that_a_training_would_put_in(tmp_path: Path) -> None:
    """Rank 2 on all four matrices of a layer: 2 (8 + 24 + 8 + 8 + 8 + 32 + 16 + 8) = 224, twice; and a value head."""
    folder, _ = phi(tmp_path)
    counted = counts_by_building(str(folder), "ppo", Lora(r=2))
    assert [(part.part, part.trainable, part.all) for part in counted.parts] == [
        ("embeddings", 0, 400),
        ("blocks", 0, 1320),
        ("head", 0, 400),
        ("adapters", 448, 448),
        ("value head", 9, 9),
    ]


@pytest.mark.parametrize("make", [tiny_llama, tiny_t5], ids=["decoder", "encoder-decoder"])
@pytest.mark.parametrize(("kind", "lora"), [("sft", None), ("ppo", Lora(r=4)), ("reward", Lora(r=4))])
def test_both_ways_of_counting_agree(make: Any, kind: str, lora: Lora | None, tmp_path: Path) -> None:
    """On models whose parts are known. Built in the process of the test: a new one for each would take its time."""
    from solon.trainers.backend.counting import counted

    folder = make(tmp_path / "model")
    known = counts(shape_of(str(folder)), kind, lora)
    built = Counts(tuple(_part(*part) for part in counted(str(folder), kind, lora)))
    assert (built.trainable, built.all) == (known.trainable, known.all)


def _part(name: str, trainable: int, size: int) -> Any:
    from solon.trainers.parameters import Count

    return Count(name, trainable, size)


def test_what_cannot_be_built_says_why(tmp_path: Path) -> None:
    """The training would fail as well, later and at greater length."""
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(DataError, match=r"cannot be built to count it: .*no-such-model"):
        counts_by_building(str(tmp_path), "dpo", None)
