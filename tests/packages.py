"""Third parties' packages with plugins, installed for a test as pip would: modules, and a dist-info beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

LABELER = '''
from typing import ClassVar
from solon.plugins import Judgment, Labeler, Question, Scored

class {name}(Labeler):
    """Prefers short answers."""
    kind: ClassVar[str] = "{kind}"
    {more}

    async def label(self, question: Question) -> Judgment:
        return question.judged(Scored(scores=(1.0 / (1 + len(question.options[0].text)),)), labeler=self.name)
'''
"""A labeler that works, to be filled in."""


def labeler(kind: str, name: str = "Brevity", more: str = "") -> str:
    """The source of a module with one labeler."""
    return LABELER.format(kind=kind, name=name, more=more)


def publish(
    site: Path,
    package: str,
    points: Mapping[str, Mapping[str, str]],
    files: Mapping[str, str],
    *,
    version: str = "1.0",
    requires: Iterable[str] = (),
    metadata: str = "",
) -> Path:
    """Installs a package into ``site``, and gives its dist-info folder.

    Args:
        site: a folder, which the test puts on the path; made.
        package: its name.
        points: for each entry-point group, its kinds with their targets.
        files: its modules, by their paths.
        version: of it.
        requires: what its metadata says that it needs.
        metadata: more lines of that.
    """
    info = site / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    info.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n{metadata}{needs}"
    )
    lines = [
        line
        for group, kinds in points.items()
        for line in (f"[{group}]", *(f"{kind} = {target}" for kind, target in kinds.items()))
    ]
    info.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")
    for name, text in files.items():
        file = site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return info
