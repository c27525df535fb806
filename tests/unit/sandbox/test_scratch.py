"""Where a job may write: never over what it has to read."""

from __future__ import annotations

import pytest

from solon.sandbox.inside.namespaces import scratch_beside

NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("readable", "scratch"),
    [
        (["/usr/lib/python3.11", "/home/me/.venv/lib"], "/tmp"),
        (["/usr/lib", "/tmpfoo/lib"], "/tmp"),
        (["/usr/lib", "/tmp/project/.venv/lib/python3.11/site-packages/sympy"], "/scratch"),
        (["/tmp"], "/scratch"),
    ],
)
def test_packages_that_lie_in_tmp_are_not_covered(readable: list[str], scratch: str) -> None:
    """A project cloned into /tmp, as in many a CI: math-verify would take an import that fails for a wrong answer."""
    assert scratch_beside((path, NOTHING) for path in readable) == scratch
