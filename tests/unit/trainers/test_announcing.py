"""What is said before a training begins."""

import json

import pytest

from solon.errors import MissingExtra, RecipeError
from solon.trainers.announcing import announced
from solon.trainers.backends import GPU, Machine
from solon.trainers.base import Checkpoint, Lora, Policy, Trainer
from solon.trainers.dpo import DPO
from solon.trainers.reward import Reward

CONFIG = {
    "model_type": "llama",
    "vocab_size": 10,
    "hidden_size": 4,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "tie_word_embeddings": True,
}
ALL = Machine((GPU("NVIDIA H100", 79.6),), frozenset({"bitsandbytes", "unsloth"}))


class Other(Trainer):
    """A third party's."""

    kind = "other"

    def train(self, job: object) -> Checkpoint:
        """Nothing."""
        raise NotImplementedError


def policy(folder, **more):
    (folder / "config.json").write_text(json.dumps({**CONFIG, **more.pop("config", {})}))
    return Policy(model=str(folder), **more)


def test_the_backend_and_its_reason_come_first_and_then_the_table(tmp_path):
    """Embeddings 40, attention 64, MLP 96, norms 12; rank 1 on q and v adds 2 x 8."""
    lines, metrics = announced(DPO(lora=Lora(r=1, target_modules=("q_proj", "v_proj"))), policy(tmp_path), Machine())
    assert lines[0] == "backend plain: there is no NVIDIA GPU here"
    assert [line.split()[0] for line in lines[1:]] == [
        "parameters", "embeddings", "attention", "mlp", "norms", "adapters,", "together",
    ]  # fmt: skip
    assert metrics == {"parameters/trainable": 16, "parameters/all": 212 + 16}


def test_a_reward_model_is_trained_by_what_trains_a_policy(tmp_path):
    """Unsloth makes one where it has a GPU."""
    four_bit = policy(tmp_path, load_in_4bit=True)
    said = [announced(trainer, four_bit, ALL)[0][0] for trainer in (DPO(lora=Lora()), Reward(lora=Lora()))]
    assert [line.split(":")[0] for line in said] == ["backend unsloth", "backend unsloth"]


def test_what_this_machine_cannot_do_is_an_error_before_the_training_process_starts(tmp_path):
    """With the remedy."""
    with pytest.raises(RecipeError, match=r"policy\.load_in_4bit: needs an NVIDIA GPU"):
        announced(DPO(lora=Lora()), policy(tmp_path, load_in_4bit=True), Machine())
    with pytest.raises(MissingExtra, match=r"pip install 'solon\[unsloth\]'"):
        announced(DPO(lora=Lora(), backend="unsloth"), policy(tmp_path), Machine())


def test_a_model_that_cannot_be_counted_is_trained_all_the_same():
    """A line says why there is no table."""
    lines, metrics = announced(DPO(), Policy(model="org/elsewhere"), Machine())
    assert "parameters are not counted: org/elsewhere: there is no config.json of this model here" in lines[1]
    assert metrics == {}


def test_a_third_partys_trainer_is_not_spoken_for(tmp_path):
    """It has neither setting."""
    assert announced(Other(), policy(tmp_path), Machine()) == ([], {})
