"""DPO's settings: what they refuse, and what they are when nothing is said."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from solon.plugins.registry import load
from solon.trainers.base import Lora
from solon.trainers.dpo import DPO


def test_dpo_is_found_through_its_entry_point():
    """Our trainers are registered as anyone's are."""
    assert load("solon.trainers", "dpo") is DPO


def test_importing_dpo_imports_no_torch():
    """`solon check` reads a recipe on machines without it."""
    code = "import sys, solon.trainers.dpo; print('torch' in sys.modules, 'pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"beta": 0}, "beta"),
        ({"beta": float("inf")}, "beta"),
        ({"loss": "apo_zero"}, "loss"),
        ({"loss": "robust", "label_smoothing": 0.5}, "label_smoothing"),
        ({"sft_weight": -1}, "sft_weight"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": 2}, "learning_rate"),
        ({"warmup_ratio": 1}, "warmup_ratio"),
        ({"schedule": "polynomial"}, "schedule"),
        ({"epochs": 0}, "epochs"),
        ({"max_steps": 0}, "max_steps"),
        ({"batch_size": 0}, "batch_size"),
        ({"gradient_accumulation": 0}, "gradient_accumulation"),
        ({"max_length": 0}, "max_length"),
        ({"lora": {"rank": 8}}, "lora"),
        ({"betta": 0.1}, "betta"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_where_it_is(settings, place):
    """A run of hours must not begin with a setting that means nothing."""
    with pytest.raises(ValidationError) as caught:
        DPO(**settings)
    assert [error["loc"][0] for error in caught.value.errors()] == [place]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"loss": "robust"}, "loss 'robust' needs label_smoothing"),
        ({"loss": "hinge", "label_smoothing": 0.1}, "label_smoothing changes nothing under loss 'hinge'"),
    ],
    ids=["robust_alone", "smoothing_alone"],
)
def test_label_smoothing_and_robust_come_together(settings, says):
    """A setting without an effect is one that was misunderstood."""
    with pytest.raises(ValidationError, match=says):
        DPO(**settings)


def test_the_learning_rate_said_wins_over_the_default_of_either_form():
    """Adapters want a higher rate than all weights: TRL's published values are 5e-6 and 1e-6."""
    rates = [DPO(), DPO(lora=Lora()), DPO(learning_rate=0.01), DPO(learning_rate=0.01, lora=Lora())]
    assert [settings.peak_learning_rate for settings in rates] == [1e-6, 5e-6, 0.01, 0.01]


def test_every_setting_says_what_it_means():
    """Descriptions become the documentation of the JSON Schema that editors show."""
    described = {name: bool(field.description) for name, field in DPO.model_fields.items()}
    assert described == dict.fromkeys(described, True)
