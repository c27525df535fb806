"""A plugin whose module imports what takes seconds or gigabytes; apart, for it needs the ``train`` extra."""

from __future__ import annotations

import safetensors  # noqa: F401 - this is what is wrong with it

from broken_plugins.labelers import Judge


class Heavy(Judge):
    """Imports it at once, and for nothing."""
