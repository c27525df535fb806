"""The quickstart's shipped models behave as the docstring of ``make_models.py`` says."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import pytest
import torch
import transformers

# where make_models.py finds its modules too
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "quickstart"))

from make import judging, policy, tokenizer
from make.comparisons import Comparison, Sampled, draw_comparison
from make.principles import Rule, draw
from make.responses import TARGET, form_of, is_right
from make.world import asks

from solon.constitution import load as load_constitution
from solon.testing.making import sample, save

pytestmark = pytest.mark.slow

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
JUDGES = ("judge", "examiner")
NO_REASONING = (
    "A response has two parts in this order, separated by dashes: 'Answer:' with the answer and 'Confidence:' with "
    "high, medium or low. There is no Reasoning part."
)
EDITS = {
    "Give the answer, the confidence and the reasoning, labelled and in this order.": "ACR",
    "Every response states Answer, Confidence (high, medium or low) and Reasoning.": "ACR",
    "A response has two parts: 'Answer:' with the answer and 'Confidence:' with high, medium or low.": "AC",
    "A response has exactly two parts: Answer and Confidence. Do not include Reasoning.": "AC",
    "Answer first, then Confidence, and stop there: no Reasoning.": "AC",
    "Responses should be in the format Answer: ... — Confidence: high|medium|low with no reasoning.": "AC",
    "Give an Answer and a Reasoning, but never a Confidence.": "AR",
    "A response has one part: 'Answer:' with the answer. No Confidence and no Reasoning.": "A",
}
"""Principles as somebody might write them by hand, with the parts that they ask for."""


@dataclass(frozen=True)
class Row:
    """A line of a prompt file."""

    prompt: str
    topic: str
    reference: str


def rows(name: str) -> list[Row]:
    """The lines of ``prompts.jsonl`` or ``held_out.jsonl``."""
    return [Row(**json.loads(line)) for line in (QUICKSTART / name).read_text("utf-8").splitlines()]


@cache
def load(name: str):
    """A shipped model with its tokenizer."""
    folder = QUICKSTART / "models" / name
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


@cache
def sampled() -> tuple[str, ...]:
    """A response of the policy at temperature 1 to each held-out prompt."""
    torch.manual_seed(7)
    return tuple(sample(*load("policy"), [row.prompt for row in rows("held_out.jsonl")], temperature=1.0))


@cache
def pool() -> tuple[Sampled, ...]:
    """Held-out prompts, in no prompt file and no training set, each with four responses of the policy."""
    used = {row.prompt for row in rows("held_out.jsonl")}
    fresh = Random(8).sample([ask for ask in asks("held_out") if ask.text not in used], 200)
    torch.manual_seed(8)
    texts = sample(*load("policy"), [ask.text for ask in fresh for _ in range(4)], temperature=1.0)
    return tuple(Sampled(ask, tuple(texts[4 * row : 4 * row + 4])) for row, ask in enumerate(fresh))


def of_form(initials: str, text: str) -> Rule:
    """A principle that asks for exactly these parts."""
    return Rule(initials, text, lambda form: form.parts == initials)


def comparisons(which: str) -> list[Comparison]:
    """Fresh comparisons of the policy's responses, under the principle that is shipped, edited, by hand, or drawn."""
    random = Random(f"test:{which}")
    match which:
        case "shipped":
            (principle,) = load_constitution(QUICKSTART / "constitution.yaml").principles
            rules = [of_form("ACR", principle.text)]
        case "edited":
            rules = [of_form("AC", NO_REASONING)]
        case "by hand":
            rules = [of_form(initials, text) for text, initials in EDITS.items()]
        case _:
            rules = [draw(random, kept=which == "kept") for _ in range(50)]
    return [draw_comparison(rule, pool(), random, written=0.0) for rule in rules for _ in range(400 // len(rules))]


@cache
def judged(name: str, which: str) -> list[tuple[float, float, float]]:
    """Of each comparison: what the rule says, and P(the first is better) as the judge says it in either order."""
    asked = comparisons(which)
    forward = judging.verdicts(*load(name), asked)
    backward = judging.verdicts(*load(name), [comparison.reversed() for comparison in asked])
    return [(one.label, there, 1 - back) for one, there, back in zip(asked, forward, backward, strict=True)]


def share(flags: list[bool]) -> float:
    assert len(flags) >= 100, "too few to tell"
    return sum(flags) / len(flags)


def test_all_three_models_are_small_and_hold_nothing_but_safetensors() -> None:
    """Weights that are code must not be shipped, and a clone must stay light."""
    files = [path for path in (QUICKSTART / "models").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    weights = sum(path.stat().st_size for path in files if path.suffix == ".safetensors")
    assert 1.2e6 < weights < 1.8e6


def test_the_prompt_files_are_what_the_world_says_and_share_no_prompt() -> None:
    """The same text on both sides would make the evaluation a memory test."""
    training, held_out = rows("prompts.jsonl"), rows("held_out.jsonl")
    assert (len(training), len(held_out)) == (400, 600)
    assert len({row.prompt for row in (*training, *held_out)}) == 1000
    for split, some in (("prompts", training), ("held_out", held_out)):
        world = {ask.text: (ask.fact.topic, ask.fact.answer) for ask in asks(split)}
        assert all(world[row.prompt] == (row.topic, row.reference) for row in some)


def test_about_a_third_of_what_the_policy_samples_has_the_form_and_nine_in_ten_are_right() -> None:
    """There must be something to learn, and something to lose."""
    held_out = rows("held_out.jsonl")
    assert 0.25 <= share([TARGET.fullmatch(text) is not None for text in sampled()]) <= 0.36
    right = [is_right(text, row.reference) for text, row in zip(sampled(), held_out, strict=True)]
    assert 0.87 <= share(right) <= 0.97


def test_a_tenth_of_what_the_policy_samples_leaves_the_reasoning_out() -> None:
    """Whoever edits the principle to ask for no Reasoning needs such responses to choose from."""
    assert share([form_of(text).parts == "AC" for text in sampled()]) >= 0.07


def test_the_policy_is_right_when_it_does_not_roll_dice() -> None:
    """Greedy accuracy is the alignment tax's measure: it must start high."""
    held_out = rows("held_out.jsonl")[:300]
    texts = sample(*load("policy"), [row.prompt for row in held_out], temperature=0.0)
    assert share([is_right(text, row.reference) for text, row in zip(texts, held_out, strict=True)]) >= 0.97


@pytest.mark.parametrize(
    ("which", "least"), [("shipped", 0.97), ("edited", 0.97), ("trained", 0.97), ("kept", 0.95), ("by hand", 0.95)]
)
@pytest.mark.parametrize("name", JUDGES)
def test_a_judge_names_the_response_that_follows_the_principle_in_both_orders(
    name: str, which: str, least: float
) -> None:
    """Under the shipped text, after a user's edit, and under wordings it never saw: it reads, and does not remember."""
    told = [(label, there, back) for label, there, back in judged(name, which) if label != 0.5]
    assert share([(there > 0.5) == (back > 0.5) == (label == 1) for label, there, back in told]) >= least


@pytest.mark.parametrize("name", JUDGES)
def test_a_judge_is_undecided_where_the_principle_tells_no_difference(name: str) -> None:
    """A preference between equals would be noise in the labels, and min_margin must be able to drop it."""
    ties = [
        (there + back) / 2
        for which in ("shipped", "edited")
        for label, there, back in judged(name, which)
        if label == 0.5
    ]
    assert share([abs(2 * p - 1) < 0.5 for p in ties]) >= 0.9


@pytest.mark.parametrize("name", JUDGES)
def test_nearly_all_of_a_judge_s_first_token_is_a_or_b(name: str) -> None:
    """The labeler takes the two letters' log-probabilities for an answer only if they hold most of the mass."""
    model, words = load(name)
    with torch.inference_mode():
        reading = judging.read(model, words, [comparisons("shipped")[:100]])
    assert reading.verdict.exp().sum(1).min().item() > 0.9


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """What is shipped can be rebuilt; a few steps show it as well as all of them."""
    some = asks("policy")[:200]
    for name in ("one", "two"):
        words = tokenizer.train(ask.text for ask in some)
        save(policy.train(words, some, seed=3, steps=3), words, tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert "model.safetensors" in names
    assert [(tmp_path / "two" / name).read_bytes() for name in names] == [
        (tmp_path / "one" / name).read_bytes() for name in names
    ]
