"""Each stage by itself, on plain objects: no run directory, in a script and in a running event loop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from pathlib import Path
from typing import ClassVar

import pytest

import solon
from project import jsonl
from solon.errors import BudgetReached, ConstitutionError, DataError, RecipeError, StageIncomplete
from solon.labelers.base import Labeler
from solon.ledger import Ledger
from solon.models.base import Price, Reply, Request
from solon.models.scripted import Scripted

CANDIDATES = [{"prompt": f"What is {n} + {n}?", "responses": [f"{2 * n}", f"It is {2 * n}"]} for n in range(10)]
BRIEF = {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}}
CONSTITUTION = ["Answer in as few words as possible."]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _labels(**settings: object) -> solon.api.labeling.Labeled:  # type: ignore[name-defined]
    return solon.label(CANDIDATES, CONSTITUTION, BRIEF, progress=False, **settings)  # type: ignore[arg-type]


def test_texts_become_judgments_and_judgments_become_datasets() -> None:
    """Ten prompts, a short and a long answer each, under a rule that wants one word: the short ones are chosen."""
    labels = _labels()
    assert len(labels) == 20
    assert labels.failed == []
    data = solon.build(labels, held_out=0)
    assert [(row.chosen, row.rejected) for row in data.preferences] == [
        (f"{2 * n}", f"It is {2 * n}") for n in range(10)
    ]
    assert [row.desirable for row in data.unpaired.train] == [True, False] * 10


async def test_the_same_call_works_in_a_running_loop() -> None:
    """A notebook's cells run inside one."""
    assert len(_labels()) == 20
    assert len(solon.sample(["Hi"], Scripted(default="Ho"), n=2, progress=False)[0].completions) == 2


async def test_asynchronous_code_awaits_the_same_calls() -> None:
    """With the same arguments and results."""
    labels = await solon.aio.label(CANDIDATES, CONSTITUTION, BRIEF, progress=False)
    assert list(labels) == list(_labels())


def test_what_a_judgment_is_about_can_be_asked_for() -> None:
    """It holds ids; a person wants to read."""
    labels = _labels()
    about, options = labels.about(labels[1])
    assert about.prompt.text == "What is 0 + 0?"
    assert [option.text for option in options] == ["It is 0"]


def test_failures_are_visible_and_no_labels() -> None:
    """A judge that answers nonsense about one of ten prompts fails there, in both orders, and prefers nothing."""
    judge = Scripted(replies={"What is 3 + 3?": "Perhaps."}, default="A")
    labels = solon.label(CANDIDATES, CONSTITUTION, {"kind": "pairwise", "judge": judge}, ledger=None, progress=False)
    assert {one.outcome.reason for one in labels.failed} == {"unparseable"}
    assert {labels.about(one)[0].prompt.text for one in labels.failed} == {"What is 3 + 3?"}
    assert "2 failed (unparseable 2)" in repr(labels)


def test_a_judge_that_mostly_fails_is_an_error_that_says_what_it_said() -> None:
    """Labels of what is left would be of an odd few."""
    judge = {"kind": "pairwise", "judge": Scripted(default="Perhaps.")}
    with pytest.raises(StageIncomplete, match=r"20 of 20 judgments failed \(unparseable 20\).*'Perhaps\.'"):
        solon.label(CANDIDATES, CONSTITUTION, judge, ledger=None, progress=False)
    kept = solon.label(CANDIDATES, CONSTITUTION, judge, ledger=None, max_failed=1, progress=False)
    assert len(kept.failed) == 20


def test_what_was_paid_for_is_not_paid_for_again() -> None:
    """The default ledger is the one that recipes have."""
    model = Scripted(default="Ho", remote=True, price=Price(input=1, output=1))
    first = solon.sample(["Hi", "Hey"], model, n=1, progress=False)
    assert len(model.seen) == 2
    assert solon.sample(["Hi", "Hey"], model, n=1, progress=False) == first
    assert len(model.seen) == 2
    assert Path(".solon/ledger.sqlite").is_file()


def test_without_a_ledger_nothing_is_left_behind() -> None:
    """For trying out."""
    solon.sample(["Hi"], Scripted(default="Ho"), n=1, ledger=None, progress=False)
    assert list(Path().iterdir()) == []


def test_a_cap_is_kept_and_says_whose_it_is() -> None:
    """A reply costs up to a dollar here, and the cap allows two of four."""
    model = Scripted(default="Ho", remote=True, price=Price(input=0, output=1e6))
    with pytest.raises(BudgetReached, match="name 'python'"):
        solon.sample(["a", "b", "c", "d"], model, n=1, max_tokens=1, max_usd=2, progress=False)
    with Ledger.open(".solon/ledger.sqlite") as ledger:
        assert sum(entry.cost_usd for entry in ledger.entries()) <= 2


async def test_ctrl_c_keeps_what_was_answered_and_the_same_call_goes_on() -> None:
    """The seventh request is where somebody presses it; the six before are in the ledger."""
    asked: list[str] = []

    def answer(request: Request) -> Reply | str:
        asked.append(request.messages[-1].content)
        if len(asked) == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return "Ho"

    model = Scripted(answer=answer, remote=True, price=Price(input=0, output=0.001))
    prompts = [f"prompt {number}" for number in range(40)]
    with pytest.raises(KeyboardInterrupt, match="goes on from here"):
        solon.sample(prompts, model, n=1, progress=False)
    before = len(asked)
    assert before < 40
    found = solon.sample(prompts, model, n=1, progress=False)
    assert [one.completions[0].text for one in found] == ["Ho"] * 40
    assert len(asked) == 40  # none was asked twice


@pytest.mark.parametrize(
    "given",
    [
        pytest.param([{"prompt": "Hi", "responses": ["a", "b b"]}], id="mappings"),
        pytest.param(
            [
                solon.Candidates(
                    prompt=solon.Prompt.of("Hi"),
                    completions=tuple(solon.Completion(text=text, model="given") for text in ("a", "b b")),
                )
            ],
            id="records",
        ),
        pytest.param("file.jsonl", id="path"),
        pytest.param(Path("file.jsonl"), id="Path"),
    ],
)
def test_candidates_are_given_in_any_form(given: object) -> None:
    """Each is the same two responses to one prompt."""
    Path("file.jsonl").write_text(jsonl([{"prompt": "Hi", "responses": ["a", "b b"]}]))
    labels = solon.label(given, CONSTITUTION, BRIEF, ledger=None, progress=False)  # type: ignore[arg-type]
    assert [one.outcome.scores for one in labels] == [(1.0,), (0.0,)]


def test_prompts_are_given_in_any_form() -> None:
    """Texts, conversations, mappings and records, even side by side; duplicates are asked once."""
    found = solon.read_prompts(
        [
            "Hi",
            solon.Prompt.of("Hi"),
            {"prompt": "Ho", "topic": "sea"},
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hey"}],
        ]
    )
    assert [one.text for one in found] == ["Hi", "Ho", "system: Be brief.\nuser: Hey"]
    assert found[1].topic == "sea"


def test_every_problem_of_a_list_is_told_with_its_place() -> None:
    """One at a time would be a morning's work."""
    with pytest.raises(DataError) as raised:
        solon.label([{"prompt": "Hi"}, {"prompt": "Ho", "responses": [3]}], CONSTITUTION, BRIEF, progress=False)
    assert [problem.where for problem in raised.value.problems] == ["candidates[0]", "candidates[1]"]


def test_a_text_that_is_no_path_says_what_to_give_instead() -> None:
    """`sample("What is 2 + 2?", ...)` is what everybody tries first."""
    with pytest.raises(DataError, match=r"give a list: \['What is 2 \+ 2\?'\]"):
        solon.sample("What is 2 + 2?", Scripted(default="4"), progress=False)


def test_a_list_of_texts_is_a_constitution_named_for_their_words() -> None:
    """Names stand beside every judgment, so they must tell the principles apart."""
    found = solon.read_constitution(["Be brief.", "Be kind to whoever asks.", "Be kind to whoever asks, always."])
    assert [one.id for one in found.principles] == ["be-brief", "be-kind-to-whoever", "be-kind-to-whoever-2"]


def test_an_empty_constitution_is_refused() -> None:
    """There would be nothing to judge under."""
    with pytest.raises(ConstitutionError, match="a principle at least"):
        solon.read_constitution([])


def test_a_misspelt_setting_is_told_with_the_nearest() -> None:
    """As in a recipe file."""
    with pytest.raises(RecipeError, match="did you mean 'held_out'"):
        solon.build(_labels(), held_ot=0.2)
    with pytest.raises(RecipeError, match="did you mean 'rules'"):
        solon.label(CANDIDATES, CONSTITUTION, "rule", progress=False)


def test_judgments_from_elsewhere_need_what_they_are_about() -> None:
    """A plain list does not know it."""
    labels = _labels()
    with pytest.raises(DataError, match="build\\(judgments, candidates, constitution\\)"):
        solon.build(list(labels))
    assert len(solon.build(list(labels), CANDIDATES, CONSTITUTION).preferences) == 10


def test_datasets_in_memory_and_in_files_are_the_same(tmp_path: Path) -> None:
    """What is saved is read back as it was, by us and by the library that trainers use."""
    from solon.api.datasets import InFiles

    data = solon.build(_labels(), held_out=0.3)
    folder = data.save(tmp_path / "out")
    saved = InFiles("preference", folder / "preference")
    assert list(saved) == list(data.preferences)
    assert saved.counts() == data.preferences.counts()
    assert repr(saved) == repr(data.preferences)
    assert saved.table("test").to_pylist() == data.preferences.table("test").to_pylist()


def test_an_evaluation_without_an_untrained_policy_is_refused() -> None:
    """A number with nothing to compare it with is not what is promised."""
    with pytest.raises(RecipeError, match="against"):
        solon.evaluate("models/policy", ["Hi"], "length", progress=False)


def test_a_trainer_that_asks_for_rewards_needs_a_constitution() -> None:
    """Rewards are judgments under one."""
    grpo = {"kind": "grpo", "reward": BRIEF}
    with pytest.raises(RecipeError, match="constitution"):
        solon.train(["Hi"], "models/policy", grpo, out="out", progress=False)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param([], "holds nothing", id="nothing"),
        pytest.param([solon.Prompt.of("Hi")], "is a list of Prompt", id="prompts"),
        pytest.param("nowhere", "there is no 'nowhere'", id="no such file"),
    ],
)
def test_what_a_trainer_cannot_learn_from_is_refused_before_anything_is_loaded(data: object, said: str) -> None:
    """With what it reads in its place."""
    with pytest.raises(DataError, match=said):
        solon.train(data, "models/policy", "dpo", out="out", progress=False)  # type: ignore[arg-type]


def test_a_class_of_ones_own_needs_no_package_to_be_passed() -> None:
    """What is tried out in a notebook is an instance."""

    class Brevity(Labeler):
        """Shorter is better."""

        kind: ClassVar[str] = "brevity"
        limit: int = 10

        async def label(self, question: solon.Question) -> solon.Judgment:
            share = max(0.0, 1 - len(question.options[0].text) / self.limit)
            return question.judged(solon.Scored(scores=(share,)), labeler=self.name)

    labels = solon.label(CANDIDATES[:1], CONSTITUTION, Brevity(limit=7), ledger=None, progress=False)
    assert [one.outcome.scores[0] for one in labels] == [1 - 1 / 7, 0.0]


async def test_several_calls_at_a_time_share_a_ledger_and_leave_nothing_changed() -> None:
    """Asynchronous code gathers them; each stage tells Python's collector to look seldom while it works."""
    before = gc.get_threshold(), gc.get_freeze_count()
    models = [Scripted(default="Ho", model=f"model {n}", remote=True, price=Price(input=0, output=1)) for n in range(3)]
    prompts = [f"prompt {number}" for number in range(30)]
    found = await asyncio.gather(
        *(solon.aio.sample(prompts, model, n=1, progress=False) for model in models),
    )
    assert [len(one) for one in found] == [30, 30, 30]
    assert [len(model.seen) for model in models] == [30, 30, 30]
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
