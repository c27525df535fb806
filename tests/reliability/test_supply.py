"""What solon stands on: pinned by hash, nothing run at start that nobody read, licences and known holes looked at."""

from __future__ import annotations

import json
import re
import shutil
import sysconfig
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from audit import NotLookedAt, environment, pinned, vulnerabilities
from environment import run_at_start, unpinned
from installs import installs_of_ci, installs_without_versions
from licences import is_copyleft, licences, refused
from pins import BUILT_WITH, needed_for, pinned_before, pins_in

ROOT = Path(__file__).parents[2]
SUPPLY = ROOT / "supply"
SITE = Path(sysconfig.get_path("purelib"))
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"


def installed(
    folder: Path, name: str, version: str = "1.0", more: str = "", files: dict[str, str] | None = None
) -> None:
    """A distribution as pip leaves it."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA.format(name=name, version=version, more=more))
    for file, text in (files or {}).items():
        (folder / file).write_text(text)
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in (*(files or {}), f"{info.name}/METADATA")))


@pytest.mark.reliability("pinned")
def test_everything_that_ci_installs_is_pinned_with_hashes(figure: Callable[[str], None]) -> None:
    """Each package with at least one hash; what builds is a part of it; no host, no path, no option in the lists."""
    pins = pinned()
    hashes = sum(len(pin.hashes) for pin in pins.values())
    assert all(pin.hashes for pin in pins.values())
    built = pins_in((SUPPLY / "build.txt").read_text("utf-8"))
    assert [str(pin) for pin in built.values()] == [str(pin) for pin in needed_for(BUILT_WITH, pins)]
    cpu = pins_in((SUPPLY / "cpu.txt").read_text("utf-8"))
    assert all(set(pin.hashes) < set(pins[name].hashes) for name, pin in cpu.items()), "both builds are allowed"
    before = pinned_before(SUPPLY / "requirements.txt", SUPPLY / "cpu.txt")
    assert {name: before[name].version for name in cpu} == {name: pin.version for name, pin in cpu.items()}
    for name in ("requirements.txt", "build.txt", "cpu.txt", "tools.txt"):
        text = (SUPPLY / name).read_text("utf-8")
        assert "://" not in text
        assert "--index" not in text
        assert "/home" not in text
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        name, equal, version = line.partition("==")
        if equal and name.replace("_", "-") in pins:
            assert pins[name.replace("_", "-")].version == version, "users and CI have the same versions"
    figure(f"{len(pins)} packages pinned with {hashes:,} hashes")


@pytest.mark.reliability("pinned")
def test_what_runs_at_every_start_here_is_known(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """In this environment none; of a planted ``.pth`` file, a changed one and a sitecustomize each is found."""
    assert list(run_at_start(SITE)) == []
    known = [file.name for file in SITE.glob("*.pth")]
    shutil.copytree(next(SITE.glob("setuptools-*.dist-info")), tmp_path / "setuptools-1.dist-info")
    shutil.copy(SITE / "distutils-precedence.pth", tmp_path)
    assert list(run_at_start(tmp_path)) == []
    (tmp_path / "litellm_init.pth").write_text("import os; os.system('true')\n")
    (tmp_path / "sitecustomize.py").write_text("")
    with (tmp_path / "distutils-precedence.pth").open("a") as file:
        file.write("import json\n")
    ours = tmp_path / "_editable_impl_solon.pth"
    ours.write_text(f"import os; os.system('true') # {ROOT / 'src'}")
    planted = [ours.name, "distutils-precedence.pth", "litellm_init.pth", "sitecustomize.py"]
    found = list(run_at_start(tmp_path))
    assert [one.split()[0] for one in found] == planted
    ours.write_text(f"{ROOT / 'src'}\nimport os\n{ROOT / 'src'}")
    assert [one.split()[0] for one in run_at_start(tmp_path)] == planted
    ours.write_text(str(ROOT / "src"))
    assert [one.split()[0] for one in run_at_start(tmp_path)] == planted[1:]
    figure(f"run at start: {len(known)} known, {len(found)} of {len(planted)} planted found")


@pytest.mark.reliability("pinned")
def test_a_package_that_nobody_listed_is_found(tmp_path: Path) -> None:
    """And one of another version. Where CI has installed, there is none."""
    pins = pinned()
    installed(tmp_path, "stowaway")
    installed(tmp_path, "pydantic", "0.0.1")
    installed(tmp_path, "jinja2", pins["jinja2"].version)
    found = list(unpinned(tmp_path, pins))
    assert [one.split()[:2] for one in found] == [["pydantic", "0.0.1"], ["stowaway", "1.0"]]
    if (ROOT / ".venv" / ".installed-ci").exists() and SITE.is_relative_to(ROOT / ".venv"):
        assert environment(SITE) == []


@pytest.mark.reliability("pinned")
def test_no_command_of_ci_installs_without_a_hash(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """Nor does any rule of the Makefile take what is newest. One that does is found, also over two lines."""
    assert [*installs_of_ci(ROOT), *installs_without_versions(ROOT)] == []
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    with (tmp_path / ".ci" / "run").open("a") as file:
        file.write("pip install ruff\npython -m pip \\\n  install -U wheel\n")
    makefile = (tmp_path / "Makefile").read_text()
    (tmp_path / "Makefile").write_text(makefile.replace("--require-hashes", "", 1) + "\nx:\n\tpip install twine\n")
    found = [*installs_of_ci(tmp_path), *installs_without_versions(tmp_path)]
    assert len([one for one in found if one.startswith("run: ")]) == 2
    assert any("twine" in one for one in found)
    assert any("supply/build.txt" in one for one in found)
    figure(f"unpinned installs: {len(list(installs_of_ci(ROOT)))}, 4 of 4 planted found")


@pytest.mark.reliability("audit")
def test_every_licence_here_is_known_and_none_binds_our_users(figure: Callable[[str], None]) -> None:
    """Of the packages that are installed, and of what solon brings by itself or by its usual extras."""
    found = licences(SITE)
    assert list(refused(found)) == []
    figure(f"{len(found)} packages, {sum(not one.licence for one in found)} without a licence, 0 refused")


@pytest.mark.parametrize(
    ("licence", "copyleft"),
    [
        ("GPL-3.0-only", True),
        ("GNU Affero General Public License v3", True),
        ("AGPL-3.0-or-later", True),
        ("LGPL-3.0", False),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", False),
        ("MIT OR GPL-2.0", False),
        ("MIT AND GPL-2.0", True),
        ("Apache-2.0", False),
    ],
)
def test_a_licence_that_binds_is_told_from_one_that_may_be_chosen(licence: str, copyleft: bool) -> None:
    """Of two to choose from the other may be taken; of two that both hold neither may be left."""
    assert is_copyleft(licence) == copyleft


@pytest.mark.reliability("audit")
def test_a_package_under_the_gpl_fails_where_every_user_would_get_it(tmp_path: Path) -> None:
    """Also by way of another; not where only an extra brings it that is asked for; unknown ones always."""
    solon = "Requires-Dist: middle\nRequires-Dist: far; extra == 'unsloth'\nProvides-Extra: unsloth\n"
    installed(tmp_path, "solon", more=solon)
    installed(tmp_path, "middle", more="License: MIT\nRequires-Dist: bound>=1\n")
    installed(tmp_path, "bound", more="License-Expression: GPL-3.0-or-later\n")
    installed(tmp_path, "far", more="Classifier: License :: OSI Approved :: GNU Affero General Public License v3\n")
    installed(tmp_path, "unsaid")
    found = list(refused(licences(tmp_path)))
    assert [one.split()[0] for one in found] == ["bound", "unsaid"]


class Service:
    """Stands in for OSV: it knows of a hole in one package."""

    def __init__(self, hole_in: str, status: int = 200) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Nothing."""

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                name = body["package"]["name"]
                asked.append(name)
                versions = [{"introduced": "0"}, {"fixed": "999"}]
                affected = [
                    {
                        "package": {"name": name, "ecosystem": "PyPI"},
                        "ranges": [{"type": "ECOSYSTEM", "events": versions}],
                    }
                ]
                hole = {"id": "OSV-2026-1", "summary": "a hole", "details": "", "aliases": [], "affected": affected}
                hole["affected"][0]["versions"] = [body["version"]]  # type: ignore[index]
                answer = json.dumps({"vulns": [hole]} if name == hole_in else {}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/query"

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def pip_audit() -> list[str]:
    """The program, where `make audit` or `make pins` has installed it."""
    program = ROOT / "build" / "supply" / "bin" / "pip-audit"
    if not program.exists():
        pytest.skip("pip-audit is not installed: make build/supply/.installed")
    return [str(program)]


@pytest.mark.slow
@pytest.mark.reliability("audit")
def test_a_known_hole_is_found_and_a_service_that_does_not_answer_is_no_pass(
    pip_audit: list[str], full: bool, figure: Callable[[str], None]
) -> None:
    """Against a stand-in of OSV: every pinned package is asked about, a hole in one is told, an error is no pass."""
    lists = [SUPPLY / name for name in (("requirements.txt", "tools.txt") if full else ("build.txt",))]
    well = Service("packaging")
    try:
        found = next(iter(vulnerabilities(lists, program=pip_audit, osv_url=well.url)))
    finally:
        well.close()
    wanted = {name for one in lists for name in pins_in(one.read_text("utf-8"))}
    assert {name.lower().replace("_", "-").replace(".", "-") for name in well.asked} == wanted
    assert found.startswith("packaging ")
    assert "OSV-2026-1; fixed in: 999" in found
    with pytest.raises(NotLookedAt):
        list(vulnerabilities(lists[-1:], program=pip_audit, osv_url=well.url))
    unwell = Service("", status=500)
    try:
        with pytest.raises(NotLookedAt):
            list(vulnerabilities(lists[-1:], program=pip_audit, osv_url=unwell.url))
    finally:
        unwell.close()
    told = f"{found.count('OSV-')} of 1 planted hole found"
    figure(f"pip-audit over {len(wanted)} pins at a stand-in of OSV: {told}")


def test_each_promise_of_security_md_is_held_by_lines_that_have_tests() -> None:
    """Every row names lines, and of every line there is a marked test."""
    from reliability_lines import LINES

    text = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = [row.split("|")[-2] for row in text.splitlines() if row.startswith("| **")]
    named = [re.findall(r"`([a-z-]+)`", row) for row in rows]
    assert all(named)
    keys = {key for row in named for key in row}
    assert keys <= set(LINES)
    tests = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / "tests").rglob("test_*.py")))
    assert [key for key in sorted(keys) if not re.search(rf"reliability\([^)]*\"{key}\"", tests)] == []
