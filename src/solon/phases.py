"""A recipe of several phases as recipes of one each: every policy begins where the phase before it left it.

As in Bai et al. 2022 (arXiv:2212.08073): supervised learning on revisions, then reinforcement learning from the
preferences of an AI; or as in Ouyang et al. 2022 (arXiv:2203.02155): demonstrations, a reward model, PPO.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from solon.data.records import Checkpoint
from solon.document import Document
from solon.errors import PluginError, Problem, RecipeError
from solon.exporting import merged_weights
from solon.measuring import without_labels
from solon.overriding import merged, merged_document, written_out
from solon.plugins.base import base_folder, located
from solon.plugins.importing import imports_of
from solon.plugins.registry import load
from solon.recipe import Opened, Recipe, read, validated
from solon.rundir import RunDirectory
from solon.trainers.base import Trainer

_NOT_SAMPLED = ("label", "sample", "candidates", "canaries")
_READ_OF_BUILD = ("held_out", "veto_below")
_STAND_IN = {"kind": "rules", "rules": {"reward_model_of_an_earlier_phase": {"regex": ".*"}}}
"""In place of a reward model that is not trained yet: it scores one completion, and needs no file."""


# ---------------------------------------------------------------- what fits a trainer


def fitted(
    data: Mapping[str, Any], reward: Mapping[str, Any] | None = None, *, stated: Collection[str] = ()
) -> dict[str, Any]:
    """A recipe's data without what its trainer has no use for: a new mapping, as whatever else is given to one trainer.

    A trainer that has its own completions judged (PPO, GRPO, RLOO, self-play) leaves nothing to sample and label. Where
    it does not say who judges them, ``reward`` does, else whoever labels: every way to judge is also a way to reward.
    Responses that exist already become its prompts, and what is measured is the policies alone. A trainer of reward
    models leaves no policy to evaluate.

    Args:
        data: plain values, as in a recipe; need not be valid, and what is wrong with it is left in it.
        reward: the labeler that is the reward, as plain values.
        stated: keys that were written for this very trainer: they stay, so that what is wrong with them is told.
    """
    fit, trainer = dict(data), _trainer(data.get("train"))
    if trainer is None:
        return fit
    if trainer.gives != "policy" and "evaluate" not in stated:
        fit.pop("evaluate", None)
    if trainer.judged_by not in trainer.model_fields:
        return fit
    judge = reward or fit.get("label")
    settings = written_out("train", fit["train"])
    if judge is not None and trainer.judged_by not in settings:
        fit["train"] = {**settings, trainer.judged_by: judge}
    if "candidates" in fit and "candidates" not in stated and "prompts" not in fit:
        fit["prompts"] = fit["candidates"]
    longest = (fit.get("sample") or {}).get("max_tokens") if isinstance(fit.get("sample"), Mapping) else None
    if fit.get("evaluate") is not None and not {"evaluate", "label"} & set(stated):
        fit["evaluate"] = without_labels(fit["evaluate"], fit.get("label"))
    for key in _NOT_SAMPLED:
        if key not in stated:
            fit.pop(key, None)
    if longest is not None and fit.get("evaluate") is not None:
        fit.setdefault("sample", {"max_tokens": longest})  # the longest answer to evaluate on is taken from there
    if isinstance(fit.get("build"), Mapping) and "build" not in stated:
        fit["build"] = {key: value for key, value in fit["build"].items() if key in _READ_OF_BUILD}
    return fit


def _trainer(settings: Any) -> type[Trainer] | None:
    """The class of the trainer that a recipe names, where there is one."""
    long = written_out("train", settings)
    if not isinstance(long, Mapping):
        return None
    try:
        found: type[Trainer] = load(Trainer.group, str(long.get("kind")))
    except PluginError:
        return None  # validation says so
    return found


# ---------------------------------------------------------------- one phase after the other


def phases_of(opened: Opened) -> tuple[Opened, ...]:
    """The phases of a recipe before any of them has run; the recipe itself where it has none.

    The first policy stands where a later phase's will be, and a rule where a reward model will be: it is what can be
    checked and planned.

    Raises:
        RecipeError: with every problem of all phases.
    """
    found: list[Opened] = []
    problems: list[Problem] = []
    left = _Left()
    for name in _names(opened):
        try:
            one = _phase(opened, name, left)
        except RecipeError as error:
            problems += error.problems
        else:
            left = left.expecting(one)
            found.append(one)
    if problems:
        raise RecipeError(list(dict.fromkeys(problems)))
    return tuple(found)


def problems_of_sets(opened: Opened, overrides: Sequence[str] = ()) -> list[Problem]:
    """What is wrong with the settings of a recipe, in any of its phases, when one of its sets is merged over it."""
    found: list[Problem] = []
    for name in opened.recipe.sets:
        try:
            phases_of(read(opened.path, overrides, [name]))
        except RecipeError as error:
            found += error.problems
    return list(dict.fromkeys(found))


def up_to(name: str | None, phases: Sequence[Opened]) -> Sequence[Opened]:
    """The phases of a recipe up to the one of this name, or all.

    Raises:
        RecipeError: there is none of this name; says which there are.
    """
    if name is None:
        return phases
    names = [phase.phase for phase in phases]
    if name not in names:
        there = f"its phases are {', '.join(names)}" if any(names) else "it has no `phases`"
        near = get_close_matches(name, names, n=1)
        meant = f"did you mean {near[0]!r}?" if near else ""
        raise RecipeError([Problem("command line", f"--phase {name}: this recipe has no such phase; {there}", meant)])
    return phases[: names.index(name) + 1]


def unfolding(opened: Opened, run_dir: Path) -> Iterator[tuple[Opened, Path]]:
    """Each phase with its run directory, below ``run_dir``; the recipe itself with ``run_dir`` where it has none.

    The next one is made of what the one before has left by then: ask for it when that has run.

    Raises:
        RecipeError: a phase is wrong.
        DataError: an adapter that a phase has left cannot be merged.
    """
    left, names = _Left(), _names(opened)
    for name in names:
        one, folder = _phase(opened, name, left), run_dir / name
        yield one, folder
        if name != names[-1]:  # nobody begins at what the last one leaves, and merging it would be for nothing
            left = left.with_that_of(one, folder)


def _names(opened: Opened) -> tuple[str, ...]:
    return tuple(opened.recipe.phases) or ("",)


@dataclass(frozen=True)
class _Left:
    """What the phases so far have left for the next.

    Attributes:
        policy: where it begins, as plain values; ``None`` where no phase has left one.
        first: the policy that the first of them began at.
        reward: the reward model, as the labeler that asks it.
        earlier: their recipes.
    """

    policy: dict[str, Any] | None = None
    first: dict[str, Any] | None = None
    reward: dict[str, Any] | None = None
    earlier: tuple[Recipe, ...] = ()

    def expecting(self, phase: Opened) -> _Left:
        """After a phase that has not run: a stand-in for what it will leave."""
        reward = _STAND_IN if phase.recipe.train is not None and phase.recipe.train.gives != "policy" else self.reward
        return replace(self._after(phase), reward=reward)

    def with_that_of(self, phase: Opened, folder: Path) -> _Left:
        """After a phase that has run in ``folder``."""
        left = self._after(phase)
        if phase.recipe.train is None:
            return left
        policy = left.policy or {}
        summary = RunDirectory(folder).summary("train")
        checkpoint = Checkpoint.model_validate(summary["checkpoint"])
        path = _relative(folder / checkpoint.path, phase)
        if summary["gives"] != "policy":
            reads: dict[str, Any] = {key: policy[key] for key in ("threads", "batch_size") if key in policy}
            base = {"model": policy["model"], "adapter": path} if checkpoint.form == "lora" else {"model": path}
            return replace(
                left, reward={"kind": "classifier", **base, "text": "conversation", "value": "logit", **reads}
            )
        if checkpoint.form == "lora":
            path = _relative(_merged(phase, folder, folder / checkpoint.path), phase)
        # an adapter that it began with is merged into all weights
        return replace(left, policy={key: value for key, value in policy.items() if key != "adapter"} | {"model": path})

    def _after(self, phase: Opened) -> _Left:
        policy = written_out("policy", phase.data.get("policy"))
        begins_anew = self.policy is None or policy is None or policy.get("model") != self.policy.get("model")
        return replace(
            self,
            policy=policy or self.policy,
            first=policy if begins_anew else self.first,
            earlier=(*self.earlier, phase.recipe) if phase.recipe.train is not None else self.earlier,
        )


def _phase(opened: Opened, name: str, left: _Left) -> Opened:
    """A phase as a recipe of its own.

    Raises:
        RecipeError: with every problem of it.
    """
    if not name:
        return opened
    partial = opened.data["phases"][name]
    data = merged({key: value for key, value in opened.data.items() if key != "phases"}, partial)
    own = written_out("policy", partial.get("policy")) or {}
    begins_anew = "model" in own or left.policy is None
    if not begins_anew and left.policy is not None:
        settings = written_out("policy", data.get("policy")) or {}
        kept = {key: value for key, value in settings.items() if key != "adapter" or key in own}
        data["policy"] = {**kept, **{key: left.policy[key] for key in ("model", "adapter") if key in left.policy}}
    with base_folder(opened.folder), imports_of(data):
        data = fitted(data, left.reward, stated=partial.keys())
    measured = written_out("evaluate", data.get("evaluate"))
    if not begins_anew and left.first is not None and isinstance(measured, Mapping) and "against" not in measured:
        data["evaluate"] = {**measured, "against": left.first}
    document = opened.document or Document(str(opened.path), opened.data)
    placed = replace(merged_document(document, ("phases", name)), data=data)
    recipe = validated(placed, opened.path)
    return replace(opened, recipe=recipe, data=data, phase=name, earlier=left.earlier, document=placed)


def _merged(phase: Opened, folder: Path, adapter: Path) -> Path:
    """The weights of the phase's policy with the adapter that it trained, beside its checkpoint: written once."""
    policy = phase.recipe.policy
    assert policy is not None
    with RunDirectory.open(folder) as directory, base_folder(phase.folder):
        return merged_weights(adapter, located(policy.model), of=directory.outputs("train"))


def _relative(path: Path, phase: Opened) -> str:
    """As the recipe would name it, so that the same project elsewhere says the same."""
    return Path(os.path.relpath(path.absolute(), phase.folder)).as_posix()
