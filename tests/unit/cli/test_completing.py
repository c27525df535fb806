"""What the shell completes, asked as bash asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from solon.cli.app import app
from solon.plugins.registry import kinds
from solon.project import TEMPLATES

RECIPE = """\
constitution: c.yaml
sets: {tiny: {}, tall: {}}
phases: {first: {}, second: {}}
compare: {gentle: {kind: dpo}, ppo: {}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two recipes and three runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "red.yml").write_text(RECIPE)
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    (tmp_path / "readme.md").write_text("")
    for run in ("one", "two/dpo", "two/dpo/first"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "run.json").write_text("{}")
    return tmp_path


def completed(line: str) -> list[str]:
    """What bash is offered at the end of a line."""
    words = line.split(" ")
    environment = {
        "_SOLON_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    found = CliRunner().invoke(app, prog_name="solon", env=environment)
    return found.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("solon ru", ["run"]),
        ("solon run re", ["recipe.yaml", "red.yml"]),
        ("solon run recipe.yaml --set t", ["tiny", "tall"]),
        ("solon run recipe.yaml --phase ", ["first", "second"]),
        ("solon run broken.yaml --set ", []),
        ("solon run none.yaml --set ", []),
        ("solon compare recipe.yaml --trainers g", ["gentle", "grpo"]),
        ("solon compare recipe.yaml --trainers ppo,gen", ["ppo,gentle"]),
        ("solon report runs/t", ["runs/two/dpo", "runs/two/dpo/first", "runs/two/"]),
        ("solon export runs/o", ["runs/one", "runs/one/"]),
        ("solon init --template ", list(TEMPLATES)),
        ("solon doctor --trainer s", [kind for kind in sorted(kinds("solon.trainers")) if kind.startswith("s")]),
        ("solon doctor rec", ["recipe.yaml"]),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_names_are_completed_from_what_is_there(line: str, offered: list[str]) -> None:
    """Verbs, files, the recipe's own names, kinds of what is installed, and runs; a broken recipe offers nothing."""
    assert completed(line) == offered


def test_completing_loads_nothing_heavy() -> None:
    """Whoever presses Tab waits for it."""
    code = (
        "import sys\n"
        "from solon.cli import completing as c\n"
        "import typer, click\n"
        "context = type('C', (), {'params': {'recipe': 'recipe.yaml'}})()\n"
        "assert c.sets(context, 't') == ['tiny', 'tall']\n"
        "c.recipes(context, ''); c.runs(context, ''); c.trainers(context, '')\n"
        "print(sorted({'torch', 'pyarrow', 'pydantic', 'solon.recipe', 'aiohttp'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_bash_is_told_how_to_ask() -> None:
    """What `--show-completion` prints is what `--install-completion` writes."""
    script = CliRunner().invoke(app, prog_name="solon", env={"_SOLON_COMPLETE": "source_bash"}).stdout
    assert "_SOLON_COMPLETE=complete_bash" in script
    assert "complete -o default -F" in script
    syntax = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (syntax.returncode, syntax.stderr) == (0, "")


def test_bash_completes_with_it(folder: Path) -> None:
    """The real shell, with the script that is installed."""
    script = CliRunner().invoke(app, prog_name="solon", env={"_SOLON_COMPLETE": "source_bash"}).stdout
    (folder / "bin").mkdir()
    command = folder / "bin" / "solon"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c \'import sys; sys.argv[0] = "solon"; '
                       f'from solon.cli.app import main; main()\' "$@"\n')  # fmt: skip
    command.chmod(0o755)
    ask = "COMP_WORDS=(solon init --template gp); COMP_CWORD=3; _solon_completion solon; echo ${COMPREPLY[@]}"
    path = f"PATH={folder / 'bin'}:$PATH"
    found = subprocess.run(
        ["bash", "-c", f"{path}\n{script}\n{ask}"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert found.stdout.split() == ["gpu-4bit"], found.stderr
