"""How judged text reaches a judge: delimited, as data, in a form that it cannot fake.

Each question carries a code of its own. The code heads every section, is drawn from the hash of the question's
content, and is drawn again for as long as it occurs anywhere in the judged text; so no judged text can contain a
heading of its own question. Tokens of chat templates are broken (``solon.labelers.neutral``). Nothing is ever cut: a
question that does not fit a judge is a failure of that question. The system message holds only what is constant for a
principle, so that servers and local models can keep it cached.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Literal, NamedTuple, TypeAlias

from solon.data.records import Message, Principle, Question
from solon.labelers.neutral import neutral

Form: TypeAlias = Literal["bare", "reasoning", "json", "json_reasoning"]
"""What a judge has to reply: the verdict alone, or on a last line after its reasoning; an object of the verdict alone,
or of its reasoning and the verdict. ``prompts/answer_<form>.txt`` says it to the judge."""

Ties: TypeAlias = Literal["forced", "allowed"]
"""Whether a judge that compares may say that both are equally good, or has to choose."""

_FIELD = re.compile(r"\{([a-z_]+)\}")


@lru_cache
def template(name: str) -> str:
    """The text of ``labelers/prompts/<name>.txt``, without its last newline."""
    return resources.files("solon.labelers").joinpath("prompts", f"{name}.txt").read_text("utf-8").removesuffix("\n")


def fill(text: str, **fields: str) -> str:
    """Puts each ``{field}`` in, in one pass: braces, percent signs and field names in the values stay as they are."""
    return _percent(text) % fields


@lru_cache
def _percent(text: str) -> str:
    """The same with percent signs in place of braces, which Python fills in one pass and several times as fast."""
    return _FIELD.sub(r"%(\1)s", text.replace("%", "%%"))


def code_for(*texts: str) -> str:
    """Six hexadecimal digits that occur in none of the texts and depend on nothing but them."""
    key = "\0".join(texts).encode("utf-8", "surrogatepass")
    for draw in range(1_000_000):
        code = hashlib.blake2b(key, digest_size=3, salt=draw.to_bytes(8, "big")).hexdigest()
        if not any(code in text for text in texts):
            return code
    raise AssertionError("a text cannot hold every code of six digits within the limits on its length")


_code_for = lru_cache(1024)(code_for)  # a question is asked in several orders, under several principles


def principles_text(principles: Sequence[Principle]) -> str:
    """One principle as its text; several as a list with their weights, hard ones marked."""
    if len(principles) == 1:
        return principles[0].text.strip()
    lines = []
    for number, principle in enumerate(principles, 1):
        note = "must hold" if principle.severity == "hard" else f"weight {principle.weight:g}"
        lines.append(f"{number}. ({note}) {principle.text.strip()}")
    return "\n".join(lines)


class Material(NamedTuple):
    """What is judged, as it is shown: every token of a chat template broken, under a code that occurs in none of it.

    The code depends on the texts and not on their order, so that a question in another order carries the same.
    """

    code: str
    prompt: str
    options: tuple[str, ...]


def material(question: Question) -> Material:
    """The prompt and the options of a question."""
    prompt = neutral(question.prompt.text)
    options = tuple([neutral(option.text) for option in question.options])
    return Material(_code_for(prompt, *sorted(options)), prompt, options)


def answer_form(form: Form, *, key: str, what: str, value: str) -> str:
    """How a judge is told to reply.

    Args:
        form: which.
        key: of the verdict in an object.
        what: the verdict, in words: ``the letter``.
        value: the same as JSON, in words: ``the letter as a string``.
    """
    return fill(template(f"answer_{form}"), key=key, what=what, value=value)


def conversation(system: str, user: str) -> tuple[Message, ...]:
    """Instructions and material, as two turns."""
    return (_instructions(system), Message(role="user", content=user))


@lru_cache
def _instructions(text: str) -> Message:
    """One message for all questions under a principle."""
    return Message(role="system", content=text)


def pairwise_messages(question: Question, *, ties: Ties = "forced", form: Form = "bare") -> tuple[Message, ...]:
    """The conversation that asks which of two options is better."""
    shown = material(question)
    system, user = _pairwise_templates(principles_text(question.principles), ties, form)
    first, second = shown.options
    return conversation(system, fill(user, code=shown.code, prompt=shown.prompt, first=first, second=second))


@lru_cache
def _pairwise_templates(principles: str, ties: Ties, form: Form) -> tuple[str, str]:
    """The instructions, and what the material is filled into."""
    if ties == "forced" and form == "bare":
        # of this form every word stays as it is: judges were trained on it
        return fill(template("pairwise_system"), principles=principles), template("pairwise_user")
    system = fill(
        template("pairwise_form_system"),
        principles=principles,
        verdicts=template(f"pairwise_{ties}"),
        form=answer_form(form, key="verdict", what="the letter", value="the letter as a string"),
    )
    return system, template("pairwise_form_user")


def rating_messages(question: Question, *, form: Form = "bare") -> tuple[Message, ...]:
    """The conversation that asks for the score of one option on the question's scale."""
    shown, scale = material(question), question.scale
    meaning = scale.meaning or {scale.low: "goes against it", scale.high: "follows it in full"}
    system = fill(
        template("rating_system"),
        principles=principles_text(question.principles),
        low=str(scale.low),
        high=str(scale.high),
        meaning="\n".join(f"{score}: {meaning[score]}" for score in sorted(meaning)),
        form=answer_form(form, key="score", what="the score", value="the score as a number"),
    )
    (response,) = shown.options
    user = fill(template("rating_user"), code=shown.code, prompt=shown.prompt, response=response)
    return conversation(system, user)


def refusal_messages(question: Question, *, form: Form = "bare") -> tuple[Message, ...]:
    """The conversation that asks whether one option declines what was asked: ``A`` if it does, else ``B``."""
    shown = material(question)
    how = answer_form(form, key="verdict", what="the letter", value="the letter as a string")
    (response,) = shown.options
    user = fill(template("refusal_user"), code=shown.code, prompt=shown.prompt, response=response)
    return conversation(fill(template("refusal_system"), form=how), user)
