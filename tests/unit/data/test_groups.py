"""Records are gathered by name on disk and read back in order, and nothing is left behind."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from solon.data.groups import CACHE_KIB, Groups
from solon.data.records import Completion, Prompt
from solon.errors import StorageError


def test_groups_come_in_the_order_in_which_they_were_begun(tmp_path):
    """And records in the order in which they were put, whatever lies between; as often as they are read."""
    numbers = list(range(60))
    Random(0).shuffle(numbers)
    with Groups.open(tmp_path / "index", Prompt) as groups:
        for number in numbers:
            groups.put(groups.begun(f"group {number % 7}"), Prompt.of(str(number)))
        assert len(groups) == 7
        order = list(dict.fromkeys(number % 7 for number in numbers))
        expected = [[str(number) for number in numbers if number % 7 == group] for group in order]
        for _ in range(2):
            assert [[record.text for record in records] for records in groups] == expected


def test_a_group_may_have_more_than_one_name_and_records_of_more_than_one_type(tmp_path):
    """A conversation is found by each of its prompts; also half of a surrogate pair comes back as it was."""
    with Groups.open(None, Prompt, Completion) as groups:
        group = groups.begun("conversation")
        groups.name("prompt", group)
        assert (groups.find("prompt"), groups.find("other"), groups.begun("prompt")) == (group, None, group)
        records = [Prompt.of("half \ud83d"), Completion(text="x", model="m")]
        for record in records:
            groups.put(group, record)
        assert list(groups) == [records]


def test_nothing_is_written_that_fits_into_the_cache_and_nothing_is_left(tmp_path):
    """Small data never touch the disk; a killed run's file is taken away by the next."""
    path = tmp_path / "index"
    path.write_bytes(b"left behind by a killed run")
    with Groups.open(path, Prompt) as groups:
        groups.put(groups.begun("a"), Prompt.of("a" * 1000))
        assert path.stat().st_size == 0
        for number in range(2 * CACHE_KIB):
            groups.put(groups.begun(str(number)), Prompt.of("a" * 1000))
        assert path.stat().st_size > CACHE_KIB * 1024
        assert sum(len(records) for records in groups) == 2 * CACHE_KIB + 1
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_is_named(tmp_path):
    """And not blamed on the data."""
    import resource

    path = tmp_path / "index"

    def fill(groups: Groups) -> None:
        for number in range(2 * CACHE_KIB):
            groups.put(groups.begun(str(number)), Prompt.of("a" * 1000))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Groups.open(path, Prompt) as opened:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        try:
            with pytest.raises(StorageError, match=rf"cannot write {path}, which gathers what belongs") as caught:
                fill(opened)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert not Path(path).exists()
