"""The five sorts of plugins: the entry-point group of each, its base class, and the deed that it has to implement."""

from __future__ import annotations

from collections.abc import Mapping

from solon.evaluation.base import Evaluator
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.plugins.base import Plugin
from solon.trainers.base import Trainer

CONSTITUTIONS = "solon.constitutions"
GROUPS: Mapping[str, type[Plugin] | None] = {
    "solon.models": ChatModel,
    "solon.labelers": Labeler,
    "solon.trainers": Trainer,
    "solon.evaluators": Evaluator,
    CONSTITUTIONS: None,  # a callable without arguments that returns a Constitution
}
NOUN = {
    "solon.models": "chat model",
    "solon.labelers": "labeler",
    "solon.trainers": "trainer",
    "solon.evaluators": "evaluator",
    CONSTITUTIONS: "constitution",
}
DEEDS: Mapping[str, tuple[str, ...]] = {
    "solon.models": ("complete", "complete_batch"),
    "solon.labelers": ("label", "examine"),
    "solon.trainers": ("train",),
    "solon.evaluators": ("evaluate",),
    CONSTITUTIONS: (),
}
"""The methods of which a class has to implement one."""


def a_noun(group: str) -> str:
    """As ``NOUN``, with its article."""
    noun = NOUN[group]
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
