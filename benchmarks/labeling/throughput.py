"""How fast the label stage asks a server, beside bare loops that send the same bodies and keep nothing.

One loop is on aiohttp, which the stage is held against, the other on the connections that `endpoint` uses.

    python benchmarks/labeling/throughput.py                      # 3,000 calls of about 400 tokens, 50 ms a reply
    python benchmarks/labeling/throughput.py --rounds 9 --at-once 64
    python benchmarks/labeling/throughput.py --scaled             # what a faster machine would say with 50 ms

What counts is how much a client computes beside how long a reply takes. So a machine that takes twice the processor
time for the bare loop says with twice the latency what the other says with 50 ms. ``--scaled`` runs that loop before
each round and takes the latency from it, on a machine that is slower than the one for which the lines in
docs/results/labeling.md were drawn: the round is then about as one on that machine.

The server and each client are processes of their own. The clients run by turns; what counts are the ratios within one
run. The stage is all of it: reading the candidates, questions, requests, replies, the ledger, judgments on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from statistics import median

import aiohttp
from loopback import Served, in_a_process, label_stage, peak_mb, serving, write_project

from solon.models.connections import Connections

CALLS = 3000
LATENCY_S = 0.05
DRAWN_CPU_S = 0.15
"""What 1,000 calls of the bare loop took of the processor where the lines were drawn, in seconds."""

COLUMNS = (
    "at once",
    "latency, ms",
    "loop, calls/s",
    "solon, calls/s",
    "ratio",
    "solon, CPU s per 1,000",
    "loop",
    "our loop",
    "solon's beside the loop's",
    "solon, MB",
    "loop",
)


def main() -> None:
    """Prints one Markdown row for each number of calls at once: medians of several rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-once", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=LATENCY_S, help="seconds that each reply takes")
    parser.add_argument("--scaled", action="store_true", help="each takes as much longer as the machine is slower")
    parser.add_argument("--client", nargs=2, metavar=("NAME", "PATH"), help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        name, path = options.client
        if name == "solon":
            print(json.dumps(label_stage(Path(path))))
        else:
            print(json.dumps(_loop(LOOPS[name], Path(path), options.base_url, options.at_once[0])))
        return
    print(f"| {' | '.join(COLUMNS)} |")
    print("|" + "---|" * len(COLUMNS))
    with tempfile.TemporaryDirectory() as folder:
        bodies = _bodies(Path(folder), options.calls)
        for at_once in options.at_once:
            rounds = []
            for _ in range(options.rounds):
                latency = options.latency
                if options.scaled:
                    latency *= max(1.0, _loop_cpu(bodies, at_once, latency) / options.calls * 1000 / DRAWN_CPU_S)
                rounds.append(_round(Path(folder), bodies, at_once, options.calls, latency))
            print(_row(at_once, rounds, options.calls), flush=True)


def _bodies(folder: Path, calls: int) -> Path:
    """What one run of the stage sends, recorded by the server."""
    path = folder / "bodies.jsonl"
    with serving(latency=0, record=path) as server:
        recipe = write_project(folder / "recorded", calls=calls, base_url=server.base_url, concurrency=64)
        in_a_process(__file__, "--client", "solon", str(recipe))
    return path


def _loop_cpu(bodies: Path, at_once: int, latency: float) -> float:
    """Seconds of the processor that the bare loop takes now."""
    with serving(latency=latency) as server:
        return _in_a_loop("loop", server, bodies, at_once)["cpu"]


def _in_a_loop(name: str, server: Served, bodies: Path, at_once: int) -> dict[str, float]:
    asked = (str(bodies), f"--base-url={server.base_url}", f"--at-once={at_once}")
    return in_a_process(__file__, "--client", name, *asked)


def _round(folder: Path, bodies: Path, at_once: int, calls: int, latency: float) -> dict[str, dict[str, float]]:
    with serving(latency=latency) as server, tempfile.TemporaryDirectory(dir=folder) as fresh:
        loops = {name: _in_a_loop(name, server, bodies, at_once) for name in LOOPS}
        recipe = write_project(Path(fresh), calls=calls, base_url=server.base_url, concurrency=at_once)
        solon = in_a_process(__file__, "--client", "solon", str(recipe))
    summary = solon.pop("summary")
    if not isinstance(summary, dict) or summary["judgments"] != calls or summary["failed"]:
        raise SystemExit(f"not every call was answered: {summary}")
    return {**loops, "solon": {**solon, "latency": latency}}


def _row(at_once: int, rounds: list[dict[str, dict[str, float]]], calls: int) -> str:
    def middle(client: str, what: str) -> float:
        return median(one[client][what] for one in rounds)

    ratio = median(one["loop"]["seconds"] / one["solon"]["seconds"] for one in rounds)
    cells = [
        f"{at_once}",
        f"{1000 * middle('solon', 'latency'):.0f}",
        f"{calls / middle('loop', 'seconds'):,.0f}",
        f"{calls / middle('solon', 'seconds'):,.0f}",
        f"{ratio:.2f}",
        *(f"{1000 * middle(client, 'cpu') / calls:.2f}" for client in ("solon", "loop", "our loop")),
        f"{median(one['solon']['cpu'] / one['loop']['cpu'] for one in rounds):.2f}",
        *(f"{middle(client, 'peak_mb'):.0f}" for client in ("solon", "loop")),
    ]
    return f"| {' | '.join(cells)} |"


Post = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def _by_aiohttp(url: str) -> AsyncIterator[Post]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(body: bytes) -> bytes:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                return await response.read()

        yield post


@asynccontextmanager
async def _by_connections(url: str) -> AsyncIterator[Post]:
    connections = Connections(url, {"Content-Type": "application/json"}, connect_s=30, most_bytes=10_000_000)

    async def post(body: bytes) -> bytes:
        return (await connections.post(body)).body

    yield post
    await connections.aclose()


LOOPS = {"loop": _by_aiohttp, "our loop": _by_connections}


def _loop(
    client: Callable[[str], AbstractAsyncContextManager[Post]], bodies: Path, base_url: str, at_once: int
) -> dict[str, float]:
    """A bare loop: it posts each body, reads the verdict, and keeps nothing."""
    waiting = [json.loads(line) for line in bodies.read_bytes().splitlines()]
    verdicts: list[str] = []

    async def run() -> None:
        async with client(f"{base_url}/chat/completions") as post:

            async def work() -> None:
                while waiting:
                    reply = json.loads(await post(json.dumps(waiting.pop()).encode()))
                    verdicts.append(reply["choices"][0]["message"]["content"])

            await asyncio.gather(*(work() for _ in range(at_once)))

    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    asyncio.run(run())
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "peak_mb": peak_mb(), "verdicts": len(verdicts)}


if __name__ == "__main__":
    main()
