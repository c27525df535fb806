"""The command line: one small file a verb. Importing this imports no verb's machinery."""

from __future__ import annotations

import sys

import typer

from solon.cli import advise, check, compare, constitution, doctor, export, init, ledger, plan, plugins, run, schema

app = typer.Typer(
    name="solon",
    help="Let a language model live by a constitution: sample, label, build, train, evaluate, report.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("init")(init.init)
app.add_typer(constitution.app, name="constitution", help="Check, show, list and test constitutions.")
app.command("check")(check.check)
app.command("plan")(plan.plan)
app.command("advise")(advise.advise)
for verb in run.VERBS:
    app.command(verb.name, help=verb.help)(verb.command)
app.command("compare")(compare.compare)
app.command("export")(export.export)
app.add_typer(plugins.app, name="plugins", help="What is installed: models, labelers, trainers, evaluators.")
app.add_typer(ledger.app, name="ledger", help="What was paid, for what, to whom.")
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    if version:
        from solon import __version__

        typer.echo(f"solon {__version__}")
        raise typer.Exit
    Debug.on = debug


class Debug:
    """Whether ``--debug`` was given."""

    on = False


def main() -> None:
    """Runs the command line. A known error is one message and its exit code; ``--debug`` adds the traceback.

    Exit codes: 0 done; 1 failed; 2 the command, recipe or constitution is wrong; 3 done in part (too many failed
    judgments); 4 budget reached; 130 interrupted (and resumable).
    """
    from solon.errors import SolonError

    try:
        app()
    except SolonError as error:
        if Debug.on:
            raise
        print(f"solon: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if Debug.on or error.filename is None:
            raise
        print(f"solon: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
