"""How long a view of many judgments takes: to open, to filter, to show a page; and what it takes of memory.

    python benchmarks/view.py [JUDGMENTS]

Makes a run of so many judgments (100,000 when left out) in a temporary folder, and asks a server in this process what
its page would ask: medians and worst of several rounds, in milliseconds, through HTTP.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from viewed import large_run, served

ROUNDS = 7
FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "orders disagree": {"state": "orders"},
    "failed": {"state": "failed"},
    "one principle": {"principle": "kind"},
    "one topic, margin from .2 to .5": {"topic": "topic 7", "low": 0.2, "high": 0.5},
    "least clear first": {"order": "closest"},
    "at random": {"order": "random"},
    "search: a word of most answers": {"search": "blue"},
    "search: a number": {"search": "12345"},
}


def main() -> None:
    """Prints the table."""
    numbers = [word for word in sys.argv[1:] if word.isdecimal()]
    judgments = int(numbers[0]) if numbers else 100_000
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        # in a process of its own, whose memory is not the view's
        maker = get_context("spawn").Process(target=large_run, args=(run, judgments))
        maker.start()
        maker.join()
        asyncio.run(_measure(run, judgments))


async def _measure(run: Path, judgments: int) -> None:
    before = _memory()
    started = time.perf_counter()
    async with served(run) as (server, address), aiohttp.ClientSession(cookie_jar=_jar()) as client:
        print(f"{judgments:,} judgments, {len(server.opened('labels')[0].index):,} questions")
        print(f"opened in {time.perf_counter() - started:.1f} s; memory {_memory() - before:.0f} MiB more\n")
        await (await client.get(address)).read()
        base = address.partition("/?")[0]
        print("| asked | found | filtering, ms | the next page of 100, ms |\n|---|--:|--:|--:|")
        for name, filters in FILTERS.items():
            listing, paging, found = [], [], 0
            for number in range(ROUNDS):
                began = time.perf_counter()
                answer = await _post(client, base, "list", {"filters": filters})
                listing.append(time.perf_counter() - began)
                found = answer["total"]
                place = found * number // ROUNDS
                began = time.perf_counter()
                await (await client.get(f"{base}/api/rows?list={answer['list']}&from={place}&count=100")).json()
                paging.append(time.perf_counter() - began)
            print(f"| {name} | {found:,} | {_shown(listing)} | {_shown(paging)} |")
        for name, path in (("one question", "item?place=20000"), ("the run itself", "about")):
            seconds = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                await (await client.get(f"{base}/api/{path}")).json()
                seconds.append(time.perf_counter() - began)
            print(f"| {name} | | {_shown(seconds)} | |")
        seconds = []
        for place in range(1, ROUNDS + 1):
            began = time.perf_counter()
            await _post(client, base, "say", {"place": place, "said": "first"})
            seconds.append(time.perf_counter() - began)
        print(f"| a verdict, on the disk | | {_shown(seconds)} | |")


async def _post(client: aiohttp.ClientSession, base: str, path: str, query: dict[str, Any]) -> Any:
    async with client.post(f"{base}/api/{path}", json=query, headers={"Origin": base}) as answer:
        return await answer.json()


def _jar() -> aiohttp.CookieJar:
    return aiohttp.CookieJar(unsafe=True)  # cookies of an address in numbers


def _shown(seconds: list[float]) -> str:
    return f"{1000 * median(seconds):.0f} (worst {1000 * max(seconds):.0f})"


def _memory() -> float:
    """The most that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
