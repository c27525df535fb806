"""Looks at what this project stands on: packages and their pins, files run at start, installs, licences, known holes.

    python supply/audit.py [--osv-url URL]

Exit code 0: nothing was found. 1: something was. 2: nothing was found, but the service of known vulnerabilities did not
answer for every package, which is no pass.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from environment import run_at_start, unpinned
from installs import installs_of_ci, installs_without_versions
from licences import licences, page, refused
from pins import HERE, ROOT, Pin, normal, pins_in

PIP_AUDIT = ROOT / "build" / "supply" / "bin" / "pip-audit"
OSV = "https://api.osv.dev/v1/query"
_LISTS = ("requirements.txt", "tools.txt")


class NotLookedAt(Exception):
    """The service of known vulnerabilities did not answer, or not for every package."""


def pinned() -> dict[str, Pin]:
    """The packages of CI."""
    return pins_in((HERE / "requirements.txt").read_text("utf-8"))


def environment(folder: Path) -> list[str]:
    """What is wrong with what is installed in a folder, and with what installs there."""
    pins = pinned()
    return [
        *unpinned(folder, pins),
        *run_at_start(folder),
        *installs_of_ci(ROOT),
        *installs_without_versions(ROOT),
    ]


def vulnerabilities(
    lists: Sequence[Path], *, program: Sequence[str], osv_url: str = OSV, seconds: int = 900
) -> Iterator[str]:
    """What is known of the pinned versions, a sentence each.

    Args:
        lists: of pins with hashes.
        program: pip-audit.
        osv_url: the service that is asked.
        seconds: how long each list may take.

    Raises:
        NotLookedAt: it could not be found out.
    """
    found = [package for one in lists for package in _looked_at(one, [*program, "--osv-url", osv_url], seconds)]
    wanted = {name for one in lists for name in pins_in(one.read_text("utf-8"))}
    if missed := sorted(wanted - {normal(one["name"]) for one in found if "skip_reason" not in one}):
        raise NotLookedAt(f"{len(missed)} packages were not looked at: {', '.join(missed[:5])}")
    for one in found:
        for hole in one.get("vulns", ()):
            better = ", ".join(hole["fix_versions"]) or "none yet"
            yield f"{one['name']} {one['version']}: {hole['id']}; fixed in: {better}"


def _looked_at(pins: Path, program: Sequence[str], seconds: int) -> list[dict[str, Any]]:
    """What pip-audit says of each package of a list; it refuses two lists with one package."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        words = ["-s", "osv", "-f", "json", "-o", str(out), "--progress-spinner", "off", "--desc", "off"]
        words += ["--require-hashes", "--disable-pip", f"--requirement={pins}"]
        try:
            done = subprocess.run([*program, *words], capture_output=True, text=True, timeout=seconds)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotLookedAt(f"{program[0]}: {error}") from error
        if not out.exists():
            raise NotLookedAt((done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode}"])[-1])
        found: list[dict[str, Any]] = json.loads(out.read_text("utf-8"))["dependencies"]
        return found


def main(words: Sequence[str]) -> int:
    """All of it, and the list of licences."""
    osv_url = words[words.index("--osv-url") + 1] if "--osv-url" in words else OSV
    folder = Path(sysconfig.get_path("purelib"))
    found = licences(folder)
    (HERE / "licences.md").write_text(page(found), "utf-8")
    problems = [*environment(folder), *refused(found)]
    pins = pinned()
    print(f"{len(pins)} packages pinned with {sum(len(pin.hashes) for pin in pins.values())} hashes")
    print(f"{len(found)} licences, in supply/licences.md")
    code = 0
    try:
        problems += vulnerabilities([HERE / name for name in _LISTS], program=[str(PIP_AUDIT)], osv_url=osv_url)
    except NotLookedAt as error:
        print(f"known vulnerabilities: NOT LOOKED AT, {osv_url} did not answer: {error}", file=sys.stderr)
        code = 2
    else:
        print(f"known vulnerabilities: asked {osv_url} for every package")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
