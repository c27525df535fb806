"""The classifier's settings, questions, and what its scores are read as. The model itself: tests/training."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from solon.data.records import Candidates, Completion, Constitution, Failed, Principle, Prompt, Scored
from solon.labelers.classifier import Classifier
from solon.models.base import Reply

HUB = "facebook/roberta-hate-speech-dynabench-r4-target"
TWO = Reply(text="hate", logits={"nothate": -1.0, "hate": 2.0}, choices={"hate": math.log(0.75)})
ONE = Reply(text="LABEL_0", logits={"LABEL_0": -1.5}, choices={"LABEL_0": math.log(0.25)})


def classifier(**settings: Any) -> Classifier:
    return Classifier.model_validate({"model": HUB, **settings})


def folder(path: Path, **config: Any) -> Path:
    """A model folder that is complete to the eye; nothing in it can be loaded."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
    (path / "tokenizer.json").write_text("{}")
    return path


def test_the_worked_case_reads_as_it_is_written() -> None:
    """The raw ``nothate`` logit of a hate-speech classifier as reward."""
    labeler = classifier(label="nothate", value="logit")
    assert labeler.settings() == {
        "kind": "classifier",
        "model": HUB,
        "adapter": None,
        "label": "nothate",
        "good": True,
        "value": "logit",
        "text": "response",
        "chunks": "worst",
        "chunk": None,
        "overlap": None,
        "batch_size": 64,
        "threads": None,
        "device": "auto",
        "dtype": "auto",
    }
    assert labeler.name == "classifier:roberta-hate-speech-dynabench-r4-target"
    assert (labeler.options, labeler.longest_reply) == (1, 1)
    assert labeler.models()[0] is labeler.models()[0]


@pytest.mark.parametrize(
    ("settings", "scores", "scale"),
    [
        ({"good": False}, (0.25,), "share"),
        ({"good": True}, (0.75,), "share"),
        ({"good": False, "value": "logit"}, (-2.0,), "logit"),
        ({"good": True, "value": "logit"}, (2.0,), "logit"),
    ],
)
def test_a_higher_score_is_always_better(settings: dict[str, Any], scores: tuple[float, ...], scale: str) -> None:
    """P(hate) .75 and logit 2: good is 1 - p and minus the logit. Either way it is sure of its side by .75."""
    outcome = classifier(label="hate", **settings)._read(TWO)
    assert isinstance(outcome, Scored)
    assert outcome.scores == pytest.approx(scores)
    assert outcome.scale == scale
    assert outcome.probability == pytest.approx(0.75)


def test_a_single_logit_says_nothing_of_how_sure_it_is() -> None:
    """A reward compares responses to one prompt; its sigmoid is no probability of being right."""
    assert classifier(value="logit")._read(ONE) == Scored(scores=(-1.5,), scale="logit")
    outcome = classifier()._read(ONE)
    assert isinstance(outcome, Scored)
    assert (outcome.scores[0], outcome.probability) == (pytest.approx(0.25), None)


def test_a_reply_without_logits_is_a_failure() -> None:
    """There was nothing to read."""
    assert isinstance(classifier()._read(Reply(text="")), Failed)


def test_it_is_asked_once_a_response_under_all_principles_that_apply() -> None:
    """It knows none of them."""
    principles = (
        Principle(id="a", text="A."),
        Principle(id="b", text="B."),
        Principle(id="c", text="C.", topics=("x",)),
    )
    constitution = Constitution(name="test", principles=principles)
    candidates = Candidates(
        prompt=Prompt.of("hi"), completions=tuple(Completion(text=text, model="p") for text in ("one", "two"))
    )
    questions = list(classifier().questions(candidates, constitution))
    assert [[principle.id for principle in question.principles] for question in questions] == [["a", "b"]] * 2
    assert [question.options[0].text for question in questions] == ["one", "two"]
    only_x = constitution.model_copy(update={"principles": principles[2:]})
    assert list(classifier().questions(candidates, only_x)) == []
    assert (classifier().expected_questions(2, 3), classifier().expected_questions(2, 0)) == (2, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text": "conversation", "chunk": 100}, "a conversation is not cut into chunks"),
        ({"text": "conversation", "overlap": 10}, "a conversation is not cut into chunks"),
        ({"chunk": 10, "overlap": 10}, "leaves nothing new"),
        ({"label": -1}, "greater than or equal to 0"),
        ({"chunks": "best"}, "'worst' or 'mean'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    """Before anything is loaded."""
    with pytest.raises(ValidationError, match=message):
        classifier(**settings)


def test_a_label_is_checked_without_loading_the_model(tmp_path: Path) -> None:
    """``solon check`` says it, with the nearest."""
    path = folder(tmp_path / "hate", id2label={"0": "nothate", "1": "hate"})

    def problems(**settings: Any) -> list[str]:
        return [problem for problem in classifier(model=str(path), **settings).problems() if "label" in problem]

    assert problems(label="nothate") == problems(label=1) == []
    assert len(problems(label=2)) == len(problems()) == 1
    assert "did you mean 'nothate'?" in problems(label="not_hate")[0]
    single = folder(tmp_path / "reward", id2label={"0": "LABEL_0"})
    assert [problem for problem in classifier(model=str(single)).problems() if "label" in problem] == []


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    """As for any model."""
    assert "no such model folder" in classifier(model=str(tmp_path / "nowhere")).problems()[0]


def test_effects_are_what_the_model_holds_and_how_it_reads(tmp_path: Path) -> None:
    """Another place, batch size, device or thread count makes no other label; another way to read does."""
    path, copy = folder(tmp_path / "one", a=1), folder(tmp_path / "two", a=1)
    effects = classifier(model=str(path), label="x").effects()
    assert classifier(model=str(copy), label="x", batch_size=2, threads=1, device="cpu").effects() == effects
    others = ({"label": "y"}, {"good": False}, {"value": "logit"}, {"chunks": "mean"}, {"chunk": 9}, {"overlap": 3})
    for other in (*others, {"text": "conversation"}, {"dtype": "bfloat16"}):
        assert classifier(**{"model": str(path), "label": "x", **other}).effects() != effects
    (path / "model.safetensors").write_bytes(b"other weights")
    assert classifier(model=str(path), label="x").effects() != effects
