"""What is no error in a constitution and still deserves a second look."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations

from solon.data.records import Constitution, Principle
from solon.document import Document, Loc
from solon.errors import Problem

REPEATS = 0.6
"""Two principles repeat each other when at least this share of the shorter one's content words is in the other.
Among the principles of the shipped library the greatest share is 0.31."""
FEWEST_SHARED = 3
"""Fewer content words in common are no repetition, however short the principles."""
FEWEST_WORDS = 5
"""A principle of fewer words leaves the judgment to the judge's taste."""
MOST_WORDS = 150
"""A principle of more words asks for several things at once."""
LONGER_ALWAYS = 4
"""From this many cases on, `better` being the longer one in all of them is no longer chance: 2 * 0.5**4 = 0.125."""

_UNFINISHED = re.compile(r"\b(?:TODO|FIXME|TBD|XXX)\b|\blorem ipsum\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_EMPTY_WORDS = frozenset(
    _WORD.findall("""
        a about all also an and any are as assistant at be been but by can could do does each even every for from has
        have how if in into is it its may more most must no not of on one only or other out prefer response responses
        should so some such than that the their them then there these they this those to what when where which who
        will with would you your
    """)
)


def lint(constitution: Constitution, document: Document | None = None) -> list[Problem]:
    """What a careful editor would remark on, in a fixed order.

    Args:
        constitution: one that has no errors.
        document: the file it was read from; gives each remark its place.
    """
    remarks = (
        *_repeats(constitution),
        *_lengths(constitution),
        *_settings(constitution),
        *_unexercised(constitution),
        *_cases(constitution),
    )
    return [Problem(document.place(loc) if document else "", what, remedy) for loc, what, remedy in remarks]


_Remark = tuple[Loc, str, str]


def _repeats(constitution: Constitution) -> Iterator[_Remark]:
    for (_, first), (second_index, second) in combinations(enumerate(constitution.principles), 2):
        shared, share = overlap(first.text, second.text)
        if share >= REPEATS and len(shared) >= FEWEST_SHARED:
            what = (
                f"principles {first.id!r} and {second.id!r} say much the same: they share {share:.0%} of the content "
                f"words of the shorter ({', '.join(shared)})"
            )
            yield ("principles", second_index), what, "merge them, or say how they differ: they count twice"


def overlap(first: str, second: str) -> tuple[list[str], float]:
    """The content words that two texts share, as the first has them, and their share of the shorter's, in [0, 1].

    Words are lower-cased and cut of plain English endings; words that every principle uses do not count. Called the
    overlap coefficient, or Szymkiewicz-Simpson: unlike Jaccard's index it also finds a text that the other contains.
    """
    one, other = content_words(first), content_words(second)
    shared = [word for stem, word in one.items() if stem in other]
    return sorted(shared), len(shared) / max(1, min(len(one), len(other)))


def content_words(text: str) -> dict[str, str]:
    """The words of a text that carry its meaning: for each stem, the first word that has it."""
    words: dict[str, str] = {}
    for word in _WORD.findall(text.lower()):
        if word not in _EMPTY_WORDS:
            words.setdefault(_stem(word), word)
    return words


def _stem(word: str) -> str:
    for ending in ("ing", "edly", "ed", "es", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def _lengths(constitution: Constitution) -> Iterator[_Remark]:
    for index, principle in enumerate(constitution.principles):
        loc: Loc = ("principles", index, "text")
        words = len(principle.text.split())
        if words < FEWEST_WORDS:
            what = f"principle {principle.id!r} has {words} {'word' if words == 1 else 'words'}"
            yield loc, what, "say what a response does that follows it, and what one does that does not"
        if words > MOST_WORDS:
            yield loc, f"principle {principle.id!r} has {words} words", "judges follow several short principles better"


def _settings(constitution: Constitution) -> Iterator[_Remark]:
    for index, principle in enumerate(constitution.principles):
        loc: Loc = ("principles", index)
        if principle.severity == "hard" and principle.weight != 1:
            what = f"principle {principle.id!r} is hard and has a weight"
            remedy = "a hard principle vetoes; beside soft ones its weight counts in the mean of ratings alone"
            yield (*loc, "weight"), what, remedy
        if (principle.critique is None) != (principle.revision is None):
            has, lacks = ("revision", "critique") if principle.critique is None else ("critique", "revision")
            what = f"principle {principle.id!r} has a {has} request and no {lacks} request"
            yield (*loc, has), what, "critique and revision work as a pair"
        for name, text in _texts(principle):
            if match := _UNFINISHED.search(text):
                yield (*loc, name), f"{name!r} of principle {principle.id!r} holds {match[0]!r}", "is it finished?"


def _texts(principle: Principle) -> Iterable[tuple[str, str]]:
    named = (("text", principle.text), ("critique", principle.critique), ("revision", principle.revision))
    return ((name, text) for name, text in named if text)


def _unexercised(constitution: Constitution) -> Iterator[_Remark]:
    exercised = {case.principle for case in constitution.cases}
    for index, principle in enumerate(constitution.principles):
        if principle.id not in exercised:
            what = f"no case exercises principle {principle.id!r}"
            yield (
                ("principles", index),
                what,
                "add one, and `solon constitution test` shows whether a judge understands it",
            )


def _cases(constitution: Constitution) -> Iterator[_Remark]:
    seen: dict[tuple[str, str, str, str], int] = {}
    for index, case in enumerate(constitution.cases):
        loc: Loc = ("cases", index)
        key = (case.principle, case.prompt.strip(), case.better.strip(), case.worse.strip())
        turned = (*key[:2], key[3], key[2])
        if key in seen:
            yield loc, f"case {index + 1} repeats case {seen[key] + 1}", "it would count twice"
        if turned in seen:
            yield (
                loc,
                f"case {index + 1} contradicts case {seen[turned] + 1}: better and worse are swapped",
                "one is wrong",
            )
        seen.setdefault(key, index)
        if not case.better.strip():
            yield (*loc, "better"), f"the better response of case {index + 1} is empty", ""
    longer = [len(case.better) - len(case.worse) for case in constitution.cases]
    for name, always in (("longer", all(d > 0 for d in longer)), ("shorter", all(d < 0 for d in longer))):
        if always and len(longer) >= LONGER_ALWAYS:
            what = f"in all {len(longer)} cases the better response is the {name} one"
            yield ("cases",), what, "a judge that looks at length alone passes; turn some of them round"
