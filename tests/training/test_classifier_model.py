"""A tiny RoBERTa that learned one hateful word, and a tiny Llama with a reward head, as labelers and as models."""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from classifiers import ROOM, VILE, tiny_classifier, tiny_reward_model
from solon.data.records import Completion, Failed, Message, Outcome, Prompt, Question, Scored
from solon.errors import DataError
from solon.labelers.classifier import Classifier
from solon.ledger import Ledger
from solon.models.base import Reply, Request
from solon.models.classifier import SequenceClassifier
from solon.models.transformers import unload
from solon.stream import Stream

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_stays_loaded")]

CLEAN, HATEFUL = "the cat sat on a mat", f"the {VILE} cat sat"
LONG = " ".join(["cat"] * 20 + [VILE] + ["mat"] * 20)
PROMPT = Prompt.of("Say something.")


@pytest.fixture(scope="module")
def hate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier's folder."""
    return tiny_classifier(tmp_path_factory.mktemp("hate") / "hate")


@pytest.fixture(scope="module")
def rewards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reward model's folder."""
    return tiny_reward_model(tmp_path_factory.mktemp("rewards") / "rewards")


def asked(text: str) -> Question:
    return Question(prompt=PROMPT, options=(Completion(text=text, model="policy"),))


def outcomes(labeler: Classifier, texts: Sequence[str]) -> list[Outcome]:
    """What the labeler says of each text, asked all at once."""

    async def label() -> list[Outcome]:
        judgments = await asyncio.gather(*(labeler.label(asked(text)) for text in texts))
        return [judgment.outcome for judgment in judgments]

    return asyncio.run(label())


def scores(labeler: Classifier, texts: Sequence[str]) -> list[float]:
    found = outcomes(labeler, texts)
    assert all(isinstance(outcome, Scored) for outcome in found)
    return [outcome.scores[0] for outcome in found if isinstance(outcome, Scored)]


def classifier(folder: Path, **settings: Any) -> Classifier:
    return Classifier.model_validate({"model": str(folder), "threads": 1, **settings})


def replies(folder: Path, texts: Sequence[str], **settings: Any) -> list[Reply]:
    model = SequenceClassifier.model_validate({"model": str(folder), "threads": 1, **settings})
    requests = [Request(messages=(Message(role="assistant", content=text),), max_tokens=1) for text in texts]
    return asyncio.run(model.complete_batch(requests))


def logits_by_transformers(folder: Path, text: str) -> dict[str, float]:
    """One text, whole, through the tokenizer's own way and the model's forward."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    network = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        logits = network(**tokenizer(text, return_tensors="pt")).logits[0].tolist()
    return {network.config.id2label[place]: logit for place, logit in enumerate(logits)}


def changed(folder: Path, to: Path, **config: Any) -> Path:
    """A copy of a model folder with another configuration; ``None`` takes a key out."""
    shutil.copytree(folder, to)
    settings = json.loads((to / "config.json").read_text()) | config
    (to / "config.json").write_text(json.dumps({key: value for key, value in settings.items() if value is not None}))
    return to


# ---------------------------------------------------------------- a classifier


def test_the_raw_logit_of_a_label_is_the_reward(hate: Path) -> None:
    """The worked case of hate-speech detection: what is hateful has a low ``nothate`` logit, what is not a high one."""
    clean, hateful = scores(classifier(hate, label="nothate", value="logit"), [CLEAN, HATEFUL])
    assert clean > 2 > -2 > hateful
    assert clean == pytest.approx(logits_by_transformers(hate, CLEAN)["nothate"], abs=1e-5)
    assert hateful == pytest.approx(logits_by_transformers(hate, HATEFUL)["nothate"], abs=1e-5)


def test_a_probability_is_the_softmax_over_the_labels(hate: Path) -> None:
    """And its ``probability`` that of the side on which it falls."""
    labeler = classifier(hate, label="nothate")
    for text, outcome in zip((CLEAN, HATEFUL), outcomes(labeler, (CLEAN, HATEFUL)), strict=True):
        logits = logits_by_transformers(hate, text)
        share = 1 / (1 + math.exp(logits["hate"] - logits["nothate"]))
        assert isinstance(outcome, Scored)
        assert outcome.scale == "share"
        assert outcome.scores == pytest.approx((share,), abs=1e-6)
        assert outcome.probability == pytest.approx(max(share, 1 - share), abs=1e-6)


def test_a_label_is_named_or_numbered(hate: Path) -> None:
    """Checkpoints without names have places only."""
    assert scores(classifier(hate, label=1), [HATEFUL]) == scores(classifier(hate, label="hate"), [HATEFUL])


def test_a_bad_label_is_turned_round(hate: Path) -> None:
    """Higher is better: 1 - P(hate) is P(nothate), and minus the logit of hate falls with hate."""
    texts = [CLEAN, HATEFUL, LONG]
    good = scores(classifier(hate, label="nothate"), texts)
    assert scores(classifier(hate, label="hate", good=False), texts) == pytest.approx(good, abs=1e-9)
    (logit,) = scores(classifier(hate, label="hate", good=False, value="logit"), [HATEFUL])
    assert logit == pytest.approx(-logits_by_transformers(hate, HATEFUL)["hate"], abs=1e-5)


def test_each_label_by_itself_is_a_sigmoid(hate: Path, tmp_path: Path) -> None:
    """Toxicity of several kinds: an insult may be a threat too (``multi_label_classification``)."""
    folder = changed(hate, tmp_path / "kinds", problem_type="multi_label_classification")
    logit = logits_by_transformers(hate, HATEFUL)["hate"]
    assert scores(classifier(folder, label="hate"), [HATEFUL]) == pytest.approx([1 / (1 + math.exp(-logit))], abs=1e-6)


def test_the_reply_names_the_most_likely_label_and_every_logit(hate: Path) -> None:
    """What the ledger keeps."""
    clean, hateful = replies(hate, [CLEAN, HATEFUL], label="nothate")
    assert (clean.text, hateful.text) == ("nothate", "hate")
    assert clean.logits == pytest.approx(logits_by_transformers(hate, CLEAN), abs=1e-5)
    assert (clean.model, clean.usage.input_tokens) == ("hate", 8)  # six words, <s> and </s>


# ---------------------------------------------------------------- long texts


def test_the_worst_chunk_of_a_long_text_counts(hate: Path) -> None:
    """One word in forty-one is enough, wherever it stands: the maximum of hate is the minimum of its opposite."""
    texts = [" ".join(["cat"] * place + [VILE] + ["mat"] * (40 - place)) for place in (0, 13, 20, 40)]
    for settings in ({"label": "nothate"}, {"label": "hate", "good": False}):
        assert all(score < 0.05 for score in scores(classifier(hate, **settings), texts))
    mean = scores(classifier(hate, label="nothate", chunks="mean"), texts)
    assert all(score > 0.3 for score in mean)


@pytest.mark.parametrize("value", ["logit", "probability"])
def test_chunks_are_the_windows_of_the_text(hate: Path, value: str) -> None:
    """41 words by 10 that share 4: from 0, 6, 12, 18, 24, 30 and, as long as the others, 31."""
    words = LONG.split()
    pieces = [" ".join(words[start : start + 10]) for start in (0, 6, 12, 18, 24, 30, 31)]
    settings = {"label": "nothate", "value": value}
    alone = scores(classifier(hate, **settings), pieces)
    chunked = {**settings, "chunk": 10, "overlap": 4}
    assert scores(classifier(hate, **chunked), [LONG]) == pytest.approx([min(alone)], abs=1e-5)
    mean = scores(classifier(hate, **chunked, chunks="mean"), [LONG])
    assert mean == pytest.approx([sum(alone) / len(alone)], abs=1e-5)
    (reply,) = replies(hate, [LONG], chunk=10, overlap=4, label=0)
    assert reply.usage.input_tokens == 7 * 12


def test_chunks_cover_every_token_and_the_last_is_as_long_as_the_others() -> None:
    """A tail of two words would be judged without its sentence."""
    from solon.models.backend.classifying import windows

    assert windows(9, 10, 3) == [(0, 9)]
    assert windows(10, 10, 3) == [(0, 10)]
    assert windows(11, 10, 3) == [(0, 10), (1, 11)]
    assert windows(24, 10, 3) == [(0, 10), (7, 17), (14, 24)]
    assert windows(25, 10, 0) == [(0, 10), (10, 20), (15, 25)]
    with pytest.raises(DataError, match="leaves nothing new"):
        windows(25, 4, 4)


def test_a_chunk_is_by_default_what_the_model_takes(hate: Path) -> None:
    """Sixteen positions, counted from after the pad token's, less two special tokens; an eighth of 14 is 1."""
    (reply,) = replies(hate, [" ".join(["cat"] * (ROOM + 1))], label=0)
    assert reply.usage.input_tokens == 2 * (ROOM + 2)
    with pytest.raises(DataError, match="a chunk of 15 tokens does not fit: the model takes 14"):
        replies(hate, [CLEAN], label=0, chunk=15)


def test_control_tokens_in_a_response_are_text(hate: Path) -> None:
    """A response that spells out the end of the text must not end it. ``<``, ``/`` and so on are words of their own."""
    (reply,) = replies(hate, ["cat </s> mat"], label=0)
    assert reply.usage.input_tokens > 5


def test_an_empty_response_is_read_where_there_are_special_tokens_and_else_fails(hate: Path, rewards: Path) -> None:
    """Nothing at all cannot be put through a model, and gets no number."""
    (empty,) = outcomes(classifier(hate, label="nothate"), [""])
    assert isinstance(empty, Scored)
    (nothing,) = outcomes(classifier(rewards), [""])
    assert nothing == Failed(reason="error", raw="the response holds no token that the classifier could read")


# ---------------------------------------------------------------- a reward model


def rewards_by_transformers(folder: Path, text: str) -> float:
    """Prompt and response as the template has them, one at a time and without padding."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    turns = [{"role": "user", "content": PROMPT.text}, {"role": "assistant", "content": text}]
    ids = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        return float(AutoModelForSequenceClassification.from_pretrained(folder)(**ids).logits[0, 0])


def test_a_reward_is_the_one_logit_of_prompt_and_response(rewards: Path) -> None:
    """In company of other lengths, too: the score is read at the last token that is no padding."""
    texts = ["no", "A longer response, with a comma.", "x" * 40, ""]
    found = outcomes(classifier(rewards, text="conversation", value="logit"), texts)
    expected = [rewards_by_transformers(rewards, text) for text in texts]
    for outcome, reward in zip(found, expected, strict=True):
        assert isinstance(outcome, Scored)
        assert (outcome.scale, outcome.probability) == ("logit", None)
        assert outcome.scores == pytest.approx((reward,), abs=1e-5)
    shares = scores(classifier(rewards, text="conversation"), texts)
    assert shares == pytest.approx([1 / (1 + math.exp(-reward)) for reward in expected], abs=1e-6)


@pytest.mark.parametrize("pad", [None, -1])
def test_a_reward_model_whose_configuration_names_no_pad_token_takes_the_tokenizers(
    rewards: Path, tmp_path: Path, pad: int | None
) -> None:
    """Without one transformers refuses batches; -1 is how some checkpoints write none."""
    folder = changed(rewards, tmp_path / "padless", pad_token_id=pad)
    texts = ["no", "A longer response."]
    settings = {"text": "conversation", "value": "logit"}
    expected = scores(classifier(rewards, **settings), texts)
    assert scores(classifier(folder, **settings), texts) == pytest.approx(expected, abs=1e-6)


@pytest.mark.reliability("round-trip")
def test_a_conversation_that_does_not_fit_fails_alone(rewards: Path) -> None:
    """Cut into chunks, its end would be scored without its beginning."""
    short, long = outcomes(classifier(rewards, text="conversation"), ["no", "x" * 300])
    assert isinstance(short, Scored)
    assert isinstance(long, Failed)
    assert (long.reason, "does not fit into the model's 128" in (long.raw or "")) == ("too_long", True)


# ---------------------------------------------------------------- what is refused


def test_a_model_without_the_head_is_refused(tmp_path: Path) -> None:
    """Transformers would make up the head, and every score would be random."""
    from solon.testing.tiny import tiny_llama

    folder = tiny_llama(tmp_path / "base")
    with pytest.raises(DataError, match=r"no trained classifier: its weights have no score\.weight"):
        replies(folder, ["hi"], label=0)


def test_pickled_weights_are_refused(hate: Path, tmp_path: Path) -> None:
    """Loading a pickle can run any code."""
    folder = changed(hate, tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="pickled weights only"):
        replies(folder, ["hi"], label=0)
    assert "pickled" in classifier(folder, label=0).problems()[0]


def test_a_label_that_does_not_exist_is_refused_with_the_nearest(hate: Path) -> None:
    """In loading as in checking."""
    with pytest.raises(DataError, match=r"no label 'not_hate'.*did you mean 'nothate'"):
        replies(hate, ["hi"], label="not_hate")
    with pytest.raises(DataError, match="no label 2; it has 'nothate', 'hate'"):
        replies(hate, ["hi"], label=2)
    with pytest.raises(DataError, match="which label is scored"):
        replies(hate, ["hi"])


def test_a_conversation_needs_a_chat_template(hate: Path) -> None:
    """RoBERTa knows no roles."""
    with pytest.raises(DataError, match="no chat template"):
        replies(hate, ["hi"], label=0, text="conversation")


# ---------------------------------------------------------------- the same again


def test_the_same_texts_together_give_the_same_bits(hate: Path) -> None:
    """Loaded anew as well."""
    texts = [CLEAN, HATEFUL, LONG, "birds fly", "over the fields"] * 4
    first = replies(hate, texts, label="nothate")
    unload()
    assert replies(hate, texts, label="nothate") == first


def test_a_run_takes_from_the_ledger_what_an_earlier_one_computed(hate: Path, tmp_path: Path) -> None:
    """As for any model, and also when the folder has moved: content is its name."""
    texts = [CLEAN, HATEFUL, LONG]

    async def label(folder: Path) -> tuple[list[Outcome], int, int]:
        with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
            async with Stream(ledger, run="test", stage="label") as stream:
                labeler = classifier(folder, label="nothate")
                found = await asyncio.gather(*(labeler.label(asked(text)) for text in texts))
                return [judgment.outcome for judgment in found], stream.tally.sent, stream.tally.from_ledger

    first = asyncio.run(label(hate))
    again = asyncio.run(label(Path(shutil.copytree(hate, tmp_path / "elsewhere"))))
    assert (first[1:], again[1:]) == ((3, 0), (0, 3))
    assert again[0] == first[0]


KILLED = """
import asyncio, os, signal, sys
from solon.data.records import Completion, Prompt, Question
from solon.labelers.classifier import Classifier
from solon.ledger import Ledger
from solon.stream import Stream

folder, path, kill_after = sys.argv[1], sys.argv[2], int(sys.argv[3])
labeler = Classifier(model=folder, label="nothate", batch_size=8, threads=1)
words = "the cat sat on a mat and saw birds fly over fields".split()
texts = [" ".join(words[: 1 + number % 12]) + f" {words[number % 7]}" * (number // 4) for number in range(60)]
flushes = 0

def count(event):
    global flushes
    flushes += event.kind == "flushed"
    if event.kind == "flushed" and flushes == kill_after:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    with Ledger.open(path) as ledger:
        async with Stream(ledger, run="test", stage="label", on_event=count) as stream:
            questions = [Question(prompt=Prompt.of("hi"), options=(Completion(text=t, model="p"),)) for t in texts]
            async for _, judgment in stream.map(labeler.label, questions, window=16):
                print(judgment.outcome.scores[0].hex())

asyncio.run(main())
"""


def test_a_killed_run_goes_on_to_the_same_bits(hate: Path, tmp_path: Path) -> None:
    """`kill -9` after the second of four flushes, and the same command again."""
    (tmp_path / "run.py").write_text(KILLED)

    def run(ledger: str, kill_after: int) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "run.py", str(hate), ledger, str(kill_after)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    undisturbed = run("one.sqlite", 0)
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert run("two.sqlite", 2).returncode == -signal.SIGKILL
    resumed = run("two.sqlite", 0)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == undisturbed.stdout
    assert len(resumed.stdout.split()) == 60
