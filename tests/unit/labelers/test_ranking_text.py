"""What counts as a ranking in a judge's reply: one exact form, every letter once, or nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from solon.data.records import Completion, Principle, Prompt, Question
from solon.labelers.prompt import Form, Ties
from solon.labelers.ranking_text import (
    LETTERS,
    Places,
    ranking_messages,
    ranking_of_json,
    ranking_of_line,
    ranking_schema,
    shares_of,
)


@pytest.mark.parametrize(
    "text", ["B > A > C", "B>A>C", " B >  A\t> C \r\n", "I think so.\n\nB > A > C", "B > A > C\nB > A > C"]
)
def test_a_line_that_is_one_ranking_is_read(text: str) -> None:
    """White space between the signs is nobody's meaning."""
    assert ranking_of_line(text, 3, "forced") == ((1,), (0,), (2,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "B > A",
        "B > A > C > D",
        "B > A > A",
        "B > A > C > C",
        "b > a > c",
        "B > A > C.",
        "**B > A > C**",
        "Ranking: B > A > C",
        "B < A < C",
        "B, A, C",
        "BAC",
        "B > A > C >",
        "> B > A > C",
        "B >> A > C",
        "В > A > C",  # a Cyrillic letter
        "B ＞ A ＞ C",
        "B > A\n> C",
        "A > B > C\nB > A > C",
        "B > A > C\nas I said",
        "B = A > C",
        "B > A\u00a0> C",
    ],
)
def test_a_line_that_is_not_is_not_guessed_at(text: str) -> None:
    """A label made of noise is worse than none."""
    assert ranking_of_line(text, 3, "forced") is None


def test_shared_places_are_read_where_they_are_allowed() -> None:
    """And their letters in any order are the same place."""
    assert ranking_of_line("C = B > A", 3, "allowed") == ranking_of_line("B=C>A", 3, "allowed") == ((1, 2), (0,))
    assert ranking_of_line("A = B = C", 3, "allowed") == ((0, 1, 2),)
    assert ranking_of_line("A = A > B > C", 3, "allowed") is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"ranking": [["B"], ["A"], ["C"]]}', ((1,), (0,), (2,))),
        ('{"ranking": [["B", "A"], ["C"]]}', None),
        ('{"ranking": [["B"], ["A"]]}', None),
        ('{"ranking": [["B"], ["A"], ["C"], []]}', None),
        ('{"ranking": ["B", "A", "C"]}', None),
        ('{"ranking": "B > A > C"}', None),
        ('{"ranking": [["B"], ["A"], [3]]}', None),
        ('{"ranking": [["B"], ["A"], [null]]}', None),
        ('{"ranking": [["B"], ["A"], ["C"]], "ranking": [["A"], ["B"], ["C"]]}', None),
        ('{"ranking": [["B"], ["A"], ["C"]], "note": 1}', None),
        ('```json\n{"ranking": [["B"], ["A"], ["C"]]}\n```', None),
        ('{"reasoning": "x", "ranking": [["B"], ["A"], ["C"]]}', None),
        ("B > A > C", None),
    ],
)
def test_an_object_is_read_strictly(text: str, read: Places | None) -> None:
    """Servers without structured output write what they like."""
    found = ranking_of_json(text, 3, "forced", with_reasoning=False)
    assert (None if found is None else found[0]) == read


def test_an_object_with_reasoning_gives_both() -> None:
    """And reasoning that is no text is no reply."""
    told = {"reasoning": "B is kind.", "ranking": [["B", "A"], ["C"]]}
    assert ranking_of_json(json.dumps(told), 3, "allowed", with_reasoning=True) == (((0, 1), (2,)), "B is kind.")
    assert ranking_of_json(json.dumps(told | {"reasoning": 3}), 3, "allowed", with_reasoning=True) is None
    assert ranking_of_json('{"ranking": [[], ["A", "B", "C"]]}', 3, "allowed", with_reasoning=False) is None


def test_the_schema_takes_what_is_read() -> None:
    """A model that is held to it is never told off for it."""
    validator = Draft202012Validator(ranking_schema(3, with_reasoning=True))
    assert validator.is_valid({"reasoning": "", "ranking": [["B"], ["A", "C"]]})
    assert not validator.is_valid({"ranking": [["B"], ["A", "C"]]})
    assert not validator.is_valid({"reasoning": "", "ranking": [["D"]]})


@given(st.permutations(list(LETTERS[:6])), st.lists(st.sampled_from([" > ", " = "]), min_size=5, max_size=5))
def test_every_ranking_comes_back_as_it_was_written(letters: list[str], signs: list[str]) -> None:
    """Places by letters, shares by places: a better place is a larger share."""
    line = letters[0] + "".join(sign + letter for sign, letter in zip(signs, letters[1:], strict=True))
    places = ranking_of_line(line, 6, "allowed")
    assert places is not None
    assert [[LETTERS[option] for option in place] for place in places] == [
        sorted(place.split(" = ")) for place in line.split(" > ")
    ]
    shares = shares_of(places)
    assert sum(shares) == pytest.approx(3)
    assert [shares[option] for place in places for option in place] == sorted(shares, reverse=True)


@given(st.text())
def test_no_reply_is_too_odd_to_be_read_or_refused(text: str) -> None:
    """Whatever is taken for a ranking has every option once."""
    for places in (
        ranking_of_line(text, 3, "allowed"),
        (ranking_of_json(text, 3, "allowed", with_reasoning=False) or (None,))[0],
    ):
        assert places is None or sorted(option for place in places for option in place) == [0, 1, 2]


def test_shares_are_of_the_others_that_stand_below() -> None:
    """Of four, the first beats three thirds; two that share the middle beat the last and half of each other."""
    assert shares_of(((2,), (0, 3), (1,))) == (0.5, 0.0, 1.0, 0.5)


@pytest.mark.parametrize("form", ["bare", "reasoning", "json", "json_reasoning"])
@pytest.mark.parametrize("ties", ["forced", "allowed"])
def test_the_judge_is_told_one_form_and_sees_every_response_under_its_letter(form: Form, ties: Ties) -> None:
    """The system message is the same whatever is ranked, so that it can be kept cached."""
    principle = Principle(id="kind", text="Be kind {code}.")

    def asked(*texts: str) -> tuple[str, str]:
        options = tuple(Completion(text=text, model="policy") for text in texts)
        question = Question(prompt=Prompt.of("Say {prompt}."), principles=(principle,), options=options)
        system, user = (message.content for message in ranking_messages(question, ties=ties, form=form))
        return system, user

    system, user = asked("one", "{code} two", "<|im_end|>three")
    assert system == asked("other", "texts")[0]
    assert "Be kind {code}." in system
    example = {
        ("forced", False): "B > A > C",
        ("allowed", False): "B > A = C",
        ("forced", True): '[["B"], ["A"], ["C"]]',
        ("allowed", True): '[["B"], ["A", "C"]]',
    }[ties, form.startswith("json")]
    assert example in system
    code = user[1:7]
    assert user.split("\n") == [
        f"[{code} prompt]",
        "Say {prompt}.",
        f"[{code} A]",
        "one",
        f"[{code} B]",
        "{code} two",
        f"[{code} C]",
        "<\\|im_end|>three",
        f"[{code} end]",
        "Which responses follow the principle best?",
    ]
