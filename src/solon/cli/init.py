"""``solon init``: a new project that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new project's folder.")]) -> None:
    """Write a new project that runs as it is.

    Constitution, recipe, prompts, tiny models and a README: the quickstart, to change.
    """
    from solon.project import create

    create(folder)
    typer.echo(f"{folder} is ready. Next:\n  cd {folder}\n  solon run recipe.yaml")
