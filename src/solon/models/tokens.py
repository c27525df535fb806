"""About how many tokens a model reads: by its own tokenizer where that is on this machine, else by the characters.

For estimates that are shown to people. What must never be too small, such as a reservation of money, is counted by
``solon.models.estimate``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from solon.models.anthropic import Anthropic
from solon.models.base import ChatModel, Request
from solon.models.classifier import SequenceClassifier
from solon.models.endpoint import Endpoint
from solon.models.litellm import LiteLLM
from solon.models.openai import OpenAI
from solon.models.transformers import Transformers
from solon.models.vllm import VLLM
from solon.plugins.base import located

CHARACTERS_A_TOKEN = 3.5
"""English prose has 4 to 4.5 characters a token with common tokenizers; estimates are meant to err upwards."""

TOKENS_OF_A_TURN = 4
"""What a chat template usually adds to a message: its role, and the marks of its beginning and end."""


ANTHROPIC_CHARACTERS_A_TOKEN = 2.7
"""Of Claude Opus 4.7 and later, and of all of generation 5: the same text has some 30 percent more tokens than before
(https://platform.claude.com/docs/en/build-with-claude/token-counting)."""

_EARLIER_CLAUDE = re.compile(r"claude-(3|sonnet-4|haiku-4|opus-4(-[0-6])?(-\d{8})?$)")


def by_characters(text: str, characters: float = CHARACTERS_A_TOKEN) -> int:
    """An estimate of the tokens of a text that errs upwards for English prose, ``characters`` being a token."""
    return -int(-len(text) // characters)


@dataclass(frozen=True, slots=True)
class Counter:
    """How the tokens of one model are counted.

    Attributes:
        how: in words, for people.
        text: the tokens of a text.
    """

    how: str = f"{CHARACTERS_A_TOKEN} characters a token"
    text: Callable[[str], int] = by_characters

    def schema(self, request: Request) -> int:
        """The tokens of the JSON Schema that goes along with a request; 0 without one."""
        return 0 if request.json_schema is None else self.text(json.dumps(request.json_schema))


_NEWER_CLAUDE = Counter(
    f"{ANTHROPIC_CHARACTERS_A_TOKEN} characters a token",
    partial(by_characters, characters=ANTHROPIC_CHARACTERS_A_TOKEN),
)


def counter_of(model: ChatModel) -> Counter:
    """The counter of a model. Loads no weights and asks no network."""
    match model:
        case Transformers() | VLLM() | SequenceClassifier():
            return _by_its_tokenizer(located(model.model)) or Counter()
        case Endpoint():
            # never a folder: the name means something to the server alone
            own = _by_its_tokenizer(model.model) if "/" in model.model and not model.model.startswith("/") else None
            return own or _by_tiktoken(model.model) or Counter()
        case Anthropic() if _EARLIER_CLAUDE.match(model.model) is None:
            return _NEWER_CLAUDE
        case OpenAI():
            return _by_tiktoken(model.model) or Counter()
        case LiteLLM():
            provider, _, name = model.model.partition("/")
            return (_by_tiktoken(name) if provider in ("openai", "azure") else None) or Counter()
        case _:
            return Counter()


@lru_cache(maxsize=32)
def _by_its_tokenizer(model: str) -> Counter | None:
    from solon.models.backend.tokenizing import of_file, tokenizer_file

    file = tokenizer_file(model)
    count = None if file is None else of_file(file)
    return None if count is None else Counter("its own tokenizer", count)


@lru_cache(maxsize=32)
def _by_tiktoken(model: str) -> Counter | None:
    from solon.models.backend.tokenizing import encoding_of, of_tiktoken

    encoding = encoding_of(model)
    count = None if encoding is None else of_tiktoken(encoding)
    return None if count is None else Counter(f"tiktoken's {encoding}", count)
