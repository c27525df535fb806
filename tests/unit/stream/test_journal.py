"""Groups of changes: who waits for whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from solon.ledger.rows import Change, Dropped, Outcome, Ticket
from solon.stream import journal
from solon.stream.journal import Journal

FOR_EVER_S = 10_000.0


class Held:
    """A ledger whose first group takes until the test lets it go."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.at_work, self.let = threading.Event(), threading.Event()

    def apply(self, changes: Sequence[Change]) -> list[Outcome]:
        """Writes a group."""
        self.groups.append([change.ticket.id for change in changes if isinstance(change, Dropped)])
        if len(self.groups) == 1:
            self.at_work.set()
            self.let.wait(60)
        return [None] * len(changes)


def dropped(number: int) -> Dropped:
    return Dropped(Ticket(number, 0))


@pytest.mark.parametrize("hurried", [True, False])
async def test_who_hurries_while_a_group_is_written_does_not_wait_for_more(
    hurried: bool, monkeypatch: pytest.MonkeyPatch
):
    """The last replies of a stage came while the group before them was written, and waited for replies to come."""
    monkeypatch.setattr(journal, "LONGEST_LINGER_S", FOR_EVER_S)
    monkeypatch.setattr(journal, "LINGER_S", FOR_EVER_S)
    ledger = Held()
    writer = Journal(ledger)  # type: ignore[arg-type]
    first = writer.write(dropped(1))
    await asyncio.to_thread(ledger.at_work.wait, 60)
    second = writer.write(dropped(2))
    if hurried:
        writer.hurry()
    ledger.let.set()
    await first
    if not hurried:
        await asyncio.sleep(0.05)
        assert not second.done()
        writer.hurry()
    await asyncio.wait_for(second, 60)
    await writer.settle()
    assert ledger.groups == [[1], [2]]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_one_hurry_is_for_one_group(turns: int, monkeypatch: pytest.MonkeyPatch):
    """Or each change after it would go alone, and wait for the disk alone.

    Args:
        turns: of the loop, after which a second one hurries, who may come along with the first.
    """
    monkeypatch.setattr(journal, "LONGEST_LINGER_S", FOR_EVER_S)
    monkeypatch.setattr(journal, "LINGER_S", FOR_EVER_S)
    ledger = Held()
    ledger.let.set()
    writer = Journal(ledger)  # type: ignore[arg-type]
    writer.write(dropped(1))
    writer.hurry()
    for _ in range(turns):
        await asyncio.sleep(0)
    writer.write(dropped(1))
    writer.hurry()
    await writer.settle()
    writer.hurry()  # with nothing to write, for nobody
    later = [writer.write(dropped(number)) for number in (2, 3)]
    await asyncio.sleep(0.05)
    assert not any(one.done() for one in later)
    writer.hurry()
    await writer.settle()
    assert [number for group in ledger.groups[:-1] for number in group] == [1, 1]
    assert ledger.groups[-1] == [2, 3]
