"""``solon view``: a run in the browser, and what a person thinks of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon import screen
from solon.cli.options import RunDir

if TYPE_CHECKING:
    from solon.recipe import Opened

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or its recipe.")]
Port = Annotated[
    int,
    typer.Option("--port", help="Where to listen, on this machine alone; 0 is any free port.", min=0, max=65_535),
]
Browser = Annotated[
    bool | None,
    typer.Option("--browser/--no-browser", help="Open a browser, or not. Default: where there is a display."),
]
Name = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who judges. Default: asked, or your login.")]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample", metavar="N", min=1, help="Show N drawn at random: what an unbiased agreement is measured on."
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of what is drawn, and of which answer is shown first.")]
Open = Annotated[
    bool, typer.Option("--open", help="Show the judge's verdicts at once. Yours then count for no agreement.")
]


def view(
    run: Run,
    sample: Sample = None,
    seed: Seed = 0,
    shown: Open = False,
    name: Name = None,
    run_dir: RunDir = None,
    port: Port = 0,
    browser: Browser = None,
) -> None:
    """Browse a run's judgments in a local page, and record verdicts of your own with one key.

    They go to human.jsonl in the run, which `solon report` measures the judge against, and which the labeler `human`
    reads. It only ever adds to that file, and ends with Ctrl-C.
    """
    from solon.data.people import OF_ANSWERS, OF_LABELS
    from solon.report.text import one_line
    from solon.viewing.collections import Viewed
    from solon.viewing.server import Server
    from solon.viewing.serving import has_display, serve

    path, opened = _folder_of(run, run_dir)
    who = _name(name)
    viewed = Viewed(path, annotator=who, opened=opened, sample=sample, seed=seed, blind=not shown)
    screen.say(f"reading {one_line(str(path), 400)}", err=True)
    server = Server(viewed)
    screen.say(f"verdicts are recorded as {one_line(who, 80)!r} (--as NAME)", err=True)
    browse = has_display() if browser is None else browser
    serve(server, port=port, browse=browse, say=lambda text: screen.say(text, err=True, hands_out=True))
    for file in (path / OF_LABELS, path / OF_ANSWERS):
        if file.is_file():
            screen.say(f"\nverdicts are in {one_line(str(file), 400)}", err=True)
    if (path / OF_LABELS).is_file():
        screen.say(f"agreement with the judge: solon report {one_line(str(path), 400)}", err=True)


def _folder_of(run: Path, run_dir: Path | None) -> tuple[Path, Opened | None]:
    """The run directory, and the recipe where it is that which was given."""
    if run.is_dir():
        if run_dir is not None:
            raise typer.BadParameter("--run-dir goes with a recipe")
        return run, None
    if not run.is_file():
        from solon.errors import DataError, Problem

        remedy = "give the folder that `solon run` wrote, e.g. runs/quickstart"
        raise DataError([Problem(str(run), "there is no such run", remedy)])
    from solon.recipe import read

    opened = read(run)
    return run_dir or Path("runs") / opened.name, opened


def _name(given: str | None) -> str:
    """Who judges: asked once where there is somebody to ask."""
    import getpass

    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        login = "me"
    if given is None and sys.stdin.isatty():
        given = typer.prompt("Who judges?", default=login, err=True)
    name = " ".join((given or login).split())
    if not name or len(name) > 80:
        raise typer.BadParameter("a name has 1 to 80 characters", param_hint="--as")
    return name
