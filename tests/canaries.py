"""Keys that nobody may find again: planted in an environment, repeated by a server, looked for in whatever came out."""

from __future__ import annotations

import base64
import gzip
import html
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from solon.testing.merit import QUALITIES
from solon.testing.simulated_judge import answer_to

PLANTED = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "HF_TOKEN",
    "WANDB_API_KEY",
    "JUDGE_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "SOME_DATABASE_PASSWORD",
)
"""Variables that hold a canary each; ``JUDGE_KEY`` is the one that recipes name. One more is in a proxy's address."""


def canary(name: str) -> str:
    """Of a variable: with characters that JSON, HTML and addresses write otherwise, told apart by its first twelve."""
    drawn = base64.b64encode((name * 3).encode()[::-1]).decode()[:20].replace("=", "x")
    return f'k{PLANTED.index(name) if name in PLANTED else 9}+{drawn[:8]}/"<&{drawn[8:]}'


def environment() -> dict[str, str]:
    """With all of them planted. No proxy is there: what goes through it would fail."""
    return {name: canary(name) for name in PLANTED} | {"HTTPS_PROXY": f"http://user:{in_a_url()}@127.0.0.1:9"}


def in_a_url() -> str:
    """The canary that is in addresses."""
    return "k9+inAnAddress0123456789"


def wanted(name_or_value: str) -> set[bytes]:
    """The forms in which one is looked for: as it is, its beginning, within JSON, HTML, addresses and base64."""
    value = canary(name_or_value) if name_or_value in PLANTED else name_or_value
    data = value.encode()
    found = {value[:12], value[-12:], json.dumps(value)[1:-1], html.escape(value), quote(value, safe=""), data.hex()}
    for before in range(3):  # what begins with it, and what has one or two bytes more in front
        found.add(base64.b64encode(b"\0" * before + data).decode()[4:-4])
    return {form.encode() for form in found}


def hits(places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Where a canary was found, and which: never the canary itself."""
    forms = {name: wanted(name) for name in PLANTED} | {"the address": wanted(in_a_url())}
    return [
        f"{name} in {place}"
        for place, data in places
        for name, looked_for in forms.items()
        if any(form in data for form in looked_for)
    ]


def everything(folder: Path, *, but: Iterable[str] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder by its path, as it is and as its readers see it.

    Args:
        folder: to look through.
        but: names of files that hold one on purpose.
    """
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.is_symlink() or file.name in but:
            continue
        name, data = str(file.relative_to(folder)), file.read_bytes()
        yield name, name.encode() + data
        if file.suffix == ".parquet":
            yield f"{name}, its rows", _rows(file)
        elif file.suffix == ".sqlite":
            yield f"{name}, its rows", _dumped(file)
        elif data[:2] == b"\x1f\x8b":
            yield f"{name}, unpacked", gzip.decompress(data)


def _rows(file: Path) -> bytes:
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    return repr((table.to_pylist(), table.schema.metadata)).encode()


def _dumped(file: Path) -> bytes:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as ledger:
        tables = [name for (name,) in ledger.execute("select name from sqlite_master where type = 'table'")]
        rows = [row for table in tables for row in ledger.execute(f"select * from {table}")]
    text = "\n".join(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for row in rows for value in row
    )
    return text.encode("utf-8", "surrogatepass")


class Repeating:
    """A server that repeats what it was sent, in all forms, as some proxies and debugging servers do.

    The path says how: ``/401``, ``/403``, ``/404``, ``/500`` in the body of an error; ``/page`` a web page of
    status 200, ``/shape`` JSON of another shape, ``/says`` in the judge's own words, ``/model`` in the model's name,
    ``/reset`` breaks off; ``/well`` judges.
    """

    def __enter__(self) -> Self:
        self.seen: list[str] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Nothing."""

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sent = self.headers.get("Authorization") or self.headers.get("x-api-key") or ""
                seen.append(sent)
                key = sent.removeprefix("Bearer ")
                repeated = " | ".join(
                    (
                        sent,
                        key,
                        base64.b64encode(sent.encode()).decode(),
                        quote(key, safe=""),
                        key[:12],
                        html.escape(key),
                    )
                )
                _, how, *_ = self.path.split("/")
                if how == "reset":
                    self.connection.close()
                    return
                answer = _answer(how, body, repeated)
                self.send_response(int(how) if how.isdigit() else 200)
                self.send_header("Content-Type", "text/html" if how == "page" else "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.send_header("X-Repeated", quote(repeated))
                self.end_headers()
                self.wfile.write(answer)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def root(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


def _answer(how: str, body: dict[str, Any], repeated: str) -> bytes:
    if how.isdigit():
        said = {"error": {"message": f"what came: {repeated}", "type": repeated, "code": "server_error"}}
        return json.dumps(said | {"type": "error"}).encode()
    if how == "page":
        return f"<html><pre>{repeated}</pre></html>".encode()
    if how == "shape":
        return json.dumps([repeated]).encode()
    text = repeated if how == "says" else answer_to(body, QUALITIES).text
    model = repeated if how == "model" else body["model"]
    if "system" in body or "anthropic" in how:
        usage = {"input_tokens": 9, "output_tokens": 1}
        content = [{"type": "text", "text": text}]
        said = {"id": "m", "type": "message", "role": "assistant", "model": model, "content": content, "usage": usage}
        return json.dumps(said | {"stop_reason": "end_turn", "stop_sequence": None}).encode()
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    said = {"id": "c", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage}
    return json.dumps(said).encode()


def environment_of(pid: int) -> bytes:
    """What a process was started with; addresses of proxies aside, which libraries need."""
    lines = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return b"\0".join(line for line in lines if not line.upper().startswith(b"HTTPS_PROXY"))
