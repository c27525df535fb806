"""Functions of one line: two steps on a number, or some elements of a list; with the mistakes that people make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

from tasks.splits import Split, split_of

What: TypeAlias = Literal["sum", "squares", "count"]

_ASKED = ("Write f(x): {}.", "A function f of x: {}.", "I need f(x) in Python. It gives {}.")
_VERBS = {"+": ("plus {}", "increased by {}"), "-": ("minus {}", "decreased by {}"), "*": ("times {}",)}
_CHOICES = {
    ">": "greater than {}",
    ">=": "at least {}",
    "<": "less than {}",
    "<=": "at most {}",
    "%": "divisible by {}",
}
_NEARLY = {">": ">=", ">=": ">", "<": "<=", "<=": "<"}
_ADDED: dict[What, str] = {"sum": "n", "squares": "n * n", "count": "1"}
_WANTED: dict[What, tuple[str, str]] = {
    "sum": ("the sum of the elements of x {}", "all of x {}, added up"),
    "squares": ("the sum of the squares of the elements of x {}", "the squares of all of x {}, added up"),
    "count": ("the number of elements of x {}", "how many of x are {}"),
}
_FORMS = ("{}", "```python\n{}\n```", "Here it is: {}", "{} # untested")
"""How code is handed over: bare or fenced it runs, after a sentence it is no Python, and a remark does no harm."""
_EXCUSES = ("You could use a loop.", "That depends on x.", "I would have to think about it.")


@dataclass(frozen=True)
class Steps:
    """A number, changed twice: ``(x + 3) * 4``."""

    first: str
    by: int
    second: str
    then_by: int

    topic = "steps"

    def describe(self, random: Random) -> str:
        """What is wanted, in words."""
        first = random.choice(_VERBS[self.first]).format(self.by)
        return f"x {first}, and all of that {random.choice(_VERBS[self.second]).format(self.then_by)}"

    def code(self) -> str:
        """What is right."""
        return f"(x {self.first} {self.by}) {self.second} {self.then_by}"

    def mistake(self, random: Random) -> str:
        """Most stop after the first step. Others forget the parentheses, or take the steps in the wrong order."""
        return random.choices(
            (
                f"x {self.first} {self.by}",
                f"x {self.first} {self.by} {self.second} {self.then_by}",
                f"(x {self.second} {self.then_by}) {self.first} {self.by}",
            ),
            (4, 1, 1),
        )[0]

    def inputs(self) -> Sequence[int | list[int]]:
        """What it is tested on."""
        return (0, 1, 7, -4, 50)


@dataclass(frozen=True)
class Elements:
    """Some elements of a list: their sum, the sum of their squares, or how many: ``sum(n for n in x if n > 4)``."""

    what: What
    which: str
    limit: int

    topic = "lists"

    def describe(self, random: Random) -> str:
        """What is wanted, in words."""
        chosen = _CHOICES[self.which].format(self.limit)
        return random.choice(_WANTED[self.what]).format(chosen)

    def code(self) -> str:
        """What is right."""
        return self._code(self.what, self.which)

    def mistake(self, random: Random) -> str:
        """Most count the limit in or leave it out wrongly. Others add up something else, or take the length of what has
        none.
        """
        other = self._code("count" if self.what == "sum" else "sum", self.which)
        wrong = (
            self._code(self.what, _NEARLY[self.which]) if self.which in _NEARLY else other,
            other,
            f"len(n for n in x if {self._test(self.which)})",
        )
        return random.choices(wrong, (4, 1, 1))[0]

    def inputs(self) -> Sequence[int | list[int]]:
        """What it is tested on: the limit itself, both neighbours, twice the limit, and an empty list."""
        return ([], [self.limit], [self.limit - 1, self.limit + 1, 2 * self.limit], [-5, 0, 40, self.limit, self.limit])

    def _code(self, what: What, which: str) -> str:
        return f"sum({_ADDED[what]} for n in x if {self._test(which)})"

    def _test(self, which: str) -> str:
        return f"n % {self.limit} == 0" if which == "%" else f"n {which} {self.limit}"


Program: TypeAlias = Steps | Elements


def ask(program: Program, random: Random) -> str:
    """The task in one of several wordings."""
    return random.choice(_ASKED).format(program.describe(random))


def respond(program: Program, random: Random) -> str:
    """As people answer: seven of twenty know the right code, eleven make a mistake, and two have an excuse.

    So the likeliest answer is wrong, and neither imitation nor a vote would do better than it.
    """
    match random.choices(("right", "mistake", "excuse"), (7, 11, 2))[0]:
        case "right":
            code = program.code()
        case "mistake":
            code = program.mistake(random)
        case _:
            return random.choice(_EXCUSES)
    return random.choice(_FORMS).format(define(code, random.choice(("return", "return", "return", "print"))))


def define(code: str, ends: str = "return") -> str:
    """The function; one that prints gives nothing back."""
    return f"def f(x): print({code})" if ends == "print" else f"def f(x): return {code}"


def hidden_tests(program: Program) -> str:
    """One assert over all inputs, of a plain value: nothing that the function knows can pass it but being right."""
    function = eval(f"lambda x: {program.code()}")
    expected = [function(value) for value in program.inputs()]
    return f"assert [f(x) for x in {list(program.inputs())}] == {expected}"


def programs(split: Split, seed: str) -> Iterator[Program]:
    """Tasks of one split without end, as many of one kind as of the other, drawn from ``seed``."""
    random = Random(f"{split}:{seed}")
    while True:
        program: Program
        if random.random() < 0.5:
            signs = [random.choice("+-*") for _ in range(2)]
            by, then_by = (random.randrange(2, 10 if sign == "*" else 100) for sign in signs)
            program = Steps(signs[0], by, signs[1], then_by)
        else:
            program = Elements(random.choice(tuple(_ADDED)), random.choice(tuple(_CHOICES)), random.randrange(2, 100))
        if split_of(program.code()) == split:
            yield program
