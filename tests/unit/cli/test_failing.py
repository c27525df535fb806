"""Errors are one screen: what, where, what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from solon.cli import app as command_line
from solon.cli.failing import MOST, failed
from solon.errors import BudgetReached, DataError, Interrupted, MissingExtra, Problem, RecipeError, TrainingError

MANY = [Problem(f"prompts.jsonl:{n}", "not a prompt", "write one") for n in range(1, 401)]
LOG = "the process died\n" + "\n".join(f"line {n} of the log" for n in range(90))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory of its own, for the log."""
    monkeypatch.chdir(tmp_path)
    yield
    command_line.Debug.on = False


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/r/judgments.jsonl")


CASES = [
    ("one problem", RecipeError([Problem("r.yaml:3:1", "unknown key 'x'", "did you mean 'y'?")]), 2,
     r"^solon: r\.yaml:3:1: unknown key 'x' \(did you mean 'y'\?\)\n$"),
    ("many problems", DataError(MANY), 2, r"prompts\.jsonl:15: .*\n… and 385 more problems like these"),
    ("an extra", MissingExtra("`track: wandb`", "wandb"), 2, r"pip install 'solon\[wandb\]'"),
    ("a module", ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"), 2,
     r"^solon: torch is not installed: pip install 'solon\[train\]'\n$"),
    ("a module of a client", ModuleNotFoundError("No module named 'openai'", name="openai"), 2, r"solon\[openai\]"),
    ("money", BudgetReached("the cap is reached"), 4, r"^solon: the cap is reached\n$"),
    ("Ctrl-C", Interrupted("interrupted"), 130, r"^solon: interrupted\n$"),
    ("a long log", TrainingError(LOG), 1, r"^solon: the process died\n(.*\n)+… 71 lines …\n(.*\n)+line 89 of the log$"),
    ("no space", no_space(), 1, r"^solon: runs/r/judgments\.jsonl: there is no space left on the disk: make room"),
    ("no space, no file", OSError(errno.ENOSPC, "x"), 1, r"^solon: there is no space left on the disk: make room"),
    ("no permission", PermissionError(errno.EACCES, "x", "a/b"), 1, r"^solon: a/b: permission denied: you may not"),
    ("another file", FileNotFoundError(errno.ENOENT, "No such file or directory", "a"), 1,
     r"^solon: a: No such file or directory\n$"),
    ("memory", MemoryError(), 1, r"no memory left for it: lower batch sizes"),
    ("a bug", KeyError("a long one " * 200), 1, r"^solon: this is a bug in solon: KeyError: .*\n.*\.solon/error\.log"),
    ("escapes", DataError("\x1b[31mred\x07 \u202eback"), 2, r"^solon: ⟨U\+001B⟩\[31mred⟨U\+0007⟩ ⟨U\+202E⟩back\n$"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "error", "code", "said"), CASES, ids=[case[0] for case in CASES])
def test_an_error_is_one_screen_that_says_what_where_and_what_to_do(
    name: str,
    error: BaseException,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And has its exit code; nothing of it goes to standard output, and nothing in it moves the cursor."""
    monkeypatch.setattr("solon.installing._origin", lambda: None)  # as from an index
    assert failed(error) == code, name
    out, err = capsys.readouterr()
    assert re.search(said, err, re.MULTILINE), err
    assert out == ""
    assert len(err.splitlines()) <= 25
    assert max(map(len, err.splitlines())) < 700
    assert "Traceback" not in err
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", err)


def test_what_nobody_expected_is_kept_whole_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """It says where it happened, and that it is none of the user's doing."""
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError("what\nis this")
    assert failed(raised.value) == 1
    err = capsys.readouterr().err
    assert re.match(r"solon: this is a bug in solon: RuntimeError: what is this \(.*test_failing\.py:\d+\)\n", err)
    assert 'raise RuntimeError("what\\nis this")' in Path(".solon/error.log").read_text()


def test_a_folder_that_cannot_be_written_hides_no_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file goes elsewhere."""
    Path(".solon").write_text("a file")
    Path("temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(Path("temporary").absolute()))
    assert failed(ZeroDivisionError("by zero")) == 1
    err = capsys.readouterr().err
    assert "this is a bug in solon: ZeroDivisionError: by zero" in err
    assert "temporary/solon-error.log" in err
    assert "by zero" in Path("temporary/solon-error.log").read_text()


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["run", "r.yaml", "--debug"], ["--debug", "run", "r.yaml"]),
        (["--debug", "run"], ["--debug", "run"]),
        (["run", "r.yaml"], ["run", "r.yaml"]),
        (["x", "--", "--debug"], ["x", "--", "--debug"]),
    ],
    ids=["last", "first", "none", "after two dashes"],
)
def test_debug_may_stand_anywhere(words: list[str], arguments: list[str]) -> None:
    """People add it to the end of the line that has just failed."""
    assert command_line._arguments(words) == arguments


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    monkeypatch.setattr("sys.argv", ["solon", *words])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    return ended.value.code


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("solon.recipe.read", breaks)


def test_a_bug_prints_no_traceback_unless_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the whole command line."""
    broken(monkeypatch, IndexError("no such thing"))
    assert command(monkeypatch, "check", "r.yaml") == 1
    err = capsys.readouterr().err
    assert "this is a bug in solon: IndexError: no such thing" in err
    assert len(err.splitlines()) == 2
    monkeypatch.setattr("sys.argv", ["solon", "check", "r.yaml", "--debug"])
    with pytest.raises(IndexError):
        command_line.main()


def test_ctrl_c_is_said_and_has_its_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where nothing that could be gone on with has begun."""
    broken(monkeypatch, KeyboardInterrupt())
    assert command(monkeypatch, "check", "r.yaml") == 130
    assert capsys.readouterr().err == "solon: interrupted\n"


def test_check_shows_the_first_of_many_problems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of ten thousand broken lines has one cause."""
    keys = "".join(f"key_{n}: 1\n" for n in range(80))
    Path("r.yaml").write_text(f"constitution: c\n{keys}")
    assert command(monkeypatch, "check", "r.yaml") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MOST + 1
    assert lines[-1] == "… and 65 more problems like these; put these right first"
