"""Who examines, and whether that is the one who taught: a judge favours what it labeled or rewarded itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from solon.evaluation.base import Evidence
from solon.labelers.base import Labeler
from solon.models.base import ChatModel

SAME_JUDGE = "which also labeled or rewarded"
SAME_FAMILY = "of the family of one that labeled or rewarded"

Kinship = Literal["", "family", "same"]

_KNOWN = "claude command deepseek gemini gemma glm gpt granite grok kimi llama mistral nemotron olmo phi qwen"
_ALSO_CALLED = {"chatgpt": "gpt", "o": "gpt", "codellama": "llama", "mixtral": "mistral", "qwq": "qwen"}
_FAMILIES = {**{name: name for name in _KNOWN.split()}, **_ALSO_CALLED}
"""By a word of a model's name."""


def kinship(judge: Labeler, teachers: Iterable[Labeler]) -> Kinship:
    """Whether a judge is one of the teachers, or asks a model that one of them asks, for whatever it is asked.

    ``family`` is a model whose name begins as that of one of theirs, such as two of the GPTs: relatives share tastes.
    """
    taught = list(teachers)
    own, theirs = judge.models(), [model for teacher in taught for model in teacher.models()]
    known = [_which(model) for model in theirs]
    if any(judge.identity() == teacher.identity() for teacher in taught) or any(_which(one) in known for one in own):
        return "same"
    families = {family(model.name) for model in theirs} - {""}
    return "family" if any(family(model.name) in families for model in own) else ""


def family(name: str) -> str:
    """``llama`` of ``meta-llama/Llama-3.1-8B-Instruct``, ``gpt`` of ``o3-mini``; empty where a name tells nothing."""
    words = re.findall(r"(?<![a-z])(?:o(?=\d)|[a-z]{3,})", name.lower())
    return next((_FAMILIES[word] for word in words if word in _FAMILIES), "")


def note(judge: Labeler, evidence: Evidence, *, called: str = "judge") -> str:
    """What ``method`` says of who examined."""
    said = {"": "", "family": f", {SAME_FAMILY}", "same": f", {SAME_JUDGE}"}[kinship(judge, evidence.teachers)]
    return f"{called} {judge.name}{said}"


def warnings(metric: str, judge: Labeler, evidence: Evidence) -> list[str]:
    """What a reader must know of who examined: one sentence, or none."""
    match kinship(judge, evidence.teachers):
        case "same":
            return [f"{metric} is judged by {judge.name}, {SAME_JUDGE}: it favours what it taught"]
        case "family":
            return [f"{metric} is judged by {judge.name}, {SAME_FAMILY}: relatives have tastes in common"]
        case "":
            return []


def _which(model: ChatModel) -> dict[str, object]:
    """A model apart from how it is read: a classifier that rewards by a logit may measure by a probability."""
    described = model.describe()
    weights = {name: described.get(name) for name in ("content", "adapter")}
    return weights if weights["content"] is not None else described
