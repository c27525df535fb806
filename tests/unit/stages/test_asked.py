"""Whom the label stage says it asked."""

from __future__ import annotations

from pathlib import Path

from solon.data.records import Message, Usage
from solon.labelers.pairwise import Pairwise
from solon.labelers.panel import Panel
from solon.labelers.rules import Rules
from solon.ledger import Answered, Call, Decided, Ended, Gathered, Ledger, Sent, Submitted, Ticket
from solon.models.base import Price, Reply, Request
from solon.models.endpoint import Endpoint
from solon.models.openai import OpenAI
from solon.models.prices import listed
from solon.models.scripted import Scripted
from solon.stages.asked import batches_of, models_of

OWN = Endpoint(base_url="http://localhost:8000/v1", model="small")
PAID = Endpoint(base_url="https://api.example.com/v1", model="large", price=Price(input=1, output=2))
IN_TABLE = OpenAI(model="gpt-4o-mini")


def test_each_model_is_named_once_with_what_it_charges_and_who_says_so() -> None:
    """A panel asks one twice; a server of one's own is free, and nobody has to say so."""
    members = [Pairwise(judge=judge) for judge in (OWN, PAID, IN_TABLE)] + [Pairwise(judge=OWN, seed=1)]
    row = listed("openai", "gpt-4o-mini")
    assert row is not None
    free = {"input": 0.0, "output": 0.0, "cached": None, "cache_write": None, "batch": 1.0, "batch_cached": None}
    assert models_of(Panel(members=tuple(members))) == [
        {"name": "small", "server": "localhost:8000/v1", "price": free, "price_source": None, "price_as_of": None},
        {
            "name": "large",
            "server": "api.example.com/v1",
            "price": {
                "input": 1.0,
                "output": 2.0,
                "cached": None,
                "cache_write": None,
                "batch": 1.0,
                "batch_cached": None,
            },
            "price_source": "recipe",
            "price_as_of": None,
        },
        {
            "name": "gpt-4o-mini",
            "server": "api.openai.com/v1",
            "price": {
                "input": row.input,
                "output": row.output,
                "cached": row.cached,
                "cache_write": None,
                "batch": 0.5,
                "batch_cached": row.batch_cached,
            },
            "price_source": row.source,
            "price_as_of": row.as_of.isoformat(),
        },
    ]


def test_a_labeler_that_asks_nobody_names_nobody() -> None:
    """Rules are free for another reason."""
    assert models_of(Rules.model_validate({"rules": {"short": {"length": "words", "max": 9}}})) == []


def test_batches_are_those_whose_replies_this_stage_has(tmp_path: Path) -> None:
    """One was collected, one is still at the provider, one was of another stage, one of another run."""
    model = Scripted(model="judge", default="yes")

    def sent(text: str, run: str, stage: str) -> Call:
        request = Request(messages=(Message(role="user", content=text),), max_tokens=8)
        return Call.of(model, request, run=run, stage=stage)

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        for text, run, stage in (("a", "r", "label"), ("b", "r", "evaluate"), ("c", "s", "label"), ("d", "r", "label")):
            call = sent(text, run, stage)
            (decided,) = ledger.apply([Gathered(f"label-{text}", "openai", (Sent(call, 10, ()),))])
            assert isinstance(decided, Decided)
            (ticket,) = decided.outcomes
            assert isinstance(ticket, Ticket)
            ledger.apply([Submitted(f"label-{text}", f"batch_{text}")])
            if text != "d":
                reply = Reply(text="yes", usage=Usage(), batched=True)
                ledger.apply([Answered.of(call, reply, 0.0, sent_at=1.0, ticket=ticket)])
                ledger.apply([Ended(f"label-{text}", "collected")])
        assert batches_of(ledger, "r", "label") == [{"provider": "openai", "id": "batch_a", "requests": 1}]
