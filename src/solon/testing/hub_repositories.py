"""What a hub holds: repositories with their commits, and how it names what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LARGE = (".parquet", ".safetensors", ".bin")
"""Files that go to the store of large files."""


@dataclass
class Repository:
    """One dataset or model.

    Attributes:
        private: whether a token is needed to see it.
        commits: the files of each commit, by its id, in order.
        tags: names for commits.
    """

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        """The newest commit."""
        return list(self.commits)[-1]

    @property
    def files(self) -> dict[str, bytes]:
        """What it holds now."""
        return self.commits[self.head]

    def commit(self, files: Mapping[str, bytes]) -> str:
        """A new state, whole; returns its id. The same state is the same commit."""
        if self.commits and self.files == dict(files):
            return self.head
        before = self.head if self.commits else ""
        said = [before, *(f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(files.items()))]
        oid = hashlib.sha1("\n".join(said).encode()).hexdigest()  # noqa: S324 - as git names commits
        self.commits[oid] = dict(files)
        return oid

    def described(self, name: str, commit: str) -> dict[str, Any]:
        """What a hub says of it at a commit."""
        return {
            "_id": "0",
            "id": name,
            "modelId": name,
            "author": name.split("/")[0],
            "sha": commit,
            "private": self.private,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "siblings": [{"rfilename": path} for path in sorted(self.commits[commit])],
        }

    def listing(self, commit: str, folder: str, *, everything: bool) -> list[dict[str, Any]]:
        """The folders and files of a folder, ``""`` for all; with ``everything`` those of its folders too."""
        inside = f"{folder.strip('/')}/" if folder else ""
        under = [name for name in sorted(self.commits[commit]) if name.startswith(inside)]
        folders = {
            inside + "/".join(parts[:depth])
            for name in under
            for parts in [name.removeprefix(inside).split("/")]
            for depth in range(1, len(parts))
        }
        rows: list[dict[str, Any]] = [
            {"type": "directory", "oid": git_name(one.encode()), "size": 0, "path": one} for one in sorted(folders)
        ]
        rows += [entry_of(name, self.commits[commit][name]) for name in under]
        return [one for one in rows if everything or "/" not in one["path"].removeprefix(inside)]

    def at(self, revision: str) -> str | None:
        """The commit of a revision, or ``None``."""
        found = self.tags.get(revision, self.head if revision in {"main", "HEAD"} else revision)
        return found if found in self.commits else None


@dataclass
class Trouble:
    """Requests that fail.

    Attributes:
        path: what their path holds.
        status: what they are answered with.
        times: how many of them, the first ones.
        method: only these.
    """

    path: str
    status: int
    times: int = 1_000_000
    method: str = ""


def git_name(content: bytes) -> str:
    """The name of a small file's content, as git has it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324 - as git names files


def etag(name: str, content: bytes) -> str:
    """By which a client knows whether it has the content: the SHA-256 of a large file, git's name of a small one."""
    return hashlib.sha256(content).hexdigest() if name.endswith(LARGE) else git_name(content)


def entry_of(name: str, content: bytes) -> dict[str, Any]:
    """A file in a listing."""
    entry: dict[str, Any] = {"type": "file", "oid": git_name(content), "size": len(content), "path": name}
    if name.endswith(LARGE):
        sha = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 134}
    return entry
