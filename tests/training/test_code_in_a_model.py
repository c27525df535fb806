"""Model folders with Python code of their own: nothing here ever runs it, whatever reads the folder."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import every_trainer
import in_process
from classifiers import tiny_classifier, tiny_reward_model
from solon.data.records import Candidates, Completion, Constitution, Message, Principle, Prompt
from solon.errors import DataError, SolonError
from solon.labelers.base import Labeler
from solon.labelers.classifier import Classifier
from solon.labelers.rating import RatingJudge
from solon.models.base import Request
from solon.models.transformers import Transformers
from solon.testing.tiny import tiny_llama

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_stays_loaded"),
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
CONSTITUTION = Constitution(name="brief", principles=(Principle(id="brief", text="Be brief."),))
CLASSES = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForSequenceClassification")
CODE = """\
from pathlib import Path

from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, PreTrainedTokenizerFast

Path({trace!r}).touch()


class Config(LlamaConfig):
    model_type = "unheard_of"


class Model(LlamaForCausalLM):
    config_class = Config


class Scorer(LlamaForSequenceClassification):
    config_class = Config


class Tokens(PreTrainedTokenizerFast):
    pass


def generate(model, *arguments, **settings):
    raise AssertionError("somebody else's generate")
"""
NEVER = "only by running Python code that comes with it, and that is never done"


def with_code(folder: Path, trace: Path, *, known: bool) -> Path:
    """Adds code to a model, which leaves a trace when it is run.

    Args:
        folder: the model's.
        trace: the file that is made.
        known: whether transformers has classes of its own for the model, so that it does not need the code.
    """
    names = {"AutoConfig": "Config", "AutoModelForSequenceClassification": "Scorer"}
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {name: f"own.{names.get(name, 'Model')}" for name in CLASSES}
    if not known:
        config["model_type"] = "unheard_of"
    (folder / "config.json").write_text(json.dumps(config))
    tokens = json.loads((folder / "tokenizer_config.json").read_text())
    tokens["auto_map"] = {"AutoTokenizer": ["own.Tokens", "own.Tokens"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokens))
    (folder / "own.py").write_text(CODE.format(trace=str(trace)))
    (folder / "custom_generate").mkdir()
    shutil.copy(folder / "own.py", folder / "custom_generate" / "generate.py")
    return folder


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """What is there once the code has run."""
    return tmp_path / "it-ran"


def test_the_code_of_these_tests_leaves_a_trace_where_it_is_trusted(trace: Path, tmp_path: Path) -> None:
    """Else they would prove nothing. In a process of its own, whose cache is thrown away."""
    folder = with_code(tiny_llama(tmp_path / "model"), trace, known=False)
    code = f"from transformers import AutoConfig; AutoConfig.from_pretrained({str(folder)!r}, trust_remote_code=True)"
    alone = {**os.environ, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=alone)
    assert trace.exists()


def sampled(folder: Path) -> str:
    """What the model answers."""
    asked = Request(messages=(Message(role="user", content="Say it."),), max_tokens=3)
    (reply,) = asyncio.run(Transformers(model=str(folder), threads=1).complete_batch([asked]))
    return reply.stop


def judged(labeler: Labeler) -> str:
    """What a labeler gives to an answer: scores, or why there are none."""
    answers = Candidates(prompt=Prompt.of("Say it."), completions=(Completion(text="the cat", model="policy"),))
    (judgment,) = asyncio.run(labeler.examine(answers, CONSTITUTION))
    return judgment.outcome.kind


def a_judge(folder: Path) -> Labeler:
    """One that runs here."""
    judge = {"kind": "transformers", "model": str(folder), "threads": 1}
    return RatingJudge.model_validate({"judge": judge, "answer": "text"})


def a_classifier(folder: Path, **settings: Any) -> Labeler:
    """One of responses or, as a reward model, of conversations."""
    return Classifier.model_validate({"model": str(folder), "threads": 1, **settings})


REWARDS = {"text": "conversation", "value": "logit"}


@pytest.mark.reliability("models")
def test_a_model_that_transformers_knows_is_read_without_its_code(trace: Path, tmp_path: Path) -> None:
    """As the policy, as a judge, as a classifier and as a reward model."""
    policy = with_code(tiny_llama(tmp_path / "policy"), trace, known=True)
    assert sampled(policy) in ("end", "length")
    assert judged(a_judge(policy)) in ("scored", "failed")
    hate = with_code(tiny_classifier(tmp_path / "hate"), trace, known=True)
    assert judged(a_classifier(hate, label="nothate")) == "scored"
    rewards = with_code(tiny_reward_model(tmp_path / "rewards"), trace, known=True)
    assert judged(a_classifier(rewards, **REWARDS)) == "scored"
    assert not trace.exists()


@pytest.mark.reliability("models")
def test_a_model_that_needs_its_code_is_refused_and_it_is_said_why(trace: Path, tmp_path: Path) -> None:
    """Everywhere the same: it is not the folder that lacks something."""
    policy = with_code(tiny_llama(tmp_path / "policy"), trace, known=False)
    rewards = with_code(tiny_reward_model(tmp_path / "rewards"), trace, known=False)
    reads = [
        lambda: sampled(policy),
        lambda: judged(a_judge(policy)),
        lambda: judged(a_classifier(rewards, **REWARDS)),
    ]
    for read in reads:
        with pytest.raises(DataError, match=NEVER) as caught:
            read()
        (problem,) = caught.value.problems
        assert problem.remedy.startswith("take one of an architecture that transformers knows")
    assert not trace.exists()


def test_an_architecture_that_is_not_known_is_told_from_a_folder_that_lacks_something(tmp_path: Path) -> None:
    """Without any code, too."""
    folder = tiny_llama(tmp_path / "policy")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "unheard_of"}))
    with pytest.raises(DataError, match="unheard_of") as caught:
        sampled(folder)
    (problem,) = caught.value.problems
    assert problem.remedy.startswith("take one of an architecture that transformers knows")


@pytest.mark.parametrize("kind", every_trainer.KINDS)
def test_no_trainer_runs_the_code_of_a_policy(kind: str, trace: Path, tmp_path: Path) -> None:
    """One that transformers knows is trained; one that it does not know is refused, and nothing is written."""
    dataset = every_trainer.dataset_of(kind, tmp_path / "dataset", rows=8)
    settings = every_trainer.made(kind, max_steps=1)
    judging = every_trainer.judging(tmp_path)
    known = with_code(tiny_llama(tmp_path / "known", context=64), trace, known=True)
    in_process.train(settings, known, dataset, tmp_path / "trained", judging=judging)
    assert list((tmp_path / "trained").glob("*.safetensors"))
    unknown = with_code(tiny_llama(tmp_path / "unknown", context=64), trace, known=False)
    with pytest.raises(SolonError, match=NEVER):
        in_process.train(settings, unknown, dataset, tmp_path / "refused", judging=judging)
    assert not list((tmp_path / "refused").iterdir())
    assert not trace.exists()
