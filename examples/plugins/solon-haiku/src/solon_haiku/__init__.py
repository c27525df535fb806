"""A constitution that asks for haiku, and an evaluator that counts their syllables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from solon.plugins import (
    Completion,
    Constitution,
    Evidence,
    Metric,
    OfAnswers,
    ids,
    itemised_shares,
    load_constitution,
    named,
    pairs_of,
)

_WORD = re.compile(r"[a-z']+", re.IGNORECASE)
_SILENT = re.compile(r"(?:[^laeiouy]es|ed|[^laeiouy]e)$")
_SOUND = re.compile(r"[aeiouy]+")


def haiku() -> Constitution:
    """Three lines of 5, 7 and 5 syllables, about what was asked."""
    return load_constitution(Path(__file__).with_name("constitution.yaml"))


def syllables(line: str) -> int:
    """About how many syllables an English line has: groups of vowels, without a silent e at the end of a word."""
    return sum(_of_word(word.lower()) for word in _WORD.findall(line))


def _of_word(word: str) -> int:
    sounded = word if word.endswith(("ted", "ded", "ses", "ces", "zes", "xes", "ges")) else _SILENT.sub("", word)
    return max(1, len(_SOUND.findall(sounded)))


class Haiku(OfAnswers):
    """The share of answers that are three lines of 5, 7 and 5 syllables. An empty answer counts as failed."""

    kind: ClassVar[str] = "haiku"
    api_version: ClassVar[str] = "1.0"

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """``haiku`` before, after, and the difference."""
        pairs = pairs_of(evidence, self.decoding, self.kind)
        held = [(self._is_one(pair.before), self._is_one(pair.after)) for pair in pairs]
        return itemised_shares(evidence, named(self.kind, self.decoding), ids(pairs), held)

    def _is_one(self, answer: Completion) -> bool | None:
        lines = [line for line in answer.text.strip().splitlines() if line.strip()]
        return [syllables(line) for line in lines] == [5, 7, 5] if lines else None
