"""What a run directory says, as one record. Reads the directory and nothing else: no model, no network, no clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, FiniteFloat, NonNegativeFloat, NonNegativeInt, PositiveInt

from solon.data.artifacts import json_lines
from solon.data.people import OF_LABELS
from solon.data.records import Checkpoint, Constitution, Metric, Noun, RatingScale, Usage
from solon.errors import DataError, Problem
from solon.evaluation.items import read_items
from solon.evaluation.paired import paired_means
from solon.evaluation.people import Said, said_by_people
from solon.report.grades import Graded, compared, graded, of_other_answers
from solon.report.held_out import Example, Moved, moved, read_examples
from solon.report.labeled import Labeled, Part
from solon.report.reading import parse, read_json, read_text


class Sampled(Part):
    """What ``sample`` did. ``duplicates`` counts prompts given more than once; ``missing`` completions, by reason."""

    prompts: NonNegativeInt
    completions: NonNegativeInt
    missing: dict[str, NonNegativeInt] = Field(default_factory=dict)
    duplicates: NonNegativeInt = 0
    usage: Usage = Usage()
    cost_usd: NonNegativeFloat = 0.0
    model: str = ""


class Split(Part):
    """Rows of one dataset: ``train`` to learn from, ``test`` held out by prompt."""

    train: NonNegativeInt = 0
    test: NonNegativeInt = 0


class Built(Part):
    """What ``build`` did.

    Attributes:
        preference, unpaired, reward, sft: the rows of each dataset; ``None`` where the judgments gave none.
        prompts: those of a recipe whose trainer writes the responses itself.
        dropped: for each dataset, how many rows were left out for which reason of ``solon.data.build.DROPPED``.
        unjudged: prompts without any judgment.
    """

    preference: Split | None = None
    unpaired: Split | None = None
    reward: Split | None = None
    sft: Split | None = None
    prompts: Split | None = None
    dropped: dict[str, dict[str, NonNegativeInt]] = Field(default_factory=dict)
    unjudged: NonNegativeInt = 0

    @property
    def datasets(self) -> dict[str, Split]:
        """The datasets that hold rows, by name."""
        named = {
            "preference": self.preference,
            "unpaired": self.unpaired,
            "reward": self.reward,
            "sft": self.sft,
            "prompts": self.prompts,
        }
        return {name: split for name, split in named.items() if split is not None and split.train + split.test}


class Raised(Part):
    """An alarm as ``solon.trainers.alarms.Alarm``: where it was raised first, and how often in all."""

    name: str
    metric: str
    step: int
    value: FiniteFloat
    limit: FiniteFloat
    text: str
    remedy: str = ""
    times: PositiveInt = 1


class Trained(Part):
    """What ``train`` did. ``trainer`` is its settings, with ``kind``; ``alarms`` are those raised while it trained.

    ``gives`` is what the checkpoint is, as ``Trainer.gives`` says: a policy, or a reward model.
    ``usage`` and ``cost_usd`` are of the rewards that it asked models for.
    """

    checkpoint: Checkpoint
    trainer: dict[str, Any] = Field(default_factory=dict)
    gives: str = "policy"
    alarms: tuple[Raised, ...] = ()
    usage: Usage = Usage()
    cost_usd: NonNegativeFloat = 0.0


class Evaluated(Part):
    """What ``evaluate`` did. ``warnings`` are sentences for the reader, e.g. that the examiner also labeled."""

    prompts: NonNegativeInt = 0
    usage: Usage = Usage()
    cost_usd: NonNegativeFloat = 0.0
    warnings: tuple[str, ...] = ()


class Summary(Noun):
    """Everything a report shows. A stage that was not run is ``None``, and its numbers are empty.

    Attributes:
        solon: the version that ran it.
        recipe: the text of ``recipe.yaml``, overrides applied; empty when there is none.
        versions: of Python and the packages that matter.
        outputs: SHA-256 of every artifact but the report, by its path in the run directory.
        steps: one mapping a logged training step, in the order logged; ``step`` is always among its keys.
        moved: of each metric of numbers, how many items got better or worse.
        examples: the held-out answers, with what was measured of each.
        graded: the answers side by side, with what people said of them in ``grades.csv``.
        other_grades: rows of that file that are about answers which the run no longer has.
        said: what people said of the labels in `solon view`; ``None`` where they said nothing.
    """

    name: str
    seed: int
    solon: str
    constitution: Constitution | None = None
    recipe: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, str] = Field(default_factory=dict)
    sampled: Sampled | None = None
    labeled: Labeled | None = None
    built: Built | None = None
    trained: Trained | None = None
    evaluated: Evaluated | None = None
    steps: tuple[dict[str, float], ...] = ()
    metrics: tuple[Metric, ...] = ()
    moved: tuple[Moved, ...] = ()
    examples: tuple[Example, ...] = ()
    graded: tuple[Graded, ...] = ()
    other_grades: NonNegativeInt = 0
    said: Said | None = None


class _Stage(Part):
    outputs: dict[str, str] = Field(default_factory=dict)
    summary: dict[str, Any] = Field(default_factory=dict)


class _Run(Part):
    name: str
    seed: int = 0
    solon: str = ""
    constitution: Constitution | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    stages: dict[str, _Stage] = Field(default_factory=dict)


def summarise(run_dir: Path) -> Summary:
    """Reads a run directory. A stage counts as run when ``run.json`` says so; only then are its files looked at.

    Raises:
        DataError: it is not a run directory, or a file that a finished stage wrote is missing or broken.
    """
    run_file = run_dir / "run.json"
    if not run_file.is_file():
        remedy = "give the directory that `solon run` wrote, e.g. runs/quickstart"
        raise DataError([Problem(str(run_dir), "is not a run directory: it holds no run.json", remedy)])
    run = parse(_Run, read_json(run_file), str(run_file), "run record")
    trained = _part(Trained, "train", run.stages, run_file)
    evaluated = _part(Evaluated, "evaluate", run.stages, run_file)
    scale = run.constitution.rating if run.constitution is not None else RatingScale()
    people = graded(run_dir, scale) if evaluated else ()
    items = read_items(run_dir) if evaluated else {}
    recipe_file = run_dir / "recipe.yaml"
    said, agreement = None, list[Metric]()
    if "label" in run.stages and run.constitution is not None:
        told = said_by_people(run_dir / OF_LABELS, run_dir / "judgments.jsonl", run.constitution)
        said, agreement = told if told is not None else (None, agreement)
    return Summary(
        name=run.name,
        seed=run.seed,
        solon=run.solon,
        constitution=run.constitution,
        recipe=read_text(recipe_file) if recipe_file.is_file() else "",
        versions=run.versions,
        # the report's own hash cannot stand in the report
        outputs={
            path: sha
            for stage, entry in run.stages.items()
            if stage != "report"
            for path, sha in sorted(entry.outputs.items())
        },
        sampled=_part(Sampled, "sample", run.stages, run_file),
        labeled=_part(Labeled, "label", run.stages, run_file),
        built=_part(Built, "build", run.stages, run_file),
        trained=trained,
        evaluated=evaluated,
        steps=_steps(run_dir / "checkpoints" / trained.checkpoint.trainer / "metrics.jsonl") if trained else (),
        metrics=(
            *(_metrics(run_dir / "evaluation" / "metrics.json") if evaluated else ()),
            *_of_people(people),
            *agreement,
        ),
        moved=moved(items),
        examples=read_examples(run_dir, items) if evaluated else (),
        graded=people,
        other_grades=of_other_answers(run_dir) if people else 0,
        said=said,
    )


_PartType = TypeVar("_PartType", bound=Part)


def _part(part: type[_PartType], stage: str, stages: Mapping[str, _Stage], run_file: Path) -> _PartType | None:
    if stage not in stages:
        return None
    return parse(part, stages[stage].summary, str(run_file), f"summary of `{stage}`")


def _steps(path: Path) -> tuple[dict[str, float], ...]:
    """The logged numbers of a training run. Trainers need not log, so a missing file is an empty curve."""
    if not path.is_file():
        return ()
    steps = []
    for number, line in json_lines(path, numbers_only=False):
        if isinstance(line, Problem):
            raise DataError([line])
        if not isinstance(line, dict) or not _is_number(line.get("step")):
            raise DataError([Problem(f"{path}:{number}", "a logged step is an object with a number as its `step`")])
        if isinstance(line.get("alarm"), str):
            continue  # those that matter stand in run.json
        # a loss that is not a number is a gap in the curve, and not JSON that could be written again
        steps.append({key: float(value) for key, value in line.items() if _is_number(value)})
    return tuple(steps)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _metrics(path: Path) -> tuple[Metric, ...]:
    value = read_json(path)
    if not isinstance(value, list):
        raise DataError([Problem(str(path), "holds a list of metrics, and this is not a list")])
    return tuple(
        parse(Metric, item, str(path), f"metric (number {number})") for number, item in enumerate(value, start=1)
    )


def _of_people(found: tuple[Graded, ...]) -> list[Metric]:
    """The mean of the grades that people gave, where they did."""
    pairs = compared(found)
    return paired_means("grade", pairs, "score", "by people who were not told whose answer it is") if pairs else []
