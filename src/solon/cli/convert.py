"""``solon convert``: data in the layout of one library, written in that of another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon import screen
from solon.cli.options import Json, Quiet, print_json

Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A run directory, a folder or file of data, or hf://org/name.")
]
To = Annotated[
    str, typer.Option("--to", metavar="LAYOUT", help="trl, axolotl, llama-factory, openrlhf, distilabel or solon.")
]
From = Annotated[
    str | None, typer.Option("--from", metavar="LAYOUT", help="The layout of SOURCE. Default: told by its columns.")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write: a new one, or an empty one.")]
Splits = Annotated[
    list[str] | None, typer.Option("--split", metavar="NAME", help="Only this split; may be repeated. Default: all.")
]


def convert(
    source: Source,
    to: To,
    out: Out,
    from_: From = None,
    split: Splits = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write preferences, labelled responses, demonstrations or prompts as another library reads them."""
    from solon.interchange.converting import convert as write
    from solon.interchange.readme import left_out, notes

    converted = write(source, to, out, layout=from_, splits=split or ())
    if json:
        print_json(converted.model_dump(mode="json"))
        return
    if quiet:
        return
    read_as = ", ".join(f"{kind} as {' and '.join(layouts)}" for kind, layouts in converted.read_as.items())
    screen.say(f"{converted.folder}: {converted.read:,} rows read ({read_as})")
    for file, rows in converted.files.items():
        screen.say(f"  {file}: {rows:,} rows")
    for line in left_out(converted):
        screen.say(f"left out: {line}")
    for line in notes(converted):
        screen.say(f"note: {line}")
    screen.say(f"\n{converted.needs}")
