"""``solon advise``: which trainer to take, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solon import screen
from solon.cli.options import Json, Sets, print_json

if TYPE_CHECKING:
    from solon.advice import Advice, Facts
    from solon.trainers.backends import Machine

Source = Annotated[
    Path, typer.Argument(help="A recipe, a file of data, a dataset folder, or a run directory.", exists=True)
]
Model = Annotated[
    str | None, typer.Option("--model", help="The policy's folder or hub id, where the recipe does not name it.")
]

_TITLES = {
    "first": "Try first",
    "good": "Fits too",
    "possible": "Possible, for a reason",
    "no": "Not with this",
}


def advise(source: Source, model: Model = None, sets: Sets = None, json: Json = False) -> None:
    """Say which trainer fits a dataset or recipe, why, from where that is known, and what cannot be told.

    Reads the data and asks nobody.
    """
    from dataclasses import asdict, replace

    from solon.advice import counsel, facts_of
    from solon.trainers.backends import Machine

    facts = facts_of(source, sets or ())
    facts = replace(facts, model=model) if model is not None else facts
    found = counsel(facts)
    if json:
        print_json({"facts": asdict(facts), **found.model_dump(mode="json")})
        return
    screen.say(_seen(facts))
    machine = Machine.here()
    for fit, title in _TITLES.items():
        if members := [one for one in found.advice if one.fit == fit]:
            screen.say(f"\n{title}:")
            for advice in members:
                screen.say("\n".join(_lines(advice, facts, machine)))
    screen.say("\nWhat this cannot know:")
    for line in found.unknown:
        screen.say(f"  - {line}")


def _lines(advice: Advice, facts: Facts, machine: Machine) -> list[str]:
    from solon.advice.memory import room_for

    sources = [f" [{reason.source}]" if reason.source else "" for reason in advice.reasons]
    reasons = [f"{reason.text}{source}" for reason, source in zip(advice.reasons, sources, strict=True)]
    if advice.fit == "no":
        return [f"  {advice.trainer}: {'; '.join(reasons)}"]
    more = [f"set {', '.join(advice.settings)}"] if advice.settings else []
    if facts.model is not None and (room := room_for(advice.trainer, facts.model, machine)):
        more.append(f"needs {room}")
    return [f"  {advice.trainer}", *(f"    - {line}" for line in [*reasons, *more])]


def _seen(facts: Facts) -> str:
    counts = {
        "pairs": facts.pairs,
        "labelled responses": facts.labels,
        "demonstrations": facts.demonstrations,
        "prompts": facts.prompts,
        "reference answers": facts.answers,
    }
    seen = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{facts.source}: {seen}"
