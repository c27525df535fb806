"""Settings of the models behind a network: what each changes, and what is found wrong before anything is asked."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from solon.errors import ModelRejected
from solon.models.anthropic import Anthropic
from solon.models.base import Price
from solon.models.litellm import LiteLLM
from solon.models.openai import OpenAI
from solon.models.prices import table
from solon.models.remote import RemoteModel, without_key
from solon.models.wire import shown

MAKES = {
    "openai": lambda **settings: OpenAI(**{"model": "gpt-5-mini", **settings}),
    "anthropic": lambda **settings: Anthropic(**{"model": "claude-haiku-5-5", **settings}),
    "litellm": lambda **settings: LiteLLM(**{"model": "mistral/mistral-large-4", **settings}),
}
EACH = pytest.mark.parametrize("kind", MAKES)


@EACH
def test_the_price_of_a_known_model_is_in_the_table(kind: str):
    """LiteLLM's own table says 0 for what it does not know, so it is not asked."""
    provider, name = {"litellm": ("mistral", "mistral-large-4")}.get(kind, (kind, MAKES[kind]().model))
    assert MAKES[kind]().cost() == table()[provider][name]


@EACH
def test_what_changes_no_reply_is_no_part_of_the_description(kind: str):
    """Nobody pays twice because of another time-out, key or price."""
    other = {"timeout_s": 5, "api_key_env": "OTHER", "concurrency": 3, "price": {"input": 1, "output": 1}, "max_usd": 1}
    other |= {"requests_per_minute": 3, "tokens_per_minute": 4, "answers_as": "another-name"}
    assert MAKES[kind](**other).describe() == MAKES[kind]().describe()


@EACH
@pytest.mark.parametrize("change", [{"extra_body": {"top_k": 3}}, {"base_url": "https://gateway.example/v1"}])
def test_what_may_change_a_reply_is(kind: str, change: dict[str, Any]):
    """So that one model's reply is never taken for another's."""
    assert MAKES[kind](**change).describe() != MAKES[kind]().describe()


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("openai", {"sampling": True}),
        ("openai", {"reasoning_effort": "low"}),
        ("anthropic", {"sampling": True}),
        ("anthropic", {"thinking": "disabled"}),
        ("anthropic", {"effort": "low"}),
        ("litellm", {"sampling": False}),
    ],
)
def test_settings_of_a_provider_change_the_description(kind: str, change: dict[str, Any]):
    """They are sent."""
    assert MAKES[kind](**change).describe() != MAKES[kind]().describe()


def test_caching_changes_the_bill_and_no_reply():
    """The ledger's replies stay good."""
    assert Anthropic(model="m", cache=False).describe() == Anthropic(model="m").describe()


@EACH
def test_what_the_account_allows_is_passed_on(kind: str):
    """The stream keeps to it."""
    limits = MAKES[kind](requests_per_minute=60, tokens_per_minute=9000).limits
    assert (limits.requests_per_minute, limits.tokens_per_minute) == (60, 9000)
    assert MAKES[kind](max_usd=2.5).max_usd == 2.5
    assert MAKES[kind](concurrency=7).max_in_flight == 7


@EACH
def test_models_of_one_account_share_a_limiter(kind: str):
    """The key's name tells the account; another server or key has limits of its own."""
    model = MAKES[kind](api_key_env="A")
    other = MAKES[kind](api_key_env="A", model={"litellm": "mistral/other"}.get(kind, "other"))
    assert other.provider == model.provider
    assert MAKES[kind](api_key_env="B").provider != model.provider
    assert MAKES[kind](api_key_env="A", base_url="https://gateway.example/v1").provider != model.provider


@EACH
@pytest.mark.parametrize("key", ["sk-canary-0123", "sk canary"])
def test_a_key_in_place_of_the_name_of_its_variable_is_refused_without_showing_it(kind: str, key: str):
    """Recipes are committed, hashed and shown."""
    with pytest.raises(ValidationError, match="never the key itself") as caught:
        MAKES[kind](api_key_env=key)
    assert "canary" not in str(caught.value)


@EACH
@pytest.mark.parametrize("url", ["api.example.com", "https://user:secret@example.com", "https://example.com/v1?key=x"])
def test_an_address_that_is_none_or_holds_a_secret_is_refused(kind: str, url: str):
    """As for `endpoint`."""
    with pytest.raises(ValidationError):
        MAKES[kind](base_url=url)


@pytest.mark.parametrize("model", ["gpt-4o", "/gpt-4o", "openai/"])
def test_litellm_is_told_whose_model_it_is(model: str):
    """The price and the key hang on it; litellm would guess."""
    with pytest.raises(ValidationError, match="write provider/model"):
        LiteLLM(model=model)


@pytest.mark.parametrize(
    ("settings", "samples"),
    [
        ({"model": "gpt-4.1"}, True),
        ({"model": "gpt-4o-2024-11-20"}, True),
        ({"model": "gpt-3.5-turbo"}, True),
        ({"model": "my-deployment"}, True),
        ({"model": "o3"}, False),
        ({"model": "o4-mini-2025-04-16"}, False),
        ({"model": "gpt-5"}, False),
        ({"model": "gpt-5.4-nano"}, False),
        ({"model": "gpt-6-luna"}, False),
        ({"model": "gpt-10"}, False),
        ({"model": "gpt-5-chat-latest"}, True),
        ({"model": "gpt-5.4", "reasoning_effort": "none"}, True),
        ({"model": "gpt-5.4", "reasoning_effort": "low"}, False),
        ({"model": "gpt-5.4", "sampling": True}, True),
        ({"model": "my-deployment", "sampling": False}, False),
    ],
)
def test_whether_a_model_of_openai_samples_follows_from_its_name_unless_it_is_said(
    settings: dict[str, Any], samples: bool
):
    """Models that reason refuse a temperature, and would fail every request."""
    assert OpenAI(**settings).samples is samples


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        (OpenAI(model="gpt-5-mini"), True),
        (OpenAI(model="gpt-4.1"), False),
        (OpenAI(model="gpt-5.4", reasoning_effort="none"), False),
        (OpenAI(model="gpt-5-mini", reasoning_effort="minimal"), False),
        (OpenAI(model="my-deployment", reasoning_effort="low"), True),
        (Anthropic(model="claude-haiku-5-5"), True),
        (Anthropic(model="claude-opus-5"), True),
        (Anthropic(model="claude-opus-5", thinking="disabled"), False),
        (Anthropic(model="claude-haiku-4-5"), False),
        (Anthropic(model="claude-sonnet-4-20250514"), False),
        (Anthropic(model="claude-opus-4-7", thinking="adaptive"), True),
        (LiteLLM(model="mistral/small"), False),
    ],
    ids=lambda value: value.model if isinstance(value, RemoteModel) else str(value),
)
def test_whether_a_model_thinks_first_follows_from_its_settings_or_its_name(model: RemoteModel, reasons: bool):
    """A labeler has to leave it room for that."""
    assert model.reasons is reasons


@EACH
def test_a_key_and_a_price_that_are_missing_are_found_without_asking_anybody(
    kind: str, monkeypatch: pytest.MonkeyPatch
):
    """What `solon check` says."""
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    model = MAKES[kind](api_key_env="NO_SUCH_KEY", model={"litellm": "nobody/nothing"}.get(kind, "nothing"))
    key, price = model.problems()
    assert "the environment variable NO_SUCH_KEY is not set" in key
    assert "is not known: add `price:" in price
    monkeypatch.setenv("NO_SUCH_KEY", "x")
    assert MAKES[kind](api_key_env="NO_SUCH_KEY").problems() == []


def test_a_server_of_ones_own_behind_an_sdk_is_not_taken_to_be_free():
    """It may be a gateway that passes requests on and charges for them: the recipe says what it costs."""
    assert OpenAI(model="gpt-4o", base_url="http://localhost:4000/v1").cost() is None
    free = OpenAI(model="gpt-4o", base_url="http://localhost:4000/v1", price={"input": 0, "output": 0})
    assert free.cost() == Price(input=0, output=0)


@pytest.mark.parametrize("before", [0, 250, 275, 280, 290, 298, 299, 300])
def test_a_key_that_a_message_cuts_in_two_is_taken_out_of_it(before: int):
    """A server that repeats it after so many characters; what is shown of a body ends after 300."""
    key = "sk-" + "0123456789abcdef" * 2
    error = ModelRejected(shown("x" * before + key + "y" * 300))
    without_key(error, key)
    assert not any(key[:length] in str(error) for length in range(len("sk-0123"), len(key) + 1))
