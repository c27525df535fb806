"""``solon doctor``: what this machine can run, and the command for what is missing."""

from __future__ import annotations

import typer

from solon.cli.options import Json, print_json


def doctor(json: Json = False) -> None:
    """Say what this machine can run, and how to get the rest."""
    from solon.doctor import findings

    found = findings()
    if json:
        print_json({"ok": all(one.ok for one in found), "findings": [one.model_dump() for one in found]})
        return
    for one in found:
        mark = "MISSING" if not one.ok else "absent " if one.remedy else "ok     "
        typer.echo(f"{mark} {one.what}: {one.found}" + (f"\n        -> {one.remedy}" if one.remedy else ""))
