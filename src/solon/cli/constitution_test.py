"""``solon constitution test``: a judge on the constitution's own cases, and its card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon import screen
from solon.cli.named import count_of, show_named
from solon.cli.options import Json, Quiet, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from solon.data.records import Constitution
    from solon.labelers.base import Labeler
    from solon.trust.card import JudgeCard, Share
    from solon.trust.cases import CaseReport, CaseResult

LEDGER = Path(".solon/ledger.sqlite")
File = Annotated[str, typer.Argument(metavar="FILE", help="A YAML or Markdown file, or the name of an installed one.")]
Judge = Annotated[
    str, typer.Option("--judge", help="A YAML file of a labeler, a recipe, or '{kind: pairwise, judge: ...}' itself.")
]
LedgerFile = Annotated[Path, typer.Option("--ledger", help="Where replies are kept, so that none is paid for twice.")]
Card = Annotated[
    Path | None,
    typer.Option("--card", help="Also attack the judge, try canaries, and write its card here (JSON)."),
]
MaxUsd = Annotated[float | None, typer.Option("--max-usd", help="Cap on what this may cost, in US dollars.")]


def run_tests(
    file: File,
    judge: Judge,
    card: Card = None,
    max_usd: MaxUsd = None,
    ledger: LedgerFile = LEDGER,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Ask a judge about the constitution's own cases, in both orders; --card: also what it can be trusted with.

    Exit code 1 if any case does not pass.
    """
    from solon.constitution import resolve
    from solon.constitution.judge import read_judge
    from solon.data.artifacts import write_json
    from solon.errors import InputError
    from solon.loops import run_to_end
    from solon.plugins.boundary import answer_of

    constitution, labeler = resolve(file), read_judge(judge)
    if problems := answer_of(labeler, "problems"):
        raise InputError("\n".join(problems))
    report, measured = run_to_end(_run(constitution, labeler, ledger, max_usd, quiet, with_card=card is not None))
    if card is not None and measured is not None:
        write_json(card, measured)
    if json:
        counts = {"n": report.n, "passed": report.count("passed"), "failed": report.count("failed")}
        whole = {} if measured is None else {"card": measured.model_dump(mode="json", exclude={"cases"})}
        print_json(
            {"ok": report.passed, "accuracy": report.accuracy, **counts, **report.model_dump(mode="json"), **whole}
        )
    else:
        _show_report(constitution, report)
        if measured is not None:
            _show_card(measured)
    if not report.passed:
        raise typer.Exit(1)


async def _run(
    constitution: Constitution,
    labeler: Labeler,
    ledger_path: Path,
    max_usd: float | None,
    quiet: bool,
    *,
    with_card: bool,
) -> tuple[CaseReport, JudgeCard | None]:
    from solon.cli.options import progress_for
    from solon.ledger import Ledger
    from solon.stream import Stream
    from solon.trust.card import judge_card, planned
    from solon.trust.cases import run_cases

    steps = planned(constitution, labeler).steps if with_card else len(constitution.cases)
    unit = "checks" if with_card else "cases"
    with Ledger.open(ledger_path) as ledger, progress_for(quiet).stage("test", steps, unit) as bar:
        async with Stream(ledger, run=constitution.name, stage="constitution test", max_usd=max_usd) as stream:
            try:
                if with_card:
                    card = await judge_card(constitution, labeler, stream, on_done=bar.advance)
                    return card.cases, card
                report = await run_cases(
                    constitution,
                    labeler,
                    on_result=lambda result: bar.advance(failed=int(result.verdict == "failed")),
                )
                return report, None
            finally:
                for model in labeler.models():
                    await model.aclose()


def _show_report(constitution: Constitution, report: CaseReport) -> None:

    console = screen.console()
    for result in report.results:
        if result.verdict != "passed":
            _show_result(console, constitution, result)
    total, passed = len(report.results), report.count("passed")
    others = [(verdict, report.count(verdict)) for verdict in ("wrong", "order_dependent", "tied", "failed")]
    rest = "".join(f"; {count} {verdict.replace('_', '-')}" for verdict, count in others if count)
    console.print(f"{passed} of {count_of(total, 'case')} passed{rest}; judged by {report.labeler}")


def _show_result(console: Console, constitution: Constitution, result: CaseResult) -> None:
    case = result.case
    why = {
        "wrong": "the judge prefers the worse response, in both orders",
        "order_dependent": "the judge prefers whichever stands in one place",
        "tied": "the judge prefers neither",
        "failed": result.reason or "no verdict",
    }
    told = f" ({case.principle}): {why[result.verdict]}"
    console.print(screen.styled((f"case {result.number}", "bold"), told))
    lines = [
        ("principle", constitution.principle(case.principle).text),
        ("prompt", case.prompt),
        ("better", f"{case.better}{_shares(result)}"),
        ("worse", case.worse),
    ]
    show_named(console, lines)


def _shares(result: CaseResult) -> str:
    if result.better_first is None or result.better_second is None:
        return ""
    return f"\n(P(better) {result.better_first:.2f} when shown first, {result.better_second:.2f} when shown second)"


def _show_card(card: JudgeCard) -> None:
    """The card as a table: each share with its interval, of how many, and how many failed."""
    from rich.table import Table

    table = Table("judge card", "share", "95 % interval", "n", "failed", box=None, pad_edge=False)
    rows: list[tuple[str, Share | None]] = [
        ("accuracy on the cases", card.accuracy),
        ("the same in both orders", card.order_consistency),
        ("preferred what was shown first", card.first_slot),
        ("canaries that lost", card.canaries_lost),
        *((f"  {kind.replace('_', ' ')}", share) for kind, share in card.canaries_by.items()),
        ("verdicts flipped by an injection", card.injection_flips),
        *((f"  {name}", share) for name, share in sorted(card.flips_by.items(), reverse=True)),
    ]
    for name, share in rows:
        if share is not None and (share.n or share.failed):
            value = f"{share.value:.1%}" if share.n else "-"
            table.add_row(name, value, f"{share.low:.1%} to {share.high:.1%}", f"{share.n:,}", f"{share.failed:,}")
    console = screen.console()
    console.print(table)
    calibrated = "states no probabilities" if card.ece is None else f"{card.ece:.3f} over {card.ece_n:,} verdicts"
    time = "time not measured" if card.seconds_per_1000 is None else f"{card.seconds_per_1000:,.1f} s"
    console.print(f"calibration error {calibrated}; 1,000 judgments: ${card.usd_per_1000:,.2f}, {time}")
