"""Judge and examiner learn to read a principle and two responses, and to say A or B.

They learn from comparisons whose verdict a rule gives. What they see is the principle's text, the prompt and the
responses; never the rule and never the right answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from make.comparisons import Sampled, draw_comparison
from make.judging import read
from make.principles import MEANINGS, draw
from make.responses import Form, form_of
from make.tokenizer import fresh_llama
from solon.testing.making import fit


@dataclass(frozen=True)
class Size:
    """How large a judge is: four layers at least, one for each step of the way that ``_Probes`` describes."""

    layers: int
    hidden: int
    heads: int
    inner: int


def train(
    name: str,
    tokenizer: PreTrainedTokenizerFast,
    pool: Sequence[Sampled],
    size: Size,
    *,
    seed: int,
    steps: int,
    principles: int = 6,
    pairs: int = 8,
) -> LlamaForCausalLM:
    """Trains a judge from scratch, on ``principles`` times ``pairs`` fresh comparisons a step.

    The loss is the cross-entropy of the reply's first token against the letter; where the rule sees no difference,
    against both letters evenly, so that such a pair comes out undecided.
    """
    torch.manual_seed(seed)
    random = Random(f"{name}:{seed}")
    model: LlamaForCausalLM = fresh_llama(tokenizer, **vars(size))
    probes = _Probes(size)

    def loss() -> torch.Tensor:
        rules = [draw(random) for _ in range(principles)]
        groups = [[draw_comparison(rule, pool, random) for _ in range(pairs)] for rule in rules]
        flat = [comparison for group in groups for comparison in group]
        reading = read(model, tokenizer, groups)
        first_wins = torch.tensor([comparison.label for comparison in flat])
        wanted = torch.stack([first_wins, 1 - first_wins], dim=1)
        forms = [[form_of(text) for text in (comparison.first, comparison.second)] for comparison in flat]
        return -(wanted * reading.verdict).sum(1).mean() + probes(
            reading.principles,
            reading.responses,
            meanings=torch.tensor([MEANINGS.index(rule.meaning) for rule in rules]),
            traits=torch.tensor([[_traits(form) for form in both] for both in forms]),
            follows=torch.tensor(
                [
                    [float(comparison.rule.score(form)) for form in both]
                    for comparison, both in zip(flat, forms, strict=True)
                ]
            ),
        )

    fit(name, model, loss, steps=steps, matrix_rate=0.02, rate=5e-3, also=probes.parameters())
    return model


class _Probes:
    """Linear readers of inner layers, which help a judge to learn and are thrown away afterwards.

    They ask each layer for its step of the way: two layers before the last, what the principle means and what traits
    each response has; in the layer after, whether each response follows the principle. Which one follows it better is
    then left to the last layer. Without them a model this small needs many times the comparisons.
    """

    def __init__(self, size: Size) -> None:
        self.early, self.late = size.layers - 2, size.layers - 1
        self.meaning = torch.nn.Linear(size.hidden, len(MEANINGS))
        self.trait = torch.nn.Linear(size.hidden, len(_traits(form_of(""))))
        self.follow = torch.nn.Linear(size.hidden, 1)

    def parameters(self) -> list[torch.nn.Parameter]:
        """The weights of all three."""
        return [weight for probe in (self.meaning, self.trait, self.follow) for weight in probe.parameters()]

    def __call__(
        self,
        principles: torch.Tensor,
        responses: torch.Tensor,
        *,
        meanings: torch.Tensor,
        traits: torch.Tensor,
        follows: torch.Tensor,
    ) -> torch.Tensor:
        """The sum of the probes' losses on one ``Reading``.

        Args:
            principles: [layers + 1, groups, hidden].
            responses: [layers + 1, comparisons, 2, hidden].
            meanings: index of each principle's meaning, [groups].
            traits: what is true of each response, 0 or 1, [comparisons, 2, traits].
            follows: whether each response follows the principle, 0 or 1, [comparisons, 2].
        """
        meaning = functional.cross_entropy(self.meaning(principles[self.early]), meanings)
        trait = functional.binary_cross_entropy_with_logits(self.trait(responses[self.early]), traits)
        follow = functional.binary_cross_entropy_with_logits(self.follow(responses[self.late])[..., 0], follows)
        return 0.5 * meaning + trait + follow


def _traits(form: Form) -> list[float]:
    shapes = [form.parts == initials for initials in ("ACR", "AC", "AR", "A")]
    others = [form.confidence, form.any_confidence, form.reasoning, form.rude, form.sentence, form.bare]
    return [float(trait) for trait in (*shapes, *others)]
