"""``solon doctor``: what this machine can run, the command for what is missing, and what a training would need."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon import screen
from solon.cli.completing import recipes, trainers
from solon.cli.options import Json, Overrides, Sets, print_json

if TYPE_CHECKING:
    from solon.doctor.finding import Finding


class Weights(StrEnum):
    """Number types of a base under adapters."""

    nf4 = "nf4"
    bfloat16 = "bfloat16"
    float32 = "float32"


Model = Annotated[
    str | None, typer.Option("--model", help="Say what a training of this model folder or hub id would need of a GPU.")
]
Recipe = Annotated[
    Path | None,
    typer.Argument(metavar="[RECIPE]", help="Say what this recipe needs here.", autocompletion=recipes),
]
Reach = Annotated[
    bool, typer.Option("--reach", help="See whether somebody listens at the addresses that the recipe names.")
]
Trainer = Annotated[str, typer.Option("--trainer", help="By which trainer.", autocompletion=trainers)]
OfWeights = Annotated[Weights, typer.Option("--weights", help="Number type of the base under adapters.")]
Rank = Annotated[int, typer.Option("--rank", min=0, help="Of the adapters; 0 trains all weights.")]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=1, help="Rows in memory at once. Default: the trainer's.")
]
Length = Annotated[int, typer.Option("--length", min=1, help="Tokens of prompt and response together.")]
Rollouts = Annotated[int, typer.Option("--rollouts", min=1, help="Completions sampled at once, by trainers that do.")]


def doctor(
    recipe: Recipe = None,
    overrides: Overrides = None,
    sets: Sets = None,
    reach: Reach = False,
    model: Model = None,
    trainer: Trainer = "dpo",
    weights: OfWeights = Weights.nf4,
    rank: Rank = 16,
    batch_size: BatchSize = None,
    length: Length = 1024,
    rollouts: Rollouts = 64,
    json: Json = False,
) -> None:
    """Say what this machine can run, and how to get the rest.

    With a RECIPE, what that recipe needs here; with --model, what a training would need of a GPU. Nobody is asked over
    the network, unless --reach is given. Exit code 1 if a recipe's need is not met.
    """
    if recipe is not None:
        _of_recipe(recipe, overrides, sets, reach=reach, json=json)
        return
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
            screen.say("\n".join(fitted.lines()))
        return
    from solon.doctor import findings

    _show(findings(), json=json)


def _of_recipe(recipe: Path, overrides: Overrides, sets: Sets, *, reach: bool, json: bool) -> None:
    from solon.doctor.of_recipe import needs
    from solon.recipe import read

    found = needs(read(recipe, overrides or (), sets or ()), ask=reach)
    _show(found, json=json)
    if not all(one.ok for one in found):
        raise typer.Exit(1)


def _show(found: Sequence[Finding], *, json: bool) -> None:
    from solon.installing import as_here

    found = [one.model_copy(update={"remedy": as_here(one.remedy)}) for one in found]
    if json:
        print_json({"ok": all(one.ok for one in found), "findings": [one.model_dump() for one in found]})
        return
    for one in found:
        mark = "MISSING" if not one.ok else "absent " if one.remedy else "ok     "
        remedy = f"\n        -> {one.remedy}" if one.remedy else ""
        screen.say(f"{mark} {one.what}: {one.found}{remedy}")
