"""What a dataset or a recipe has to learn from: counted, never guessed. Loads no model and asks nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from solon.constitution import resolve
from solon.data.prompts import read_prompts
from solon.data.records import digest
from solon.data.tables import Row, read_rows
from solon.errors import DataError, Problem
from solon.labelers.base import Labeler
from solon.phases import phases_of
from solon.planning.crowd import crowds_of
from solon.plugins.base import located
from solon.recipe import Opened, Recipe, read
from solon.trainers.backends import known_encoder_decoder
from solon.trainers.dataset import place_of
from solon.trainers.prompted import PromptTrainer

_EXACT = ("rules", "verifier")
"""Kinds of labelers that a program decides, and nobody's taste."""


_COUNTED = ("pairs", "longer_chosen", "unclear", "margins", "labels", "good", "demonstrations", "prompts", "answers")


@dataclass(frozen=True)
class Facts:
    """What is there. Counts are of rows, 0 where there are none.

    Attributes:
        source: what was looked at.
        pairs: preferences: a chosen and a rejected response.
        longer_chosen: of the pairs, those whose chosen response is the longer one.
        unclear: of the pairs, those whose margin is known and below .2.
        margins: pairs whose margin is known.
        labels: responses that were called good or bad, or scored.
        good: of these, the good ones; ``None`` where they have scores only.
        demonstrations: responses to imitate.
        prompts: prompts, with or without anything beside them.
        answers: of these, those with a reference answer.
        verifiable: whether a program decides what is right.
        judged: whether the recipe has a labeler that can be asked about responses that the policy writes.
        paid: whether that labeler asks a model behind a network.
        own: whether the responses are the policy's; ``None`` where it is not known.
        model: the policy, where it is known.
        encoder_decoder: whether it is one.
        trainer: what the recipe trains with.
    """

    source: str
    pairs: int = 0
    longer_chosen: int = 0
    unclear: int = 0
    margins: int = 0
    labels: int = 0
    good: int | None = None
    demonstrations: int = 0
    prompts: int = 0
    answers: int = 0
    verifiable: bool = False
    judged: bool = False
    paid: bool = False
    own: bool | None = None
    model: str | None = None
    encoder_decoder: bool = False
    trainer: str | None = None


def facts_of(path: Path, sets: Sequence[str] = ()) -> Facts:
    """The facts of a recipe (``.yaml``), a file of data, a dataset folder, or the ``datasets`` folder of a run.

    ``sets`` are those of the recipe that are merged over it. Of several phases it is the last that is advised on.

    Raises:
        DataError: nothing there can be read, or nothing in it is known.
        RecipeError: the recipe is wrong.
    """
    if path.suffix in (".yaml", ".yml"):
        return _of_recipe(phases_of(read(path, sets=sets))[-1])
    if (path / "recipe.yaml").is_file() and (path / "datasets").is_dir():
        path = path / "datasets"
    folders = [path] if path.is_file() else [path, *sorted(child for child in path.iterdir() if child.is_dir())]
    if any(folder.name == "unpaired" for folder in folders):  # the same responses, called good or bad
        folders = [folder for folder in folders if folder.name != "reward"]
    found = Facts(str(path))
    for folder in folders:
        if (file := _training_file(folder)) is not None:
            found = _with_rows(found, read_rows(file))
    if not (found.pairs or found.labels or found.demonstrations or found.prompts):
        remedy = "give a recipe, a file or folder of rows with a prompt, or the directory of a run"
        raise DataError([Problem(str(path), "holds nothing that a trainer learns from", remedy)])
    return found


def _training_file(path: Path) -> Path | None:
    if path.is_file():
        return path
    known = [path / f"train.{ending}" for ending in ("parquet", "jsonl", "json", "csv")]
    return next((file for file in known if file.is_file()), None)


def _with_rows(facts: Facts, rows: Iterable[Row | Problem]) -> Facts:
    """The facts, and those of one table."""
    counts: Counter[str] = Counter()
    prompts: set[str] = set()  # counted, and nothing else: their order is nobody's
    for row in rows:
        if isinstance(row, Problem):
            raise DataError([row])
        asked = row.values.get("prompt") or row.values.get("messages") or row.values.get("chosen")
        if asked is None:
            what = "there is no prompt in it: a column `prompt` or `messages` was expected"
            raise DataError([Problem(row.where, what, "see docs/datasets.md")])
        seen = digest(asked)
        counts["answers"] += seen not in prompts and row.values.get("reference") not in (None, "")
        prompts.add(seen)
        _count(row.values, counts)
    told, good = counts.pop("told", 0), counts.pop("good", 0)
    return replace(
        facts,
        good=(facts.good or 0) + good if told else facts.good,
        prompts=max(facts.prompts, len(prompts)),
        answers=max(facts.answers, counts.pop("answers", 0)),
        **{key: getattr(facts, key) + count for key, count in counts.items()},
    )


def _count(values: Mapping[str, Any], counts: Counter[str]) -> None:
    """What a row has to learn from."""
    if values.get("chosen") is not None and values.get("rejected") is not None:
        counts["pairs"] += 1
        counts["longer_chosen"] += _length(values["chosen"]) > _length(values["rejected"])
        margin = values.get("label_margin")
        if isinstance(margin, int | float):
            counts["margins"] += 1
            counts["unclear"] += margin < 0.2
    elif (good := _called(values.get("label"))) is not None:
        counts.update(labels=1, told=1, good=int(good))
    elif isinstance(values.get("score"), int | float):
        counts["labels"] += 1
    elif values.get("completion") is not None or _ends_with_an_answer(values.get("messages")):
        counts["demonstrations"] += 1


def _called(label: Any) -> bool | None:
    """Whether a response was called good; in CSV it is a text."""
    if isinstance(label, bool):
        return label
    return {"true": True, "false": False}.get(label.lower()) if isinstance(label, str) else None


def _length(said: Any) -> int:
    """Characters of a text, or of the last message."""
    if isinstance(said, list):
        return len(str(said[-1].get("content", ""))) if said and isinstance(said[-1], Mapping) else 0
    return len(str(said))


def _ends_with_an_answer(messages: Any) -> bool:
    return isinstance(messages, list) and bool(messages) and messages[-1].get("role") == "assistant"


# ---------------------------------------------------------------- recipes


def _of_recipe(opened: Opened) -> Facts:
    recipe = opened.recipe
    judges = [recipe.label] if recipe.label is not None else list(recipe.train.teachers() if recipe.train else ())
    found = Facts(
        str(opened.path),
        verifiable=bool(judges) and all(judge.kind in _EXACT for judge in judges),
        judged=bool(judges),
        paid=any(model.remote for judge in judges for model in judge.models()),
        own=_own(recipe),
        model=recipe.policy.model if recipe.policy is not None else None,
        encoder_decoder=recipe.policy is not None and known_encoder_decoder(recipe.policy),
        trainer=recipe.train.kind if recipe.train is not None else None,
    )
    if recipe.dataset is not None:
        path = place_of(recipe.dataset, recipe.train.consumes if recipe.train is not None else None)
        if not path.exists():
            raise DataError([Problem(str(path), "is not there", "build it first, or name another `dataset`")])
        held = facts_of(path)
        counts = {name: getattr(held, name) for name in _COUNTED}
        return replace(found, **counts, own=None)
    if recipe.prompts is not None:
        prompts = read_prompts(located(recipe.prompts), recipe.columns).prompts
        found = replace(found, prompts=len(prompts), answers=sum(one.reference is not None for one in prompts))
    return _with_labels(found, recipe, judges)


def _own(recipe: Recipe) -> bool | None:
    if isinstance(recipe.train, PromptTrainer):
        return True
    return recipe.sample.model is None if recipe.prompts is not None else None


def _with_labels(facts: Facts, recipe: Recipe, judges: list[Labeler]) -> Facts:
    """What the judgments of a recipe will give: pairs, scores, or revisions to imitate; as many as it plans to make."""
    if recipe.label is None:
        return facts
    crowd, _ = crowds_of(recipe, resolve(located(recipe.constitution)))
    assert crowd is not None
    facts = replace(facts, prompts=max(facts.prompts, len(crowd)))
    if recipe.label.revises:
        return replace(facts, demonstrations=len(crowd), pairs=len(crowd))
    responses = sum(count * completions for (completions, _), count in crowd.shapes.items())
    pairs = responses - sum(count for (completions, _), count in crowd.shapes.items() if completions)
    rated = all(judge.options == 1 for judge in judges)
    return replace(facts, pairs=pairs, labels=responses if rated else 0)
