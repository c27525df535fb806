"""The ledger: every model reply, committed before anything is done with it, keyed by the content of its request."""

from solon.ledger.rows import (
    Answered,
    Budget,
    Call,
    Doubt,
    Doubted,
    Dropped,
    Elsewhere,
    Entry,
    Known,
    NoRoom,
    Sent,
    Ticket,
    Total,
)
from solon.ledger.store import Ledger

__all__ = [
    "Answered",
    "Budget",
    "Call",
    "Doubt",
    "Doubted",
    "Dropped",
    "Elsewhere",
    "Entry",
    "Known",
    "Ledger",
    "NoRoom",
    "Sent",
    "Ticket",
    "Total",
]
