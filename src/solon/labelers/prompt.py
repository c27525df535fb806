"""How judged text reaches a judge: delimited, as data, in a form that it cannot fake.

Each question carries a code of its own. The code heads every section, is drawn from the hash of the question's
content, and is drawn again for as long as it occurs anywhere in the judged text; so no judged text can contain a
heading of its own question. The system message holds only what is constant for a principle, so that servers and local
models can keep it cached.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

from solon.data.records import Message, Principle, Question

_FIELD = re.compile(r"\{([a-z_]+)\}")


@lru_cache
def template(name: str) -> str:
    """The text of ``labelers/prompts/<name>.txt``, without its last newline."""
    return resources.files("solon.labelers").joinpath("prompts", f"{name}.txt").read_text("utf-8").removesuffix("\n")


def fill(text: str, **fields: str) -> str:
    """Puts each ``{field}`` in, in one pass: braces, percent signs and field names in the values stay as they are."""
    return _FIELD.sub(lambda match: fields[match.group(1)], text)


def code_for(*texts: str) -> str:
    """Six hexadecimal digits that occur in none of the texts and depend on nothing but them."""
    key = "\0".join(texts).encode("utf-8", "surrogatepass")
    for draw in range(1_000_000):
        code = hashlib.blake2b(key, digest_size=3, salt=draw.to_bytes(8, "big")).hexdigest()
        if not any(code in text for text in texts):
            return code
    raise AssertionError("a text cannot hold every code of six digits within the limits on its length")


def principles_text(principles: Sequence[Principle]) -> str:
    """One principle as its text; several as a list with their weights, hard ones marked."""
    if len(principles) == 1:
        return principles[0].text.strip()
    lines = []
    for number, principle in enumerate(principles, 1):
        note = "must hold" if principle.severity == "hard" else f"weight {principle.weight:g}"
        lines.append(f"{number}. ({note}) {principle.text.strip()}")
    return "\n".join(lines)


def pairwise_messages(question: Question) -> tuple[Message, ...]:
    """The conversation that asks which of two options is better."""
    first, second = (option.text for option in question.options)
    prompt = question.prompt.text
    # sorted, so that both orders of the options carry the same code
    code = code_for(prompt, *sorted((first, second)))
    system = fill(template("pairwise_system"), principles=principles_text(question.principles))
    user = fill(template("pairwise_user"), code=code, prompt=prompt, first=first, second=second)
    return (Message(role="system", content=system), Message(role="user", content=user))
