"""What solon does when things go wrong: every test of reliability at full size, and the page that tells it.

    python benchmarks/reliability.py --write                                      # all, and the page
    python benchmarks/reliability.py --write tests/reliability/test_signals.py    # these again, the rest as it was

Runs the tests marked ``reliability`` with the sizes of ``SOLON_FULL=1`` on two processes, prints a row for each line of
``tests/reliability_lines.py`` with what was measured, and with ``--write`` puts them into docs/results/reliability.md.
What each test told is kept in build/reliability.json. Ends with 1 when a test failed or a line has none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from pages import between_markers, table

from reliability_lines import LINES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results" / "reliability.md"
KEPT, FIGURES = ROOT / "build" / "reliability.json", ROOT / "build" / "figures.json"


def main(words: Sequence[str]) -> int:
    """Runs, prints, writes."""
    chosen = [word for word in words if word != "--write"]
    before: dict[str, Any] = {"minutes": 0, "again": [], "tests": []}
    if chosen and KEPT.exists():
        before = json.loads(KEPT.read_text("utf-8"))
    started = time.monotonic()
    code = _run(chosen)
    minutes = (time.monotonic() - started) / 60
    now = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else []
    tests = {one["test"]: one for one in (*before["tests"], *now)}
    again = sorted({*before["again"], *(one["test"] for one in now)} & {one["test"] for one in before["tests"]})
    kept = {"minutes": before["minutes"] + minutes, "again": again, "tests": [tests[name] for name in sorted(tests)]}
    KEPT.write_text(json.dumps(kept, indent=1), "utf-8")
    page = f"{_head(kept)}\n\n{tables(kept['tests'])}"
    print(page)
    if "--write" in words:
        between_markers(PAGE, "reliability", page)
    return 1 if code or _missing(kept["tests"]) else 0


def _run(words: Sequence[str]) -> int:
    """Has the tests tell their figures; returns pytest's exit code."""
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.unlink(missing_ok=True)
    environment = {"SOLON_FULL": "1", "SOLON_FIGURES": str(FIGURES), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal", "-m", "reliability", *words]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, stdout=sys.stderr).returncode


def _head(kept: Mapping[str, Any]) -> str:
    tests = kept["tests"]
    failed, skipped = (sum(one["outcome"] == outcome for one in tests) for outcome in ("failed", "skipped"))
    again = f"; {len(kept['again'])} of them were run again by themselves" if kept["again"] else ""
    measured = len(LINES) - len(_missing(tests))
    return (
        f"{len(tests)} tests, {failed} failed, {skipped} skipped, in {kept['minutes']:.0f} minutes on {os.cpu_count()} "
        f"cores ({datetime.now(UTC):%d %B %Y}){again}; {measured} of {len(LINES)} lines were measured."
    )


def _missing(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of which no test was run to its end."""
    run = {key for one in tests if one["outcome"] != "skipped" for key in one["lines"]}
    return [key for key in LINES if key not in run]


def tables(tests: Sequence[Mapping[str, Any]]) -> str:
    """One for each part."""
    parts = dict.fromkeys(line.part for line in LINES.values())
    return "\n\n".join(f"## {part}\n\n{_table(part, tests)}" for part in parts)


def _table(part: str, told: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (line.what, line.wanted, _measured([one for one in told if key in one["lines"]]), line.peers)
        for key, line in LINES.items()
        if line.part == part
    ]
    return table(("what is done", "wanted", "measured", "peers"), rows)


def _measured(tests: Sequence[Mapping[str, Any]]) -> str:
    """The figures of a line, or what became of its tests."""
    failed = [f"**failed: {one['test'].partition('::')[2]}**" for one in tests if one["outcome"] == "failed"]
    skipped = [f"not here: {one['test'].partition('::')[2]}" for one in tests if one["outcome"] == "skipped"]
    figures = list(dict.fromkeys(figure for one in tests for figure in one["figures"]))
    if not tests:
        return "**not measured**"
    return "; ".join([*failed, *skipped, *figures]) or f"{len(tests)} tests pass"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
