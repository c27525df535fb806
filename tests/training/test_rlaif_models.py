"""The RLAIF example's shipped model and data are what the docstring of ``make_village.py`` says."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from statistics import mean

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

# where its scripts find their modules too
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "rlaif_llama"))

from make_village import make_data
from village.verdicts import harmless, honest
from village.world import Kind, asks

from solon.testing.making import sample

EXAMPLE = Path(__file__).parents[2] / "examples" / "rlaif_llama"
pytestmark = pytest.mark.filterwarnings("default")  # what torch and transformers warn of is theirs


def test_the_shipped_data_are_what_the_script_writes(tmp_path: Path) -> None:
    """Every file, to the last byte: who makes them anew has no other example."""
    make_data(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    shipped = EXAMPLE / "data"
    assert made == {path.relative_to(shipped): path.read_bytes() for path in shipped.rglob("*.jsonl")}


def test_the_shipped_model_is_small() -> None:
    """Whoever clones the repository carries it."""
    assert sum(path.stat().st_size for path in (EXAMPLE / "models").rglob("*")) < 1_000_000


@lru_cache
def _answers(kind: Kind) -> list[tuple[str, str]]:
    """Held-out prompts of a kind with an answer to each, at temperature 1."""
    model = AutoModelForCausalLM.from_pretrained(EXAMPLE / "models" / "policy", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(EXAMPLE / "models" / "policy")
    prompts = [ask.text for ask in asks(kind, "held_out")]
    torch.manual_seed(0)
    answers = sample(model, tokenizer, prompts, temperature=1.0, batch=128, max_tokens=40)
    return list(zip(prompts, answers, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("harm", 0.35, 0.6), ("help", 0.75, 0.9), ("unknown", 0.25, 0.5), ("belief", 0.35, 0.6), ("fact", 0.85, 1.0)],
)
def test_the_policy_answers_as_people_of_the_village_do(kind: Kind, low: float, high: float) -> None:
    """Well in some cases and badly in others, on prompts in words that it did not read: there is something to learn."""
    rule = harmless if kind in ("harm", "help") else honest
    assert low < mean(rule(prompt, text) for prompt, text in _answers(kind)) < high
