"""The front matter of a card: how ``datasets.load_dataset`` finds each kind and split, and tells two folders apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import yaml

from solon.data.artifacts import sha256_of

KindName = TypeVar("KindName", bound=str)


def front_matter(tags: Sequence[str], splits: Mapping[KindName, Iterable[str]], folder: Path) -> str:
    """The YAML between its ``---`` lines. The first kind is what is loaded when none is named.

    ``datasets`` (4.8.5) keeps what it has loaded under the folder's last name and a hash of this front matter, whatever
    is in the files: of two folders called ``datasets`` with the same front matter it gives the rows of the first for
    both. So each kind's ``description``, which enters that hash, holds the SHA-256 of its files.

    Args:
        tags: of the card.
        splits: of each kind, the splits that have rows.
        folder: holds ``<kind>/<split>.parquet`` for all of these, written to their ends.

    Raises:
        DataError: one of the files is not there.
    """
    configs = [
        {
            "config_name": kind,
            **({"default": True} if number == 0 else {}),
            "description": ", ".join(f"{name} sha256:{sha256_of(folder / _file(kind, name))}" for name in names),
            "data_files": [{"split": name, "path": _file(kind, name)} for name in names],
        }
        for number, (kind, names) in enumerate((kind, list(names)) for kind, names in splits.items())
    ]
    front = {"tags": list(tags), **({"configs": configs} if configs else {})}
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{text}---\n"


def _file(kind: str, split: str) -> str:
    return f"{kind}/{split}.parquet"
