"""Runs what a benchmark measures, and puts it into a page of docs/results, so that no figure is copied by hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def ran(command: Sequence[str], folder: Path, what: str) -> None:
    """Runs a command to its end, in this folder and at one thread.

    Raises:
        SystemExit: it failed. Says ``what`` has failed, and what it wrote to standard error.
    """
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{what} ended with {done.returncode}: {done.stderr}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def between_markers(page: Path, name: str, text: str) -> None:
    """Replaces what stands between ``<!-- NAME begins -->`` and ``<!-- NAME ends -->``, each on a line of its own.

    Raises:
        SystemExit: the page has no such markers, or not in this order.
    """
    begins, ends = f"<!-- {name} begins -->", f"<!-- {name} ends -->"
    before, found, rest = page.read_text("utf-8").partition(begins)
    _, closed, after = rest.partition(ends)
    if not (found and closed):
        raise SystemExit(f"{page} has no line {begins!r} followed by a line {ends!r} to put the results between")
    page.write_text(f"{before}{begins}\n\n{text}\n\n{ends}{after}", "utf-8")
