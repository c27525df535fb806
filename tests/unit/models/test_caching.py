"""Which provider keeps what, by its documentation."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from solon.models.anthropic import Anthropic
from solon.models.base import ChatModel
from solon.models.caching import Caching, caching_of
from solon.models.openai import OpenAI
from solon.models.prices import table
from solon.models.scripted import Scripted


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Anthropic(model="claude-opus-5"), Caching(512)),
        (Anthropic(model="claude-sonnet-4-5-20250929"), Caching(1024)),
        (Anthropic(model="claude-haiku-4-5", cache=False), Caching(4096, on=False)),
        (Anthropic(model="claude-next"), Caching(4096)),
        (OpenAI(model="gpt-4o-mini"), Caching(1024)),
        (OpenAI(model="gpt-4o-mini", cache=False), Caching(1024)),
        (OpenAI(model="gpt-5-mini"), Caching(1024)),
        (OpenAI(model="gpt-5.6-luna"), Caching(1024)),
        (OpenAI(model="gpt-5.6-luna", cache=False), Caching(1024, on=False)),
        (OpenAI(model="gpt-4o-mini", base_url="https://example.com/v1"), None),
        (Scripted(), None),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_who_keeps_what(model: ChatModel, expected: Caching | None) -> None:
    """Beginnings that are shorter are read afresh each time."""
    assert caching_of(model) == expected


def test_litellm_has_the_same_lengths() -> None:
    """For every model of Anthropic's in the table of prices."""
    found = find_spec("litellm")
    if found is None or not found.submodule_search_locations:
        pytest.skip("litellm is not installed: pip install 'solon[dev]'")
    folder = Path(found.submodule_search_locations[0])
    theirs = json.loads((folder / "model_prices_and_context_window_backup.json").read_text("utf-8"))
    for model in table()["anthropic"]:
        caching = caching_of(Anthropic(model=model))
        assert caching is not None
        assert (model, caching.least) == (model, theirs[model]["prompt_cache_min_tokens"])
