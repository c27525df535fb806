"""How tokens are counted: by the model's own tokenizer where it is here, by characters where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.models.anthropic import Anthropic
from solon.models.backend.tokenizing import of_tiktoken, tokenizer_file
from solon.models.base import ChatModel, Request
from solon.models.endpoint import Endpoint
from solon.models.litellm import LiteLLM
from solon.models.openai import OpenAI
from solon.models.scripted import Scripted
from solon.models.tokens import by_characters, counter_of
from solon.models.transformers import Transformers


@pytest.mark.parametrize(("characters", "tokens"), [(0, 0), (1, 1), (7, 2), (8, 3), (3500, 1000)])
def test_by_characters(characters: int, tokens: int) -> None:
    """3.5 of them a token, rounded up."""
    assert by_characters("x" * characters) == tokens


@pytest.mark.parametrize(
    ("model", "tokens"),
    [("claude-opus-4-7", 20), ("claude-sonnet-5", 20), ("claude-opus-4-5-20251101", 16), ("claude-haiku-4-5", 16)],
)
def test_newer_claudes_have_more_tokens(model: str, tokens: int) -> None:
    """54 characters, at 2.7 or 3.5 a token."""
    assert counter_of(Anthropic(model=model)).text("x" * 54) == tokens


def test_a_local_model_is_counted_by_its_tokenizer(tmp_path: Path) -> None:
    """Without its weights: the folder holds none. Each word of this tokenizer is a token, and it never cuts any off."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed: pip install 'solon[dev]'")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"what": 0, "?": 1, "[UNK]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=64)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    counter = counter_of(Transformers(model=str(tmp_path)))
    assert counter.how == "its own tokenizer"
    assert counter.text("what is that, and why?") == 7
    assert counter.text("what \ud83d ?") == 3  # half a character is a token as well, and no TypeError


def test_a_tokenizer_that_cannot_be_read_is_not_used(tmp_path: Path) -> None:
    """What is wrong with it is said where the model is loaded."""
    (tmp_path / "tokenizer.json").write_text("{}")
    assert counter_of(Transformers(model=str(tmp_path))).how == "3.5 characters a token"


@pytest.mark.parametrize("name", ["nobody/has-this-model", "no such id", "gpt-4o"])
def test_a_tokenizer_that_is_not_here_is_not_fetched(name: str) -> None:
    """A plan needs no network."""
    assert tokenizer_file(name) is None


@pytest.mark.parametrize(
    "model",
    [
        OpenAI(model="gpt-4o-mini"),
        LiteLLM(model="openai/gpt-4.1"),
        Endpoint(model="gpt-4o-2024-11-20", base_url="https://api.openai.com/v1"),
    ],
    ids=lambda model: model.kind,
)
def test_openai_s_models_are_counted_by_tiktoken(model: ChatModel) -> None:
    """OpenAI's cookbook counts 6 tokens in "tiktoken is great!" by o200k_base."""
    if of_tiktoken("o200k_base") is None:
        pytest.skip("tiktoken or its vocabulary is not on this machine")
    counter = counter_of(model)
    assert counter.how == "tiktoken's o200k_base"
    assert counter.text("tiktoken is great!") == 6


@pytest.mark.parametrize("model", [OpenAI(model="gpt-next"), Scripted(), LiteLLM(model="mistral/gpt-4o")])
def test_models_that_nobody_knows_are_counted_by_characters(model: ChatModel) -> None:
    """A name that looks alike says nothing."""
    assert counter_of(model).how == "3.5 characters a token"


def test_a_damaged_vocabulary_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiktoken would delete it and download another."""
    file = tmp_path / "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
    file.write_text("IQ== 0\n")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    of_tiktoken.cache_clear()
    of_tiktoken("cl100k_base")
    assert file.read_text() == "IQ== 0\n"
    of_tiktoken.cache_clear()


def test_a_schema_is_read_too() -> None:
    """``{"type": "object"}`` is 18 characters."""
    request = Request.model_validate(
        {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "schema": {"type": "object"}}
    )
    assert counter_of(Scripted()).schema(request) == 6
    assert counter_of(Scripted()).schema(request.model_copy(update={"json_schema": None})) == 0
