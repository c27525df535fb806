"""``solon plugins new SORT NAME``: a complete package for a plugin of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon import screen
from solon.cli.options import Json, print_json


def new(
    sort: Annotated[str, typer.Argument(metavar="SORT", help="labeler, trainer, model, evaluator or constitution.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name in a recipe, such as short-answers.")],
    folder: Annotated[Path, typer.Option("--dir", help="Where the package's folder goes.")] = Path(),
    json: Json = False,
) -> None:
    """Write a package that installs, keeps the contract as it is, and is yours to change. Overwrites nothing."""
    from solon.plugins.scaffolding import write_package

    written, names = write_package(sort, name, folder)
    if json:
        print_json({"folder": str(written), "kind": names.kind, "package": names.package, "module": names.module})
        return
    screen.say(f"wrote {written}: the {sort} is in src/{names.module}/__init__.py. Next:\n")
    screen.say(f"    pip install -e '{written}[test]'")
    screen.say(f"    solon plugins check {names.package}")
    screen.say(f"    pytest {written}\n")
    screen.say("README.md there says how a recipe uses it. How each part works: docs/plugins/writing.md")
