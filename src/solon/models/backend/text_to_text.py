"""Messages to tokens for an encoder-decoder: the prompt is the encoder's text, the reply the decoder's.

Neither continues the other, so each is tokenised by itself, with the special tokens that the tokenizer puts around a
text. Most such models were trained on plain texts (T5, Raffel et al. 2020, arXiv:1910.10683; BART, Lewis et al. 2020,
arXiv:1910.13461), and their tokenizers have no chat template: a conversation is then the text of one user message,
after the system's, and one that has more turns is refused, for nothing would say who speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from solon.data.records import Message
from solon.errors import DataError, ModelRejected, Problem
from solon.models.backend.chat import Chat

_BETWEEN = "\n\n"


class TextToText(Chat):
    """The tokenizer of an encoder-decoder, and its chat template if it has one."""

    def encode(self, conversations: Sequence[Sequence[Message]]) -> list[list[int]]:
        """Token ids of each conversation, for the encoder, the special tokens around it included.

        Raises:
            ModelRejected: the template refuses the conversation; or there is none, and it is not one user message
                after any number of system messages.
        """
        texts = [self.render(messages) for messages in conversations]
        if self.tokenizer.chat_template:
            return self._tokens(texts)  # the template writes special tokens itself
        return list(self.tokenizer(texts, verbose=False)["input_ids"])

    def encode_answered(self, pairs: Sequence[tuple[Sequence[Message], str]]) -> list[tuple[list[int], list[int]]]:
        """Token ids of each prompt, for the encoder, and of the completion, the end token included.

        Completions are without what stands before them (``Loaded.decoder_start``).
        """
        prompts = self.encode([messages for messages, _ in pairs])
        replies = self._replies([self.plain(completion) for _, completion in pairs])
        return [(prompt, [*reply, self.end_of_turn]) for prompt, reply in zip(prompts, replies, strict=True)]

    @property
    def end_of_turn(self) -> int:
        """The tokenizer's end token."""
        return int(self.tokenizer.eos_token_id)

    def render(self, messages: Sequence[Message], *, more: bool = True) -> str:
        """The conversation as the text that is tokenised: by the chat template, else the messages with empty lines
        between them.

        Raises:
            ModelRejected: as ``encode``.
        """
        if self.tokenizer.chat_template:
            return super().render(messages, more=more)
        said = [message.role for message in messages]
        if said[-1:] != ["user"] or set(said[:-1]) - {"system"}:
            roles = ", ".join(said) or "nobody"
            raise ModelRejected(
                f"the model's tokenizer has no chat template, so a conversation is one user message, after the "
                f"system's if there is one, and this one is of {roles}: write it as one message, or put a "
                "chat_template.jinja beside the tokenizer"
            )
        return _BETWEEN.join(self.plain(message.content) for message in messages)

    def choice_id(self, choice: str) -> int:
        """The one token that writes ``choice`` as the first of a reply.

        Raises:
            ModelRejected: it takes several tokens, or none.
        """
        if choice not in self._choices:
            (tokens,) = self._replies([choice])
            if len(tokens) != 1:
                raise ModelRejected(
                    f"the choice {choice!r} is not a single token of this model: ask for choices such as 'A' and 'B'"
                )
            self._choices[choice] = tokens[0]
        return self._choices[choice]

    def _replies(self, texts: Sequence[str]) -> list[list[int]]:
        # some tokenizers read the decoder's texts by other rules, or another vocabulary, than the encoder's
        return list(self.tokenizer(text_target=list(texts), add_special_tokens=False, verbose=False)["input_ids"])


def decoder_start(network: Any, tokenizer: Any) -> tuple[int, ...]:
    """What the decoder reads before the first token of a reply: the start token and, where the tokenizer or the
    generation configuration puts a token before every reply (BART's ``<s>``, a language's code), that.

    Raises:
        DataError: the configuration names no start token.
    """
    config, generation = network.config, network.generation_config
    named = (config, "decoder_start_token_id"), (generation, "decoder_start_token_id"), (config, "bos_token_id")
    start = next((found for where, name in named if (found := getattr(where, name, None)) is not None), None)
    if not isinstance(start, int):
        what = "its configuration names no token with which the decoder starts"
        remedy = "set decoder_start_token_id in config.json"
        raise DataError([Problem(getattr(config, "_name_or_path", "") or "the model", what, remedy)])
    forced = getattr(generation, "forced_bos_token_id", None)
    around = tokenizer(text_target="", verbose=False)["input_ids"]
    before = [forced] if forced is not None else [token for token in around if token != tokenizer.eos_token_id]
    return (start, *(token for token in before if token != start))
