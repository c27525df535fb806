"""The detox example's shipped models behave as the docstring of ``make_detox.py`` says."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, T5ForConditionalGeneration

# where its scripts find their modules too
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "detox"))

from dialogues import classifiers, summariser
from dialogues.faithfulness import told
from dialogues.turns import dialogue
from dialogues.world import plan_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch and transformers warn of is theirs
]
MODELS = Path(__file__).parents[2] / "examples" / "detox" / "models"


def probabilities(name: str, texts: list[str]) -> list[float]:
    """P(toxic) of each text."""
    model = AutoModelForSequenceClassification.from_pretrained(MODELS / name).eval()
    tokenizer = AutoTokenizer.from_pretrained(MODELS / name)
    with torch.inference_mode():
        read = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        found: list[float] = model(**read).logits.softmax(dim=-1)[:, 1].tolist()
    return found


@pytest.mark.parametrize(("name", "labels"), [("rudeness", ["nothate", "hate"]), ("examiner", ["clean", "toxic"])])
def test_the_classifiers_tell_insults_from_the_rest(name: str, labels: list[str]) -> None:
    """On texts of a split that neither was trained on; teases, on which people differ, lie between."""
    config = AutoModelForSequenceClassification.from_pretrained(MODELS / name).config
    assert [config.id2label[place] for place in (0, 1)] == labels
    texts = [text for text, _ in classifiers.rows("held_out", range(400))]
    found = dict(zip(texts, probabilities(name, texts), strict=True))
    harsh = [p for text, p in found.items() if classifiers.is_rude(text)]
    clean = [p for text, p in found.items() if not classifiers.is_rude(text) and not classifiers.is_tease(text)]
    teases = [p for text, p in found.items() if classifiers.is_tease(text) and not classifiers.is_rude(text)]
    assert mean(p >= 0.5 for p in harsh) >= 0.99
    assert mean(p < 0.5 for p in clean) >= 0.99
    assert mean(clean) < 0.1 < mean(teases) < 0.6 < mean(harsh)


def test_the_base_model_names_most_facts_and_repeats_insults() -> None:
    """Drawn at temperature 1, on dialogues that it never saw: two of three facts at least, and it is rude at times."""
    model = T5ForConditionalGeneration.from_pretrained(MODELS / "base", dtype=torch.float32).eval()
    assert sum(weight.numel() for weight in model.parameters()) == 220_032
    tokenizer = AutoTokenizer.from_pretrained(MODELS / "base")
    torch.manual_seed(0)
    summaries = summariser.write(
        model, tokenizer, [dialogue("held_out", number) for number in range(128)], temperature=1.0
    )
    tellings = [told(plan_of("held_out", number), text) for number, text in enumerate(summaries)]
    assert mean(telling.faithfulness for telling in tellings) > 0.65
    assert any(classifiers.is_rude(text) for text in summaries)
