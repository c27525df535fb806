"""Training: a dataset and the policy become a checkpoint, in a process of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from solon.data.artifacts import sha256_of
from solon.data.records import Checkpoint, Demonstration, Preference, Rating, Record, Task, Usage
from solon.data.tasks import PROMPTS
from solon.errors import DataError, PluginError
from solon.models.transformers import unload
from solon.plugins.base import effects_of
from solon.progress import Bar, Progress
from solon.recipe import Recipe
from solon.stages.run import Run, policy_model, refuse_problems, stage
from solon.tracking import Tracked
from solon.trainers.alarms import Alarm
from solon.trainers.announcing import announced, refuse_unfit
from solon.trainers.base import Judging
from solon.trainers.curves import replay
from solon.trainers.dataset import place_of
from solon.trainers.launch import run_training
from solon.trainers.protocol import METRICS_FILE
from solon.trainers.workplace import training_id

DATASET_OF: dict[type[Record], str] = {
    Preference: "preference",
    Rating: "unpaired",
    Demonstration: "sft",
    Task: PROMPTS,
}


def train(run: Run) -> None:
    """Writes ``checkpoints/<trainer>/``.

    Raises:
        DataError: the datasets hold nothing that the trainer consumes.
        PluginError: the trainer consumes a kind of record that no dataset holds.
        TrainingError: the trainer stopped.
    """
    recipe = run.recipe
    trainer, policy = recipe.train, recipe.policy
    assert trainer is not None
    assert policy is not None
    name = DATASET_OF.get(trainer.consumes)
    if name is None:
        kinds = ", ".join(record.__name__ for record in DATASET_OF)
        raise PluginError(
            f"trainer {trainer.kind!r} consumes {trainer.consumes.__name__} records; datasets are built of {kinds}"
        )
    dataset = run.path / "datasets" / name
    if recipe.dataset is not None:
        dataset = place_of(recipe.dataset, trainer.consumes)
    inputs = {
        "dataset": _dataset_identity(run, dataset, name),
        "policy": policy_model(policy).describe(),
        "train": effects_of(trainer),
        "seed": recipe.seed,
    }
    judging = _judging(run) if trainer.labelers() else None
    if judging is not None:
        inputs["judging"] = judging.decides()
    with stage(run, "train", inputs, needs=[policy_model(policy), trainer]) as work:
        if work is None:
            return
        unload()  # the training process needs the memory, above all the GPU's
        out = run.path / "checkpoints" / trainer.kind
        lines, parameters = announced(trainer, policy)
        for line in lines:
            run.progress.say(f"{'train':<9} {line}")
        name_of_it = training_id(trainer, policy, dataset, recipe.seed, judging)
        with run.tracked(name_of_it) as track, run.progress.stage("train", None, "steps") as bar:
            shown = _Shown(run.progress, bar, track)
            checkpoint = run_training(
                trainer,
                policy,
                dataset=dataset,
                seed=recipe.seed,
                run_dir=run.path,
                out=out,
                on_step=shown.step,
                on_alarm=shown.alarm,
                on_used=lambda used: run.directory.used.update(train=used.model_dump()),
                base=run.opened.folder,
                judging=judging,
            )
            if not shown.last:  # logged to the end by an earlier process, and perhaps not told before that was killed
                replay(out / METRICS_FILE, track.step)
        for line in (*_made_to_fit(checkpoint), *rounds_that_made_it_worse(checkpoint)):
            run.progress.say(f"{'train':<9} {line}")
        checkpoint = checkpoint.model_copy(update={"metrics": {**checkpoint.metrics, **parameters}})
        work.outputs += sorted(path for path in out.rglob("*") if path.is_file())
        work.summary.update(
            checkpoint=checkpoint.model_dump(mode="json"),
            trainer=trainer.settings(),
            gives=trainer.gives,
            alarms=shown.alarms(),
        )
        if judging is not None:
            work.summary.update(_paid(run))


def refuse_untrainable(recipe: Recipe) -> None:
    """Stops before anything is sampled or judged when the training that is to follow cannot be done here.

    Raises:
        RecipeError, MissingExtra: with the remedy.
    """
    trainer, policy = recipe.train, recipe.policy
    if trainer is not None and policy is not None:
        refuse_problems(trainer)
        refuse_unfit(trainer, policy)


def _made_to_fit(checkpoint: Checkpoint) -> list[str]:
    """What was done about rows that were too long, where ``too_long`` asks for something, or that spelt out tokens."""
    done = {"rows/left_out": "were too long and are left out", "rows/cut": "were too long: their prompts are cut"}
    counts = {said: checkpoint.metrics[name] for name, said in done.items() if name in checkpoint.metrics}
    told = [f"{count:,.0f} rows {said} (train.too_long)" for said, count in counts.items()]
    if spelt := checkpoint.metrics.get("rows/control_tokens"):
        told.append(
            f"{spelt:,.0f} rows spell out tokens that begin or end a turn: a space in them made them text; "
            "where a chat template has written them, take them out of the messages"
        )
    return told


def rounds_that_made_it_worse(checkpoint: Checkpoint) -> list[str]:
    """That self-play ended after a first round whose policy lost: it is left, as the untrained one is no checkpoint."""
    told = checkpoint.metrics
    if told.get("selfplay/left") != 1 or told.get("selfplay/rounds") != 1 or told.get("selfplay/win_rate", 1.0) >= 0.5:
        return []
    wins, prompts = told["selfplay/win_rate"], told["selfplay/n"]
    worse = f"wins {wins:.0%} of {prompts:,.0f} held-out prompts"
    return [f"the first round's policy is left, though the untrained one is the better of the two: it {worse}"]


def _judging(run: Run) -> Judging:
    """How a trainer asks labelers: as the label stage does."""
    recipe = run.recipe
    return Judging(
        constitution=run.constitution,
        ledger=Path(recipe.ledger).absolute(),
        run=run.opened.name,
        max_usd=recipe.max_usd,
        budget=run.opened.budget,
        max_failed=recipe.max_failed,
        veto_below=recipe.build.veto_below,
    )


def _paid(run: Run) -> dict[str, Any]:
    """What the trainings of this run have paid for rewards, those that were killed or set aside among them."""
    usage, dollars = Usage(), []
    for entry in run.ledger.entries(run=run.opened.name, stage="train"):
        usage += entry.reply.usage
        dollars.append(entry.cost_usd)
    return {"usage": usage.model_dump(), "cost_usd": round(math.fsum(dollars), 6)}


def _dataset_identity(run: Run, dataset: Path, name: str) -> dict[str, str]:
    if run.recipe.dataset is None:
        mine = {
            path: sha256
            for path, sha256 in run.directory.outputs("build").items()
            if path.startswith(f"datasets/{name}/")
        }
        if f"datasets/{name}/train.parquet" not in mine:
            dropped = run.directory.summary("build").get("dropped", {}).get(name, {})
            reasons = ", ".join(f"{reason} {count}" for reason, count in dropped.items()) or "there were no judgments"
            raise DataError(
                f"no {name} dataset came out of the judgments, so there is nothing to train on ({reasons}); lower "
                "build.min_margin, sample more completions, or look at the judge"
            )
        return mine
    files = [dataset] if dataset.is_file() else sorted(dataset.glob("*.parquet"))
    if not files:
        raise DataError(f"{dataset} holds no Parquet file to train on")
    return {path.name: sha256_of(path) for path in files}


class _Shown:
    """Shows each logged step of a training on a progress bar, and each alarm beside it and on a line of its own.

    Trackers are told of both.
    """

    def __init__(self, progress: Progress, bar: Bar, track: Tracked) -> None:
        self.progress, self.bar, self.track = progress, bar, track
        self.last = 0
        self.note = ""
        self.raised: dict[str, Alarm] = {}

    def step(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """A logged step."""
        loss = metrics.get("loss", metrics.get("eval_loss"))
        self.note = f"loss {loss:.3f}" if loss is not None else ""
        self.bar.advance(step - self.last, total=steps, note=self._noted())
        self.last = step
        self.track.step(step, steps, metrics)

    def alarm(self, alarm: Alarm) -> None:
        """An alarm: of those with one name the first is kept, with the count of all."""
        first = self.raised.setdefault(alarm.name, alarm)
        self.raised[alarm.name] = first.model_copy(update={"times": alarm.times})
        self.track.alarm(alarm)
        if alarm.times == 1:  # one that comes and goes is counted: a line each would drown the others
            self.progress.say(f"{'train':<9} alarm: {alarm.text}; {alarm.remedy}")
        self.bar.advance(0, note=self._noted())

    def alarms(self) -> list[dict[str, Any]]:
        """What ``run.json`` says of them, in the order in which they were first raised."""
        return [alarm.model_dump(mode="json") for alarm in self.raised.values()]

    def _noted(self) -> str:
        named = f"alarms: {', '.join(self.raised)}" if self.raised else ""
        return ", ".join(filter(None, [self.note, named]))
