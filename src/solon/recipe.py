"""What a user writes: one file that says the whole way from a constitution to a report.

``read`` finds every problem of the file at once, each with its line and column. ``problems`` looks at what the recipe
points to (prompts, models, keys, prices) without spending anything; ``solon check`` is the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeFloat, PositiveInt, ValidationError, field_validator, model_validator

from solon.data.build import Build
from solon.data.candidates import CandidateColumns
from solon.document import dump, parse, problems_of
from solon.document import read as read_document
from solon.document.place import Document, Loc
from solon.errors import Problem, RecipeError
from solon.plugins.base import Location, Settings, base_folder
from solon.plugins.registry import AnyChatModel, AnyEvaluator, AnyLabeler, AnyTrainer
from solon.trainers.base import Policy
from solon.trust.canaries import Canaries


def _or(short: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Tells editors that a field has a short form too."""

    def extend(schema: dict[str, Any]) -> None:
        long = schema.pop("anyOf", None) or [{"$ref": schema.pop("$ref")}]
        schema["anyOf"] = [*long, short]

    return extend


class Sample(Settings):
    """How completions are drawn: ``n`` a prompt, from the policy itself or from another chat model."""

    n: PositiveInt = Field(default=4, description="completions a prompt")
    temperature: NonNegativeFloat = Field(default=1.0, description="0 is greedy")
    top_p: float = Field(default=1.0, gt=0, le=1, description="nucleus sampling; 1 is off")
    max_tokens: PositiveInt = Field(default=512, description="the longest completion, in tokens")
    model: AnyChatModel | None = Field(default=None, description="what is sampled; the policy when left out")


class Evaluate(Settings):
    """Measures the trained policy against the untrained one, on prompts that neither was trained on.

    A list of evaluators is short for ``{with: [...]}``. Without ``prompts``, ``build.held_out`` says which are used.
    """

    prompts: Location | None = Field(default=None, description="held-out prompts, as in `prompts`")
    temperature: NonNegativeFloat = Field(default=1.0, description="of the `sample` decoding")
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: PositiveInt | None = Field(default=None, description="the longest answer; as in `sample` when left out")
    measures: tuple[AnyEvaluator, ...] = Field(default=(), alias="with", description="the evaluators, in order")

    @model_validator(mode="before")
    @classmethod
    def _list_is_short_for_with(cls, value: Any) -> Any:
        return {"with": value} if isinstance(value, list) else value


class Recipe(Settings):
    """The whole way: constitution, prompts, policy, and what to do at each stage. Paths are relative to the recipe."""

    name: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="names the run directory"
    )
    constitution: Location = Field(description="a constitution file, or the name of an installed one")
    prompts: Location | None = Field(
        default=None, description="JSONL, CSV, Parquet, a folder of them, or hf://org/name"
    )
    candidates: Location | None = Field(default=None, description="prompts with their responses, in place of sampling")
    dataset: Location | None = Field(default=None, description="a preference dataset, in place of all before training")
    columns: CandidateColumns = Field(
        default=CandidateColumns(), description="which column holds what", json_schema_extra=_or({"type": "string"})
    )
    policy: Policy | None = Field(
        default=None, description="the model to align", json_schema_extra=_or({"type": "string"})
    )
    sample: Sample = Sample()
    label: AnyLabeler | None = Field(default=None, description="who judges, and how")
    canaries: Canaries | None = Field(
        default=None,
        description="answers that must lose, mixed into the labeling: a share of the prompts, or a mapping",
        json_schema_extra=_or({"type": "number"}),
    )
    build: Build = Build()
    train: AnyTrainer | None = Field(default=None, description="the trainer; leave it out to end at the datasets")
    evaluate: Evaluate | None = Field(default=None, json_schema_extra=_or({"type": "array"}))
    seed: int = Field(default=0, ge=0, lt=2**31, description="of sampling, splitting, shuffling and training")
    max_failed: float = Field(default=0.05, ge=0, le=1, description="share of judgments that may fail")
    max_usd: NonNegativeFloat | None = Field(default=None, description="cap on what this run may spend, in US dollars")
    ledger: str = Field(default=".solon/ledger.sqlite", description="relative to where solon runs")

    @field_validator("policy", mode="before")
    @classmethod
    def _model_is_short_for_policy(cls, value: Any) -> Any:
        return {"model": value} if isinstance(value, str) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _prompt_is_short_for_columns(cls, value: Any) -> Any:
        return {"prompt": value} if isinstance(value, str) else value

    @field_validator("canaries", mode="before")
    @classmethod
    def _share_is_short_for_canaries(cls, value: Any) -> Any:
        return {"share": value} if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Recipe:
        begins = [name for name in ("prompts", "candidates", "dataset") if getattr(self, name) is not None]
        if len(begins) != 1:
            raise ValueError(
                "a recipe begins at exactly one of `prompts`, `candidates` and `dataset`; "
                f"this one has {' and '.join(begins) or 'none of them'}"
            )
        rewarded = self.train is not None and bool(self.train.labelers())
        if self.label is None and self.dataset is None and not rewarded:
            raise ValueError("`label` is missing: who judges? (for example `label: {kind: pairwise, judge: ...}`)")
        if rewarded and (self.label is not None or self.candidates is not None):
            assert self.train is not None
            idle = "label" if self.label is not None else "candidates"
            instead = "" if self.label is not None else ", and begin at `prompts`"
            raise ValueError(
                f"`{idle}` has no part in a recipe whose trainer {self.train.kind!r} writes the completions itself and "
                f"has them judged by its `{self.train.judged_by}`: take it out{instead}"
            )
        if self.label is not None and self.dataset is not None:
            raise ValueError("`label` has no part in a recipe that begins at a dataset, which is labeled already")
        if self.canaries is not None and (self.label is None or self.label.revises):
            why = "has no `label`" if self.label is None else f"is labeled by {self.label.kind}, which judges nothing"
            raise ValueError(f"`canaries` are judged beside the responses, and this recipe {why}: take them out")
        if self.policy is None and (self.train is not None or (self.prompts is not None and self.sample.model is None)):
            sampled = self.prompts is not None and self.sample.model is None
            given = ". Responses that exist already go under `candidates`, in place of `prompts`" if sampled else ""
            raise ValueError(f"`policy` is missing: which model is sampled and trained?{given}")
        if self.evaluate is not None and self.train is None:
            raise ValueError("`evaluate` compares the trained policy with the untrained one, and there is no `train`")
        if self.evaluate is not None and self.train is not None and self.train.gives != "policy":
            raise ValueError(
                f"`evaluate` compares policies, and trainer {self.train.kind!r} makes a {self.train.gives}: take "
                "`evaluate` out; a recipe of its own can ask the checkpoint as `label: {kind: classifier, ...}`"
            )
        if self.dataset is not None and self.evaluate is not None and self.evaluate.prompts is None:
            raise ValueError("`evaluate.prompts` is missing: a recipe that begins at a dataset has no held-out prompts")
        return self


@dataclass(frozen=True)
class Opened:
    """A recipe with where it came from.

    Attributes:
        recipe: the validated settings.
        path: the file.
        data: what the file says with the overrides applied, as plain values: what ``recipe.yaml`` in a run holds.
    """

    recipe: Recipe
    path: Path
    data: dict[str, Any]

    @property
    def folder(self) -> Path:
        """What relative paths in it are relative to."""
        return self.path.parent.absolute()

    @property
    def name(self) -> str:
        """``name`` when the recipe has one; else the file's, or its folder's for a file called ``recipe.yaml``."""
        stem = self.path.stem
        return self.recipe.name or (self.folder.name if stem == "recipe" else stem)

    def text(self) -> str:
        """The recipe as it is run, as YAML."""
        return dump(self.data)


def read(path: Path, overrides: Sequence[str] = ()) -> Opened:
    """Reads a recipe and applies overrides such as ``train.beta=0.05``.

    Raises:
        RecipeError: with every problem in the file, each at file:line:column with the nearest valid name.
    """
    document, problems = read_document(path, error=RecipeError)
    if not isinstance(document.data, dict):
        raise RecipeError([*problems, Problem(document.place(()), "a recipe is a mapping", "start from `solon init`")])
    data = _overridden(document.data, overrides)
    with base_folder(path.parent.absolute()):
        try:
            recipe = Recipe.model_validate(data)
        except ValidationError as error:
            # what was typed on the command line is not in the file, so its place there would mislead
            typed = tuple(override.partition("=")[0] for override in overrides)
            overridden = _Overridden(document.name, data, document.values, document.keys, typed)
            raise RecipeError([*problems, *problems_of(error, overridden, Recipe)]) from None
    if problems:
        raise RecipeError(problems)
    return Opened(recipe, path, data)


@dataclass(frozen=True)
class _Overridden(Document):
    """A document with overrides put in, which knows what came from the command line; ``typed`` holds their keys."""

    typed: tuple[str, ...] = ()

    def place(self, loc: Loc) -> str:
        return self._typed_place(loc) or super().place(loc)

    def key_place(self, loc: Loc) -> str:
        return self._typed_place(loc) or super().key_place(loc)

    def _typed_place(self, loc: Loc) -> str | None:
        steps = tuple(map(str, loc))
        for key in reversed(self.typed):  # the last one counts
            path = tuple(key.split("."))
            new = loc not in self.values and path[: len(steps)] == steps
            if new or steps[: len(path)] == path or (*steps, "kind") == path:  # a wrong kind is found at its plugin
                return f"command line, {key}"
        return None


_OVERRIDE = re.compile(r"^(?P<key>[A-Za-z_][\w-]*(?:\.[\w-]+)*)=(?P<value>.*)$", re.DOTALL)


def _overridden(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of ``data`` with each ``key.path=value`` put in; the value is read as YAML."""
    result = deepcopy(data)
    for override in overrides:
        match = _OVERRIDE.match(override)
        if match is None:
            raise RecipeError([Problem("command line", f"{override!r} is not of the form key.path=value")])
        *parents, last = match["key"].split(".")
        here: Any = result
        for depth, parent in enumerate(parents):
            below = _child(here, parent)
            if isinstance(below, str) and parent in {"policy", "label", "train", "columns"}:
                below = {"model" if parent == "policy" else "prompt" if parent == "columns" else "kind": below}
                here[parent] = below
            if below is None and isinstance(here, dict):
                below = here[parent] = {}
            if not isinstance(below, dict | list):
                done = ".".join(parents[: depth + 1])
                raise RecipeError(
                    [Problem("command line", f"{override!r}: {done!r} is a value and has no settings below")]
                )
            here = below
        value: Any = None
        if match["value"].strip():
            document, problems = parse(match["value"], f"command line, {match['key']}", error=RecipeError)
            if problems:
                raise RecipeError(problems)
            value = document.data
        if isinstance(here, list):
            if not last.isdigit() or int(last) >= len(here):
                raise RecipeError(
                    [Problem("command line", f"{override!r}: the list has {len(here)} items, counted from 0")]
                )
            here[int(last)] = value
        else:
            here[last] = value
    return result


def _child(here: Any, key: str) -> Any:
    if isinstance(here, list):
        return here[int(key)] if key.isdigit() and int(key) < len(here) else None
    return here.get(key)


def plugins(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    """Every plugin of a recipe with the key it stands under."""
    if recipe.sample.model is not None:
        yield "sample.model", recipe.sample.model
    if recipe.label is not None:
        yield "label", recipe.label
    if recipe.train is not None:
        yield "train", recipe.train
    for number, measure in enumerate(recipe.evaluate.measures if recipe.evaluate else ()):
        yield f"evaluate.with.{number}", measure


def schema() -> dict[str, Any]:
    """The JSON Schema of a recipe, for editors; plugins appear as a mapping with ``kind``."""
    result = Recipe.model_json_schema(by_alias=True)
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    result["title"] = "solon recipe"
    return result
