"""Imports plugins to see whether they load, each in a process of its own: ``solon plugins list --check``.

``python -m solon.plugins.trying GROUP KIND PACKAGE`` is that process. It says one line of JSON at its end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from solon.plugins.inspecting import Entry
from solon.starting import python

LONGEST_S = 60.0
"""How long one may take to be imported, in seconds, unless somebody says otherwise."""


def tried(
    entries: Sequence[Entry], *, longest_s: float = LONGEST_S, told: Callable[[Entry], None] = lambda _: None
) -> tuple[Entry, ...]:
    """The same entries, each with what came of importing it; those that may not be loaded as they are.

    One that loads and clashes with another still clashes.

    Args:
        entries: of ``solon.plugins.inspecting``.
        longest_s: after how many seconds one that is not done is stopped, and named.
        told: called with each as it is done.
    """
    done = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for entry in pool.map(lambda one: _one(one, longest_s), entries):
            told(entry)
            done.append(entry)
    return tuple(done)


def _one(entry: Entry, longest_s: float) -> Entry:
    if entry.state == "refused" or entry.source != "entry point":
        return entry
    found = entry.model_copy(update=_tried(entry, longest_s))
    return entry if entry.state == "clashes" and found.state == "loads" else found


def _tried(entry: Entry, longest_s: float) -> dict[str, str]:
    command = python("solon.plugins.trying", entry.group, entry.kind, entry.package)
    process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=longest_s)
    except subprocess.TimeoutExpired:
        return {
            "state": "hangs",
            "problem": f"it was not imported within {longest_s:g} s: upgrade {entry.package}, or uninstall it: "
            f"pip uninstall {entry.package}",
        }
    finally:
        _end(process)
    with suppress(json.JSONDecodeError, IndexError, TypeError):
        said = json.loads(out.splitlines()[-1])
        return {key: str(said[key]) for key in ("state", "problem", "note") if key in said}
    last = (err.strip().splitlines() or ["it said nothing"])[-1]
    return {
        "state": "broken",
        "problem": f"its import ended the process (code {process.returncode}): {last}. Upgrade {entry.package}, or "
        "uninstall it",
    }


def _end(process: subprocess.Popen[str]) -> None:
    """Ends it and whatever it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def main(group: str, kind: str, package: str) -> int:
    """Imports one; 0 in any case: how it went is in what is said."""
    from solon.errors import SolonError
    from solon.plugins.checks import stated_version
    from solon.plugins.loading import loaded
    from solon.plugins.offers import offers

    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answer:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what it prints while it is imported is not the answer
        offer = next(one for one in offers(group) if (one.kind, one.package) == (kind, package))
        try:
            found = loaded(offer)
        except SolonError as error:
            told = {"state": "broken", "problem": str(error)}
        else:
            silent = not offer.ours and stated_version(found) is None
            told = {"state": "loads", "problem": "", "note": "states no api_version" if silent else ""}
        answer.write(json.dumps(told) + "\n")
    sys.stderr.flush()
    os._exit(0)  # threads that it has left behind are not waited for


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
