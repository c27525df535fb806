"""Settings of several processes: what a step's rows become, what is refused, and what goes without saying."""

import json
import os
from typing import ClassVar

import pytest
from pydantic import ValidationError

from solon.errors import RecipeError, TrainingError
from solon.trainers.dpo import DPO
from solon.trainers.gradient import GradientTrainer
from solon.trainers.grpo import GRPO
from solon.trainers.kto import KTO
from solon.trainers.orpo import ORPO
from solon.trainers.ppo import PPO
from solon.trainers.rloo import RLOO
from solon.trainers.several import Place, refuse_others, refuse_together

RULES = {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}}


@pytest.mark.parametrize(
    ("batch_size", "accumulation", "count", "expected"),
    [
        (8, 4, 1, (8, 4)),  # as it was set
        (8, 4, 2, (8, 2)),  # each takes half of the batches
        (8, 4, 8, (4, 1)),  # 32 rows, 4 for each
        (8, 1, 2, (4, 1)),
        (8, 3, 2, (6, 2)),  # 12 for each, as many at once as divide it and are no more than 8
    ],
)
def test_a_step_has_as_many_rows_however_many_processes_share_it(batch_size, accumulation, count, expected):
    """And no process has more in memory at once than one alone would."""
    at_once, batches = DPO(batch_size=batch_size, gradient_accumulation=accumulation).of_a_process(count)
    assert (at_once, batches) == expected
    assert at_once * batches * count == batch_size * accumulation
    assert at_once <= batch_size


def test_rows_that_cannot_be_shared_evenly_are_an_error_of_the_recipe():
    """Found when it is read; and when others have started the processes, before anything is loaded."""
    with pytest.raises(ValidationError, match=r"a step sees 32 rows .* which 3 processes cannot share evenly"):
        DPO(processes=3)
    with pytest.raises(RecipeError, match="which 5 processes cannot share evenly"):
        DPO().of_a_process(5)


@pytest.mark.parametrize(("batch_size", "accumulation", "count"), [(2, 1, 2), (2, 3, 2), (8, 4, 32)])
def test_kto_by_several_processes_has_two_rows_at_once_in_each(batch_size, accumulation, count):
    """It pairs each prompt with another's response of the same batch; a batch of one has no other."""
    settings = {"batch_size": batch_size, "gradient_accumulation": accumulation}
    with pytest.raises(ValidationError, match=f"each of {count} processes would have one at once, and kto needs two"):
        KTO(processes=count, **settings)
    with pytest.raises(RecipeError, match="kto needs two: raise batch_size or take fewer processes"):
        KTO(**settings).of_a_process(count)
    assert KTO(batch_size=4, gradient_accumulation=1).of_a_process(2) == (2, 1)
    assert DPO(**settings).of_a_process(count)[0] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fsdp": True}, "`fsdp` divides a model among processes, and there is one: set `processes` as well"),
        ({"processes": 2, "backend": "unsloth"}, "unsloth trains in one process"),
    ],
    ids=["alone", "unsloth"],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    """When the recipe is read, with its line."""
    with pytest.raises(ValidationError, match=message):
        DPO(**settings)


class Whole(DPO):
    """A third party's, which has not said that it can divide a model."""

    together = ("ddp",)


def test_a_trainer_that_cannot_divide_a_model_says_so():
    """Third parties' trainers, for example; all of ours that train in several processes can."""
    with pytest.raises(ValidationError, match="dpo cannot divide a model among processes: leave `fsdp` out"):
        Whole(processes=2, fsdp=True)
    for trainer in (DPO, GRPO, KTO, ORPO, PPO, RLOO):
        assert trainer.together == ("ddp", "fsdp")


class Alone(GradientTrainer):
    """A third party's trainer, which has not said how several processes may train."""

    kind: ClassVar[str] = "alone"


def test_a_trainer_of_one_process_says_so():
    """As any is that has not said how several may train."""
    with pytest.raises(ValidationError, match="alone trains in one process: leave `processes` out"):
        Alone(processes=2)
    with pytest.raises(RecipeError, match="trainer 'alone' trains in one process, and 2 were started: start one"):
        refuse_together(Alone(), Place(count=2))


def test_one_process_changes_nothing_of_what_identifies_a_training():
    """A run that was done before this could be set is still done; two processes give other bits."""
    assert {"processes", "fsdp"} & DPO().effects().keys() == set()
    assert DPO(processes=2).effects()["processes"] == 2
    assert DPO(processes=2, fsdp=True).effects()["fsdp"] is True


def test_more_processes_than_gpus_are_a_problem_of_this_machine(tmp_path, monkeypatch):
    """`solon check` finds it; where there is no GPU, processes share the CPU."""
    assert not any("GPU" in problem for problem in DPO(processes=4).problems())
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '0, GPU-1, NVIDIA H100, 81559'\necho '1, GPU-2, NVIDIA H100, 81559'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "train.processes: 4 want a GPU each, and there are 2 GPUs here: set 2" in DPO(processes=4).problems()
    assert not any("GPU" in problem for problem in DPO(processes=2).problems())


def test_a_place_is_read_from_the_environment_that_launchers_write():
    """Those of torchrun and accelerate; one process alone where there is none."""
    assert Place.here({}) == Place() == Place.here({"WORLD_SIZE": "1", "RANK": "0"})
    written = {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1", "ACCELERATE_USE_FSDP": "true"}
    assert Place.here(written) == Place(count=4, rank=3, local=1, divided=True)
    mine = Place(count=2, rank=1, local=1, divided=True)
    assert Place.here(mine.environment(port=1, listening=3)) == mine


def test_processes_that_others_started_must_be_as_many_as_the_recipe_says():
    """Or the recipe leaves it to them."""
    refuse_together(DPO(), Place(count=4))
    refuse_together(DPO(processes=4), Place(count=4))
    with pytest.raises(RecipeError, match=r"train\.processes is 2, and 4 were started"):
        refuse_together(DPO(processes=2), Place(count=4))
    with pytest.raises(RecipeError, match="trainer 'dpo' cannot divide a model among processes"):
        refuse_together(Whole(), Place(count=2, divided=True))
    refuse_together(ORPO(), Place(count=2, divided=True))


def test_unsloth_is_refused_in_processes_that_others_started():
    """Where the recipe leaves their number to them, it cannot be seen when the recipe is read."""
    refuse_together(DPO(backend="unsloth"), Place())
    with pytest.raises(RecipeError, match=r"train\.backend: unsloth trains in one process, and 2 were started"):
        refuse_together(DPO(backend="unsloth"), Place(count=2))


def test_how_many_processes_there_are_is_noted_once_and_whole(tmp_path):
    """The others read the note while the first process begins: it is written where it says something else, at once."""
    kept, note = tmp_path / "trainer", tmp_path / "processes.json"
    kept.mkdir()
    refuse_others(kept, Place(count=2))
    os.utime(note, ns=(0, 0))
    refuse_others(kept, Place(count=2))
    assert note.stat().st_mtime_ns == 0
    os.link(note, tmp_path / "being read")
    refuse_others(kept, Place(count=4))
    assert json.loads((tmp_path / "being read").read_text())["count"] == 2
    assert json.loads(note.read_text())["count"] == 4


def test_what_some_processes_kept_is_gone_on_with_by_as_many(tmp_path):
    """Each kept where its own random numbers stood; with nothing kept any number may begin."""
    kept = tmp_path / "kept" / "trainer"
    kept.mkdir(parents=True)
    refuse_others(kept, Place(count=4))
    refuse_others(kept, Place(count=2))
    (kept / "step-00000002").mkdir()
    refuse_others(kept, Place(count=2))
    with pytest.raises(TrainingError, match="begun by 2 processes and cannot go on with 1 process: start it as before"):
        refuse_others(kept, Place())
    with pytest.raises(TrainingError, match="begun by 2 processes and cannot go on with 2 processes with FSDP"):
        refuse_others(kept, Place(count=2, divided=True))
    assert json.loads((tmp_path / "kept" / "processes.json").read_text()) == {"count": 2, "fsdp": False}
