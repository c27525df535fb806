"""The nouns: every kind of record that flows through solon, on one page.

All are frozen, closed to unknown fields, and identified by the hash of their content, so the same thing has the
same name in every run and on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, field_validator


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces, pure ASCII (so that lone surrogates survive): what gets hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


class Noun(BaseModel):
    """Base of all that follows: immutable, closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Record(Noun):
    """A noun that is identified by the hash of its content."""

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the record's content."""
        return digest(self.model_dump(mode="json"))[:16]

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and type(self) is type(other) and self.id == other.id

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed, and so with an id of its own."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("id", None)  # pydantic copies caches too
        return copy


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
    """Tokens of one reply, as the model counted them. ``cached_tokens`` is the part of the input read from a cache."""

    input_tokens: NonNegativeInt = 0
    output_tokens: NonNegativeInt = 0
    cached_tokens: NonNegativeInt = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
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


StopReason = Literal["end", "length", "refused"]


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

FailureReason = Literal["unavailable", "unparseable", "truncated", "refused", "too_long", "error"]


class Scored(Record):
    """A verdict that was given.

    Attributes:
        scores: one number an option, higher is better. Two compared options hold P(first is better) and its complement.
        probability: the probability of the verdict when the model gave log-probabilities, in [0, 1]; else ``None``.
    """

    kind: Literal["scored"] = "scored"
    scores: tuple[float, ...] = Field(min_length=1)
    probability: Annotated[float, Field(ge=0, le=1)] | None = None


class Failed(Record):
    """A verdict that was not given, why, and what the judge said instead. Never a number."""

    kind: Literal["failed"] = "failed"
    reason: FailureReason
    raw: str | None = None


Outcome = Annotated[Scored | Failed, Field(discriminator="kind")]


class Question(Record):
    """What a labeler is asked: one option is rated, two are compared, more are ranked, under the principle(s)."""

    prompt: Prompt
    principles: tuple[Principle, ...] = ()
    options: tuple[Completion, ...] = Field(min_length=1)

    def reversed(self) -> Question:
        """The same question with its options in the opposite order."""
        return self.model_copy(update={"options": self.options[::-1]})

    def judged(
        self,
        outcome: Scored | Failed,
        *,
        labeler: str,
        rationale: str | None = None,
        usage: Usage = Usage(),
        cost_usd: float = 0.0,
    ) -> Judgment:
        """The judgment that answers this question."""
        return Judgment(
            prompt=self.prompt.id,
            principles=tuple(principle.id for principle in self.principles),
            options=tuple(option.id for option in self.options),
            labeler=labeler,
            outcome=outcome,
            rationale=rationale,
            usage=usage,
            cost_usd=cost_usd,
        )


class Judgment(Record):
    """A labeler's answer to one question. Refers to the prompt and the completions by their ids.

    Attributes:
        prompt: id of the prompt.
        principles: ids of the principles it was judged under.
        options: ids of the completions, in the order in which the judge saw them.
        labeler: the labeler's kind and model, e.g. ``pairwise:tiny-judge``.
        cost_usd: what the replies behind it cost; 0 for local models.
    """

    prompt: str
    principles: tuple[str, ...]
    options: tuple[str, ...]
    labeler: str
    outcome: Outcome
    rationale: str | None = None
    usage: Usage = Usage()
    cost_usd: NonNegativeFloat = 0.0


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


# ---------------------------------------------------------------- what comes out


class Checkpoint(Record):
    """A trained model on disk. ``path`` is relative to the run directory."""

    path: str
    base_model: str
    form: Literal["full", "lora"]
    trainer: str
    dataset: str
    metrics: dict[str, float] = Field(default_factory=dict)


class Metric(Record):
    """A measured number with its uncertainty. Never a number alone.

    Attributes:
        name: what was measured, e.g. ``compliance/format``.
        of: ``before`` and ``after`` are a model's own; ``pair`` compares the two; ``labels`` is of the judgments.
        value, low, high: the estimate and its 95 % confidence interval (equal to it where none applies).
        n: on how many items; ``failed``: how many more could not be measured.
        p_value: of the paired test against ``before``, where there is one.
        unit: ``share`` (in [0, 1]), ``nats``, ``tokens``, ``usd``, ``score``.
        method: how value and interval were computed, in a few words.
    """

    name: str
    of: Literal["before", "after", "pair", "labels"]
    value: float
    low: float
    high: float
    n: NonNegativeInt
    failed: NonNegativeInt = 0
    p_value: float | None = None
    unit: Literal["share", "nats", "tokens", "usd", "score"] = "share"
    method: str = ""
