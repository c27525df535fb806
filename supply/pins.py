"""Writes the pins: every package that tests and docs need, with the hashes of all files of its version.

    python supply/pins.py [--upgrade]

Run by `make pins`, in an environment that holds pip-tools. `requirements.txt` is what CI installs, `build.txt` the part
of it that building solon and source archives needs, `cpu.txt` the builds for CPUs (torch's), `tools.txt` what this
program and the audit run. A pin stays as it is while it fits; `--upgrade` takes the newest that fits.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILT_WITH = ("hatchling", "editables", "setuptools")
"""solon's build backend, its editable installs, and what the few packages need that exist as source archives alone."""
_HEAD = """\
# Written by `make pins` (supply/pins.py). {what}
# Hashes are those of all files that the indexes have of a version; which packages there are was found out for
# CPython {python} on Linux x86-64.
"""
_ENTRY = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s\\]+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)    # via (.+)\n", re.MULTILINE
)


class Pin:
    """A package of the list.

    Attributes:
        name: as the index writes it.
        version: the only one that is taken.
        hashes: of every file of that version, any of which may be taken.
        of: the packages, or files of this project, that ask for it.
    """

    def __init__(self, name: str, version: str, hashes: Sequence[str], of: Sequence[str]) -> None:
        self.name, self.version, self.of = name, version, tuple(of)
        self.hashes = tuple(sorted(set(hashes)))

    def __str__(self) -> str:
        hashes = " \\\n".join(f"    --hash=sha256:{one}" for one in self.hashes)
        return f"{self.name}=={self.version} \\\n{hashes}\n    # via {', '.join(self.of)}\n"


def normal(name: str) -> str:
    """A package's name as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_in(text: str) -> dict[str, Pin]:
    """The pins of a list, by normal name.

    Raises:
        ValueError: a line of it is no pin with hashes.
    """
    rest = _ENTRY.sub("", text)
    if wrong := [line for line in rest.splitlines() if line.strip() and not line.startswith("#")]:
        raise ValueError(f"no pin with hashes: {wrong[0]}")
    found = {}
    for name, version, hashes, of in _ENTRY.findall(text):
        found[normal(name)] = Pin(name, version, re.findall(r"sha256:([0-9a-f]{64})", hashes), of.split(", "))
    return found


def needed_for(roots: Sequence[str], pins: Mapping[str, Pin]) -> list[Pin]:
    """These packages of a list and what they need."""
    found = {normal(root) for root in roots}
    while more := {name for name, pin in pins.items() if {normal(one) for one in pin.of} & found} - found:
        found |= more
    return [pin for name, pin in sorted(pins.items()) if name in found]


def pinned_before(*lists: Path) -> dict[str, Pin]:
    """What lists hold; of a package in several of them the last, so that of torch the build for CPUs stays.

    pip-compile takes the index's where it finds the public version among the pins, and all that it needs on a GPU.
    """
    return {name: pin for one in lists if one.exists() for name, pin in pins_in(one.read_text("utf-8")).items()}


def _compiled(
    source: Path, before: Mapping[str, Pin], words: Sequence[str], environment: Mapping[str, str]
) -> dict[str, Pin]:
    """What pip-compile makes of a file; pins of ``before`` stay as they are while they fit."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.txt"
        if before:
            out.write_text("".join(map(str, before.values())), "utf-8")
        options = ("--generate-hashes", "--allow-unsafe", "--strip-extras", "--no-header", "--annotation-style=line")
        silent = ("--no-emit-options", "--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host")
        command = [sys.executable, "-m", "piptools", "compile", "--quiet", *options, *silent, *words]
        command += ["--output-file", str(out), str(source.relative_to(ROOT))]
        done = subprocess.run(command, cwd=ROOT, env={**environment}, capture_output=True, text=True)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if "is ignored: it is neither" not in line]
            sys.exit("\n".join(said[-20:]))
        return pins_in(out.read_text("utf-8"))


def _public(pins: dict[str, Pin]) -> list[Pin]:
    """Lets pins of a build for CPUs (torch 2.13.0+cpu) take the public index's files too; returns what they were.

    Where both are allowed pip takes the index's, whose hash it knows beforehand, and that one wants a GPU's libraries.
    So CI installs these first.
    """
    own = []
    alone = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    for name, pin in pins.items():
        version, plus, _ = pin.version.partition("+")
        if plus:
            with tempfile.TemporaryDirectory(dir=HERE) as folder:
                source = Path(folder) / "one.in"
                source.write_text(f"{name}=={version}\n", "utf-8")
                there = _compiled(source, {}, (), alone)[name]
            pins[name] = Pin(pin.name, version, (*pin.hashes, *there.hashes), pin.of)
            own.append(pin)
    return own


def main(words: Sequence[str]) -> int:
    """Writes the four lists."""
    upgrade = ["--upgrade"] if "--upgrade" in words else []
    lists = {name: HERE / name for name in ("requirements.txt", "build.txt", "cpu.txt", "tools.txt")}
    of_solon = ["--extra=dev", "--all-build-deps", "--constraint=constraints.txt", *upgrade]
    before = pinned_before(lists["requirements.txt"], lists["cpu.txt"])
    pins = _compiled(ROOT / "pyproject.toml", before, of_solon, os.environ)
    own = _public(pins)
    if not own:
        sys.exit(
            "no build of torch for CPUs is at hand: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu has it"
        )
    tools = _compiled(HERE / "tools.in", pinned_before(lists["tools.txt"]), upgrade, os.environ)
    build = needed_for(BUILT_WITH, pins)
    for name, what, its in (
        ("requirements.txt", "What CI installs, with `pip install --require-hashes --no-deps`.", pins.values()),
        ("build.txt", "The part of requirements.txt that has to be there before the rest is built.", build),
        ("cpu.txt", "Builds for CPUs, installed before requirements.txt, which allows others too.", own),
        ("tools.txt", "What supply/pins.py and supply/audit.py run, from tools.in.", tools.values()),
    ):
        head = _HEAD.format(what=what, python="{}.{}".format(*sys.version_info))
        lists[name].write_text(head + "".join(str(pin) for pin in its), "utf-8")
        print(f"{lists[name].relative_to(ROOT)}: {len(its)} packages, {sum(len(pin.hashes) for pin in its)} hashes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
