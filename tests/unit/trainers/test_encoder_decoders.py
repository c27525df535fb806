"""Which trainers take an encoder-decoder, and how early the others say that they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from solon.errors import RecipeError
from solon.plugins.registry import kinds, load
from solon.trainers.base import Policy
from solon.trainers.configurations import is_encoder_decoder
from solon.trainers.gradient import TAKE_ENCODER_DECODERS, GradientTrainer

REWARD = {"reward": {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}}}
OTHERS = {"dpo": {}, "kto": {}, "orpo": {}, "reward": {}, "simpo": {}, "grpo": REWARD, "rloo": REWARD}


@pytest.fixture
def t5(tmp_path: Path) -> Path:
    """A folder that says it is a T5, and holds no weights: whoever loads it fails."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    return tmp_path


@pytest.mark.parametrize(
    ("config", "is_one"),
    [
        ({"model_type": "t5"}, True),
        ({"model_type": "bart"}, True),
        ({"model_type": "another", "is_encoder_decoder": True}, True),
        ({"model_type": "llama"}, False),
        ({"model_type": "bart", "is_encoder_decoder": False}, False),
    ],
)
def test_a_configuration_says_whether_it_is_an_encoder_decoder(config, is_one, tmp_path: Path) -> None:
    """In so many words or by its kind; BART's decoder can be a model of its own."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert is_encoder_decoder(str(tmp_path)) is is_one


def test_the_trainers_that_take_one_are_those_that_errors_name() -> None:
    """A list beside the settings it speaks of goes stale."""
    trainers = [load("solon.trainers", kind) for kind in kinds("solon.trainers")]
    taking = {one.kind for one in trainers if issubclass(one, GradientTrainer) and one.encoder_decoders}
    assert taking == set(TAKE_ENCODER_DECODERS)


@pytest.mark.parametrize("kind", OTHERS)
def test_the_others_refuse_one_before_anything_is_loaded(kind: str, t5: Path) -> None:
    """TRL would fail after minutes, in a matrix product."""
    trainer = load("solon.trainers", kind).model_validate(OTHERS[kind])
    with pytest.raises(RecipeError, match=f"trainer '{kind}' trains causal language models, .* with sft or ppo, or"):
        trainer.choose_backend(Policy(model=str(t5)))


def test_sft_takes_one(t5: Path) -> None:
    """On the plain backend here, where there is no GPU."""
    assert load("solon.trainers", "sft").model_validate({}).choose_backend(Policy(model=str(t5))).name == "plain"
