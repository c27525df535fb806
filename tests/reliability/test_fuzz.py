"""Parsers under inputs that nobody thought of: data, or a declared error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fuzz"))

from targets import DECLARED, TARGETS  # noqa: E402 - it lies where atheris looks for it

GUIDED = ROOT / "build" / "fuzz" / "bin" / "python"
PIECES = st.sampled_from(
    [
        *"#?-|[]{},:\n\"'/@=\u00b2",
        *["---\n", "a: ", "- ", "&a ", "*a", "<<: ", "!!", "  ", "null", "1e999", "NaN"],
        *['{"prompt": ', '"messages": ', '[{"role": "user", "content": ', '"chosen": ', '"label": true'],
        *["## a\n", "```yaml\n", "```\n", "## Cases\n", "#### Better\n", "train.", "evaluate.", ".0", "hf://"],
    ]
)
INPUT = st.binary(max_size=200) | st.lists(PIECES | st.text(max_size=6), max_size=30).map(
    lambda parts: "".join(parts).encode("utf-8", "replace")
)


@pytest.mark.reliability("fuzz")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_more_than_a_declared_error(name: str, full: bool, figure: Callable[[str], None]) -> None:
    """Bytes of any kind, and pieces of what people write in any order."""
    tried = 0

    @settings(
        max_examples=5_000 if full else 60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(INPUT)
    def try_one(data: bytes) -> None:
        nonlocal tried
        tried += 1
        with suppress(DECLARED):
            TARGETS[name](data)

    try_one()
    figure(f"hypothesis: {len(TARGETS)} parsers, {tried:,} inputs each: 0 crashes")


@pytest.mark.reliability("fuzz")
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_input_that_reaches_new_code_is_more_either(full: bool, figure: Callable[[str], None]) -> None:
    """Guided by coverage, for a while each; ``make reliability`` installs atheris beside the rest."""
    if not GUIDED.is_file() or subprocess.run([GUIDED, "-c", "import atheris"], capture_output=True).returncode:
        pytest.skip("atheris is not installed: make build/fuzz/.installed")
    names = list(TARGETS) if full else ["override"]
    runs = 0
    for name in names:
        command = [str(GUIDED), str(ROOT / "tests" / "fuzz" / "guided.py"), name, "14" if full else "1", "7"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        runs += int(done.stdout.split()[-1])
    figure(f"atheris: {len(names)} parsers, {runs:,} executions: 0 crashes")
