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
from solon.plugins.base import base_folder
from solon.plugins.importing import imports_of
from solon.plugins.registry import kinds
from solon.recipe import OF_ALL_PHASES, Opened, Recipe, validated
from solon.trainers.base import Trainer

_OF_A_PHASE = ("prompts", "candidates", "dataset", "evaluate")
OF_ALL_ENTRIES = (*(key for key in OF_ALL_PHASES if key != "phases"), *_OF_A_PHASE, "constitution", "seed")
"""Keys that no entry states for itself: what differs in them could not be told from what the trainers did."""
_TAKEN = ("untrained", "figures", "previous")
"""What is called so already, in a comparison or in its folder."""


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
        """Whether it begins by having responses labeled: what the others then find in the ledger."""
        return phases_of(self.opened)[0].recipe.label is not None


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
        if name in _TAKEN or name.startswith("comparison."):
            problems.append(Problem(_place(opened, name), f"an entry cannot be called {name!r}: give it another name"))
            continue
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
    if opened.data.get("phases") and (_is_trainer(spec) or isinstance(spec, list)):
        what = f"entry {name!r} names a trainer, and this recipe has `phases` with trainers of their own"
        remedy = "write a partial recipe with `phases`, such as `{phases: {...}}`"
        raise RecipeError([Problem(document.place(at), what, remedy)])
    document = _as_partial(document, name, spec)
    _refuse_shared(document, at, name)
    partial = document.at(at)
    merged = merged_document(document, at)
    data = {key: value for key, value in merged.data.items() if key not in ("compare", "sets")}
    if not data.get("phases"):
        with base_folder(opened.folder), imports_of(data):
            data = fitted(data, stated=() if _is_trainer(spec) else partial.keys())
    placed = replace(merged, data=data)
    entry = Opened(validated(placed, opened.path), opened.path, data, entry=name, document=placed)
    for phase in phases_of(entry):
        if phase.recipe.train is None:
            raise RecipeError([Problem(document.place(at), f"entry {name!r} trains nothing: give it a `train`")])
    if differs := _measured_otherwise(phases_of(opened), phases_of(entry)):
        what = f"entry {name!r} has another {differs} than the recipe: it could not be compared with the others"
        raise RecipeError([Problem(document.place(at), what, "take it out of the entry")])
    return entry


def _place(opened: Opened, name: str) -> str:
    return opened.document.place(("compare", name)) if opened.document is not None else str(opened.path)


def _refuse_shared(document: Document, at: Loc, name: str) -> None:
    """Raises where an entry, or a phase of it, states what is of the whole comparison."""
    partial = document.at(at)
    phases = partial.get("phases") if isinstance(partial.get("phases"), Mapping) else {}
    last = next(reversed(phases), None)
    for below, own in [((), partial), *((("phases", phase), each) for phase, each in phases.items())]:
        for key in OF_ALL_ENTRIES if isinstance(own, Mapping) else ():
            # what comes before the last phase is not compared: it may measure nothing, and learn from data of its own
            before = below and below[1] != last and key in _OF_A_PHASE
            if key in own and not before:
                what = f"`{key}` is of the whole comparison: take it out of entry {name!r}"
                raise RecipeError([Problem(document.key_place((*at, *below, key)), what)])


def _measured_otherwise(usual: Sequence[Opened], mine: Sequence[Opened]) -> str:
    """What an entry would be measured by that the recipe is not; empty where all is the same."""
    told = [_measuring(phases[0].recipe, phases[-1].recipe) for phases in (usual, mine)]
    return next((what for what, value in told[0].items() if told[1][what] != value), "")


def _measuring(first: Recipe, last: Recipe) -> dict[str, Any]:
    plan = last.evaluate
    prompts = str(plan.prompts) if plan is not None and plan.prompts is not None else None
    return {
        "policy to begin with": first.policy and (str(first.policy.model), str(first.policy.adapter)),
        "`build.held_out`": None if prompts is not None else last.build.held_out,
        "longest answer (`sample.max_tokens`)": (plan and plan.max_tokens) or last.sample.max_tokens,
        "`max_failed`": last.max_failed,
    }


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
        kind = str(one.get("kind", "train") if isinstance(one, Mapping) else one).replace(":", ".")
        seen.append(kind)
        yield kind if seen.count(kind) == 1 else f"{kind}-{seen.count(kind)}"


def _put(document: Document, at: Loc, value: Any, moved: Callable[[Loc], Loc]) -> Document:
    """The document with another value at ``at``, and the places of what was there where that is now."""

    def places(old: Mapping[Loc, tuple[int, int]]) -> dict[Loc, tuple[int, int]]:
        size = len(at)
        found = {
            (*at, *moved(loc[size:])) if loc[:size] == at and len(loc) > size else loc: place
            for loc, place in old.items()
        }
        if at in old and moved(()):
            found[*at, *moved(())] = old[at]
        return found

    data = {**document.data, "compare": {**document.data["compare"], at[-1]: value}}
    return replace(document, data=data, values=places(document.values), keys=places(document.keys))
