"""All that is to be judged, as a plan knows it: how many prompts of each shape there are, and a sample of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from random import Random

from solon.data.candidates import reading_candidates
from solon.data.prompts import read_prompts
from solon.data.records import Candidates, Constitution, Prompt
from solon.data.split import is_held_out
from solon.labelers.base import Labeler
from solon.plugins.base import located
from solon.plugins.boundary import answer_of
from solon.recipe import Recipe
from solon.trainers.prompted import PromptTrainer

SAMPLE = 200
"""On how many prompts labelers are tried out. Of no more than so many, nothing is estimated but what is unwritten."""

Shape = tuple[int, int]
"""Completions of a prompt, and principles that apply to it."""


@dataclass(frozen=True)
class Crowd:
    """Prompts with their completions.

    Attributes:
        sample: some of them, in their order; drawn with a seed, each as likely as any other.
        shapes: how many of all there are, by shape.
        sampled: how many of the sample there are, by shape.
    """

    sample: tuple[Candidates, ...]
    shapes: Counter[Shape]
    sampled: Counter[Shape]

    def __len__(self) -> int:
        return self.shapes.total()

    @property
    def is_whole(self) -> bool:
        """Whether the sample is all there is."""
        return len(self.sample) == len(self)

    @property
    def times(self) -> float:
        """How many prompts there are for each in the sample."""
        return len(self) / max(1, len(self.sample))

    def times_for(self, labeler: Labeler) -> float:
        """How many questions there are for each that is asked about the sample, by the labeler's own account.

        Exact where that account is, and where it is wrong by the same factor everywhere.
        """
        expected, of_sample = (
            sum(count * answer_of(labeler, "expected_questions", *shape) for shape, count in shapes.items())
            for shapes in (self.shapes, self.sampled)
        )
        return expected / of_sample if of_sample else self.times


def crowd_of(candidates: Iterable[Candidates], constitution: Constitution, completions: int | None = None) -> Crowd:
    """Counts all of them and keeps a sample, in one pass.

    Args:
        candidates: what is judged.
        constitution: what applies to which prompt.
        completions: how many each prompt will have; as many as it has when left out.
    """
    rng = Random("plan")
    shapes: Counter[Shape] = Counter()
    kept: list[tuple[int, Candidates]] = []

    def shape(one: Candidates) -> Shape:
        applying = sum(principle.applies_to(one.prompt.topic) for principle in constitution.principles)
        return (len(one.completions) if completions is None else completions, applying)

    for place, one in enumerate(candidates):
        shapes[shape(one)] += 1
        if len(kept) < SAMPLE:
            kept.append((place, one))
        elif (slot := rng.randrange(place + 1)) < SAMPLE:
            kept[slot] = (place, one)
    sample = tuple(one for _, one in sorted(kept, key=itemgetter(0)))
    return Crowd(sample, shapes, Counter(map(shape, sample)))


def crowds_of(recipe: Recipe, constitution: Constitution) -> tuple[Crowd | None, Crowd | None]:
    """What a recipe labels or rewards, and what it evaluates on; ``None`` where it does not.

    Raises:
        DataError: the prompts or candidates cannot be read.
    """
    labels = held_out = None
    with _given(recipe) as given:
        if given is not None:
            labels = crowd_of(given, constitution, _completions(recipe))
        if recipe.evaluate is not None:
            kept: Iterable[Candidates]
            if recipe.evaluate.prompts is not None:
                kept = _unanswered(read_prompts(located(recipe.evaluate.prompts), recipe.columns).prompts)
            else:
                kept = (one for one in given or () if is_held_out(one.prompt, recipe.build.held_out, recipe.seed))
            held_out = crowd_of(kept, constitution, completions=2)
    return labels, held_out


def _completions(recipe: Recipe) -> int | None:
    """How many each prompt will have; ``None`` where it has them already."""
    if isinstance(recipe.train, PromptTrainer):
        return recipe.train.completions_of(1)[0]
    return None if recipe.prompts is None else recipe.sample.n


@contextmanager
def _given(recipe: Recipe) -> Iterator[Iterable[Candidates] | None]:
    """What the recipe begins at, which may be read any number of times; ``None`` where that is a dataset."""
    if recipe.prompts is not None:
        yield list(_unanswered(read_prompts(located(recipe.prompts), recipe.columns).prompts))
    elif recipe.candidates is not None:
        with reading_candidates(located(recipe.candidates), recipe.columns) as candidates:
            yield candidates
    else:
        yield None


def _unanswered(prompts: Iterable[Prompt]) -> Iterator[Candidates]:
    return (Candidates(prompt=prompt, completions=()) for prompt in prompts)
