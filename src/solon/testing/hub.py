"""A hub of datasets and models on this machine, for tests: it answers what ``huggingface_hub`` and ``datasets`` ask.

    with HubServer() as hub:
        subprocess.run(["solon", "push", ...], env={**os.environ, **hub.environment})

Repositories are kept in memory. Whatever arrives is kept as it came, so a test can look for what must not have left.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

import yaml
from aiohttp import web

from solon.testing.hub_repositories import LARGE, Repository, Trouble, etag

_REPO = r"(?P<type>datasets|models)/(?P<name>[^/]+/[^/]+)"
_GIT = r"(?:(?P<type>datasets)/)?(?P<name>[^/]+/[^/]+?)"


class HubServer:
    """The server, on a free port of 127.0.0.1, in a thread of its own: a context manager.

    Args:
        tokens: who is known: the account by its token. Others may read what is public.
        may_write: the accounts and organisations that the tokens may write to.
        troubles: requests that fail.

    Attributes:
        repositories: by ``datasets/org/name`` or ``models/org/name``.
        requests: method and path of each request, in order of arrival.
        received: the bodies of all requests and their headers but for the token.
        large: large files that have arrived, by their SHA-256.
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, str] | None = None,
        may_write: frozenset[str] = frozenset({"org", "me"}),
        troubles: tuple[Trouble, ...] = (),
    ) -> None:
        self.tokens = {"hf_write": "me"} if tokens is None else dict(tokens)
        self.may_write = may_write
        self.troubles = list(troubles)
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str]] = []
        self.received: list[bytes] = []
        self.large: dict[str, bytes] = {}
        self.root = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What makes ``huggingface_hub`` and ``datasets`` ask this hub."""
        return {
            "HF_ENDPOINT": self.root,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "0",
        }

    def put(self, name: str, folder: Path, *, private: bool = False) -> str:
        """Makes a repository of a folder's files, e.g. ``datasets/org/name``; returns the commit."""
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        repository = self.repositories.setdefault(name, Repository())
        repository.private = private
        return repository.commit(files)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _start(self) -> None:
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.root = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    # ------------------------------------------------------------ answers

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "authorization"}
        self.requests.append((request.method, request.path))
        self.received += [body, json.dumps(headers).encode(), request.path_qs.encode()]
        for trouble in self.troubles:
            if trouble.path in request.path and trouble.method in ("", request.method) and trouble.times > 0:
                trouble.times -= 1
                return web.json_response({"error": "trouble"}, status=trouble.status)
        routes: list[tuple[str, Callable[[web.Request, bytes, re.Match[str]], web.StreamResponse]]] = [
            (r"/api/whoami-v2", self._whoami),
            (r"/api/repos/create", self._create),
            (r"/api/validate-yaml", self._validate),
            (rf"/api/{_REPO}/preupload/(?P<revision>[^/]+)", self._preupload),
            (rf"/api/{_REPO}/commit/(?P<revision>[^/]+)", self._commit),
            (rf"/api/{_REPO}/tree/(?P<revision>[^/]+)(?:/(?P<path>.*))?", self._tree),
            (rf"/api/{_REPO}/paths-info/(?P<revision>[^/]+)", self._paths),
            (rf"/api/{_REPO}(?:/revision/(?P<revision>[^/]+))?", self._info),
            (rf"/{_GIT}\.git/info/lfs/objects/batch", self._batch),
            (r"/large/(?P<sha>[0-9a-f]{64})(?P<verify>/verify)?", self._large),
            (rf"/{_GIT}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", self._resolve),
        ]
        for pattern, answer in routes:
            if found := re.fullmatch(pattern, request.path):
                return answer(request, body, found)
        return web.json_response({"error": f"no such page: {request.path}"}, status=404)

    def _account(self, request: web.Request) -> str | None:
        return self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))

    def _whoami(self, request: web.Request, _: bytes, __: re.Match[str]) -> web.StreamResponse:
        account = self._account(request)
        if account is None:
            return web.json_response({"error": "Invalid username or password."}, status=401)
        return web.json_response({"type": "user", "name": account, "orgs": [], "auth": {}})

    def _create(self, request: web.Request, body: bytes, _: re.Match[str]) -> web.StreamResponse:
        asked = json.loads(body)
        account = self._account(request)
        if account is None:
            return web.json_response({"error": "Invalid credentials"}, status=401)
        owner = asked.get("organization") or account
        if owner not in self.may_write:
            return web.json_response({"error": f"You don't have the rights to create one under {owner}"}, status=403)
        kind, name = f"{asked.get('type', 'model')}s", f"{owner}/{asked['name']}"
        url = f"{self.root}/{'datasets/' if kind == 'datasets' else ''}{name}"
        if f"{kind}/{name}" in self.repositories:
            return web.json_response({"error": "You already created this repo", "url": url}, status=409)
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        repository = self.repositories[f"{kind}/{name}"] = Repository(private=private)
        repository.commit({".gitattributes": b""})
        return web.json_response({"url": url, "name": name, "id": name})

    def _validate(self, _: web.Request, body: bytes, __: re.Match[str]) -> web.StreamResponse:
        """Of a card: whether what stands between the two lines of hyphens is a YAML mapping."""
        parts = re.split(r"^---\s*$", json.loads(body)["content"], maxsplit=2, flags=re.MULTILINE)
        try:
            errors = [] if len(parts) < 3 or isinstance(yaml.safe_load(parts[1]), dict) else ["it is no mapping"]
        except yaml.YAMLError as error:
            errors = [str(error)]
        said = {"errors": [{"message": error} for error in errors], "warnings": []}
        return web.json_response(said, status=400 if errors else 200)

    def _found(self, request: web.Request, found: re.Match[str]) -> Repository | web.Response:
        """The repository, or the answer of one that is not there for this token."""
        repository = self.repositories.get(f"{found['type'] or 'models'}/{found['name']}")
        if repository is None or (repository.private and self._account(request) is None):
            headers = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            status = 401 if self._account(request) is None else 404
            return web.json_response({"error": "Repository not found"}, status=status, headers=headers)
        return repository

    def _at(self, request: web.Request, found: re.Match[str]) -> tuple[Repository, str] | web.Response:
        repository = self._found(request, found)
        if isinstance(repository, web.Response):
            return repository
        commit = repository.at(found["revision"] or "main")
        if commit is None:
            headers = {"X-Error-Code": "RevisionNotFound"}
            return web.json_response({"error": "Invalid rev id"}, status=404, headers=headers)
        return repository, commit

    def _info(self, request: web.Request, _: bytes, found: re.Match[str]) -> web.StreamResponse:
        there = self._at(request, found)
        if isinstance(there, web.Response):
            return there
        repository, commit = there
        return web.json_response(repository.described(found["name"], commit))

    def _tree(self, request: web.Request, _: bytes, found: re.Match[str]) -> web.StreamResponse:
        there = self._at(request, found)
        if isinstance(there, web.Response):
            return there
        everything = request.query.get("recursive", "").lower() in {"true", "1"}
        rows = there[0].listing(there[1], found["path"] or "", everything=everything)
        if found["path"] and not rows:
            return web.json_response({"error": "no such path"}, status=404, headers={"X-Error-Code": "EntryNotFound"})
        return web.json_response(rows)

    def _paths(self, request: web.Request, body: bytes, found: re.Match[str]) -> web.StreamResponse:
        there = self._at(request, found)
        if isinstance(there, web.Response):
            return there
        asked = (
            json.loads(body)["paths"] if body.lstrip().startswith(b"{") else parse_qs(body.decode()).get("paths", [])
        )
        paths = [asked] if isinstance(asked, str) else asked
        everything = there[0].listing(there[1], "", everything=True)
        return web.json_response([one for one in everything if one["path"] in paths])

    def _resolve(self, request: web.Request, _: bytes, found: re.Match[str]) -> web.StreamResponse:
        there = self._at(request, found)
        if isinstance(there, web.Response):
            return there
        repository, commit = there
        content = repository.commits[commit].get(found["path"])
        headers = {"X-Repo-Commit": commit}
        if content is None:
            said = {**headers, "X-Error-Code": "EntryNotFound"}
            return web.json_response({"error": "Entry not found"}, status=404, headers=said)
        headers |= {"ETag": f'"{etag(found["path"], content)}"', "Accept-Ranges": "bytes"}
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if span and request.method == "GET":
            first, last = int(span[1]), int(span[2] or len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
            return web.Response(body=content[first : last + 1], status=206, headers=headers)
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(len(content))})
        return web.Response(body=content, headers=headers)

    def _writable(self, request: web.Request, found: re.Match[str]) -> Repository | web.Response:
        if self._account(request) is None:
            return web.json_response({"error": "Invalid credentials"}, status=401)
        if found["name"].split("/")[0] not in self.may_write:
            return web.json_response({"error": "Forbidden: you need the write role"}, status=403)
        return self._found(request, found)

    def _preupload(self, request: web.Request, body: bytes, found: re.Match[str]) -> web.StreamResponse:
        repository = self._writable(request, found)
        if isinstance(repository, web.Response):
            return repository
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
                "oid": etag(one["path"], repository.files[one["path"]]) if one["path"] in repository.files else None,
            }
            for one in json.loads(body)["files"]
        ]
        return web.json_response({"files": files})

    def _batch(self, request: web.Request, body: bytes, found: re.Match[str]) -> web.StreamResponse:
        repository = self._writable(request, found)
        if isinstance(repository, web.Response):
            return repository
        objects = []
        for one in json.loads(body)["objects"]:
            place = f"{self.root}/large/{one['oid']}"
            actions = {"upload": {"href": place}, "verify": {"href": f"{place}/verify"}}
            objects.append({**one, **({} if one["oid"] in self.large else {"actions": actions})})
        return web.json_response({"transfer": "basic", "objects": objects})

    def _large(self, _: web.Request, body: bytes, found: re.Match[str]) -> web.StreamResponse:
        sha = found["sha"]
        if found["verify"]:
            return web.Response(status=200 if sha in self.large else 404)
        if hashlib.sha256(body).hexdigest() != sha:
            return web.json_response({"error": "not the content that was announced"}, status=400)
        self.large[sha] = body
        return web.Response()

    def _commit(self, request: web.Request, body: bytes, found: re.Match[str]) -> web.StreamResponse:
        repository = self._writable(request, found)
        if isinstance(repository, web.Response):
            return repository
        files = dict(repository.files)
        header = json.loads(body.splitlines()[0])["value"]
        if header.get("parentCommit") not in (None, repository.head):
            return web.json_response(
                {"error": "A commit has happened since. Please refresh and try again."}, status=412
            )
        for line in body.splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif said["key"] == "lfsFile":
                if value["oid"] not in self.large:
                    return web.json_response({"error": f"{value['path']} has not arrived"}, status=400)
                files[value["path"]] = self.large[value["oid"]]
            elif said["key"] == "deletedFile":
                files.pop(value["path"], None)
        oid = repository.commit(files)
        url = f"{self.root}/{found['type']}/{found['name']}/commit/{oid}"
        return web.json_response({"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})
