"""Datasets on disk: the columns that TRL reads, the card that ``datasets`` reads, the same bytes every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from solon.data.artifacts import sha256_of
from solon.data.build import Build, Built, build
from solon.data.cards import Facts
from solon.data.layout import COLUMNS, write_datasets
from solon.data.records import Candidates, Completion, Constitution, Message, Principle, Prompt, Question, Scored
from solon.errors import StorageError

POLITE = Principle(id="polite", text="Be polite.")
CONSTITUTION = Constitution(name="Courtesy", version="2", principles=(POLITE,))
FACTS = Facts(
    constitution=CONSTITUTION,
    labelers=("rules",),
    policies=("policy",),
    prompts="/home/somebody/prompts.jsonl",
    settings=Build(held_out=0.5),
    seed=0,
)


def rated(prompt: Prompt, *scores: float) -> tuple[Candidates, list]:
    """Responses ``r0``, ``r1``, ... with those scores."""
    completions = tuple(Completion(text=f"r{n}", model="policy", seed=n) for n in range(len(scores)))
    questions = [Question(prompt=prompt, principles=(POLITE,), options=(completion,)) for completion in completions]
    judgments = [q.judged(Scored(scores=(s,)), labeler="rules") for q, s in zip(questions, scores, strict=True)]
    return Candidates(prompt=prompt, completions=completions), judgments


def built(*cases: tuple[Candidates, list], settings: Build = FACTS.settings) -> Built:
    judgments = [judgment for _, some in cases for judgment in some]
    return build([candidates for candidates, _ in cases], judgments, CONSTITUTION, settings, seed=0)


CHAT = Prompt(messages=(Message(role="system", content="Be kind."), Message(role="user", content="Hi")), topic="talk")
# with seed 0 there are some of these on each side
SIX = [rated(Prompt.of(f"Question {n}"), 1.0, 0.25, 0.25) for n in range(6)]


def rows_of(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def test_rows_are_in_the_conversational_columns_of_trl(tmp_path):
    """Prompt and responses as lists of messages, and nothing under a name that means something else to a trainer."""
    write_datasets(built(rated(CHAT, 1.0, 0.25), settings=Build(held_out=0)), tmp_path / "datasets", FACTS)
    origin = {"topic": "talk", "prompt_id": CHAT.id, "principles": ["polite"], "labelers": ["rules"]}
    prompt = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    first, second = ([{"role": "assistant", "content": text}] for text in ("r0", "r1"))
    folder = tmp_path / "datasets"
    assert rows_of(folder / "preference/train.parquet") == [
        {"prompt": prompt, "chosen": first, "rejected": second, "label_margin": 0.75, **origin}
    ]
    assert rows_of(folder / "unpaired/train.parquet") == [
        {"prompt": prompt, "completion": first, "label": True, "score": 1.0, **origin},
        {"prompt": prompt, "completion": second, "label": False, "score": 0.25, **origin},
    ]
    assert rows_of(folder / "reward/train.parquet") == [
        {"prompt": prompt, "completion": first, "score": 1.0, **origin},
        {"prompt": prompt, "completion": second, "score": 0.25, **origin},
    ]
    assert rows_of(folder / "sft/train.parquet") == [{"prompt": prompt, "completion": first, **origin}]
    assert not any(column.name == "margin" for columns in COLUMNS.values() for column in columns)


def test_a_kind_or_split_without_rows_is_not_written(tmp_path):
    """An empty file would fail in training, later and less clearly."""
    write_datasets(built(rated(CHAT, 0.0, 0.0), settings=Build(held_out=0)), tmp_path / "datasets", FACTS)
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["datasets/README.md", "datasets/reward/train.parquet", "datasets/unpaired/train.parquet"]


def test_nothing_of_an_earlier_build_is_left(tmp_path):
    """A test split of yesterday beside a train split of today would leak."""
    out = tmp_path / "datasets"
    write_datasets(built(*SIX), out, FACTS)
    assert (out / "preference/test.parquet").exists()
    write_datasets(built(*SIX, settings=Build(held_out=0)), out, FACTS)
    assert (out / "preference/train.parquet").exists()
    assert not (out / "preference/test.parquet").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["datasets"]


def test_files_that_are_no_datasets_are_not_deleted(tmp_path):
    """Somebody's own folder may be called the same."""
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StorageError, match=r"holds 'thesis\.tex', which is none: move it away"):
        write_datasets(built(*SIX), tmp_path, FACTS)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_the_same_build_gives_the_same_bytes(tmp_path):
    """Card included: nothing in it depends on the moment or the folder."""
    for name in ("a", "b"):
        write_datasets(built(*SIX), tmp_path / name / "datasets", FACTS)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 9
    for file in files:
        assert sha256_of(tmp_path / "a" / file) == sha256_of(tmp_path / "b" / file)


def test_the_front_matter_lists_what_is_there(tmp_path):
    """It is how ``datasets`` finds kinds and splits; the first is what it loads when none is named."""
    write_datasets(built(*SIX), tmp_path / "datasets", FACTS)
    _, front, _ = (tmp_path / "datasets/README.md").read_text().split("---\n", 2)
    configs = yaml.safe_load(front)["configs"]
    assert [config["config_name"] for config in configs] == ["preference", "unpaired", "reward", "sft"]
    assert [config.get("default", False) for config in configs] == [True, False, False, False]
    for config in configs:
        for entry in config["data_files"]:
            assert (tmp_path / "datasets" / entry["path"]).is_file()
        assert [entry["split"] for entry in config["data_files"]] == ["train", "test"]


def test_the_card_says_what_made_the_rows_and_what_was_left_out(tmp_path):
    """Constitution with its hash, judges, prompts, counts, reasons; no path of anybody's machine."""
    result = built(*SIX, rated(CHAT, 1.0, 1.0, 0.0))
    write_datasets(result, tmp_path / "datasets", FACTS)
    card = (tmp_path / "datasets/README.md").read_text()
    for line in (
        "# Datasets made under Courtesy",
        f"- Constitution: Courtesy, version 2, `{CONSTITUTION.id}`, 1 principle",
        "- Judged by: `rules`",
        "- Responses by: `policy`",
        "- Prompts: prompts.jsonl, 7 with responses",
        "- Split: 0.5 of the prompts held out, seed 0",
        'preference = load_dataset("datasets", "preference")',
        "| preference | tie_balanced | 1 | the judge preferred neither response, or its preferences cancel |",
        "| `label_margin` | how clear the preference was, in [0, 1] |",
    ):
        assert line in card.splitlines()
    train, test = result.counts()["preference"].values()
    assert f"| preference | DPO, IPO, ORPO, SimPO, reward models | {train} | {test} |" in card
    assert "somebody" not in card


def test_names_cannot_break_the_card(tmp_path):
    """A constitution's name is anybody's text."""
    facts = replace(FACTS, constitution=CONSTITUTION.model_copy(update={"name": "two\nlines `and` | more"}))
    write_datasets(built(*SIX), tmp_path / "datasets", facts)
    card = (tmp_path / "datasets/README.md").read_text()
    assert "# Datasets made under two lines 'and' | more\n" in card
