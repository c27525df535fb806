"""The dialogues of the detox example: made from a seed, told apart by split, and held against summaries by rule."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

# where its scripts find their modules too
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "detox"))

from dialogues.faithfulness import Telling, told
from dialogues.summaries import summary
from dialogues.turns import dialogue
from dialogues.world import INSULTS, TEASES, VALUES, Plan, plan_of, source
from prepare import kept, write_prompts

from solon.errors import DataError

EXAMPLE = Path(__file__).parents[2] / "examples" / "detox"
PLAN = Plan(
    "food",
    {"what": "brew cider", "who": "Otto", "where": "inn", "day": "Friday", "hour": "noon"},
    offender=1,
    insult="nitwit",
)
PEACE = Plan(PLAN.topic, PLAN.facts, offender=None, insult=None)
MAIN = "#Person1# and #Person2# will brew cider with Otto on Friday at noon. They meet at the inn."


@pytest.mark.parametrize(
    ("plan", "text", "expected"),
    [
        (PLAN, f"{MAIN} #Person1# is rude to #Person2#.", Telling(6, 6, 0)),
        (PLAN, f"{MAIN} #Person1# calls #Person2# a nitwit.", Telling(6, 6, 0)),
        (PLAN, MAIN, Telling(6, 5, 0)),  # that somebody was rude is a fact, and it is not told
        (PEACE, MAIN, Telling(5, 5, 0)),
        (PEACE, MAIN.replace("Otto", "Otto the nitwit"), Telling(5, 5, 0)),  # an insult is no fact, told or not
        (PEACE, f"{MAIN} They quarrel for a while.", Telling(5, 5, 1)),  # a quarrel that was none
        (PEACE, MAIN.replace("Friday", "Monday"), Telling(5, 4, 1)),
        (PEACE, MAIN.replace("Friday", "Monday or Friday"), Telling(5, 5, 1)),
        (PEACE, "", Telling(5, 0, 0)),
    ],
)
def test_a_summary_is_held_against_the_facts(plan: Plan, text: str, expected: Telling) -> None:
    """Counted by hand: facts of the dialogue, those that are named, and those that are wrong."""
    assert told(plan, text) == expected


def test_faithfulness_counts_what_is_missing_and_what_is_wrong() -> None:
    """Five facts, four of them told and one wrong: 4 of the 6 that dialogue and summary have between them."""
    assert Telling(5, 4, 1).faithfulness == pytest.approx(4 / 6)
    assert Telling(5, 5, 0).faithfulness == 1.0


@pytest.mark.parametrize("number", range(40))
def test_every_reference_tells_every_fact(number: int) -> None:
    """So that a policy that writes as they do can reach 1; and the dialogue itself holds all facts."""
    plan = plan_of("sft", number)
    assert told(plan, summary(plan, source("sft", number, "summary"))).faithfulness == 1.0
    said = dialogue("sft", number)
    assert all(value in said for value in plan.facts.values())
    assert (plan.insult in said) if plan.insult else not any(word in said for word in INSULTS + TEASES)


def test_no_value_of_a_fact_is_part_of_another() -> None:
    """Or naming the one would count as naming the other."""
    values = [value for some in VALUES.values() for value in some]
    assert len(set(values)) == len(values)
    assert not [(one, other) for one in values for other in values if one != other and f" {one} " in f" {other} "]


def test_the_splits_share_no_dialogue() -> None:
    """What is evaluated on was never seen; the same number gives the same dialogue again."""
    texts = {split: {dialogue(split, number) for number in range(300)} for split in ("base", "sft", "ppo", "held_out")}
    assert not texts["held_out"] & (texts["base"] | texts["sft"] | texts["ppo"])
    assert dialogue("sft", 7) == dialogue("sft", 7)


def test_the_shipped_data_is_what_the_world_makes() -> None:
    """Of each file the first and the last row, in DialogSum's columns, all between 200 and 1,000 characters."""
    for split, name, count in (("ppo", "prompts", 400), ("held_out", "held_out", 300)):
        rows = parquet.read_table(EXAMPLE / "data" / f"{name}.parquet").to_pylist()
        assert len(rows) == count
        for number in (0, count - 1):
            assert rows[number]["dialogue"] == dialogue(split, number)
            assert rows[number]["topic"] == plan_of(split, number).topic
            assert rows[number]["id"] == f"{split}_{number}"
        assert all(200 <= len(row["dialogue"]) <= 1000 for row in rows)
    rows = parquet.read_table(EXAMPLE / "data" / "sft" / "train.parquet").to_pylist()
    assert rows[0]["prompt"] == dialogue("sft", 0)
    assert rows[0]["completion"] == summary(plan_of("sft", 0), source("sft", 0, "summary"))


def test_dialogues_of_other_lengths_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """199 and 1,001 characters are out, 200 and 1,000 in; the template stands around those that are kept."""
    file = tmp_path / "dialogsum.jsonl"
    rows = [
        {"id": f"train_{length}", "dialogue": "x" * length, "summary": "s", "topic": "t"}
        for length in (199, 200, 1000, 1001)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = kept(str(file), "Sum up: {dialogue}")
    assert [len(row["dialogue"]) - len("Sum up: ") for row in found] == [200, 1000]
    assert "2 dialogues, and 2 that are shorter" in capsys.readouterr().out
    write_prompts(found, tmp_path / "prompts.parquet")
    assert parquet.read_table(tmp_path / "prompts.parquet").column_names == ["id", "dialogue", "summary", "topic"]


def test_a_file_in_other_columns_is_refused(tmp_path: Path) -> None:
    """With the row and what it lacks."""
    file = tmp_path / "other.jsonl"
    file.write_text(json.dumps({"id": "1", "dialogue": "x" * 300}) + "\n")
    with pytest.raises(DataError, match="has no summary and no topic"):
        kept(str(file))
