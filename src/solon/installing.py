"""How more of solon's packages are installed here: from where solon itself is, as an index may not have it."""

from __future__ import annotations

import json
import re
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FROM_AN_INDEX = re.compile(r"pip install 'solon\[([a-z0-9,_-]+)\]'")


def as_here(text: str) -> str:
    """What is told of ``pip install 'solon[extra]'``, put as it works in this installation.

    Of a clone, the clone is installed again with the extra, under its own ``constraints.txt``; of an address, that
    address. Messages themselves name no folder of this machine: they stand in reports too.
    """
    origin = _origin()
    return text if origin is None else _FROM_AN_INDEX.sub(lambda found: f"pip install {origin(found[1])}", text)


class _Origin:
    """Where solon came from, as pip notes it in ``direct_url.json`` (PEP 610)."""

    def __init__(self, noted: dict[str, object]) -> None:
        self._url, self._noted = str(noted["url"]), noted

    def __call__(self, extra: str) -> str:
        if not isinstance(folder := self._noted.get("dir_info"), dict):
            vcs = self._noted.get("vcs_info")
            address = f"{vcs['vcs']}+{self._url}@{vcs['commit_id']}" if isinstance(vcs, dict) else self._url
            return shlex.quote(f"solon[{extra}] @ {address}")
        path = Path(unquote(urlsplit(self._url).path))
        known = path / "constraints.txt"
        words = ["-c", shlex.quote(str(known))] if known.is_file() else []
        return " ".join([*words, *(["-e"] if folder.get("editable") else []), f"'{path}[{extra}]'"])


def _origin() -> _Origin | None:
    """``None`` where it came from an index, or nobody noted from where."""
    try:
        return _Origin(json.loads(distribution("solon").read_text("direct_url.json") or ""))
    except (PackageNotFoundError, ValueError, KeyError, TypeError):
        return None
