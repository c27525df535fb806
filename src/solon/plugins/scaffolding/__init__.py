"""Writes a complete package for a plugin of one's own: ``solon plugins new``."""

from solon.plugins.scaffolding.writing import SORTS, Names, write_package

__all__ = ["SORTS", "Names", "write_package"]
