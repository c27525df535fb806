"""Packages of strangers: looking around imports none of them, and none takes a name of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from packages import labeler, publish
from solon.plugins.offers import ALL_GROUPS

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart" / "recipe.yaml"
LOOKING = (
    ("--help",),
    ("--version",),
    ("plugins", "list", "--json"),
    ("plugins", "list", "--group", "labelers"),
    ("schema",),
    ("constitution", "list"),
    ("doctor",),
    ("check", str(QUICKSTART)),
    ("plan", str(QUICKSTART)),
)
KINDS = """
import json
from solon.plugins.offers import ALL_GROUPS, offers
from solon.plugins.registry import load
of = {group: {one.kind for one in offers(group) if one.ours} for group in ALL_GROUPS}
print(json.dumps({group: {kind: load(group, kind).__module__ for kind in kinds} for group, kinds in of.items()}))
"""


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process that finds what is installed in a folder before all else."""
    environment = {name: value for name, value in os.environ.items() if name != "SOLON_PLUGINS"}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=800,
        cwd=site,
        env={**environment, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"},
    )


def traced(site: Path, package: str, points: dict[str, dict[str, str]], module: str, code: str = "") -> None:
    """Installs a package whose import makes a file of its name in ``site/traces``."""
    (site / "traces").mkdir(parents=True, exist_ok=True)
    trace = f"open({str(site / 'traces' / package)!r}, 'w').close()\n"
    publish(site, package, points, {module: trace + code})


@pytest.mark.slow
@pytest.mark.reliability("plugins")
def test_looking_around_imports_no_package(tmp_path: Path, figure: Callable[[str], None], full: bool) -> None:
    """Each leaves a trace when it is imported; using one of them does."""
    for group in ALL_GROUPS:
        package = f"solon-{group.partition('.')[2]}-canary"
        module = package.replace("-", "_")
        code = labeler("canary") if group == "solon.labelers" else ""
        traced(tmp_path, package, {group: {"canary": f"{module}:Brevity"}}, f"{module}.py", code)
    looking = LOOKING if full else LOOKING[2:3]
    for command in looking:
        done = run(tmp_path, "-m", "solon", *command)
        assert "Traceback" not in done.stderr, done.stderr
    assert "solon-models-canary" in run(tmp_path, "-m", "solon", "plugins", "list").stdout
    assert list((tmp_path / "traces").iterdir()) == []
    used = run(tmp_path, "-c", "from solon.plugins.registry import load; load('solon.labelers', 'canary')")
    assert used.returncode == 0, used.stderr
    assert [path.name for path in (tmp_path / "traces").iterdir()] == ["solon-labelers-canary"]
    figure(f"{len(looking) + 1} commands beside {len(ALL_GROUPS)} packages that leave a trace: 0 imported")


@pytest.mark.slow
@pytest.mark.reliability("plugins")
def test_no_package_takes_a_name_of_ours(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """By a kind of ours, by our package's name however it is written, or by a folder that is called like ours."""
    plain = tmp_path / "plain"
    plain.mkdir()
    before = json.loads(run(plain, "-c", KINDS).stdout)
    names = sum(map(len, before.values()))
    ways = {
        "a kind of ours": ("solon-taker", "solon_taker.py", "solon_taker:Brevity"),
        "our package's name": ("solon", "taker.py", "taker:Brevity"),
        "our package's name in capitals": ("SOLON", "taker.py", "taker:Brevity"),
        "a module that seems ours": ("solon-taker", "solon_taker.py", "solon.taker:Brevity"),
        "our name and a module that seems ours": ("Solon", "taker.py", "solon.taker:Brevity"),
    }
    for number, (package, module, target) in enumerate(ways.values()):
        site = tmp_path / str(number)
        points = {group: dict.fromkeys(kinds, target) for group, kinds in before.items()}
        traced(site, package, points, module, labeler("rules"))
        done = run(site, "-c", KINDS)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == before
        assert list((site / "traces").iterdir()) == []
    folder = tmp_path / "folder"
    for part in ("solon/labelers/rules.py", "solon/taker.py", "solon.labelers/rules.py"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).write_text(f"open({str(folder / 'trace')!r}, 'w')\n")
    assert json.loads(run(folder, "-c", KINDS).stdout) == before
    assert not (folder / "trace").exists()
    figure(f"{names} names of ours, {len(ways) + 1} ways to take them: 0 taken")
