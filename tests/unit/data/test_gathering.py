"""Few rows wait in memory, many on disk; what comes back is the same."""

from __future__ import annotations

import tracemalloc

import pytest

from solon.data.gathering import HELD, Gathering
from solon.data.records import Candidates, Completion, Prompt


def row(prompt: str, response: str) -> Candidates:
    return Candidates(prompt=Prompt.of(prompt), completions=(Completion(text=response, model="m"),))


@pytest.mark.parametrize("sizes", [(10, 10, 10, 10), (10, HELD, 10, 10), (HELD, 10, HELD, 10)])
def test_rows_come_by_prompt_whether_they_wait_in_memory_or_on_disk(tmp_path, sizes):
    """Prompts in the order of their first rows, rows in theirs; also those of a prompt that begins before the move."""
    rows = [row(f"prompt {number % 2}", f"{number}" * size) for number, size in enumerate(sizes)]
    with Gathering.open(tmp_path / "index") as gathered:
        for one in rows:
            gathered.add(one)
        for _ in range(2):
            assert list(gathered) == [[rows[0], rows[2]], [rows[1], rows[3]]]
        assert len(gathered) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_waits_in_memory_is_bounded(tmp_path):
    """By about what it says, whether rows are mostly text or not; on their way to the disk they are there twice."""
    for length in (1, 20_000):
        with Gathering.open(tmp_path / "index") as gathered:
            tracemalloc.start()
            try:
                for number in range(HELD // (2_000 + length)):
                    gathered.add(row(str(number), str(number % 10) * length))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert HELD / 4 < peak < HELD * 1.5


@pytest.mark.parametrize(("letter", "reference"), [("a", "r" * 20_000), ("漢", None), ("🙂", None)])
def test_what_waits_in_memory_is_bounded_whatever_it_is_made_of(tmp_path, letter, reference):
    """A letter takes up to four bytes, and a reference answer may be longer than what is judged by it."""
    with Gathering.open(tmp_path / "index") as gathered:
        tracemalloc.start()
        try:
            for number in range(3000):
                prompt = Prompt.of(str(number), reference=reference and f"{number}{reference}")
                response = Completion(text=f"{number}" + letter * 4000, model="m")
                gathered.add(Candidates(prompt=prompt, completions=(response,)))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < HELD * 2.5
