"""The benchmarks' programs are imported for a test, and nothing of them stays; and what they share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmark_programs import program


def test_a_program_and_what_it_imports_from_there_are_forgotten() -> None:
    """Another test may import a module of the same name from elsewhere."""
    path = list(sys.path)
    with program("rlvr") as rlvr:
        assert sys.modules["rlvr"] is rlvr
        assert rlvr.table is sys.modules["pages"].table
    assert not {"rlvr", "pages"} & set(sys.modules)
    assert sys.path == path


def test_a_module_of_the_same_name_is_itself_again() -> None:
    """The tool that counts what tests reach may be running."""
    import json

    sys.modules["coverage"], before = json, sys.modules.get("coverage")
    try:
        with program("coverage") as coverage:
            assert coverage is not json
        assert sys.modules["coverage"] is json
    finally:
        del sys.modules["coverage"]
        if before is not None:
            sys.modules["coverage"] = before


def test_a_command_that_fails_ends_a_benchmark_with_what_it_said(tmp_path: Path) -> None:
    """Tables of what was never measured would be worse than none; the command runs in the folder and at one thread."""
    with program("pages") as pages:
        code = "import os, pathlib; pathlib.Path('there').write_text(os.environ['OMP_NUM_THREADS'])"
        pages.ran([sys.executable, "-c", code], tmp_path, "it")
        assert (tmp_path / "there").read_text() == "1"
        with pytest.raises(SystemExit, match="seed 0 ended with 1: no rows"):
            pages.ran([sys.executable, "-c", "raise SystemExit('no rows')"], tmp_path, "seed 0")
