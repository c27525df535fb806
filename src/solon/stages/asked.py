"""Whom a stage asked, as ``run.json`` and the report name it: models with their prices, and batches of providers."""

from __future__ import annotations

from pydantic import JsonValue

from solon.labelers.base import Labeler
from solon.ledger import Ledger
from solon.models.base import FREE, ChatModel
from solon.models.prices import Listed
from solon.models.remote import RemoteModel
from solon.plugins.boundary import answer_of


def models_of(labeler: Labeler) -> list[JsonValue]:
    """Every chat model that a labeler asks, once each, with what it charges and who says so.

    ``price_source`` is ``recipe``, or the page that solon's table of prices has it from; ``price_as_of`` is then the
    day on which it was read there. Both are empty for models that cost nothing.
    """
    found = {model.identity(): model for model in answer_of(labeler, "models")}
    return [_told(model) for model in found.values()]


def _told(model: ChatModel) -> JsonValue:
    price = model.cost()
    charges = price is not None and price != FREE
    told: dict[str, JsonValue] = {
        "name": model.name,
        "server": model.server if isinstance(model, RemoteModel) else None,
        "price": None if price is None else price.model_dump(mode="json", include=set(type(FREE).model_fields)),
        "price_source": None,
        "price_as_of": None,
    }
    if isinstance(price, Listed):
        told |= {"price_source": price.source, "price_as_of": price.as_of.isoformat()}
    elif charges and model.settings().get("price") is not None:
        told["price_source"] = "recipe"
    return told


def batches_of(ledger: Ledger, run: str, stage: str) -> list[JsonValue]:
    """The provider's batches whose replies this stage of the run has taken, by the provider's own ids."""
    taken = [batch for batch in ledger.batches(run=run) if batch.stage == stage and batch.phase == "collected"]
    return [{"provider": batch.provider, "id": batch.id, "requests": batch.requests} for batch in taken if batch.id]
