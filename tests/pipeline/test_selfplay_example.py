"""``examples/trainers/selfplay.yaml`` as it stands: its policy keeps to the constitution better from round to round."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from solon.data.artifacts import read_jsonl
from solon.data.records import Candidates
from solon.pipeline import run
from solon.recipe import read

RECIPE = Path(__file__).parents[2] / "examples" / "trainers" / "selfplay.yaml"
PARTS = re.compile("Answer: .+ — Confidence: (high|medium|low) — Reasoning: .+")
"""What the quickstart's constitution asks for, as a rule that the judge does not see."""


def complying(answers: Path) -> float:
    """The share of the answers that have all three parts."""
    texts = [one.text for group in read_jsonl(answers, Candidates) for one in group.completions]
    return sum(PARTS.fullmatch(text) is not None for text in texts) / len(texts)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what torch, transformers and TRL warn of is theirs
def test_compliance_rises_over_the_rounds(tmp_path: Path) -> None:
    """On held-out prompts, where about .3 comply before; the first round is clearly preferred to the untrained policy.

    The fewer answers break the constitution, the fewer pairs there are.
    """
    folder = run(read(RECIPE, [f"ledger={tmp_path / 'ledger.sqlite'}"]), tmp_path / "run", until="train")
    checkpoint = folder / "checkpoints" / "selfplay"
    shares = [complying(checkpoint / "rounds" / str(number) / "held_out.jsonl") for number in range(4)]
    assert shares[0] < 0.45
    assert shares[1] > shares[0] + 0.2
    assert shares[3] > max(shares[1], 0.8)
    rounds = [json.loads((checkpoint / "rounds" / str(number) / "round.json").read_text()) for number in (1, 2, 3)]
    assert rounds[0]["selfplay/low"] > 0.5
    pairs = [one["selfplay/pairs"] for one in rounds]
    assert pairs == sorted(pairs, reverse=True)
