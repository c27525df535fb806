"""Reads what people write, YAML or JSON, and remembers where each value stands.

``load`` gives plain data with the place of every key and value; ``problems_of`` turns what pydantic finds wrong with
the data into problems at file:line:column, in words, all of them at once. ``dump`` writes data so that
``load`` reads it back as it was.
"""

from solon.document.place import Document, Loc, in_order
from solon.document.problems import problems_of
from solon.document.reading import load, parse, plain_of, read, text_of
from solon.document.writing import dump

__all__ = ["Document", "Loc", "dump", "in_order", "load", "parse", "plain_of", "problems_of", "read", "text_of"]
