"""`solon plugins check` on packages that end its process, or never do: the verdict says so, and the command ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packages import labeler, publish
from solon.cli.app import app
from solon.plugins.testing.checking import checked, offered_by

CRASHES = """
    async def label(self, question):
        import os, sys
        sys.stderr.write("out of luck\\n")
        sys.stderr.flush()
        os._exit(7)
"""
ENDS = """
    async def label(self, question):
        {how}
"""
HANGS = """
    @staticmethod
    def checked_with():
        import time
        while True:
            time.sleep(60)
"""
TALKS = """
    @staticmethod
    def checked_with():
        print('{"clause": "mine", "outcome": "failed"}')
        return {}
"""


def offered(site: Path, name: str, more: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Installs a package with one labeler, here and in new processes; gives its name."""
    monkeypatch.setenv("PYTHONPATH", str(site))
    source = labeler(name, more='api_version: ClassVar[str] = "1.0"') + more
    publish(site, f"solon-{name}", {"solon.labelers": {name: f"of_{name}:Brevity"}}, {f"of_{name}.py": source})
    return f"solon-{name}"


@pytest.mark.slow
def test_a_plugin_that_ends_the_process_is_said_to_after_which_clause(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found until then is told too, and the exit code is that of a broken plugin."""
    package = offered(site, "crashes", CRASHES, monkeypatch)
    done = CliRunner().invoke(app, ["plugins", "check", package, "--json"])
    (plugin,) = json.loads(done.stdout)["plugins"]
    assert (done.exit_code, plugin["passed"]) == (1, False)
    assert [one["clause"] for one in plugin["verdicts"] if one["outcome"] == "failed"] == ["whole"]
    assert plugin["verdicts"][-1]["happened"] == "its process ended with 7: out of luck, after picklable"
    assert plugin["verdicts"][-1]["remedy"] == "run it alone and look at the traceback"


@pytest.mark.slow
def test_a_plugin_that_hangs_is_ended_when_its_time_is_up(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for itself, and would for ever."""
    (offer,) = offered_by(offered(site, "hangs", HANGS, monkeypatch))
    found = checked(offer, longest_s=4)
    assert [(one.clause, one.outcome) for one in found.verdicts] == [("whole", "failed")]
    assert found.verdicts[0].happened == "it was still at work after 4 s, at its import"
    assert found.verdicts[0].remedy == "see where it waits, or give it longer: --timeout"


@pytest.mark.slow
def test_what_a_plugin_prints_is_no_verdict(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could speak for its own contract otherwise."""
    done = CliRunner().invoke(app, ["plugins", "check", offered(site, "talks", TALKS, monkeypatch)])
    assert done.exit_code == 0, done.output
    assert "keeps the contract" in done.output
    assert "mine" not in done.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "clause"), [("raise SystemExit(0)", "labeler-refers"), ("import os; os._exit(0)", "whole")]
)
def test_a_plugin_that_ends_the_process_as_if_all_were_well_keeps_no_contract(
    site: Path, monkeypatch: pytest.MonkeyPatch, how: str, clause: str
) -> None:
    """The status 0 says nothing: the clauses after it were not looked at."""
    done = CliRunner().invoke(
        app, ["plugins", "check", offered(site, "ends", ENDS.format(how=how), monkeypatch), "--json"]
    )
    (plugin,) = json.loads(done.stdout)["plugins"]
    assert (done.exit_code, plugin["passed"]) == (1, False)
    broken = {one["clause"]: one["happened"] for one in plugin["verdicts"] if one["outcome"] == "failed"}
    assert clause in broken
    assert "SystemExit: 0" in broken[clause] or "its process ended with 0" in broken[clause]
