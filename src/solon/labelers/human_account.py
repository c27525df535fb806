"""What became of the rows of a file of people's verdicts, counted as the judgments pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import JsonValue

from solon.data.records import Judgment
from solon.labelers.base import Labeler
from solon.labelers.human_file import HumanFile

PEOPLE = "human"
"""Who is named as the labeler of what people said."""

_SHOWN = 20
"""Rows that matched nothing are named up to so many; all are counted."""


class HumanAccount:
    """What became of the rows. It holds no more than the file does.

    Args:
        file: the rows.
        otherwise: who judges what they say nothing of, if anybody.
        places_of: the rows behind a judgment.
    """

    def __init__(
        self, file: HumanFile, otherwise: Labeler | None, places_of: Callable[[Judgment], tuple[int, ...]]
    ) -> None:
        self._file, self._places_of = file, places_of
        self._has_other = otherwise is not None
        self._inner = otherwise.account() if otherwise is not None else None
        self._by_people = self._otherwise = 0
        self._matched: set[int] = set()
        self._together: set[tuple[int, ...]] = set()

    def add(self, judgments: Sequence[Judgment]) -> None:
        """Notes the rows behind the judgments on one prompt."""
        theirs = [judgment for judgment in judgments if judgment.labeler != PEOPLE]
        self._otherwise += len(theirs)
        self._by_people += len(judgments) - len(theirs)
        if self._inner is not None and theirs:
            self._inner.add(theirs)
        for judgment in judgments:
            places = self._places_of(judgment)
            self._matched.update(places)
            if len(places) > 1:
                self._together.add(places)

    def summary(self) -> dict[str, JsonValue]:
        """Counts of rows, those that matched nothing by their places (the first 20), and the annotators' agreement."""
        file = self._file
        unmatched = [row.where for place, row in enumerate(file.verdicts) if place not in self._matched]
        pairs = [file.agreement(places) for places in self._together]
        agreed, of = sum(agreed for agreed, _ in pairs), sum(of for _, of in pairs)
        names = {file.verdicts[place].annotator for place in self._matched} - {None}
        note = f"{len(unmatched):,} of {len(file.verdicts):,} rows of {file.name} matched nothing"
        note = f"{note}, the first being {unmatched[0]}" if unmatched else "every row matched"
        more: dict[str, JsonValue] = {}
        if self._has_other:
            every = self._by_people + self._otherwise
            note = f"{self._by_people:,} of {every:,} judgments are people's, in place of the judge's; {note}"
            more = {"by_people": self._by_people, "otherwise": self._otherwise}
            if self._inner is not None:
                more["account"] = self._inner.summary()
        return {
            "rows": len(file.verdicts),
            "without_verdict": file.blank,
            "unmatched": len(unmatched),
            "unmatched_rows": [*unmatched[:_SHOWN]],
            "annotators": len(names),
            "judged_by_several": sum(of > 0 for _, of in pairs),
            "annotator_agreement": round(agreed / of, 4) if of else None,
            "annotator_pairs": of,
            **more,
            "note": note,
        }
