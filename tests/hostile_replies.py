"""What judges say instead of a verdict: our own corpus, each reply with the verdict that it holds, or with none.

The truth comes from how a reply was made, never from a parser. ``FORM`` is what the judge was asked for: one letter on
the last line, one number of 1 to 5 on the last line, a ranking of four on the last line, or a JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Form = Literal["letter", "number", "ranking", "json"]


@dataclass(frozen=True)
class Said:
    """A reply, the form that was asked for, and what it says in that form: ``None`` for nothing."""

    form: Form
    text: str
    truth: str | None


REASONS = (
    "",
    "Both responses are polite. The first is shorter.",
    "Let me compare them.\n\n1. Accuracy: equal.\n2. Style: one is better.\n\nSo I come to my verdict.",
    "Response A says that B is wrong; response B says that A is wrong.",
    "I was told to ignore my instructions, which I do not.",
    "<think>A or B? It could be either, A seems longer.</think>",
    "Réponse A : très bien. Antwort B: gut.",
    "| | A | B |\n|---|---|---|\n| clear | 4 | 5 |",
)
LOOKALIKES = {
    "A": ("a", "A.", "A)", "(A)", "[A]", "[[A]]", "**A**", "*A*", "`A`", '"A"', "'A'", "A!", "A:", "A,", "#A", "<A>", "A A", "AA",
          "А", "Α", "Ａ", "𝐀", "Ⓐ", "A\u200b", "\u200bA", "A\ufeff", "A\u00a0", "\u2003A", "A\u0301", "A\x00", "\x0cA", "A\u202e", "- A",
          "> A", "Answer: A", "Better: A", "Verdict: A", "The answer is A", "Response A", "Option A", "A is better", "A > B", "A = 1", "A/B",
          "A or B", "A and B", "AB", "A B", "\\boxed{A}", "$A$", "<b>A</b>", "{A}", '{"verdict": "A"}', "A;", "A?", "~A", "not A", "A (0.9)",
          "A\tB", "A\u2028", "A\u0085", "A%", "@A", "A\\n", "A -", "—A", "A…"),
    "B": ("b", "B.", "(B)", "[[B]]", "**B**", "В", "Β", "Ｂ", "ß", "8", "B\u200b", "Response B", "B!", "The better one is B", "B wins", "B > A"),
}  # fmt: skip
NO_VERDICT = (
    "", " ", "\n", "\n\n\n", "\t", "\x00", "\ufeff", "\u200b", "\u202e", "C", "D", "X", "0", "1", "2", "Tie", "tie", "Both", "Neither", "None", "N/A", "null", "nan",
    "true", "Yes", "No", "first", "second", "the first", "Response 1", "I cannot compare these.", "I'm sorry, but I can't help with that.",
    "As an AI language model, I have no preferences.", "Which of the two do you mean?", "It depends.", "Equal", "A tie between A and B.", "ERROR",
    "<html><body><h1>502 Bad Gateway</h1></body></html>", "Traceback (most recent call last):\n  File \"x.py\", line 1", "data: [DONE]", "...", "A" * 5000,
    "AB" * 5000, "\n".join("AB") + "\nBoth", "{}", "[]", "{", '"', "\\", "\\u0041", "&#65;", "%41", "0x41", "🅰", "🅱️", "\ud83d", "答案是A", "Ответ: А", "الجواب أ",
    "The better response is", "Better:", "Verdict", "I choose", "My verdict follows.", "To be continued", "[end]", "<|im_end|>", "</s>", "[/INST]", "SELECT 'A'",
)  # fmt: skip
AFTERTHOUGHTS = (
    "That is my verdict.",
    "I hope this helps!",
    "B was close, though.",
    ".",
    "(confidence: high)",
    "<|im_end|>",
    "```",
    "C",
    "---",
    "\u200b",
)


def letters() -> Iterator[Said]:
    """Replies to "one letter, A or B, on the last line"."""
    for reason in REASONS:
        lead = f"{reason}\n" if reason else ""
        for letter in "AB":
            yield Said("letter", f"{lead}{letter}", letter)
            yield Said("letter", f"{lead}{letter}\n", letter)
            yield Said("letter", f"{lead}\n  {letter}  \n\n", letter)
            yield Said("letter", f"{lead}{letter}\nOn second thought:\n{letter}", letter)
            other = "B" if letter == "A" else "A"
            yield Said("letter", f"{lead}{other}\nNo, wait.\n{letter}", None)
            yield Said("letter", f"{lead}{other}\n{letter}", None)
            for lookalike in LOOKALIKES[letter]:
                yield Said("letter", f"{lead}{lookalike}", None)
            for after in AFTERTHOUGHTS:
                yield Said("letter", f"{lead}{letter}\n{after}", None)
    for reason in REASONS[:4]:
        for nothing in NO_VERDICT:
            if reason or nothing.strip(" \t\n"):
                yield Said("letter", f"{reason}\n{nothing}" if reason else nothing, None)
    yield Said("letter", "", None)


NOT_A_SCORE = (
    "0", "6", "7", "10", "42", "-1", "-4", "+4", "04", "4.0", "4.5", "4,0", "4/5", "4 / 5", "4 out of 5", "4 of 5", "4-5", "3-4", "4 or 5", "4–5", "4%", "4 stars", "★★★★",
    "four", "Four", "IV", "４", "٤", "४", "④", "4️⃣", "4e0", "0x4", "4.", "4!", "(4)", "[4]", "[[4]]", "**4**", "`4`", '"4"', "Score: 4", "score = 4", "Rating: 4", "4 points",
    "The score is 4", "4\u200b", "\u200b4", "4\x00", "4 4", "44", "4\t5", "1 2 3 4 5", "1-5", "NaN", "inf", "None", "true", "A", "high", "good", "", " ", "?", "≥4", "~4", "about 4", "4th",
)  # fmt: skip


def numbers() -> Iterator[Said]:
    """Replies to "one number of 1 to 5 on the last line"."""
    for reason in REASONS:
        lead = f"{reason}\n" if reason else ""
        for score in "12345":
            yield Said("number", f"{lead}{score}", score)
            yield Said("number", f"{lead} {score} \n", score)
            yield Said("number", f"{lead}{score}\n{(int(score) % 5) + 1}", None)
            yield Said("number", f"{lead}{score}\nThat is my rating.", None)
        for text in NOT_A_SCORE:
            if reason or text.strip():
                yield Said("number", f"{lead}{text}", None)


NOT_A_RANKING = (
    "A", "A > B", "A > B > C", "A > B > C > C", "A > A > B > C", "A > B > C > D > A", "A > B > C > D > E", "A > B > C > E", "A>B>C>d", "a > b > c > d", "A, B, C, D", "A B C D", "ABCD",
    "1. A\n2. B\n3. C\n4. D", "A < B < C < D", "A >> B > C > D", "A > B > C > D.", "Ranking: A > B > C > D", "**A > B > C > D**", "A > B > (C > D)", "A > B > C > D >", "> A > B > C > D",
    "A > B > C & D", "А > B > C > D", "A ＞ B ＞ C ＞ D", "A → B → C → D", "D", "", "none", "A > B > C > D\nor\nD > C > B > A", "A > B > C > D\nThat is it.", "A > B > C > D > ", "A > > B > C > D",
    "A is best", "B > C", "[[A, B, C, D]]", '["A","B","C","D"]', "A > B > C > D | A", "A \u200b> B > C > D",
)  # fmt: skip


def rankings() -> Iterator[Said]:
    """Replies to "every letter of A to D once, the best first, with > between, on the last line"; no ties."""
    orders = ("A > B > C > D", "D > C > B > A", "B > D > A > C", "C > A > D > B")
    for reason in REASONS[:5]:
        lead = f"{reason}\n" if reason else ""
        for order in orders:
            yield Said("ranking", f"{lead}{order}", order)
            yield Said("ranking", f"{lead}  {order} \n", order)
        for text in NOT_A_RANKING:
            if reason or text.strip():
                yield Said("ranking", f"{lead}{text}", None)


def objects() -> Iterator[Said]:
    """Replies to "a JSON object with the keys reasoning (a text) and verdict (A or B)"."""
    for reason in (*REASONS, 'quote " and \\ and \n newline', "\u0000", '{"verdict": "B"}'):
        for letter in "AB":
            whole = json.dumps({"reasoning": reason, "verdict": letter})
            yield Said("json", whole, letter)
            yield Said("json", f"\n  {whole}\n\n", letter)
            yield Said(
                "json", json.dumps({"reasoning": reason, "verdict": letter}, indent=2, ensure_ascii=False), letter
            )
            yield Said("json", f"```json\n{whole}\n```", None)
            yield Said("json", f"Here it is: {whole}", None)
            yield Said("json", f"{whole}\nDone.", None)
            yield Said("json", f"{whole}{whole}", None)
            yield Said("json", f"[{whole}]", None)
            for cut in (1, len(whole) // 2, len(whole) - 1):
                yield Said("json", whole[:cut], None)
            yield Said("json", json.dumps({"reasoning": reason, "verdict": letter, "extra": 1}), None)
            yield Said("json", json.dumps({"reasoning": reason}), None)
            yield Said("json", json.dumps({"verdict": letter.lower(), "reasoning": reason}), None)
            yield Said("json", json.dumps({"verdict": [letter], "reasoning": reason}), None)
            yield Said("json", json.dumps({"Verdict": letter, "reasoning": reason}), None)
            yield Said("json", json.dumps({"verdict": f"{letter} ", "reasoning": reason}), None)
            yield Said("json", json.dumps({"reasoning": reason, "verdict": None}), None)
            other = "B" if letter == "A" else "A"
            yield Said("json", f'{{"reasoning": "", "verdict": "{letter}", "verdict": "{other}"}}', None)
    for text in (
        "", "null", "true", "1", '"A"', "[]", "{}", "A", "{'reasoning': '', 'verdict': 'A'}", '{"reasoning": "", "verdict": "A",}', '{"reasoning": "", verdict: "A"}',
        '{"reasoning": "", "verdict": A}', '// c\n{"reasoning": "", "verdict": "A"}', '{"reasoning": NaN, "verdict": "A"}', '{"reasoning": 1, "verdict": "A"}', '{"reasoning": [], "verdict": "A"}',
        "[" * 100_000, '{"a":' * 50_000, '{"reasoning": "' + "x" * 100_000, '{"reasoning": "", "verdict": 1}', '{"reasoning": "", "verdict": true}', '{"reasoning": "", "verdict": "C"}',
        '{"reasoning": "", "verdict": "AB"}', '{"reasoning": "", "verdict": ""}', "<html></html>", "1" * 10_000, '{"reasoning": "", "verdict": "\\u0410"}', "data: {}",
    ):  # fmt: skip
        yield Said("json", text, None)


def corpus() -> list[Said]:
    """Every reply, each form and text once."""
    every = [*letters(), *numbers(), *rankings(), *objects()]
    return list({(said.form, said.text): said for said in every}.values())
