"""``solon ledger salvage``: what is sound of a damaged ledger, in a new one."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon import screen
from solon.cli.options import Json, print_json

if TYPE_CHECKING:
    from solon.ledger.salvaging import Salvaged


def salvage(
    damaged: Annotated[Path, typer.Argument(metavar="DAMAGED", help="The damaged ledger. It is only read.")],
    to: Annotated[Path, typer.Option("--to", metavar="NEW", help="The new ledger. It must not be there yet.")],
    json: Json = False,
) -> None:
    """Write what is sound of a damaged ledger into a new one.

    Every reply that can be shown to be as it was recorded, the models, the calls in doubt, the batches and what was
    spent. Says how much of it is lost: such replies are asked again when they are needed.
    """
    from solon.ledger.salvaging import salvage

    done = salvage(damaged, to)
    if json:
        print_json({"damaged": str(damaged), "to": str(to), **asdict(done)})
        return
    for line in [*_told(done, damaged, to), "", "to go on with it:", *_commands(damaged, to)]:
        screen.say(line)


def _told(done: Salvaged, damaged: Path, to: Path) -> list[str]:
    replies = done.replies
    others = {"models": done.models, "calls": done.calls, "batches": done.batches, "budgets": done.budgets}
    lines = [
        f"{replies.saved:,} replies of {damaged} are sound (${done.usd:,.4f}), and in {to}",
        f"{replies.lost:,} are lost: they are asked again when they are needed",
        f"also saved: {', '.join(f'{one.saved:,} {name}' for name, one in others.items())}",
    ]
    lost = [f"{one.lost:,} {name}" for name, one in others.items() if one.lost]
    if lost:
        lines.append(f"also lost: {', '.join(lost)}")
    if done.broken:
        lines.append(f"not to be read whole, so that more may be lost: {', '.join(done.broken)}")
    lines += [f"budget {name!r}: what is spent was raised to what is known to have been paid" for name in done.raised]
    return lines


def _commands(damaged: Path, to: Path) -> list[str]:
    """What puts the new ledger in the damaged one's place. A log that stayed would be written into it."""
    aside = damaged.with_name(f"{damaged.name}.damaged")
    number = 1
    while aside.exists():
        number += 1
        aside = damaged.with_name(f"{damaged.name}.damaged-{number}")
    endings = ("", "-wal", "-shm")
    moves = [(damaged.with_name(damaged.name + one), aside.with_name(aside.name + one)) for one in endings]
    return [f"  {shlex.join(['mv', str(one), str(other)])}" for one, other in [*moves, (to, damaged)] if one.exists()]
