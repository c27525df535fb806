"""Data in one layout, written in another: every row is written or left out for a reason that is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from solon.data.artifacts import json_bytes
from solon.data.parquet import Rows, writing_parquet
from solon.data.prompts import Problems, refuse
from solon.data.records import Noun
from solon.data.tables import Row, read_rows
from solon.data.whole import atomic, atomic_folder
from solon.errors import DataError, Problem
from solon.interchange.detecting import LOOKED_AT, Told, detect
from solon.interchange.layouts import LAYOUTS, Layout
from solon.interchange.readme import readme
from solon.interchange.shapes import Found, Holding, LeftOut, Shape, Unreadable, gap, read
from solon.interchange.sources import Part, card_of, parts


class Converted(Noun):
    """What was written, and what was not.

    Attributes:
        folder: where.
        layout: its layout.
        read_as: the layouts in which each kind was read: several where files differ.
        files: rows by file, e.g. ``preference/train.parquet``.
        read: how many rows there were. Those in ``files`` and those in ``dropped`` are all of them.
        dropped: rows that are not converted: by kind, by reason (a key of ``LEFT_OUT``, or ``no_such_kind``).
        left_out: of rows that are converted, how many said something that the layout does not hold, by column.
        notes: of rows that are converted, how many there are of which a person should know something, by key of
            ``NOTES``.
        needs: what a user of the library writes, in Markdown.
    """

    folder: str
    layout: str
    read_as: dict[str, list[str]]
    files: dict[str, int]
    read: int
    dropped: dict[str, dict[str, int]]
    left_out: dict[str, int]
    notes: dict[str, int]
    needs: str


@dataclass
class _Tally:
    """What is counted on the way."""

    read: int = 0
    files: dict[tuple[Holding, str], int] = field(default_factory=dict)
    read_as: dict[str, list[str]] = field(default_factory=dict)
    dropped: dict[str, Counter[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    labelers: dict[str, None] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)

    def tell(self, shape: Shape) -> None:
        layouts = self.read_as.setdefault(shape.holding, [])
        if shape.layout not in layouts:
            layouts.append(shape.layout)

    def drop(self, holding: str, reason: str) -> None:
        self.dropped.setdefault(holding, Counter())[reason] += 1


def convert(
    source: str | Path, to: str, out: Path, *, layout: str | None = None, splits: Sequence[str] = ()
) -> Converted:
    """Reads a source and writes ``out/<kind>/<split>.parquet``, a card, and what the library needs beside them.

    Rows go from file to file one by one; a ``.json`` file alone is read as a whole.

    Args:
        source: a run directory, a folder of datasets, a file or a folder of files, or ``hf://org/name``.
        to: a key of ``LAYOUTS``.
        out: a folder that is empty or not there; it is written whole or not at all.
        layout: the layout of the source; told by its columns when left out.
        splits: only these.

    Raises:
        DataError: a row cannot be read (all problems, up to 20), its layout is not known or ambiguous, nothing is left
            to write, or ``out`` holds something.
        MissingExtra: the source is on a hub and ``datasets`` is not installed.
        StorageError: the disk is full or not writable.
    """
    for name in filter(None, (to, layout)):
        if name not in LAYOUTS:
            raise DataError(f"no layout is called {name!r}: there are {', '.join(LAYOUTS)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError([Problem(str(out), "is there already and not empty", "name a new folder with --out")])
    target, tally = LAYOUTS[to], _Tally()
    from_parts = parts(str(source), splits)
    with atomic_folder(out) as partial:
        with ExitStack() as open_files:
            writers: dict[tuple[Holding, str], Rows] = {}
            for part in from_parts:
                for holding, row in _converted(part, target, layout, tally):
                    key = holding, part.split
                    if key not in writers:
                        path = partial / holding / f"{part.split}.parquet"
                        writers[key] = open_files.enter_context(writing_parquet(path, target.targets[holding].schema()))
                    writers[key].write(row)
                    tally.files[key] = tally.files.get(key, 0) + 1
        refuse(str(source), tally.problems, [], empty=not tally.read, what="rows")
        if not tally.files:
            reasons = ", ".join(f"{kind} {dict(reasons)}" for kind, reasons in tally.dropped.items())
            raise DataError([Problem(str(source), f"no row can be written for {target.title}: {reasons}")])
        converted = _result(out, target, tally)
        splits_of = _splits(tally)
        for name, value in target.beside(splits_of).items():
            with atomic(partial / name) as file:
                file.write_bytes(json_bytes(value, indent=2) + b"\n")
        text = readme(
            converted,
            target.title,
            splits_of,
            target.needs(splits_of),
            card_of(str(source)),
            tuple(tally.labelers),
            partial,
        )
        with atomic(partial / "README.md") as file:
            file.write_bytes(text.encode("utf-8", "backslashreplace"))
    return converted


def _converted(
    part: Part, target: Layout, layout: str | None, tally: _Tally
) -> Iterator[tuple[Holding, dict[str, Any]]]:
    """The rows of a part that are written, each with its kind."""
    rows = _good(chain.from_iterable(read_rows(file) for file in part.files), tally)
    first = list(islice(rows, LOOKED_AT))
    if not first:
        return
    told = detect(first, layout=layout)
    shape = told.shape
    tally.tell(shape)
    for row in chain(first, rows):
        tally.read += 1
        found = _found(row, told, tally)
        if found is None:
            continue
        into = target.targets.get(shape.holding)
        if into is None:
            tally.drop(shape.holding, "no_such_kind")
            continue
        try:
            written = into.row(found)
        except LeftOut as left:
            tally.drop(shape.holding, left.reason)
            continue
        tally.left_out.update(found.said - into.holds)
        tally.left_out.update(_aside(row, shape))
        tally.notes.update({*found.notes, *into.notes(found)})
        provenance = getattr(found.record, "provenance", None)
        tally.labelers.update(dict.fromkeys(provenance.labelers if provenance is not None else ()))
        yield shape.holding, written


def _good(rows: Iterable[Row | Problem], tally: _Tally) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, Problem):
            tally.problems.append(row)
        else:
            yield row


def _found(row: Row, told: Told, tally: _Tally) -> Found | None:
    shape = told.shape
    if not shape.fits(row.values):
        if reason := gap(shape, row.values, told.whole):
            tally.drop(shape.holding, reason)
            return None
        what = f"unlike the rows before it, this is no {shape.holding} row as {shape.layout} has them"
        tally.problems.append(Problem(row.where, what, f"columns: {', '.join(row.values)}"))
        return None
    try:
        return read(shape, row.values)
    except LeftOut as left:
        tally.drop(shape.holding, left.reason)
    except Unreadable as error:
        tally.problems.append(Problem(row.where, str(error)))
    return None


def _aside(row: Row, shape: Shape) -> set[str]:
    """What a row says and nobody reads: columns, and keys of messages such as ``weight``."""
    said = {name for name, value in row.values.items() if name not in shape.columns and value not in (None, "", [], {})}
    for name in shape.columns & row.values.keys():
        value = row.values[name]
        for turn in value if isinstance(value, list) else [value]:
            if isinstance(turn, dict):
                known = {"role", "content", "from", "value"}
                said |= {f"{name}.{key}" for key, one in turn.items() if key not in known and one not in (None, [], {})}
    return {name.encode("utf-8", "backslashreplace").decode() for name in said}


def _splits(tally: _Tally) -> dict[Holding, list[str]]:
    by_kind: dict[Holding, list[str]] = {}
    for holding, split in tally.files:
        by_kind.setdefault(holding, []).append(split)
    return by_kind


def _result(out: Path, target: Layout, tally: _Tally) -> Converted:
    return Converted(
        folder=str(out),
        layout=target.name,
        read_as=tally.read_as,
        files={f"{holding}/{split}.parquet": rows for (holding, split), rows in tally.files.items()},
        read=tally.read,
        dropped={kind: dict(sorted(reasons.items())) for kind, reasons in tally.dropped.items()},
        left_out=dict(sorted(tally.left_out.items())),
        notes=dict(sorted(tally.notes.items())),
        needs=target.needs(_splits(tally)).replace("FOLDER", str(out)),
    )
