"""``solon init``: a new project that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solon import screen
from solon.cli.completing import templates
from solon.cli.options import Json, print_json

Folder = Annotated[
    Path | None, typer.Argument(metavar="DIR", help="The new project's folder; it may not hold anything.")
]
Chosen = Annotated[
    str, typer.Option("--template", "-t", metavar="NAME", help="What to make.", autocompletion=templates)
]
Listed = Annotated[bool, typer.Option("--list", help="Say which templates there are.")]


def init(folder: Folder = None, template: Chosen = "quickstart", listed: Listed = False, json: Json = False) -> None:
    """Write a new project that runs as it is.

    Constitution, recipe, prompts, a README and, where they are tiny, models. It asks nothing: whose key is set, which
    GPU is here and what is missing is looked up and said. Nothing is ever overwritten.
    """
    from solon.installing import as_here
    from solon.project import TEMPLATES, create

    if listed:
        if json:
            print_json({name: one.about for name, one in TEMPLATES.items()})
        else:
            for name, one in TEMPLATES.items():
                screen.say(f"{name:<11} {one.about}")
        return
    if folder is None:
        raise typer.BadParameter("which folder? For example `solon init my-project`; --list says what can be made")
    made = create(folder, template)
    commands = list(map(as_here, made.next))
    if json:
        print_json({"folder": str(made.folder), "template": template, "notes": made.notes, "next": commands})
        return
    screen.say(f"{folder} is ready: {made.template.about}.")
    for note in made.notes:
        screen.say(f"- {note}.")
    screen.say("Next:")
    for command in commands:
        screen.say(f"  {command}")
