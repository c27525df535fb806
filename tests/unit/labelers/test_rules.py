"""Rules hold, do not hold, or cannot be applied; and what they score."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from solon.data.records import Candidates, Completion, Constitution, Failed, Principle, Prompt, Question, Scored
from solon.labelers.rule_kinds import Rule
from solon.labelers.rules import Rules, check

RULE: TypeAdapter[Any] = TypeAdapter(Rule)
FORMAT = "Answer: .+ — Confidence: (high|medium|low) — Reasoning: .+"


def holds(rule: dict[str, Any], text: str, reference: str | None = None) -> bool | Failed:
    """One rule, as a recipe writes it, on one text."""
    return check({"it": RULE.validate_python(rule)}, text, reference)["it"]


@pytest.mark.parametrize(
    ("rule", "follows", "breaks"),
    [
        ({"pattern": FORMAT}, "Answer: 5 — Confidence: high — Reasoning: 2+3\n", "Answer: 5 — Confidence: certain — x"),
        ({"pattern": "yes|no"}, " yes ", "yes, no"),
        ({"regex": "https?://"}, "see http://a.b", "see a.b"),
        ({"regex": r"\A\S"}, "x", " x"),
        ({"length": "words", "max": 2}, "two words", "just three words"),
        ({"length": "words", "min": 2}, "two words", "one"),
        ({"length": "characters", "min": 2, "max": 3}, "abc", "abcd"),
        ({"length": "characters", "min": 1}, "é", ""),
        ({"forbidden": ["idiot", "duh"]}, "An idiotic duhka", "Well, DUH!"),
        ({"forbidden": ["shut up"]}, "shut it up", "Shut\n up."),
        ({"forbidden": ["C++"]}, "C", "I like c++."),
        ({"forbidden": ["straße"]}, "Gasse", "STRASSE"),
        ({"json_schema": {"type": "object", "required": ["a"]}}, ' {"a": 1} ', '{"b": 1}'),
        ({"json_schema": True}, "[1, 2]", "[1, 2"),
        ({"json_schema": True}, "null", "NaN"),
        ({"json_schema": {"type": "array"}}, "[]", "```json\n[]\n```"),
        ({"json_schema": {"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"}}, "3", '"3"'),
        ({"json_schema": True}, '{"a": 1, "b": 1}', '{"a": 1, "a": 1}'),
        ({"json_schema": {"type": "array"}, "within": "fence"}, "Here:\n```json\n[1]\n```\nDone.", "[1]"),
        (
            {"json_schema": {"type": "array"}, "within": "fence"},
            "```\n{}\n```\n```\n[]\n```",
            "```\n[]\n```\n```\n{}\n```",
        ),
        (
            {"tags": ["think", "answer"]},
            "<think>hm</think>\n<answer>5</answer>\n",
            "<answer>5</answer><think>hm</think>",
        ),
        (
            {"tags": ["think", "answer"]},
            " <think>a < b</think><answer>5</answer>",
            "<think>hm</think> so <answer>5</answer>",
        ),
        ({"tags": ["answer"]}, "<answer>5</answer>", "<answer> </answer>"),
        ({"tags": ["answer"]}, "<answer><b>5</b></answer>", "<answer>5</answer> <answer>6</answer>"),
        (
            {"tags": ["think", "answer"]},
            "<think>x</think><answer>y</answer>",
            "<think>x<answer>z</answer></think><answer>y</answer>",
        ),
        ({"tags": ["answer"]}, "<answer>5</answer>", "<answer>5"),
    ],
)
def test_a_rule_holds_of_what_follows_it_and_not_of_what_breaks_it(
    rule: dict[str, Any], follows: str, breaks: str
) -> None:
    """One of each for every kind, at its edges."""
    assert holds(rule, follows) is True
    assert holds(rule, breaks) is False


def test_json_that_is_nested_too_deep_or_too_big_a_number_breaks_the_rule() -> None:
    """A response must not be able to stop the run."""
    assert holds({"json_schema": True}, "[" * 10_000 + "]" * 10_000) is False
    assert holds({"json_schema": True}, "9" * 5_000) is False


def test_an_answer_rule_compares_with_the_reference_answer() -> None:
    """The same words that `accuracy` uses."""
    assert holds({"answer": "contains"}, "It is Paris.", "Paris") is True
    assert holds({"answer": "exact"}, "It is Paris.", "Paris") is False
    assert holds({"answer": "exact", "extract": "is (.+)"}, "It is Paris.", "Paris") is True


def test_a_missing_reference_answer_is_a_failure_and_not_a_wrong_answer() -> None:
    """Nothing is known of the response."""
    assert holds({"answer": "contains"}, "Paris") == Failed(reason="error", raw="the prompt has no reference answer")
    assert holds({"answer": "contains"}, "Paris", " ") == Failed(
        reason="error", raw="the reference answer ' ' is empty"
    )


HANGS = r"(a|aa)+[bc]"
"""On n times "a" and then "d", this tries every way to write n as a sum of ones and twos."""


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"pattern": HANGS}, "a" * 100 + "d"),
        ({"regex": HANGS}, "a" * 100 + "d"),
        ({"answer": "exact", "extract": HANGS}, "a" * 100 + "d"),
        ({"json_schema": {"pattern": HANGS}}, f'"{"a" * 100}d"'),
        ({"json_schema": {"patternProperties": {HANGS: {"type": "null"}}}}, f'{{"{"a" * 100}d": 1}}'),
        (
            {"json_schema": {"additionalProperties": False, "patternProperties": {HANGS: True}}},
            f'{{"{"a" * 100}d": 1}}',
        ),
    ],
)
def test_an_expression_that_takes_too_long_fails_the_rule_and_says_what_to_do(
    rule: dict[str, Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response must not be able to stop the run; nothing is known of whether the rule holds of it."""
    monkeypatch.setattr("solon.labelers.patterns.SECONDS", 0.05)
    result = holds(rule, text, "a")
    assert isinstance(result, Failed)
    assert result.reason == "error"
    assert repr(HANGS) in (result.raw or "")
    assert "Let no two parts of a repeat match the same text" in (result.raw or "")


def test_a_long_text_is_judged_like_a_short_one() -> None:
    """Time is limited, so that length need not be."""
    assert holds({"regex": "b$"}, "a" * 1_000_000 + "b") is True
    assert holds({"length": "words", "max": 3}, "word " * 100_000) is False


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"patern": "x"}, "did you mean 'pattern'?"),
        ({}, "a rule has one of pattern, regex, length, forbidden, json_schema, tags, answer"),
        ("x", "a rule is a mapping with one of"),
        ({"pattern": "x", "regex": "y"}, "of several kinds (pattern, regex)"),
        ({"pattern": "("}, "is not a regular expression: missing )"),
        ({"pattern": "x", "min": 2}, "Extra inputs are not permitted"),
        ({"length": "tokens", "max": 3}, "'words' or 'characters'"),
        ({"length": "words"}, "needs `min`, `max` or both"),
        ({"length": "words", "min": 3, "max": 2}, "`min` 3 is above `max` 2"),
        ({"forbidden": []}, "at least 1 item"),
        ({"forbidden": ["a", " "]}, "a forbidden word is empty"),
        ({"json_schema": {"type": "objekt"}}, "not a JSON Schema"),
        ({"json_schema": {"$ref": "https://example.org/schema.json"}}, "points into the schema itself"),
        ({"json_schema": {"$ref": "#/$defs/missing"}}, "points into the schema itself"),
        ({"json_schema": {"pattern": "("}}, "not a JSON Schema"),
        (
            {"json_schema": {"patternProperties": {"a": True}, "unevaluatedProperties": False}},
            "`unevaluatedProperties` beside `patternProperties` is not supported",
        ),
        ({"tags": []}, "at least 1 item"),
        ({"tags": ["a", "a"]}, "each tag stands once"),
        ({"tags": ["<a>"]}, "should match pattern"),
        ({"answer": "similar"}, "'contains' or 'exact'"),
        ({"answer": "exact", "extract": "["}, "is not a regular expression"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_the_reason(rule: Any, says: str) -> None:
    """Before anything is spent, and not as a rule that never holds."""
    with pytest.raises(ValidationError) as caught:
        RULE.validate_python(rule)
    assert says in str(caught.value)


def test_rules_need_a_name_and_at_least_one() -> None:
    """Metrics are named after them."""
    for rules in ({}, {"Not A Slug": {"regex": "x"}}):
        with pytest.raises(ValidationError):
            Rules.model_validate({"rules": rules})


RULES = {"format": {"pattern": "Answer: .+"}, "polite": {"forbidden": ["duh"]}, "short": {"length": "words", "max": 3}}
PROMPT = Prompt.of("What is 2+3?", reference="5")


def question(text: str, prompt: Prompt = PROMPT) -> Question:
    """One completion to be scored."""
    return Question(prompt=prompt, options=(Completion(text=text, model="m"),))


async def test_the_mean_is_the_share_of_rules_that_hold() -> None:
    """'Answer: duh five x' breaks 2 of 3 rules (polite, short): 1/3, and the rationale names the two."""
    judgment = await Rules.model_validate({"rules": RULES}).label(question("Answer: duh five x"))
    assert judgment.outcome == Scored(scores=(1 - 2 / 3,))
    assert judgment.rationale == "breaks polite, short"


async def test_all_is_one_or_nothing() -> None:
    """As a measuring stick a response follows the rules or does not."""
    strict = Rules.model_validate({"rules": RULES, "mode": "all"})
    assert (await strict.label(question("Answer: 5"))).outcome == Scored(scores=(1.0,))
    assert (await strict.label(question("5"))).outcome == Scored(scores=(0.0,))


async def test_a_rule_that_cannot_be_applied_fails_the_judgment_and_is_named() -> None:
    """A score of the other rules would not be comparable with those of other prompts."""
    labeler = Rules.model_validate({"rules": {**RULES, "right": {"answer": "contains"}}})
    judgment = await labeler.label(question("Answer: 5", Prompt.of("no reference")))
    assert judgment.outcome == Failed(reason="error", raw="rule 'right': the prompt has no reference answer")


async def test_each_completion_is_judged_once_whatever_the_number_of_principles() -> None:
    """Rules read no principles, so asking under each would count the same thing twice."""
    constitution = Constitution(
        name="c",
        principles=(
            Principle(id="p", text="x"),
            Principle(id="q", text="y"),
            Principle(id="r", text="z", topics=("t",)),
        ),
    )
    labeler = Rules.model_validate({"rules": RULES})
    completions = tuple(Completion(text=text, model="m") for text in ("a", "b"))
    judgments = await labeler.examine(Candidates(prompt=PROMPT, completions=completions), constitution)
    assert [judgment.options for judgment in judgments] == [(completion.id,) for completion in completions]
    assert {judgment.principles for judgment in judgments} == {("p", "q")}
    assert labeler.expected_questions(2, 2) == 2
