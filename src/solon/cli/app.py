"""The command line: one small file a verb. Importing this imports no verb's machinery."""

from __future__ import annotations

import os
import sys

import typer

from solon import screen
from solon.cli import (
    advise,
    check,
    compare,
    constitution,
    convert,
    doctor,
    export,
    init,
    ledger,
    plan,
    plugins,
    push,
    run,
    schema,
    view,
)

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
app.command("view")(view.view)
app.command("export")(export.export)
app.command("convert")(convert.convert)
app.command("push")(push.push)
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

        screen.say(f"solon {__version__}")
        raise typer.Exit
    Debug.on = debug


_INTERRUPTED = 130


class Debug:
    """Whether ``--debug`` was given."""

    on = False


def main() -> None:
    """Runs the command line. An error is one screen and its exit code; ``--debug``, wherever it stands, the traceback.

    Exit codes: 0 done; 1 failed; 2 the command, recipe or constitution is wrong; 3 done in part (too many failed
    judgments); 4 budget reached; 130 interrupted (and resumable);
    143 likewise, by SIGTERM; 129 likewise, as the terminal was closed.
    """
    from solon.cli.failing import failed, say
    from solon.interrupts import BROKEN_OFF, interruptible

    screen.guard()
    with interruptible() as interrupts:
        try:
            app(args=_arguments(sys.argv[1:]))
        except SystemExit as ended:
            if ended.code == _INTERRUPTED:
                say("solon: interrupted")
                sys.exit(interrupts.exit_code)
            _flush()
            raise
        except Exception as error:
            if Debug.on:
                raise
            code = failed(error)
            if interrupts.times > 1:
                say(BROKEN_OFF)
            sys.exit(interrupts.exit_code if code == _INTERRUPTED else code)


def _arguments(words: list[str]) -> list[str]:
    """Those of the command line, ``--debug`` taken to the front: people add it to the end of what has just failed."""
    own = words[: words.index("--")] if "--" in words else words
    rest = words[len(own) :]
    return [*(["--debug"] if "--debug" in own else []), *(word for word in own if word != "--debug"), *rest]


def _flush() -> None:
    """Writes out what is left; whoever read it may have gone (``| head``), which is no error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
