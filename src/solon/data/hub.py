"""Datasets on the Hugging Face hub, as ``hf://org/name`` or ``hf://org/name:split``, through ``datasets``.

They are downloaded once and then read from files that are mapped into memory: of a dataset of any size, little is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from solon.errors import DataError, MissingExtra, Problem

T = TypeVar("T")

_PREFIX = "hf://"


def is_on_the_hub(source: str | Path) -> bool:
    """Whether it is an address of this kind."""
    return str(source).startswith(_PREFIX)


def rows(address: str) -> Iterator[dict[str, Any]]:
    """The rows of a dataset, by column; of the split ``train`` where the address names none.

    Raises:
        DataError: it cannot be loaded.
        MissingExtra: ``datasets`` is not installed.
    """
    name, split = _parts(address)
    table = _asked(address, lambda datasets: datasets.load_dataset(name, split=split))
    for values in table:
        yield dict(values)


def identity(address: str) -> dict[str, str]:
    """The address with the revision that is on the hub, or in the cache where there is no network.

    Raises:
        DataError, MissingExtra: as ``rows``.
    """
    name, _ = _parts(address)
    builder = _asked(address, lambda datasets: datasets.load_dataset_builder(name))
    return {address: f"{builder.config.name} {builder.hash}"}


def _parts(address: str) -> tuple[str, str]:
    name, _, split = address.removeprefix(_PREFIX).partition(":")
    if not name.strip("/"):
        remedy = "write hf://org/name or hf://org/name:split"
        raise DataError([Problem(address, "the address names no dataset", remedy)])
    return name, split or "train"


def _asked(address: str, ask: Callable[[Any], T]) -> T:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra(f"reading {address}", "train") from error
    try:
        return ask(datasets)
    # what the library raises for a name, split, configuration or connection that is not there
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        first_line = str(error).partition("\n")[0]
        remedy = "check name, split and network; a downloaded file or folder can be given instead"
        raise DataError([Problem(address, f"cannot be loaded: {first_line}", remedy)]) from error
