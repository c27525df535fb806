"""People's verdicts in place of a judge's where there are any, and the judge's where there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from solon.data.records import Candidates, Completion, Constitution, Judgment, Principle, Prompt, Question, Scored
from solon.errors import DataError
from solon.labelers.base import Labeler
from solon.labelers.critique import Critique
from solon.labelers.human import Human
from solon.labelers.pairwise import Pairwise
from solon.labelers.panel import Panel
from solon.labelers.ranking import RankingJudge
from solon.labelers.rules import Rules
from solon.models.scripted import Scripted
from solon.stages.label import witnesses

KIND = Principle(id="kind", text="Be kind.")
ONE = Constitution(name="one", principles=(KIND,))
PROMPT = Prompt.of("Say hi.")
TEXTS = ("hi", "go", "so")
GIVEN = Candidates(
    prompt=PROMPT, completions=tuple(Completion(text=text, model="m", seed=seed) for seed, text in enumerate(TEXTS))
)


class First(Labeler):
    """A judge that always takes the first, so that each pair is torn."""

    kind = "first"
    shown: int = 2
    scale: str = "share"

    @property
    def options(self) -> int:
        """As it was told."""
        return self.shown

    async def label(self, question: Question) -> Judgment:
        """The first, or a middling score."""
        scores = (1.0, 0.0) if self.shown == 2 else (3.0 if self.scale == "logit" else 0.5,)
        return question.judged(Scored(scores=scores, scale=self.scale), labeler=self.name)  # type: ignore[arg-type]


def human(folder: Path, otherwise: Labeler | None, *rows: dict[str, Any]) -> Human:
    """The labeler on these rows."""
    path = folder / "human.jsonl"
    path.write_text("".join(json.dumps({"prompt": "Say hi.", **row}) + "\n" for row in rows))
    return Human.model_construct(
        file=str(path), otherwise=otherwise, columns=Human(file=str(path)).columns, low=None, high=None
    )


def row(a: str, b: str, preferred: str | None, **more: Any) -> dict[str, Any]:
    """A comparison."""
    return {"response_a": a, "response_b": b, "preferred": preferred, **more}


def judge(say: str = "A") -> Pairwise:
    """One that always says the same."""
    return Pairwise(judge=Scripted(default=say), pairing="all")


async def test_people_answer_a_question_in_either_order(tmp_path: Path) -> None:
    """Of six questions they have judged two, which are one pair; these need no judge."""
    labeler = Human(file=human(tmp_path, None, row("go", "hi", "B")).file, otherwise=judge())
    questions = [
        Question(prompt=PROMPT, principles=(KIND,), options=(one, other))
        for one in GIVEN.completions
        for other in GIVEN.completions
        if one is not other
    ]
    by_people = [question for question in questions if labeler._places(question)]
    assert [[option.text for option in question.options] for question in by_people] == [["hi", "go"], ["go", "hi"]]
    assert [(await labeler.label(question)).outcome for question in by_people] == [
        Scored(scores=(1.0, 0.0)),
        Scored(scores=(0.0, 1.0)),
    ]


async def test_whoever_judges_otherwise_decides_what_is_asked(tmp_path: Path) -> None:
    """Ratings of all three responses, one of them by people: none is asked twice, each has its own labeler's name."""
    rated = human(tmp_path, None, {"response": "go", "score": 5})
    rules = Rules.model_validate({"rules": {"kind": {"length": "words", "max": 9}}})
    labeler = Human(file=rated.file, otherwise=rules)
    judgments = await labeler.examine(GIVEN, ONE)
    assert [(one.labeler, one.outcome.scores) for one in judgments if isinstance(one.outcome, Scored)] == [
        ("rules", (1.0,)),
        ("human", (1.0,)),
        ("rules", (1.0,)),
    ]
    account = labeler.account()
    account.add(judgments)
    summary = account.summary()
    assert (summary["by_people"], summary["otherwise"], summary["unmatched"]) == (1, 2, 0)
    assert summary["note"] == "1 of 3 judgments are people's, in place of the judge's; every row matched"


async def test_logits_become_shares_beside_what_people_say(tmp_path: Path) -> None:
    """3 as a logit is .9526 as a share; people's own verdicts stay as they are."""
    labeler = human(tmp_path, First(shown=1, scale="logit"), {"response": "go", "score": 5})
    judgments = await labeler.examine(GIVEN, ONE)
    revise = labeler.conclude(lambda: iter(judgments))
    assert revise is not None
    outcomes = [revise(one).outcome for one in judgments]
    assert [(one.scale, round(one.scores[0], 4)) for one in outcomes if isinstance(one, Scored)] == [
        ("share", 0.9526),
        ("share", 1.0),
        ("share", 0.9526),
    ]


def test_it_counts_as_the_judge_where_money_is_reckoned(tmp_path: Path) -> None:
    """Its models are asked, its replies are as long, and it is done again when the judge or a verdict changes."""
    file = human(tmp_path, None, row("go", "hi", "B")).file
    alone, other, changed = (
        Human(file=file),
        Human(file=file, otherwise=judge()),
        Human(file=file, otherwise=judge("B")),
    )
    assert alone.models() == ()
    assert other.models() == judge().models()
    assert other.name == "human:scripted"
    assert other.expected_questions(3, 1) == judge().expected_questions(3, 1)
    assert other.longest_reply == judge().longest_reply
    assert len({json.dumps(each.effects(), sort_keys=True) for each in (alone, other, changed)}) == 3
    assert "otherwise" not in alone.effects()


def test_what_shows_another_number_of_responses_is_a_problem(tmp_path: Path) -> None:
    """A ranking has no pairs that could be corrected; and revisions are no verdicts."""
    file = human(tmp_path, None, row("go", "hi", "B")).file
    ranked = Human(file=file, otherwise=RankingJudge(judge=Scripted(default="A")))
    assert any("compare two responses, and ranking shows all at once" in problem for problem in ranked.problems())
    assert Human(file=file, otherwise=judge()).problems() == []
    with pytest.raises(ValidationError, match="take it out"):
        Human(file=file, otherwise=Critique(model=Scripted(default="A")))


def test_a_file_that_is_not_there_yet_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    """`solon check` says so."""
    labeler = Human(file=str(tmp_path / "human.jsonl"), otherwise=judge())
    assert any("no such file" in problem for problem in labeler.problems())
    with pytest.raises(DataError):
        labeler.verdicts()


async def test_a_panels_weights_are_of_its_own_questions_alone(tmp_path: Path) -> None:
    """What people have answered has no votes, and stays."""
    panel = Panel.model_construct(members=(First(), First()), vote="majority", min_votes=None)
    labeler = human(tmp_path, panel, row("go", "hi", "B"))
    questions = [
        Question(prompt=PROMPT, principles=(KIND,), options=GIVEN.completions[place : place + 2]) for place in (0, 1)
    ]
    first, second = [await labeler.label(question) for question in questions]
    assert [first.labeler, len(first.votes), len(second.votes)] == ["human", 0, 2]
    assert labeler.conclude(lambda: iter((first, second))) is None
    assert set(witnesses(labeler)) == {"account", "verbosity"}


def test_the_last_of_the_rows_with_one_id_counts(tmp_path: Path) -> None:
    """Where that is empty, none does; rows without an id are each their own."""
    path = tmp_path / "rows.jsonl"
    given = [
        row("hi", "go", "A", verdict_id="1"), row("hi", "go", "B", verdict_id="1"),
        row("hi", "so", "A", verdict_id="2"), row("hi", "so", None, verdict_id="2"),
        row("go", "so", "A"), row("go", "so", "A"), row("go", "so", "tie", verdict_id=""),
    ]  # fmt: skip
    path.write_text("".join(json.dumps({"prompt": "Say hi.", **one}) + "\n" for one in given))
    read = Human(file=str(path)).verdicts()
    assert [one.value for one in read.verdicts] == [0.0, 1.0, 1.0, 0.5]
    assert read.blank == 1
