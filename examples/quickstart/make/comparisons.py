"""Comparisons of two responses under a principle, with the verdict that a rule gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from make.principles import Rule
from make.responses import KINDS, form_of, spoil, write_as
from make.world import Ask
from solon.data.records import Completion, Message, Principle, Prompt, Question
from solon.labelers.prompt import pairwise_messages


@dataclass(frozen=True)
class Sampled:
    """A prompt with responses that the policy gave to it."""

    ask: Ask
    responses: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Two responses to a prompt under a principle."""

    prompt: str
    rule: Rule
    first: str
    second: str

    @property
    def label(self) -> float:
        """What the rule says: 1 the first follows the principle better, 0 the second does, 0.5 neither."""
        gap = self.rule.score(form_of(self.first)) - self.rule.score(form_of(self.second))
        return 0.5 if gap == 0 else float(gap > 0)

    def reversed(self) -> Comparison:
        """The same with the responses in the opposite order."""
        return Comparison(self.prompt, self.rule, self.second, self.first)

    def messages(self) -> tuple[Message, ...]:
        """The conversation in which solon asks for this verdict: the judges are asked in no other way."""
        principle = Principle(id="principle", text=self.rule.text)
        options = tuple(Completion(text=text, model="policy") for text in (self.first, self.second))
        return pairwise_messages(Question(prompt=Prompt.of(self.prompt), principles=(principle,), options=options))


def draw_comparison(rule: Rule, pool: Sequence[Sampled], random: Random, *, written: float = 0.5) -> Comparison:
    """A comparison on a prompt of the pool, one in which the rule sees a difference four times out of five if it can.

    Args:
        rule: the principle.
        pool: prompts with responses of the policy.
        random: what decides.
        written: how often responses are added that are written to show each kind and some flaws; otherwise both come
            from the policy.
    """
    sampled = random.choice(pool)
    options = list(sampled.responses)
    if random.random() < written:
        options += [write_as(kind, sampled.ask.fact, random) for kind in KINDS]
        options += [spoil(random.choice(options), random) for _ in range(3)]
    first, second = random.sample(options, 2)
    if random.random() < 0.8:
        score = rule.score(form_of(first))
        others = [option for option in options if rule.score(form_of(option)) != score]
        if others:
            second = random.choice(others)
    pair = Comparison(sampled.ask.text, rule, first, second)
    # the rarer outcome was more often drawn as the second: the order must not tell
    return pair.reversed() if random.random() < 0.5 else pair
