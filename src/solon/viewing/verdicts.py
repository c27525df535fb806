"""What somebody does in a view, and where they stand: read from the verdicts' file, and added to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from solon.data.artifacts import opened, why_not_json
from solon.data.identity import digest
from solon.data.people import Act, Drawn, Word, act_of, line
from solon.data.records import Prompt
from solon.errors import Problem
from solon.viewing.appending import append, is_json
from solon.viewing.collections import Collection
from solon.viewing.items import Item
from solon.viewing.place import Place


class Refused(Exception):
    """What somebody asked for cannot be done; the text says why."""


class Verdicts:
    """One person's verdicts on a collection. Others may add to the same file at the same time.

    Args:
        collection: what is judged.
        annotator: who judges.
        blind: whether the judge's verdicts are hidden until they are asked for.
    """

    def __init__(self, collection: Collection, annotator: str, *, blind: bool) -> None:
        self.collection, self.annotator, self.blind = collection, annotator, blind
        self._place = Place()
        self._acts: dict[str, list[Act]] = {}
        self._last: dict[str, None] = {}  # items with something said of them, the latest last
        self._others: set[str] = set()
        self._revealed: set[str] = set()  # items whose judge's verdict was shown to this person, now or ever
        self._options = 0  # of each line of the file, whoever wrote it: 2 compared, 1 rated, 0 there is none
        self.catch_up()

    # ------------------------------------------------------------ where they stand

    def catch_up(self) -> None:
        """Reads what was added to the file since, by whatever view.

        Raises:
            DataError: a line cannot be read; with file and line.
        """
        path = self.collection.file
        if not path.is_file():
            self._start_anew()
            return
        with opened(path) as file:
            if not self._place.found(file):
                self._start_anew()
                self._place.begin(file)
            for content in file:
                if not content.endswith(b"\n") and not is_json(content):
                    break  # another view is writing it
                if content.strip():
                    self._note(_act(content, f"{path}:{self._place.line + 1}"))
                self._place.pass_over(content)

    def _start_anew(self) -> None:
        self._place = Place()
        self._acts.clear()
        self._last.clear()
        self._others.clear()
        self._revealed.clear()
        self._options = 0
        self.collection.index.connection.execute("DELETE FROM mine")

    def _note(self, act: Act) -> None:
        self._options = len(act.about.options)
        if act.annotator != self.annotator:
            self._others.add(act.annotator)
            return
        self._acts.setdefault(act.item, []).append(act)
        if act.said != "reveal":
            self._last.pop(act.item, None)
            if act.said != "undo":
                self._last[act.item] = None
        shown: set[str] = set()
        if act.said == "reveal" or not act.blind:
            # a ranking is shown whole, so with one of its pairs all of them are
            shown = {act.item, *self.collection.index.beside(act.item)} - self._revealed
            self._revealed |= shown
        for item in {act.item, *shown}:
            standing = self.standing(item)
            said = standing.said if standing is not None else ""
            self.collection.index.connection.execute(
                "INSERT OR REPLACE INTO mine VALUES (?, ?, ?, ?)",
                (item, said, self._value(standing), self.revealed(item)),
            )

    def restore(self) -> None:
        """Tells the index of all that was read before: for an index that was built anew."""
        self._start_anew()
        self.catch_up()

    def _value(self, act: Act | None) -> float | None:
        """What was said, to compare with a judge's: from -1 for the second option to 1 for the first, or the score."""
        if act is None or not act.is_verdict:
            return None
        if act.said == "score":
            scale = self.collection.run.scale
            return ((act.score or 0.0) - scale.low) / (scale.high - scale.low)
        if act.preferred is None:
            return 0.0
        row = self.collection.index.connection.execute("SELECT first FROM item WHERE id = ?", (act.item,)).fetchone()
        return None if row is None else 1.0 if act.preferred == row[0] else -1.0

    def standing(self, item: str) -> Act | None:
        """The last that this person did about an item; ``None`` where that is nothing, or was taken back."""
        acts = [act for act in self._acts.get(item, ()) if act.said != "reveal"]
        return acts[-1] if acts and acts[-1].said != "undo" else None

    def revealed(self, item: str) -> bool:
        """Whether the judge's verdict was shown to this person, now or ever."""
        return not self.blind or item in self._revealed

    def counts(self) -> dict[str, int]:
        """How many verdicts stand, how many items were left without one, and how many other people judged."""
        standing = [act for item in self._last if (act := self.standing(item)) is not None]
        verdicts = sum(act.is_verdict for act in standing)
        return {"verdicts": verdicts, "without": len(standing) - verdicts, "others": len(self._others)}

    # ------------------------------------------------------------ what they do

    def order(self, item: Item) -> tuple[str, ...]:
        """The options in the order in which this person sees them: drawn, so that no side is the judge's first."""
        seed = [self.collection.run.seed, self.annotator, item.id]
        return item.options[::-1] if int(digest(seed)[:8], 16) % 2 else item.options

    def say(self, place: int, said: Word, *, score: float | None = None, note: str = "", chosen: bool = False) -> None:
        """Records what somebody says of an item, or that they had the judge's verdict shown, which is noted once.

        Args:
            place: the item's.
            said: what.
            score: of a rating.
            note: what they noted.
            chosen: they came upon it by a filter or an order of theirs, so it is none of those drawn at random.

        Raises:
            Refused: it is no such item, or nothing that can be said of it or written into this file.
            DataError: a line of the file cannot be read.
            StorageError: it could not be written.
        """
        try:
            item = self.collection.index.item(place)
        except KeyError:
            raise Refused("there is no such question") from None
        self._check(item, said, score)
        index = self.collection.index
        drawn = None if chosen else self._drawn(place)
        options = self.order(item)
        prompt = index.prompt(item.prompt)

        def told() -> Mapping[str, Any] | None:
            self.catch_up()
            self._check_file(options)
            if said == "undo" and self.standing(item.id) is None:
                return None
            if said == "reveal" and self.revealed(item.id):
                return None
            return line(
                item=item.id,
                annotator=self.annotator,
                said=said,
                at=datetime.now(UTC).isoformat(timespec="seconds"),
                blind=not self.revealed(item.id),
                prompt=_shown(prompt),
                responses=[index.completion(option).text for option in options],
                about=Act.About(prompt=item.prompt, principles=item.principles, options=options),
                score=score,
                note=note.strip(),
                drawn=drawn,
            )

        written = append(self.collection.file, told)
        self.catch_up()
        if written is None and said == "undo":
            raise Refused("there is nothing to take back")

    def undo(self) -> int:
        """Takes back the last verdict that stands; the place of what it was about.

        Raises:
            Refused: there is none.
            StorageError: it could not be written.
        """
        self.catch_up()
        connection = self.collection.index.connection
        for item in reversed(self._last):
            row = connection.execute("SELECT place FROM item WHERE id = ?", (item,)).fetchone()
            if row is not None and self.standing(item) is not None:
                self.say(int(row[0]), "undo")
                return int(row[0])
        raise Refused("there is no verdict of yours to take back")

    def _check(self, item: Item, said: Word, score: float | None) -> None:
        rated = len(item.options) == 1
        if rated != self.collection.rates:
            raise Refused(_ONE_KIND.format(self.collection.file.name))
        if said == "score":
            scale = self.collection.run.scale
            if not rated or score is None or not scale.low <= score <= scale.high:
                raise Refused(f"a score is a number from {scale.low} to {scale.high}")
        elif rated and said in ("first", "second", "tie", "both_bad"):
            raise Refused("this one is rated, not compared")

    def _check_file(self, options: Sequence[str]) -> None:
        """One file holds one kind, whoever wrote what is in it: the labeler `human` reads no other."""
        if self._options in (0, len(options)):
            return
        file = self.collection.file
        raise Refused(f"{_ONE_KIND.format(file.name)}. Those in it are of other labels: move it away to begin another")

    def _drawn(self, place: int) -> Drawn | None:
        """How an item was drawn; ``None`` where it was not, or where labels that are still to come could not be."""
        if self.collection.drawn is None or self.collection.partial:
            return None
        last, drawn = self.collection.drawn
        row = self.collection.index.connection.execute("SELECT drawn FROM item WHERE place = ?", (place,)).fetchone()
        return drawn if int(row[0]) <= last else None


_ONE_KIND = "{} holds verdicts of another kind: comparisons or ratings, not both"


def _shown(prompt: Prompt) -> Any:
    """As the `human` labeler reads it: a text, or a list of messages."""
    if len(prompt.messages) == 1 and prompt.messages[0].role == "user":
        return prompt.text
    return [message.model_dump(mode="json") for message in prompt.messages]


def _act(content: bytes, where: str) -> Act:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        value = Problem(where, why_not_json(error))
    return act_of(value, where)
