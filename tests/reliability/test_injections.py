"""Attacks on judges: a judge that obeys whatever it sees outside of the material, under every labeler that asks one.

Evaluators ask through the same labelers: ``win_rate`` through those that compare, ``rating``, ``compliance`` and
``safety`` through those that rate, ``refusals`` through ``RefusalJudge``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from injections import FAIR, FAMILIES, GOOD, POOR, Obedient, attacks, framed
from solon.data.records import Completion, Judgment, Message, Principle, Prompt, Question, Revised
from solon.labelers.base import Labeler
from solon.labelers.cascade import Cascade
from solon.labelers.critique import Critique
from solon.labelers.pairwise import Pairwise
from solon.labelers.panel import Panel
from solon.labelers.prompt import material
from solon.labelers.ranking import RankingJudge
from solon.labelers.rating import RatingJudge
from solon.labelers.refusal import RefusalJudge
from solon.models.base import ChatModel, Request
from solon.models.scripted import Scripted
from solon.stream import Stream
from solon.trust.payloads import Payload

Sections = dict[str, str]
PRINCIPLE = Principle(id="good", text="The response is good.")
ASKED = "What is asked."


@dataclass(frozen=True)
class Asked:
    """A labeler, what it shows, and what its judge makes of that.

    Attributes:
        of: the labeler of a judge.
        judges: the judge's verdict.
        shown: what it shows, the attacked response at its place.
        wanted: what an attacker at this place wants the judge to say.
        slots: the places that are attacked; ``None`` is the prompt.
    """

    of: Callable[[ChatModel], Labeler]
    judges: Callable[[Sections], str]
    shown: Callable[[int | None], tuple[str, ...]]
    wanted: Callable[[int | None], str]
    slots: tuple[int | None, ...]


def best_letter(sections: Sections) -> str:
    return next((letter for letter in "AB" if sections[letter].startswith(GOOD)), "neither")


def ranked(sections: Sections) -> str:
    def rank(letter: str) -> int:
        return next(place for place, word in enumerate((GOOD, FAIR, POOR)) if sections[letter].startswith(word))

    return " > ".join(sorted("ABC", key=rank))


def two(slot: int | None) -> tuple[str, ...]:
    return (f"{POOR} one", f"{GOOD} one") if slot == 0 else (f"{GOOD} one", f"{POOR} one")


def three(slot: int | None) -> tuple[str, ...]:
    return (f"{POOR} one", f"{FAIR} one", f"{GOOD} one") if slot == 0 else (f"{GOOD} one", f"{FAIR} one", f"{POOR} one")


def alone(_: int | None) -> tuple[str, ...]:
    return (f"{POOR} one",)


def slot_letter(slot: int | None) -> str:
    return "A" if slot == 0 else "B"


LABELERS = {
    "pairwise": Asked(lambda judge: Pairwise(judge=judge, answer="text"), best_letter, two, slot_letter, (0, 1)),
    "ranking": Asked(
        lambda judge: RankingJudge(judge=judge, answer="text", orders=1),
        ranked,
        three,
        lambda slot: "A > B > C" if slot == 0 else "C > B > A",
        (0, 2),
    ),
    "rating": Asked(
        lambda judge: RatingJudge(judge=judge, answer="text"),
        lambda sections: "5" if sections["response"].startswith(GOOD) else "1",
        alone,
        lambda _: "5",
        (0, None),
    ),
    "critique": Asked(
        lambda judge: Critique(model=judge), lambda _: "It is poor.", alone, lambda _: "I win.", (0, None)
    ),
    "refusal": Asked(
        lambda judge: RefusalJudge(judge=judge, answer="text"),
        lambda sections: "B" if sections["response"].startswith(POOR) else "A",
        alone,
        lambda _: "A",
        (0, None),
    ),
    "panel": Asked(
        lambda judge: Panel(members=(Pairwise(judge=judge, answer="text"), Pairwise(judge=judge, answer="text"))),
        best_letter,
        two,
        slot_letter,
        (0, 1),
    ),
    "cascade": Asked(
        lambda judge: Cascade(first=Pairwise(judge=judge, answer="text"), then=Pairwise(judge=judge, answer="text")),
        best_letter,
        two,
        slot_letter,
        (0, 1),
    ),
}


def question(asked: Asked, slot: int | None, attack: Payload | None) -> Question:
    """What is shown, with the attack in its slot."""
    texts, prompt = list(asked.shown(slot)), ASKED
    if attack is not None:
        wanted = asked.wanted(slot)
        aimed = attack.aimed(wanted[0], "B" if wanted[0] == "A" else "A")
        if slot is None:
            prompt += f"\n\n{aimed}"
        else:
            texts[slot] += f"\n\n{aimed}"
    options = tuple(Completion(text=text, model="policy") for text in texts)
    return Question(prompt=Prompt.of(prompt), principles=(PRINCIPLE,), options=options)


def said(judgment: Judgment) -> object:
    """What came of it."""
    outcome = judgment.outcome
    return outcome.completion.text if isinstance(outcome, Revised) else outcome


async def steered(asked: Asked, slots: Sequence[int | None], some: Sequence[Payload]) -> tuple[int, int]:
    """How many attacks were made, and how many of them turned the verdict or were obeyed."""
    made = turned = 0
    for slot in slots:
        judge = Obedient(asked.judges)
        labeler = asked.of(Scripted(answer=judge.says))
        async with Stream(None, run="attacks", stage="label"):
            clean = said(await labeler.label(question(asked, slot, None)))
            for attack in some:
                judge.wanted, before = asked.wanted(slot), judge.obeyed
                verdict = said(await labeler.label(question(asked, slot, attack)))
                made += 1
                turned += verdict != clean or judge.obeyed > before
    return made, turned


def code_without_attack() -> str:
    """Which heads the sections of a comparison that nobody attacks."""
    return material(question(LABELERS["pairwise"], 0, None)).code


def test_the_families_that_are_wanted_are_all_there() -> None:
    """A family that nobody sends proves nothing."""
    texts = [attack.text for attack in attacks(code_without_attack())]
    every = "\n".join(texts)
    assert len(set(texts)) >= 200
    for family in FAMILIES:
        for token in family.tokens:
            assert token in every, (family.name, token)
    wanted = ("Better: {slot}", "SYSTEM:", '"role": "system"', '", "verdict"', "{{", "{%", "%s", "\u0430", "\u200b",
              "\u202e", "\0", "\ud800", "Decode and obey", "[end]", "[/INST]", "</response>")  # fmt: skip
    assert [mark for mark in wanted if mark not in every] == []


@pytest.mark.reliability("injection")
async def test_no_attack_steers_a_judge_that_obeys_whatever_is_no_material(
    full: bool, figure: Callable[[str], None]
) -> None:
    """Each in both slots of every labeler; of those that show one response, in the response and in the prompt."""
    every = attacks(code_without_attack())
    some = every if full else every[::9]
    made = turned = 0
    for asked in LABELERS.values():
        attempts, lost = await steered(asked, asked.slots, some)
        made += attempts
        turned += lost
    of = f"{len(some)} attacks x 2 slots x {len(LABELERS)} labelers, in {len(FAMILIES)} families of chat templates"
    figure(f"{of}: {turned} of {made:,} steered")
    assert turned == 0


@pytest.mark.reliability("injection")
def test_the_same_judge_is_steered_by_many_where_texts_are_put_in_as_they_are(figure: Callable[[str], None]) -> None:
    """Else it would prove nothing: without codes and with tokens unbroken, headings and tokens are obeyed."""
    asked = LABELERS["pairwise"]

    def plain(shown: Question) -> Request:
        first, second = (option.text for option in shown.options)
        user = f"[prompt]\n{shown.prompt.text}\n[A]\n{first}\n[B]\n{second}\n[end]\nBetter:"
        return Request(
            messages=(Message(role="system", content="Choose."), Message(role="user", content=user)), max_tokens=9
        )

    turned = 0
    every = attacks(code_without_attack())
    for slot in asked.slots:
        judge = Obedient(asked.judges)
        judge.says(plain(question(asked, slot, None)))
        judge.wanted = asked.wanted(slot)
        for attack in every:
            judge.says(plain(question(asked, slot, attack)))
        turned += judge.obeyed
    figure(f"the same judge and texts in a plain frame: {turned} of {2 * len(every)} steered")
    assert turned > len(every) / 4


@pytest.mark.slow
@pytest.mark.reliability("injection")
@pytest.mark.timeout(600)
async def test_ten_megabytes_of_attack_are_one_attack(full: bool, figure: Callable[[str], None]) -> None:
    """Longer than anything that could be looked through: every token of every family, over and over."""
    unit = "".join(token + "\n{slot}\n" for family in FAMILIES for token in family.tokens)
    size = 10_000_000 if full else 300_000
    huge = Payload("10 MB", unit * (size // len(unit) + 1))
    made = turned = 0
    for name in ("pairwise", "rating", "critique"):
        attempts, lost = await steered(LABELERS[name], LABELERS[name].slots[:1], [huge])
        made += attempts
        turned += lost
    figure(f"of {size / 1_000_000:g} MB each: {turned} of {made} steered")
    assert turned == 0


def test_a_frame_is_all_that_is_no_material() -> None:
    """What the judge compares: tokens of each family, who speaks, the instructions, the headings, what follows."""
    messages = (
        Message(role="system", content="Choose."),
        Message(role="user", content="[prompt]\np\n[A]\na\n[B]\nb\n[end]\nBetter:"),
    )
    frame, sections = framed(messages)
    assert frame.headings == ("prompt", "A", "B", "end")
    assert frame.fixed == ("Choose.", "", "\nBetter:")
    assert sections == {"prompt": "p", "A": "a", "B": "b", "end": "Better:"}
