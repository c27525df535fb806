"""Answers to a few chosen prompts, side by side, for people to read and to grade."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import ClassVar

from solon.data.prompts import PromptColumns, read_prompts
from solon.data.records import Metric, Prompt, digest
from solon.errors import DataError, MissingExtra
from solon.evaluation.base import Decoding, Evaluator, Evidence
from solon.plugins.base import Location, located

NAME = "qualitative"


class Qualitative(Evaluator):
    """Both models' answers to about twenty prompts in named groups, with room for a grade and a note.

    It measures nothing itself: ``solon report`` shows the answers and writes ``grades.csv`` into the run directory, a
    form that does not say which answer is whose. Whatever is filled in there the next ``solon report`` shows, with the
    mean grades. A form that exists is added to and never written anew.

    Attributes:
        prompts: the prompts, with their group in the column ``topic``; twenty of solon's own when left out: simple
            questions, thought experiments, adversarial ones.
        decoding: how the models answer.
    """

    kind: ClassVar[str] = NAME

    prompts: Location | None = None
    decoding: Decoding = "sample"

    @property
    def needs(self) -> tuple[Decoding, ...]:
        """None: the prompts are its own."""
        return ()

    def effects(self) -> dict[str, object]:
        """What the prompts say stands for where they lie."""
        return {"kind": self.kind, "decoding": self.decoding, "prompts": digest([one.id for one in self._read()])}

    def problems(self) -> list[str]:
        """What is wrong with the file of prompts."""
        try:
            self._read()
        except DataError as error:
            return list(map(str, error.problems))
        except MissingExtra as error:
            return [str(error)]
        return []

    def own_prompts(self) -> tuple[Prompt, ...]:
        """All of them."""
        return self._read()

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """No metric; keeps one row a prompt.

        Raises:
            DataError: the prompts cannot be read, or the models are not at hand.
        """
        if evidence.answers is None:
            raise DataError("qualitative asks both models about prompts of its own, and they are not at hand")
        prompts = self._read()
        before = await evidence.answers("before", prompts, self.decoding)
        after = await evidence.answers("after", prompts, self.decoding)
        rows = [
            {
                "group": prompt.topic or "prompts",
                "prompt": prompt.text,
                "before": None if one is None else one.text,
                "after": None if other is None else other.text,
            }
            for prompt, one, other in zip(prompts, before, after, strict=True)
        ]
        evidence.keep(NAME, rows)
        return []

    def _read(self) -> tuple[Prompt, ...]:
        if self.prompts is not None:
            return read_prompts(located(self.prompts), PromptColumns()).prompts
        with resources.as_file(resources.files("solon.evaluation") / "prompts" / "qualitative.jsonl") as file:
            return read_prompts(Path(file)).prompts
