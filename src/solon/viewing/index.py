"""All that a view can show, in a scratch database: built once when it is opened, added to where a run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import PydanticSerializationError

from solon.data.identity import sha256_of
from solon.data.people import Drawn
from solon.data.records import Candidates, Completion, Judgment, Principle, Prompt, Record
from solon.report.held_out import Example
from solon.viewing.items import Facts, Item, facts_of, items_of
from solon.viewing.schema import folded, held, scratch

_AT_ONCE = 2_000
"""Judgments that are held while they are read: those of an item mostly stand together."""


@dataclass
class _Touched:
    """An item that judgments of a batch are about."""

    place: int
    item: Item
    is_new: bool
    judgments: list[Judgment] = field(default_factory=list)


class Index:
    """Prompts, completions, judgments and items, each once.

    Args:
        principles: the constitution's, by id.
        seed: of the order in which items are drawn.
    """

    def __init__(self, principles: Mapping[str, Principle], seed: int) -> None:
        self.connection = scratch()
        self.seed = seed
        self._principles = principles

    def __len__(self) -> int:
        """How many items there are."""
        return int(self.connection.execute("SELECT count(*) FROM item").fetchone()[0])

    def close(self) -> None:
        """Lets go of the database, which is then gone."""
        self.connection.close()

    # ------------------------------------------------------------ filling it

    def add_candidates(self, given: Iterable[Candidates]) -> None:
        """Prompts and completions. What is there already stays."""
        for some in _some(given, 500):
            self._put_prompts(one.prompt for one in some)
            self._put_completions(completion for one in some for completion in one.completions)

    def add_judgments(self, given: Iterable[tuple[Judgment, str]]) -> int:
        """Judgments on prompts that were added before, each with its JSON; how many there were."""
        count = 0
        for some in _some(given, _AT_ONCE):
            self._add(some)
            count += len(some)
        return count

    def add_answers(self, given: Iterable[Example]) -> None:
        """The held-out answers before and after training: an item each, with what was measured in place of verdicts."""
        for some in _some(given, 500):
            self._put_prompts(one.prompt for one in some)
            self._put_completions(answer for one in some for answer in (one.before, one.after))
            for one in some:
                item = Item(one.prompt.id, (), "answers", (one.before.id, one.after.id))
                # measured of the same answers by either decoding: the place tells them apart, and the id does not
                place, _ = self._place_of(item)
                measured = json.dumps({"decoding": one.decoding, "changes": one.changes})
                number = self.connection.execute("INSERT INTO judgment (record) VALUES (?)", (measured,))
                self.connection.execute("INSERT OR IGNORE INTO item_judgment VALUES (?, ?)", (place, number.lastrowid))

    def _put_prompts(self, prompts: Iterable[Prompt]) -> None:
        rows = ((one.id, _json(one), one.topic and held(one.topic), folded(one.text)) for one in prompts)
        self.connection.executemany(
            "INSERT OR IGNORE INTO prompt (id, record, topic, folded) VALUES (?, ?, ?, ?)", rows
        )

    def _put_completions(self, completions: Iterable[Completion]) -> None:
        rows = ((one.id, _json(one), folded(one.text)) for one in completions)
        self.connection.executemany("INSERT OR IGNORE INTO completion (id, record, folded) VALUES (?, ?, ?)", rows)

    def _add(self, judgments: Sequence[tuple[Judgment, str]]) -> None:
        touched: dict[Item, _Touched] = {}
        about: list[tuple[int, int]] = []
        number = int(self.connection.execute("SELECT coalesce(max(place), 0) FROM judgment").fetchone()[0])
        for judgment, _ in judgments:
            number += 1
            for item in items_of(judgment):
                if item.revised is not None:
                    self._put_completions([item.revised])
                at = touched.get(item)
                if at is None:
                    place, is_new = self._place_of(item)
                    # what came in an earlier batch belongs to it too
                    at = touched[item] = _Touched(place, item if is_new else self.item(place), is_new)
                    at.judgments += [] if is_new else self.judgments(place)
                at.judgments.append(judgment)
                about.append((at.place, number))
        self.connection.executemany("INSERT INTO judgment (record) VALUES (?)", ((text,) for _, text in judgments))
        self.connection.executemany("INSERT INTO item_judgment VALUES (?, ?)", about)
        principles = ((at.place, held(name)) for at in touched.values() for name in at.item.principles if at.is_new)
        self.connection.executemany("INSERT OR IGNORE INTO item_principle VALUES (?, ?)", principles)
        self._note([(at.place, facts_of(at.judgments, at.item.options, self._principles)) for at in touched.values()])
        again = ((at.place,) for at in touched.values() if not at.is_new)
        self.connection.executemany("DELETE FROM rationale WHERE item = ?", again)
        said = ((at.place, folded(text)) for at in touched.values() for text in _texts(at.judgments))
        self.connection.executemany("INSERT INTO rationale VALUES (?, ?)", said)

    def _place_of(self, item: Item) -> tuple[int, bool]:
        """Where an item is, and whether that is new."""
        name = item.id
        drawn = int(sha256_of(f"{self.seed}:{name}".encode())[:15], 16)
        second = item.options[1] if len(item.options) == 2 else None
        new = self.connection.execute(
            "INSERT OR IGNORE INTO item"
            " (id, prompt, principles, labeler, drawn, first, second, first_place, second_place)"
            " VALUES (?1, (SELECT place FROM prompt WHERE id = ?2), ?3, ?4, ?5, ?6, ?7,"
            " (SELECT place FROM completion WHERE id = ?6), (SELECT place FROM completion WHERE id = ?7))",
            (name, item.prompt, json.dumps(item.principles), held(item.labeler), drawn, item.options[0], second),
        )
        if new.rowcount:
            assert new.lastrowid is not None
            return new.lastrowid, True
        found = self.connection.execute(
            "SELECT place FROM item WHERE id = ? AND labeler = ?", (name, held(item.labeler))
        ).fetchone()
        return int(found[0]), False

    def _note(self, found: Sequence[tuple[int, Facts]]) -> None:
        self.connection.executemany(
            "UPDATE item SET lean = ?, orders_differ = ?, panel_differs = ?, reasons = ? WHERE place = ?",
            (
                (facts.lean, facts.orders_differ, facts.panel_differs, f",{','.join(facts.reasons)},", place)
                for place, facts in found
            ),
        )
        judges = ((place, held(judge)) for place, facts in found for judge in facts.judges)
        self.connection.executemany("INSERT OR IGNORE INTO item_judge VALUES (?, ?)", judges)

    # ------------------------------------------------------------ reading it

    def item(self, place: int) -> Item:
        """The item at a place.

        Raises:
            KeyError: there is none.
        """
        row = self.connection.execute(
            "SELECT prompt.id, principles, labeler, first, second FROM item"
            " LEFT JOIN prompt ON prompt.place = item.prompt WHERE item.place = ?",
            (place,),
        ).fetchone()
        if row is None:
            raise KeyError(place)
        prompt, principles, labeler, first, second = row
        options = (first,) if second is None else (first, second)
        return Item(prompt, tuple(json.loads(principles)), labeler, options)

    def lean(self, place: int) -> float | None:
        """As ``Facts.lean``."""
        found: float | None = self.connection.execute("SELECT lean FROM item WHERE place = ?", (place,)).fetchone()[0]
        return found

    def prompt(self, name: str) -> Prompt:
        """The prompt of that id."""
        return Prompt.model_validate(self._record("prompt", name))

    def completion(self, name: str) -> Completion:
        """The completion of that id."""
        return Completion.model_validate(self._record("completion", name))

    def knows(self, name: str) -> bool:
        """Whether there is a completion of that id."""
        return self.connection.execute("SELECT 1 FROM completion WHERE id = ?", (name,)).fetchone() is not None

    def judgments(self, place: int) -> Iterator[Judgment]:
        """Those on an item, in the order in which they came."""
        for (stored,) in self.stored(place):
            yield Judgment.model_validate(json.loads(stored))

    def measured(self, place: int) -> Iterator[dict[str, Any]]:
        """What was measured of an item of answers."""
        for (stored,) in self.stored(place):
            yield json.loads(stored)

    def stored(self, place: int) -> list[tuple[str]]:
        """What was said of an item, as JSON."""
        return self.connection.execute(
            "SELECT record FROM item_judgment JOIN judgment ON judgment.place = judgment WHERE item = ?"
            " ORDER BY judgment",
            (place,),
        ).fetchall()

    def beside(self, name: str) -> list[str]:
        """Ids of the items that a judgment on this one is about, too: those of one ranking, and the item itself."""
        rows = self.connection.execute(
            "SELECT DISTINCT other.id FROM item JOIN item_judgment AS its ON its.item = item.place"
            " JOIN item_judgment AS theirs ON theirs.judgment = its.judgment"
            " JOIN item AS other ON other.place = theirs.item WHERE item.id = ?",
            (name,),
        )
        return [other for (other,) in rows]

    def homeless(self) -> int:
        """How many items are on prompts or completions that nobody added."""
        return int(
            self.connection.execute(
                "SELECT count(*) FROM item WHERE prompt IS NULL OR first_place IS NULL"
                " OR (second IS NOT NULL AND second_place IS NULL)"
            ).fetchone()[0]
        )

    def draw(self, n: int) -> tuple[int, Drawn]:
        """The largest number of the order that is among the first ``n``, and how to say so."""
        of = len(self)
        row = self.connection.execute("SELECT drawn FROM item ORDER BY drawn LIMIT 1 OFFSET ?", (min(n, of) - 1,))
        found = row.fetchone()
        return (-1 if found is None else int(found[0])), Drawn(seed=self.seed, n=min(n, of), of=of)

    def _record(self, table: str, name: str) -> Any:
        row = self.connection.execute(f"SELECT record FROM {table} WHERE id = ?", (name,)).fetchone()  # noqa: S608
        return json.loads(row[0])


def _some(given: Iterable[Any], most: int) -> Iterator[list[Any]]:
    some: list[Any] = []
    for one in given:
        some.append(one)
        if len(some) == most:
            yield some
            some = []
    if some:
        yield some


def _json(record: Record) -> str:
    try:
        return record.model_dump_json()
    except PydanticSerializationError:
        return json.dumps(record.model_dump(mode="json"))  # ASCII, which also holds half of a surrogate pair


def _texts(judgments: Sequence[Judgment]) -> Iterator[str]:
    """What judges wrote."""
    for one in judgments:
        yield from (text for text in (one.rationale, getattr(one.outcome, "raw", None)) if text)
        yield from _texts(one.votes)
