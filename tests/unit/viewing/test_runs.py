"""Runs that are looked at while they change: what is read on, what is read anew, and what cannot be looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from solon.errors import DataError
from solon.viewing.collections import Viewed
from solon.viewing.filters import Filters, found
from solon.viewing.server import Server
from solon.viewing.verdicts import Refused
from viewed import both_orders, candidates, small_run, verdicts_of, write_run


def test_a_run_at_work_is_shown_so_far_and_read_on(tmp_path: Path) -> None:
    """Half of a line waits for the rest; the second order joins the first; then the file takes its name."""
    one = candidates(0, ("a", "b"))
    run = write_run(tmp_path, [one], [])
    (run / "judgments.jsonl").unlink()
    lines = [f"{judgment.model_dump_json()}\n" for judgment in both_orders(one, 0.9, 0.1)]
    partial = run / ".judgments.jsonl.partial"
    partial.write_text(lines[0] + lines[1][:50])
    collection = verdicts_of(run).collection
    assert collection.partial
    assert (len(collection.index), collection.index.lean(1)) == (1, None)
    with partial.open("a") as file:
        file.write(lines[1][50:])
    assert collection.refresh()
    assert (len(collection.index), len(list(collection.index.judgments(1)))) == (1, 2)
    assert list(found(collection, Filters(state="orders"), blind=True)) == [1]
    partial.rename(run / "judgments.jsonl")
    assert not collection.refresh()
    (run / "judgments.jsonl").write_text(lines[0])
    assert collection.refresh()
    assert len(list(collection.index.judgments(1))) == 1


def test_what_was_read_stays_while_there_are_no_judgments(tmp_path: Path) -> None:
    """They are moved away before the first new one is there."""
    run = small_run(tmp_path)
    collection = verdicts_of(run).collection
    (run / "judgments.jsonl").rename(run / "previous.jsonl")
    assert not collection.refresh()
    assert len(collection.index) == 6


def test_a_view_that_reads_anew_keeps_what_was_said(tmp_path: Path) -> None:
    """The run labelled again in between: the verdict on the same two is still there."""
    run = small_run(tmp_path)
    server = Server(Viewed(run, annotator="ann"))
    server._say({"place": 1, "said": "first"})
    (run / "judgments.jsonl").write_text("".join((run / "judgments.jsonl").read_text().splitlines(keepends=True)[:2]))
    assert server._refresh({})["items"] == 1
    assert server._item({"place": 1})["mine"]["said"] == "first"
    assert server._rows({"list": server._list({})["list"], "from": 0, "count": 9})["rows"][0]["said"] == "first"


def test_a_line_that_is_no_judgment_is_an_error_until_it_is_mended(tmp_path: Path) -> None:
    """Nothing of what came with it is left out then; and what was read before can be looked at meanwhile."""
    given = [candidates(number, (f"red {number}", f"blue {number}")) for number in range(3)]
    run = write_run(tmp_path, given, both_orders(given[0], 1, 1))
    collection = verdicts_of(run).collection
    more = "".join(f"{each.model_dump_json()}\n" for one in given[1:] for each in both_orders(one, 1, 1))
    with (run / "judgments.jsonl").open("a") as file:
        file.write(more + '{"prompt": 1}\n')
    for _ in range(2):
        with pytest.raises(DataError, match=r"judgments\.jsonl:7: not a Judgment"):
            collection.refresh()
        assert collection.index.item(1).prompt == given[0].prompt.id
    with (run / "judgments.jsonl").open("r+") as file:
        file.truncate((run / "judgments.jsonl").stat().st_size - len('{"prompt": 1}\n'))
    assert collection.refresh()
    assert len(collection.index) == 3


def test_other_judgments_in_the_same_file_are_told_from_more_of_them(tmp_path: Path) -> None:
    """A run that was killed and begins anew writes over what it left, and may be further by the next look."""
    given = [candidates(number, (f"red {number}", f"blue {number}")) for number in range(3)]
    run = write_run(tmp_path, given, both_orders(given[0], 1, 1))
    collection = verdicts_of(run).collection
    lines = [f"{each.model_dump_json()}\n" for one in given[1:] for each in both_orders(one, 0.25, 0.25)]
    with (run / "judgments.jsonl").open("w") as file:
        file.write("".join(lines))
    assert collection.refresh()
    assert [collection.index.lean(place) for place in range(1, 1 + len(collection.index))] == [-0.5, -0.5]


def test_a_run_whose_completions_are_gone_for_now_is_shown_as_it_was(tmp_path: Path) -> None:
    """It is sampled anew: the error comes each time, and neither closes nor empties what is looked at."""
    run = small_run(tmp_path)
    collection = verdicts_of(run).collection
    (run / "candidates.jsonl").rename(run / "away.jsonl")
    judgments = (run / "judgments.jsonl").read_text()
    (run / "judgments.jsonl").rename(run / "previous.jsonl")
    (run / ".judgments.jsonl.partial").write_text(judgments)
    for _ in range(2):
        with pytest.raises(DataError, match="its completions are not in it"):
            collection.refresh()
        assert (len(collection.index), collection.partial) == (6, False)
    (run / "away.jsonl").rename(run / "candidates.jsonl")
    assert collection.refresh()
    assert (len(collection.index), collection.partial) == (6, True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run / "run.json").unlink(), "is not a run directory: it holds no run.json"),
        (lambda run: (run / "judgments.jsonl").unlink(), "holds neither judgments nor held-out answers yet"),
        (lambda run: (run / "candidates.jsonl").unlink(), "give the recipe in place of the folder: solon view RECIPE"),
        (lambda run: (run / "candidates.jsonl").write_text(""), "6 comparisons or ratings are of completions that"),
        (lambda run: (run / "judgments.jsonl").write_text('{"prompt": 1}\n'), r"judgments.jsonl:1: not a Judgment"),
        (lambda run: (run / "judgments.jsonl").write_text("{\n"), r"judgments.jsonl:1: not valid JSON"),
    ],
    ids=["no run", "no labels", "candidates elsewhere", "candidates gone", "no judgment", "no JSON"],
)  # fmt: skip
def test_a_run_that_cannot_be_looked_at_says_why(tmp_path: Path, spoil, message: str) -> None:
    """With the file and what to do."""
    run = small_run(tmp_path)
    spoil(run)
    with pytest.raises(DataError, match=message):
        Server(Viewed(run, annotator="ann"))


def test_answers_before_and_after_are_items_too(tmp_path: Path) -> None:
    """Which is which is not told before it is asked for; verdicts on them have a file of their own."""
    run = small_run(tmp_path)
    (run / "evaluation").mkdir()
    one = candidates(0, ("before", "after"), "art")
    sample = {
        "prompt": one.prompt.model_dump(mode="json"),
        "before": one.completions[0].model_dump(mode="json"),
        "after": one.completions[1].model_dump(mode="json"),
        "changes": {"compliance": [False, True]},
    }
    (run / "evaluation" / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    server = Server(Viewed(run, annotator="ann"))
    asked = {"kind": "answers", "place": 1}
    assert "answers" not in server._item(asked)
    assert "model" not in server._item(asked)["options"][0]
    server._say({**asked, "said": "first"})
    told = server._say({**asked, "said": "reveal"})
    assert sorted(told["answers"]) == ["after", "before"]
    assert told["options"][0]["text"] == told["answers"][0]
    assert told["measured"][0]["changes"] == {"compliance": [False, True]}
    assert not (run / "human.jsonl").exists()
    assert len((run / "human_answers.jsonl").read_text().splitlines()) == 2


def test_answers_that_were_made_anew_are_read_anew(tmp_path: Path) -> None:
    """What is shown is what the run holds; while it holds none, that is said."""
    run = small_run(tmp_path)
    (run / "evaluation").mkdir()
    server, kind = Server(Viewed(run, annotator="ann")), {"kind": "answers"}
    for texts in (("before", "after"), ("before", "another")):
        before, after = (each.model_dump(mode="json") for each in candidates(0, texts).completions)
        sample = {"prompt": candidates(0, texts).prompt.model_dump(mode="json"), "before": before, "after": after}
        (run / "evaluation" / "samples.jsonl").write_text(json.dumps({**sample, "changes": {}}) + "\n")
        server._refresh(kind)
        assert {option["text"] for option in server._item({**kind, "place": 1})["options"]} == set(texts)
    (run / "evaluation" / "samples.jsonl").unlink()
    with pytest.raises(Refused, match="trained or evaluated anew"):
        server._refresh(kind)
