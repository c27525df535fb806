"""Whether a response gives the reference answer."""

import pytest

from solon.labelers.answers import gives_answer, normalised


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("The capital is Paris.", "Paris"),
        ("the capital is PARIS, of course", "Paris"),
        ("It is 5.", "5"),
        ("5, obviously", "5"),
        ("It is (5)", "5"),
        ("x = 5%", "5"),
        ("It is -5 degrees", "-5"),
        ("about 3.5 metres", "3.5"),
        ("New\n  York it is", "New York"),
        ("cafe\u0301 noir", "café"),
        ("STRASSE", "straße"),
        ('He said "blue".', "blue"),
        ("Answer: C++ is older", "C++"),
        ("1,500 in all", "1,500"),
        ("5 5", "5"),
    ],
)
def test_a_response_contains_the_answer_as_whole_words(text: str, reference: str) -> None:
    """Case, spacing and how an accent is encoded do not count."""
    assert gives_answer(text, reference, "contains")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("Parisian", "Paris"),
        ("unblue", "blue"),
        ("15", "5"),
        ("50", "5"),
        ("-5", "5"),
        ("−5", "5"),
        ("3.5", "5"),
        ("5.25", "5"),
        ("1,500", "500"),
        ("1,500", "1"),
        ("5th", "5"),
        ("York New", "New York"),
        ("", "Paris"),
        ("...", "Paris"),
    ],
)
def test_part_of_a_word_or_number_is_not_the_answer(text: str, reference: str) -> None:
    """A sum of 15 is not right because the answer is 5."""
    assert not gives_answer(text, reference, "contains")


def test_an_exact_answer_may_have_quotes_case_and_a_final_stop() -> None:
    """They are how it is written, not what it says."""
    assert gives_answer(' "New  york." ', "New York", "exact")
    assert not gives_answer("It is New York", "New York", "exact")
    assert not gives_answer("-5", "5", "exact")


def test_what_is_extracted_is_compared_in_place_of_the_whole() -> None:
    """A wrong answer that mentions the right one in its reasoning is wrong."""
    pattern = r"Answer: (.+?) —"
    assert gives_answer("Answer: Lyon — not Paris", "Lyon", "exact", pattern)
    assert not gives_answer("Answer: Lyon — not Paris", "Paris", "contains", pattern)
    assert not gives_answer("Paris", "Paris", "contains", pattern)


def test_an_extract_without_a_group_is_all_that_it_matches() -> None:
    """The group is for what is around the answer."""
    assert gives_answer("so it is 42 then", "42", "exact", r"\d+")


def test_an_extract_whose_group_took_no_part_gives_no_answer() -> None:
    """``(a)|b`` can match without its group."""
    assert not gives_answer("b", "b", "exact", "(a)|b")


@pytest.mark.parametrize("reference", ["", "  ", "...", '""'])
def test_an_empty_reference_answer_is_an_error(reference: str) -> None:
    """Every response contains nothing, and none would be wrong."""
    with pytest.raises(ValueError, match="is empty"):
        gives_answer("anything", reference, "contains")


def test_normalising_twice_is_normalising_once() -> None:
    """Reference and response go through it alike."""
    for text in ["İstanbul", "ﬁne.", "A\u0301 'quoted'!", "  a  b ", "ΣΑΣ"]:
        assert normalised(normalised(text)) == normalised(text)
