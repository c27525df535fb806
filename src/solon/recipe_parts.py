"""The parts of a recipe that belong to one stage and to no plugin: how is sampled, and how is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator, model_validator

from solon.overriding import written_out
from solon.plugins.base import Location, Settings
from solon.plugins.registry import AnyChatModel, AnyEvaluator
from solon.trainers.base import Policy


def short_too(short: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Tells editors that a field has a short form too."""

    def extend(schema: dict[str, Any]) -> None:
        long = schema.pop("anyOf", None) or [{"$ref": schema.pop("$ref")}]
        schema["anyOf"] = [*long, short]

    return extend


class Sample(Settings):
    """How completions are drawn: ``n`` a prompt, from the policy itself or from another chat model."""

    n: PositiveInt = Field(default=4, description="completions a prompt")
    temperature: NonNegativeFloat = Field(default=1.0, description="0 is greedy")
    top_p: float = Field(default=1.0, gt=0, le=1, description="nucleus sampling; 1 is off")
    max_tokens: PositiveInt = Field(default=512, description="the longest completion, in tokens")
    model: AnyChatModel | None = Field(default=None, description="what is sampled; the policy when left out")


class Evaluate(Settings):
    """Measures the trained policy against another, the untrained one, on prompts that neither was trained on.

    A list of evaluators is short for ``{with: [...]}``. Without ``prompts``, ``build.held_out`` says which are used.
    """

    prompts: Location | None = Field(default=None, description="held-out prompts, as in `prompts`")
    temperature: NonNegativeFloat = Field(default=1.0, description="of the `sample` decoding")
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: PositiveInt | None = Field(default=None, description="the longest answer; as in `sample` when left out")
    against: Policy | None = Field(
        default=None,
        description="what the trained policy is compared with; the one that training began at when left out",
        json_schema_extra=short_too({"type": "string"}),
    )
    measures: tuple[AnyEvaluator, ...] = Field(default=(), alias="with", description="the evaluators, in order")

    @model_validator(mode="before")
    @classmethod
    def _list_is_short_for_with(cls, value: Any) -> Any:
        return {"with": value} if isinstance(value, list) else value

    @field_validator("against", mode="before")
    @classmethod
    def _model_is_short_for_policy(cls, value: Any) -> Any:
        return written_out("against", value) if isinstance(value, str) else value
