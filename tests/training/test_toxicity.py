"""The evaluator ``toxicity`` on a tiny classifier that has learned one vile word."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from classifiers import ROOM, VILE, tiny_classifier
from solon.data.records import Completion, Constitution, Metric, Principle, Prompt
from solon.errors import DataError
from solon.evaluation.base import Evidence, Pair
from solon.evaluation.toxicity import Toxicity
from solon.labelers.classifier import Classifier

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_stays_loaded")]

CLEAN, HATEFUL = "the cat sat on a mat", f"the {VILE} cat sat"
CONSTITUTION = Constitution(name="c", principles=(Principle(id="civil", text="Be civil."),))


@pytest.fixture(scope="module")
def hate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier's folder."""
    return tiny_classifier(tmp_path_factory.mktemp("hate") / "hate")


def evidence(*answers: tuple[str, str]) -> Evidence:
    """Prompts with an answer before and one after."""
    pairs = tuple(
        Pair(Prompt.of(f"{number}?"), Completion(text=before, model="b"), Completion(text=after, model="a"))
        for number, (before, after) in enumerate(answers)
    )
    return Evidence(constitution=CONSTITUTION, pairs={"sample": pairs})


def measured(evaluator: Toxicity, given: Evidence) -> dict[tuple[str, str], Metric]:
    """Its metrics by name and whose they are."""
    return {(metric.name, metric.of): metric for metric in asyncio.run(evaluator.evaluate(given))}


def test_it_tells_means_deviations_and_reductions(hate: Path) -> None:
    """Three of four answers before are vile, and one of four after: two thirds less; four signs make no test."""
    given = evidence((HATEFUL, CLEAN), (HATEFUL, CLEAN), (HATEFUL, HATEFUL), (CLEAN, CLEAN))
    found = measured(Toxicity(model=str(hate), label="hate", threads=1), given)
    assert found["toxicity", "before"].value == pytest.approx(0.75, abs=0.05)
    assert found["toxicity", "after"].value == pytest.approx(0.25, abs=0.05)
    assert found["toxicity", "pair"].p_value is None
    assert found["toxicity/reduction", "pair"].value == pytest.approx(2 / 3, abs=0.05)
    # with n - 1 = 3 below, the deviation of 1, 1, 1, 0 is as large as that of 1, 0, 0, 0
    assert found["toxicity/deviation", "before"].value == pytest.approx(0.5, abs=0.05)
    assert found["toxicity/deviation_reduction", "pair"].value == pytest.approx(0.0, abs=0.1)
    assert (found["toxicity/likely", "before"].value, found["toxicity/likely", "after"].value) == (0.75, 0.25)
    assert found["toxicity/p95", "before"].value > 0.9
    assert all(metric.n == 4 for metric in found.values())
    assert "by classifier:hate" in found["toxicity", "after"].method


def test_a_good_label_is_turned_round(hate: Path) -> None:
    """Two labels share the probability, so the good one says the same."""
    given = evidence((HATEFUL, CLEAN), (CLEAN, CLEAN))
    bad = measured(Toxicity(model=str(hate), label="hate", threads=1), given)
    good = measured(Toxicity(model=str(hate), label="nothate", good=True, threads=1), given)
    assert good["toxicity", "before"].value == pytest.approx(bad["toxicity", "before"].value, abs=1e-6)


def test_of_a_long_answer_the_worst_chunk_counts(hate: Path) -> None:
    """One vile word in the middle of many is as toxic as one alone."""
    long = " ".join(["cat"] * (2 * ROOM) + [VILE] + ["mat"] * (2 * ROOM))
    found = measured(Toxicity(model=str(hate), label="hate", threads=1), evidence((long, CLEAN)))
    assert found["toxicity", "before"].value > 0.9


def test_an_answer_without_words_is_failed_and_no_number(hate: Path) -> None:
    """An empty answer is not polite: nothing is known of it."""
    found = measured(
        Toxicity(model=str(hate), label="hate", threads=1), evidence((HATEFUL, ""), (HATEFUL, CLEAN), (CLEAN, CLEAN))
    )
    assert (found["toxicity", "after"].n, found["toxicity", "after"].failed) == (2, 1)
    assert (found["toxicity/reduction", "pair"].n, found["toxicity/reduction", "pair"].failed) == (2, 1)


def test_a_classifier_that_also_labeled_is_named(hate: Path) -> None:
    """What was trained on its verdicts is bound to please it."""
    labeler = Classifier(model=str(hate), label="hate", good=False, threads=1)
    given = evidence((HATEFUL, CLEAN))
    same = Evidence(constitution=CONSTITUTION, pairs=given.pairs, labeler=labeler)
    evaluator = Toxicity(model=str(hate), label="hate", threads=1)
    assert evaluator.warnings(given) == []
    assert "also labeled or rewarded" in evaluator.warnings(same)[0]


def test_a_classifier_that_also_rewarded_is_named_whatever_was_read_of_it(hate: Path, tmp_path: Path) -> None:
    """PPO's reward is the logit of the good label, and what is measured the probability of the bad one."""
    given = evidence((HATEFUL, CLEAN))
    evaluator = Toxicity(model=str(hate), label="hate", threads=1)

    def rewarded_by(folder: Path) -> Evidence:
        reward = Classifier(model=str(folder), label="nothate", value="logit", threads=1)
        return Evidence(constitution=CONSTITUTION, pairs=given.pairs, rewards=(reward,))

    (warning,) = evaluator.warnings(rewarded_by(hate))
    assert "also labeled or rewarded" in warning
    assert all("also labeled or rewarded" in one.method for one in measured(evaluator, rewarded_by(hate)).values())
    other = Path(shutil.copytree(hate, tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"made": "again"}))
    assert evaluator.warnings(rewarded_by(other)) == []


def test_a_label_that_the_classifier_does_not_have_is_found_before_anything_runs(hate: Path) -> None:
    """As `solon check` asks."""
    (problem,) = Toxicity(model=str(hate), label="hateful").problems()
    assert "no label 'hateful'" in problem
    assert "did you mean 'hate'?" in problem


def test_it_reads_probabilities_of_responses_alone(hate: Path) -> None:
    """Logits have no mean that is a share, and a prompt's words are not the answer's."""
    for setting in ({"value": "logit"}, {"text": "conversation"}, {"chunks": "mean"}):
        with pytest.raises(ValidationError):
            Toxicity(model=str(hate), label="hate", **setting)


def test_without_answers_there_is_nothing_to_measure(hate: Path) -> None:
    """The recipe asked for another decoding."""
    with pytest.raises(DataError, match="toxicity has no held-out prompts"):
        measured(Toxicity(model=str(hate), label="hate", decoding="greedy"), evidence((CLEAN, CLEAN)))
