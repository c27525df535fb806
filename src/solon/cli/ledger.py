"""``solon ledger show``: what was paid, for what, to whom, and which calls are in doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon.cli.options import Json, print_json, table

app = typer.Typer(no_args_is_help=True)

LedgerFile = Annotated[Path, typer.Option("--ledger", help="The ledger file.")]
RunName = Annotated[str | None, typer.Option("--run", help="Only what this run was the first to pay.")]


@app.callback()
def _ledger() -> None:
    pass


@app.command("show")
def show(ledger: LedgerFile = Path(".solon/ledger.sqlite"), run: RunName = None, json: Json = False) -> None:
    """Show replies, tokens and dollars of each model.

    Also the calls in doubt: sent, and perhaps billed, but never answered here.
    """
    from solon.errors import DataError
    from solon.ledger import Ledger

    if not ledger.is_file():
        raise DataError(f"there is no ledger at {ledger}; name it with --ledger, or run a recipe first")
    with Ledger.open(ledger) as opened:
        totals, doubts = opened.summary(run=run), opened.in_doubt(run=run)
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
            }
        )
        return
    from rich.console import Console

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
    console = Console(highlight=False)
    if not totals:
        console.print(f"nothing was paid by {run}" if run else "the ledger is empty", markup=False)
    else:
        console.print(rows)
    for one in doubts:
        again = "asked again and answered" if one.answered else "not answered yet"
        console.print(
            f"in doubt: {one.stage} of run {one.run}, {one.model}, at most ${one.reserved_usd:.4f}, {again}",
            markup=False,
        )
