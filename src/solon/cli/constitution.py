"""``solon constitution``: check, show, list and test constitutions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solon.cli.options import Json, Quiet, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from solon.constitution.testing import CaseReport, CaseResult
    from solon.data.records import Constitution, Principle
    from solon.labelers.base import Labeler

app = typer.Typer(no_args_is_help=True)

File = Annotated[str, typer.Argument(metavar="FILE", help="A YAML or Markdown file, or the name of an installed one.")]

Judge = Annotated[
    str, typer.Option("--judge", help="A YAML file of a labeler, a recipe, or '{kind: pairwise, judge: ...}' itself.")
]
LEDGER = Path(".solon/ledger.sqlite")
LedgerFile = Annotated[Path, typer.Option("--ledger", help="Where replies are kept, so that none is paid for twice.")]


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
        typer.echo(f"warning: {remark}", err=True)
    typer.echo(f"{file}: {_size(constitution)}; id {constitution.id}; {_count(len(remarks), 'warning')}")


@app.command("show")
def show(file: File, json: Json = False) -> None:
    """Show a constitution and its principles; --json: its cases too."""
    from solon.constitution import resolve

    constitution = resolve(file)
    if json:
        print_json({"id": constitution.id, **constitution.model_dump(mode="json")})
        return
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"[bold]{_safe(constitution.name)}[/] version {_safe(constitution.version)}, id {constitution.id}")
    if constitution.description:
        console.print(_safe(constitution.description.strip()))
    for principle in constitution.principles:
        _show_principle(console, principle, sum(case.principle == principle.id for case in constitution.cases))
    _show_rating(console, constitution)


@app.command("list")
def list_constitutions(json: Json = False) -> None:
    """List those that are installed; a recipe takes them by name."""
    from solon.constitution.library import GROUP, registered
    from solon.plugins.registry import kinds

    found = {name: registered(name) for name in kinds(GROUP)}
    if json:
        print_json({"constitutions": [_summary(name, each) for name, each in found.items()]})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "principles", "cases", "what it is for", box=None, pad_edge=False)
    for name, each in found.items():
        table.add_row(name, str(len(each.principles)), str(len(each.cases)), _safe(each.description.strip()))
    Console(highlight=False).print(table)


@app.command("test")
def run_tests(file: File, judge: Judge, ledger: LedgerFile = LEDGER, quiet: Quiet = False, json: Json = False) -> None:
    """Ask a judge about the constitution's own cases.

    Each case is asked in both orders. Exit code 1 if any does not pass.
    """
    import asyncio

    from solon.constitution import resolve
    from solon.constitution.judge import read_judge
    from solon.errors import InputError

    constitution, labeler = resolve(file), read_judge(judge)
    if problems := labeler.problems():
        raise InputError("\n".join(problems))
    report = asyncio.run(_run(constitution, labeler, ledger, quiet))
    if json:
        counts = {"n": report.n, "passed": report.count("passed"), "failed": report.count("failed")}
        print_json({"ok": report.passed, "accuracy": report.accuracy, **counts, **report.model_dump(mode="json")})
    else:
        _show_report(constitution, report)
    if not report.passed:
        raise typer.Exit(1)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of a constitution, for editors."""
    from solon.constitution import schema as constitution_schema

    print_json(constitution_schema())


async def _run(constitution: Constitution, labeler: Labeler, ledger_path: Path, quiet: bool) -> CaseReport:
    from solon.cli.options import progress_for
    from solon.constitution.testing import run_cases
    from solon.ledger import Ledger
    from solon.stream import Stream

    with Ledger.open(ledger_path) as ledger, progress_for(quiet).stage("test", len(constitution.cases), "cases") as bar:
        async with Stream(ledger, run=constitution.name, stage="constitution test"):
            try:
                return await run_cases(
                    constitution,
                    labeler,
                    on_result=lambda result: bar.advance(failed=int(result.verdict == "failed")),
                )
            finally:
                for model in labeler.models():
                    await model.aclose()


def _show_report(constitution: Constitution, report: CaseReport) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for result in report.results:
        if result.verdict != "passed":
            _show_result(console, constitution, result)
    total, passed = len(report.results), report.count("passed")
    others = [(verdict, report.count(verdict)) for verdict in ("wrong", "order_dependent", "tied", "failed")]
    rest = "".join(f"; {count} {verdict.replace('_', '-')}" for verdict, count in others if count)
    console.print(f"{passed} of {_count(total, 'case')} passed{rest}; judged by {_safe(report.labeler)}")


def _show_result(console: Console, constitution: Constitution, result: CaseResult) -> None:
    case = result.case
    why = {
        "wrong": "the judge prefers the worse response, in both orders",
        "order_dependent": "the judge prefers whichever stands in one place",
        "tied": "the judge prefers neither",
        "failed": result.reason or "no verdict",
    }
    console.print(f"[bold]case {result.number}[/] ({_safe(case.principle)}): {_safe(why[result.verdict])}")
    lines = [
        ("principle", constitution.principle(case.principle).text),
        ("prompt", case.prompt),
        ("better", f"{case.better}{_shares(result)}"),
        ("worse", case.worse),
    ]
    _show_named(console, lines)


def _shares(result: CaseResult) -> str:
    if result.better_first is None or result.better_second is None:
        return ""
    return f"\n(P(better) {result.better_first:.2f} when shown first, {result.better_second:.2f} when shown second)"


def _show_principle(console: Console, principle: Principle, cases: int) -> None:
    from rich.padding import Padding

    role = "hard: vetoes" if principle.severity == "hard" else f"weight {principle.weight:g}"
    topics = f", on {', '.join(principle.topics)}" if principle.topics else ""
    console.print(f"\n[bold]{_safe(principle.id)}[/] ({role}{_safe(topics)}; {_count(cases, 'case')})")
    console.print(Padding(_safe(principle.text.strip()), (0, 0, 0, 2)))
    named = [(name, getattr(principle, name)) for name in ("critique", "revision", "source")]
    if told := [(name, text) for name, text in named if text]:
        _show_named(console, told)


def _show_rating(console: Console, constitution: Constitution) -> None:
    rating = constitution.rating
    console.print(f"\nrated from {rating.low} to {rating.high}")
    for score, meaning in sorted(rating.meaning.items()):
        console.print(f"  {score}: {_safe(meaning)}")


def _show_named(console: Console, lines: Sequence[tuple[str, str]]) -> None:
    """Each text beside its name, its further lines below its first."""
    from rich.padding import Padding
    from rich.table import Table

    table = Table.grid(padding=(0, 1, 0, 0))
    for name, text in lines:
        table.add_row(f"[dim]{name}[/]", _safe(text.strip()))
    console.print(Padding(table, (0, 0, 0, 2)))


def _safe(text: str) -> str:
    """The text as it is: square brackets in it are not rich's markup."""
    from rich.markup import escape

    return escape(text)


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
    return f"{_count(len(constitution.principles), 'principle')}, {_count(len(constitution.cases), 'case')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
