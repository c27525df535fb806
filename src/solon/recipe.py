"""What a user writes: one file that says the whole way from a constitution to a report.

``read`` finds every problem of the file at once, each with its line and column. ``problems`` looks at what the recipe
points to (prompts, models, keys, prices) without spending anything; ``solon check`` is the two together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    NonNegativeFloat,
    ValidationError,
    field_validator,
    model_validator,
)

from solon.confining import why_no_folder
from solon.data.build import Build
from solon.data.candidates import CandidateColumns
from solon.document import Document, dump, problems_of
from solon.document import read as read_document
from solon.document.keys_within import keys_within
from solon.errors import Problem, RecipeError
from solon.overriding import Overridden, merged_document, overridden
from solon.plugins.base import Location, Settings, base_folder
from solon.plugins.importing import imports_of
from solon.plugins.offers import allowed_packages
from solon.plugins.registry import AnyLabeler, AnyTrainer
from solon.recipe_parts import Evaluate, Sample, short_too
from solon.tracking import USUAL, Track
from solon.trainers.base import Policy
from solon.trust.canaries import Canaries

OF_ALL_PHASES = ("name", "max_usd", "ledger", "track", "allow_import", "sets", "compare", "phases")
"""Keys that no phase states for itself: they are the recipe's."""


def _makes_a_folder(name: str) -> str:
    if what := why_no_folder(name):
        raise ValueError(f"{what}: give it another name")
    return name


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"), AfterValidator(_makes_a_folder)]
"""Names a recipe, or one of its sets: part of a path."""


class Recipe(Settings):
    """The whole way: constitution, prompts, policy, and what to do at each stage. Paths are relative to the recipe."""

    name: Name | None = Field(default=None, description="names the run directory")
    constitution: Location = Field(description="a constitution file, or the name of an installed one")
    prompts: Location | None = Field(
        default=None, description="JSONL, CSV, Parquet, a folder of them, or hf://org/name"
    )
    candidates: Location | None = Field(default=None, description="prompts with their responses, in place of sampling")
    dataset: Location | None = Field(default=None, description="a preference dataset, in place of all before training")
    columns: CandidateColumns = Field(
        default=CandidateColumns(),
        description="which column holds what",
        json_schema_extra=short_too({"type": "string"}),
    )
    policy: Policy | None = Field(
        default=None, description="the model to align", json_schema_extra=short_too({"type": "string"})
    )
    sample: Sample = Sample()
    label: AnyLabeler | None = Field(default=None, description="who judges, and how")
    canaries: Canaries | None = Field(
        default=None,
        description="answers that must lose, mixed into the labeling: a share of the prompts, or a mapping",
        json_schema_extra=short_too({"type": "number"}),
    )
    build: Build = Build()
    train: AnyTrainer | None = Field(default=None, description="the trainer; leave it out to end at the datasets")
    evaluate: Evaluate | None = Field(default=None, json_schema_extra=short_too({"type": "array"}))
    seed: int = Field(default=0, ge=0, lt=2**31, description="of sampling, splitting, shuffling and training")
    max_failed: float = Field(default=0.05, ge=0, le=1, description="share of judgments that may fail")
    max_usd: NonNegativeFloat | None = Field(default=None, description="cap on what this run may spend, in US dollars")
    ledger: str = Field(default=".solon/ledger.sqlite", description="relative to where solon runs")
    track: Track = Field(
        default=USUAL, description="where the numbers of a training go besides its files; null for nowhere"
    )
    allow_import: bool = Field(
        default=False, description="whether `kind: module:Class` may import code, also of files beside the recipe"
    )
    sets: dict[Name, dict[str, Any]] = Field(default={}, description="variations by name, merged over it by `--set`")
    phases: dict[Name, dict[str, Any]] = Field(
        default={}, description="what is done one after the other, each merged over the rest; by name, in order"
    )

    compare: dict[Name, Any] = Field(
        default={}, description="trainers to put side by side, by name: settings, a list of them, or a partial recipe"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _imports_if_it_says_so(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        with imports_of(value):
            return validate(value)

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

    @field_validator("sets")
    @classmethod
    def _sets_are_flat(cls, sets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if nested := [name for name, partial in sets.items() if "sets" in partial]:
            raise ValueError(f"a set holds no `sets`: take them out of {', '.join(map(repr, nested))}")
        return sets

    @field_validator("phases")
    @classmethod
    def _phases_share_what_is_the_recipes(cls, phases: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, partial in phases.items():
            if shared := [key for key in OF_ALL_PHASES if key in partial]:
                raise ValueError(f"`{shared[0]}` is of the whole recipe: take it out of phase {name!r}")
        return phases

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Recipe:
        if self.phases:
            return self  # each phase is whole, and is looked at by itself
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
        entry: which run of a comparison it is; empty outside of one.
        phase: which of the recipe's phases it is; empty for a recipe that has none, and for the whole of one.
        earlier: the recipes of the phases before it, whose training prompts the policy has learned from too.
        document: where in the file everything stands, for problems that are found later.
    """

    recipe: Recipe
    path: Path
    data: dict[str, Any]
    entry: str = ""
    phase: str = ""
    earlier: tuple[Recipe, ...] = ()
    document: Document | None = field(default=None, compare=False, repr=False)

    @property
    def folder(self) -> Path:
        """What relative paths in it are relative to."""
        return self.path.parent.absolute()

    @property
    def budget(self) -> str:
        """What names the cap ``max_usd``: one for all runs of a recipe, so that N of them never spend N times as much.

        ``name`` when the recipe has one; else the file's, or its folder's for a file called ``recipe.yaml``.
        """
        stem = self.path.stem
        named = self.recipe.name or (self.folder.name if stem == "recipe" else stem)
        return named.strip(". ") or "recipe"  # a file called `...yaml` names no folder above

    @property
    def name(self) -> str:
        """What names the run, and stands beside what it pays in the ledger: ``budget``, ``budget/entry/phase``."""
        return "/".join(filter(None, (self.budget, self.entry, self.phase)))

    def text(self) -> str:
        """The recipe as it is run, as YAML."""
        return dump(self.data)


def read(path: Path, overrides: Sequence[str] = (), sets: Sequence[str] = ()) -> Opened:
    """Reads a recipe, merges some of its sets over it, each over the ones before, and applies overrides.

    Args:
        path: the file.
        overrides: such as ``train.beta=0.05``; they come last.
        sets: names of variations that stand in the recipe under ``sets``.

    Raises:
        RecipeError: with every problem in the file, each at file:line:column with the nearest valid name.
    """
    document, problems = read_document(path, error=RecipeError)
    if not isinstance(document.data, dict):
        raise RecipeError([*problems, Problem(document.place(()), "a recipe is a mapping", "start from `solon init`")])
    if "principles" in document.data and "constitution" not in document.data:
        remedy = "name the recipe that says `constitution: " + path.name + "`"
        raise RecipeError([Problem(document.key_place(("principles",)), "this is a constitution, no recipe", remedy)])
    for name in sets:
        document = _with_set(document, name)
    typed = tuple(override.partition("=")[0] for override in overrides)
    if idle := [f"command line, {key}" for key in typed if key.partition(".")[0] == "sets"]:
        raise RecipeError(
            [
                Problem(
                    where,
                    "a set is merged before this is put in, so it would change nothing",
                    "give the value itself: leave `sets.NAME.` out",
                )
                for where in idle
            ]
        )
    data = overridden(document.data, overrides)
    # what was typed on the command line is not in the file, so its place there would mislead
    placed = Overridden(document.name, data, document.values, document.keys, typed)
    problems = [*problems, *keys_within(placed)]
    try:
        recipe = validated(placed, path)
    except RecipeError as error:
        raise RecipeError([*problems, *error.problems]) from None
    if problems:
        raise RecipeError(problems)
    return Opened(recipe, path, {key: value for key, value in data.items() if key != "sets"}, document=placed)


def validated(document: Document, path: Path) -> Recipe:
    """The recipe that a document holds; relative paths in it are relative to the folder of ``path``.

    Raises:
        RecipeError: with every problem, each at its place.
        PluginError: ``SOLON_PLUGINS`` names what is not installed: no fault of any line.
    """
    allowed_packages()
    with base_folder(path.parent.absolute()), imports_of(document.data):
        try:
            return Recipe.model_validate(document.data)
        except ValidationError as error:
            raise RecipeError(problems_of(error, document, Recipe)) from None


def _with_set(document: Document, name: str) -> Document:
    """The document with one of its sets merged over it; as it is where the set is no mapping, which is told later.

    Raises:
        RecipeError: there is no such set.
    """
    sets = document.data.get("sets") or {}
    if not isinstance(sets, dict):
        return document
    if name not in sets:
        there = f"its sets are {', '.join(map(str, sets))}" if sets else "it has no `sets`"
        near = get_close_matches(name, map(str, sets), n=1)
        meant = f"did you mean {near[0]!r}?" if near else ""
        raise RecipeError(
            [Problem("command line", f"--set {name}: this recipe has no set of that name; {there}", meant)]
        )
    return merged_document(document, ("sets", name)) if isinstance(sets[name], dict) else document


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
