"""Which layout rows are in: told by their columns, and never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from solon.data.tables import Row
from solon.errors import DataError, Problem
from solon.interchange.layouts import LAYOUTS
from solon.interchange.shapes import Example, LeftOut, Shape, Unreadable, Values, gap, read

LOOKED_AT = 100
"""Rows of a file by which its layout is told."""


class Told(NamedTuple):
    """The shape of rows, and the first of them that has all of it."""

    shape: Shape
    whole: Values


def detect(rows: Sequence[Row], *, layout: str | None = None) -> Told:
    """The shape of the rows. Where several fit, all must read each row alike; the one that reads most columns is taken.

    A row without a prompt or a response has the shape of the others; at least one must have both.

    Args:
        rows: the first of a file, at least one.
        layout: look at this layout's shapes alone.

    Raises:
        DataError: no shape fits, or several that read a row differently.
    """
    shapes = [
        shape
        for name, one in LAYOUTS.items()
        if layout in (None, name)
        for shape in one.shapes
        if layout == name or not shape.only_named
    ]
    fitting = [told for shape in shapes if (told := _fitting(shape, rows))]
    fitting = [told for told in fitting if told.shape.telling] or fitting
    if not fitting:
        raise DataError([_unknown(rows, shapes, layout)])
    for row in rows:
        readings = {_reading(told, row.values) for told in fitting}
        if len(readings) > 1:
            raise DataError([_ambiguous(row, [told.shape for told in fitting], layout)])
    return max(fitting, key=lambda told: len(told.shape.columns & told.whole.keys()))


def _fitting(shape: Shape, rows: Sequence[Row]) -> Told | None:
    whole = next((row.values for row in rows if shape.fits(row.values)), None)
    if whole is None or not all(shape.fits(row.values) or gap(shape, row.values, whole) for row in rows):
        return None
    return Told(shape, whole)


def _reading(told: Told, values: Values) -> Example | str:
    if not told.shape.fits(values):
        return gap(told.shape, values, told.whole) or ""
    try:
        return read(told.shape, values).record
    except LeftOut as left:
        return left.reason
    except Unreadable as error:
        return str(error)


def _unknown(rows: Sequence[Row], shapes: Iterable[Shape], layout: str | None) -> Problem:
    some = next((row for row in rows if not any(shape.fits(row.values) for shape in shapes)), None)
    where, columns = (some or rows[0]).where, ", ".join(map(repr, (some or rows[0]).values)) or "none"
    if some is None:
        return Problem(where, "the rows are of several layouts", "put the rows of each into a file of their own")
    known = "no layout has" if layout is None else f"layout {layout!r} does not have"
    return Problem(where, f"{known} rows like this one: its columns are {columns}", "see docs/interchange.md")


def _ambiguous(row: Row, fitting: Sequence[Shape], layout: str | None) -> Problem:
    names = sorted({f"{shape.layout} ({shape.holding})" for shape in fitting})
    remedy = "say which with --from" if layout is None else "leave aside the columns that do not belong to it"
    return Problem(row.where, f"this row means one thing in {' and another in '.join(names)}", remedy)
