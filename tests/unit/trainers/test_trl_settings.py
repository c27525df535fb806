"""The settings of KTO, SFT and reward models, and what all trainers that follow a gradient share."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from solon.data.records import Demonstration, Preference, Rating
from solon.plugins.registry import load
from solon.trainers.dpo import DPO
from solon.trainers.kto import KTO
from solon.trainers.reward import Reward
from solon.trainers.sft import SFT

KINDS = {"kto": KTO, "sft": SFT, "reward": Reward}


@pytest.mark.parametrize(
    ("kind", "consumes", "gives"),
    [("kto", Rating, "policy"), ("sft", Demonstration, "policy"), ("reward", Preference, "reward model")],
    ids=["kto", "sft", "reward"],
)
def test_each_is_found_through_its_entry_point(kind, consumes, gives):
    """With what it learns from, by which the stage finds its dataset, and what it makes."""
    found = load("solon.trainers", kind)
    assert found is KINDS[kind]
    assert (found.consumes, found.gives) == (consumes, gives)


@pytest.mark.parametrize("kind", ["kto", "sft", "reward"])
def test_importing_it_imports_no_torch(kind):
    """`solon check` reads a recipe on machines without it."""
    code = f"import sys, solon.trainers.{kind}; print('torch' in sys.modules, 'pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("kind", ["kto", "sft", "reward"])
def test_every_setting_says_what_it_means(kind):
    """Descriptions become the documentation of the JSON Schema that editors show."""
    described = {name: bool(field.description) for name, field in KINDS[kind].model_fields.items()}
    assert described == dict.fromkeys(described, True)


@pytest.mark.parametrize(
    ("kind", "settings", "place"),
    [
        ("kto", {"beta": 0}, "beta"),
        ("kto", {"batch_size": 1}, "batch_size"),
        ("kto", {"desirable_weight": 0}, "desirable_weight"),
        ("kto", {"undesirable_weight": -1}, "undesirable_weight"),
        ("sft", {"beta": 0.1}, "beta"),
        ("sft", {"save_every": 0}, "save_every"),
        ("reward", {"centering": -1}, "centering"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_where_it_is(kind, settings, place):
    """A run of hours must not begin with a setting that means nothing."""
    with pytest.raises(ValidationError) as caught:
        KINDS[kind](**settings)
    assert [error["loc"][0] for error in caught.value.errors()] == [place]


@pytest.mark.parametrize(
    ("settings", "counts", "weights"),
    [
        ({}, (10, 10), (1, 1)),
        ({}, (10, 40), (4, 1)),
        ({}, (40, 10), (1, 4)),
        ({"desirable_weight": 2}, (10, 40), (2, 0.5)),
        ({"undesirable_weight": 2}, (10, 40), (8, 2)),
        ({"desirable_weight": 3, "undesirable_weight": 5}, (10, 40), (3, 5)),
    ],
    ids=["equal", "few_desirable", "few_undesirable", "desirable_said", "undesirable_said", "both_said"],
)
def test_by_default_both_classes_of_kto_weigh_the_same(settings, counts, weights):
    """10 rows of weight 4 are as much as 40 of weight 1; of 10 with weight 2, each of the 40 others has 1/2."""
    assert KTO(**settings).weights(*counts) == weights


def test_how_often_a_step_is_kept_makes_no_other_training():
    """What was kept by one that keeps every step is gone on from by one that keeps every tenth."""
    assert DPO(save_every=3).effects() == DPO().effects()
    assert DPO(save_every=3).settings() != DPO().settings()
    assert [DPO().steps_between_saves(steps) for steps in (1, 19, 20, 100)] == [1, 1, 2, 10]
    assert DPO(save_every=7).steps_between_saves(100) == 7
