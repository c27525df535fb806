"""Which pages are written, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reference.command_line import cli
from reference.python import api, errors, plugin_api, records, testing_api, training_api
from reference.settings import evaluators, trainers

PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": cli,
    "trainers.md": trainers,
    "evaluators.md": evaluators,
    "python.md": api,
    "plugins.md": plugin_api,
    "training.md": training_api,
    "testing.md": testing_api,
    "records.md": records,
    "errors.md": errors,
}
"""The name of each page in ``docs/reference``, and the function that gives its text."""
