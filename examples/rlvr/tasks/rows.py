"""The rows of the data files, and what the bases read: tasks put into words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import TypeVar

from tasks import arithmetic, programs
from tasks.splits import Split

T = TypeVar("T")

Example = tuple[str, str]
"""What is asked, and what is answered."""


def problem_rows(split: Split) -> Iterator[dict[str, str]]:
    """Different problems with their answers, without end."""
    random = Random(f"{split}:words")
    for problem in _different(arithmetic.problems(split, "data")):
        yield {"prompt": problem.ask(random), "topic": problem.topic, "reference": str(problem.answer)}


def program_rows(split: Split) -> Iterator[dict[str, str]]:
    """Different programming tasks with their tests, without end."""
    random = Random(f"{split}:words")
    for program in _different(programs.programs(split, "data")):
        yield {
            "prompt": programs.ask(program, random),
            "topic": program.topic,
            "reference": programs.hidden_tests(program),
        }


def problems_read(seed: int) -> Iterator[Example]:
    """What the base of ``arithmetic`` reads, without end."""
    random = Random(f"problems:{seed}")
    for problem in arithmetic.problems("base", str(seed)):
        yield problem.ask(random), problem.respond(random)


def programs_read(seed: int) -> Iterator[Example]:
    """What the base of ``programs`` reads, without end."""
    random = Random(f"programs:{seed}")
    for program in programs.programs("base", str(seed)):
        yield programs.ask(program, random), programs.respond(program, random)


def _different(tasks: Iterable[T]) -> Iterator[T]:
    """Each task once; those that were given are remembered."""
    given = set()
    for task in tasks:
        if task not in given:
            given.add(task)
            yield task
