"""What an evaluator is: evidence of two models on the same prompts in, metrics out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from solon.data.records import Candidates, Completion, Constitution, Judgment, Metric, Prompt
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.plugins.base import Plugin

Decoding = Literal["sample", "greedy"]


@dataclass(frozen=True)
class Pair:
    """One held-out prompt with the answer of each model."""

    prompt: Prompt
    before: Completion
    after: Completion


@dataclass(frozen=True)
class Evidence:
    """All that an evaluator may look at.

    Attributes:
        constitution: what the labels were made under.
        pairs: for each decoding, the held-out prompts with the answers of the untrained and the trained policy.
        log_probs: sums of log-probabilities (nats) of completions under the untrained ("before") or trained ("after")
            policy, at temperature 1, end-of-sequence token included; one number a completion. ``None`` for policies
            whose weights are not at hand.
        labeler: what labeled the training data; ``None`` when the recipe began at a dataset, or at a reward.
        rewards: whoever the policy learned from while it trained.
        candidates, judgments: the labeled training data.
    """

    constitution: Constitution
    pairs: dict[Decoding, tuple[Pair, ...]]
    log_probs: Callable[[Literal["before", "after"], tuple[tuple[Prompt, Completion], ...]], list[float]] | None = None
    labeler: Labeler | None = None
    rewards: tuple[Labeler, ...] = ()
    candidates: tuple[Candidates, ...] = field(default=())
    judgments: tuple[Judgment, ...] = field(default=())

    @property
    def teachers(self) -> tuple[Labeler, ...]:
        """All that the policy learned from: who labeled, and who rewarded."""
        return (*((self.labeler,) if self.labeler is not None else ()), *self.rewards)


class Evaluator(Plugin):
    """Measures the trained policy against the untrained one."""

    group: ClassVar[str] = "solon.evaluators"

    @property
    def needs(self) -> tuple[Decoding, ...]:
        """The decodings whose answers it looks at."""
        return ("sample",)

    def models(self) -> tuple[ChatModel, ...]:
        """Every chat model it asks."""
        return ()

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """The metrics, ``before`` ahead of ``after``. An item that could not be measured counts as failed."""
        raise NotImplementedError(f"evaluator {self.kind!r} does not implement evaluate()")

    def changes(self, pair: Pair) -> dict[str, tuple[bool | None, bool | None]]:
        """For each yes/no metric, whether it holds of this pair's answer before and after; ``None``: cannot be said."""
        del pair
        return {}

    def warnings(self, evidence: Evidence) -> list[str]:
        """What a reader must know before trusting the metrics, as sentences; e.g. that the examiner also rewarded."""
        del evidence
        return []
