"""What online trainers learn from: any labeler is a reward, or several with weights.

A reward that cannot be had (a judge that failed, a rule that could not be applied) is missing: ``None``, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias, assert_never

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, PositiveInt, field_validator, model_validator

from solon.data.records import Prompt
from solon.labelers.base import Labeler
from solon.plugins.base import Settings
from solon.plugins.registry import AnyLabeler
from solon.trainers.prompted import Asked, PromptTrainer

Combine = Literal["sum", "mean", "min", "mean_minus_deviation"]
"""How several rewards become one. The last two are for an ensemble, several that should say the same: what only some of
them like is a mistake of theirs (Coste et al. 2023, arXiv:2310.02743, section 3.2: worst-case and uncertainty-weighted
optimisation; the deviation here in place of their variance, since it has the reward's unit)."""


@dataclass(frozen=True)
class Rewarded:
    """The rewards of some completions, higher is better.

    Attributes:
        total: one a completion, of all its parts; ``None`` where any of them is missing.
        parts: by the reward's name, before weighting. In [0, 1], or any finite number where a labeler gives logits.
        held_out: the same of the judges that are not learned from, at the steps at which they are asked.
        batch: the rewards of all processes' completions, by their place, where these are one's share of them.
    """

    total: tuple[float | None, ...]
    parts: Mapping[str, tuple[float | None, ...]]
    held_out: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    batch: Rewarded | None = None

    @property
    def everyones(self) -> Rewarded:
        """``batch``, or these where one process trains alone."""
        return self.batch or self

    @classmethod
    def of(
        cls,
        parts: Mapping[str, Sequence[float | None]],
        weights: Mapping[str, float],
        held_out: Mapping[str, tuple[float | None, ...]] = MappingProxyType({}),
        combine: Combine = "sum",
    ) -> Self:
        """The weighted parts, each of which has one number a completion, put together."""
        total = []
        for scores in zip(*parts.values(), strict=True):
            weighted = [weights[name] * score for name, score in zip(parts, scores, strict=True) if score is not None]
            total.append(_one(weighted, combine) if len(weighted) == len(parts) else None)
        return cls(tuple(total), {name: tuple(scores) for name, scores in parts.items()}, held_out)

    def at(self, places: Sequence[int]) -> Self:
        """Those of the completions at ``places``, as part of the ``batch`` that this is."""
        return replace(
            self,
            total=tuple(self.total[place] for place in places),
            parts={name: tuple(scores[place] for place in places) for name, scores in self.parts.items()},
            held_out={name: tuple(scores[place] for place in places) for name, scores in self.held_out.items()},
            batch=self,
        )


def _one(weighted: Sequence[float], combine: Combine) -> float:
    mean = math.fsum(weighted) / len(weighted)
    match combine:
        case "sum":
            return math.fsum(weighted)
        case "mean":
            return mean
        case "min":
            return min(weighted)
        case "mean_minus_deviation":
            return mean - math.sqrt(math.fsum((score - mean) ** 2 for score in weighted) / len(weighted))
        case _:
            assert_never(combine)


Score: TypeAlias = Callable[[Sequence[Prompt], Sequence[str]], Rewarded]
"""Prompts and completions of the same length; the completions of one prompt are a group, judged together."""


class WeightedReward(Settings):
    """One labeler as a reward.

    Attributes:
        name: names its curve, ``rewards/<name>``; the labeler's kind when left out.
        weight: what its scores are multiplied with; below 0 makes it a penalty.
        labeler: who judges.
    """

    name: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")
    weight: FiniteFloat = 1.0
    labeler: AnyLabeler

    @field_validator("weight")
    @classmethod
    def _weighs(cls, weight: float) -> float:
        if weight == 0:
            raise ValueError("a reward of weight 0 is asked for and never used: take it out")
        return weight

    @field_validator("labeler")
    @classmethod
    def _judges(cls, labeler: Labeler) -> Labeler:
        if labeler.revises:
            raise ValueError(f"labeler {labeler.kind!r} writes better responses and judges none, so it is no reward")
        return labeler

    @property
    def called(self) -> str:
        """``name``, or the labeler's kind."""
        return self.name or self.labeler.kind


def _listed(value: Any) -> Any:
    """One labeler is short for a list of one, and a labeler in a list for one of weight 1."""
    items = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [{"labeler": item} if _is_labeler(item) else item for item in items]


def _is_labeler(value: Any) -> bool:
    return isinstance(value, str | Labeler) or (isinstance(value, Mapping) and "kind" in value)


def _told_apart(rewards: tuple[WeightedReward, ...]) -> tuple[WeightedReward, ...]:
    names = [reward.called for reward in rewards]
    if "missing" in names:
        raise ValueError("a reward cannot be called 'missing': `rewards/missing` counts those that are")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two rewards are called {name!r}: give each a `name` of its own")
    return rewards


def _some(rewards: tuple[WeightedReward, ...]) -> tuple[WeightedReward, ...]:
    if not rewards:
        raise ValueError("at least one reward is needed: a labeler, or a list of them")
    return rewards


Judges = Annotated[tuple[WeightedReward, ...], BeforeValidator(_listed), AfterValidator(_told_apart)]
"""A pydantic field type: a labeler, or a list of labelers and of ``{name, weight, labeler}``; or none."""
RewardSpec = Annotated[Judges, AfterValidator(_some)]
"""As ``Judges``, at least one."""


class RewardTrainer(PromptTrainer):
    """Base of trainers that write completions to prompts and learn from their rewards."""

    reward: RewardSpec = Field(
        description="Who rewards the completions: any labeler, or a list of `{name, weight, labeler}` whose weighted "
        "scores are added up."
    )
    combine: Combine = Field(
        default="sum",
        description="How several weighted rewards become one: their `sum`, `mean`, `min`, or `mean_minus_deviation` "
        "(over the rewards of a completion), which pays less where they differ. The last two are for ensembles.",
    )
    held_out_judge: Judges = Field(
        default=(),
        description="Whoever judges completions and is not learned from, as `reward`: its mean is `gold/<name>`, and "
        "an alarm is raised where it falls while the reward rises.",
    )
    check_every: PositiveInt = Field(
        default=10, description="Steps that write completions, of which one asks `held_out_judge`."
    )

    @model_validator(mode="after")
    def _combines_several(self) -> Self:
        if self.combine != "sum" and len(self.reward) == 1:
            raise ValueError(
                f"combine: {self.combine} of a single reward is that reward: give several, or leave it out"
            )
        return self

    def effects(self) -> dict[str, Any]:
        """As for all trainers, without ``combine`` where it says what goes without saying."""
        idle = {"combine"} if self.combine == "sum" else set()
        return {name: value for name, value in super().effects().items() if name not in idle}

    def labelers(self) -> tuple[Labeler, ...]:
        """Those of its rewards, and those that it does not learn from, in their order."""
        return tuple(reward.labeler for reward in (*self.reward, *self.held_out_judge))

    def teachers(self) -> tuple[Labeler, ...]:
        """Those of its rewards."""
        return tuple(reward.labeler for reward in self.reward)

    def asked(self, prompts: int, held_out: int) -> Iterator[Asked]:
        """Its rewards, and whom it does not learn from. Held-out prompts are counted too, so that it is the most."""
        del held_out
        at_once, in_all = self.completions_of(prompts)
        for key, judges, every in (
            ("reward", self.reward, 1),
            ("held_out_judge", self.held_out_judge, self.check_every),
        ):
            for number, judge in enumerate(judges):
                yield Asked(key.replace("_", " "), f"{key}.{number}", judge.labeler, at_once, in_all / every)

    @property
    def steps_a_scoring(self) -> int:
        """Steps that learn from the same completions, which are scored once."""
        return 1

    def problems(self) -> list[str]:
        """Packages that are not installed, the labelers' problems, and models that cannot be waited for."""
        slow = [model.name for labeler in self.labelers() for model in labeler.models() if model.provider_batches()]
        waits = (
            "is asked in batches of its provider, which take hours, and each step waits for its rewards: `batch: false`"
        )
        return [*super().problems(), *(f"{name} {waits}" for name in dict.fromkeys(slow))]
