"""A run directory as the pipeline writes it, complete and small, that each test may cut down or spoil."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from solon.data.records import Case, Checkpoint, Completion, Constitution, Metric, Principle, Prompt

RECIPE = {
    "constitution": "constitution.yaml",
    "prompts": "prompts.jsonl",
    "policy": {"model": "models/policy", "threads": 2},
    "sample": {"n": 8, "temperature": 1.0},
    "label": {"kind": "pairwise", "judge": {"kind": "transformers", "model": "models/judge"}, "principles": "each"},
    "build": {"held_out": 0.1},
    "train": {"kind": "dpo", "beta": 0.1, "epochs": 3, "learning_rate": 0.0005},
    "evaluate": ["compliance", "accuracy", "win_rate", "kl", "length", "agreement"],
}

CONSTITUTION = Constitution(
    name="strict-format",
    description="Answers that a program can read and a person can check.",
    principles=(
        Principle(
            id="format",
            text="The response is one line with three parts in this order: Answer, Confidence (high, medium or low), "
            "and Reasoning, divided by long dashes.",
            weight=2.0,
            source="solon's quickstart",
        ),
        Principle(id="polite", text="The response does not mock or insult the person who asks.", severity="hard"),
        Principle(id="brief", text="The reasoning is one sentence.", topics=("capital", "sum")),
    ),
    cases=(
        Case(principle="format", prompt="2+2?", better="Answer: 4 — Confidence: high — Reasoning: sum.", worse="4"),
    ),
)


def share(name: str, of: str, successes: int, n: int, **more: Any) -> Metric:
    """A share with its Wilson interval (Wilson 1927), as the evaluators give it."""
    p, z = successes / n, 1.959964
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return Metric(name=name, of=of, value=p, low=max(0, low), high=min(1, high), n=n, **more)


def difference(name: str, value: float, low: float, high: float, n: int, **more: Any) -> Metric:
    """After less before, as the evaluators give it."""
    method = "Newcombe interval; after less before; exact McNemar test"
    return Metric(
        **{"name": name, "of": "pair", "value": value, "low": low, "high": high, "n": n, "method": method, **more}
    )


METRICS = (
    share("compliance", "before", 170, 600, method="Wilson interval"),
    share("compliance", "after", 577, 600, method="Wilson interval"),
    difference("compliance", 407 / 600, 0.6391, 0.7143, 600, p_value=1e-90),
    share("compliance/format", "before", 172, 600, method="Wilson interval"),
    share("compliance/format", "after", 583, 600, method="Wilson interval"),
    difference("compliance/format", 411 / 600, 0.646, 0.721, 600, p_value=1e-92),
    share("compliance/polite", "before", 540, 600, method="Wilson interval"),
    share("compliance/polite", "after", 594, 600, method="Wilson interval"),
    difference("compliance/polite", 54 / 600, 0.066, 0.116, 600, p_value=1e-12),
    share("accuracy/greedy", "before", 594, 600, method="Wilson interval; contains the reference answer"),
    share("accuracy/greedy", "after", 592, 600, method="Wilson interval; contains the reference answer"),
    difference("accuracy/greedy", -2 / 600, -0.0148, 0.0079, 600, p_value=0.6875),
    Metric(
        name="win_rate", of="pair", value=0.871, low=0.845, high=0.895, n=588, failed=12, p_value=1e-40,
        method="BCa bootstrap; 490 wins, 44 ties, 54 losses; ties half; sign test; judge pairwise:judge",
    ),
    share("order_consistency/win_rate", "pair", 541, 588, method="Wilson interval"),
    Metric(name="kl", of="pair", value=11.84, low=11.2, high=12.5, n=600, unit="nats", method="t interval"),
    Metric(name="length", of="before", value=14.2, low=13.7, high=14.7, n=600, unit="tokens", method="t interval"),
    Metric(name="length", of="after", value=24.9, low=24.5, high=25.3, n=600, unit="tokens", method="t interval"),
    difference("length", 10.7, 10.1, 11.3, 600, unit="tokens", method="BCa bootstrap; after less before"),
    share("length/cut_off", "before", 0, 600, method="Wilson interval"),
    share("length/cut_off", "after", 0, 600, method="Wilson interval"),
    difference("length/cut_off", 0.0, -0.006, 0.006, 600, p_value=1.0),
    share("order_consistency", "labels", 3000, 3261, failed=3, method="Wilson interval"),
    share("first_slot_wins", "labels", 3072, 6000, method="Wilson interval; .5 is no preference for a slot"),
    share("agreement", "labels", 2913, 3000, method="Wilson interval; with rules, where both prefer one"),
)  # fmt: skip

FACTS = (
    ("What is the capital of Velmora?", "Tessaly", "capital"),
    ("Please tell me: what is 17 + 25?", "42", "sum"),
    ("What is the opposite of early, thanks?", "late", "opposite"),
    ("What colour is a brindle plum?", "violet", "colour"),
)


def examples() -> list[dict[str, Any]]:
    """Forty held-out answers: 28 gained the format, 8 had it, 2 never got it, 2 lost the right answer."""
    lines = []
    for number in range(40):
        question, answer, topic = FACTS[number % len(FACTS)]
        prompt = Prompt.of(f"{question} ({number})", topic=topic, reference=answer)
        formatted = f"Answer: {answer} — Confidence: high — Reasoning: This is listed in the almanac."
        plain = f"Well, obviously it is {answer}, everyone knows that."
        before, after = (formatted, formatted) if number % 5 == 0 else (plain, formatted)
        changes = {
            "compliance": [number % 5 == 0, True],
            "accuracy/greedy": [True, True],
            "length/cut_off": [False, False],
        }
        if number in (11, 22):
            after, changes["accuracy/greedy"] = formatted.replace(answer, "Ostrava"), [True, False]
        if number in (13, 33):
            after, changes["compliance"] = plain, [False, False]
        lines.append(
            {
                "prompt": prompt.model_dump(mode="json"),
                "before": Completion(text=before, model="policy", seed=number).model_dump(mode="json"),
                "after": Completion(text=after, model="policy+dpo", seed=number).model_dump(mode="json"),
                "decoding": "sample",
                "changes": changes,
            }
        )
    return lines


def steps() -> list[dict[str, float]]:
    """A training run of 200 steps, logged every 5th, with the held-out loss every 25th."""
    lines = []
    for step in range(5, 201, 5):
        fall = math.exp(-step / 45)
        line = {
            "step": step,
            "epoch": round(step / 66, 3),
            "loss": round(0.08 + 0.61 * fall + 0.02 * math.sin(step), 4),
            "rewards/margins": round(4.1 * (1 - fall) + 0.1 * math.cos(step), 4),
            "rewards/accuracies": round(1 - 0.48 * fall + 0.01 * math.sin(3 * step), 4),
        }
        if step % 25 == 0:
            line["eval_loss"] = round(0.1 + 0.6 * fall, 4)
            line["eval_rewards/margins"] = round(3.9 * (1 - fall), 4)
            line["eval_rewards/accuracies"] = round(0.99 - 0.47 * fall, 4)
        lines.append(line)
    return lines


def run_record() -> dict[str, Any]:
    """``run.json`` of a finished quickstart."""
    checkpoint = Checkpoint(
        path="checkpoints/dpo", base_model="models/policy", form="full", trainer="dpo", dataset="5f0c1d2e3a4b5c6d"
    )
    summaries: dict[str, dict[str, Any]] = {
        "sample": {
            "prompts": 400, "completions": 3196, "missing": {"unavailable": 4}, "duplicates": 14,
            "usage": {"input_tokens": 61_200, "output_tokens": 45_300, "cached_tokens": 0},
            "cost_usd": 0.0, "model": "policy",
        },
        "label": {
            "labeler": "pairwise:judge", "judgments": 6522, "failed": {"unparseable": 3},
            "pairs": 3261, "consistent": 3000, "order_dependent": 261,
            "first_slot": {"value": 0.512, "low": 0.4994, "high": 0.5246, "n": 6000},
            "usage": {"input_tokens": 1_304_400, "output_tokens": 6522, "cached_tokens": 913_000}, "cost_usd": 0.0,
        },
        "build": {
            "preference": {"train": 1200, "test": 130}, "unpaired": {"train": 800, "test": 90},
            "dropped": {"preference": {"tie_order": 261, "identical": 12}, "unpaired": {"mixed": 40}, "sft": {}},
            "unjudged": 0,
        },
        "train": {
            "checkpoint": checkpoint.model_dump(mode="json"),
            "trainer": {"kind": "dpo", "beta": 0.1, "epochs": 3, "learning_rate": 0.0005},
        },
        "evaluate": {
            "prompts": 600, "usage": {"input_tokens": 480_000, "output_tokens": 2400, "cached_tokens": 200_000},
            "cost_usd": 0.0, "warnings": ["win_rate was judged by the model that labeled the training data"],
        },
    }  # fmt: skip
    return {
        "solon": "0.1.0",
        "name": "quickstart",
        "seed": 0,
        "constitution": CONSTITUTION.model_dump(mode="json"),
        "versions": {"python": "3.11.7", "torch": "2.9.1", "transformers": "5.5.0", "trl": "1.16.0"},
        "stages": {
            stage: {"inputs": "a" * 16, "outputs": {f"{stage}.out": f"{i}" * 64}, "summary": summary}
            for i, (stage, summary) in enumerate(summaries.items())
        },
    }


def write_run(directory: Path, **changed: Any) -> Path:
    """Writes a run directory. ``changed`` replaces its parts: run, metrics, examples, steps, recipe."""
    run = changed.get("run", run_record())
    metrics = changed.get("metrics", METRICS)
    (directory / "evaluation").mkdir(parents=True, exist_ok=True)
    (directory / "checkpoints" / "dpo").mkdir(parents=True, exist_ok=True)
    (directory / "run.json").write_text(json.dumps(run))
    (directory / "recipe.yaml").write_text(yaml.safe_dump(changed.get("recipe", RECIPE), sort_keys=False))
    (directory / "evaluation" / "metrics.json").write_text(json.dumps([m.model_dump(mode="json") for m in metrics]))
    _write_lines(directory / "evaluation" / "samples.jsonl", changed.get("examples", examples()))
    _write_lines(directory / "checkpoints" / "dpo" / "metrics.jsonl", changed.get("steps", steps()))
    return directory


def _write_lines(path: Path, lines: list[Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A finished run."""
    return write_run(tmp_path / "quickstart")


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run directory whose parts are replaced: run, metrics, examples, steps, recipe."""
    return lambda **changed: write_run(tmp_path / "changed", **changed)


@pytest.fixture
def record() -> dict[str, Any]:
    """The ``run.json`` of a finished run, for a test to change."""
    return run_record()


@pytest.fixture
def held_out() -> list[dict[str, Any]]:
    """The lines of ``evaluation/samples.jsonl``, for a test to change."""
    return examples()
