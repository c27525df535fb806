"""People's verdicts from a file: what is matched, what is asked, what is said of the rest."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Message,
    Principle,
    Prompt,
    Question,
    RatingScale,
    Scored,
)
from solon.errors import DataError
from solon.evaluation.agreement import Agreement
from solon.evaluation.base import Evidence
from solon.labelers.human import Human
from solon.plugins.base import base_folder

KIND = Principle(id="kind", text="Be kind.")
TRUE = Principle(id="true", text="Be true.")
SUMS = Principle(id="sums", text="Show sums.", topics=("maths",))
BOTH = Constitution(name="both", principles=(KIND, TRUE, SUMS))
ONE = Constitution(name="one", principles=(KIND,), rating=RatingScale(low=0, high=10))
PROMPT = Prompt.of("Say hi.")


def said(*texts: str) -> tuple[Completion, ...]:
    """Completions of the policy."""
    return tuple(Completion(text=text, model="policy", seed=seed) for seed, text in enumerate(texts))


def about(*texts: str, prompt: Prompt = PROMPT) -> Candidates:
    """A prompt with completions."""
    return Candidates(prompt=prompt, completions=said(*texts))


def question(*texts: str, principles: tuple[Principle, ...] = (KIND,), scale: RatingScale = RatingScale()) -> Question:
    """A question about completions of ``PROMPT``."""
    return Question(prompt=PROMPT, principles=principles, options=said(*texts), scale=scale)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the recipe is."""
    return tmp_path


def human(folder: Path, rows: Sequence[dict[str, Any]] | str, name: str = "people.jsonl", **settings: Any) -> Human:
    """The labeler on a file of these rows."""
    text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
    (folder / name).write_text(text)
    with base_folder(folder):
        return Human(file=name, **settings)


def row(a: str, b: str, preferred: Any, **more: Any) -> dict[str, Any]:
    """A comparison."""
    return {"prompt": "Say hi.", "response_a": a, "response_b": b, "preferred": preferred, **more}


def rated(text: str, score: Any, **more: Any) -> dict[str, Any]:
    """A rating."""
    return {"prompt": "Say hi.", "response": text, "score": score, **more}


def shown(judgments: Sequence[Judgment], candidates: Candidates) -> list[tuple[tuple[str, ...], tuple[str, ...], Any]]:
    """Principles, texts and scores."""
    texts = {completion.id: completion.text for completion in candidates.completions}
    return [
        (one.principles, tuple(texts[option] for option in one.options), getattr(one.outcome, "scores", None))
        for one in judgments
    ]


async def first_is_better(folder: Path, rows: Sequence[dict[str, Any]], *texts: str, **settings: Any) -> float:
    """P(first is better) of a question about two texts."""
    outcome = (await human(folder, rows, **settings).label(question(*texts))).outcome
    assert isinstance(outcome, Scored)
    assert outcome.scores[0] + outcome.scores[1] == pytest.approx(1)
    return outcome.scores[0]


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("preferred", "share"),
    [("A", 1), ("a", 1), ("first", 1), ("B", 0), (" Second ", 0), ("tie", 0.5), ("TIE", 0.5), ("both", 0.5)],
)
async def test_a_verdict_is_a_letter_or_a_word(folder: Path, preferred: str, share: float) -> None:
    """In any case, as people type it."""
    assert await first_is_better(folder, [row("hi", "go", preferred)], "hi", "go") == share


async def test_the_order_in_the_file_does_not_matter(folder: Path) -> None:
    """B of (go, hi) is A of (hi, go)."""
    assert await first_is_better(folder, [row("go", "hi", "B")], "hi", "go") == 1


async def test_several_annotators_give_their_mean_and_ties_count_half(folder: Path) -> None:
    """Two for the first, one tie, one for the second: 2.5 of 4."""
    rows = [row("hi", "go", "A"), row("go", "hi", "B"), row("hi", "go", "tie"), row("hi", "go", "B")]
    judgment = await human(folder, rows).label(question("hi", "go"))
    assert judgment.outcome == Scored(scores=(0.625, 0.375))
    assert judgment.rationale == "people: 2 for the first, 1 for the second, 1 for neither, in any order"


async def test_ratings_are_put_on_the_scale_of_the_constitution(folder: Path) -> None:
    """7 and 8 from 0 to 10: .75. From 5 to 10, as the setting may say: (7.5 - 5) / 5."""
    rows = [rated("hi", 7), rated("hi", "8")]
    on_ten = question("hi", scale=RatingScale(low=0, high=10))
    assert (await human(folder, rows).label(on_ten)).outcome == Scored(scores=(0.75,))
    assert (await human(folder, rows, low=5, high=10).label(on_ten)).outcome == Scored(scores=(0.5,))


@pytest.mark.parametrize(
    ("marks", "score"),
    [((True, True), 1.0), ((True, False), 0.5), (("Good", " bad "), 0.5), (("false", "FALSE"), 0.0)],
)
async def test_good_and_bad_are_the_ends_of_any_scale(folder: Path, marks: Sequence[Any], score: float) -> None:
    """On a scale from 1 to 5 true is not the 1 that is the worst there, whoever sets the scale."""
    for settings in ({}, {"low": 1, "high": 7}):
        people = human(folder, [rated("hi", mark) for mark in marks], **settings)
        assert [*people.problems(), *people.problems_under(BOTH)] == []
        judgment = await people.label(question("hi"))
        assert judgment.outcome == Scored(scores=(score,))
        assert judgment.rationale == f"people: {round(2 * score)} good, {round(2 - 2 * score)} bad"


def test_marks_and_numbers_do_not_mix(folder: Path) -> None:
    """Whether true is 1 of 5 or the best of all, nobody knows."""
    (problem,) = human(folder, [rated("hi", 4), rated("go", True), rated("so", False)]).problems()
    assert problem == (
        "people.jsonl:2: column 'score': true or false (good or bad) here, and a number at people.jsonl:1 "
        "(write all scores in one of the two ways)"
    )


def test_marks_are_not_the_numbers_that_stand_for_them(folder: Path) -> None:
    """1 of 5 is the worst: a stage that was done with numbers is done again with marks."""
    numbers, marks = human(folder, [rated("hi", 1)]).effects(), human(folder, [rated("hi", True)]).effects()
    assert numbers != marks


async def test_a_score_off_the_scale_is_refused_with_every_place(folder: Path) -> None:
    """It would be more than everything, or less than nothing; the constitution's scale ends at 5."""
    rows = [rated("hi", 7), rated("go", 3), rated("so", 0.5)]
    with pytest.raises(DataError) as caught:
        await human(folder, rows).label(question("go"))
    assert [str(problem) for problem in caught.value.problems] == [
        "people.jsonl:1: the score 7 is not on the scale from 1 to 5",
        "people.jsonl:3: the score 0.5 is not on the scale from 1 to 5",
    ]
    assert human(folder, rows, low=1, high=5).problems() == [str(problem) for problem in caught.value.problems]


async def test_what_nobody_judged_is_a_failure_of_its_own(folder: Path) -> None:
    """Another text, another prompt, another number of responses: never a half."""
    people = human(folder, [row("hi", "go", "A")])
    other = Question(prompt=Prompt.of("Say go."), principles=(KIND,), options=said("hi", "go"))
    for asked in (question("hi", "so"), other, question("hi"), question("hi", "go", "so")):
        assert (await people.label(asked)).outcome == Failed(
            reason="unavailable", raw="no human verdict on these responses in people.jsonl"
        )


async def test_texts_match_but_for_line_ends_and_white_space_after_them(folder: Path) -> None:
    """Spreadsheets add those; everything else may be what was judged."""
    rows = [row("one\r\ntwo \n", "go", "A")]
    assert await first_is_better(folder, rows, "one\ntwo", "go\n") == 1
    for different in ("one\n two", " one\ntwo", "One\ntwo", "one \ntwo"):
        outcome = (await human(folder, rows).label(question(different, "go"))).outcome
        assert isinstance(outcome, Failed)


async def test_a_conversation_matches_a_conversation(folder: Path) -> None:
    """As a list of messages, in a column of either name."""
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Say"},
    ]
    prompt = Prompt(messages=tuple(Message.model_validate(turn) for turn in turns))
    asked = Question(prompt=prompt, principles=(KIND,), options=said("hi", "go"))
    for column in ("prompt", "messages"):
        rows = [{column: turns, "response_a": "hi", "response_b": "go", "preferred": "A"}]
        assert (await human(folder, rows).label(asked)).outcome == Scored(scores=(1.0, 0.0))


# ---------------------------------------------------------------- what is asked


async def test_only_what_the_file_answers_is_asked_and_in_both_orders(folder: Path) -> None:
    """Of three pairs one was judged; a verdict without a principle is under all that apply."""
    candidates = about("hi", "go", "so")
    judgments = await human(folder, [row("so", "hi", "A")]).examine(candidates, BOTH)
    assert shown(judgments, candidates) == [
        (("kind", "true"), ("hi", "so"), (0.0, 1.0)),
        (("kind", "true"), ("so", "hi"), (1.0, 0.0)),
    ]


async def test_a_verdict_under_a_principle_answers_for_that_one_alone(folder: Path) -> None:
    """And one without is on the whole."""
    candidates = about("hi", "go")
    rows = [row("hi", "go", "A", principle="true"), row("hi", "go", "B")]
    judgments = await human(folder, rows).examine(candidates, BOTH)
    assert shown(judgments, candidates) == [
        (("true",), ("hi", "go"), (1.0, 0.0)),
        (("true",), ("go", "hi"), (0.0, 1.0)),
        (("kind", "true"), ("hi", "go"), (0.0, 1.0)),
        (("kind", "true"), ("go", "hi"), (1.0, 0.0)),
    ]


async def test_a_question_prefers_verdicts_under_its_very_principle(folder: Path) -> None:
    """Under `kind` alone there is only the one on the whole."""
    people = human(folder, [row("hi", "go", "A", principle="true"), row("hi", "go", "B")])
    told = [await people.label(question("hi", "go", principles=group)) for group in ((TRUE,), (KIND,), (KIND, TRUE))]
    assert [one.outcome for one in told] == [
        Scored(scores=(1.0, 0.0)),
        Scored(scores=(0.0, 1.0)),
        Scored(scores=(0.0, 1.0)),
    ]


async def test_under_a_single_principle_nothing_is_asked_twice(folder: Path) -> None:
    """All that apply are that one."""
    judgments = await human(folder, [row("hi", "go", "A", principle="kind"), row("hi", "go", "A")]).examine(
        about("hi", "go"), ONE
    )
    assert len(judgments) == 2


async def test_a_principle_that_does_not_apply_is_not_asked(folder: Path) -> None:
    """The prompt has no topic."""
    people = human(folder, [row("hi", "go", "A", principle="sums"), row("hi", "go", "A")])
    only_sums = Constitution(name="sums", principles=(SUMS,))
    assert await people.examine(about("hi", "go"), only_sums) == ()


async def test_each_rated_response_is_a_judgment(folder: Path) -> None:
    """On the constitution's scale, 0 to 10; what nobody rated is left out."""
    candidates = about("hi", "go", "so")
    judgments = await human(folder, [rated("hi", 10), rated("so", 5, principle="kind")]).examine(candidates, ONE)
    assert shown(judgments, candidates) == [(("kind",), ("hi",), (1.0,)), (("kind",), ("so",), (0.5,))]


async def test_responses_that_match_the_same_text_are_one(folder: Path) -> None:
    """Else a response would be compared with itself."""
    judgments = await human(folder, [row("hi", "go", "A"), row("hi", "hi", "A")]).examine(
        about("hi", "hi \n", "go"), ONE
    )
    assert len(judgments) == 2


async def test_whoever_asks_in_its_place_is_asked_the_same_questions(folder: Path) -> None:
    """A panel whose first member is people asks others what people were asked."""
    asked: list[Question] = []

    async def label(one: Question) -> Judgment:
        asked.append(one)
        return one.judged(Scored(scores=(0.5, 0.5)), labeler="other")

    people = human(folder, [row("hi", "go", "A")])
    judgments = await people.examine(about("hi", "go", "so"), ONE, label=label)
    assert [one.labeler for one in judgments] == ["other", "other"]
    assert [one.options for one in asked] == [said("hi", "go"), said("hi", "go")[::-1]]
    assert [one.scale for one in asked] == [ONE.rating, ONE.rating]


@pytest.mark.parametrize(("principles", "expected"), [(0, 0), (1, 2 * 6), (2, 3 * 6), (5, 3 * 6)])
def test_expected_questions_are_what_the_file_could_answer(folder: Path, principles: int, expected: int) -> None:
    """Two principles are named and one row names none; three responses make three pairs in two orders."""
    rows = [row("hi", "go", "A", principle=name) for name in ("kind", "true", None)]
    assert human(folder, rows).expected_questions(3, principles) == expected


def test_ratings_are_expected_one_a_response(folder: Path) -> None:
    """No order, no pair."""
    people = human(folder, [rated("hi", 3)])
    assert (people.options, people.expected_questions(3, 4)) == (1, 3)


# ---------------------------------------------------------------- the file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("people.csv", 'prompt,response_a,response_b,preferred\n"Say hi.","hi","go",A\n'),
        ("people.tsv", "prompt\tresponse_a\tresponse_b\tpreferred\nSay hi.\thi\tgo\tA\n"),
        ("people.json", '[{"prompt": "Say hi.", "response_a": "hi", "response_b": "go", "preferred": "A"}]'),
    ],
)
async def test_any_table_will_do(folder: Path, name: str, text: str) -> None:
    """What ``solon.data.tables`` reads."""
    assert (await human(folder, text, name).label(question("hi", "go"))).outcome == Scored(scores=(1.0, 0.0))


async def test_columns_can_be_named(folder: Path) -> None:
    """As they are in somebody's export."""
    columns = {"prompt": "q", "response_a": "left", "response_b": "right", "preferred": "winner", "annotator": "who"}
    rows = [{"q": "Say hi.", "left": "hi", "right": "go", "winner": "A", "who": 7}]
    people = human(folder, rows, columns=columns)
    assert (await people.label(question("hi", "go"))).outcome == Scored(scores=(1.0, 0.0))
    rates = human(
        folder,
        [{"q": "Say hi.", "said": "hi", "stars": 5}],
        columns={"prompt": "q", "response": "said", "score": "stars"},
    )
    assert (await rates.label(question("hi"))).outcome == Scored(scores=(1.0,))


def test_every_problem_is_found_with_its_line(folder: Path) -> None:
    """Before anything is spent."""
    rows = [
        row("hi", "go", "A"),
        row("hi", "go", "left"),
        row("hi", None, "A"),
        {**row("hi", "go", "A"), "prompt": " "},
        row("hi", "go", 1),
        row("hi", "go", "A", annotator=["me"]),
    ]
    assert human(folder, rows).problems() == [
        "people.jsonl:2: column 'preferred': a verdict is A, B or tie (or first, second, both), not \"left\"",
        "people.jsonl:3: column 'response_b': a response is a text, not nothing",
        "people.jsonl:4: column 'prompt': the prompt is empty",
        "people.jsonl:5: column 'preferred': a verdict is A, B or tie (or first, second, both), not 1",
        "people.jsonl:6: column 'annotator': a name is a text or a number, not [\"me\"]",
    ]


@pytest.mark.parametrize("score", ["better", "nan", "inf", [3], 10**400])
def test_a_score_is_a_number(folder: Path, score: Any) -> None:
    """Or good or bad; any other word is none."""
    (problem,) = human(folder, [rated("hi", score)]).problems()
    said = json.dumps(score)[:40]
    assert problem == f"people.jsonl:1: column 'score': a score is a number, or true or false, not {said}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "people.jsonl: there are no verdicts in it"),
        ('{"prompt": "Say hi."\n', "people.jsonl:1:21: not valid JSON: expecting ',' delimiter"),
        (
            '{"prompt": "p", "response_a": "a", "response_b": "b", "prefered": "A"}\n',
            """people.jsonl: there is no column 'preferred' (did you mean 'prefered'? \
columns: 'prompt', 'response_a', 'response_b', 'prefered')""",
        ),
        (
            '{"prompt": "p", "response": "a", "stars": 3}\n',
            "people.jsonl: there is no column 'score' (columns: 'prompt', 'response', 'stars')",
        ),
        (
            '{"prompt": "p", "response": "a", "score": 3, "response_a": "a", "response_b": "b", "preferred": "A"}\n',
            """people.jsonl: the rows have the columns of comparisons and those of ratings \
(put them into two files, or name other columns)""",
        ),
        ('{"prompt": "p", "response": "a", "score": ""}\n', "people.jsonl: there are no verdicts in it"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(folder: Path, text: str, problem: str) -> None:
    """Which column is meant, or that nobody judged anything."""
    assert human(folder, text).problems() == [problem]


def test_problems_of_the_file_as_a_whole_name_it_as_the_recipe_does(folder: Path) -> None:
    """Not by where it lies on this machine."""
    (problem,) = human(folder, "prompt,response,response\np,a,b\n", "people.csv").problems()
    assert problem == "people.csv:1: the header names column 'response' twice"


def test_a_file_that_is_not_there_is_a_problem(folder: Path) -> None:
    """And not one for later."""
    with base_folder(folder):
        (problem,) = Human(file="peple.csv").problems()
    assert problem == "peple.csv: there is no such file"


def test_a_column_that_is_named_must_exist(folder: Path) -> None:
    """One that is not may be absent."""
    (problem,) = human(folder, [row("hi", "go", "A")], columns={"annotator": "who"}).problems()
    assert problem.startswith("people.jsonl: there is no column 'who'")


def test_made_again_from_its_settings_it_wants_no_other_columns(folder: Path) -> None:
    """A training's process is given the settings of its reward, with every default."""
    first = human(folder, [row("hi", "go", "A")])
    settings = {name: value for name, value in first.settings().items() if name != "kind"}
    with base_folder(folder):
        assert Human.model_validate(settings).problems() == []


@pytest.mark.parametrize("ends", [{"low": 1}, {"high": 5}, {"low": 5, "high": 1}, {"low": 2, "high": 2}])
def test_a_scale_has_two_ends(ends: dict[str, float]) -> None:
    """In their order."""
    with pytest.raises(ValidationError, match="low"):
        Human(file="people.csv", **ends)


def test_what_it_says_changes_with_the_file_and_not_with_its_place(folder: Path) -> None:
    """A finished stage is done again when a verdict has changed."""
    first = human(folder, [row("hi", "go", "A")]).effects()
    assert human(folder, [row("hi", "go", "A")], "moved.jsonl").effects() == first
    assert human(folder, [row("hi", "go", "B")]).effects() != first
    assert human(folder, [row("hi", "go", "A")], low=0, high=1).effects() != first


# ---------------------------------------------------------------- what became of the rows


async def test_rows_that_matched_nothing_are_counted_and_named(folder: Path) -> None:
    """Three rows of five; an empty verdict is none."""
    rows = [
        row("hi", "go", "A"),
        row("hi", "so", "A"),
        row("hi", "go", ""),
        row("hi", "go", "A", principle="knd"),
        {**row("hi", "go", "A"), "prompt": "Say ho."},
    ]
    people = human(folder, rows)
    account = people.account()
    account.add(await people.examine(about("hi", "go"), ONE))
    summary = account.summary()
    assert (summary["rows"], summary["without_verdict"], summary["unmatched"]) == (4, 1, 3)
    assert summary["unmatched_rows"] == ["people.jsonl:2", "people.jsonl:4", "people.jsonl:5"]
    assert summary["note"] == "3 of 4 rows of people.jsonl matched nothing, the first being people.jsonl:2"


async def test_a_fresh_account_knows_nothing_of_an_older_one(folder: Path) -> None:
    """Two stages may ask the same labeler."""
    people = human(folder, [row("hi", "go", "A")])
    judgments = await people.examine(about("hi", "go"), ONE)
    one, other = people.account(), people.account()
    one.add(judgments)
    assert (one.summary()["unmatched"], other.summary()["unmatched"]) == (0, 1)
    assert one.summary()["note"] == "every row matched"


async def test_annotators_agreement_is_over_pairs_of_them(folder: Path) -> None:
    """Of ann, bob and cat on hi/go 1 of 3 pairs agrees; ann twice on hi/so is no pair; two unnamed on go/so agree."""
    rows = [
        row("hi", "go", "A", annotator="ann"),
        row("go", "hi", "B", annotator="bob"),
        row("hi", "go", "B", annotator="cat"),
        row("hi", "so", "A", annotator="ann"),
        row("hi", "so", "B", annotator="ann"),
        row("go", "so", "tie"),
        row("so", "go", "tie"),
    ]
    people = human(folder, rows)
    account = people.account()
    account.add(await people.examine(about("hi", "go", "so"), ONE))
    summary = account.summary()
    assert (summary["annotators"], summary["judged_by_several"]) == (3, 2)
    assert (summary["annotator_agreement"], summary["annotator_pairs"]) == (0.5, 4)


async def test_without_a_second_opinion_there_is_no_agreement_of_annotators(folder: Path) -> None:
    """0 would be a number."""
    people = human(folder, [row("hi", "go", "A")])
    summary = people.account().summary()
    assert (summary["annotator_agreement"], summary["annotator_pairs"]) == (None, 0)


# ---------------------------------------------------------------- agreement with a judge, in one line


async def test_agreement_with_people_is_one_line_of_a_recipe(folder: Path) -> None:
    """The judge prefers the first of each pair; people agree on one, not on another, and never saw the third."""
    people = human(folder, [row("hi", "go", "A"), row("hi", "so", "B"), row("ho", "he", "A")])
    candidates = about("hi", "go", "so")
    hi, go, so = candidates.completions
    judgments = tuple(
        Question(prompt=PROMPT, principles=(KIND,), options=options).judged(Scored(scores=scores), labeler="judge")
        for one, other in ((hi, go), (hi, so), (go, so))
        for options, scores in (((one, other), (1.0, 0.0)), ((other, one), (0.0, 1.0)))
    )
    evidence = Evidence(constitution=ONE, pairs={}, candidates=(candidates,), judgments=judgments)
    metrics = await Agreement(**{"with": people}).evaluate(evidence)
    (agreement,) = [metric for metric in metrics if metric.name == "agreement"]
    assert (agreement.value, agreement.n, agreement.failed) == (0.5, 2, 0)
    assert agreement.method.endswith(
        "with human, where both prefer one; 0 ties of the labels, 0 of the other; 1 pairs not asked about; "
        "1 of 3 rows of people.jsonl matched nothing, the first being people.jsonl:3"
    )


async def test_agreement_compares_rankings_with_people(folder: Path) -> None:
    """A ranking of three says hi > go > so; people hold the first pair true and the last one false."""
    people = human(folder, [row("hi", "go", "A"), row("go", "so", "B")])
    candidates = about("hi", "go", "so")
    ranked = Question(prompt=PROMPT, principles=(KIND,), options=candidates.completions).judged(
        Scored(scores=(0.9, 0.5, 0.1)), labeler="ranking"
    )
    evidence = Evidence(constitution=ONE, pairs={}, candidates=(candidates,), judgments=(ranked,))
    metrics = await Agreement(**{"with": people}).evaluate(evidence)
    (agreement,) = [metric for metric in metrics if metric.name == "agreement"]
    assert (agreement.value, agreement.n, agreement.failed) == (0.5, 2, 0)
