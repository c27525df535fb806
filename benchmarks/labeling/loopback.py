"""A chat-completions server on loopback that costs next to nothing, and a client's project: what the benchmarks share.

    python benchmarks/labeling/loopback.py --latency 0.05 --per-second 40 --retry-after 1

prints where its API begins, and serves until its standard input ends. It speaks just enough HTTP for a well-behaved
client, in a process of its own, so that what is measured is the client.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

VERDICT = "A"
MALFORMED = ("I would rather not decide.", None)
"""What a malformed reply holds: a text without a verdict, or no text at all."""


# ---------------------------------------------------------------- the server


class Server:
    """What all connections share: how replies come, and what was counted.

    Args:
        latency: seconds that each reply takes.
        per_second: requests that are allowed a second, from a bucket that holds as many; 0 allows all.
        retry_after: seconds that a 429 asks to wait; 0 leaves the header out.
        heals: share of the requests, drawn by their content, whose first reply is malformed.
        never: share of the requests whose every reply is malformed.
        record: a file to which each body is written, one a line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.latency: float = options.latency
        self.per_second: float = options.per_second
        self.retry_after: float = options.retry_after
        self.heals: float = options.heals
        self.never: float = options.never
        self.record = options.record.open("wb") if options.record else None
        self.counts: Counter[str] = Counter()
        self.seen: Counter[bytes] = Counter()
        self.bucket, self.filled_at = self.per_second, 0.0
        self.answer = _response(200, _completion(VERDICT))
        self.refusal = _response(
            429,
            {"error": {"message": "rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}},
            f"Retry-After: {self.retry_after:g}\r\n" if self.retry_after else "",
        )

    def respond(self, body: bytes) -> tuple[float, bytes]:
        """Seconds to wait, and the response."""
        self.counts["requests"] += 1
        if self.record is not None:
            self.record.write(body + b"\n")
            self.record.flush()
        if self.per_second and not self._allowed():
            self.counts["throttled"] += 1
            return 0.005, self.refusal
        if self.heals or self.never:
            return self.latency, self._perhaps_malformed(body)
        return self.latency, self.answer

    def _allowed(self) -> bool:
        now = asyncio.get_running_loop().time()
        self.bucket = min(self.per_second, self.bucket + self.per_second * (now - self.filled_at))
        self.filled_at = now
        if self.bucket < 1:
            return False
        self.bucket -= 1
        return True

    def _perhaps_malformed(self, body: bytes) -> bytes:
        key = hashlib.sha256(body).digest()
        self.seen[key] += 1
        drawn = Random(key)
        share, kind = drawn.random(), drawn.choice(MALFORMED)
        if share < self.never or (share < self.never + self.heals and self.seen[key] == 1):
            self.counts["malformed"] += 1
            return _response(200, _completion(kind))
        return self.answer


class Connection(asyncio.Protocol):
    """One connection: requests of one ``Content-Length`` each, one after the other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""
        self.length = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the way back."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers each request that is complete."""
        self.buffer += data
        while True:
            if self.length < 0:
                head, end, rest = self.buffer.partition(b"\r\n\r\n")
                if not end:
                    return
                if head.startswith(b"GET"):
                    self.buffer = rest
                    self.transport.write(_response(200, dict(self.server.counts)))
                    continue
                self.length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                self.buffer = rest
            if len(self.buffer) < self.length:
                return
            body, self.buffer = self.buffer[: self.length], self.buffer[self.length :]
            self.length = -1
            wait, response = self.server.respond(body)
            asyncio.get_running_loop().call_later(wait, self.transport.write, response)


def _completion(text: str | None) -> dict[str, object]:
    return {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion",
        "created": 0,
        "model": "judge",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": 400, "completion_tokens": 1, "total_tokens": 401},
    }


def _response(status: int, value: object, headers: str = "") -> bytes:
    body = json.dumps(value).encode()
    reason = {200: "OK", 429: "Too Many Requests"}[status]
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    server = Server(options)
    listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started it has gone


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    base_url: str

    def counts(self) -> Counter[str]:
        """What it has counted so far: ``requests``, and of them ``throttled`` and ``malformed``."""
        with urllib.request.urlopen(self.base_url) as response:
            return Counter(json.load(response))


@contextmanager
def serving(**options: object) -> Iterator[Served]:
    """A server in a process of its own for as long as the block runs; options as on its command line."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    with subprocess.Popen(
        [sys.executable, __file__, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Served(process.stdout.readline().strip())
        finally:
            process.stdin.close()


# ---------------------------------------------------------------- the project


WORDS = [
    "river",
    "stone",
    "window",
    "morning",
    "garden",
    "letter",
    "bridge",
    "winter",
    "music",
    "table",
    "paper",
    "light",
    "road",
    "summer",
    "voice",
    "market",
    "cloud",
    "kitchen",
    "mountain",
    "story",
    "forest",
    "harbour",
    "ladder",
    "candle",
    "mirror",
    "pocket",
]


def write_project(folder: Path, *, calls: int, base_url: str, concurrency: int, judge: str = "", **recipe: str) -> Path:
    """A recipe whose label stage makes so many pairwise calls of about 400 tokens; returns its path.

    Args:
        folder: where to; made when missing.
        calls: two for each prompt, one in each order.
        base_url: of the server.
        concurrency: of the judge.
        judge: more settings of the judge, as YAML inside braces.
        recipe: more keys of the recipe, each with its YAML.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = Random(0)

    def text(words: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(words))

    with (folder / "candidates.jsonl").open("w", encoding="utf-8") as file:
        for number in range(calls // 2):
            row = {"prompt": f"{number}: {text(60)}", "responses": [text(90), text(90)]}
            file.write(json.dumps(row) + "\n")
    (folder / "constitution.yaml").write_text(
        "name: plain\nprinciples:\n  - id: plain\n    text: Say what is asked for, plainly, and nothing else.\n"
    )
    extra = "".join(f"{key}: {value}\n" for key, value in recipe.items())
    path = folder / "recipe.yaml"
    path.write_text(
        "constitution: constitution.yaml\ncandidates: candidates.jsonl\n"
        f"label: {{kind: pairwise, judge: {{kind: endpoint, base_url: '{base_url}', model: judge, "
        f"concurrency: {concurrency}{', ' + judge if judge else ''}}}}}\nbuild: {{held_out: 0}}\n{extra}"
    )
    return path


def label_stage(recipe: Path) -> dict[str, Any]:
    """Runs the label stage of a project from nothing; says wall and CPU seconds, the summary, and what was found.

    What a user waits for once, whatever the number of calls (imports, reading the recipe), is outside of the times.
    """
    import resource
    import time

    import aiohttp  # noqa: F401 - the bare loop, too, has imported it before its time begins

    from solon.errors import StageIncomplete
    from solon.progress import Silent
    from solon.recipe import read
    from solon.stages.label import label
    from solon.stages.run import opened_run

    def cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    opened = read(recipe, [f"ledger={recipe.parent / 'ledger.sqlite'}"])
    with opened_run(opened, recipe.parent / "run", progress=Silent()) as run:
        started, cpu_started = time.perf_counter(), cpu()
        try:
            label(run)
        except StageIncomplete as error:
            print(error, file=sys.stderr)
        seconds, cpu_seconds = time.perf_counter() - started, cpu() - cpu_started
        summary = run.directory.summary("label")
        found = [str(one) for one in run.directory.found.get("label", ())]
    return {"seconds": seconds, "cpu": cpu_seconds, "peak_mb": peak_mb(), "summary": summary, "found": found}


def peak_mb() -> float:
    """The most memory that this process ever had resident, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def in_a_process(*words: str) -> dict[str, Any]:
    """Runs this interpreter with the words, and reads the JSON that it prints last."""
    done = subprocess.run(
        [sys.executable, *words],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--per-second", type=float, default=0.0)
    parser.add_argument("--retry-after", type=float, default=0.0)
    parser.add_argument("--heals", type=float, default=0.0)
    parser.add_argument("--never", type=float, default=0.0)
    parser.add_argument("--record", type=Path)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
