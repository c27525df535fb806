"""Alarms on their way from a trainer to a person: the training process, the stage, ``run.json``, the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from solon.constitution.library import resolve
from solon.data.records import Checkpoint, Preference, Record
from solon.errors import TrainingError
from solon.ledger import Ledger
from solon.recipe import Opened, Recipe
from solon.report.distrust import distrust
from solon.report.summary import summarise
from solon.rundir import RunDirectory
from solon.stages.run import Run
from solon.stages.train import train
from solon.trainers.base import Job, Trainer

SITE = Path(__file__).parent


class Drifting(Trainer):
    """A third party's trainer that has never heard of alarms; its KL crosses 2 twice."""

    kind: ClassVar[str] = "drifting"
    consumes: ClassVar[type[Record]] = Preference

    def train(self, job: Job) -> Checkpoint:
        """Reports, and leaves a checkpoint."""
        for step, kl in enumerate([1.0, 2.5, 1.0, 4.0], start=1):
            job.report(step, 4, {"loss": 1 / step, "kl": kl})
        (job.out / "weights").write_text("w")
        return Checkpoint(path=".", base_model="policy", form="full", trainer=self.kind, dataset="0" * 16)


class Told:
    """A progress that remembers the lines and the notes of its bar."""

    def __init__(self) -> None:
        self.lines, self.notes = list[str](), list[str]()

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Told]:
        """Itself as the bar."""
        yield self

    def advance(self, steps: int = 1, *, note: str = "", **_: object) -> None:
        """One update of the bar."""
        self.notes.append(note)

    def say(self, text: str) -> None:
        """One line."""
        self.lines.append(text)

    def note(self, text: str) -> None:
        """Not used here."""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with ``Drifting``, here and in new processes."""
    info = tmp_path / "site" / "drifting-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: drifting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[solon.trainers]\ndrifting = {Path(__file__).stem}:Drifting\n")
    monkeypatch.setenv("PYTHONPATH", f"{info.parent}:{SITE}")


@contextmanager
def opened(folder: Path, **settings: object) -> Iterator[Run]:
    """A run of a recipe that begins at a dataset and trains with ``Drifting``."""
    (folder / "data").mkdir()
    (folder / "data" / "train.parquet").write_bytes(b"read by nobody")
    recipe = {
        "constitution": "honesty",
        "dataset": str(folder / "data"),
        "policy": "org/name",  # never loaded
        "train": Drifting.model_validate(settings),
    }
    told = Opened(Recipe.model_validate(recipe), folder / "recipe.yaml", {})
    with RunDirectory.open(folder / "run") as directory, Ledger.open(folder / "ledger.sqlite") as ledger:
        directory.begin(name="r", seed=0, constitution=resolve("honesty").model_dump(), versions={}, recipe="")
        yield Run(told, directory, resolve("honesty"), ledger, Told())


def test_an_alarm_is_shown_while_it_trains_and_stands_in_the_report(tmp_path: Path, installed: None) -> None:
    """One line for its first crossing, its name beside the loss from then on, the count in `run.json`."""
    with opened(tmp_path) as run:
        train(run)
        told = run.progress
    assert isinstance(told, Told)
    (line,) = told.lines
    assert line.startswith(
        "train     alarm: at step 2 the KL to the reference is 2.5, above 2; lower train.learning_rate"
    )
    assert told.notes == [
        "loss 1.000",
        "loss 0.500",
        "loss 0.500, alarms: kl",
        "loss 0.333, alarms: kl",
        "loss 0.250, alarms: kl",
        "loss 0.250, alarms: kl",
    ]
    summary = summarise(tmp_path / "run")
    assert summary.trained is not None
    assert [(each.name, each.step, each.times) for each in summary.trained.alarms] == [("kl", 2, 2)]
    assert [step["step"] for step in summary.steps] == [1, 2, 3, 4]
    assert "Training raised 1 alarm: at step 2 the KL to the reference is 2.5, above 2 (2 times)." in distrust(summary)


def test_a_training_that_an_alarm_ended_is_not_done(tmp_path: Path, installed: None) -> None:
    """The same command tries again; the error says what to change."""
    with opened(tmp_path, alarms={"kl": {"stop": True}}) as run:
        with pytest.raises(TrainingError, match=r"train\.alarms\.kl\.stop asks: at step 2 "):
            train(run)
        assert "train" not in run.directory.done
        assert not (tmp_path / "run" / "checkpoints" / "drifting").exists()
