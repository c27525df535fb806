"""Training: a dataset and the policy become a checkpoint, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from solon.data.artifacts import sha256_of
from solon.data.records import Demonstration, Preference, Rating, Record
from solon.errors import DataError, PluginError
from solon.models.transformers import unload
from solon.plugins.base import located
from solon.progress import Bar
from solon.stages.run import Run, policy_model, stage
from solon.trainers.launch import run_training

DATASET_OF: dict[type[Record], str] = {Preference: "preference", Rating: "unpaired", Demonstration: "sft"}


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
    dataset = Path(located(recipe.dataset)) if recipe.dataset is not None else run.path / "datasets" / name
    inputs = {
        "dataset": _dataset_identity(run, dataset, name),
        "policy": policy_model(policy).describe(),
        "train": trainer.effects(),
        "seed": recipe.seed,
    }
    with stage(run, "train", inputs, needs=[policy_model(policy), trainer]) as work:
        if work is None:
            return
        unload()  # the training process needs the memory, above all the GPU's
        out = run.path / "checkpoints" / trainer.kind
        with run.progress.stage("train", None, "steps") as bar:
            checkpoint = run_training(
                trainer,
                policy,
                dataset=dataset,
                seed=recipe.seed,
                run_dir=run.path,
                out=out,
                on_step=_shown(bar),
                base=run.opened.folder,
            )
        work.outputs += sorted(path for path in out.rglob("*") if path.is_file())
        work.summary.update(checkpoint=checkpoint.model_dump(mode="json"), trainer=trainer.settings())


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


def _shown(bar: Bar) -> Callable[[int, int, Mapping[str, float]], None]:
    """Shows each logged step of a training on a progress bar."""
    last = 0

    def on_step(step: int, steps: int, metrics: Mapping[str, float]) -> None:
        nonlocal last
        loss = metrics.get("loss", metrics.get("eval_loss"))
        bar.advance(step - last, total=steps, note=f"loss {loss:.3f}" if loss is not None else "")
        last = step

    return on_step
