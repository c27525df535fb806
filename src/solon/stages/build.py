"""Building: judgments become datasets; every row that is left out is counted with its reason."""

from __future__ import annotations

from collections.abc import Iterator

from solon.data.artifacts import read_jsonl
from solon.data.building import Building, Counts, Made, building
from solon.data.cards import Facts
from solon.data.layout import write_datasets
from solon.data.records import Judgment
from solon.data.tasks import tasks, write_tasks
from solon.errors import DataError
from solon.progress import Bar
from solon.stages.label import candidates, candidates_identity
from solon.stages.run import Run, stage

_SHOWN_EVERY = 256
"""Rows after which the progress bar moves: it takes longer to draw than a row to make."""


def build(run: Run) -> None:
    """Writes ``datasets/<kind>/{train,test}.parquet`` and their card."""
    recipe = run.recipe
    if recipe.label is None:
        _build_prompts(run)
        return
    inputs = {
        "candidates": candidates_identity(run),
        "judgments": run.directory.outputs("label"),
        "principles": [principle.model_dump(mode="json") for principle in run.constitution.principles],
        "build": recipe.build.model_dump(mode="json"),
        "seed": recipe.seed,
    }
    with stage(run, "build", inputs) as work:
        if work is None:
            return
        index = run.path / ".build.index"
        with (
            run.progress.stage("build", None, "rows") as bar,
            building(run.constitution, recipe.build, recipe.seed, index=index) as datasets,
        ):
            datasets.take(candidates(run), read_jsonl(run.path / "judgments.jsonl", Judgment))
            facts = Facts(
                constitution=run.constitution,
                labelers=datasets.labelers,
                policies=datasets.policies,
                prompts=recipe.prompts or recipe.candidates or "",
                settings=recipe.build,
                seed=recipe.seed,
            )
            folder = run.path / "datasets"
            write_datasets(_Shown(datasets, bar), folder, facts)
            counts = datasets.counted()
        work.outputs += sorted(path for path in folder.rglob("*") if path.is_file())
        work.summary.update({kind: rows for kind, rows in counts.rows.items() if sum(rows.values())})
        work.summary.update(dropped=counts.drops, unjudged=counts.unjudged)


def _build_prompts(run: Run) -> None:
    """Writes ``datasets/prompts/``, for a trainer that writes the completions itself.

    Raises:
        DataError: every prompt is held out.
    """
    recipe = run.recipe
    given = tasks(run.training_prompts().prompts, run.constitution)
    inputs = {
        "tasks": [task.id for task in given],
        "constitution": run.constitution.id,
        "held_out": recipe.build.held_out,
        "seed": recipe.seed,
    }
    with stage(run, "build", inputs) as work:
        if work is None:
            return
        folder = run.path / "datasets"
        rows = write_tasks(given, folder, run.constitution, held_out=recipe.build.held_out, seed=recipe.seed)
        if not rows["train"]:
            raise DataError(f"all {len(given)} prompts are held out: give more prompts, or a smaller build.held_out")
        work.outputs += sorted(path for path in folder.rglob("*") if path.is_file())
        work.summary.update(prompts=rows)


class _Shown:
    """Datasets whose rows move a progress bar as they are made."""

    def __init__(self, datasets: Building, bar: Bar) -> None:
        self._datasets, self._bar = datasets, bar

    def made(self) -> Iterator[Made]:
        """Every row."""
        number = 0
        for number, row in enumerate(self._datasets.made(), 1):
            yield row
            if number % _SHOWN_EVERY == 0:
                self._bar.advance(_SHOWN_EVERY)
        self._bar.advance(number % _SHOWN_EVERY)

    def counted(self) -> Counts:
        """The numbers."""
        return self._datasets.counted()
