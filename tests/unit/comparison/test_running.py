"""How many entries train at a time, who goes first, and whose misfortune a failure is."""

from __future__ import annotations

import errno
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from solon.comparison import running
from solon.comparison.entries import Entry
from solon.comparison.processes import Ended
from solon.comparison.running import at_once, run_all
from solon.errors import BudgetReached, DataError, PromptTooLong, SolonError
from solon.progress import Silent
from solon.recipe import Opened, Recipe
from solon.trainers.backends import GPU, Machine

LABEL = {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}}


def _entry(name: str = "dpo", threads: int | None = None, **more: Any) -> Entry:
    data: dict[str, Any] = {
        "constitution": "c.yaml",
        "prompts": "p.jsonl",
        "policy": {"model": "m", "threads": threads},
        "label": LABEL,
        **more,
    }
    return Entry(name, Opened(Recipe.model_validate(data), Path("recipe.yaml"), data, entry=name))


def _labels_later(name: str) -> Entry:
    """Its first phase rewards its completions, and its second has responses labeled."""
    grpo = {"train": {"kind": "grpo", "max_new_tokens": 8}}
    phases = {"grpo": grpo, "dpo": {"train": {"kind": "dpo"}}}
    return _entry(name, phases=phases)


@pytest.mark.parametrize(
    ("threads", "cores", "expected"), [(1, 4, 3), (2, 4, 2), (4, 4, 1), (8, 4, 1), (None, 4, 1), (1, 2, 2)]
)
def test_a_policy_s_threads_say_how_many_the_cores_carry(
    threads: int | None, cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that states none takes all cores; never more than there are entries."""
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert at_once([_entry(threads=threads)] * 3, Machine()) == expected


def test_the_entry_with_the_most_threads_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry may have a policy of its own."""
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert at_once([_entry(threads=1), _entry("other", threads=2)], Machine()) == 2


def test_each_entry_has_a_gpu_to_itself() -> None:
    """Two on one card would take each other's memory."""
    cards = tuple(GPU(name="card", gib=24.0) for _ in range(2))
    assert at_once([_entry(threads=1)] * 5, Machine(gpus=cards)) == 2
    assert at_once([_entry(threads=1)] * 5, Machine(gpus=cards[:1])) == 1


def test_an_entry_that_trains_in_several_processes_trains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has all cards, or all cores."""
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    cards = tuple(GPU(name="card", gib=24.0) for _ in range(4))
    both = [_entry(threads=1), _entry("two", threads=1, train={"kind": "dpo", "processes": 2})]
    assert at_once(both[:1] * 2, Machine(gpus=cards)) == 2
    assert at_once(both, Machine(gpus=cards)) == 1
    assert at_once(both, Machine()) == 1


class _Ran:
    """Stands in for the pipeline: what was asked of it, and what it raises for whom."""

    def __init__(self, **raises: Exception) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.raises = raises

    def __call__(self, opened: Opened, run_dir: Path, **told: Any) -> Path:
        self.asked.append((opened.entry, told.get("until")))
        if error := self.raises.get(opened.entry):
            raise error
        return run_dir


def _failures(
    entries: Sequence[Entry], folder: Path, jobs: int, ran: _Ran, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    def all_end_well(entries: Sequence[Entry], run_dir: Path, jobs: int) -> Generator[Ended, None, None]:
        for entry in entries:
            yield Ended(entry)

    monkeypatch.setattr(running, "run", ran)
    monkeypatch.setattr(running, "side_by_side", all_end_well)
    return dict(run_all(entries, folder, jobs, Silent()))


@pytest.mark.parametrize("error", [DataError("no prompts"), ValueError("odd")], ids=["ours", "foreign"])
def test_the_first_entry_s_own_misfortune_with_the_data_does_not_end_the_others(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells it itself, and the next entry that labels makes the data."""
    ran = _Ran(bad=error)
    entries = [_entry("bad"), _entry("good"), _entry("third")]
    assert _failures(entries, tmp_path, 2, ran, monkeypatch) == {}
    assert ran.asked == [("bad", "build"), ("good", "build")]


def test_what_would_befall_all_ends_the_comparison_with_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget that is reached is everyone's."""
    ran = _Ran(one=BudgetReached("the cap"))
    with pytest.raises(BudgetReached, match="the cap"):
        _failures([_entry("one"), _entry("two")], tmp_path, 2, ran, monkeypatch)


def test_an_entry_that_labels_in_a_later_phase_makes_no_data_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first phase would train before it labels."""
    ran = _Ran()
    _failures([_labels_later("late"), _labels_later("later")], tmp_path, 2, ran, monkeypatch)
    assert ran.asked == []
    _failures([_labels_later("late"), _entry("dpo")], tmp_path, 2, ran, monkeypatch)
    assert ran.asked == [("dpo", "build")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DataError("no prompts"), "no prompts"),
        (PromptTooLong("9000 tokens"), "9000 tokens"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
    ids=["ours", "prompt", "foreign"],
)
def test_an_entry_s_own_misfortune_is_named_and_the_next_one_runs(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other as side by side: whatever it raises."""
    ran = _Ran(bad=error)
    assert _failures([_entry("bad"), _entry("good")], tmp_path, 1, ran, monkeypatch) == {"bad": said}
    assert ran.asked == [("bad", None), ("good", None)]
    assert (tmp_path / ".comparing" / "bad" / "log").exists() is not isinstance(error, SolonError)


def test_a_full_disk_ends_the_comparison_one_after_the_other_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of its own says the same of it."""
    ran = _Ran(one=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(SolonError, match=r"cannot write what the training keeps.*make room"):
        _failures([_entry("one"), _entry("two")], tmp_path, 1, ran, monkeypatch)
    assert ran.asked == [("one", None)]


def test_an_interrupt_is_nobody_s_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the comparison."""

    def interrupted(*_: Any, **__: Any) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_all([_entry("one")], tmp_path, 1, Silent())
