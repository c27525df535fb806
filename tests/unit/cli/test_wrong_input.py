"""Every verb with what people give it by mistake: one short message, exit code 2, nothing created."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from solon.cli.app import main

OF_A_RECIPE = ["check", "plan", "run", "sample", "label", "build", "train", "evaluate", "report", "compare", "doctor"]
VERBS = [
    *([verb] for verb in OF_A_RECIPE),
    ["advise"],
    ["constitution", "check"],
    ["constitution", "show"],
    ["constitution", "test", "--judge", "recipe.yaml"],
    ["export", "--to", "out"],
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with wrong files."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "syntax.yaml").write_text("a: [1\nb: 2")
    (tmp_path / "keys.yaml").write_text("constitutoin: x\nprinciple: []\n")
    (tmp_path / "binary.yaml").write_bytes(b"a: \xb7\xff\n")
    (tmp_path / "empty.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str]:
    monkeypatch.setattr("sys.argv", ["solon", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["none.yaml", "folder", "syntax.yaml", "keys.yaml", "binary.yaml", "empty.yaml"])
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_wrong_file_is_named_in_a_line_or_two(
    verb: list[str], wrong: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing, a folder, no YAML, wrong keys, no text, nothing in it."""
    before = sorted(folder.iterdir())
    code, err = said(monkeypatch, capsys, *verb, wrong)
    assert code == 2, err
    assert wrong in err
    assert len(err.splitlines()) <= 6, err
    assert "Traceback" not in err
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["rnu", "r.yaml"], "Did you mean 'run'?"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "r.yaml", "--st", "x"], "No such option"),
        (["init", ".", "--template", "quikstart"], "did you mean 'quickstart'?"),
        (["ledger", "show", "--ledger", "none.sqlite"], "or run a recipe first"),
        (["check", "none.yaml"], "no such file"),
    ],
    ids=["a verb", "no recipe", "an option", "a template", "a ledger", "a file"],
)
def test_a_wrong_word_is_told_with_what_was_meant(
    words: list[str], remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of verbs, arguments, options and templates."""
    code, err = said(monkeypatch, capsys, *words)
    assert (code, remedy in err, len(err.splitlines()) <= 6) == (2, True, True), err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`solon schema | head -1`: nothing is printed but what was read."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "solon.cli.app", "schema"], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    _, err = process.communicate(timeout=60)
    assert err == ""
