"""What is compared: the entries of a recipe, each a recipe of its own with the same data, seed and budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from solon.document import Document, Loc
from solon.errors import Problem, RecipeError
from solon.overriding import merged_document, written_out
from solon.phases import fitted, phases_of
from solon.plugins.registry import kinds
from solon.recipe import OF_ALL_PHASES, Opened, validated
from solon.trainers.base import Trainer

OF_ALL_ENTRIES = (
    *OF_ALL_PHASES[:-1],
    "compare",
    "constitution",
    "prompts",
    "candidates",
    "dataset",
    "evaluate",
    "seed",
)
"""Keys that no entry states for itself: what differs in them could not be told from what the trainers did."""


@dataclass(frozen=True)
class Entry:
    """One of those that are compared.

    Attributes:
        name: names its run directory, below that of the comparison.
        opened: its recipe, of one phase or of several.
    """

    name: str
    opened: Opened

    @property
    def labels(self) -> bool:
        """Whether it has responses labeled before it trains: what the others then find in the ledger."""
        return any(phase.recipe.label is not None for phase in phases_of(self.opened))


def entries(opened: Opened, names: Sequence[str] = ()) -> tuple[Entry, ...]:
    """Those under ``compare`` in a recipe, or of them those that are named.

    An entry is the settings of a trainer (merged over the recipe's ``train`` where that is of the same kind), a list of
    such, which train one after the other, or a partial recipe. A trainer that has its own completions judged, and does
    not say by whom, has them judged by the reward model that was trained before it, else by whoever labels.

    Args:
        opened: the recipe.
        names: of entries, or kinds of trainers with the recipe's or their default settings.

    Raises:
        RecipeError: with every problem of all entries, each at its place.
    """
    stated = opened.recipe.compare
    chosen = list(dict.fromkeys(names)) or list(stated)
    if not chosen:
        what = "there is nothing to compare: this recipe has no `compare`"
        raise RecipeError([Problem(str(opened.path), what, "name trainers: `--trainers dpo,ppo`")])
    found, problems = [], list[Problem]()
    for name in chosen:
        try:
            spec = _spec(opened, name)
            found.append(Entry(name, _opened(opened, name, spec)))
        except RecipeError as error:
            problems += error.problems
    if problems:
        raise RecipeError(list(dict.fromkeys(problems)))
    return tuple(found)


def _spec(opened: Opened, name: str) -> Any:
    stated = opened.recipe.compare
    if name in stated:
        return stated[name]
    installed = kinds(Trainer.group)
    if name in installed:
        return {"kind": name}
    near = get_close_matches(name, [*stated, *installed], n=1)
    what = f"{name!r} is no entry of `compare` ({', '.join(stated) or 'it has none'}) and no installed trainer"
    raise RecipeError([Problem(str(opened.path), what, f"did you mean {near[0]!r}?" if near else "")])


def _opened(opened: Opened, name: str, spec: Any) -> Opened:
    """An entry as a recipe of its own.

    Raises:
        RecipeError: with its problems.
    """
    document = opened.document or Document(str(opened.path), opened.data)
    document = replace(document, data={**opened.data, "compare": {**opened.recipe.compare, name: spec}})
    at = ("compare", name)
    if not isinstance(spec, str | Mapping | list) or not spec:
        what = "an entry is the settings of a trainer, a list of such, or a partial recipe"
        raise RecipeError([Problem(document.place(at), what)])
    document = _as_partial(document, name, spec)
    partial = document.at(at)
    if shared := [key for key in OF_ALL_ENTRIES if key in partial]:
        what = f"`{shared[0]}` is of the whole comparison: take it out of entry {name!r}"
        raise RecipeError([Problem(document.key_place((*at, shared[0])), what)])
    merged = merged_document(document, at)
    data = {key: value for key, value in merged.data.items() if key not in ("compare", "sets")}
    if not data.get("phases"):
        data = fitted(data, stated=() if _is_trainer(spec) else partial.keys())
    placed = replace(merged, data=data)
    entry = Opened(validated(placed, opened.path), opened.path, data, entry=name, document=placed)
    for phase in phases_of(entry):
        if phase.recipe.train is None:
            raise RecipeError([Problem(document.place(at), f"entry {name!r} trains nothing: give it a `train`")])
    return entry


def _is_trainer(spec: Any) -> bool:
    return isinstance(spec, str) or (isinstance(spec, Mapping) and "kind" in spec)


def _as_partial(document: Document, name: str, spec: Any) -> Document:
    """The document with the entry as a partial recipe, whichever way it was written."""
    at: Loc = ("compare", name)
    if _is_trainer(spec):
        partial: dict[str, Any] = {"train": written_out("train", spec)}
        return _put(document, at, partial, lambda below: ("train", *below))
    if isinstance(spec, list):
        named = list(_named(spec))
        phases = {
            phase: {"train": written_out("train", one), **({"evaluate": None} if place < len(spec) - 1 else {})}
            for place, (phase, one) in enumerate(zip(named, spec, strict=True))
        }

        def moved(below: Loc) -> Loc:
            return ("phases", named[int(below[0])], "train", *below[1:]) if below else ()

        return _put(document, at, {"train": None, "phases": phases}, moved)
    return document


def _named(trainers: Sequence[Any]) -> Iterator[str]:
    """A phase for each trainer, called by its kind; the second of a kind has a number."""
    seen = list[str]()
    for one in trainers:
        kind = str(one.get("kind", "train")) if isinstance(one, Mapping) else str(one)
        seen.append(kind)
        yield kind if seen.count(kind) == 1 else f"{kind}-{seen.count(kind)}"


def _put(document: Document, at: Loc, value: Any, moved: Callable[[Loc], Loc]) -> Document:
    """The document with another value at ``at``, and the places of what was there where that is now."""

    def places(old: Mapping[Loc, tuple[int, int]]) -> dict[Loc, tuple[int, int]]:
        size = len(at)
        return {
            (*at, *moved(loc[size:])) if loc[:size] == at and len(loc) > size else loc: place
            for loc, place in old.items()
        }

    data = {**document.data, "compare": {**document.data["compare"], at[-1]: value}}
    return replace(document, data=data, values=places(document.values), keys=places(document.keys))
