"""Which trainer is advised for which data, and what the advice rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from solon.advice import Facts, counsel, facts_of
from solon.cli.app import app
from solon.errors import DataError

PAIRS = Facts("x", pairs=2_000, prompts=500, judged=True)


def written(folder: Path, rows: Sequence[Mapping[str, Any]], name: str = "train.parquet") -> Path:
    """A file of rows."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), folder / name)
    return folder / name


def pair(number: int, margin: float, *, longer: bool = True) -> dict[str, Any]:
    """A preference about one of ten prompts."""
    texts = ("a long answer", "short") if longer else ("short", "a long answer")
    return {"prompt": f"p{number % 10}", "chosen": texts[0], "rejected": texts[1], "label_margin": margin}


def fits(facts: Facts) -> dict[str, str]:
    """How each trainer fits."""
    return {advice.trainer: advice.fit for advice in counsel(facts).advice}


def test_pairs_are_counted_with_their_margins_and_lengths(tmp_path: Path) -> None:
    """Of 20 about ten prompts, 5 are unclear and 15 have the longer response chosen."""
    written(tmp_path, [pair(n, 0.1 if n < 5 else 0.8, longer=n < 15) for n in range(20)])
    found = facts_of(tmp_path)
    assert (found.pairs, found.prompts, found.margins, found.unclear, found.longer_chosen) == (20, 10, 20, 5, 15)


def test_labels_scores_demonstrations_and_references_are_told_apart(tmp_path: Path) -> None:
    """By their columns, in the folders that `solon build` writes and in files of one's own."""
    written(tmp_path / "unpaired", [{"prompt": f"p{n}", "completion": "c", "label": n < 3} for n in range(10)])
    written(tmp_path / "sft", [{"prompt": f"p{n}", "completion": "c"} for n in range(4)])
    found = facts_of(tmp_path)
    assert (found.labels, found.good, found.demonstrations, found.prompts, found.pairs) == (10, 3, 4, 10, 0)
    scored = facts_of(written(tmp_path / "reward", [{"prompt": "p", "completion": "c", "score": 0.5}]))
    assert (scored.labels, scored.good) == (1, None)
    lines = "".join(json.dumps({"prompt": f"p{n}", "reference": "4" if n else None}) + "\n" for n in range(6))
    (tmp_path / "prompts.jsonl").write_text(lines)
    assert (facts_of(tmp_path / "prompts.jsonl").answers, facts_of(tmp_path / "prompts.jsonl").prompts) == (5, 6)
    (tmp_path / "chat.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n'
    )
    assert facts_of(tmp_path / "chat.jsonl").demonstrations == 1


def test_rows_without_a_prompt_are_an_error_with_their_place(tmp_path: Path) -> None:
    """And so is a folder without any."""
    (tmp_path / "x.jsonl").write_text('{"question": "q"}\n')
    with pytest.raises(DataError, match=r"x\.jsonl:1.*there is no prompt in it"):
        facts_of(tmp_path / "x.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds nothing that a trainer learns from"):
        facts_of(tmp_path / "empty")


def test_a_recipe_is_read_for_what_it_will_make(tmp_path: Path) -> None:
    """Three responses to each of four prompts: two pairs a prompt, by a judge who is paid."""
    (tmp_path / "constitution.yaml").write_text("name: c\nprinciples:\n- {id: p, text: Be good.}\n")
    (tmp_path / "prompts.jsonl").write_text("".join(f'{{"prompt": "p{n}"}}\n' for n in range(4)))
    (tmp_path / "recipe.yaml").write_text(
        "constitution: constitution.yaml\nprompts: prompts.jsonl\npolicy: org/model\nsample: {n: 3}\n"
        "label: {kind: pairwise, judge: {kind: scripted, remote: true, price: {input: 1, output: 1}}}\ntrain: dpo\n"
    )
    found = facts_of(tmp_path / "recipe.yaml")
    assert (found.pairs, found.prompts, found.judged, found.paid, found.own) == (8, 4, True, True, True)
    assert (found.model, found.trainer, found.verifiable) == ("org/model", "dpo", False)


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        (PAIRS, "dpo"),
        (replace(PAIRS, pairs=0, labels=900, good=300), "kto"),
        (Facts("x", demonstrations=3_000, prompts=3_000), "sft"),
        (Facts("x", prompts=400, answers=400), "grpo"),
        (Facts("x", prompts=400, verifiable=True, judged=True), "grpo"),
        (replace(PAIRS, answers=500), "dpo"),
        (replace(PAIRS, encoder_decoder=True), "ppo"),
        (Facts("x", pairs=2_000, prompts=500, answers=500), "dpo"),
        (Facts("x", prompts=500, answers=1, demonstrations=500), "sft"),
    ],
    ids=[
        "pairs",
        "labels of single responses",
        "demonstrations",
        "reference answers",
        "a program as the reward",
        "answers that the judge does not ask for",
        "encoder-decoder",
        "answers beside pairs",
        "an answer to one prompt",
    ],
)
def test_the_first_advice_follows_from_what_there_is(facts: Facts, first: str) -> None:
    """One trainer at most is the one to try first, and it comes first."""
    found = counsel(facts).advice
    assert [advice.trainer for advice in found if advice.fit == "first"] == [first]
    assert found[0].trainer == first


def test_what_the_data_are_not_for_is_refused_with_the_way_there() -> None:
    """No pairs, no `dpo`; and how to get them."""
    found = {advice.trainer: advice for advice in counsel(Facts("x", prompts=50)).advice}
    assert {advice.fit for advice in found.values()} == {"no"}
    assert "`label: {kind: pairwise}`" in found["dpo"].reasons[0].text
    assert "nothing says what a good response is" in found["ppo"].reasons[0].text


def test_labels_of_one_class_are_nothing_to_learn_from() -> None:
    """All good: neither is better."""
    assert fits(Facts("x", labels=100, good=100, prompts=100))["kto"] == "no"


def test_unclear_pairs_ask_for_a_robust_loss_and_pairs_by_length_are_named() -> None:
    """Each with its share."""
    noisy = replace(PAIRS, margins=2_000, unclear=900, longer_chosen=1_700)
    (dpo,) = (advice for advice in counsel(noisy).advice if advice.trainer == "dpo")
    text = " ".join(reason.text for reason in dpo.reasons)
    assert dpo.settings == ("loss: robust", "label_smoothing: 0.1")
    assert "45 % of the pairs are unclear" in text
    assert "in 85 % of the pairs the longer response was chosen" in text


def test_a_paid_judge_speaks_against_what_asks_it_at_every_step() -> None:
    """And for a program nothing is paid."""
    paid = {advice.trainer: advice for advice in counsel(replace(PAIRS, paid=True)).advice}
    for trainer in ("grpo", "rloo", "ppo"):
        assert any("judged by a paid model" in reason.text for reason in paid[trainer].reasons)
    assert any("every round pays" in reason.text for reason in paid["selfplay"].reasons)
    assert not any("paid" in reason.text for reason in paid["dpo"].reasons)


def test_every_claim_about_a_trainer_has_its_source() -> None:
    """What is counted here needs none; what is claimed of the world names paper and number."""
    for advice in counsel(replace(PAIRS, labels=100, good=50, demonstrations=10)).advice:
        sources = [reason.source for reason in advice.reasons if reason.source]
        assert sources or advice.trainer == "reward"
        assert all("arXiv:" in source for source in sources)


def test_what_cannot_be_known_is_said() -> None:
    """Always how good the labels are; the rest by what is missing."""
    unknown = " ".join(counsel(Facts("x", pairs=10, prompts=10)).unknown)
    assert "how good the labels are" in unknown
    assert "whether the responses are the policy's own" in unknown
    assert "label_margin" in unknown
    assert "--model" in unknown


def test_the_command_prints_reasons_with_sources_and_json(tmp_path: Path) -> None:
    """As text for people, and as data."""
    written(tmp_path, [pair(n, 0.8) for n in range(20)])
    shown = CliRunner().invoke(app, ["advise", str(tmp_path)])
    assert shown.exit_code == 0
    assert "20 pairs, 10 prompts" in shown.output
    assert shown.output.index("Try first:") < shown.output.index("  dpo") < shown.output.index("What this cannot know")
    assert "[Rafailov et al. 2023, arXiv:2305.18290]" in shown.output
    said = json.loads(CliRunner().invoke(app, ["advise", str(tmp_path), "--json"]).output)
    assert said["facts"]["pairs"] == 20
    assert said["advice"][0]["trainer"] == "dpo"
    assert said["unknown"]
