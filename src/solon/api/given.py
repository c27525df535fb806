"""What a stage is given, in whatever form it is at hand: texts, mappings, records, instances, paths, addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from solon.api.recipes import InCode, refuse_unlike
from solon.constitution.library import resolve
from solon.data.candidates import CandidateColumns, candidates_of, reading_candidates
from solon.data.prompts import PromptColumns, prompt_of, refuse
from solon.data.prompts import read_prompts as read_file
from solon.data.records import Candidates, Checkpoint, Constitution, Principle, Prompt
from solon.data.tables import Row
from solon.document import problems_of
from solon.errors import ConstitutionError, DataError, Problem, RecipeError
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.models.transformers import Transformers
from solon.plugins.base import Settings
from solon.plugins.registry import AnyChatModel, AnyEvaluator, AnyLabeler, AnyTrainer
from solon.stages.run import policy_model
from solon.trainers.base import Policy, Trainer

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

GivenPrompts: TypeAlias = "str | Path | Iterable[str | Prompt | Mapping[str, Any] | Sequence[Mapping[str, str]]]"
GivenCandidates: TypeAlias = "str | Path | Iterable[Candidates | Mapping[str, Any]]"
GivenConstitution: TypeAlias = "str | Path | Constitution | Mapping[str, Any] | Sequence[str | Principle]"
GivenLabeler: TypeAlias = "str | Mapping[str, Any] | Labeler"
GivenModel: TypeAlias = "str | Path | Mapping[str, Any] | ChatModel | Policy | Checkpoint"
GivenPolicy: TypeAlias = "str | Path | Mapping[str, Any] | Policy | Transformers | Checkpoint"

_WORDS_IN_A_NAME = 4


# ---------------------------------------------------------------- texts


def read_prompts(given: GivenPrompts) -> tuple[Prompt, ...]:
    """Prompts from a path or ``hf://`` address, or from a list of texts, conversations, mappings and ``Prompt``.

    Of exact duplicates the first is kept.

    Raises:
        DataError: with every problem, each with its place in the file or list.
    """
    if isinstance(given, str | Path):
        refuse_text(given, "prompts")
        return read_file(given).prompts
    columns = PromptColumns()

    def one(row: Row) -> Prompt | Problem:
        return prompt_of(row, columns)

    return tuple(dict.fromkeys(_each(given, "prompts", one, Prompt)))


def candidates(given: Iterable[Candidates | Mapping[str, Any]]) -> list[Candidates]:
    """Prompts with responses: ``Candidates``, or mappings such as ``{"prompt": ..., "responses": [...]}``.

    Raises:
        DataError: with every problem, each with its place in the list.
    """
    columns = CandidateColumns()
    return _each(given, "candidates", lambda row: candidates_of(row, columns), Candidates)


def read_candidates(given: GivenCandidates) -> list[Candidates]:
    """As ``candidates``, from a path or address too."""
    if not isinstance(given, str | Path):
        return candidates(given)
    refuse_text(given, "candidates")
    with reading_candidates(given) as found:
        return list(found)


def refuse_text(given: str | Path, what: str) -> None:
    """Says what a text means that is no path.

    Raises:
        DataError: it is none.
    """
    if not isinstance(given, str) or given.startswith("hf://"):
        return
    if not given.strip():
        raise DataError([Problem(what, "is an empty text", "give a path, an hf:// address or a list")])
    if not Path(given).exists():
        remedy = f"a text is a path or an hf:// address; for what it says itself, give a list: [{given[:40]!r}]"
        raise DataError([Problem(what, f"there is no {given[:80]!r}", remedy)])


def _each(given: Iterable[Any], what: str, read: Callable[[Row], T | Problem], kind: type[T]) -> list[T]:
    """Each item as a record; what is none is read as the row of a file would be."""
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise DataError([Problem(what, f"is a {type(given).__name__}", "give a list, a path or an hf:// address")])
    found: list[T] = []
    problems: list[Problem] = []
    for number, item in enumerate(given):
        if isinstance(item, kind):
            found.append(item)
            continue
        values = dict(item) if isinstance(item, Mapping) else {"prompt": item}
        one = read(Row(f"{what}[{number}]", values))
        if isinstance(one, Problem):
            problems.append(one)
        else:
            found.append(one)
    refuse(what, problems, (), empty=not found, what=what)
    return found


def read_constitution(given: GivenConstitution) -> Constitution:
    """A constitution from a path or an installed name, a mapping as a file would hold it, or a list of texts.

    A text of a list becomes a principle that is named for its first words.

    Raises:
        ConstitutionError: with every problem.
    """
    remedy = "give a path, an installed name, a mapping, a Constitution or a list of texts"
    refuse_unlike(given, (Constitution, Path, Iterable), "constitution", remedy, ConstitutionError)
    match given:
        case Constitution():
            return given
        case str() | Path():
            return resolve(given)
        case Mapping():
            return _read(Constitution, dict(given), "constitution", ConstitutionError)
        case _:
            return _of_texts(given)


def _of_texts(given: Iterable[str | Principle]) -> Constitution:
    taken: set[str] = {one.id for one in given if isinstance(one, Principle)}
    principles: list[Any] = []
    for one in given:
        if isinstance(one, str):
            name = _free(_slug(one), taken)
            taken.add(name)
            principles.append({"id": name, "text": one})
        else:
            principles.append(one)
    if not principles:
        raise ConstitutionError("a constitution needs a principle at least: give a list of texts")
    return _read(Constitution, {"name": "principles", "principles": principles}, "constitution", ConstitutionError)


def _slug(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", text.lower())[:_WORDS_IN_A_NAME]
    return "-".join(words)[:60] or "principle"


def _free(name: str, taken: set[str]) -> str:
    number = 1
    while (found := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return found


# ---------------------------------------------------------------- plugins and models


class _Named(Settings):
    labeler: AnyLabeler | None = None
    model: AnyChatModel | None = None
    trainer: AnyTrainer | None = None
    evaluators: tuple[AnyEvaluator, ...] = ()


_FOR_A_PLUGIN = "give its name, a mapping as a recipe holds it, or an instance"


def labeler(given: GivenLabeler) -> Labeler:
    """A labeler from its name, the mapping that a recipe holds under ``label``, or an instance.

    Raises:
        RecipeError: with every problem of its settings.
    """
    refuse_unlike(given, (str, Mapping, Labeler), "labeler", _FOR_A_PLUGIN)
    found = _read(_Named, {"labeler": given}, "", RecipeError).labeler
    assert found is not None
    return found


def trainer(given: str | Mapping[str, Any] | Trainer) -> Trainer:
    """A trainer, likewise."""
    refuse_unlike(given, (str, Mapping, Trainer), "trainer", _FOR_A_PLUGIN)
    found = _read(_Named, {"trainer": given}, "", RecipeError).trainer
    assert found is not None
    return found


def model(given: GivenModel) -> ChatModel:
    """A chat model: an instance, a mapping with ``kind``, or whatever ``policy`` takes.

    Raises:
        RecipeError: with every problem of its settings.
    """
    if isinstance(given, Mapping) and "kind" in given:
        given = _read(_Named, {"model": given}, "", RecipeError).model or {}
    return given if isinstance(given, ChatModel) else policy_model(policy(given))


def policy(given: object) -> Policy:
    """A model whose weights are at hand: a folder or hub id, a mapping as under ``policy``, or a ``Checkpoint``.

    Raises:
        RecipeError: with every problem of its settings.
    """
    remedy = "give a folder, a hub id, a mapping as under `policy`, or a Checkpoint"
    refuse_unlike(given, (Policy, Checkpoint, Transformers, str, Path, Mapping), "policy", remedy)
    match given:
        case Policy():
            return given
        case Checkpoint():
            lora = given.form == "lora"
            return Policy(model=given.base_model, adapter=given.path) if lora else Policy(model=given.path)
        case Transformers():
            shared = Policy.model_fields.keys() & type(given).model_fields.keys()
            return Policy(**{name: getattr(given, name) for name in shared})
        case str() | Path():
            return Policy(model=str(given))
        case Mapping():
            return _read(Policy, dict(given), "policy", RecipeError)
    raise AssertionError(given)  # refused above


def read_settings(model: type[M], values: Mapping[str, Any], name: str) -> M:
    """Settings from plain values.

    Raises:
        RecipeError: with every problem, the nearest name for an unknown one.
    """
    return _read(model, dict(values), name, RecipeError)


def _read(model: type[M], values: dict[str, Any], name: str, error: type[RecipeError | ConstitutionError]) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as found:
        raise error(problems_of(found, InCode(name, values), model)) from None
