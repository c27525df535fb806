"""``solon plan``: requests, tokens, dollars, time and disk of a recipe before they are spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from solon import screen
from solon.cli.options import Json, Overrides, RecipeFile, Sets, print_json, table

if TYPE_CHECKING:
    from rich.table import Table

    from solon.planning import Plan, Row

Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds-per-request",
        min=0.001,
        help="How long a request to a remote model takes. Default: 2, or its reply at 50 tokens a second.",
    ),
]


def plan(
    recipe: RecipeFile,
    overrides: Overrides = None,
    sets: Sets = None,
    seconds_per_request: Seconds = None,
    json: Json = False,
) -> None:
    """Say what a recipe would cost; nothing is spent.

    Requests, tokens, dollars, time and disk, for each model and purpose. Loads no model and asks nobody.
    """
    from solon.planning import plan_of
    from solon.recipe import read

    planned = plan_of(read(recipe, overrides or (), sets or ()), seconds_per_request=seconds_per_request)
    if json:
        print_json(planned.model_dump(mode="json"))
        return

    console = screen.console()
    if not planned.rows:
        console.print("No stage of this recipe asks a model for anything.")
        return
    console.print(_table(planned))
    console.print()
    for line in (*_sums(planned), *(f"! {warning}" for warning in planned.warnings)):
        console.print(line, soft_wrap=True)
    console.print()
    for note in planned.notes:
        console.print(note, soft_wrap=True)


_OTHER_WAYS = {"plain": "unbatched", "batched": "batched", "cached": "cached", "both": "both"}
"""Columns beside the dollars as the recipe stands, where they apply."""


def _table(planned: Plan) -> Table:
    ways = [way for way in _OTHER_WAYS if any(_other(row, way) is not None for row in planned.rows)]
    numbers = ("requests", "read", "written", "dollars", *(_OTHER_WAYS[way] for way in ways), "time")
    rows = table("for", "model", *numbers, numbers=len(numbers))
    for column in (rows.columns[0], *rows.columns[2:]):
        column.no_wrap = True  # only names of models may go on in the next line
    for row in planned.rows:
        rows.add_row(
            f"{row.phase}: {row.part}" if row.phase else row.part,
            row.model,
            f"{row.requests:,}",
            _tokens(row.input_tokens),
            _tokens(row.output_tokens),
            _dollars(row.usd),
            *("" if (usd := _other(row, way)) is None else _dollars(usd) for way in ways),
            _time(row),
        )
    if len(planned.rows) > 1:
        read, written = (sum(getattr(row, name) for row in planned.rows) for name in ("input_tokens", "output_tokens"))
        sums = [_way_sum(planned.rows, way) for way in ways]
        rows.add_section()
        rows.add_row(
            "all", "", f"{planned.requests:,}", _tokens(read), _tokens(written), _dollars(planned.usd), *sums, ""
        )
    return rows


def _other(row: Row, way: str) -> float | None:
    """What a row costs in another way than the recipe's own."""
    if way == ("batched" if row.batched else "plain"):
        return None
    if way == "plain" and not row.batched:
        return None
    usd = getattr(row.ways, way)
    return None if usd is None else float(usd)


def _way_sum(rows: Sequence[Row], way: str) -> str:
    """All rows, those in another way that can be, and the others as they stand."""
    usd = [row.usd if (other := _other(row, way)) is None else other for row in rows]
    return _dollars(None if None in usd else sum(one for one in usd if one is not None))


def _sums(planned: Plan) -> list[str]:
    from solon.planning.plan import A_CENT

    said = [
        f"`{change.setting}` on {change.where}: ${change.usd_then:,.2f} instead of ${change.usd:,.2f}"
        for change in planned.changes
    ]
    if planned.usd and planned.usd_cheapest is not None and planned.usd_cheapest <= planned.usd - A_CENT:
        said.append(
            f"Cheapest, all of that and every cache hit: ${planned.usd_cheapest:,.2f} instead of ${planned.usd:,.2f}"
        )
    if planned.seconds:
        said.append(f"Time, without models that run here and without batches: at least {_duration(planned.seconds)}")
    disk = planned.disk
    parts = [f"{_bytes(disk.judgments)} judgments", f"{_bytes(disk.ledger)} ledger"]
    if disk.candidates:
        parts.insert(0, f"{_bytes(disk.candidates)} candidates")
    said.append(f"Disk, without checkpoints: about {', '.join(parts)}")
    return said


def _dollars(usd: float | None) -> str:
    if usd is None:
        return "unknown"
    return "<0.01" if 0 < usd < 0.005 else f"{usd:,.2f}"


def _tokens(count: int) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return str(count)


def _bytes(count: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"


def _time(row: Row) -> str:
    if row.batches is not None:
        from solon.planning.times import BATCH_HOURS

        return f"<{BATCH_HOURS * row.batches} h"
    return "" if row.seconds is None else _duration(row.seconds)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours / 24:.1f} days"
