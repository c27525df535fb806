"""Errors and settings survive the way from one process to the other."""

import errno
from pathlib import Path

import pytest

from solon.errors import (
    DataError,
    MissingExtra,
    ModelUnavailable,
    PluginError,
    Problem,
    SolonError,
    StorageError,
    TrainingError,
)
from solon.plugins.base import base_folder
from solon.trainers.base import Lora, Policy
from solon.trainers.dpo import DPO
from solon.trainers.protocol import EVENTS, Assignment, Trouble


def over_the_wire(error):
    """What arrives on the other side."""
    sent = Trouble.of(error).model_dump_json()
    arrived = EVENTS.validate_json(sent)
    assert isinstance(arrived, Trouble)
    return arrived.as_error()


class TheirError(TrainingError):
    """An error class of a third party's trainer: the other process has never heard of it."""


@pytest.mark.parametrize(
    ("error", "kind", "exit_code"),
    [
        (TrainingError("loss is nan"), TrainingError, 1),
        (PluginError("no trainer"), PluginError, 2),
        (MissingExtra("trainer 'dpo'", "train"), MissingExtra, 2),
        (ModelUnavailable("busy", retry_after=3.0), ModelUnavailable, 1),
        (TheirError("mine"), TrainingError, 1),
    ],
)
def test_an_error_of_ours_arrives_as_the_nearest_class_that_both_sides_know(error, kind, exit_code):
    """The command line's exit code depends on the class."""
    arrived = over_the_wire(error)
    assert type(arrived) is kind
    assert str(arrived) == str(error)
    assert arrived.exit_code == exit_code


def test_every_problem_of_an_input_error_arrives():
    """All at once, each with its place."""
    problems = (Problem("train.parquet", "has gaps", "fill them"), Problem("", "and more"))
    arrived = over_the_wire(DataError(problems))
    assert isinstance(arrived, DataError)
    assert arrived.problems == problems


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "model.safetensors"),
        RuntimeError("I/O error: No space left on device"),
    ],
)
def test_a_full_disk_is_a_storage_error_whoever_reports_it(error):
    """Safetensors raises an error of its own."""
    assert type(over_the_wire(error)) is StorageError


def test_what_nobody_expected_is_marked_so():
    """It is shown with the end of the log; an error of ours says enough by itself."""
    trouble = Trouble.of(ZeroDivisionError("division by zero"))
    assert trouble.error is None
    assert trouble.message == "ZeroDivisionError: division by zero"
    assert type(trouble.as_error()) is TrainingError
    assert isinstance(trouble.as_error(), SolonError)


def test_an_assignment_carries_settings_policy_and_where_they_are_relative_to(tmp_path):
    """The other process starts with nothing but this file."""
    with base_folder(tmp_path):
        policy = Policy(model="models/policy", threads=2)
    sent = Assignment.of(
        DPO(beta=0.5, lora=Lora(r=4)),
        policy,
        base=Path("/elsewhere"),
        dataset=tmp_path / "data",
        out=tmp_path / "out",
        kept=tmp_path / "kept",
        seed=3,
    )
    arrived = Assignment.model_validate_json(sent.model_dump_json())
    assert arrived == sent
    assert arrived.base == tmp_path
    assert arrived.settings["kind"] == "dpo"
    assert DPO(**{key: value for key, value in arrived.settings.items() if key != "kind"}) == DPO(
        beta=0.5, lora=Lora(r=4)
    )
    assert Policy(**arrived.policy) == policy
