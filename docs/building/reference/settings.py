"""The pages of settings, from the classes: what ``solon plugins show`` says of each plugin, in tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from reference.markdown import code, inline, page, prose, table
from solon.plugins.base import Plugin
from solon.plugins.describing import Setting, about, settings_of
from solon.plugins.registry import kinds, load
from solon.trainers.gradient import GradientTrainer
from solon.trainers.rewards import RewardTrainer

_HEADER = ("setting", "type", "default", "range", "meaning")
_LONGEST = 60
_SHARED: Mapping[str, type[Plugin]] = {
    "What all have in common": GradientTrainer,
    "What all have in common that learn from rewards": RewardTrainer,
}


def trainers() -> str:
    """Every trainer: what all have once, then what each has besides."""
    which = "Which one to take, and why, is in [Trainers](../trainers.md)."
    parts = [f"{which} A default that a trainer has of its own stands under the trainer."]
    for number, (title, base) in enumerate(_SHARED.items()):
        parts += [f"## {title}", _table(_without(base, list(_SHARED.values())[:number]))]
    for kind, trainer in _own("solon.trainers").items():
        own = _without(trainer, (base for base in _SHARED.values() if issubclass(trainer, base)))
        parts += [f"## {kind}", prose(about(trainer)), _table(own) or "It has no others."]
    return page("Settings of trainers", *parts)


def evaluators() -> str:
    """Every evaluator."""
    parts = ["What each measures and how is in [Evaluation](../evaluation.md)."]
    for kind, evaluator in _own("solon.evaluators").items():
        parts += [f"## {kind}", prose(about(evaluator)), _table(settings_of(evaluator)) or "It has no settings."]
    return page("Settings of evaluators", *parts)


def _own(group: str) -> dict[str, type[Plugin]]:
    """The plugins that solon brings; another package that happens to be installed here is no part of the page."""
    found = {kind: load(group, kind) for kind in kinds(group)}
    return {kind: plugin for kind, plugin in found.items() if plugin.__module__.startswith("solon.")}


def _without(of: type[BaseModel], told: Iterable[type[BaseModel]]) -> list[Setting]:
    """The settings of a class that are not those of one that was told of before, default and meaning included."""
    before = {setting for base in told for setting in map(_key, settings_of(base))}
    return [setting for setting in settings_of(of) if _key(setting) not in before]


def _key(setting: Setting) -> str:
    return setting.model_dump_json()


def _table(settings: Iterable[Setting]) -> str:
    shown = list(settings)
    short = {one.name for one in shown if isinstance(one.default, dict) and len(_yaml(one.default)) <= _LONGEST}
    # what a short group holds is seen in its default, unless there is something to say of it
    shown = [one for one in shown if one.help or one.name.rpartition(".")[0] not in short]
    groups = {one.name.rpartition(".")[0].removesuffix("[]") for one in shown}
    rows = [
        (code(one.name), one.type, _default(one, inside=one.name in groups), _range(one), inline(one.help))
        for one in shown
    ]
    return table(_HEADER, rows)


def _range(setting: Setting) -> str:
    """What it has to fulfil; a pattern is no Markdown."""
    limits, matches, pattern = setting.range.partition("matches ")
    return f"{limits}{matches}{code(pattern)}" if pattern else limits


def _default(setting: Setting, *, inside: bool) -> str:
    """A default as a recipe would have it; of a group of settings, it is theirs."""
    if setting.required:
        return "required"
    if setting.default in (None, [], {}):
        return "none"
    written = _yaml(setting.default)
    return "below" if inside or len(written) > _LONGEST else code(written)


def _yaml(value: Any) -> str:
    written = yaml.safe_dump(value, default_flow_style=True, width=1000, allow_unicode=True)
    return written.strip().removesuffix("...").strip()
