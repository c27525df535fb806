"""What a plugin is: one frozen class whose fields are its settings and whose method is its deed."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from solon.data.records import digest


class Settings(BaseModel):
    """Settings of any kind: frozen, closed to unknown keys, so that a misspelt key is an error and never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Plugin(Settings):
    """Base of chat models, labelers, trainers and evaluators.

    Class attributes:
        kind: its name in a recipe (``kind: dpo``), equal to the name of its entry point.
        group: the entry-point group it belongs to, e.g. ``solon.trainers``.
    """

    kind: ClassVar[str]
    group: ClassVar[str]

    def settings(self) -> dict[str, Any]:
        """``kind`` and every setting as plain JSON values: what is hashed, written to ``run.json`` and shown."""
        plain = {name: _plain(getattr(self, name)) for name in type(self).model_fields}
        return {"kind": self.kind, **plain}

    def identity(self) -> str:
        """16 hexadecimal digits that change whenever a setting that may change the result does."""
        return digest(self.settings())[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Plugin):
        return value.settings()
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)
