"""A damaged ledger is found when it is opened, left as it is, and what is sound of it is salvaged."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from damaging import HOPELESS, SALVAGEABLE, Damage
from full_disk import mounted
from solon.data.records import Message
from solon.errors import StorageError
from solon.ledger import Answered, Budget, Call, Ledger, Sent
from solon.ledger.salvaging import Salvaged, Saved, salvage
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted
from solon.stream import Stream, ask

QUESTIONS, UNDER_WAY = 600, 3
CAP = 5.0
ROWS_OF_A_PAGE = 8
"""At most: a request and its reply have a thousand bytes or more."""
LEFT = "is damaged or no ledger; it is left as it is: `solon ledger salvage .* NEW` writes|is empty, and was not"


def judge() -> Scripted:
    """Long replies, short ones, and some that fill pages of their own; each other than all others."""
    return Scripted(answer=verdict, over_a_network=True, price=Price(input=1, output=3), concurrency=16, model="judge")


def verdict(request: Request) -> str:
    number = int(request.messages[0].content.split()[0])
    return f"JUDGE:{number}:" + f"{number} is odd. " * (number % 7) * (60 if number % 40 == 3 else 1)


def question(number: int) -> Request:
    text = f"{number} " + "to be compared " * (number % 20) * (50 if number % 50 == 1 else 1)
    return Request(messages=(Message(role="user", content=text),), max_tokens=64)


def stage(path: Path) -> tuple[dict[int, str], int]:
    """Every question's answer, and how many were asked anew."""
    model = judge()

    async def asked(ledger: Ledger) -> dict[int, str]:
        async with Stream(ledger, run="r", stage="label", max_usd=CAP) as stream:

            async def deed(number: int) -> str:
                return (await ask(model, question(number))).text

            return {number: text async for number, text in stream.map(deed, range(QUESTIONS), window=64)}

    with Ledger.open(path) as ledger:
        return asyncio.run(asked(ledger)), len(model.seen)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A ledger with 600 replies, and three calls whose process has ended."""
    path = tmp_path_factory.mktemp("sound") / "ledger.sqlite"
    stage(path)
    with Ledger.open(path) as ledger:
        calls = [Call.of(judge(), question(QUESTIONS + number), run="r", stage="label") for number in range(UNDER_WAY)]
        ledger.apply([Sent(call, 1000, (Budget("run r", CAP),)) for call in calls])
    return path.read_bytes()


def assert_spent_is_no_less_than_what_was_saved(path: Path) -> None:
    """In the books, to the nano-dollar."""
    with closing(sqlite3.connect(path)) as connection:
        (cost,) = connection.execute("SELECT SUM(nano_usd) FROM replies").fetchone()
        (spent,) = connection.execute("SELECT spent_nano_usd FROM budgets WHERE name = 'run r'").fetchone()
    assert spent >= cost > 0


def refused(path: Path) -> None:
    """It is found when the ledger is opened, and file and folder are left as they are."""
    before = {one.name: one.read_bytes() for one in path.parent.iterdir() if one.is_file()}
    with pytest.raises(StorageError, match=LEFT):
        Ledger.open(path)
    assert {one.name: one.read_bytes() for one in path.parent.iterdir() if one.is_file()} == before


@pytest.mark.reliability("ledger-damage")
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_damage_is_found_and_salvaged_and_only_what_was_lost_is_asked_again(
    sound: bytes, full: bool, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """The whole way of a user: the run is refused, the ledger salvaged, the new one put in its place, the run goes on.

    It then has the same judgments as before the damage, and has asked for those alone that the salvage said were lost.
    """
    path, new = tmp_path / "ledger.sqlite", tmp_path / "new.sqlite"
    path.write_bytes(sound)
    answers, anew = stage(path)
    assert anew == 0
    count: Counter[str] = Counter()
    for seed in range(10 if full else 1):
        for damage in (*SALVAGEABLE, *HOPELESS):
            data = bytearray(sound)
            damage(data, Random(f"{damage.__name__}:{seed}"))
            path.write_bytes(data)
            refused(path)
            count["damages"] += 1
            if damage in HOPELESS:
                with pytest.raises(StorageError, match="is sound, or it never was a ledger: it is left as it is"):
                    salvage(path, new)
                assert not new.exists()
                continue
            saved = salvage(path, new)
            assert path.read_bytes() == data
            lost = checked(saved, new, answers, damage)
            new.replace(path)
            assert stage(path) == (answers, lost), damage.__name__
            count["salvaged"] += 1
            count["saved"] += saved.replies.saved
            count["lost"] += lost
    share = count["saved"] / (count["saved"] + count["lost"])
    assert share > 0.85
    figure(
        f"{count['damages']} damages: {count['damages']} found, 0 rebuilt; {count['salvaged']} gave back "
        f"{share:.1%} of the replies, 0 wrong; asked again: the {count['lost']:,} lost"
    )


def checked(saved: Salvaged, new: Path, answers: dict[int, str], damage: Damage) -> int:
    """How many replies are lost: as many as the salvage says. None of those that it saved is another one."""
    with Ledger.open(new) as ledger:
        entries = list(ledger.entries())
        doubts = ledger.in_doubt()
    right = {question(number).written(): text for number, text in answers.items()}
    assert all(right[entry.request.written()] == entry.reply.text for entry in entries), damage.__name__
    lost = len(answers) - len(entries)
    assert saved.replies.saved == len(entries)
    # where not even the index can be read whole nobody knows of the last ones; the salvage says that more may be lost
    unknown = lost if damage.__name__ == "truncated" else ROWS_OF_A_PAGE if saved.broken else 0
    assert lost - unknown <= saved.replies.lost <= lost
    assert saved.calls.saved == len(doubts)
    if not saved.broken:
        assert (saved.models.saved, saved.calls.saved, saved.budgets.saved) == (1, UNDER_WAY, 1)
    assert_spent_is_no_less_than_what_was_saved(new)
    return lost


@pytest.mark.reliability("ledger-damage")
def test_a_log_that_a_killed_process_left_is_salvaged_too(sound: bytes, tmp_path: Path) -> None:
    """What was committed last stands in it alone. File and log stay byte for byte as they are, when refused too."""
    path, live = tmp_path / "killed" / "ledger.sqlite", tmp_path / "live.sqlite"
    path.parent.mkdir()
    live.write_bytes(sound)
    last = Call.of(judge(), question(QUESTIONS), run="r")
    with Ledger.open(live) as ledger:
        ledger.apply([Answered.of(last, Reply(text="the last"), 1e-6, sent_at=1.0)])
        for ending in ("", "-wal"):
            shutil.copy(f"{live}{ending}", f"{path}{ending}")
    data = bytearray(path.read_bytes())
    data[8192:16384] = bytes(8192)
    path.write_bytes(data)
    before = [Path(f"{path}{ending}").read_bytes() for ending in ("", "-wal")]
    with pytest.raises(StorageError, match=LEFT):
        Ledger.open(path)
    done = salvage(path, tmp_path / "new.sqlite")
    assert [Path(f"{path}{ending}").read_bytes() for ending in ("", "-wal")] == before
    assert done.replies.saved + done.replies.lost == QUESTIONS + 1
    with Ledger.open(tmp_path / "new.sqlite") as ledger:
        found = ledger.get(last.key)
    assert found is not None
    assert found.text == "the last"


@pytest.mark.slow
@pytest.mark.reliability("ledger-damage", "disk-full")
def test_a_salvage_on_a_full_disk_leaves_nothing_and_with_room_for_it_once_it_is_done(
    sound: bytes, tmp_path: Path
) -> None:
    """What SQLite holds back in a log when it is closed on a full disk, it does not tell: no half a ledger may be left.

    A new ledger needs its own room and little more, and not that of a log too.
    """
    path, folder = tmp_path / "ledger.sqlite", tmp_path / "disk"
    path.write_bytes(sound)
    with mounted(folder, "20M") as disk:
        needed = -(-len(sound) // disk.page)
        new = folder / "new.sqlite"
        for pages in (0, 2, needed // 4, needed // 2, needed - 10):
            disk.leave(pages)
            with pytest.raises(StorageError, match="the disk is full"):
                salvage(path, new)
            assert [one.name for one in folder.iterdir()] == ["filler"]
        disk.leave(needed + needed // 4)
        assert salvage(path, new).replies == Saved(QUESTIONS)
        disk.make_room()
        with Ledger.open(new) as ledger:
            assert len(list(ledger.entries())) == QUESTIONS
    assert path.read_bytes() == sound
