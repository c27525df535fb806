"""``solon push``: the datasets or the model of a run, put on a hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from solon import screen
from solon.cli.options import Json, print_json

Source = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, or a folder that `solon convert` wrote.")]
Address = Annotated[str, typer.Argument(metavar="hf://ORG/NAME", help="Where to. The token is that of HF_TOKEN.")]
What = Annotated[str, typer.Option("--what", metavar="dataset|model", help="What to send.")]
Public = Annotated[bool, typer.Option("--public", help="Let others see it. Default: private.")]
Merge = Annotated[bool, typer.Option("--merge", help="Of a model: add the adapter into the weights of its base.")]
Base = Annotated[str | None, typer.Option("--base", help="Of a model: the base's folder or hub id.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Replace files there that solon did not send, such as a README.md.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Send it without asking.")]


def push(
    run: Source,
    address: Address,
    what: What = "dataset",
    public: Public = False,
    replace: Replace = False,
    merge: Merge = False,
    base: Base = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Put the datasets or the trained model of a run on a hub, with their card. Shows what is sent, and asks first."""
    from solon.errors import RecipeError, SolonError
    from solon.interchange.pushing import changes, prepared, send, there

    if what not in ("dataset", "model"):
        raise RecipeError(f"--what is dataset or model, and not {what!r}")
    with prepared(run, address, what="dataset" if what == "dataset" else "model", merge=merge, base=base) as upload:
        seen = "PUBLIC: anybody can read it, and copies of it cannot be taken back" if public else "private"
        lines = [f"{address}: a {what}, {seen}"]
        lines += [f"  {name}: {size:,} bytes" for name, size in upload.sizes.items()]
        lines += [f"note: {line}" for line in upload.warnings]
        screen.say("\n".join(lines), err=json)
        standing = effect = None
        try:
            standing = there(upload)
        except SolonError as error:
            if not dry_run:
                raise
            screen.say(f"note: what is there already is not known: {error}", err=json)
        if standing is not None:
            effect = changes(upload, standing, private=not public, replace=replace)
            for name in effect.replaces:
                screen.say(f"  replaces {name}", err=json)
            for name in effect.deletes:
                screen.say(f"  deletes {name}: an earlier push sent it, and this one does not", err=json)
        if dry_run:
            if json:
                known = {"deletes": list(effect.deletes), "replaces": list(effect.replaces)} if effect else {}
                print_json({"address": address, "what": what, "files": upload.sizes, **known, "sent": False})
            return
        if not yes:
            if not sys.stdin.isatty():
                raise RecipeError("nobody is there to be asked: add --yes to send it, or --dry-run to look only")
            typer.confirm("Send it?", abort=True, err=json)
        pushed = send(upload, private=not public, replace=replace, standing=standing)
    if json:
        print_json({**pushed.model_dump(mode="json"), "sent": True})
        return
    seen = "private" if pushed.private else "public"
    screen.say(f"sent: {pushed.url} ({seen})\nat this commit: {pushed.address}")
