"""What an evaluator is: evidence of two models on the same prompts in, metrics out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from solon.data.records import Candidates, Completion, Constitution, Judgment, Metric, Prompt
from solon.labelers.base import Labeler
from solon.models.base import ChatModel
from solon.plugins.base import Plugin

Decoding = Literal["sample", "greedy"]
Which = Literal["before", "after"]
Answering: TypeAlias = Callable[[Which, Sequence[Prompt], Decoding], Awaitable[list[Completion | None]]]
"""The answer of the untrained or the trained policy to each prompt; ``None`` where it gave none."""
Keeping: TypeAlias = Callable[[str, Sequence[Mapping[str, Any]]], None]
"""A name, and rows of JSON values."""
Both: TypeAlias = tuple[bool | float | None, bool | float | None]
"""An item's number before and after, or whether something holds of it; ``None`` where it could not be measured."""
Measured: TypeAlias = Mapping[str, Mapping[str, Both]]
"""For each metric of a run its items, by their ids."""
Each: TypeAlias = Callable[[str, Sequence[tuple[str, Both]]], None]
"""The name of a metric, and for each of its items an id and both numbers."""


@dataclass(frozen=True)
class Pair:
    """One held-out prompt with the answer of each model."""

    prompt: Prompt
    before: Completion
    after: Completion


def _forgotten(name: str, rows: Sequence[Any]) -> None:
    """For evidence outside of a run."""


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
        answers: asks a policy about prompts of an evaluator's own, through the ledger and at the recipe's settings.
        policies: the models themselves, untrained and trained; empty where neither is at hand.
        veto_below: as in ``solon.data.kinds.Build``: from which share on a hard principle is kept.
        keep: writes what an evaluator has to show besides its metrics into ``evaluation/<name>.jsonl`` of the run.
        each: keeps a metric's items, each by its id (a prompt's, mostly) with its number before and after, in
            ``evaluation/items.jsonl``: what reports filter by, and ``solon compare`` tests with.
    """

    constitution: Constitution
    pairs: dict[Decoding, tuple[Pair, ...]]
    log_probs: Callable[[Which, tuple[tuple[Prompt, Completion], ...]], list[float]] | None = None
    labeler: Labeler | None = None
    rewards: tuple[Labeler, ...] = ()
    candidates: tuple[Candidates, ...] = field(default=())
    judgments: tuple[Judgment, ...] = field(default=())
    answers: Answering | None = None
    policies: Mapping[Which, ChatModel] = field(default_factory=dict)
    veto_below: float = 0.5
    keep: Keeping = _forgotten
    each: Each = _forgotten

    @property
    def teachers(self) -> tuple[Labeler, ...]:
        """All that the policy learned from: who labeled, and who rewarded."""
        return (*((self.labeler,) if self.labeler is not None else ()), *self.rewards)


class Evaluator(Plugin):
    """Measures the trained policy against the untrained one."""

    group: ClassVar[str] = "solon.evaluators"
    of_labels: ClassVar[bool] = False
    """Whether it measures the labels of the training data, and nothing where there are none."""

    @property
    def needs(self) -> tuple[Decoding, ...]:
        """The decodings whose answers it looks at."""
        return ("sample",)

    def models(self) -> tuple[ChatModel, ...]:
        """Every chat model it asks."""
        return ()

    def examiners(self, label: Labeler | None) -> tuple[Labeler, ...]:
        """Whom it asks about the answers: ``solon plan`` counts them. By default the labelers among its settings.

        Args:
            label: who labels in the recipe, for an evaluator that falls back on them.
        """
        del label
        return tuple(part for part in self.parts() if isinstance(part, Labeler))

    def own_prompts(self) -> tuple[Prompt, ...]:
        """The prompts that it brings, for both policies to answer.

        Raises:
            DataError: they cannot be read.
        """
        return ()

    def own_candidates(self) -> tuple[Candidates, ...]:
        """Answers that it brings, about which its examiners are asked too.

        Raises:
            DataError: they cannot be read.
        """
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


class OfAnswers(Evaluator):
    """Base of evaluators that look at the answers to the held-out prompts, of one decoding.

    Attributes:
        decoding: which answers to look at.
    """

    decoding: Decoding = "sample"

    @property
    def needs(self) -> tuple[Decoding, ...]:
        """The decoding it was told to look at."""
        return (self.decoding,)
