"""The names of lm-eval's tasks, so that a wrong one is found before hours of training and not after them."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache


def unknown(names: tuple[str, ...]) -> list[str]:
    """What to say of each name that is no task and no group of lm-eval's, with the nearest that is.

    Reading what there is takes some seconds, once in a process.

    Raises:
        ImportError: lm-eval is not installed.
    """
    known = _known()
    return [_told(name, known) for name in names if name not in known]


def _told(name: str, known: frozenset[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"lm-eval has no task called {name!r}" + (f" (did you mean {near[0]!r}?)" if near else "")


@cache
def _known() -> frozenset[str]:
    from lm_eval.tasks import TaskManager

    return frozenset(TaskManager().all_tasks)
