"""What a server was asked and what the ledger holds of it, compared after every kill."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from typer.testing import CliRunner

from project import Project
from solon.cli.app import app
from solon.stream.lane import AHEAD
from solon.testing import FaultServer

Asked: TypeAlias = tuple[tuple[str, ...], int | None]
"""What tells a request from others: its texts and its seed."""


def asked_in(body: Mapping[str, Any]) -> Asked:
    """Of a request as the server got it, or as the ledger keeps it."""
    return tuple(str(message["content"]) for message in body["messages"]), body.get("seed")


@dataclass(frozen=True)
class Held:
    """What a ledger holds.

    Attributes:
        replies: every row by its key.
        recorded: which requests they answer.
        costs: nano-dollars of each of these.
        doubts: how often each request is listed by ``solon ledger show --json`` as in doubt.
        reserved: nano-dollars that these may have cost, by the same list.
        charged: nano-dollars that the budget counts as spent or reserved.
    """

    replies: dict[str, tuple[object, ...]] = field(default_factory=dict)
    recorded: frozenset[Asked] = frozenset()
    costs: dict[Asked, int] = field(default_factory=dict)
    doubts: Counter[Asked] = field(default_factory=Counter)
    reserved: int = 0
    charged: int = 0


def held(project: Project, scratch: Path) -> Held:
    """What the ledger of a project holds, read from a copy: to open it would change what a kill has left."""
    shutil.rmtree(scratch, ignore_errors=True)
    if not (project.folder / ".solon" / "ledger.sqlite").exists():
        return Held()
    shutil.copytree(project.folder / ".solon", scratch)
    path = scratch / "ledger.sqlite"
    shown = CliRunner().invoke(app, ["ledger", "show", "--ledger", str(path), "--json"])
    assert shown.exit_code == 0, shown.output
    listed = json.loads(shown.stdout)["in_doubt"]
    with closing(sqlite3.connect(path)) as ledger:
        rows = ledger.execute("SELECT * FROM replies").fetchall()
        answered = {key: asked_in(json.loads(request)) for key, request in ledger.execute(_REPLIES)}
        sent = {key: asked_in(json.loads(request)) for key, request in ledger.execute("SELECT key, request FROM sent")}
        costs = {answered[key]: cost for key, cost in ledger.execute("SELECT key, nano_usd FROM replies")}
        (charged,) = ledger.execute("SELECT SUM(spent_nano_usd + reserved_nano_usd) FROM budgets").fetchone()
    return Held(
        {str(row[0]): row for row in rows},
        frozenset(answered.values()),
        costs,
        Counter(sent[one["key"]] for one in listed),
        sum(round(one["reserved_usd"] * 1e9) for one in listed),
        charged or 0,
    )


_REPLIES = "SELECT key, request FROM replies"


@dataclass
class Paid:
    """Watches a stage that asks a server with so many calls at once, from kill to kill.

    Attributes:
        again: how many calls each kill lost, which is how many had to be asked again because of it.
        replies: of the server, recorded before the last kill of a run, over all runs.
        doubts: listed at the end of a run, over all runs.
        in_doubt: what they are charged, in dollars.
    """

    server: FaultServer
    at_once: int
    scratch: Path
    again: list[int] = field(default_factory=list)
    replies: int = 0
    doubts: int = 0
    in_doubt: float = 0.0

    def __post_init__(self) -> None:
        self._from = 0
        self._begin()

    def _begin(self) -> None:
        self._known: Held = Held()
        self._run: list[Asked] = []
        self._lost = 0

    async def look(self, project: Project, ended: bool) -> None:
        """After every attempt; ``ended`` when the stage has come to its end."""
        await everything_has_arrived(self.server)
        now = held(project, self.scratch)
        asked = [asked_in(one.body) for one in self.server.requests[self._from :]]
        self._from = len(self.server.requests)
        self._run += asked
        # every reply is there as it was written, with its times, and nobody was asked for it
        assert {key: now.replies.get(key) for key in self._known.replies} == self._known.replies
        assert self._known.recorded.isdisjoint(asked)
        # what the server was asked and did not answer to the ledger is listed as in doubt
        lost = Counter(asked) - Counter(one for one in now.recorded if one not in self._known.recorded)
        assert lost <= now.doubts
        assert self._known.doubts <= now.doubts
        # and whatever the server may have billed is charged
        assert now.charged >= sum(now.costs.values()) + now.reserved
        if not ended:
            assert lost.total() <= self.at_once  # those on the network: what has come is noted
            assert sum((now.doubts - self._known.doubts).values()) <= AHEAD * self.at_once
            self.again.append(lost.total())
            self._lost += lost.total()
            self._known = now
            return
        assert not lost
        assert now.doubts == self._known.doubts
        assert now.recorded.issuperset(self._run)
        assert len(self._run) == len(set(self._run)) + self._lost
        assert now.charged == sum(now.costs.values()) + now.reserved
        assert now.charged >= sum(now.costs[one] for one in self._run)
        self.replies += len(self._known.recorded.intersection(self._run))
        self.doubts += now.doubts.total()
        self.in_doubt += now.reserved / 1e9
        self._begin()

    def said(self) -> str:
        """The figures."""
        mean = sum(self.again) / len(self.again)
        how = f"with {self.at_once} at once of {1000 * self.server._latency_s:.0f} ms"
        return (
            f"0 of {self.replies:,} replies lost, 0 of them asked again; asked again because of a kill: at most "
            f"{max(self.again)} (mean {mean:.1f}) {how}; {self.doubts:,} in doubt, all listed and charged "
            f"(${self.in_doubt:.4f})"
        )


async def everything_has_arrived(server: FaultServer) -> None:
    """Waits until the server has read all that those who are gone had sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.root.rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    await reader.read()  # whoever came before was let in before
    writer.close()
    await writer.wait_closed()
    assert server._runner is not None
    assert server._runner.server is not None
    while server._runner.server.connections:  # noqa: ASYNC110 - it tells nobody when there are none
        await asyncio.sleep(0.01)
