"""What a new process says of a plugin: ``python -m solon.plugins.testing.probe``, asked in JSON on standard input."""

from __future__ import annotations

import base64
import importlib
import json
import pickle
import sys
from typing import Any

HEAVY = {
    *("accelerate", "anthropic", "datasets", "jax", "lightning", "litellm", "matplotlib", "openai", "peft"),
    *("safetensors", "scipy", "sklearn", "spacy", "tensorflow", "torch", "transformers", "trl", "unsloth", "vllm"),
}
"""Packages that take seconds or gigabytes to import."""


def main() -> None:
    """Answers one question, on the last line of standard output."""
    question = json.load(sys.stdin)
    module = importlib.import_module(question["module"])
    if "pickle" in question:
        answer: dict[str, Any] = {"settings": pickle.loads(base64.b64decode(question["pickle"])).settings()}  # noqa: S301 - its own
    elif "class" in question:
        found: Any = module
        for name in question["class"].split("."):
            found = getattr(found, name)
        found.model_json_schema()
        answer = {"heavy": sorted(HEAVY & sys.modules.keys())}
    else:
        made = getattr(module, question["function"])()
        answer = {"id": made.id, "all": made.model_dump_json(), "heavy": sorted(HEAVY & sys.modules.keys())}
    print(json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
