"""Runs the blocks of one page in their order, in the folder that it is started in: ``python doc_session.py PAGE``.

A process of its own, as a reader's would be. All blocks of ``sh`` share their folder and their exported variables, all
blocks of Python their names; an ``await`` may stand outside functions, as in a notebook.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from doc_blocks import RUN, Block, blocks

_KEPT = Path(tempfile.gettempdir()) / f"doc-session-{os.getpid()}"
_SHELL = """\
set -eu -o pipefail
[ -e {kept}.env ] && . {kept}.env
trap 'export -p > {kept}.env; pwd > {kept}.cwd' EXIT
{text}"""


def run_page(page: Path) -> None:
    """Every block that runs, or ends the process with what went wrong and where."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for block in blocks(page):
            try:
                _run(block, names, runner)
            except Exception as error:  # noqa: BLE001 -- a page may fail in any way, and its place must be said
                sys.exit(f"{block.where} ({block.language}): {type(error).__name__}: {error}\n{block.text}")


def _run(block: Block, names: dict[str, Any], runner: asyncio.Runner) -> None:
    if "before" in block.notes:
        _shell(block.notes["before"], 0)
    if "file" in block.notes:
        path = Path(block.notes["file"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "utf-8")
    elif block.language in RUN and block.runs:
        {"sh": _sh, "console": _console, "python": _python}[block.language](block, names, runner)


def _sh(block: Block, _names: dict[str, Any], _runner: asyncio.Runner) -> None:
    _shell(block.text, int(block.notes.get("exit code", 0)))


def _console(block: Block, _names: dict[str, Any], _runner: asyncio.Runner) -> None:
    """Each command, and what the page says that it prints: a line ``...`` stands for any lines."""
    code = int(block.notes.get("exit code", 0))
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        while command.endswith("\\"):
            more, _, shown = shown.partition("\n")
            command += "\n" + more
        said = _shell(command, code)
        if shown.strip() and not re.fullmatch(_pattern(shown), _folded(said)):
            raise AssertionError(f"{command} printed\n{said}")


def _pattern(shown: str) -> str:
    parts = re.split(r"^ *\.\.\. *$", shown, flags=re.MULTILINE)
    return r".*".join(re.escape(_folded(part)) for part in parts).replace(r"\ .*", r".*").replace(r".*\ ", r".*")


def _folded(text: str) -> str:
    """Without what depends on the width of a terminal."""
    return re.sub(r"\s+", " ", text).strip()


def _shell(text: str, code: int) -> str:
    script = _SHELL.format(kept=_KEPT, text=text)
    into = subprocess.STDOUT  # in the order in which a terminal shows it
    done = subprocess.run(
        ["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=into, text=True
    )
    if done.returncode != code:
        raise AssertionError(f"it ended with {done.returncode}, not {code}\n{done.stdout[-6000:]}")
    os.chdir(_KEPT.with_suffix(".cwd").read_text("utf-8").strip())
    return done.stdout


def _python(block: Block, names: dict[str, Any], runner: asyncio.Runner) -> None:
    # nothing of this module's __future__ imports
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(block.text, block.where, "exec", flags, dont_inherit=True)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        runner.run(_finish(result))


async def _finish(result: Any) -> None:
    await result


if __name__ == "__main__":
    run_page(Path(sys.argv[1]).absolute())
    for kept in _KEPT.parent.glob(f"{_KEPT.name}.*"):
        kept.unlink()
