"""The tasks of the RLVR example: made from a seed, told apart by split, and answered rightly where it says so."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from random import Random

import pytest

# where its scripts find their modules too
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "rlvr"))

from prepare_mbpp import prompts
from tasks.arithmetic import Problem, problems
from tasks.programs import Elements, Program, Steps, define, hidden_tests, programs
from tasks.rows import problem_rows, problems_read, program_rows, programs_read
from tasks.splits import split_of

from solon.data.records import Completion, Prompt, Question, Scored
from solon.errors import DataError
from solon.labelers.verifier import Verifier

EXAMPLE = Path(__file__).parents[2] / "examples" / "rlvr"
RIGHT = Verifier(checks={"right": {"code": "asserts", "credit": "all", "seconds": 1}}, workers=1)


@pytest.mark.parametrize(
    ("problem", "working"),
    [
        (Problem("sums", 467, 385), "7 + 5 = 12, 6 + 8 + 1 = 15, 4 + 3 + 1 = 8, so 852."),
        (Problem("sums", 999, 999), "9 + 9 = 18, 9 + 9 + 1 = 19, 9 + 9 + 1 = 19, so 1998."),
        (Problem("products", 467, 6), "7 * 6 = 42, 6 * 6 + 4 = 40, 4 * 6 + 4 = 28, so 2802."),
        (Problem("products", 102, 3), "2 * 3 = 6, 0 * 3 = 0, 1 * 3 = 3, so 306."),
    ],
    ids=["a carry", "carries only", "a product", "a nought"],
)
def test_a_working_goes_digit_by_digit(problem: Problem, working: str) -> None:
    """By hand."""
    assert problem.working() == working


def test_what_is_worked_out_or_remembered_is_right() -> None:
    """In 300 answers as the base reads them; what is rough is within half a hundred."""
    random = Random("answers")
    for problem in islice(problems("base", "test"), 300):
        said = problem.respond(random)
        last = int(said.removesuffix(".").split()[-1])
        if said.startswith("It is") or ", so " in said:
            assert last == problem.answer
        else:
            assert abs(last - problem.answer) <= 50


async def passes(program: Program, code: str) -> bool:
    """Whether a body passes the task's tests, in the sandbox."""
    prompt = Prompt.of("f").model_copy(update={"reference": hidden_tests(program)})
    judgment = await RIGHT.label(Question(prompt=prompt, options=(Completion(text=define(code), model="-"),)))
    assert isinstance(judgment.outcome, Scored)
    return judgment.outcome.scores[0] == 1.0


@pytest.mark.parametrize(
    ("program", "right", "wrong"),
    [
        (Steps("+", 3, "*", 4), ["(x + 3) * 4", "4 * x + 12"], ["x + 3", "x + 3 * 4", "(x * 4) + 3"]),
        (
            Elements("sum", ">", 4),
            ["sum(n for n in x if n > 4)", "sum([n for n in x if n >= 5])"],
            ["sum(n for n in x if n >= 4)", "sum(1 for n in x if n > 4)", "len(n for n in x if n > 4)", "9"],
        ),
        (
            Elements("count", "%", 7),
            ["len([n for n in x if n % 7 == 0])"],
            ["sum(n for n in x if n % 7 == 0)", "sum(1 for n in x if n % 14 == 0)"],
        ),
    ],
    ids=["two steps", "a limit", "divisible"],
)
async def test_tests_tell_right_code_from_every_mistake(program: Program, right: list[str], wrong: list[str]) -> None:
    """Any code that does what was asked for passes, and each of the ways to go wrong fails."""
    assert [await passes(program, code) for code in right] == [True] * len(right)
    assert [await passes(program, code) for code in wrong] == [False] * len(wrong)


async def test_code_that_prints_or_stands_behind_a_sentence_fails() -> None:
    """A function that prints gives nothing back, and a sentence before bare code is no Python."""
    program = Steps("+", 3, "*", 4)
    prompt = Prompt.of("f").model_copy(update={"reference": hidden_tests(program)})
    code = define(program.code())
    said = {
        code: 1.0,
        f"```python\n{code}\n```": 1.0,
        f"{code} # untested": 1.0,
        f"Here it is: {code}": 0.0,
        define(program.code(), "print"): 0.0,
        "You could use a loop.": 0.0,
    }
    for text, expected in said.items():
        judgment = await RIGHT.label(Question(prompt=prompt, options=(Completion(text=text, model="-"),)))
        assert isinstance(judgment.outcome, Scored)
        assert judgment.outcome.scores[0] == expected


def test_no_task_is_in_two_splits() -> None:
    """Nor in other words: the split is of what is asked for. The same seed gives the same tasks again."""
    for made in (problems, programs):
        drawn = {split: set(islice(made(split, "test"), 400)) for split in ("base", "prompts", "held_out")}
        assert not drawn["base"] & drawn["prompts"] | drawn["base"] & drawn["held_out"]
        assert not drawn["prompts"] & drawn["held_out"]
        assert set(islice(made("held_out", "test"), 400)) == drawn["held_out"]
    assert {split_of(str(number)) for number in range(100)} == {"base", "prompts", "held_out"}


def test_the_shipped_data_is_what_the_tasks_make() -> None:
    """400 prompts and 300 held-out ones of each kind, and no prompt twice."""
    for name, rows in (("arithmetic", problem_rows), ("programs", program_rows)):
        asked: list[str] = []
        for split, count in (("prompts", 400), ("held_out", 300)):
            lines = (EXAMPLE / "data" / f"{name}_{split}.jsonl").read_text("utf-8").splitlines()
            assert [json.loads(line) for line in lines] == list(islice(rows(split), count))
            asked += [json.loads(line)["prompt"] for line in lines]
        assert len(set(asked)) == 700


def test_the_bases_never_read_what_is_asked_later() -> None:
    """Of the first 3,000 examples that each reads no prompt is in a data file."""
    for name, read in (("arithmetic", problems_read), ("programs", programs_read)):
        asked = {
            json.loads(line)["prompt"]
            for split in ("prompts", "held_out")
            for line in (EXAMPLE / "data" / f"{name}_{split}.jsonl").read_text("utf-8").splitlines()
        }
        assert not asked & {prompt for prompt, _ in islice(read(0), 3000)}


def test_mbpp_shows_one_test_and_hides_the_others(tmp_path: Path) -> None:
    """What is set up comes first of the hidden ones; a task with one test has none to hide and is left out."""
    rows = [
        {"text": "Add one.", "test_list": ["assert f(1) == 2", "assert f(2) == 3"], "test_setup_code": ""},
        {"text": "Area.", "test_list": ["assert a(1) == 3", "assert a(2) == 6"], "test_setup_code": "import math"},
        {"text": "Nothing.", "test_list": ["assert g() is None"], "test_setup_code": ""},
    ]
    file = tmp_path / "mbpp.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = prompts(str(file))
    assert "assert f(1) == 2" in first["prompt"]
    assert "assert f(2) == 3" not in first["prompt"]
    assert json.loads(first["reference"]) == ["assert f(2) == 3"]
    assert json.loads(second["reference"]) == ["import math", "assert a(2) == 6"]


def test_a_file_in_other_columns_than_mbpps_is_refused(tmp_path: Path) -> None:
    """With the row and what it lacks."""
    file = tmp_path / "other.jsonl"
    file.write_text(json.dumps({"prompt": "Add one."}) + "\n")
    with pytest.raises(DataError, match="has no text or no test_list"):
        list(prompts(str(file)))
