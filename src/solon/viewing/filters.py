"""Which items a list holds, and in which order: one query, whose answer is kept as numbers."""

from __future__ import annotations

from array import array
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from solon.plugins.base import Settings
from solon.viewing.collections import Collection
from solon.viewing.schema import folded, held

_ORDERS = {
    "file": "place",
    "random": "drawn, place",
    "closest": "lean IS NULL, abs(lean), place",
    "clearest": "lean IS NULL, abs(lean) DESC, place",
    "lowest": "lean IS NULL, lean, place",
    "highest": "lean IS NULL, lean DESC, place",
}
_MINE = "EXISTS (SELECT 1 FROM mine WHERE mine.item = item.id AND {})"
_REVEALED = _MINE.format("revealed")
_JUDGED = _MINE.format("said NOT IN ('', 'undo')")
# the verdict of the two differs, as far as this person has been shown the judge's
_AGAINST = _MINE.format(
    "revealed AND value IS NOT NULL AND ((item.second IS NULL AND abs(value - lean) > 0.25) OR"
    " (item.second IS NOT NULL AND (value * lean < 0 OR (value = 0) <> (lean = 0))))"
)
_HOLDING = "WITH holding AS MATERIALIZED (SELECT place FROM completion WHERE instr(folded, ?)) "
_SEARCHED = (
    "(prompt IN (SELECT place FROM prompt WHERE instr(folded, ?)) OR first_place IN holding OR"
    " second_place IN holding"
    " OR place IN (SELECT item FROM rationale WHERE {shown}instr(folded, ?)))"
)
_SHOWN = "item IN (SELECT told.place FROM mine JOIN item AS told ON told.id = mine.item WHERE revealed) AND "
_STATES = {
    "all": "",
    "orders": "orders_differ",
    "panel": "panel_differs",
    "failed": "reasons <> ',,'",
    "todo": f"NOT {_JUDGED}",
    "done": _JUDGED,
    "against": _AGAINST,
}


Text = Annotated[str, BeforeValidator(lambda given: held(given) if isinstance(given, str) else given)]


class Filters(Settings):
    """What somebody asked for.

    Attributes:
        state: ``orders`` and ``panel``: verdicts that disagree; ``failed``: a judgment that gave none; ``todo`` and
            ``done``: without and with a verdict of one's own; ``against``: judged otherwise than the judge, as far as
            it has been shown.
        principle, judge, topic, reason: of that name; empty is any.
        low, high: how clear the verdict is, in [0, 1]; of ratings, the score.
        search: a text in prompt, completions, or what a judge wrote, in any case.
        order: ``closest`` is the least clear verdict first.
    """

    state: Literal["all", "orders", "panel", "failed", "todo", "done", "against"] = "all"
    principle: Text = ""
    judge: Text = ""
    topic: Text = ""
    reason: Text = ""
    low: float = Field(default=0.0, ge=0, le=1)
    high: float = Field(default=1.0, ge=0, le=1)
    search: Text = Field(default="", max_length=1000)
    order: Literal["file", "random", "closest", "clearest", "lowest", "highest"] = "file"

    @property
    def chooses(self) -> bool:
        """Whether somebody picks by it: all else shows what was drawn as it was drawn, with or without what is done."""
        if self.order not in ("file", "random") or self.state not in ("all", "todo"):
            return True
        return self != Filters(order=self.order, state=self.state)


def found(collection: Collection, filters: Filters, *, blind: bool) -> array[int]:
    """The places of the items that pass, in order.

    Args:
        collection: where to look.
        filters: which.
        blind: where it has not been shown, what a judge wrote is not searched, and a score is neither looked at nor
            sorted by: it would be as good as told.
    """
    hides = blind and collection.rates
    wheres = ["1"]
    values: list[Any] = []
    if _STATES[filters.state]:
        wheres.append(_STATES[filters.state])
    for value, where in (
        (filters.principle, "place IN (SELECT item FROM item_principle WHERE principle = ?)"),
        (filters.judge, "place IN (SELECT item FROM item_judge WHERE judge = ?)"),
        (filters.topic, "prompt IN (SELECT place FROM prompt WHERE topic = ?)"),
        (filters.reason and f",{filters.reason},", "instr(reasons, ?)"),
    ):
        if value:
            wheres.append(where)
            values.append(value)
    if (filters.low, filters.high) != (0.0, 1.0):
        wheres.append(f"abs(lean) BETWEEN ? AND ?{f' AND {_REVEALED}' if hides else ''}")
        values += [filters.low, filters.high]
    if collection.drawn is not None:
        wheres.append("drawn <= ?")
        values.append(collection.drawn[0])
    if filters.search:
        wheres.append(_SEARCHED.format(shown=_SHOWN if blind else ""))
        values = [folded(filters.search), *values, *[folded(filters.search)] * 2]
    order = filters.order
    if order == "file" and collection.drawn is not None:
        order = "random"  # whoever stops half-way has judged a random half
    holding = _HOLDING if filters.search else ""
    by = _ORDERS[order].replace("lean", f"CASE WHEN {_REVEALED} THEN lean END") if hides else _ORDERS[order]
    query = f"{holding}SELECT place FROM item WHERE {' AND '.join(wheres)} ORDER BY {by}"  # noqa: S608 - our own words
    return array("l", (place for (place,) in collection.index.connection.execute(query, values)))
