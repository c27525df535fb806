"""Runs to look at, of every kind of labels, made from records; and a server with a browser in front of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from solon.data.artifacts import write_jsonl
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Principle,
    Prompt,
    Question,
    RatingScale,
    Revised,
    Revision,
    Scored,
)
from solon.viewing.collections import Viewed
from solon.viewing.server import Server
from solon.viewing.verdicts import Verdicts

KIND = Principle(id="kind", text="Be kind.")
TRUE = Principle(id="true", text="Be true.", severity="hard")
CONSTITUTION = Constitution(name="two", principles=(KIND, TRUE), rating=RatingScale(meaning={1: "bad", 5: "good"}))


def candidates(number: int, texts: Sequence[str], topic: str | None = None) -> Candidates:
    """A prompt with completions."""
    completions = tuple(Completion(text=text, model="policy", seed=seed) for seed, text in enumerate(texts))
    return Candidates(prompt=Prompt.of(f"Question {number}: what is said?", topic=topic), completions=completions)


def question(one: Candidates, *places: int, principle: Principle = KIND) -> Question:
    """About some of its completions."""
    options = tuple(one.completions[place] for place in places or range(len(one.completions)))
    return Question(prompt=one.prompt, principles=(principle,), options=options, scale=CONSTITUTION.rating)


def scored(asked: Question, *scores: float, labeler: str = "pairwise:judge", **more: Any) -> Judgment:
    """A verdict; of one number and two options, P(first)."""
    given = (scores[0], 1 - scores[0]) if len(scores) == 1 and len(asked.options) == 2 else scores
    return asked.judged(Scored(scores=given), labeler=labeler, **more)


def both_orders(one: Candidates, shown_first: float, shown_second: float, **more: Any) -> list[Judgment]:
    """P(the first completion) as said in either order."""
    asked = question(one, 0, 1, principle=more.pop("principle", KIND))
    return [scored(asked, shown_first, **more), scored(asked.reversed(), 1 - shown_second, **more)]


def write_run(
    path: Path, given: Iterable[Candidates], judgments: Iterable[Judgment], constitution: Constitution = CONSTITUTION
) -> Path:
    """A run that is done as far as its labels."""
    path.mkdir(parents=True, exist_ok=True)
    state = {"name": "looked at", "seed": 0, "solon": "0", "constitution": constitution.model_dump(mode="json")}
    label = {"summary": {"labeler": "pairwise:judge", "judgments": 1}, "inputs": "", "outputs": {}}
    (path / "run.json").write_text(json.dumps({**state, "versions": {}, "stages": {"label": label}}))
    (path / "recipe.yaml").write_text("")
    write_jsonl(path / "candidates.jsonl", given)
    write_jsonl(path / "judgments.jsonl", judgments)
    return path


def small_run(path: Path) -> Path:
    """Six pairs under `kind`: the first is better, the second, a close one, torn by the order, failed, of a panel."""
    given = [
        candidates(number, (f"the red answer {number}", f"the blue answer {number}"), "art") for number in range(6)
    ]
    panel = question(given[5], 0, 1)
    votes = (scored(panel, 0.9, labeler="ann's model"), scored(panel, 0.2, labeler="bob's model"))
    torn = both_orders(given[3], 0.9, 0.1, rationale="because of the order")
    failed = [
        asked.judged(Failed(reason="refused", raw="I will not."), labeler="pairwise:judge")
        for asked in (question(given[4], 0, 1), question(given[4], 1, 0))
    ]
    judgments = [
        *both_orders(given[0], 0.95, 0.95),
        *both_orders(given[1], 0.05, 0.05),
        *both_orders(given[2], 0.6, 0.5),
        *torn,
        *failed,
        panel.judged(Scored(scores=(0.55, 0.45)), labeler="panel", votes=votes),
        panel.reversed().judged(Scored(scores=(0.4, 0.6)), labeler="panel"),
    ]
    return write_run(path, given, judgments)


def rating_run(path: Path, scores: Sequence[float] = (0.0, 0.5, 1.0)) -> Path:
    """Each completion rated."""
    given = [candidates(number, (f"answer {number}",)) for number in range(len(scores))]
    judged = [scored(question(one), score, labeler="rating:judge") for one, score in zip(given, scores, strict=True)]
    return write_run(path, given, judged)


def ranking_run(path: Path) -> Path:
    """Three completions ranked: the second, the first, the third."""
    one = candidates(0, ("good", "best", "worst"))
    return write_run(path, [one], [scored(question(one), 0.5, 1.0, 0.0, labeler="ranking:judge")])


def critique_run(path: Path) -> Path:
    """One completion revised."""
    one = candidates(0, ("a rude answer",))
    better = Completion(text="a polite answer", model="critic", seed=1)
    rounds = (Revision(principle="kind", critique="It is rude.", revision=better.text),)
    outcome = Revised(completion=better, rounds=rounds)
    return write_run(path, [one], [question(one).judged(outcome, labeler="critique:critic")])


def large_run(path: Path, judgments: int) -> Path:
    """So many judgments: pairs in both orders, under two principles, 200 topics, each twentieth torn or failed."""
    words = ("red", "blue", "green", "tall", "short", "quick", "slow", "bright", "dark", "warm", "cold", "loud")

    def text(seed: int, length: int) -> str:
        return " ".join(words[(seed * 7 + place * place + place) % len(words)] for place in range(length))

    given = [
        candidates(number, [f"{text(number * 2 + side, 60)} {number}" for side in (0, 1)], f"topic {number % 200}")
        for number in range(judgments // 4)
    ]

    def judged() -> Iterator[Judgment]:
        for number, one in enumerate(given):
            for principle in (KIND, TRUE):
                share = (number * 37 % 101) / 100
                asked = question(one, 0, 1, principle=principle)
                if number % 20 == 1:
                    failed = Failed(reason="unparseable", raw="?")
                    yield from (each.judged(failed, labeler="pairwise:judge") for each in (asked, asked.reversed()))
                elif number % 20 == 2:
                    yield from both_orders(one, 0.9, 0.1, principle=principle)
                else:
                    yield from both_orders(one, share, share, principle=principle, rationale=text(number, 40))

    return write_run(path, given, judged())


def verdicts_of(run_dir: Path, annotator: str = "ann", **how: Any) -> Verdicts:
    """Somebody's verdicts on the labels of a run."""
    blind = how.pop("blind", True)
    run = Viewed(run_dir, annotator=annotator, blind=blind, **how)
    server = Server(run)
    return server.opened("labels")[1]


def many_verdicts(run: Path, annotator: str, times: int) -> None:
    """What somebody says in a process of their own, in lines too long for one block of a disk."""
    verdicts = verdicts_of(run, annotator)
    for number in range(times):
        verdicts.say(number % 6 + 1, "first", note=f"{annotator} {number} {'x' * 5000}")


@contextlib.asynccontextmanager
async def served(run_dir: Path, **how: Any) -> AsyncIterator[tuple[Server, str]]:
    """A server on a run, and its address with the token."""
    server = Server(Viewed(run_dir, **({"annotator": "ann"} | how)))
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield server, f"http://127.0.0.1:{runner.addresses[0][1]}/?token={server.guard.token}"
    finally:
        await runner.cleanup()
