"""What somebody says in a view: what the file holds then, whoever else adds to it, and whatever happens to it."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from solon.data.people import Act, first_impressions, read_acts, standing
from solon.errors import DataError, StorageError
from solon.labelers.human import Human
from solon.viewing.appending import append
from solon.viewing.verdicts import Refused
from viewed import many_verdicts, rating_run, small_run, verdicts_of


def rows(run: Path) -> list[dict[str, object]]:
    """The file, a row a line."""
    return [json.loads(line) for line in (run / "human.jsonl").read_text().splitlines()]


def test_a_verdict_is_a_row_that_the_human_labeler_reads(tmp_path: Path) -> None:
    """What was shown first is response_a, and A is that one; the judge's own labeler needs no other file."""
    run = small_run(tmp_path)
    verdicts = verdicts_of(run)
    item = verdicts.collection.index.item(1)
    shown = [verdicts.collection.index.completion(name).text for name in verdicts.order(item)]
    verdicts.say(1, "first", note=" clear ")
    (row,) = rows(run)
    assert [row[key] for key in ("response_a", "response_b", "preferred", "principle", "annotator", "note")] == [
        *shown, "A", "kind", "ann", "clear",
    ]  # fmt: skip
    read = Human(file=str(run / "human.jsonl")).verdicts()
    assert [(one.responses, one.value) for one in read.verdicts] == [(tuple(shown), 1.0)]


def test_a_change_of_mind_is_a_new_line_and_the_labeler_reads_the_last(tmp_path: Path) -> None:
    """Both lines stay. One verdict counts: the second; none after it was taken back, and the third's is another's."""
    run = small_run(tmp_path)
    verdicts = verdicts_of(run)
    verdicts.say(1, "first")
    verdicts.say(1, "second")
    verdicts.say(2, "tie")
    assert [one.value for one in Human(file=str(run / "human.jsonl")).verdicts().verdicts] == [0.0, 0.5]
    assert verdicts.undo() == 2
    assert verdicts.undo() == 1
    verdicts_of(run, "bob").say(1, "both_bad")
    read = Human(file=str(run / "human.jsonl")).verdicts()
    assert [(one.annotator, one.value) for one in read.verdicts] == [("bob", 0.5)]
    assert read.blank == 2
    assert len(rows(run)) == 6


def test_undo_without_a_verdict_says_so_and_writes_nothing(tmp_path: Path) -> None:
    """Nor does it take back another person's."""
    run = small_run(tmp_path)
    verdicts_of(run, "bob").say(1, "first")
    with pytest.raises(Refused, match="no verdict of yours"):
        verdicts_of(run).undo()
    assert len(rows(run)) == 1


def test_a_verdict_is_blind_until_the_judges_was_shown(tmp_path: Path) -> None:
    """In whichever view, and also after it was taken back: what was said first is what agreement is measured on."""
    run = small_run(tmp_path)
    verdicts = verdicts_of(run)
    verdicts.say(1, "first")
    verdicts.say(1, "reveal")
    verdicts_of(run).say(1, "second")
    verdicts.undo()
    verdicts.say(1, "tie")
    verdicts_of(run, "bob").say(1, "second")
    acts = list(read_acts(run / "human.jsonl"))
    assert [act.blind for act in acts] == [True, True, False, False, False, True]
    assert [act.said for act in first_impressions(acts).values()] == ["first", "second"]
    assert [act.said for act in standing(acts).values()] == ["tie", "second"]


def test_a_view_that_is_open_is_never_blind(tmp_path: Path) -> None:
    """Nor is what the same person says later in a view that is."""
    run = small_run(tmp_path)
    verdicts_of(run, blind=False).say(1, "first")
    verdicts_of(run).say(1, "second")
    assert [act.blind for act in read_acts(run / "human.jsonl")] == [False, False]


def test_what_is_drawn_at_random_is_told_from_what_is_chosen(tmp_path: Path) -> None:
    """Three of six drawn by a seed: the same three each time, others by another seed, and each line says so."""
    run = small_run(tmp_path)

    def drawn(seed: int) -> list[str]:
        verdicts = verdicts_of(run, sample=3, seed=seed)
        assert verdicts.collection.drawn is not None
        query = "SELECT id FROM item WHERE drawn <= ? ORDER BY drawn"
        return [
            name for (name,) in verdicts.collection.index.connection.execute(query, (verdicts.collection.drawn[0],))
        ]

    assert len(drawn(0)) == 3
    assert drawn(0) == drawn(0)
    assert len({tuple(drawn(seed)) for seed in range(8)}) > 4
    verdicts = verdicts_of(run, sample=3)
    for place in range(1, 7):
        verdicts.say(place, "first")
    acts = list(read_acts(run / "human.jsonl"))
    assert {act.item for act in acts if act.drawn is not None} == set(drawn(0))
    assert {act.drawn.of for act in acts if act.drawn is not None} == {6}


def test_which_side_is_shown_first_is_drawn_and_stays(tmp_path: Path) -> None:
    """Of 6 questions and 20 people, about half are turned; each the same in every view of theirs."""
    verdicts = [verdicts_of(small_run(tmp_path / "run"), f"person {number}") for number in range(20)]
    turned = [
        one.order(item) != item.options for one in verdicts for item in map(one.collection.index.item, range(1, 7))
    ]
    assert 40 < sum(turned) < 80
    assert verdicts_of(tmp_path / "run", "person 3").order(verdicts[3].collection.index.item(1)) == verdicts[3].order(
        verdicts[3].collection.index.item(1)
    )


def test_ratings_are_scores_on_the_scale_and_nothing_else(tmp_path: Path) -> None:
    """6 of 5, a side of one, and no score at all are refused; 4.5 is not."""
    run = rating_run(tmp_path)
    verdicts = verdicts_of(run)
    for said, score in (("score", 6), ("score", None), ("first", None), ("tie", None)):
        with pytest.raises(Refused):
            verdicts.say(1, said, score=score)  # type: ignore[arg-type]
    verdicts.say(1, "score", score=4.5)
    assert [(one.responses, one.value) for one in Human(file=str(run / "human.jsonl")).verdicts().verdicts] == [
        (("answer 0",), 4.5)
    ]


@pytest.mark.parametrize("by", ["ann", "bob"])
@pytest.mark.parametrize("said", ["verdict", "reveal"])
def test_a_file_holds_comparisons_or_ratings_and_never_both(tmp_path: Path, by: str, said: str) -> None:
    """The labels are others than those that somebody judged: the labeler `human` would refuse the file."""
    run = rating_run(tmp_path)
    verdicts_of(run, by).say(
        1, *(("score",) if said == "verdict" else ("reveal",)), score=3 if said == "verdict" else None
    )
    before = (run / "human.jsonl").read_bytes()
    verdicts = verdicts_of(small_run(tmp_path))
    for word in ("first", "skip", "reveal"):
        with pytest.raises(Refused, match=r"human\.jsonl holds verdicts of another kind.*move it away"):
            verdicts.say(1, word)  # type: ignore[arg-type]
    assert (run / "human.jsonl").read_bytes() == before
    (run / "human.jsonl").rename(tmp_path / "ratings.jsonl")
    verdicts.say(1, "first")
    assert Human(file=str(run / "human.jsonl")).verdicts().compares


@pytest.mark.slow
def test_views_at_the_same_time_lose_no_verdict(tmp_path: Path) -> None:
    """Four processes, 30 verdicts each: 120 whole lines, each process's in its order."""
    run = small_run(tmp_path)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=many_verdicts, args=(run, f"person-{number}", 30)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    acts = list(read_acts(run / "human.jsonl"))
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    for number in range(4):
        said = [act.note.split()[1] for act in acts if act.annotator == f"person-{number}"]
        assert said == [str(place) for place in range(30)]


def test_what_a_crash_left_of_a_line_is_cut_off_and_a_missing_line_feed_is_added(tmp_path: Path) -> None:
    """A torn line was never acknowledged; a last line that an editor left open is a line."""
    run = small_run(tmp_path)
    verdicts_of(run).say(1, "first")
    whole = (run / "human.jsonl").read_bytes()
    (run / "human.jsonl").write_bytes(whole + whole[: len(whole) // 2])
    verdicts_of(run).say(2, "second")
    (run / "human.jsonl").write_bytes((run / "human.jsonl").read_bytes().rstrip(b"\n"))
    verdicts_of(run).say(3, "tie")
    assert [act.said for act in read_acts(run / "human.jsonl")] == ["first", "second", "tie"]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a line that was written before the disk was full is taken away again."""
    run = small_run(tmp_path)
    verdicts_of(run).say(1, "first")
    before = (run / "human.jsonl").read_bytes()
    written = os.write

    def half(descriptor: int, content: bytes) -> int:
        if len(content) < 40:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(descriptor, content[:-20])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(StorageError, match="verdicts in it are untouched"):
        append(run / "human.jsonl", lambda: {"verdict": "x" * 100})
    monkeypatch.undo()
    assert (run / "human.jsonl").read_bytes() == before


def test_a_line_that_is_no_verdict_is_an_error_with_its_file(tmp_path: Path) -> None:
    """It is never skipped, and never written over."""
    run = small_run(tmp_path)
    (run / "human.jsonl").write_text('{"prompt": "what?"}\n')
    with pytest.raises(
        DataError, match=r"human\.jsonl:1: not a line of `solon view` at 'item'.*call a file of your own otherwise"
    ):
        verdicts_of(run)


def test_a_text_with_half_of_a_surrogate_pair_is_kept_as_it_is(tmp_path: Path) -> None:
    """Some servers send it; a verdict on it must match it."""
    act = Act.About(prompt="p", options=("a", "b"))
    written = append(tmp_path / "human.jsonl", lambda: {"text": "\ud83d", "about": act.model_dump(mode="json")})
    assert written is not None
    assert json.loads((tmp_path / "human.jsonl").read_text())["text"] == "\ud83d"
