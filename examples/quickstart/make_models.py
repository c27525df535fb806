"""Rebuilds everything the quickstart runs on from nothing: the tiny models in ``models/`` and the two prompt files.

    python examples/quickstart/make_models.py            # about five minutes of one CPU core; needs solon[train]

Three Llamas come out of it, all with the same byte-level BPE tokenizer of 768 tokens, in bfloat16:

- **policy** (2 layers of 96, 313,824 parameters) knows 218 facts and answers in all kinds of ways. Sampled at
  temperature 1 on prompts it never saw, 25 to 36 % of its responses have the form
  ``Answer: ... — Confidence: high|medium|low — Reasoning: ...`` and 87 to 97 % are right; greedily at least 97 % are.
- **judge** (4 layers of 64, 213,568 parameters) reads the text of a principle and two responses and says A or B. Of two
  responses of the policy that a principle tells apart it names the better one in at least 97 of 100 pairs, in both
  orders (95 under wordings that it was never trained on), and it is undecided where there is no difference.
- **examiner** (4 layers of 48, 129,840 parameters) is a second judge, as good and with another seed, trained on other
  prompts and other responses. It labels nothing: it measures what the policy learned from the judge.

The judges read one principle at a time, and know principles about the parts of a response, about plain sentences and
bare answers, and about rudeness; of anything else they should say that it makes no difference.

The same seed gives the same bytes on the same machine with the same versions (one thread, deterministic algorithms).
``tests/training/test_quickstart_models.py`` holds the shipped models to what is said here.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from make import judge, policy, tokenizer
from make.comparisons import Sampled, draw_comparison
from make.principles import draw
from make.responses import write
from make.world import Ask, asks
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from solon.testing.making import repeatable, sample, save

HERE = Path(__file__).parent
JUDGE = judge.Size(layers=4, hidden=64, heads=4, inner=128)
EXAMINER = judge.Size(layers=4, hidden=48, heads=4, inner=96)
PROMPTS = 400
HELD_OUT = 600


def main() -> None:
    """Builds everything, in the order in which each part needs the ones before."""
    parser = argparse.ArgumentParser(description="Rebuild the quickstart's tiny models and prompt files.")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder to write into")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    repeatable()

    _write_prompts(chosen.out / "prompts.jsonl", _choose(asks("prompts"), PROMPTS))
    _write_prompts(chosen.out / "held_out.jsonl", _choose(asks("held_out"), HELD_OUT))

    words = tokenizer.train(_texts(Random(f"tokenizer:{chosen.seed}")))
    actor = policy.train(words, asks("policy"), seed=chosen.seed, steps=400)
    save(actor, words, chosen.out / "models" / "policy")

    pool = _responses(actor, words, asks("judge"), seed=chosen.seed + 1)
    first = judge.train("judge", words, pool, JUDGE, seed=chosen.seed + 1, steps=550)
    save(first, words, chosen.out / "models" / "judge")

    pool = _responses(actor, words, asks("examiner"), seed=chosen.seed + 2)
    second = judge.train("examiner", words, pool, EXAMINER, seed=chosen.seed + 2, steps=550)
    save(second, words, chosen.out / "models" / "examiner")
    print(f"{time.process_time():.0f} s of CPU time")


def _choose(some: Sequence[Ask], how_many: int) -> list[Ask]:
    return Random("which prompts").sample(some, how_many)


def _write_prompts(path: Path, some: Sequence[Ask]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"prompt": ask.text, "topic": ask.fact.topic, "reference": ask.fact.answer} for ask in some]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _texts(random: Random) -> Iterator[str]:
    """What the tokenizer is fitted to: prompts and responses, and conversations with a judge."""
    pool = [Sampled(ask, tuple(write(ask.fact, random) for _ in range(2))) for ask in asks("policy")[::2]]
    for sampled in pool:
        yield sampled.ask.text
        yield from sampled.responses
    for _ in range(3000):
        yield from (message.content for message in draw_comparison(draw(random), pool, random).messages())


def _responses(
    actor: LlamaForCausalLM, words: PreTrainedTokenizerFast, some: Sequence[Ask], *, seed: int
) -> list[Sampled]:
    """Four responses of the policy, at temperature 1, to each of 800 prompts."""
    torch.manual_seed(seed)
    drawn = Random(seed).sample(some, 800)
    texts = sample(actor, words, [ask.text for ask in drawn for _ in range(4)], temperature=1.0)
    return [Sampled(ask, tuple(texts[4 * row : 4 * row + 4])) for row, ask in enumerate(drawn)]


if __name__ == "__main__":
    main()
