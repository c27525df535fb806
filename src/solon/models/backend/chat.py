"""Messages to tokens, as the model's own chat template has it.

What a message says is data. A control token spelt out in it (``<|eot_id|>``, ``<|assistant|>``) would end the turn and
begin another, so a response under judgment could write the judge's own words; such spellings are broken by a space.
Control tokens are the tokenizer's special tokens, and whatever added token the chat template writes around a turn: some
models mark theirs as no special ones. Half of a surrogate pair is no text, and no tokenizer takes it: it is read as
U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

from solon.data.records import Message
from solon.errors import ModelRejected
from solon.models.backend.tokenizing import as_text

# Llama 3.2's template writes today's date otherwise, and the same request would be another one tomorrow
_DATE = "26 Jul 2024"
_KEPT_BEGINNINGS = 1024
_PROBE = (Message(role="user", content="0"),)
_OPENING = ("<", "[", "\uff1c")
_SAID = ("user", "assistant", "user")  # no turn to come, and no last word: templates write thoughts into those


class Chat:
    """The chat template and tokenizer of one model."""

    def __init__(self, tokenizer: Any, eos_ids: Sequence[int]) -> None:
        self.tokenizer = tokenizer
        self.eos_ids = frozenset(eos_ids)
        self.special_ids = frozenset(tokenizer.all_special_ids)
        self._choices: dict[str, int] = {}
        self._beginnings: dict[tuple[Message, ...], list[int]] = {}

    def encode(self, conversations: Sequence[Sequence[Message]]) -> list[list[int]]:
        """Token ids of each conversation, up to where the assistant's next turn begins.

        Raises:
            ModelRejected: the template refuses the conversation, e.g. because it knows no system message.
        """
        return self._tokens([self.render(messages) for messages in conversations])

    def encode_answered(self, pairs: Sequence[tuple[Sequence[Message], str]]) -> list[tuple[list[int], list[int]]]:
        """Token ids of each prompt, and of the completion that follows, the token that ends its turn included.

        The completion is tokenised where it stands, after the prompt; by itself where that would change the prompt's
        tokens.
        """
        opened = [self.render(messages) for messages, _ in pairs]
        completions = [self.plain(completion) for _, completion in pairs]
        prompts = self._tokens(opened)
        wholes = self._tokens([start + completion for start, completion in zip(opened, completions, strict=True)])
        encoded = []
        for prompt, whole, completion in zip(prompts, wholes, completions, strict=True):
            in_place = whole[: len(prompt)] == prompt
            written = whole[len(prompt) :] if in_place else self._tokens([completion])[0]
            encoded.append((prompt, [*written, self.end_of_turn]))
        return encoded

    @cached_property
    def end_of_turn(self) -> int:
        """The end token that the template writes after the assistant's words; else the tokenizer's own."""
        (answered,) = self._tokens([self.render([*_PROBE, Message(role="assistant", content="0")], more=False)])
        ends = [token for token in answered if token in self.eos_ids]
        return ends[-1] if ends else int(self.tokenizer.eos_token_id)

    @cached_property
    def turns(self) -> frozenset[str]:
        """The tokens that begin and end a turn, as the chat template writes them, and those of texts; as text."""
        added = {token.content for token in self.tokenizer.added_tokens_decoder.values()}
        # some vocabularies add runs of spaces, line feeds and words too, which templates write and texts are made of
        added = {token for token in added if token[:1] in _OPENING and len(token) > 2}
        ends = {self.tokenizer.bos_token, self.tokenizer.eos_token, self.tokenizer.pad_token}
        return frozenset({token for token in added if token in self._bare} | {end for end in ends if end})

    @cached_property
    def _bare(self) -> str:
        """What the template writes around the turns of a conversation, with a system message if it takes one."""
        for roles in (("system", *_SAID), _SAID):
            turns = [{"role": role, "content": "0"} for role in roles]
            try:
                return str(self.tokenizer.apply_chat_template(turns, tokenize=False, date_string=_DATE))
            except Exception:  # noqa: BLE001, S112 - as in ``render``, or there is no template: nothing is written then
                continue
        return ""

    @cached_property
    def _control(self) -> re.Pattern[str] | None:
        added = {token.content for token in self.tokenizer.added_tokens_decoder.values() if token.special}
        return _any_of({*added, *self.tokenizer.all_special_tokens, *self.turns})

    @cached_property
    def _of_turns(self) -> re.Pattern[str] | None:
        return _any_of(self.turns)

    def render(self, messages: Sequence[Message], *, more: bool = True) -> str:
        """The conversation as the text that is tokenised; if ``more`` is to come, up to the assistant's next turn."""
        turns = [{"role": message.role, "content": self.plain(message.content)} for message in messages]
        try:
            text = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=more, date_string=_DATE
            )
        # templates raise through jinja2's exceptions, and run into TypeError on content they do not expect
        except Exception as error:
            roles = ", ".join(message.role for message in messages)
            raise ModelRejected(f"the model's chat template refuses a conversation of {roles}: {error}") from error
        return str(text)

    def beginning(self, messages: Sequence[Message]) -> list[int]:
        """The tokens with which every conversation begins that has the same leading system messages.

        Found by rendering two conversations that have nothing else in common. It depends on the system messages alone,
        never on what else is in a batch, so a prefix kept for it is the same in every run.
        """
        system: list[Message] = []
        for message in messages:
            if message.role != "system":
                break
            system.append(message)
        key = tuple(system)
        if key not in self._beginnings:
            if len(self._beginnings) >= _KEPT_BEGINNINGS:
                self._beginnings.clear()
            probes = [[*system, Message(role="user", content=content)] for content in ("0", "\u03b1")]
            first, second = self.encode(probes)
            self._beginnings[key] = first[: shared(first, second)]
        return self._beginnings[key]

    def choice_id(self, choice: str) -> int:
        """The one token that writes ``choice`` at the beginning of the assistant's turn.

        Raises:
            ModelRejected: it takes several tokens, or none.
        """
        if choice not in self._choices:
            before, after = self._tokens([self._header, self._header + choice])
            if len(after) != len(before) + 1 or after[: len(before)] != before:
                raise ModelRejected(
                    f"the choice {choice!r} is not a single token of this model: ask for choices such as 'A' and 'B'"
                )
            self._choices[choice] = after[-1]
        return self._choices[choice]

    @cached_property
    def _header(self) -> str:
        opened, closed = self.render(_PROBE), self.render(_PROBE, more=False)
        return opened.removeprefix(closed) if opened.startswith(closed) else ""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a reply, without control tokens."""
        kept = [token for token in tokens if token not in self.special_ids]
        return str(self.tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        # the template has written the beginning-of-sequence token already
        return list(self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"])

    def plain(self, text: str) -> str:
        """The text as data: control tokens that are spelt out in it are broken by a space, half characters replaced."""
        return _broken(as_text(text), self._control)

    def in_turn(self, text: str) -> str:
        """The text of a turn that is learned: only what would begin or end a turn is broken by a space.

        Tokens of thoughts, of tools and of pictures stay what they are: models are trained to write them.
        """
        return _broken(as_text(text), self._of_turns)


def _any_of(tokens: Collection[str]) -> re.Pattern[str] | None:
    """Finds any of them, the longest where several begin alike; ``None`` where there are none."""
    spelt = sorted((token for token in tokens if len(token) > 1), reverse=True)
    return re.compile("|".join(map(re.escape, spelt))) if spelt else None


def _broken(text: str, control: re.Pattern[str] | None) -> str:
    return text if control is None else control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def shared(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences have in common from the beginning."""
    for position, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return position
    return min(len(first), len(second))
