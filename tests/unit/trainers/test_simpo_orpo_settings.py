"""The settings of SimPO and ORPO: what they refuse, and what they are when nothing is said."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from solon.plugins.registry import load
from solon.trainers.base import Lora
from solon.trainers.orpo import ORPO
from solon.trainers.simpo import SimPO


@pytest.mark.parametrize(("kind", "trainer"), [("simpo", SimPO), ("orpo", ORPO)], ids=["simpo", "orpo"])
def test_it_is_found_through_its_entry_point(kind, trainer):
    """Our trainers are registered as anyone's are."""
    assert load("solon.trainers", kind) is trainer


@pytest.mark.parametrize("kind", ["simpo", "orpo"])
def test_importing_it_imports_no_torch(kind):
    """`solon check` reads a recipe on machines without it."""
    code = f"import sys, solon.trainers.{kind}; print('torch' in sys.modules, 'pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("kind", "settings", "place"),
    [
        ("simpo", {"beta": 0}, "beta"),
        ("simpo", {"beta": float("inf")}, "beta"),
        ("simpo", {"gamma_ratio": -0.1}, "gamma_ratio"),
        ("simpo", {"sft_weight": -1}, "sft_weight"),
        ("simpo", {"gamma": 1}, "gamma"),
        ("orpo", {"beta": 0}, "beta"),
        ("orpo", {"prompt_loss": "some"}, "prompt_loss"),
        ("orpo", {"lambda": 0.1}, "lambda"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_where_it_is(kind, settings, place):
    """A run of hours must not begin with a setting that means nothing."""
    with pytest.raises(ValidationError) as caught:
        {"simpo": SimPO, "orpo": ORPO}[kind](**settings)
    assert [error["loc"][0] for error in caught.value.errors()] == [place]


def test_the_usual_settings_are_those_that_were_published():
    """SimPO: beta 2, gamma / beta 0.5, 1e-6. ORPO: lambda 0.1, 8e-6, and with adapters 8e-5 as in TRL's script."""
    assert (SimPO().beta, SimPO().gamma_ratio, SimPO().sft_weight, SimPO().peak_learning_rate) == (2.0, 0.5, 0.0, 1e-6)
    assert (ORPO().beta, ORPO().prompt_loss, ORPO().peak_learning_rate) == (0.1, False, 8e-6)
    assert ORPO(lora=Lora()).peak_learning_rate == 8e-5


@pytest.mark.parametrize("kind", ["simpo", "orpo"])
def test_every_setting_says_what_it_means(kind):
    """Descriptions become the documentation of the JSON Schema that editors show."""
    fields = {"simpo": SimPO, "orpo": ORPO}[kind].model_fields
    described = {name: bool(field.description) for name, field in fields.items()}
    assert described == dict.fromkeys(described, True)
