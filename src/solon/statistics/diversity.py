"""How much texts differ from each other: what is left of it when a model says the same everywhere. Pure.

Each measure is of a whole group of texts, and depends on how many there are and how long they are: compare groups of
the same number only.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import regex

from solon.errors import MissingExtra

_WORD = regex.compile(r"\w+|[^\w\s]")


@lru_cache(4096)
def words(text: str) -> tuple[str, ...]:
    """Words and punctuation marks, in lower case."""
    return tuple(_WORD.findall(text.lower()))


def distinct(texts: Sequence[str], n: int) -> float | None:
    """Different runs of ``n`` words as a share of all such runs, in (0, 1] (after Li et al. 2016, arXiv:1510.03055).

    ``None`` where no text has so many words.
    """
    runs = [
        tuple(own[start : start + n]) for text in texts for own in (words(text),) for start in range(len(own) - n + 1)
    ]
    return len(set(runs)) / len(runs) if runs else None


def self_bleu(texts: Sequence[str]) -> float | None:
    """The mean BLEU of each text against all others, in [0, 1] (Zhu et al. 2018, arXiv:1802.01886, section 3.1).

    Of words as ``words`` tells them apart; shorter texts than four words by the runs that they have. ``None`` of fewer
    than two texts with a word.

    Raises:
        MissingExtra: sacrebleu is not installed.
    """
    spaced = [" ".join(own) for text in texts if (own := words(text))]
    if len(spaced) < 2:
        return None
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise MissingExtra("self-BLEU", "report") from error
    bleu = BLEU(tokenize="none", effective_order=True)
    scores = [
        bleu.sentence_score(text, [*spaced[:place], *spaced[place + 1 :]]).score for place, text in enumerate(spaced)
    ]
    return math.fsum(scores) / len(scores) / 100


def compression(texts: Sequence[str]) -> float | None:
    """How many times shorter zlib makes all texts (Shaib et al. 2024, arXiv:2403.00553, section 2); ``None`` of none.

    The more they repeat each other, the higher it is; a short group stays above 0 and may be below 1.
    """
    whole = "\n".join(texts).encode("utf-8", "surrogatepass")
    return len(whole) / len(zlib.compress(whole, 9)) if whole.strip() else None


def entropy(texts: Sequence[str]) -> float | None:
    """Shannon's entropy of the words of all texts, in nats a word, 0 where all are the same; ``None`` of no word."""
    counts = Counter(word for text in texts for word in words(text))
    total = counts.total()
    return math.fsum(-count / total * math.log(count / total) for count in counts.values()) + 0.0 if total else None


def identical(texts: Sequence[str]) -> float:
    """The share of texts that another one repeats, but for the white space at the ends; in [0, 1]."""
    counts = Counter(text.strip() for text in texts)
    return sum(count for count in counts.values() if count > 1) / len(texts)
