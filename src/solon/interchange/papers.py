"""What may leave this machine: files by name, without local paths, and without the value of any secret."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from solon.data.artifacts import json_bytes
from solon.errors import DataError, Problem
from solon.interchange.shapes import HOLDINGS
from solon.keys import forms, named

_PAPERS = {".md", ".json", ".jinja", ".yaml", ".txt", ""}
_WORDS = {"tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json"}
"""Files that list the words of a language, in which paths are words too."""
_PATHS = {"base_model_name_or_path", "_name_or_path", "name_or_path"}
DATA = re.compile(rf"({'|'.join(HOLDINGS)})/[A-Za-z0-9_.-]+\.parquet")
"""The names of datasets on a hub, as solon calls them."""


def dataset_files(folder: Path) -> dict[str, Path]:
    """The files of a folder of datasets that are datasets or describe them, by name: nothing else is ever sent."""
    names = ["README.md", "dataset_info.json"]
    names += sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.parquet"))
    return {
        name: folder / name for name in names if (folder / name).is_file() and (DATA.fullmatch(name) or "/" not in name)
    }


def without_local_paths(file: Path) -> list[str]:
    """Rewrites a JSON file of a model so that it names its base by name and not by a folder of this machine.

    Returns:
        What a person should know: the base is nowhere but here.
    """
    value = json.loads(file.read_text("utf-8"))
    if not isinstance(value, dict):
        return []
    local = [key for key in _PATHS & value.keys() if _is_local(value[key])]
    for key in local:
        value[key] = PurePath(value[key]).name
    if not local:
        return []
    file.write_bytes(json_bytes(value, indent=2) + b"\n")
    if "base_model_name_or_path" not in local:
        return []
    name = value["base_model_name_or_path"]
    return [
        f"the adapter's base is a folder of this machine, so nobody else can load it: {name}; --merge sends it whole"
    ]


def _is_local(value: Any) -> bool:
    return isinstance(value, str) and (value.startswith(("/", "~", ".")) or _is_there(value))


def _is_there(text: str) -> bool:
    """Whether it names a file or folder; a key may be too long to be a name."""
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def refuse_leaks(files: Mapping[str, Path], run: Path) -> None:
    """Looks for values of secrets in everything that is text, and for folders of this machine in what describes it.

    Raises:
        DataError: there is one; says in which file, and never what.
    """
    secrets = {name: forms(value) for name, value in named().items() if not _is_there(value)}
    here = [run.absolute(), Path.cwd(), Path.home(), Path(tempfile.gettempdir())]
    folders = list(dict.fromkeys(f"{folder}/" for one in here for folder in (one, one.resolve()) if folder.name))
    problems = []
    for name, file in files.items():
        is_paper = file.suffix in _PAPERS and name not in _WORDS
        for text in _texts(file):
            for secret, written in secrets.items():
                if any(form in text for form in written):
                    problems.append(Problem(name, f"holds the value of {secret}", "take it out; nothing was sent"))
            if is_paper and (found := next((folder for folder in folders if _names(text, folder)), None)):
                problems.append(Problem(name, f"names a folder of this machine: {found}...", "nothing was sent"))
    if problems:
        raise DataError(list(dict.fromkeys(problems))[:20])


def _written(value: str) -> set[str]:
    """A value as it stands in a text, and within the quotes of JSON."""
    return {value, *(json.dumps(value, ensure_ascii=plain)[1:-1] for plain in (True, False))}


def _names(text: str, folder: str) -> bool:
    """Whether a text names a folder; one that is short stands in addresses too: ``/data/`` in ``org/data/train``."""
    if folder.count("/") > 2:
        return any(form in text for form in _written(folder))
    return re.search(rf"((?<![\w.-])|(?<=\\[nrt])){re.escape(folder)}", text) is not None


def _texts(file: Path) -> Iterator[str]:
    if file.suffix in _PAPERS:
        yield file.read_text("utf-8", "replace")
    elif file.suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_size=1024):
                yield "\n".join(_strings(batch.to_pylist()))


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
