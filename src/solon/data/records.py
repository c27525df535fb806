"""The nouns: every kind of record that flows through solon, on one page.

All are frozen, closed to unknown fields, and identified by the hash of their content, so the same thing has the
same name in every run and on every machine. ``solon.data.identity`` says how, ``solon.data.results`` holds the two that
come out at the end.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, field_validator

from solon.data.identity import Noun as Noun
from solon.data.identity import Record as Record
from solon.data.identity import canonical as canonical
from solon.data.identity import digest as digest
from solon.data.results import Checkpoint as Checkpoint
from solon.data.results import Metric as Metric

# ---------------------------------------------------------------- what the user writes

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]


class Principle(Noun):
    """One thing the constitution asks of a response.

    Attributes:
        id: its name: lower-case letters, digits, hyphens and underscores.
        text: what is asked, in words that a judge can apply to a response.
        weight: how much it counts against the other soft principles; positive.
        severity: ``soft`` weighs; ``hard`` vetoes: a response that loses under it loses.
        topics: the prompt topics it applies to; empty means all.
        critique: how to ask for a critique under it (Bai et al. 2022, section 3.1); optional.
        revision: how to ask for a revision under it; optional.
        source: where the principle comes from.
    """

    id: Slug
    text: str
    weight: PositiveFloat = 1.0
    severity: Literal["soft", "hard"] = "soft"
    topics: tuple[str, ...] = ()
    critique: str | None = None
    revision: str | None = None
    source: str | None = None

    @field_validator("text")
    @classmethod
    def _not_blank(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("a principle needs a text")
        return text

    def applies_to(self, topic: str | None) -> bool:
        """Whether it is asked of prompts on this topic."""
        return not self.topics or topic in self.topics


class RatingScale(Noun):
    """The whole numbers a rating judge may give, and what they mean.

    Attributes:
        low: the worst score.
        high: the best score; above ``low``.
        meaning: in words, what a score means; the two ends at least, or none.
    """

    low: int = 1
    high: int = 5
    meaning: dict[int, str] = Field(default_factory=dict)


class Case(Noun):
    """An example with the verdict it must get: the constitution's own test.

    Attributes:
        principle: id of the principle it exercises.
        prompt: what the user asked.
        better: a response that follows the principle.
        worse: a response that does not, or does less.
        note: for people: why one is better.
    """

    principle: str
    prompt: str
    better: str
    worse: str
    note: str | None = None


class Constitution(Record):
    """The principles a model is to live by. Its ``id`` names what judges are asked under: principles and scale.

    Attributes:
        name: what reports and dataset cards call it.
        version: the author's own; text, so that 1.10 is not 1.1.
        description: for people: what it is for.
        principles: what it asks, at least one.
        rating: the scale of judges that rate one response at a time.
        cases: its own tests, run by ``solon constitution test``.
    """

    name: str
    version: str = "1"
    description: str = ""
    principles: tuple[Principle, ...]
    rating: RatingScale = RatingScale()
    cases: tuple[Case, ...] = ()

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits of principles and rating scale; name, version, description and cases may change."""
        return digest(self.model_dump(mode="json", include={"principles", "rating"}))[:16]

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        # not by id alone, which leaves the cases out
        return isinstance(other, Constitution) and self.model_dump() == other.model_dump()

    def principle(self, name: str) -> Principle:
        """The principle of that id; ``KeyError`` when there is none."""
        for principle in self.principles:
            if principle.id == name:
                return principle
        raise KeyError(name)


# ---------------------------------------------------------------- what models say


class Message(Noun):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Usage(Noun):
    """Tokens of one reply, as the model counted them.

    Attributes:
        input_tokens: all that was read, whether fresh, from a cache, or into one.
        output_tokens: all that was written, hidden reasoning included.
        cached_tokens: the part of the input that was read from a cache.
        cache_write_tokens: the part of the input that was written into a cache at a price of its own (Anthropic).
        estimated: the server did not count, so these are the most that there can be.
    """

    input_tokens: NonNegativeInt = 0
    output_tokens: NonNegativeInt = 0
    cached_tokens: NonNegativeInt = 0
    cache_write_tokens: NonNegativeInt = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            estimated=self.estimated or other.estimated,
        )


class Prompt(Record):
    """What the policy is asked. ``reference`` is the right answer where there is one; judges never see it."""

    messages: tuple[Message, ...] = Field(min_length=1)
    topic: str | None = None
    reference: str | None = None

    @classmethod
    def of(cls, text: str, *, topic: str | None = None, reference: str | None = None) -> Self:
        """A prompt of a single user turn."""
        return cls(messages=(Message(role="user", content=text),), topic=topic, reference=reference)

    @property
    def text(self) -> str:
        """The conversation as one string: a single user turn as it is, otherwise one ``role: content`` a turn."""
        if len(self.messages) == 1 and self.messages[0].role == "user":
            return self.messages[0].content
        return "\n".join(f"{message.role}: {message.content}" for message in self.messages)


StopReason = Literal["end", "length", "refused", "filtered"]
"""``refused`` by the model itself, ``filtered`` by its provider."""


class Completion(Record):
    """One response of a model to a prompt, with all it takes to ask for it again."""

    text: str
    model: str
    seed: int | None = None
    temperature: NonNegativeFloat = 0.0
    top_p: float = 1.0
    stop: StopReason = "end"
    usage: Usage = Usage()


class Candidates(Record):
    """A prompt and its completions, in the order of their seeds. ``missing`` counts those the model did not give."""

    prompt: Prompt
    completions: tuple[Completion, ...]
    missing: NonNegativeInt = 0


# ---------------------------------------------------------------- what judges say

FailureReason = Literal[
    "unavailable",  # no answer, however often it was asked: overload, time-outs, resets
    "malformed",  #   answers that are no reply, however often: no choices, null content, a web page with status 200
    "unparseable",  # a reply without a verdict in the form that was asked for
    "truncated",  #   a reply that was cut off
    "refused",  #     by the judge
    "filtered",  #    by its provider
    "too_long",  #    the question does not fit the judge
    "disagreed",  #   members of a panel from whose votes nothing follows
    "error",  #       a rule or program that could not be applied
]


class Scored(Record):
    """A verdict that was given.

    Attributes:
        scores: one number an option, higher is better. Of two or more options, each one's is the share of the others
            that it beats, in [0, 1]: of two, P(first is better) and its complement. Of one option, what ``scale`` says.
        probability: how probable the verdict is to the judge itself, in [0, 1]; ``None`` when it does not say.
        scale: ``share`` is in [0, 1]; ``logit`` is any finite number, whose sigmoid is the share (classifiers and
            reward models; one option only).
    """

    kind: Literal["scored"] = "scored"
    scores: tuple[float, ...] = Field(min_length=1)
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    scale: Literal["share", "logit"] = "share"


class Revision(Noun):
    """One round of critique and revision (Bai et al. 2022, section 3.1): under which principle, and what was said."""

    principle: str
    critique: str
    revision: str


class Revised(Record):
    """In place of a verdict, a better response.

    Attributes:
        completion: the last revision.
        rounds: what led to it, at least one.
    """

    kind: Literal["revised"] = "revised"
    completion: Completion
    rounds: tuple[Revision, ...] = Field(min_length=1)


class Failed(Record):
    """A verdict that was not given, why, and what the judge said instead. Never a number."""

    kind: Literal["failed"] = "failed"
    reason: FailureReason
    raw: str | None = None


Outcome = Annotated[Scored | Revised | Failed, Field(discriminator="kind")]


_SCALE = RatingScale()


class Question(Record):
    """What a labeler is asked: one option is rated, two are compared, more are ranked, under the principle(s).

    ``scale`` is the constitution's, for labelers that rate on it.
    """

    prompt: Prompt
    principles: tuple[Principle, ...] = ()
    options: tuple[Completion, ...] = Field(min_length=1)
    scale: RatingScale = Field(default_factory=lambda: _SCALE)  # a default with a dict in it is copied each time

    def reversed(self) -> Question:
        """The same question with its options in the opposite order."""
        return self.model_copy(update={"options": self.options[::-1]})

    def judged(
        self,
        outcome: Scored | Revised | Failed,
        *,
        labeler: str,
        rationale: str | None = None,
        usage: Usage = Usage(),
        cost_usd: float = 0.0,
        votes: tuple[Judgment, ...] = (),
    ) -> Judgment:
        """The judgment that answers this question; ``usage`` and ``cost_usd`` are its own, without those of votes."""
        return Judgment(
            prompt=self.prompt.id,
            principles=tuple([principle.id for principle in self.principles]),
            options=tuple([option.id for option in self.options]),
            labeler=labeler,
            outcome=outcome,
            rationale=rationale,
            usage=sum([vote.usage for vote in votes], usage),
            cost_usd=cost_usd + math.fsum([vote.cost_usd for vote in votes]),
            votes=votes,
        )


class Judgment(Record):
    """A labeler's answer to one question. Refers to the prompt and the completions by their ids.

    Attributes:
        prompt: id of the prompt.
        principles: ids of the principles it was judged under.
        options: ids of the completions, in the order in which the judge saw them.
        labeler: the labeler's kind and model, e.g. ``pairwise:tiny-judge``.
        usage, cost_usd: of the replies behind it, those of its votes included; 0 for local models.
        votes: the judgments that it was put together from: of a panel's members, of a cascade's steps, of a ranking's
            orders. Only the whole becomes a label; what a vote says never does by itself.
    """

    prompt: str
    principles: tuple[str, ...]
    options: tuple[str, ...]
    labeler: str
    outcome: Outcome
    rationale: str | None = None
    usage: Usage = Usage()
    cost_usd: NonNegativeFloat = 0.0
    votes: tuple[Judgment, ...] = ()


# ---------------------------------------------------------------- what trainers eat


class Provenance(Noun):
    """Where a training row comes from."""

    prompt_id: str
    labelers: tuple[str, ...] = ()
    principles: tuple[str, ...] = ()


class Preference(Record):
    """A prompt with a better and a worse response (DPO, ORPO, SimPO, IPO, reward models). ``margin`` in [0, 1]."""

    prompt: Prompt
    chosen: str
    rejected: str
    margin: Annotated[float, Field(ge=0, le=1)] = 1.0
    provenance: Provenance


class Rating(Record):
    """A prompt with one response, whether it is desirable, and its score (KTO, reward regression)."""

    prompt: Prompt
    completion: str
    desirable: bool
    score: float | None = None
    provenance: Provenance


class Task(Record):
    """A prompt to be answered under principles, with its reference answer (PPO, GRPO)."""

    prompt: Prompt
    principles: tuple[str, ...] = ()


class Demonstration(Record):
    """A prompt and the response to imitate (SFT)."""

    prompt: Prompt
    completion: str
    provenance: Provenance
