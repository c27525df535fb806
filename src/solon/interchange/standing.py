"""What a repository on a hub holds already, and what becomes of it when something is sent there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solon.data import hub
from solon.document import plain_of
from solon.errors import DataError, Problem
from solon.interchange.asking import tried
from solon.interchange.papers import DATA

CARD = "README.md"


@dataclass(frozen=True)
class Standing:
    """A repository before anything is sent.

    Attributes:
        name: with its account.
        commit: its newest; ``None`` where there is no such repository yet.
        private: whether others see it.
        files: their names.
        card: its ``README.md``.
    """

    name: str
    commit: str | None = None
    private: bool = True
    files: frozenset[str] = frozenset()
    card: bytes | None = None


@dataclass(frozen=True)
class Effect:
    """What becomes of the files that are there.

    Attributes:
        deletes: datasets of an earlier push that are no longer sent: those that solon's own card there names.
        replaces: files of the same names as those that are sent.
    """

    deletes: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()


def look(api: Any, name: str, what: str) -> Standing:
    """Asks a hub what is there. Changes nothing.

    Args:
        api: the hub's client.
        name: ``org/name``; without ``org``, of the token's own account.
        what: ``dataset`` or ``model``.

    Raises:
        DataError: the hub refuses to say.
        StorageError: it cannot be reached or has trouble.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    address = hub.PREFIX + name
    if "/" not in name:
        name = f"{tried(address, api.whoami)['name']}/{name}"

    def ask() -> Any:
        try:
            return api.repo_info(name, repo_type=what)
        except RepositoryNotFoundError as error:
            if hub.status_of(error) == 404:
                return None
            raise

    info = tried(address, ask)
    if info is None:
        return Standing(name)
    files = frozenset(one.rfilename for one in info.siblings or ())
    card = None
    if CARD in files:
        download = tried(address, lambda: api.hf_hub_download(name, CARD, repo_type=what, revision=info.sha))
        card = Path(download).read_bytes()
    return Standing(name, info.sha, bool(info.private), files, card)


def effect(there: Standing, sent: Mapping[str, Path], *, private: bool, replace: bool) -> Effect:
    """What becomes of what is there.

    Args:
        there: the repository.
        sent: the files to be sent, by name.
        private: whether only its owner is to see it.
        replace: whether files that solon has not sent may be replaced.

    Raises:
        DataError: it would be seen by others, or would take the place of what solon has not sent.
    """
    address = hub.PREFIX + there.name
    if private and there.commit is not None and not there.private:
        remedy = "push to another name, or say that others may see it with --public"
        raise DataError([Problem(address, "is there already and public", remedy)])
    same = sorted(there.files & sent.keys())
    front = _front_matter(there.card)
    ours = "solon" in _list(front.get("tags"))
    if CARD in same and there.card == sent[CARD].read_bytes():
        same.remove(CARD)
        ours = True
    if same and not ours and not replace:
        remedy = "push to another name, or say that they may be replaced with --replace"
        raise DataError([Problem(address, f"holds files that solon did not send: {', '.join(same)}", remedy)])
    gone = _named(front) - sent.keys() if ours else set()
    return Effect(tuple(sorted(gone & there.files)), tuple(same))


def _front_matter(card: bytes | None) -> dict[str, Any]:
    parts = (card or b"").decode("utf-8", "replace").replace("\r\n", "\n").split("---\n", 2)
    if len(parts) < 3 or parts[0].strip():
        return {}
    found = plain_of(parts[1])
    return found if isinstance(found, dict) else {}


def _named(front: Mapping[str, Any]) -> set[str]:
    """The datasets that a card names, as solon calls them."""
    configs = [one for one in _list(front.get("configs")) if isinstance(one, dict)]
    entries = [entry for one in configs for entry in _list(one.get("data_files")) if isinstance(entry, dict)]
    paths = [entry.get("path") for entry in entries]
    return {path for path in paths if isinstance(path, str) and DATA.fullmatch(path)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
