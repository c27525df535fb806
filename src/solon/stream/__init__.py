"""The only scheduler: bounded concurrency, one retry loop, limits, budget, and the ledger around every model call."""

from solon.stream.clock import Clock, SystemClock
from solon.stream.core import Stream, ask
from solon.stream.findings import Found
from solon.stream.pace import Pace
from solon.stream.retries import Retries
from solon.stream.tally import Event, OnEvent, Tally

__all__ = ["Clock", "Event", "Found", "OnEvent", "Pace", "Retries", "Stream", "SystemClock", "Tally", "ask"]
