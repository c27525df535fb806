"""``solon constitution``: check, show, list and test constitutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon import screen
from solon.cli.constitution_test import run_tests
from solon.cli.named import count_of, show_named
from solon.cli.options import Json, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from solon.data.records import Constitution, Principle

app = typer.Typer(no_args_is_help=True)

File = Annotated[str, typer.Argument(metavar="FILE", help="A YAML or Markdown file, or the name of an installed one.")]


@app.command("check")
def check(file: File, json: Json = False) -> None:
    """Find every error, each at its line, and what deserves a look."""
    from solon.constitution import find, lint
    from solon.errors import ConstitutionError

    try:
        constitution, document = find(file)
    except ConstitutionError as error:
        if not json:
            raise
        print_json({"ok": False, "problems": list(map(str, error.problems)), "warnings": []})
        raise typer.Exit(error.exit_code) from None
    remarks = lint(constitution, document)
    if json:
        name, id_ = constitution.name, constitution.id
        print_json({"ok": True, "problems": [], "warnings": list(map(str, remarks)), "name": name, "id": id_})
        return
    for remark in remarks:
        screen.say(f"warning: {remark}", err=True)
    screen.say(f"{file}: {_size(constitution)}; id {constitution.id}; {count_of(len(remarks), 'warning')}")


@app.command("show")
def show(file: File, json: Json = False) -> None:
    """Show a constitution and its principles; --json: its cases too."""
    from solon.constitution import resolve

    constitution = resolve(file)
    if json:
        print_json({"id": constitution.id, **constitution.model_dump(mode="json")})
        return

    console = screen.console()
    about = f" version {constitution.version}, id {constitution.id}"
    console.print(screen.styled((constitution.name, "bold"), about))
    if constitution.description:
        console.print(constitution.description.strip())
    for principle in constitution.principles:
        _show_principle(console, principle, sum(case.principle == principle.id for case in constitution.cases))
    _show_rating(console, constitution)


@app.command("list")
def list_constitutions(json: Json = False) -> None:
    """List those that are installed; a recipe takes them by name."""
    from solon.constitution.library import GROUP, registered
    from solon.plugins.offers import offers

    usable = [offer for offer in offers(GROUP) if not offer.refused]
    found = {offer.kind: registered(offer.kind) for offer in usable if offer.ours}
    # to read theirs is to import the package: whoever lists what there is has not decided to use it
    theirs = [(offer.kind, f"{offer.package} {offer.version}") for offer in usable if not offer.ours]
    if json:
        others = [{"name": name, "package": package} for name, package in theirs]
        print_json({"constitutions": [_summary(name, each) for name, each in found.items()], "of_packages": others})
        return
    from rich.table import Table

    table = Table("name", "principles", "cases", "what it is for", box=None, pad_edge=False)
    for name, each in found.items():
        table.add_row(name, str(len(each.principles)), str(len(each.cases)), each.description.strip())
    for name, package in theirs:
        table.add_row(screen.styled(name), "", "", screen.styled(f"of {package}: solon constitution show {name}"))
    screen.console().print(table)


app.command("test")(run_tests)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of a constitution, for editors."""
    from solon.constitution import schema as constitution_schema

    print_json(constitution_schema())


def _show_principle(console: Console, principle: Principle, cases: int) -> None:
    from rich.padding import Padding

    role = "hard: vetoes" if principle.severity == "hard" else f"weight {principle.weight:g}"
    topics = f", on {', '.join(principle.topics)}" if principle.topics else ""
    about = f" ({role}{topics}; {count_of(cases, 'case')})"
    console.print(screen.styled("\n", (principle.id, "bold"), about))
    console.print(Padding(principle.text.strip(), (0, 0, 0, 2)))
    named = [(name, getattr(principle, name)) for name in ("critique", "revision", "source")]
    if told := [(name, text) for name, text in named if text]:
        show_named(console, told)


def _show_rating(console: Console, constitution: Constitution) -> None:
    rating = constitution.rating
    console.print(f"\nrated from {rating.low} to {rating.high}")
    for score, meaning in sorted(rating.meaning.items()):
        console.print(f"  {score}: {meaning}")


def _summary(name: str, constitution: Constitution) -> dict[str, Any]:
    return {
        "name": name,
        "id": constitution.id,
        "version": constitution.version,
        "principles": len(constitution.principles),
        "cases": len(constitution.cases),
        "description": constitution.description,
    }


def _size(constitution: Constitution) -> str:
    return f"{count_of(len(constitution.principles), 'principle')}, {count_of(len(constitution.cases), 'case')}"
