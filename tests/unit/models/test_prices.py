"""The table of prices: sane, exact, dated, and as litellm has it where both know a model."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from solon.data.records import Message, Usage
from solon.models.base import Price, Reply, Request
from solon.models.estimate import most_input_tokens, most_usd
from solon.models.openai import OpenAI
from solon.models.prices import Listed, listed, table

ROWS = [(provider, model, row) for provider, rows in table().items() for model, row in rows.items()]
IDS = [f"{provider}/{model}" for provider, model, _ in ROWS]


@pytest.mark.parametrize(("provider", "model", "row"), ROWS, ids=IDS)
def test_every_row_is_sane(provider: str, model: str, row: Listed):
    """Writing costs no less than reading, reading from a cache less, into it no less; long requests no less."""
    for price in (row, row.at(10**7)):
        assert 0 < price.input <= price.output < 1000
        assert price.cached is None or 0 < price.cached < price.input
        assert price.cache_write is None or price.input <= price.cache_write <= 2 * price.input
        assert price.batch in (0.5, 1.0)
    assert row.at(10**7).input >= row.input
    assert row.as_of.year >= 2026


def test_a_key_that_stands_twice_is_no_key():
    """YAML keeps the last of two, and the first would be a price that nobody sees."""
    text = Path(str(find_spec("solon.models.prices").origin)).with_suffix(".yaml").read_text()  # type: ignore[union-attr]
    rows = sum(line.startswith("    ") and not line.startswith("     ") for line in text.splitlines())
    assert rows == len(ROWS) == sum(len(block["models"]) for block in yaml.safe_load(text).values())


def test_the_providers_that_solon_speaks_to_are_in_it():
    """Some 50 models of OpenAI and Anthropic, and the larger of those behind litellm."""
    assert len(table()["openai"]) >= 30
    assert len(table()["anthropic"]) >= 15
    assert {"gemini", "mistral", "deepseek", "groq", "together_ai", "xai"} <= set(table())


def of_litellm() -> dict[str, Any]:
    """LiteLLM's price map, read as a file: importing litellm takes seconds."""
    found = find_spec("litellm")
    if found is None or not found.submodule_search_locations:
        pytest.skip("litellm is not installed: pip install 'solon[dev]'")
    folder = Path(found.submodule_search_locations[0])
    data: dict[str, Any] = json.loads((folder / "model_prices_and_context_window_backup.json").read_text("utf-8"))
    return data


def test_litellm_has_the_same_prices_where_both_know_a_model():
    """Also for each dated version that solon takes for the model without a date."""
    names = {"input": "input_cost_per_token", "output": "output_cost_per_token"}
    cached = {
        "cached": "cache_read_input_token_cost",
        "cache_write": "cache_creation_input_token_cost",
        "batch_cached": "cache_read_input_token_cost_batches",
    }
    compared, different = 0, []
    for name, theirs in of_litellm().items():
        provider = theirs.get("litellm_provider")
        ours = None if provider is None else listed(provider, name.removeprefix(f"{provider}/"))
        if ours is None or theirs.get("mode") != "chat":
            continue
        compared += 1
        for field, key in {**names, **cached}.items():
            mine, yours = getattr(ours, field), theirs.get(key)
            both = field in names or (mine is not None and yours is not None)
            if both and mine != pytest.approx(yours * 1e6):
                different.append((name, field, mine, yours * 1e6))
        if ours.above is not None:
            above = theirs[f"input_cost_per_token_above_{ours.above.tokens // 1000}k_tokens"]
            assert ours.above.input == pytest.approx(above * 1e6)
        if provider in ("openai", "anthropic") and name in table()[provider]:  # those whose batches solon knows
            assert (ours.batch_cached is None) == ("cache_read_input_token_cost_batches" not in theirs), name
            for field, key in names.items():
                assert getattr(ours, field) * ours.batch == pytest.approx(
                    theirs.get(f"{key}_batches", theirs[key]) * 1e6
                )
    assert different == []
    assert compared >= len(ROWS)


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-4o-audio-preview", None),
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4-turbo", "gpt-4-turbo"),
        ("gpt-4-1106-preview", None),
        ("gpt-4-32k", None),
        ("gpt-3.5-turbo-1106", None),
        ("gpt-9", None),
        ("GPT-4o", None),
    ],
)
def test_a_model_is_found_by_its_name_or_without_its_date_and_never_by_a_likeness(model: str, row: str | None):
    """A wrong price is worse than none: without one, the recipe has to state it."""
    assert listed("openai", model) == (None if row is None else table()["openai"][row])
    assert listed("nobody", model) is None


def test_a_date_without_hyphens_is_a_date_too():
    """Anthropic writes them so."""
    assert listed("anthropic", "claude-haiku-4-5-20251001") == table()["anthropic"]["claude-haiku-4-5"]


def test_a_long_request_costs_more_where_the_provider_says_so():
    """gpt-5.4 reads at $2.50 and writes at $15 a million; above 272,000 tokens at $5 and $22.50, all of them."""
    model = OpenAI(model="gpt-5.4")
    short = Reply(text="", usage=Usage(input_tokens=272_000, output_tokens=1000))
    long = Reply(text="", usage=Usage(input_tokens=272_001, output_tokens=1000))
    assert model.cost_of(short) == pytest.approx(0.272 * 2.5 + 0.001 * 15)
    assert model.cost_of(long) == pytest.approx(0.272001 * 5 + 0.001 * 22.5)


def test_what_comes_with_a_batch_costs_half_however_long():
    """The share is the same on both sides of the line."""
    model = OpenAI(model="gpt-5.4")
    for read in (1000, 300_000):
        usage = Usage(input_tokens=read, output_tokens=1000)
        alone, batched = (Reply(text="", usage=usage, batched=batched) for batched in (False, True))
        assert model.cost_of(batched) == pytest.approx(model.cost_of(alone) / 2)


def batched(price: Price, *, cached: int) -> float:
    return price.of(Usage(input_tokens=1_000_000, cached_tokens=cached), batched=True)


def test_what_a_batch_reads_from_a_cache_costs_less_only_where_the_provider_says_so():
    """A million tokens: GPT-4.1 reads at $2, in batches at $1, cached or not. Claude has a price for that."""
    old, new = table()["openai"]["gpt-4.1"], table()["anthropic"]["claude-opus-5"]
    assert (batched(old, cached=0), batched(old, cached=1_000_000)) == (1.0, 1.0)
    assert (batched(new, cached=0), batched(new, cached=1_000_000)) == (2.5, 0.25)


def test_a_recipes_price_counts_cached_tokens_of_a_batch_in_full():
    """What is not known is never counted too low: $3 beside a batch price of $2; said, it is what was said."""
    said = {"input": 4, "output": 8, "cached": 3, "batch": 0.5}
    assert batched(Price(**said), cached=1_000_000) == 3
    assert batched(Price(**said, batch_cached=1.5), cached=1_000_000) == 1.5


@pytest.mark.parametrize(
    "said", [{}, {"cached": 3}, {"cached": 1}, {"cache_write": 5}, {"cached": 3, "batch_cached": 4}]
)
@pytest.mark.parametrize("in_batch", [False, True])
def test_no_usage_costs_more_than_what_was_reserved(said: dict[str, float], in_batch: bool):
    """All fresh, all read from the cache, all written into it."""
    price = Price(input=4, output=8, batch=0.5, **said)
    most = price.most(100, 10, batched=in_batch)
    for kind in ({}, {"cached_tokens": 100}, {"cache_write_tokens": 100}):
        assert price.of(Usage(input_tokens=100, output_tokens=10, **kind), batched=in_batch) <= most


def test_no_reservation_is_too_small():
    """A prompt that is written into the cache costs $2.50 in place of $2, and a schema is read as well."""
    request = Request(messages=(Message(role="user", content="x" * 20),), max_tokens=10, json_schema={"type": "object"})
    read = most_input_tokens(request)
    assert read == 64 + 16 + 20 + 512 + len('{"type": "object"}')
    assert most_usd(OpenAI(model="gpt-6-sol"), request) == pytest.approx((read * 2.5 + 10 * 10) / 1e6)


def test_the_recipes_price_goes_before_the_table():
    """A contract of one's own, or a price that has changed."""
    assert OpenAI(model="gpt-5.4", price={"input": 1, "output": 2}).cost() == Price(input=1, output=2)
    assert OpenAI(model="gpt-5.4", price={"input": 0, "output": 0}).cost() == Price(input=0, output=0)


@pytest.mark.parametrize(
    "settings", [{"model": "gpt-9"}, {"model": "gpt-5.4", "base_url": "https://gateway.example/v1"}]
)
def test_without_a_known_price_the_recipe_has_to_state_one(settings: dict[str, str]):
    """The table is the provider's own: a gateway may charge anything."""
    model = OpenAI(**settings, api_key_env=None)
    assert model.cost() is None
    assert any("is not known: add `price: {input: ..., output: ...}`" in problem for problem in model.problems())
