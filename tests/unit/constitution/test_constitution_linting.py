"""The linter: what is no error and deserves a second look."""

import pytest

from solon.constitution import lint
from solon.constitution.linting import content_words, overlap
from solon.data.records import Case, Constitution, Principle


def case(principle: str, prompt: str = "p", better: str = "yes", worse: str = "nope") -> Case:
    return Case(principle=principle, prompt=prompt, better=better, worse=worse)


def remarks(*principles: Principle, cases: tuple[Case, ...] | None = None) -> list[str]:
    cases = tuple(case(each.id) for each in principles) if cases is None else cases
    return [problem.what for problem in lint(Constitution(name="x", principles=principles, cases=cases))]


POLITE = Principle(id="polite", text="The response greets warmly, thanks people and never insults them.")
TRUE = Principle(id="true", text="Every claim about the world agrees with the evidence.")


def test_a_good_constitution_has_no_remarks():
    """Silence has to be reachable, or nobody listens."""
    assert remarks(POLITE, TRUE) == []


def test_principles_that_repeat_each_other_are_named_with_what_they_share():
    """By hand: {greet, warm, thank, people, never, insult}, {warm, greet, people, insult, never}: five of five."""
    again = Principle(id="warm", text="Responses should be warm: greeting people, never insulting.")
    said = "principles 'polite' and 'warm' say much the same: they share 100% of the content words of the shorter"
    assert remarks(POLITE, again) == [f"{said} (greets, insults, never, people, warmly)"]


def test_two_shared_words_are_no_repetition():
    """Three of {part, answer, name} would be; two of three are 67 %, and still no sign of a repetition."""
    assert (
        remarks(
            Principle(id="a", text="There is a part that names the answer."),
            Principle(id="b", text="There is a part that names the confidence."),
        )
        == []
    )


def test_the_overlap_is_of_the_shorter_text():
    """{cat, dog, bird} in {cat, dog, bird, fish, frog, newt}: 3 of 3, where Jaccard's index would say 3 of 6."""
    assert overlap("cats, dogs, birds", "A cat and a dog, a bird; fish, frogs, newts") == (
        ["birds", "cats", "dogs"],
        1.0,
    )


def test_content_words_are_stems_without_those_that_every_principle_uses():
    """Endings go where three letters stay; "as" and "the" carry nothing."""
    words = content_words("The response should be asking, asked, asks; as USED by Zoë's us")
    assert words == {"ask": "asking", "used": "used", "zoë": "zoë", "s": "s", "us": "us"}


def test_texts_that_say_nothing_to_nobody_do_not_overlap():
    """No division by the zero words of an empty set."""
    assert overlap("to be or not to be", "that is the") == ([], 0.0)


@pytest.mark.parametrize(
    ("principle", "remark"),
    [
        (Principle(id="a", text="Be kind."), "principle 'a' has 2 words"),
        (Principle(id="a", text="Kindness."), "principle 'a' has 1 word"),
        (Principle(id="a", text="word " * 151), "principle 'a' has 151 words"),
        (
            Principle(id="a", text="Is kind to whoever writes.", severity="hard", weight=2),
            "principle 'a' is hard and has a weight",
        ),
        (
            Principle(id="a", text="Is kind to whoever writes.", critique="Is it?"),
            "principle 'a' has a critique request and no revision request",
        ),
        (
            Principle(id="a", text="Is kind to whoever writes.", revision="Be it."),
            "principle 'a' has a revision request and no critique request",
        ),
        (Principle(id="a", text="Is kind to TODO and others."), "'text' of principle 'a' holds 'TODO'"),
    ],
)
def test_each_remark_on_a_principle(principle, remark):
    """One remark for one flaw."""
    assert remarks(principle) == [remark]


def test_a_principle_that_no_case_exercises_is_named():
    """Nobody knows whether a judge understands it."""
    assert remarks(POLITE, TRUE, cases=(case("polite"),)) == ["no case exercises principle 'true'"]


def test_cases_that_repeat_or_contradict_each_other_are_named():
    """White space aside; the second of the two is the one to look at."""
    cases = (
        case("polite"),
        case("polite", prompt=" p "),
        case("polite", better="nope", worse="yes"),
        case("polite", prompt="q", better=" "),
    )
    assert remarks(POLITE, cases=cases) == [
        "case 2 repeats case 1",
        "case 3 contradicts case 1: better and worse are swapped",
        "the better response of case 4 is empty",
    ]


@pytest.mark.parametrize(("better", "word"), [("a long response", "longer"), ("a", "shorter")])
def test_cases_that_length_alone_decides_are_no_test(better, word):
    """A judge that prefers long responses would pass them all. Three cases may be so by chance, four are not."""
    cases = tuple(case("polite", prompt=str(number), better=better) for number in range(4))
    assert remarks(POLITE, cases=cases) == [f"in all 4 cases the better response is the {word} one"]
    assert remarks(POLITE, cases=cases[:3]) == []
    assert remarks(POLITE, cases=(*cases[:3], case("polite", better="same"))) == []
