"""A process that spends under a cap, again and again: what the tests of budgets start two of.

    python two_spenders.py WHO

Reads ``LEDGER SEED CAP`` from its input, a line for each time, and answers each with what its model has billed, in
dollars as a fraction, of how many calls, and how many of them were under way at the same time.
"""

from __future__ import annotations

import asyncio
import sys
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

from pydantic import PrivateAttr

from solon.data.records import Message, Usage
from solon.errors import BudgetReached
from solon.ledger import Ledger
from solon.models.base import Price, Reply, Request
from solon.models.estimate import most_input_tokens, most_usd
from solon.models.scripted import Scripted
from solon.stream import Stream, ask

IN_FLIGHT = 16
PRICES = ((0.15, 0.6), (1.0, 5.0), (2.5, 10.0), (0.4, 1.6), (0.037, 0.113))


class Billing(Scripted):
    """Counts tokens as it likes, up to what it was allowed, and sends its bill."""

    _billed: Fraction = PrivateAttr(default=Fraction(0))
    _calls: int = PrivateAttr(default=0)
    _now: int = PrivateAttr(default=0)
    _most: int = PrivateAttr(default=0)

    async def complete(self, request: Request) -> Reply:
        """After a moment, so that others are asked meanwhile."""
        rng = Random(request.messages[0].content)
        self._now += 1
        self._most = max(self._most, self._now)
        await asyncio.sleep(rng.random() / 300)
        self._now, self._calls = self._now - 1, self._calls + 1
        most = most_input_tokens(request)
        read, written = rng.randint(most // 2, most), rng.randint(request.max_tokens // 4, request.max_tokens)
        price: Any = self.price
        self._billed += (read * Fraction(str(price.input)) + written * Fraction(str(price.output))) / 10**6
        return Reply(text="yes", usage=Usage(input_tokens=read, output_tokens=written))


def judge(seed: int) -> Billing:
    """The same for both processes; another price for each seed."""
    read, written = PRICES[seed % len(PRICES)]
    price = Price(input=read, output=written)
    return Billing(default="", over_a_network=True, price=price, concurrency=IN_FLIGHT, model="judge")


def request(who: str, number: int, seed: int) -> Request:
    """Short ones and long ones."""
    rng = Random(f"{who} {number} {seed}")
    text = f"{who} {number} {seed} " + "to compare " * rng.randrange(20)
    return Request(messages=(Message(role="user", content=text),), max_tokens=rng.choice((4, 16, 48)))


def dearest_usd(seed: int) -> float:
    """What no request can cost more than."""
    longest = Message(role="user", content="x" * 250)
    return most_usd(judge(seed), Request(messages=(longest,), max_tokens=48))


async def spend(ledger: Ledger, who: str, seed: int, cap: float) -> str:
    """Asks until the budget is reached."""
    model = judge(seed)
    async with Stream(ledger, run=f"b/{who}", budget="b", stage="label", max_usd=cap) as stream:
        numbers = iter(range(10**6))
        try:
            async for _ in stream.map(lambda n: ask(model, request(who, n, seed)), numbers, window=IN_FLIGHT * 2):
                pass
        except BudgetReached:
            return f"{model._billed} {model._calls} {model._most}"
    raise AssertionError("there is no cap")


def main(who: str) -> None:
    """Until its input ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        path, seed, cap = line.split()
        with Ledger.open(Path(path)) as ledger:
            print(asyncio.run(spend(ledger, who, int(seed), float(cap))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
