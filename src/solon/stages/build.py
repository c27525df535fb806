"""Building: judgments become datasets; every row that is left out is counted with its reason."""

from __future__ import annotations

from solon.data.artifacts import read_jsonl
from solon.data.build import build as build_datasets
from solon.data.cards import Facts
from solon.data.layout import write_datasets
from solon.data.records import Judgment
from solon.stages.label import candidates, candidates_identity
from solon.stages.run import Run, stage


def build(run: Run) -> None:
    """Writes ``datasets/<kind>/{train,test}.parquet`` and their card."""
    recipe = run.recipe
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
        with run.progress.stage("build", None, "rows") as bar:
            given = list(candidates(run))
            judgments = list(read_jsonl(run.path / "judgments.jsonl", Judgment))
            built = build_datasets(given, judgments, run.constitution, recipe.build, recipe.seed)
            facts = Facts(
                constitution=run.constitution,
                labelers=tuple(dict.fromkeys(judgment.labeler for judgment in judgments)),
                policies=tuple(dict.fromkeys(one.model for prompt in given for one in prompt.completions)),
                prompts=recipe.prompts or recipe.candidates or "",
                settings=recipe.build,
                seed=recipe.seed,
            )
            folder = run.path / "datasets"
            write_datasets(built, folder, facts)
            counts = built.counts()
            bar.advance(sum(sum(splits.values()) for splits in counts.values()))
        work.outputs += sorted(path for path in folder.rglob("*") if path.is_file())
        work.summary.update({kind: splits for kind, splits in counts.items() if sum(splits.values())})
        work.summary.update(dropped=built.drops, unjudged=built.unjudged)
