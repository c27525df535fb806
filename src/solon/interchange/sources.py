"""Where rows come from: a run, a folder of datasets, files, or a dataset on a hub; each part with its split."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from solon.data import hub
from solon.data.tables import FORMATS
from solon.errors import DataError, Problem
from solon.interchange.shapes import HOLDINGS

_SPLIT = re.compile(r"^(train|test|validation|valid|val|dev|eval)(?=$|[^a-z])", re.IGNORECASE)
_NAME = re.compile(r"\w[\w.-]{0,99}")
_SAME = {"valid": "validation", "val": "validation", "dev": "validation", "eval": "test"}
_NOT_DATA = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "run.json", "metrics.json"}


class Part(NamedTuple):
    """Rows of one split.

    Attributes:
        split: ``train``, ``test`` or as the hub calls it.
        files: in their order; or the address of a split on a hub.
    """

    split: str
    files: tuple[str, ...]


def parts(source: str, splits: Sequence[str] = ()) -> list[Part]:
    """The parts of a source.

    Args:
        source: a run directory, a folder, a file, or an address on a hub.
        splits: only these; all when left out.

    Raises:
        DataError: there is nothing to read, or no split of that name.
        MissingExtra: it is on a hub and ``datasets`` is not installed.
    """
    found = _on_a_hub(source) if hub.is_on_the_hub(source) else _in_files(Path(source))
    wanted = [part for part in found if not splits or part.split in splits]
    if odd := [part.split for part in found if not _NAME.fullmatch(part.split)]:
        raise DataError(
            [Problem(source, f"{odd[0][:60]!r} is no name of a split", "a split makes a file: train, test")]
        )
    if missing := [name for name in splits if name not in {part.split for part in found}]:
        there = ", ".join(dict.fromkeys(part.split for part in found))
        raise DataError([Problem(source, f"there is no split {missing[0]!r}", f"splits: {there}")])
    return wanted


def card_of(source: str) -> Path | None:
    """The card beside the data of a run or a folder, where there is one."""
    if hub.is_on_the_hub(source):
        return None
    path = Path(source)
    folder = path / "datasets" if (path / "run.json").is_file() else path if path.is_dir() else path.parent
    return next((card for at in (folder, folder.parent) if (card := at / "README.md").is_file()), None)


def _on_a_hub(source: str) -> list[Part]:
    """Every split of every kind that solon has put there; of anybody else's configurations the one that is named."""
    it = hub.parse(source)
    if it.config is not None or it.is_folder:
        return list(_splits_on_a_hub(source))
    configs = hub.configurations(source)
    if len(configs) == 1:
        return list(_splits_on_a_hub(source))
    if not set(configs) <= set(HOLDINGS):
        what = f"holds {len(configs)} configurations, and the address names none: {', '.join(configs)}"
        raise DataError([Problem(source, what, f"name one of them: {replace(it, config=configs[0])}")])
    each = [str(replace(it, config=config)) for config in configs]
    found = [part for address in each for part in _splits_on_a_hub(address, it.split)]
    return found or list(_splits_on_a_hub(each[0]))


def _splits_on_a_hub(address: str, wanted: str | None = None) -> Iterator[Part]:
    """Its splits, or the one that it names; with ``wanted`` nothing where there is no such split."""
    it = hub.parse(address)
    # a split may be an expression: train[:10%] goes into train.parquet
    name = re.split(r"[\[+]", it.split)[0] if it.split else None
    if name is None:
        yield from (Part(split, (str(replace(it, split=split)),)) for split in hub.splits(address))
    elif wanted is None or name in hub.splits(str(replace(it, split=None))):
        yield Part(name, (address,))


def _in_files(path: Path) -> list[Part]:
    if (path / "run.json").is_file():
        if not (path / "datasets").is_dir():
            raise DataError([Problem(str(path), "the run has no datasets", "run `solon build` first")])
        path = path / "datasets"
    if not path.exists():
        raise DataError([Problem(str(path), "there is no such file or folder")])
    if not path.is_dir():
        return [Part(_split_of(path), (str(path),))]
    if inside := [path / name for name in HOLDINGS if (path / name).is_dir()]:
        return [part for folder in inside for part in _by_split(folder)]
    return _by_split(path)


def _by_split(folder: Path) -> list[Part]:
    """The files of a folder (and of its folder ``data``, as hubs have it) by what their names begin with."""
    at = folder if _data_files(folder) else folder / "data"
    files = _data_files(at) if at.is_dir() else []
    if not files:
        raise DataError([Problem(str(folder), f"the folder holds no data: {', '.join(FORMATS)}")])
    by_split: dict[str, list[str]] = {}
    for file in files:
        by_split.setdefault(_split_of(file), []).append(str(file))
    order = sorted(by_split, key=lambda split: (split != "train", split))
    return [Part(split, tuple(by_split[split])) for split in order]


def _data_files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in FORMATS and file.is_file())
    return [file for file in files if not file.name.startswith((".", "_")) and file.name not in _NOT_DATA]


def _split_of(file: Path) -> str:
    match = _SPLIT.match(file.stem)
    name = match.group(1).lower() if match else "train"
    return _SAME.get(name, name)
