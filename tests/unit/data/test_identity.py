"""What names a record: the hash of its canonical JSON, however that is made."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest
from pydantic import BaseModel

from solon.data.identity import canonical, canonical_of, digest, quoted, sha256_of
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Message,
    Noun,
    Preference,
    Principle,
    Prompt,
    Provenance,
    Question,
    RatingScale,
    Revised,
    Revision,
    Scored,
    Usage,
)
from solon.models.base import Reply, Request, written

ODD = 'half \ud800 of a pair, NUL \x00, "quotes", back\\slash, tab\t, \u2028, \x7f, \u202e and 🙂'
PROMPT = Prompt.of(ODD, topic="sums", reference="4")
COMPLETION = Completion(text=ODD, model="m", seed=7, temperature=1e-07, top_p=1.0, usage=Usage(output_tokens=2**60))
PRINCIPLE = Principle(id="plain", text="Be plain.", topics=("a", "b"), weight=2.5)
VOTE = Judgment(
    prompt="p", principles=("a",), options=("x", "y"), labeler="l", outcome=Scored(scores=(1e16, -0.0), probability=0.1)
)
RECORDS = [
    PROMPT,
    COMPLETION,
    Candidates(prompt=PROMPT, completions=(COMPLETION, COMPLETION), missing=1),
    Question(prompt=PROMPT, principles=(PRINCIPLE,), options=(COMPLETION,)),
    Question(prompt=PROMPT, options=(COMPLETION,), scale=RatingScale(low=1, high=10, meaning={1: "bad", 10: "good"})),
    VOTE,
    Judgment(
        prompt="p",
        principles=(),
        options=("x",),
        labeler="l",
        outcome=Failed(reason="refused", raw=ODD),
        rationale="é",
        usage=Usage(input_tokens=3, estimated=True),
        cost_usd=0.1 + 0.2,
        votes=(VOTE,),
    ),
    Revised(completion=COMPLETION, rounds=(Revision(principle="a", critique="c", revision="r"),)),
    Preference(prompt=PROMPT, chosen="a", rejected="b", margin=1 / 3, provenance=Provenance(prompt_id="p")),
    Constitution(name="c", principles=(PRINCIPLE,)),
    Reply(text=ODD, stop="length", usage=Usage(input_tokens=3), model="m"),
    Reply(text="A", choices={"B": -2.5, "A": -0.0}, logits={"nothate": 1e-07}, batched=True),
    Request(messages=(Message(role="user", content=ODD),), max_tokens=8, temperature=0.7, choices=("B", "A"), seed=3),
    Request(
        messages=(
            Message(role="system", content="é"),
            Message(role="user", content="x"),
            Message(role="assistant", content=""),
        ),
        max_tokens=8,
        temperature=1e-07,
        top_p=0.1 + 0.2,
        attempt=2,
    ),
    Request(messages=(Message(role="user", content="x"),), max_tokens=8, schema={"b": [1, None], "a": {"é": 1.5}}),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_the_quick_way_to_canonical_json_gives_the_very_same_text(record: BaseModel):
    """Names of records and keys of the ledger hang on it, byte by byte."""
    assert canonical_of(record) == canonical(record.model_dump(mode="json"))


class Mutable(BaseModel):
    """Pydantic copies no default that has a hash."""

    text: str = "a"

    def __hash__(self) -> int:
        return 1


class Partial(Noun):
    """One of its fields need not be there."""

    one: str
    other: str


class Defaults(Noun):
    """Whose defaults are all that makes trouble."""

    mutable: Mutable = Mutable()
    mutables: tuple[Mutable, ...] = (Mutable(),)
    partial: Partial = Partial.model_construct(other="x")
    usage: Usage = Usage(input_tokens=1)
    zero: float = 0.0
    one: int = 1
    text: str = "é"
    nothing: None = None
    numbers: tuple[float, ...] = (1e16, -0.0)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"zero": -0.0, "one": True, "text": "", "usage": Usage(), "numbers": ()},
        {"zero": 1e-7, "usage": Usage(input_tokens=1), "mutable": Mutable(text="b")},
    ],
)
def test_a_default_is_written_as_any_value(given: dict[str, Any]):
    """It is known beforehand only where it cannot change."""
    record = Defaults(partial=Partial(one="1", other="2"), **given)
    canonical_of(record)
    for default in (Defaults.model_fields["mutable"].default, Defaults.model_fields["mutables"].default[0]):
        default.text = f"{default.text}, changed"
    assert canonical_of(record) == canonical(record.model_dump(mode="json"))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_is_named_by_its_content(record: BaseModel):
    """So the same thing has the same name in every run and on every machine."""
    if not isinstance(record, Constitution):  # its name leaves out who wrote it and how it is tested
        assert record.id == digest(record.model_dump(mode="json"))[:16]


def test_a_request_is_written_without_what_came_later_unless_it_is_set():
    """A ledger from before a field existed still holds the replies to requests without it."""
    for record in RECORDS:
        if isinstance(record, Request):
            assert record.written() == canonical(record.content())


@pytest.mark.parametrize(
    "reply",
    [
        *(record for record in RECORDS if isinstance(record, Reply)),
        Reply(text=ODD * 20, model="é", stop="refused", usage=Usage(**dict.fromkeys(Usage.model_fields, True))),
        Reply(text="x" * 1000, choices={}, logits={ODD: 1e16, "": -0.0}),
    ],
)
def test_a_reply_is_written_as_any_record(reply: Reply):
    """Ledgers hold it in these very bytes, whose checksum stands beside them."""
    assert written(reply) == canonical_of(reply) == canonical(reply.model_dump(mode="json"))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_reply_with_what_is_no_number_is_not_written(number: float):
    """The ledger refuses it, in place of a text that nobody can read back."""
    with pytest.raises(ValueError, match="JSON"):
        written(Reply(text="A", choices={"A": number}))


@pytest.mark.parametrize("times", [1, 200])
@pytest.mark.parametrize("character", [*map(chr, range(0x100)), "\u2028", "\ud800", "\uffff", "🙂"])
def test_a_text_is_quoted_as_json_quotes_it_however_long_it_is(character: str, times: int):
    """Long ones go another way."""
    assert quoted(times * f"a{character}") == canonical(times * f"a{character}")


def test_a_name_is_what_it_was_in_earlier_versions():
    """These were computed by the first version of solon; a change would ask for everything again."""
    assert Prompt.of("What is 2 + 2?").id == "eda6e8bea75e3f22"
    assert Completion(text="4", model="given").id == "91699d54eac7fea2"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_canonical_json(number: float):
    """JSON has no such number, and a hash of something else would name something else."""
    with pytest.raises(ValueError, match="JSON"):
        canonical_of(Scored(scores=(number,)))


def test_a_text_of_a_kind_of_its_own_is_written_as_its_text():
    """A path that remembers its folder is a text to everybody else."""

    class Marked(str):
        __slots__ = ()

    record = Completion.model_construct(**{**COMPLETION.__dict__, "text": Marked("x")})
    assert canonical_of(record) == canonical_of(record.model_copy(update={"text": "x"}))
    assert quoted(Marked(1000 * "x")) == quoted(1000 * "x")


@pytest.mark.parametrize("length", [0, 1, 2046, 2047, 2048, 4094, 10_000])
def test_a_long_text_is_hashed_in_parts_to_the_same_end(length: int):
    """Against hashlib, around the length from which it would give the lock of the interpreter away."""
    content = bytes(number % 251 for number in range(length))
    assert sha256_of(content) == hashlib.sha256(content).hexdigest()
