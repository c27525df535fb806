"""Unsafe answers by category and severity, told by somebody who is examined first."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evaluating import CONSTITUTION, Compares, said, shown
from opinions import Opinion
from solon.data.records import Completion, Failed, Prompt, Question, Scored
from solon.errors import DataError
from solon.evaluation.base import Decoding, Evidence, Which
from solon.evaluation.safety import Safety


def data(folder: Path, rows: int = 60) -> Path:
    """Even prompts draw violence of severity 3, odd ones insults of severity 1; "bad" responses are unsafe."""
    file = folder / "safe.jsonl"
    lines = []
    for number in range(rows):
        category = "Violence" if number % 2 == 0 else "Insulting Behavior"
        harm = {name: name == category for name in ("Violence", "Insulting Behavior", "Drugs")}
        lines.append(
            {
                "prompt": f"prompt {number}",
                "response_0": f"bad {number}",
                "response_1": f"kind {number}",
                "is_response_0_safe": False,
                "is_response_1_safe": True,
                "response_0_harm_category": harm,
                "response_1_harm_category": dict.fromkeys(harm, False),
                "response_0_severity_level": 3 if number % 2 == 0 else 1,
                "response_1_severity_level": 0,
                "better_response_id": 0,
                "safer_response_id": 1,
            }
        )
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def knows(question: Question) -> Scored | Failed:
    """Whoever says "bad" is unsafe; a question mark cannot be read."""
    text = question.options[0].text
    return Failed(reason="unparseable") if "?" in text else Scored(scores=(0.1 if "bad" in text else 0.9,))


class Models:
    """Both policies: the untrained one answers badly, the trained one to even prompts only."""

    def __init__(self) -> None:
        self.kept: dict[str, Sequence[Mapping[str, Any]]] = {}

    async def answers(self, which: Which, prompts: Sequence[Prompt], decoding: Decoding) -> list[Completion | None]:
        """In their order."""
        assert decoding == "sample"
        return [said(self.answer(which, int(prompt.text.split()[1]))) for prompt in prompts]

    @staticmethod
    def answer(which: Which, number: int) -> str:
        """Of one prompt."""
        return f"bad reply {number}" if which == "before" or number % 2 == 0 else f"kind reply {number}"

    def evidence(self) -> Evidence:
        """All that ``safety`` looks at."""
        return Evidence(constitution=CONSTITUTION, pairs={}, answers=self.answers, keep=self.kept.__setitem__)


def judge(says: Any = knows) -> Opinion:
    """A labeler that rates."""
    return Opinion(says=says, shown=1, called="reader")


async def test_the_judge_is_examined_and_the_answers_are_counted_by_category_and_severity(tmp_path: Path) -> None:
    """40 prompts are answered; before all are unsafe, after those of violence, which is severity 3."""
    models = Models()
    metrics = await Safety(data=str(data(tmp_path)), by=judge(), prompts=40, labelled=20).evaluate(models.evidence())
    found = {(name, of): (value, n) for name, of, value, n, _ in shown(metrics)}
    assert found["safety_judge/safer", "labels"] == (1.0, 20)
    assert found["safety_judge/safe", "labels"] == (1.0, 40)
    violent = found["unsafe/violence", "before"][1]
    assert found["unsafe", "before"] == (1.0, 40)
    assert found["unsafe", "after"] == (violent / 40, 40)
    assert found["unsafe/violence", "after"] == found["unsafe/severity_3", "after"] == (1.0, violent)
    assert found["unsafe/insulting_behavior", "after"] == found["unsafe/severity_1", "after"] == (0.0, 40 - violent)
    assert "by reader" in metrics[-1].method
    assert [name for name, _ in found if "drugs" in name] == []
    assert len(models.kept["safety"]) == 40
    assert {"prompt", "categories", "severity", "before", "after", "unsafe"} == set(models.kept["safety"][0])


async def test_a_judge_below_chance_is_refused(tmp_path: Path) -> None:
    """Its sign is turned round: whatever it says of the answers would be as well."""

    def turned(question: Question) -> Scored:
        return Scored(scores=(0.9 if "bad" in question.options[0].text else 0.1,))

    with pytest.raises(DataError, match=r"reader scores the safer response higher in 0 % of 20 .* right way round"):
        await Safety(data=str(data(tmp_path)), by=judge(turned), labelled=20).evaluate(Models().evidence())


async def test_a_judge_that_says_the_same_of_all_is_refused(tmp_path: Path) -> None:
    """A half of every pair is chance."""
    same = judge(lambda question: Scored(scores=(0.9,)))
    with pytest.raises(DataError, match="not surely better than chance"):
        await Safety(data=str(data(tmp_path)), by=same, labelled=20).evaluate(Models().evidence())


async def test_a_judge_that_rates_nothing_is_refused(tmp_path: Path) -> None:
    """Every reply failed."""
    mute = judge(lambda question: Failed(reason="unavailable"))
    with pytest.raises(DataError, match="rated none of 20 labelled pairs"):
        await Safety(data=str(data(tmp_path)), by=mute, labelled=20).evaluate(Models().evidence())


async def test_the_prompts_that_are_answered_are_none_of_those_it_is_examined_on(tmp_path: Path) -> None:
    """Chosen by hash, the same in every run."""
    asked: list[str] = []

    def remembers(question: Question) -> Scored | Failed:
        asked.append(question.prompt.text)
        return knows(question)

    measure = Safety(data=str(data(tmp_path)), by=judge(remembers), prompts=30, labelled=20)
    await measure.evaluate(Models().evidence())
    examined, answered = set(asked[:40]), set(asked[40:])
    assert (len(examined), len(answered), examined & answered) == (20, 30, set())


def test_a_labeler_that_compares_and_a_file_that_is_none_are_found_before_anything_is_asked(tmp_path: Path) -> None:
    """By ``solon check``."""
    (problem,) = Safety(data=str(data(tmp_path)), by=Compares()).problems()
    assert "rates one answer at a time" in problem
    (tmp_path / "other.jsonl").write_text('{"prompt": "p"}\n')
    assert any("response_0" in one for one in Safety(data=str(tmp_path / "other.jsonl"), by=judge()).problems())
