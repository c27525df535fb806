"""Building by itself: judgments in, datasets out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from solon.api import given
from solon.api.datasets import InMemory
from solon.api.labeling import Labeled
from solon.api.recipes import refuse_unlike
from solon.data.build import Build, Built
from solon.data.build import build as build_all
from solon.data.cards import Facts
from solon.data.kinds import Kind
from solon.data.layout import write_datasets
from solon.data.records import Demonstration, Judgment, Preference, Rating
from solon.data.showing import html_table, text_table
from solon.errors import DataError


class Datasets:
    """What came of judgments: one dataset a way of training, and what was left out.

    Attributes:
        dropped: for each kind of dataset, how many rows were left out for which reason (``solon.data.build.DROPPED``).
        unjudged: how many prompts have no judgment.
    """

    dropped: dict[Kind, dict[str, int]]
    unjudged: int

    def __init__(self, built: Built, facts: Facts) -> None:
        self._built, self._facts = built, facts
        self.dropped = {kind: dict(why) for kind, why in built.drops.items() if why}
        self.unjudged = built.unjudged

    @property
    def preferences(self) -> InMemory[Preference]:
        """Pairs of a better and a worse response: what DPO, ORPO, SimPO and reward models learn from."""
        one = self._built.preference
        return InMemory("preference", {"train": one.train, "test": one.test})

    @property
    def unpaired(self) -> InMemory[Rating]:
        """Responses that are desirable or not: what KTO learns from."""
        one = self._built.unpaired
        return InMemory("unpaired", {"train": one.train, "test": one.test})

    @property
    def reward(self) -> InMemory[Rating]:
        """Responses with their scores."""
        one = self._built.reward
        return InMemory("reward", {"train": one.train, "test": one.test})

    @property
    def sft(self) -> InMemory[Demonstration]:
        """The best response to each prompt: what supervised fine-tuning learns from."""
        one = self._built.sft
        return InMemory("sft", {"train": one.train, "test": one.test})

    def save(self, folder: str | Path) -> Path:
        """Writes ``<folder>/<kind>/<train or test>.parquet`` and a card, as a run does; returns the folder.

        Raises:
            StorageError: the disk is full, or the folder holds something else; what was there is untouched.
        """
        path = Path(folder)
        write_datasets(self._built, path, self._facts)
        return path

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (
                kind,
                f"{counts['train']:,}",
                f"{counts['test']:,}",
                ", ".join(f"{why} {count:,}" for why, count in self.dropped.get(kind, {}).items()),
            )
            for kind, counts in self._built.counts().items()
        ]

    def __repr__(self) -> str:
        return text_table(("dataset", "train", "test", "left out"), self._rows())

    def _repr_html_(self) -> str:
        return html_table(("dataset", "train", "test", "left out"), self._rows())


def build(
    judgments: Iterable[Judgment],
    candidates: given.GivenCandidates | None = None,
    constitution: given.GivenConstitution | None = None,
    *,
    seed: int = 0,
    **settings: Any,
) -> Datasets:
    """Turns judgments into datasets, as ``solon build``; the same judgments give the same rows.

    Args:
        judgments: of ``solon.label``, or any others.
        candidates: what they are about; known of those of ``solon.label``.
        constitution: what was judged under; known likewise.
        seed: of the split by prompt.
        **settings: as under ``build`` in a recipe: ``held_out``, ``min_margin``, ``pairs`` and so on.

    Raises:
        DataError: a judgment does not belong to these candidates or this constitution.
        RecipeError: a setting is unknown or out of range.
    """
    refuse_unlike(judgments, (Iterable,), "judgments", "give a list, or what solon.label gave", DataError)
    if isinstance(judgments, Labeled):
        candidates = judgments.candidates if candidates is None else candidates
        constitution = judgments.constitution if constitution is None else constitution
    if candidates is None or constitution is None:
        raise DataError("say what was judged, and under what: build(judgments, candidates, constitution)")
    about, principles = given.read_candidates(candidates), given.read_constitution(constitution)
    rules, found = given.read_settings(Build, settings, "build"), list(judgments)
    built = build_all(about, found, principles, rules, seed)
    facts = Facts(
        constitution=principles,
        labelers=tuple(dict.fromkeys(one.labeler for one in found)),
        policies=tuple(dict.fromkeys(each.model for one in about for each in one.completions)),
        prompts="given",
        settings=rules,
        seed=seed,
    )
    return Datasets(built, facts)
