"""What a new project has to know of where it is made, and asks nobody: keys, GPUs, installed packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from solon.models.prices import table
from solon.trainers.backends import GPU, Machine

_DEAREST = 1.0  # US dollars for a million tokens that are read: what a first try may cost
_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
_PEOPLE_SAY = {"anthropic": "Anthropic", "openai": "OpenAI"}
_LOCAL = "http://localhost:8000/v1"


def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


@dataclass(frozen=True)
class Here:
    """A machine and an environment.

    Attributes:
        environment: its variables; only the names of keys are looked at.
        machine: its GPUs.
        is_installed: whether a module is there.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    machine: Machine = field(default_factory=Machine.here)
    is_installed: Callable[[str], bool] = _is_installed

    def judge(self) -> Judge:
        """Who judges: of the provider whose key is set, else whoever listens on this machine."""
        for provider, variable in _KEYS.items():
            if self.environment.get(variable):
                model, as_of = _affordable(provider)
                return Judge(
                    settings=f"{{ kind: {provider}, model: {model} }}",
                    called=f"{_PEOPLE_SAY[provider]}'s {model}",
                    why=f"{variable} is set, and {model} is the newest of {_PEOPLE_SAY[provider]}'s models that costs "
                    f"at most $1 a million tokens read (prices of {as_of})",
                    reasons=True,
                    install="" if self.is_installed(provider) else f"pip install 'solon[{provider}]'",
                )
        return Judge(
            settings=f'{{ kind: endpoint, base_url: "{_LOCAL}", model: judge }}',
            called="a model that is served on this machine (vLLM, llama.cpp, Ollama...)",
            why=f"neither {' nor '.join(_KEYS.values())} is set: the judge is whoever listens at {_LOCAL}; "
            "put its model's name in place of `judge`",
        )

    def card(self) -> GPU | None:
        """The largest GPU."""
        return max(self.machine.gpus, key=lambda card: card.gib, default=None)


@dataclass(frozen=True)
class Judge:
    """A judge for a recipe.

    Attributes:
        settings: its mapping, in YAML on a line.
        called: it, in words.
        why: it was taken, as a sentence without a full stop.
        reasons: whether it may think before it answers, which takes tokens.
        install: the command for the package that its client needs and that is not there; else empty.
    """

    settings: str
    called: str
    why: str
    reasons: bool = False
    install: str = ""


def _affordable(provider: str) -> tuple[str, str]:
    """The newest model of a provider that is cheap enough for a first try, with the day of its price."""
    rows = table()[provider]
    name = next(name for name, row in rows.items() if row.input <= _DEAREST)
    return name, rows[name].as_of.isoformat()
