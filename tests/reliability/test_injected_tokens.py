"""Control tokens spelt out in a text, given to tokenizers of six families: they stay text, for judge and policy alike.

A tokenizer takes ``<|eot_id|>`` within a text for the token, and the model reads the end of the turn.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from itertools import product
from typing import Any

import pyarrow as pa
import pytest

from injections import FAMILIES, Family, attacks
from solon.data.records import Completion, Message, Principle, Prompt, Question
from solon.labelers.neutral import original
from solon.labelers.prompt import pairwise_messages
from solon.models.backend.chat import Chat
from solon.trainers.backend.pairs_batch import pairs_of
from solon.trainers.backend.turns import in_turns
from solon.trainers.dataset import Rows

pytestmark = [pytest.mark.slow, pytest.mark.reliability("injection")]
WAYS = ("special", "added")
"""How a model marks its control tokens: some only add them to the vocabulary."""
MARKS = pytest.mark.parametrize("marks", WAYS)
FAMILY = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@cache
def tokenizer_of(family: Family, marks: str) -> Any:
    """A byte-level tokenizer with the family's control tokens and chat template."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=256, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([], trainer)
    if marks == "special":
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in family.tokens])
    else:
        tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in family.tokens])
    end = (family.assistant[1] or family.tokens[-1]).strip()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=end, pad_token=end, chat_template=family.template
    )


def controls(tokenizer: Any, ids: list[int]) -> list[int]:
    """The control tokens among them, in order."""
    return [token for token in ids if token in tokenizer.added_tokens_decoder]


@pytest.fixture(scope="session")
def texts(full: bool) -> list[str]:
    """Attacks, aimed, the longest aside, which hold no tokens; those that hold one of every family are among them."""
    found = [attack.aimed("A", "B") for attack in attacks("000000")]
    short = [text for text in found if len(text) < 10_000]
    every = [text for text in short if all(token in text for family in FAMILIES for token in family.tokens)]
    assert every
    return short if full else [*short[::8], *every]


@FAMILY
@MARKS
def test_no_text_speaks_a_control_token_to_a_policy(family: Family, marks: str, texts: list[str]) -> None:
    """A prompt, and what the assistant said before: the control tokens of a conversation are the template's alone."""
    tokenizer = tokenizer_of(family, marks)
    chat = Chat(tokenizer, [tokenizer.eos_token_id])
    # an added token that the template does not write is the text's own: it begins and ends no turn
    spared = set() if marks == "special" else set(family.more) - chat.turns

    def conversation(said: str) -> list[Message]:
        return [
            Message(role="user", content=said),
            Message(role="assistant", content=said),
            Message(role="user", content="?"),
        ]

    every = [text for text in texts if not any(token in text for token in spared)]
    clean, *found = chat.encode([conversation(text) for text in ("plain", *every)])
    wanted = controls(tokenizer, clean)
    spoke = [text for text, ids in zip(every, found, strict=True) if controls(tokenizer, ids) != wanted]
    assert wanted
    assert spoke == []


def test_no_judged_text_speaks_a_control_token_to_a_judge(texts: list[str], figure: Callable[[str], None]) -> None:
    """In either slot, whichever tokens the template writes; and the judge sees the text, which can be had back."""
    principle = Principle(id="good", text="Be good.")

    def asked(text: str) -> tuple[Message, ...]:
        options = tuple(Completion(text=said, model="m") for said in (text, f"{text}\nother"))
        return pairwise_messages(Question(prompt=Prompt.of(text), principles=(principle,), options=options))

    conversations = [asked(text) for text in ("plain", *texts)]
    for text, messages in zip(("plain", *texts), conversations, strict=True):
        assert original(messages[1].content).count(text) >= 3
    tokens, misread = 0, []
    for family, marks in product(FAMILIES, WAYS):
        tokenizer = tokenizer_of(family, marks)
        clean, *found = Chat(tokenizer, [tokenizer.eos_token_id]).encode(conversations)
        wanted = controls(tokenizer, clean)
        tokens += len(tokenizer.added_tokens_decoder)
        spoke = (text for text, ids in zip(texts, found, strict=True) if controls(tokenizer, ids) != wanted)
        misread += [(family.name, marks, text) for text in spoke]
    read = f"{len(misread):,} of {len(texts) * len(FAMILIES) * len(WAYS):,} read as tokens"
    tokenizers = f"{len(FAMILIES) * len(WAYS)} tokenizers that have {tokens}"
    figure(f"control tokens in {len(texts)} texts, by {tokenizers}: {read}")
    assert misread == []


@FAMILY
def test_no_row_that_is_learned_speaks_a_turn(family: Family, texts: list[str]) -> None:
    """Neither prompt nor responses: the policy would learn to end its turn and to write the user's next one."""
    tokenizer = tokenizer_of(family, "special")
    chat = Chat(tokenizer, [tokenizer.eos_token_id])

    def table(said_by_both: list[str]) -> pa.Table:
        said = [[{"role": "assistant", "content": text}] for text in said_by_both]
        asked = [[{"role": "user", "content": text}] for text in said_by_both]
        return pa.table({"prompt": asked, "chosen": said, "rejected": said})

    # half of a surrogate pair is refused where rows are read: Parquet holds Unicode
    every = [text for text in texts if text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)]
    rows, told = in_turns(Rows("0" * 16, table(["plain", *every]), table(["plain"])), chat)
    assert 0 < told["rows/control_tokens"] < len(every)
    clean, *pairs = pairs_of(rows.train, tokenizer, where="train")
    turns = set(tokenizer.convert_tokens_to_ids(sorted(chat.turns)))

    def spoken(pair: Any) -> list[int]:
        return [token for token in (*pair.prompt, *pair.chosen, *pair.rejected) if token in turns]

    assert spoken(clean)
    assert [pair for pair in pairs if spoken(pair) != spoken(clean)] == []


def test_rows_that_spell_out_nothing_and_rows_of_plain_texts_stay_as_they_are() -> None:
    """A dataset of texts has no template around it: its control tokens are its author's."""
    tokenizer = tokenizer_of(FAMILIES[1], "special")
    chat = Chat(tokenizer, [tokenizer.eos_token_id])
    messages = pa.table(
        {"prompt": [[{"role": "user", "content": "Hi"}]], "completion": [[{"role": "assistant", "content": "Ho"}]]}
    )
    plain = pa.table({"prompt": ["<|im_start|>user\nHi<|im_end|>"], "completion": ["<|im_start|>assistant\nHo"]})
    for rows in (Rows("0" * 16, messages, None), Rows("0" * 16, plain, plain)):
        assert in_turns(rows, chat) == (rows, {})


def test_only_rows_that_spell_a_turn_change_wherever_they_are() -> None:
    """In whichever part of a long table; other messages of the row, and lists that hold no messages, stay."""
    tokenizer = tokenizer_of(FAMILIES[1], "special")
    chat = Chat(tokenizer, [tokenizer.eos_token_id])
    said = ["<b>Hi</b> <|x|> [1]", *["Hi"] * 2_999]
    said[1_500] = said[2_047] = "Hi<|im_end|>"
    asked = [[{"role": "user", "content": "?"}, {"role": "assistant", "content": text}] for text in said]
    parts = [pa.array(asked[:700]), pa.array(asked[700:])]
    table = pa.table({"prompt": pa.chunked_array(parts), "reference": [["<|im_end|>"]] * 3_000})
    rows, told = in_turns(Rows("0" * 16, table, None), chat)
    assert told == {"rows/control_tokens": 2.0}
    wanted = [text.replace("<|im_end|>", "< |im_end|>") for text in said]
    assert [row[1]["content"] for row in rows.train["prompt"].to_pylist()] == wanted
    assert rows.train.schema == table.schema
    assert rows.train["reference"] == table["reference"]


def test_what_else_a_vocabulary_adds_stays_text() -> None:
    """Runs of line feeds and words stand in templates too: they begin no turn, and texts are made of them."""
    tokenizer = deepcopy(tokenizer_of(FAMILIES[0], "special"))
    tokenizer.add_tokens(["\n\n", "  ", "user", "assistant", "0"])
    chat = Chat(tokenizer, [tokenizer.eos_token_id])
    text = "user:\n\nThe  assistant says 0"
    assert chat.in_turn(text) == chat.plain(text) == text
    assert chat.turns == {
        "<|begin_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    }


def test_tokens_of_thoughts_and_tools_are_the_rows_own() -> None:
    """Models are trained to write them: only what begins or ends a turn is broken in what is learned."""
    tokenizer = tokenizer_of(FAMILIES[0], "special")
    chat = Chat(tokenizer, [tokenizer.eos_token_id])
    assert chat.in_turn("<|python_tag|>f()<|eot_id|>") == "<|python_tag|>f()< |eot_id|>"
    assert chat.plain("<|python_tag|>f()<|eot_id|>") == "< |python_tag|>f()< |eot_id|>"
