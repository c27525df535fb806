"""A server on this machine that speaks whatever a chat model speaks, well or on purpose badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal["overloaded", "forbidden", "web page", "broken", "empty", "hangs up"]
"""Status 503; status 401; HTML, half an object, and an empty object, all with status 200; a connection that is cut."""


@dataclass(frozen=True)
class Served:
    """What a model behind a network is checked with: ``checked_with: ClassVar = Served(...)``.

    Attributes:
        answer: what the server answers to the path and the JSON body of a request, as a JSON value. It may raise
            ``LookupError`` for a path that the service does not have.
        settings: of the plugin, from the server's address, such as ``http://127.0.0.1:40123``.
    """

    answer: Callable[[str, Any], Any]
    settings: Callable[[str], Mapping[str, Any]]


@dataclass
class Server:
    """A server that is running.

    Attributes:
        url: its address, without a slash at the end.
        fault: what it does in place of answering; ``None`` while it is well.
        asked: how many requests have come.
    """

    url: str
    answer: Callable[[str, Any], Any]
    fault: Fault | None = None
    asked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, path: str, body: bytes) -> tuple[int, str, bytes] | None:
        """Status, type and body of the answer to one request; ``None`` cuts the connection."""
        with self.lock:
            self.asked += 1
        match self.fault:
            case "overloaded":
                return 503, "application/json", b'{"error": "overloaded"}'
            case "forbidden":
                return 401, "application/json", b'{"error": "who are you?"}'
            case "web page":
                return 200, "text/html", b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            case "broken":
                return 200, "application/json", b'{"choices": [{"mess'
            case "empty":
                return 200, "application/json", b"{}"
            case "hangs up":
                return None
            case None:
                try:
                    return 200, "application/json", json.dumps(self.answer(path, json.loads(body or b"{}"))).encode()
                except LookupError as error:
                    return 404, "application/json", json.dumps({"error": str(error)}).encode()


@contextmanager
def serving(answer: Callable[[str, Any], Any]) -> Iterator[Server]:
    """The server, for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = server.reply(self.path, body)
            if reply is None:
                self.close_connection = True
                return
            status, kind, content = reply
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Nothing: what is asked here is no news."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Nothing: whoever asked has gone."""

    listening = Quiet(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{listening.server_address[1]}", answer)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
