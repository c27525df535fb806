"""Settings for solon's own plugins with which their contract can be looked at: tiny models, data, and a server."""

from __future__ import annotations

import json
import shutil
import tempfile
from atexit import register
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from classifiers import tiny_classifier, tiny_reward_model
from solon.plugins.testing import Served
from solon.testing import FaultServer
from solon.testing.faults import Asked

FREE = {"input": 0, "output": 0}
MOST = ("max_tokens", "max_completion_tokens")


def _said(asked: Asked) -> str:
    """Another text for each request, of no more tokens than it asks for, at four letters a token."""
    most = next(asked.body[name] for name in MOST if name in asked.body)
    return asked.key[: 4 * most]


def served(path: str = "/v1", **settings: Any) -> Served:
    """A server that answers as OpenAI and Anthropic do, and the settings of what asks it at this path."""
    common = {"model": "served", "price": FREE, "timeout_s": 10, **settings}
    return Served(
        answer=FaultServer(answer=_said).reply_to, settings=lambda url: {"base_url": f"{url}{path}", **common}
    )


@cache
def folder() -> Path:
    """Where what is made here lies, until the process ends."""
    made = Path(tempfile.mkdtemp(prefix="solon-ours-"))
    register(shutil.rmtree, made, ignore_errors=True)
    return made


def of_reward_model() -> Mapping[str, Any]:
    """A classifier that scores conversations."""
    return {"model": str(_once("reward-model", tiny_reward_model)), "text": "conversation"}


def of_classifier() -> Mapping[str, Any]:
    """One that knows vile words, of fourteen at once; of a longer answer the worst part counts."""
    return {"model": str(_once("classifier", tiny_classifier)), "label": "hate"}


def _once(name: str, make: Callable[[Path], Path]) -> Path:
    place = folder() / name
    return place if place.exists() else make(place)


def of_safety() -> Mapping[str, Any]:
    """Sixty pairs of responses, of which the rude one is unsafe, and rules that know it."""
    harms = ("Violence", "Insulting Behavior")
    rows = [
        {
            "prompt": f"What is {number}?",
            "response_0": f"{number}, idiot",
            "response_1": f"It is {number}.",
            "is_response_0_safe": False,
            "is_response_1_safe": True,
            "response_0_harm_category": {name: place == number % 2 for place, name in enumerate(harms)},
            "response_1_harm_category": dict.fromkeys(harms, False),
            "response_0_severity_level": 1 + number % 2,
            "response_1_severity_level": 0,
            "better_response_id": 1,
            "safer_response_id": 1,
        }
        for number in range(60)
    ]
    file = folder() / "safe.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"data": str(file), "by": {"kind": "rules", "rules": {"kind": {"forbidden": ["idiot"]}}}, "labelled": 20}
