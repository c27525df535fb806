"""What runs in the worker process: it isolates itself, then forks a child for each job. Standard library only."""

from __future__ import annotations

from typing import Literal, TypeAlias

Rung: TypeAlias = Literal["namespaces", "landlock", "none"]
"""How files and network are shut off: by a world of its own, by rules of the kernel, or not at all."""
