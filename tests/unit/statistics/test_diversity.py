"""Measures of diversity against numbers counted by hand."""

import math

import pytest

from solon.statistics.diversity import compression, distinct, entropy, identical, self_bleu, words

SAME = ["the cat sat on the mat"] * 4
OTHER = [
    "a small boat leaves the harbour at dawn",
    "seven is prime and nine is not",
    "please stir gently until it thickens",
    "who painted that odd grey door?",
]


def test_words_are_told_apart_from_marks_and_case_does_not_count() -> None:
    """Otherwise "Yes!" and "yes" would be two words, and a dash a part of one."""
    assert words("Yes! It's 3.5 – naïve") == ("yes", "!", "it", "'", "s", "3", ".", "5", "–", "naïve")


def test_distinct_counts_different_runs_of_words() -> None:
    """Of the words of "a b a c" three of four, and all its pairs; of "a b", "a b" and "b a" two of three pairs."""
    assert distinct(["a b a c"], 1) == 3 / 4
    assert distinct(["a b a c"], 2) == 1.0
    assert distinct(["a b", "a b", "b a"], 2) == 2 / 3
    assert distinct(["a", "b"], 2) is None


def test_runs_do_not_cross_from_one_text_to_the_next() -> None:
    """The last word of an answer and the first of another were never said together."""
    assert distinct(["a b", "c d"], 2) == 1.0
    assert distinct(["a", "b", "a"], 2) is None


def test_self_bleu_is_one_where_all_say_the_same_and_small_where_none_does() -> None:
    """BLEU of a text against itself is 1."""
    assert self_bleu(SAME) == pytest.approx(1.0)
    found = self_bleu(OTHER)
    assert found is not None
    assert found < 0.1
    assert self_bleu(["alone", "  "]) is None


def test_self_bleu_of_half_a_text_counts_its_runs() -> None:
    """Of "a b c d" against "a b x y": 2 of 4 words and 1 of 3 pairs are there, triples and fours are smoothed.

    sacrebleu's exponential smoothing takes 1/(2 * 2) of the triples and 1/(4 * 1) of the fours; lengths are equal.
    """
    by_hand = (2 / 4 * 1 / 3 * 1 / 4 * 1 / 4) ** 0.25
    assert self_bleu(["a b c d", "a b x y"]) == pytest.approx(by_hand)


def test_what_repeats_itself_becomes_shorter() -> None:
    """Forty times the same line, against forty lines of their own."""
    repeated, own = (
        compression(SAME * 10),
        compression([f"{word} {number * 7919}" for number, word in enumerate(OTHER * 10)]),
    )
    assert repeated is not None
    assert own is not None
    assert repeated > 10 > own > 1
    assert compression(["", " "]) is None


def test_entropy_is_that_of_the_words() -> None:
    """Four words equally often are ln 4 nats; one word is certain."""
    assert entropy(["a b", "c d"]) == pytest.approx(math.log(4))
    assert entropy(["a a", "a"]) == 0.0
    assert entropy(["a a a b"]) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert entropy([""]) is None


def test_identical_counts_every_text_that_is_repeated() -> None:
    """Both of two, but for white space at the ends."""
    assert identical(["a", "a ", "b", "c"]) == 0.5
    assert identical(["a", "b"]) == 0.0
