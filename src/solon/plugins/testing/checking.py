"""Looks at the contract of everything that an installed package offers, each plugin in a process of its own.

``python -m solon.plugins.testing.checking GROUP KIND`` is that process: one JSON object a line, a verdict each.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from solon.errors import PluginError
from solon.plugins.groups import CONSTITUTIONS, NOUN
from solon.plugins.offers import ALL_GROUPS, Offer, normalised, offers
from solon.plugins.registry import load
from solon.plugins.testing.clauses import Broken, Clause, Verdict, held
from solon.starting import python

_DONE = json.dumps({"done": True})
"""The last line of a process that has looked at all: a plugin may end it before, and with the status 0."""


@dataclass(frozen=True)
class Checked:
    """What came of one plugin.

    Attributes:
        group, kind, package, version, target: of its entry point.
        verdicts: one a clause, in their order.
    """

    group: str
    kind: str
    package: str
    version: str
    target: str
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether no clause is broken, and some are kept."""
        outcomes = [one.outcome for one in self.verdicts]
        return "failed" not in outcomes and "passed" in outcomes

    def of(self, outcome: str) -> tuple[Verdict, ...]:
        """The verdicts of one kind."""
        return tuple(one for one in self.verdicts if one.outcome == outcome)


def offered_by(package: str) -> tuple[Offer, ...]:
    """Every plugin of an installed package.

    Raises:
        PluginError: no such package is installed, or it offers none; with the nearest that does.
    """
    known = [offer for group in ALL_GROUPS for offer in offers(group)]
    found = tuple(offer for offer in known if normalised(offer.package) == normalised(package))
    if not found:
        packages = sorted({normalised(offer.package) for offer in known})
        near = get_close_matches(normalised(package), packages, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise PluginError(
            f"no installed package called {package!r} offers a plugin; those that do are {', '.join(packages)}{meant}. "
            f"A package under development is installed by `pip install -e .` in its folder"
        )
    return found


def checked(offer: Offer, *, longest_s: float, told: Callable[[Verdict], None] = lambda _: None) -> Checked:
    """Looks at one plugin's contract in a new process.

    Args:
        offer: the plugin.
        longest_s: after so many seconds it is ended.
        told: called with each verdict as it comes.
    """
    verdicts: list[Verdict] = []
    process = subprocess.Popen(  # noqa: S603 - ours, on what is installed
        python("solon.plugins.testing.checking", offer.group, offer.kind),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that what it started can be ended with it
    )
    late = False
    try:
        out, err = process.communicate(timeout=longest_s)
    except subprocess.TimeoutExpired:
        late = True
        _end(process)
        out, err = process.communicate()
    except BaseException:
        _end(process)
        raise
    lines = out.splitlines()
    done = not late and lines[-1:] == [_DONE]
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError, TypeError):
            verdicts.append(Verdict(**json.loads(line)))
            told(verdicts[-1])
    if not done or process.returncode:
        verdicts.append(_cut_short(late, longest_s, process.returncode, err, verdicts))
        told(verdicts[-1])
    return Checked(offer.group, offer.kind, offer.package, offer.version, offer.target, tuple(verdicts))


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _cut_short(late: bool, longest_s: float, status: int, err: str, before: Sequence[Verdict]) -> Verdict:
    last = (err.strip().splitlines() or ["it said nothing"])[-1]
    happened = f"it was still at work after {longest_s:.0f} s" if late else f"its process ended with {status}: {last}"
    after = f", after {before[-1].clause}" if before else ", at its import"
    remedy = "see where it waits, or give it longer: --timeout" if late else "run it alone and look at the traceback"
    return Verdict("whole", "failed", "all clauses are looked at", f"{happened}{after}", remedy)


# ---------------------------------------------------------------- in that process


_CONTRACTS = {
    "solon.models": ("models", "MODELS", "ModelSubject"),
    "solon.labelers": ("labelers", "LABELERS", "LabelerSubject"),
    "solon.trainers": ("trainers", "TRAINERS", "TrainerSubject"),
    "solon.evaluators": ("evaluators", "EVALUATORS", "EvaluatorSubject"),
    "solon.constitutions": ("constitutions", "CONSTITUTIONS", "ConstitutionSubject"),
}
"""Of each group the module, with its clauses and what they look at."""


def clauses_of(group: str) -> Sequence[Clause[Any]]:
    """The contract of a group."""
    module, clauses, _ = _CONTRACTS[group]
    found: Sequence[Clause[Any]] = getattr(import_module(f"solon.plugins.testing.{module}"), clauses)
    return found


def _subject(group: str, kind: str, plugin: Any) -> Any:
    module, _, subject = _CONTRACTS[group]
    of = getattr(import_module(f"solon.plugins.testing.{module}"), subject)
    return of(plugin, kind) if group == "solon.constitutions" else of(plugin)


def verdicts(group: str, kind: str) -> Iterator[Verdict]:
    """Looks at each clause. A plugin that does not load, or cannot be made, gets one verdict and no more."""
    try:
        plugin = load(group, kind)
    except PluginError as error:
        yield Verdict("loads", "failed", f"the {NOUN[group]} {kind!r} loads", str(error), "see what its import raises")
        return
    subject = _subject(group, kind, plugin)
    if group != CONSTITUTIONS:
        try:
            subject.plugin  # noqa: B018 - makes it
        except Broken as broken:
            yield Verdict("made", "failed", broken.expected, broken.happened, broken.remedy)
            return
    for one in clauses_of(group):
        yield held(one, subject)


def main(group: str, kind: str) -> None:
    """Prints each verdict as it comes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin prints is no verdict
    for one in verdicts(group, kind):
        print(json.dumps(asdict(one)), file=answers, flush=True)
    print(_DONE, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
