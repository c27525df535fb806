"""Judgments become datasets: the same candidates, judgments and settings give the same rows in the same order.

Comparisons and rankings give preferences; where a prompt has none, preferences come from the ratings of its responses;
revisions give theirs beside them. Every row that is left out is counted under a reason of ``DROPPED``. ``build`` is for
data that fit into memory; ``solon.data.building`` does the work for data of any size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from solon.data.building import Counts, Made, building
from solon.data.kinds import DROPPED as DROPPED
from solon.data.kinds import KINDS as KINDS
from solon.data.kinds import RATED as RATED
from solon.data.kinds import SIDES, Kind, Side
from solon.data.kinds import Build as Build
from solon.data.records import Candidates, Constitution, Demonstration, Judgment, Preference, Rating, Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Split(Generic[R]):
    """The rows to train on, and those of held-out prompts."""

    train: tuple[R, ...]
    test: tuple[R, ...]


@dataclass(frozen=True)
class Built:
    """The datasets, and what did not get into them.

    Attributes:
        preference, unpaired, reward, sft: the rows of each kind; empty where the judgments give none.
        drops, prompts, unjudged: as in ``Counts``.
    """

    preference: Split[Preference]
    unpaired: Split[Rating]
    reward: Split[Rating]
    sft: Split[Demonstration]
    drops: dict[Kind, dict[str, int]]
    prompts: int
    unjudged: int

    def splits(self) -> dict[Kind, Split[Preference] | Split[Rating] | Split[Demonstration]]:
        """The rows by kind."""
        return {"preference": self.preference, "unpaired": self.unpaired, "reward": self.reward, "sft": self.sft}

    def counts(self) -> dict[Kind, dict[Side, int]]:
        """How many rows each kind and split has."""
        return {kind: {"train": len(rows.train), "test": len(rows.test)} for kind, rows in self.splits().items()}

    def made(self) -> Iterator[Made]:
        """Every row."""
        for kind, rows in self.splits().items():
            yield from ((kind, "train", row) for row in rows.train)
            yield from ((kind, "test", row) for row in rows.test)

    def counted(self) -> Counts:
        """The numbers."""
        return Counts(self.counts(), self.drops, self.prompts, self.unjudged)


def build(
    candidates: Iterable[Candidates],
    judgments: Iterable[Judgment],
    constitution: Constitution,
    settings: Build,
    seed: int,
) -> Built:
    """Builds all datasets that the judgments allow.

    Args:
        candidates: prompts with their completions.
        judgments: on those completions, in any order of prompts; within a prompt their order decides that of the rows.
        constitution: what they were judged under.
        settings: what to keep.
        seed: of the split by prompt.

    Raises:
        DataError: a judgment does not belong to these candidates or this constitution.
        PluginError: a labeler gave a score that is none.
    """
    with building(constitution, settings, seed) as datasets:
        datasets.take(candidates, judgments)
        made = list(datasets.made())
        counts = datasets.counted()

    def split(kind: Kind, record: type[R]) -> Split[R]:
        of: Mapping[Side, list[R]] = {side: [] for side in SIDES}
        for made_kind, side, row in made:
            if made_kind == kind and isinstance(row, record):
                of[side].append(row)
        return Split(tuple(of["train"]), tuple(of["test"]))

    return Built(
        preference=split("preference", Preference),
        unpaired=split("unpaired", Rating),
        reward=split("reward", Rating),
        sft=split("sft", Demonstration),
        drops=counts.drops,
        prompts=counts.prompts,
        unjudged=counts.unjudged,
    )
