"""Which trainer to take, by the data and the machine, with reasons and their sources: ``solon advise``."""

from __future__ import annotations

from solon.advice.facts import Facts, facts_of
from solon.advice.guidance import Advice, Counsel, counsel

__all__ = ["Advice", "Counsel", "Facts", "counsel", "facts_of"]
