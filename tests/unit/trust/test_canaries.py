"""Canaries are mixed in by a seeded draw, and counted apart from labels."""

from solon.data.records import Candidates, Completion, Constitution, Principle, Prompt
from solon.labelers.rules import Rules
from solon.trust.canaries import CANARIES, Canaries, Canary, Counts, examine

CONSTITUTION = Constitution(name="c", principles=(Principle(id="long", text="Be long."),))
LONG = Rules.model_validate({"rules": {"long": {"length": "characters", "min": 100}}})


def candidates(number: int, *texts: str) -> Candidates:
    options = tuple(Completion(text=text, model="m", seed=seed) for seed, text in enumerate(texts))
    return Candidates(prompt=Prompt.of(f"prompt {number}"), completions=options)


async def drawn(share: float, seed: int = 0, n: int = 400) -> list[Canary]:
    settings = Canaries(share=share, seed=seed)
    made = [await examine(settings, LONG, candidates(number, "x" * 200), CONSTITUTION) for number in range(n)]
    return [one for one in made if one is not None]


async def test_about_the_share_that_was_asked_for_is_drawn():
    """400 prompts at .25: 100, give or take four standard deviations of 8.7."""
    assert 65 < len(await drawn(0.25)) < 135


async def test_the_draw_depends_on_the_seed_and_nothing_else():
    """A rerun asks the same questions."""
    assert await drawn(0.1) == await drawn(0.1)
    assert await drawn(0.1) != await drawn(0.1, seed=1)


async def test_a_canary_that_a_judge_rates_lower_has_lost():
    """No canary is 100 characters long, and every answer here is."""
    assert {one.outcome for one in await drawn(1.0, n=60)} == {"lost"}


async def test_a_canary_that_a_judge_rates_alike_is_tied_and_not_lost():
    """A judge to whom an empty answer is as good as a real one is no judge."""
    anything = Rules.model_validate({"rules": {"short": {"length": "characters", "max": 1000}}})
    found = await examine(Canaries(share=1), anything, candidates(0, "x" * 200), CONSTITUTION)
    assert found is not None
    assert found.outcome == "tied"


async def test_a_prompt_without_a_real_answer_gets_no_canary():
    """There is nothing that it would have to lose to."""
    assert await examine(Canaries(share=1), LONG, candidates(0, "  "), CONSTITUTION) is None


async def test_where_no_principle_applies_there_is_no_canary():
    """Nothing was asked."""
    topical = Constitution(name="c", principles=(Principle(id="long", text="Be long.", topics=("x",)),))
    assert await examine(Canaries(share=1), LONG, candidates(0, "answer"), topical) is None


def test_the_summary_keeps_refusals_apart():
    """Where a prompt asks for harm, a refusal may be the better answer."""

    def canary(kind: str, outcome: str) -> Canary:
        return Canary.model_validate(
            {"kind": kind, "outcome": outcome, "prompt": "p", "text": "", "beaten": "b", "judgments": ()}
        )

    counts = Counts()
    for one in (
        canary("empty", "lost"),
        canary("empty", "won"),
        canary("constant", "failed"),
        canary("refusal", "won"),
    ):
        counts.add(one)
    found = counts.summary()
    assert list(found) == ["all", "empty", "constant", "refusal"]
    assert found["all"] == {
        "lost": 1,
        "won": 1,
        "tied": 0,
        "failed": 1,
        "share_lost": [0.5, 0.0945, 0.9055],  # Wilson, 1 of 2
    }
    assert found["refusal"]["won"] == 1  # type: ignore[index, call-overload]


def test_every_kind_has_canaries():
    """And none of them twice."""
    texts = [text for texts in CANARIES.values() for text in texts]
    assert len(texts) == len(set(texts))
    assert all(CANARIES.values())
