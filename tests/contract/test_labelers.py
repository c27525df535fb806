"""What every labeler keeps, whoever wrote it: checked on solon's own as on anyone's."""

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from classifiers import tiny_reward_model
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Principle,
    Prompt,
    Revised,
    Scored,
)
from solon.labelers.base import Labeler
from solon.plugins.base import base_folder
from solon.plugins.registry import kinds, load
from solon.stream import Retries, Stream

JUDGE = {"kind": "scripted", "replies": [{"when": "[", "say": "A", "choices": {"A": -0.1, "B": -2.4}}]}
RATER = {"kind": "scripted", "replies": [{"when": "[", "say": "4", "choices": {"4": -0.2, "5": -1.8}}]}
MUTE = {"kind": "scripted", "replies": [{"when": "", "say": "I would rather not say."}]}
RULES = {"polite": {"forbidden": ["duh"]}, "short": {"length": "words", "max": 4}}
WITHOUT_REFERENCE = {"right": {"answer": "contains"}}

WORKING: dict[str, dict[str, Any]] = {
    "cascade": {
        "first": {"kind": "pairwise", "judge": JUDGE, "pairing": "all"},
        "then": {"kind": "pairwise", "judge": JUDGE},
    },
    "classifier": {"model": "reward-model", "text": "conversation"},
    "panel": {
        "members": [{"kind": "pairwise", "judge": JUDGE, "pairing": "all"}, {"kind": "pairwise", "judge": JUDGE}]
    },
    "pairwise": {"judge": JUDGE, "pairing": "all", "seed": 3},
    "rating": {"judge": RATER, "seed": 3},
    "ranking": {"judge": {"kind": "scripted", "default": "B > A > C"}, "seed": 3},
    "critique": {"model": {"kind": "scripted", "default": "Arka, my dear."}, "completions": "all", "seed": 3},
    "human": {"file": str(Path(__file__).with_name("verdicts.jsonl"))},
    "rules": {"rules": RULES, "mode": "all"},
    "verifier": {"checks": {"polite": {"forbidden": ["duh"]}, "form": {"tags": ["answer"]}}, "workers": 1},
}
FAILING: dict[str, dict[str, Any]] = {
    "cascade": {"first": {"kind": "pairwise", "judge": MUTE}, "then": {"kind": "pairwise", "judge": MUTE}},
    "classifier": {"model": "small-reward-model", "text": "conversation"},
    "panel": {"members": [{"kind": "pairwise", "judge": MUTE}, {"kind": "pairwise", "judge": JUDGE}]},
    "pairwise": {"judge": MUTE},
    "rating": {"judge": MUTE},
    "ranking": {"judge": MUTE},
    "critique": {"model": {"kind": "scripted", "replies": [{"when": "", "say": "It is", "stop": "length"}]}},
    "rules": {"rules": WITHOUT_REFERENCE},
    "verifier": {"checks": {"right": {"number": "last"}}},
}

# What people did not judge is not asked of them.
NEVER_FAILING = ["human"]

CONSTITUTION = Constitution(
    name="contract",
    principles=(
        Principle(id="kind", text="Be kind."),
        Principle(id="true", text="Be truthful.", severity="hard"),
        Principle(id="sums", text="Show the sum.", topics=("maths",)),
    ),
)
CANDIDATES = Candidates(
    prompt=Prompt.of("What is the capital of Arkania?"),
    completions=tuple(
        Completion(text=text, model="policy", seed=seed)
        for seed, text in enumerate(("Arka", "duh, Arka", "I do not know it"))
    ),
)

RUNS_A_MODEL = {"classifier"}


def each(kinds: Iterable[str]) -> pytest.MarkDecorator:
    """The test, once a kind; those that run a real model are slow."""
    marked = [pytest.param(kind, marks=pytest.mark.slow) if kind in RUNS_A_MODEL else kind for kind in sorted(kinds)]
    return pytest.mark.parametrize("kind", marked)


every_labeler = each(WORKING)


def made(kind: str, settings: dict[str, Any]) -> Labeler:
    """A labeler as a recipe makes it, through its entry point."""
    labeler = load("solon.labelers", kind).model_validate(settings)
    assert isinstance(labeler, Labeler)
    return labeler


@pytest.fixture(scope="module", autouse=True)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Relative locations are read from a folder with the model folders that settings above name, made where needed."""
    folder = tmp_path_factory.mktemp("models")
    if any(
        getattr(item, "callspec", None) and item.callspec.params.get("kind") in RUNS_A_MODEL
        for item in request.session.items
    ):
        tiny_reward_model(folder / "reward-model")
        tiny_reward_model(folder / "small-reward-model", context=8)
    with base_folder(folder):
        yield


@pytest.fixture(autouse=True)
async def stream() -> AsyncIterator[None]:
    """What their questions go through."""
    async with Stream(None, run="contract", stage="label", retries=Retries(first_wait_s=0)):
        yield


async def examined(labeler: Labeler, constitution: Constitution = CONSTITUTION) -> tuple[Judgment, ...]:
    """Every judgment on the candidates."""
    return await labeler.examine(CANDIDATES, constitution)


def test_every_labeler_of_ours_is_held_to_the_contract() -> None:
    """One that is registered and not listed here would go unchecked."""
    ours = [kind for kind in kinds("solon.labelers") if load("solon.labelers", kind).__module__.startswith("solon.")]
    assert sorted(ours) == sorted(WORKING) == sorted([*FAILING, *NEVER_FAILING])


@every_labeler
def test_settings_come_back_as_they_were(kind: str) -> None:
    """``run.json`` holds them, and a run is reproduced from there."""
    labeler = made(kind, WORKING[kind])
    settings = labeler.settings()
    assert settings.pop("kind") == kind == labeler.kind
    again = made(kind, settings)
    assert again.settings() == labeler.settings()
    assert again.identity() == labeler.identity()


@every_labeler
def test_an_unknown_setting_is_refused(kind: str) -> None:
    """A misspelt key that is ignored is a run that was not asked for."""
    with pytest.raises(ValidationError, match="unknown_key"):
        made(kind, {**WORKING[kind], "unknown_key": 1})


@every_labeler
def test_settings_cannot_be_changed(kind: str) -> None:
    """They are hashed and written before they are used."""
    labeler = made(kind, WORKING[kind])
    with pytest.raises(ValidationError, match="frozen"):
        setattr(labeler, next(iter(type(labeler).model_fields)), None)


@every_labeler
async def test_judgments_refer_to_what_was_judged(kind: str) -> None:
    """By the ids of the prompt, the completions and the principles, under the labeler's name."""
    labeler = made(kind, WORKING[kind])
    judgments = await examined(labeler)
    assert judgments
    for judgment in judgments:
        assert judgment.prompt == CANDIDATES.prompt.id
        assert judgment.labeler == labeler.name
        assert labeler.options in (0, len(judgment.options))  # 0 is as many as the prompt has
        assert set(judgment.options) <= {completion.id for completion in CANDIDATES.completions}
        assert set(judgment.principles) <= {"kind", "true"}


@every_labeler
async def test_scores_are_one_for_each_option_in_their_range(kind: str) -> None:
    """Two compared options have a probability and its complement."""
    for judgment in await examined(made(kind, WORKING[kind])):
        if isinstance(judgment.outcome, Revised):
            continue  # in place of a verdict, a better response
        assert isinstance(judgment.outcome, Scored)
        assert len(judgment.outcome.scores) == len(judgment.options)
        assert all(0 <= score <= 1 for score in judgment.outcome.scores)
        if len(judgment.options) == 2:
            assert sum(judgment.outcome.scores) == pytest.approx(1)


@every_labeler
async def test_what_compares_does_so_in_both_orders(kind: str) -> None:
    """An order-dependent verdict shows only when both are asked. A ranking of more has its orders among its votes."""
    judgments = await examined(made(kind, WORKING[kind]))
    asked = [(judgment.principles, judgment.options) for judgment in judgments if len(judgment.options) == 2]
    assert sorted(asked) == sorted((principles, options[::-1]) for principles, options in asked)


@each(FAILING)
async def test_what_cannot_be_judged_is_a_failure_and_never_a_number(kind: str) -> None:
    """A judge that answers nonsense, a rule that cannot be applied."""
    judgments = await examined(made(kind, FAILING[kind]))
    assert judgments
    for judgment in judgments:
        assert isinstance(judgment.outcome, Failed)
        assert judgment.outcome.raw


@every_labeler
async def test_examining_twice_gives_the_same_judgments_in_the_same_order(kind: str) -> None:
    """Nothing random without its seed, nothing in order of arrival."""
    first, second = [await examined(made(kind, WORKING[kind])) for _ in range(2)]
    assert first == second


@every_labeler
async def test_no_principle_that_applies_means_no_judgment(kind: str) -> None:
    """There is nothing to judge by."""
    only_sums = CONSTITUTION.model_copy(update={"principles": CONSTITUTION.principles[2:]})
    assert await examined(made(kind, WORKING[kind]), only_sums) == ()


@every_labeler
async def test_no_more_questions_are_asked_than_expected(kind: str) -> None:
    """``solon plan`` states a price before it is paid."""
    labeler = made(kind, WORKING[kind])
    assert 0 < len(await examined(labeler)) <= labeler.expected_questions(3, 2)
    assert labeler.expected_questions(3, 0) == 0


@every_labeler
def test_its_name_says_its_kind_and_its_models(kind: str) -> None:
    """People read it in reports."""
    labeler = made(kind, WORKING[kind])
    assert labeler.name == ":".join([kind, *(model.name for model in labeler.models())])
