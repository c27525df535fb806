"""Datasets on the Hugging Face hub, as ``hf://org/name/config@revision:split``, through ``datasets``.

Only ``org/name`` is needed: the card's own configuration, the newest revision and the split ``train`` are taken where
nothing else is said. They are downloaded once and then read from files that are mapped into memory: of a dataset of any
size, little is held. Code of a dataset is never run, and nothing is read that is not the dataset's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from solon.data.dataset_card import CARDS, check_card, check_files
from solon.errors import DataError, MissingExtra, Problem

T = TypeVar("T")

PREFIX = "hf://"
_PARTS = re.compile(r"(?P<name>[^@:]*?)(@(?P<revision>[^:]+))?(:(?P<split>.+))?")
_SILENT = ("Timeout", "Connect", "ReadError", "RemoteProtocolError", "LocalEntryNotFound")
_NOT_THERE = {"RepositoryNotFoundError", "GatedRepoError", "DatasetNotFoundError"}
CHANGED = ("it has changed since it was looked at", "run the same command again")
_REMEDY = "write hf://org/name, hf://org/name:split or hf://org/name/config@revision:split"


def is_on_the_hub(source: str | Path) -> bool:
    """Whether it is an address of this kind."""
    return str(source).startswith(PREFIX)


@dataclass(frozen=True)
class Address:
    """What an address says.

    Attributes:
        name: ``org/name``, or a folder in its place.
        config: one of several datasets under that name.
        revision: a commit, branch or tag.
        split: one of its splits.
    """

    name: str
    config: str | None = None
    revision: str | None = None
    split: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether a folder stands in place of a name."""
        return self.name.startswith(("/", "."))

    def __str__(self) -> str:
        parts = ((f"/{self.config}", self.config), (f"@{self.revision}", self.revision), (f":{self.split}", self.split))
        return PREFIX + self.name + "".join(text for text, said in parts if said is not None)


def parse(address: str) -> Address:
    """The parts of an address.

    Raises:
        DataError: it names no dataset.
    """
    text = address.removeprefix(PREFIX)
    found = _PARTS.fullmatch(text)
    name = found["name"] if found else ""
    config = None
    if not name.startswith(("/", ".")) and name.count("/") == 2:
        name, _, config = name.rpartition("/")
    if not found or not name.strip("/") or config == "" or (name.count("/") > 1 and name[0] not in "/."):
        raise DataError([Problem(address, "the address names no dataset", _REMEDY)])
    return Address(name, config, found["revision"], found["split"])


def rows(address: str) -> Iterator[dict[str, Any]]:
    """The rows of a dataset, by column; of the split ``train`` where the address names none.

    Raises:
        DataError: it cannot be loaded.
        MissingExtra: ``datasets`` is not installed.
    """
    it = parse(address)

    def read(datasets: Any) -> Any:
        builder = _builder(address, datasets)
        builder.download_and_prepare()
        return builder.as_dataset(split=it.split or "train")

    for values in _asked(address, read):
        yield dict(values)


def splits(address: str) -> list[str]:
    """The splits that a dataset has.

    Raises:
        DataError, MissingExtra: as ``rows``.
    """
    it = parse(address)

    def ask(datasets: Any) -> Any:
        _check_cards(address)
        return datasets.get_dataset_split_names(it.name, it.config, revision=it.revision)

    return list(_asked(address, ask))


def configurations(address: str) -> list[str]:
    """The datasets under a name.

    Raises:
        DataError, MissingExtra: as ``rows``.
    """
    it = parse(address)

    def ask(datasets: Any) -> Any:
        _check_cards(address)
        return datasets.get_dataset_config_names(it.name, revision=it.revision)

    return list(_asked(address, ask))


def identity(address: str) -> dict[str, str]:
    """The address with the revision that is on the hub, or in the cache where there is no network.

    Raises:
        DataError, MissingExtra: as ``rows``.
    """
    builder = _asked(address, lambda datasets: _builder(address, datasets))
    return {address: f"{builder.config.name} {builder.hash}"}


def folder(address: str, config: str) -> Path:
    """The folder of a dataset that solon has pushed, downloaded: ``train.parquet`` and perhaps ``test.parquet``.

    Args:
        address: without a split, which the files are.
        config: the configuration to take where the address names none, e.g. ``preference``.

    Raises:
        DataError: it cannot be downloaded, or holds no such files; the error says how to convert it.
        MissingExtra: ``huggingface_hub`` is not installed.
    """
    it = parse(address)
    if it.split is not None:
        remedy = "leave the split out: a training reads train and, where there is one, test"
        raise DataError([Problem(address, f"names the split {it.split!r}", remedy)])
    wanted = it.config or config

    def download(_: Any) -> str:
        from huggingface_hub import snapshot_download

        patterns = [f"{wanted}/train.parquet", f"{wanted}/test.parquet"]
        return snapshot_download(it.name, repo_type="dataset", revision=it.revision, allow_patterns=patterns)

    found = Path(_asked(address, download)) / wanted
    if not (found / "train.parquet").is_file():
        remedy = f"solon convert {address} --to solon --out DIR, and then `dataset: DIR/{wanted}`"
        raise DataError([Problem(address, f"holds no {wanted}/train.parquet", remedy)])
    return found


def _builder(address: str, datasets: Any) -> Any:
    """What ``datasets`` reads a dataset with, which has found its files and opened none of them.

    Raises:
        DataError: one of them is not the dataset's.
    """
    _check_cards(address)
    it = parse(address)
    builder = datasets.load_dataset_builder(it.name, it.config, revision=it.revision)
    inside = f"{Path(it.name).resolve()}/" if _is_here(it) else f"{PREFIX}datasets/{it.name}@"
    files = [str(file) for split in (builder.config.data_files or {}).values() for file in split]
    check_files(address, files, inside)
    return builder


def _check_cards(address: str) -> None:
    it = parse(address)
    for name in CARDS:
        if _is_here(it):
            check_card(address, Path(it.name, name))
            continue
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        try:
            found = hf_hub_download(it.name, name, repo_type="dataset", revision=it.revision)
        except EntryNotFoundError:  # it has none, or there is no network, which `datasets` says
            continue
        check_card(address, Path(found))


def _is_here(it: Address) -> bool:
    """Whether ``datasets`` takes it for a folder."""
    return it.is_folder or Path(it.name).is_dir()


def _asked(address: str, ask: Callable[[Any], T]) -> T:
    try:
        import datasets
        from httpx import HTTPError
    except ImportError as error:
        raise MissingExtra(f"reading {address}", "train") from error
    try:
        return ask(datasets)
    # what the libraries raise for a name, split, configuration, script or connection that is not there
    except (OSError, ValueError, RuntimeError, HTTPError, datasets.exceptions.DatasetsError) as error:
        what, remedy = explained(error)
        raise DataError([Problem(address, f"cannot be loaded: {what}", remedy)]) from error


def explained(error: BaseException) -> tuple[str, str]:
    """What went wrong at the hub, and what to do about it."""
    status = status_of(error)
    text = str(error).partition("\n")[0].strip() or type(error).__name__
    names = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    if unanswered(error):
        what = "the hub cannot be reached, and it is not in the cache"
        return what, "check the network, HF_ENDPOINT and HF_HUB_OFFLINE; a downloaded file or folder can be given"
    if status == 403:
        return f"not allowed ({status})", _token()
    if status == 412:
        return CHANGED
    if status == 429:
        return "the hub is asked too often (429)", "wait some minutes and run the same command again"
    if status is not None and status >= 500:
        return f"the hub has trouble of its own ({status})", "run the same command again later"
    if "RevisionNotFoundError" in names:
        return "there is no such revision", "name a commit, branch or tag that it has"
    if "EntryNotFoundError" in names:
        return "a file is missing on the hub", text
    if status in {401, 404} or names & _NOT_THERE:
        return f"there is no such repository, or it is private ({status or 404})", f"check the name; {_token()}"
    if "configuration" in text or "Config name" in text:
        return text, "name one of them: hf://org/name/config"
    if "scripts are no longer supported" in text:
        remedy = "code of a dataset is never run; give its files in Parquet or JSON Lines"
        return "it is a script and not data", remedy
    return text, "check name, split and network; a downloaded file or folder can be given instead"


def unanswered(error: BaseException) -> bool:
    """Whether no answer came: no connection, a time-out, or a network that is switched off."""
    names = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    return "OfflineModeIsEnabled" in names or (
        status_of(error) is None and any(word in name for name in names for word in _SILENT)
    )


def status_of(error: BaseException) -> int | None:
    """The status that the hub answered with, where it answered."""
    for one in _chain(error):
        status = getattr(getattr(one, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _token() -> str:
    from huggingface_hub import get_token

    if get_token() is None:
        return "for what is private, put a token into HF_TOKEN"
    return "the token in HF_TOKEN is wrong, or lacks the permission"
