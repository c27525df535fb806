"""The one place where what somebody else's labeler raises becomes an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from solon.errors import PluginError, SolonError
from solon.labelers.base import Labeler


@contextmanager
def boundary(labeler: Labeler) -> Iterator[None]:
    """Names the labeler in whatever it raises in the block: the user needs to know whose it is.

    Raises:
        PluginError: it raised something that is no error of solon's.
    """
    try:
        yield
    except SolonError:
        raise
    except Exception as error:
        raise PluginError(
            f"labeler {labeler.kind!r} ({type(labeler).__module__}) raised {type(error).__name__}: {error}. "
            "What it cannot judge it should answer with Failed; --debug shows where"
        ) from error
