"""``solon export``: what a run has trained, as a folder to give away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon import screen
from solon.cli.completing import runs
from solon.cli.options import Json, print_json

Source = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run directory, or the folder of its checkpoint.", autocompletion=runs)
]
To = Annotated[Path, typer.Option("--to", help="The folder to write: a new one, or an empty one.")]
Merge = Annotated[
    bool, typer.Option("--merge", help="Add the adapter into the weights of its base, in 16 bits: a model by itself.")
]
Base = Annotated[
    str | None,
    typer.Option("--base", help="The base's folder or hub id, where the recipe's does not lead there from here."),
]


def export(run: Source, to: To, merge: Merge = False, base: Base = None, json: Json = False) -> None:
    """Write what was trained: weights, tokenizer, and a model card that says what made them."""
    from solon.exporting import export as write

    exported = write(run, to, merge=merge, base=base)
    if json:
        print_json(exported.model_dump(mode="json"))
        return
    what = {"full": "all weights", "lora": "the adapter", "merged": f"the merged weights in {exported.dtype}"}
    screen.say(f"{exported.folder}: {what[exported.form]}; {', '.join(exported.files)}")
