"""Critique and revision as rows to learn from (Bai et al. 2022, arXiv:2212.08073, section 3). Pure.

A revision is preferred to the text that it revises, and is a response to imitate. Nothing follows from one that changed
nothing, and one that was cut off is never a label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from solon.data.kinds import Kind
from solon.data.pairs import Pair, is_fit
from solon.data.records import Completion, Demonstration, Failed, Judgment, Prompt, Provenance, Revised, Scored


@dataclass(frozen=True)
class Revision:
    """A text and what became of it; the revision differs in more than the space around it."""

    prompt: Prompt
    original: Completion
    revision: Completion
    provenance: Provenance

    @property
    def pair(self) -> Pair:
        """The revision over the original, as clear as can be."""
        return Pair(self.prompt, self.revision, self.original, 1.0, self.provenance)


def revisions(
    prompt: Prompt,
    completions: Mapping[str, Completion],
    judgments: Iterable[Judgment],
    drops: Mapping[Kind, Counter[str]],
) -> list[Revision]:
    """The revisions of a prompt's completions that changed something.

    Args:
        prompt: what was answered.
        completions: by id; must hold every one that is judged.
        judgments: of labelers that revise. Others may be among them where they score.
        drops: counts what is left out, for ``preference`` and ``sft``.
    """
    found = []
    for judgment in judgments:
        match judgment.outcome:
            case Revised(completion=revision, rounds=rounds):
                original = completions[judgment.options[0]]
                if revision.text.strip() == original.text.strip():
                    _count("unchanged", drops)
                    continue
                principles = tuple(dict.fromkeys(each.principle for each in rounds))
                provenance = Provenance(prompt_id=prompt.id, labelers=(judgment.labeler,), principles=principles)
                found.append(Revision(prompt, original, revision, provenance))
            case Failed():
                _count("failed", drops)
            case Scored():
                pass
            case _:
                assert_never(judgment.outcome)
    return found


def demonstrations(found: Iterable[Revision], drops: Counter[str]) -> list[Demonstration]:
    """Each revision once, as a response to imitate."""
    rows: dict[str, Demonstration] = {}
    for one in found:
        text = one.revision.text
        if text in rows:
            drops["duplicate"] += 1
        elif not is_fit(one.prompt, text):
            drops["malformed"] += 1
        elif one.revision.stop == "length":
            drops["truncated"] += 1
        else:
            rows[text] = Demonstration(prompt=one.prompt, completion=text, provenance=one.provenance)
    return list(rows.values())


def _count(reason: str, drops: Mapping[Kind, Counter[str]]) -> None:
    drops["preference"][reason] += 1
    drops["sft"][reason] += 1
