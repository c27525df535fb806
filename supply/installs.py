"""The commands of this project that install packages: in CI every one by hash, elsewhere with the known versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_INSTALL = re.compile(r"(?:\bpip[\w.]*[\"']?,?|uv(?: pip)?)\s+[\"']?install\b(?P<words>[^\n`#;)]*)")
_OF_CI = ("--require-hashes", "--no-index")


def installs_of_ci(root: Path) -> Iterator[str]:
    """What CI would install without a hash, a sentence a line: in ``.ci`` and the rules of the Makefile that it uses.

    Args:
        root: of the project.
    """
    rules = (".venv/.installed-ci:", "build/supply/.installed:")
    makefile = (root / "Makefile").read_text("utf-8")
    for rule in rules:
        if rule not in makefile:
            yield f"Makefile: there is no rule {rule} any more, which CI installs with"
    parts = [("Makefile", _rule(makefile, rule)) for rule in rules if rule in makefile]
    parts += [(file.name, file.read_text("utf-8")) for file in sorted((root / ".ci").iterdir()) if file.is_file()]
    for name, text in parts:
        for found in _INSTALL.finditer(text.replace("\\\n", " ")):
            if not any(word in found["words"] for word in _OF_CI):
                yield f"{name}: `pip install{found['words']}` takes whatever an index offers: add --require-hashes"


def installs_without_versions(root: Path) -> Iterator[str]:
    """What the other rules of the Makefile would install in whatever version is newest.

    Args:
        root: of the project.
    """
    for found in _INSTALL.finditer((root / "Makefile").read_text("utf-8").replace("\\\n", " ")):
        words = found["words"]
        if not any(word in words for word in (*_OF_CI, "-c constraints.txt", "-r ")):
            yield f"Makefile: `pip install{words}` takes the newest: add -c constraints.txt"


def _rule(makefile: str, target: str) -> str:
    return target + makefile.partition(target)[2].partition("\n\n")[0]
