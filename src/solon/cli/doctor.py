"""``solon doctor``: what this machine can run, the command for what is missing, and what a training would need."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from solon.cli.options import Json, print_json


class Weights(StrEnum):
    """Number types of a base under adapters."""

    nf4 = "nf4"
    bfloat16 = "bfloat16"
    float32 = "float32"


Model = Annotated[
    str | None, typer.Option("--model", help="Say what a training of this model folder or hub id would need of a GPU.")
]
Trainer = Annotated[str, typer.Option("--trainer", help="By which trainer.")]
OfWeights = Annotated[Weights, typer.Option("--weights", help="Number type of the base under adapters.")]
Rank = Annotated[int, typer.Option("--rank", min=0, help="Of the adapters; 0 trains all weights.")]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=1, help="Rows in memory at once. Default: the trainer's.")
]
Length = Annotated[int, typer.Option("--length", min=1, help="Tokens of prompt and response together.")]
Rollouts = Annotated[int, typer.Option("--rollouts", min=1, help="Completions sampled at once, by trainers that do.")]


def doctor(
    model: Model = None,
    trainer: Trainer = "dpo",
    weights: OfWeights = Weights.nf4,
    rank: Rank = 16,
    batch_size: BatchSize = None,
    length: Length = 1024,
    rollouts: Rollouts = 64,
    json: Json = False,
) -> None:
    """Say what this machine can run, and how to get the rest; with --model, what a training would need."""
    if model is not None:
        from solon.trainers.backends import Machine
        from solon.trainers.base import Lora
        from solon.trainers.fit import fit

        lora = Lora(r=rank, alpha=2 * rank) if rank else None
        fitted = fit(
            model,
            trainer,
            Machine.here(),
            lora=lora,
            weights=weights.value,
            batch_size=batch_size,
            length=length,
            rollouts=rollouts,
        )
        if json:
            print_json(fitted.model_dump(mode="json"))
        else:
            typer.echo("\n".join(fitted.lines()))
        return
    from solon.doctor import findings

    found = findings()
    if json:
        print_json({"ok": all(one.ok for one in found), "findings": [one.model_dump() for one in found]})
        return
    for one in found:
        mark = "MISSING" if not one.ok else "absent " if one.remedy else "ok     "
        typer.echo(f"{mark} {one.what}: {one.found}" + (f"\n        -> {one.remedy}" if one.remedy else ""))
