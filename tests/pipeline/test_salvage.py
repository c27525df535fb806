"""A ledger is damaged after a run: it is refused, the printed commands mend it, and the run comes out the same."""

from __future__ import annotations

import json
import subprocess

import pytest

from project import Project, artifacts, jsonl
from solon.ledger import Ledger
from solon.ledger.schema import PAGE_BYTES

pytestmark = pytest.mark.slow  # a process for each command

RECIPE = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label: {kind: pairwise, judge: {kind: scripted, replies: {"What is 7": A, "What is 8": B}, default: A}}
build: {held_out: 0}
"""


@pytest.mark.reliability("ledger-damage")
def test_a_user_salvages_a_ledger_with_the_commands_that_are_printed(project: Project) -> None:
    """Two pages in its middle are lost. The next run has to ask for those replies alone, and writes the same bytes."""
    rows = [{"prompt": f"What is {n}?", "responses": [f"{n} {'x' * 300}", f"It is {n}."]} for n in range(60)]
    project.write("recipe.yaml", RECIPE)
    project.write("candidates.jsonl", jsonl(rows))
    assert project.solon("run", "recipe.yaml")[0] == 0
    ledger = project.folder / ".solon" / "ledger.sqlite"
    damaged = bytearray(ledger.read_bytes())
    middle = len(damaged) // PAGE_BYTES // 2 * PAGE_BYTES
    damaged[middle : middle + 2 * PAGE_BYTES] = b"\xff" * 2 * PAGE_BYTES
    ledger.write_bytes(damaged)

    code, _, err = project.solon("run", "recipe.yaml", "--run-dir", "runs/again")
    said = " ".join(err.split())
    assert (code, "`solon ledger salvage .solon/ledger.sqlite --to NEW` writes what is sound" in said) == (1, True)
    assert "Traceback" not in err
    code, out, err = project.solon("ledger", "salvage", ".solon/ledger.sqlite", "--to", "a new.sqlite")
    assert code == 0, err
    told, _, commands = out.partition("to go on with it:\n")
    assert "replies of .solon/ledger.sqlite are sound" in told
    assert ledger.read_bytes() == damaged
    subprocess.run(["sh", "-e", "-c", commands], cwd=project.folder, check=True)
    assert (project.folder / ".solon" / "ledger.sqlite.damaged").read_bytes() == damaged

    with Ledger.open(ledger) as opened:
        saved = len(list(opened.entries()))
    assert 0 < saved < 120
    code, _, err = project.solon("run", "recipe.yaml", "--run-dir", "runs/again")
    assert code == 0, err
    assert f"{saved} of 120 requests from the ledger" in err
    again, first = artifacts(project.folder / "runs" / "again"), artifacts(project.run_dir)
    assert again == first


def test_what_was_salvaged_is_told_as_json(project: Project) -> None:
    """For a script that does it every night; and that there is nothing sound in a file is an error like others."""
    project.write("recipe.yaml", RECIPE)
    assert project.solon("label", "recipe.yaml")[0] == 0
    words = ("ledger", "salvage", ".solon/ledger.sqlite", "--to", "new/ledger.sqlite", "--json")
    code, out, err = project.solon(*words)
    assert code == 0, err
    told = json.loads(out)
    assert told["replies"] == {"saved": 120, "lost": 0}
    assert told["budgets"] == {"saved": 0, "lost": 0}
    code, _, err = project.solon(*words)
    assert (code, "is there already" in err) == (2, True)
    code, _, err = project.solon("ledger", "salvage", "candidates.jsonl", "--to", "other.sqlite")
    assert (code, "never was a ledger: it is left as it is" in err) == (1, True)
