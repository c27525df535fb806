"""``solon ledger``: what was paid, for what, to whom; which calls are in doubt; where the batches are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon import screen
from solon.cli.options import Json, print_json, table
from solon.cli.salvage import salvage

if TYPE_CHECKING:
    from solon.ledger import Batch, Ledger

app = typer.Typer(no_args_is_help=True)
app.command("salvage")(salvage)

LedgerFile = Annotated[Path, typer.Option("--ledger", help="The ledger file.")]
RunName = Annotated[str | None, typer.Option("--run", help="Only what this run was the first to pay.")]


_SAYS = {
    "submitting": "nobody knows whether it arrived: the same command finds out",
    "submitted": "at the provider, and nobody waits for it: the same command picks it up",
    "collected": "collected",
    "refused": "refused: nothing is owed",
    "lost": "given up: its requests are in doubt",
}


@app.callback()
def _ledger() -> None:
    pass


def _open(ledger: Path) -> Ledger:
    from solon.errors import DataError
    from solon.ledger import Ledger

    if not ledger.is_file():
        raise DataError(f"there is no ledger at {ledger}; name it with --ledger, or run a recipe first")
    return Ledger.open(ledger)


def _state(batch: Batch) -> str:
    return "a process that is alive waits for it" if batch.at_work else _SAYS[batch.phase]


@app.command("show")
def show(ledger: LedgerFile = Path(".solon/ledger.sqlite"), run: RunName = None, json: Json = False) -> None:
    """Show replies, tokens and dollars of each model.

    Also the calls in doubt: sent, and perhaps billed, but never answered here.
    """
    with _open(ledger) as opened:
        totals, doubts, batches = opened.summary(run=run), opened.in_doubt(run=run), opened.batches(run=run)
    if json:
        print_json(
            {
                "models": [
                    {
                        "model": total.model,
                        "replies": total.replies,
                        "usage": total.usage.model_dump(),
                        "cost_usd": total.cost_usd,
                        "in_doubt": total.in_doubt,
                        "in_doubt_usd": total.in_doubt_usd,
                    }
                    for total in totals
                ],
                "in_doubt": [
                    {
                        "key": doubt.key,
                        "run": doubt.run,
                        "stage": doubt.stage,
                        "model": doubt.model,
                        "reserved_usd": doubt.reserved_usd,
                        "answered": doubt.answered,
                    }
                    for doubt in doubts
                ],
                "batches": [asdict(batch) for batch in batches],
            }
        )
        return

    rows = table("model", "replies", "input tokens", "output tokens", "dollars", "in doubt", numbers=5)
    for total in totals:
        doubt = f"{total.in_doubt:,} (${total.in_doubt_usd:,.4f})" if total.in_doubt else "0"
        rows.add_row(
            total.model,
            f"{total.replies:,}",
            f"{total.usage.input_tokens:,}",
            f"{total.usage.output_tokens:,}",
            f"{total.cost_usd:,.4f}",
            doubt,
        )
    console = screen.console()
    if not totals:
        console.print(f"nothing was paid by {run}" if run else "the ledger is empty")
    else:
        console.print(rows)
    for one in doubts:
        again = "asked again and answered" if one.answered else "not answered yet"
        console.print(
            f"in doubt: {one.stage} of run {one.run}, {one.model}, at most ${one.reserved_usd:.4f}, {again}",
        )
    for batch in batches:
        if batch.phase in ("submitting", "submitted"):
            console.print(
                f"batch {batch.id or batch.label}: {batch.open:,} of {batch.requests:,} requests to {batch.model} are "
                f"to come; {_state(batch)}",
            )


@app.command("batches")
def batches(ledger: LedgerFile = Path(".solon/ledger.sqlite"), run: RunName = None, json: Json = False) -> None:
    """List the batches that were handed to providers.

    With their ids, how many of their requests are still to come, and whether anybody waits for them.
    """
    from datetime import UTC, datetime

    with _open(ledger) as opened:
        found = opened.batches(run=run)
    if json:
        print_json({"batches": [asdict(batch) for batch in found]})
        return

    rows = table("batch", "provider", "model", "run", "submitted at", "state", "requests", "to come", numbers=2)
    for batch in found:
        at = datetime.fromtimestamp(batch.submitted_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        counts = f"{batch.requests:,}", f"{batch.open:,}"
        rows.add_row(batch.id or batch.label, batch.provider, batch.model, batch.run, at, _state(batch), *counts)
    console = screen.console()
    console.print(rows if found else "no batch was handed to any provider")


@app.command("give-up")
def give_up(
    batch: Annotated[str, typer.Argument(help="The id of the batch, or its label where it has none.")],
    ledger: LedgerFile = Path(".solon/ledger.sqlite"),
) -> None:
    """Wait for a batch no more: its requests are in doubt, and the next run asks them again.

    For a batch that was deleted at the provider, or whose account is gone. What of it was done may be on the bill.
    """
    from solon.errors import DataError
    from solon.ledger import Ended

    with _open(ledger) as opened:
        found = [one for one in opened.batches() if batch in (one.id, one.label)]
        if not found:
            raise DataError(f"there is no batch {batch!r} in {ledger}: `solon ledger batches` lists them")
        if found[0].at_work:
            raise DataError(f"a process that is alive waits for {batch}: end it first")
        if found[0].phase not in ("submitting", "submitted"):
            raise DataError(f"nothing more is to come of {batch}: {_state(found[0])}")
        opened.apply([Ended(found[0].label, "lost")])
    screen.say(f"{batch} is given up: {found[0].open:,} requests are in doubt, and the next run asks them again")
