"""What providers charge: ``prices.yaml``, a dated table with its sources. Read when a price is first asked for.

A model is found by its exact name, or by its name without the date of its version (``gpt-4o-2024-11-20`` is a
``gpt-4o``). Never by a likeness: ``gpt-4`` says nothing about ``gpt-4-turbo``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

import yaml
from pydantic import Field, PositiveInt

from solon.models.base import Price

_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")


class Above(Price):
    """The price of a request that reads more than ``tokens`` tokens: of all of them, not only of those beyond."""

    tokens: PositiveInt


class Listed(Price):
    """A row of the table.

    Attributes:
        above: the price of long requests, for models that charge more for them.
        as_of: the day on which the price was read.
        source: the page that it stands on.
    """

    above: Above | None = None
    as_of: dt.date
    source: str = Field(pattern="^https://")

    def at(self, input_tokens: int) -> Price:
        """The price of a request that reads so many tokens."""
        if self.above is None or input_tokens <= self.above.tokens:
            return self
        return self.above.model_copy(update={"batch": self.batch})


@lru_cache(maxsize=1)
def table() -> Mapping[str, Mapping[str, Listed]]:
    """Every row, by provider (as litellm calls them) and model."""
    text = resources.files("solon.models").joinpath("prices.yaml").read_text("utf-8")
    return {
        provider: {
            model: Listed(**row, as_of=block["as_of"], source=block["source"]) for model, row in block["models"].items()
        }
        for provider, block in yaml.safe_load(text).items()
    }


@lru_cache(maxsize=256)
def listed(provider: str, model: str) -> Listed | None:
    """The row of a model, or of the model that it is a dated version of; ``None`` where its price is not known."""
    rows = table().get(provider, {})
    return rows.get(model) or rows.get(_DATED.sub("", model))
