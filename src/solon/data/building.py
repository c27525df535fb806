"""Datasets on their way: candidates and judgments are gathered on disk by conversation, and rows are made one by one.

The same candidates, judgments and settings give the same rows in the same order. Every row that is left out is counted
under a reason of ``solon.data.kinds.DROPPED``. One conversation is in memory at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol, TypeAlias

from solon.data.desirable import cuts
from solon.data.groups import Groups
from solon.data.kinds import DROPPED, KINDS, SIDES, Build, Kind, Side
from solon.data.records import (
    Candidates,
    Constitution,
    Demonstration,
    Judgment,
    Preference,
    Rating,
    Revised,
    digest,
)
from solon.data.rows import Judged, Rules, rated_in, rows_of
from solon.data.split import is_held_out
from solon.errors import DataError

Made: TypeAlias = tuple[Kind, Side, Preference | Rating | Demonstration]
"""A row, with the dataset and the split that it belongs to."""


@dataclass
class Counts:
    """What was built, in numbers.

    Attributes:
        rows: for each kind and split, how many.
        drops: for each kind, how many rows were left out for which reason (a key of ``DROPPED``). A row is a pair for
            ``preference``, a response for ``unpaired`` and ``reward``, a prompt or a revision for ``sft``.
        prompts: how many prompts had candidates.
        unjudged: how many of them have no judgment at all.
    """

    rows: dict[Kind, dict[Side, int]]
    drops: dict[Kind, dict[str, int]]
    prompts: int
    unjudged: int


class Datasets(Protocol):
    """Datasets, in memory or on their way."""

    def made(self) -> Iterator[Made]:
        """Every row; those of one split in their order."""
        ...

    def counted(self) -> Counts:
        """What there is, once every row was read."""
        ...


class Building:
    """Datasets on their way, from ``building``. Each reading of ``made`` makes all rows anew.

    Attributes:
        labelers: who judged.
        policies: the models that wrote the responses.
    """

    def __init__(self, gathered: Groups, constitution: Constitution, settings: Build, seed: int) -> None:
        self._gathered, self._constitution = gathered, constitution
        self._principles = {principle.id: principle for principle in constitution.principles}
        self._settings, self._seed = settings, seed
        self._labelers: dict[str, None] = {}
        self._policies: dict[str, None] = {}
        self._revisers: dict[str, None] = {}
        self._counts = _none_yet()

    @property
    def labelers(self) -> tuple[str, ...]:
        """Who judged, in order of appearance."""
        return tuple(self._labelers)

    @property
    def policies(self) -> tuple[str, ...]:
        """The models that wrote the responses, in order of appearance."""
        return tuple(self._policies)

    def take(self, candidates: Iterable[Candidates], judgments: Iterable[Judgment]) -> None:
        """Gathers them by conversation.

        Raises:
            DataError: a judgment is on no prompt of these, or under no principle of this constitution.
            StorageError: the disk is full.
        """
        for one in candidates:
            group = self._gathered.begun(digest([message.model_dump() for message in one.prompt.messages]))
            if self._gathered.find(one.prompt.id) is None:
                self._gathered.name(one.prompt.id, group)
            self._gathered.put(group, one)
            self._policies.update(dict.fromkeys(completion.model for completion in one.completions))
        last: tuple[str, int | None] = "", None
        for judgment in judgments:
            if judgment.prompt != last[0]:
                last = judgment.prompt, self._gathered.find(judgment.prompt)
            if last[1] is None:
                raise _foreign(judgment, "prompt")
            self._check_principles(judgment)
            self._gathered.put(last[1], judgment)
            self._labelers[judgment.labeler] = None
            if isinstance(judgment.outcome, Revised):
                self._revisers[judgment.labeler] = None

    def made(self) -> Iterator[Made]:
        """Every row, conversation by conversation, in the order of their first prompts.

        Raises:
            DataError: a judgment is on a completion that is not among the candidates.
            PluginError: a labeler gave a score that is none.
        """
        rules = Rules(self._principles, self._settings, frozenset(self._revisers), cuts(self._settings, ()))
        if self._settings.desirable_by == "quantile":
            every = (item for group in self._groups() for item in rated_in(group, rules))
            rules = Rules(self._principles, self._settings, rules.revisers, cuts(self._settings, every))
        counts = self._counts = _none_yet()
        drops: dict[Kind, Counter[str]] = {kind: Counter() for kind in KINDS}
        for group in self._groups():
            side: Side = "test" if is_held_out(group[0].prompt, self._settings.held_out, self._seed) else "train"
            counts.prompts += len(group)
            counts.unjudged += sum(not judged.judgments for judged in group)
            for kind, rows in rows_of(group, rules, drops).by_kind():
                counts.rows[kind][side] += len(rows)
                for row in rows:
                    yield kind, side, row
        counts.drops = {kind: {why: drops[kind][why] for why in DROPPED if drops[kind][why]} for kind in KINDS}

    def counted(self) -> Counts:
        """Of the last reading of ``made``, complete when it has ended."""
        return self._counts

    def _groups(self) -> Iterator[list[Judged]]:
        """The prompts that hold the same conversation, with all that was said of them."""
        for records in self._gathered:
            group: dict[str, Judged] = {}
            for record in records:
                if isinstance(record, Candidates):
                    judged = group.setdefault(record.prompt.id, Judged(record.prompt))
                    judged.completions.update((completion.id, completion) for completion in record.completions)
                elif isinstance(record, Judgment):
                    judged = group[record.prompt]
                    if not judged.completions.keys() >= set(record.options):
                        raise _foreign(record, "completion")
                    judged.judgments.append(record)
            yield list(group.values())

    def _check_principles(self, judgment: Judgment) -> None:
        unknown = [name for name in judgment.principles if name not in self._principles]
        if unknown:
            near = get_close_matches(unknown[0], self._principles, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise DataError(
                f"there are judgments under principle {unknown[0]!r}, which constitution "
                f"{self._constitution.name!r} does not have{hint}: it has changed since; label again"
            )


@contextmanager
def building(
    constitution: Constitution, settings: Build, seed: int, *, index: Path | None = None
) -> Iterator[Building]:
    """Gives what takes candidates and judgments and makes all datasets that they allow, for as long as the block runs.

    Args:
        constitution: what was judged under.
        settings: what to keep.
        seed: of the split by prompt.
        index: a file in which all that was taken waits until the block ends; in memory when left out.
    """
    with Groups.open(index, Candidates, Judgment) as gathered:
        yield Building(gathered, constitution, settings, seed)


def _none_yet() -> Counts:
    rows: dict[Kind, dict[Side, int]] = {kind: dict.fromkeys(SIDES, 0) for kind in KINDS}
    return Counts(rows, {kind: {} for kind in KINDS}, prompts=0, unjudged=0)


def _foreign(judgment: Judgment, what: str) -> DataError:
    return DataError(
        f"judgment {judgment.id} of {judgment.labeler!r} is on a {what} that is not among the candidates: "
        "label these candidates, or give the candidates that were labeled"
    )
