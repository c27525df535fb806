"""What all labelers share that score a response as a whole, and not under one principle at a time."""

from __future__ import annotations

from collections.abc import Iterable

from solon.data.records import Candidates, Constitution, Question
from solon.labelers.base import Labeler


class Scorer(Labeler):
    """Scores each completion once: one question a completion, under every principle that applies to the prompt."""

    def questions(self, candidates: Candidates, constitution: Constitution) -> Iterable[Question]:
        """One question a completion, under every principle that applies to the prompt at once; none if none does."""
        principles = tuple(item for item in constitution.principles if item.applies_to(candidates.prompt.topic))
        if principles:
            for completion in candidates.completions:
                yield Question(
                    prompt=candidates.prompt, principles=principles, options=(completion,), scale=constitution.rating
                )

    def expected_questions(self, completions: int, principles: int) -> int:
        """One a completion."""
        return completions if principles else 0
