"""A chat model that chooses one of a few verdicts: a letter, or a number of a scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, assert_never

from pydantic import Field

from solon.data.records import Failed, Judgment, Message, Question, Scored
from solon.labelers.chat_judge import ChatJudge
from solon.labelers.json_text import json_object, object_schema
from solon.labelers.prompt import Form
from solon.labelers.verdict_text import first_line_verdict, last_line_verdict, reasoning
from solon.models.base import Reply, Request


@dataclass(frozen=True)
class Offer:
    """The verdicts that a judge may choose from.

    Attributes:
        verdicts: each as it is written, at least two.
        key: of the verdict, where it is written in an object.
        number: whether it is a number there, and not a string.
    """

    verdicts: tuple[str, ...]
    key: str = "verdict"
    number: bool = False

    @cached_property
    def one_token_each(self) -> bool:
        """Whether each verdict is surely one token. Where ``10`` is two, the first of them is that of ``1``."""
        return max(map(len, self.verdicts)) == 1

    def schema(self, *, with_reasoning: bool) -> dict[str, Any]:
        """The JSON Schema of an object that holds a verdict, after the judge's reasoning or alone."""
        kind = "integer" if self.number else "string"
        values = [int(verdict) if self.number else verdict for verdict in self.verdicts]
        before: dict[str, Any] = {"reasoning": {"type": "string"}} if with_reasoning else {}
        return object_schema({**before, self.key: {"type": kind, "enum": values}})

    def of_json(self, text: str, *, with_reasoning: bool) -> tuple[str, str | None] | None:
        """Verdict and reasoning of a text that is such an object, and ``None`` for any other."""
        given = json_object(text, ("reasoning", self.key) if with_reasoning else (self.key,))
        if given is None:
            return None
        value, why = given[self.key], given.get("reasoning")
        # not isinstance: true is an int to Python, and 1.0 equals 1
        if type(value) is not (int if self.number else str) or str(value) not in self.verdicts:
            return None
        if with_reasoning and not isinstance(why, str):
            return None
        return str(value), why


class Said(NamedTuple):
    """What a judge said of the verdicts that it was offered.

    Attributes:
        shares: how probable each is to it, in [0, 1], together 1; of a verdict in words, 1 for that one.
        measured: whether these are probabilities, or words.
        rationale: what it said besides.
    """

    shares: dict[str, float]
    measured: bool
    rationale: str | None

    @property
    def probability(self) -> float | None:
        """Of the most probable verdict; ``None`` when the judge gave a verdict and no probabilities."""
        return max(self.shares.values()) if self.measured else None


class VerdictJudge(ChatJudge):
    """Base of labelers whose judge chooses one of a few verdicts.

    Attributes:
        reasoning: whether the judge is asked to reason before its verdict. The verdict is then read from what it
            writes: its first token is none.
        answer: ``auto`` takes the probabilities of the verdicts as the first token of the reply where the model gives
            log-probabilities, and else its text; with ``reasoning``, and where a verdict is longer than one character,
            its text. ``text`` never asks for log-probabilities: the last line is the verdict, whatever is said before
            it. ``json`` asks for an object by a JSON Schema, to which models with structured output are held.
        min_choice_mass: least probability that all verdicts must have together as the first token; below it the
            judge was not answering the question.
    """

    reasoning: bool = False
    answer: Literal["auto", "text", "json"] = "auto"
    min_choice_mass: float = Field(default=0.5, gt=0, le=1)

    @property
    def form(self) -> Form:
        """What the judge is asked to write."""
        if self.answer == "json":
            return "json_reasoning" if self.reasoning else "json"
        return "reasoning" if self.reasoning else "bare"

    @property
    def longest_reply(self) -> int:
        """``max_tokens``; when left out, 1024 with reasoning, 64 for an object without it, and else 16."""
        form = self.form
        match form:
            case "bare":
                room = 16
            case "json":
                room = 64
            case "reasoning" | "json_reasoning":
                room = 1024
            case _:
                assert_never(form)
        return self.max_tokens or room

    async def judged(
        self, question: Question, messages: tuple[Message, ...], offer: Offer, scored: Callable[[Said], Scored]
    ) -> Judgment:
        """The judgment that answers ``question``: what the judge says to ``messages``, as ``scored`` reads it."""
        request = Request(
            messages=messages,
            max_tokens=self.longest_reply,
            choices=offer.verdicts if self._measures(offer) else (),
            json_schema=offer.schema(with_reasoning=self.reasoning) if self.answer == "json" else None,
        )
        answer = await self.asked(request, lambda reply: self._read(reply, offer))
        said = answer.outcome
        outcome, rationale = (said, None) if isinstance(said, Failed) else (scored(said), said.rationale)
        return question.judged(
            outcome, labeler=self.name, rationale=rationale, usage=answer.usage, cost_usd=answer.cost_usd
        )

    def _measures(self, offer: Offer) -> bool:
        """Whether the first token of a reply can tell how probable each verdict is."""
        return self.answer == "auto" and not self.reasoning and offer.one_token_each

    def _read(self, reply: Reply, offer: Offer) -> Said | Failed:
        if reply.choices is not None and self._measures(offer):
            return _measured(reply.text, reply.choices, offer, self.min_choice_mass)
        if reply.stop == "length":
            # even if it stops at a lone verdict: nobody knows how the line would have gone on
            return Failed(reason="truncated", raw=reply.text)
        if self.answer == "json":
            found = offer.of_json(reply.text, with_reasoning=self.reasoning)
        else:
            verdict = last_line_verdict(reply.text, offer.verdicts)
            found = None if verdict is None else (verdict, reasoning(reply.text))
        if found is None:
            return Failed(reason="unparseable", raw=reply.text)
        shares = {verdict: float(verdict == found[0]) for verdict in offer.verdicts}
        return Said(shares, measured=False, rationale=found[1])


def _measured(text: str, log_probs: dict[str, float], offer: Offer, least: float) -> Said | Failed:
    """The shares of the verdicts among each other; one that the model did not list has probability 0.

    The text has to agree, where there is one: ``A tie`` begins with an A as well.
    """
    masses = {verdict: _probability(log_probs.get(verdict, -math.inf)) for verdict in offer.verdicts}
    mass = math.fsum(masses.values())
    first = first_line_verdict(text, offer.verdicts)
    agrees = not text.strip() or (first is not None and masses[first] == max(masses.values()))
    if mass < least or not agrees:
        return Failed(reason="unparseable", raw=text)
    shares = {verdict: one / mass for verdict, one in masses.items()}
    return Said(shares, measured=True, rationale=text.strip().partition("\n")[2].strip() or None)


def _probability(log_prob: float) -> float:
    """Of what is no number, which somebody else's model may give, none."""
    return 0.0 if math.isnan(log_prob) else math.exp(min(0.0, log_prob))
