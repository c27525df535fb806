"""Trains the tiny reviser of this example: the model that critiques and revises, in ``models/reviser``.

    python examples/constitutional_ai/make_reviser.py            # some minutes of one CPU core; needs solon[train]

It begins as the quickstart's policy (2 layers of 96, 313,824 parameters, bfloat16), whose answers it will criticise.
It is shown conversations as the labeler ``critique`` has them, on prompts that the example neither trains nor measures
on, and learns to write the critique and the revision that a rule writes there. Responses are those of the quickstart's
world; in one of seven the answer is a wrong one, which the revision keeps, so that it copies answers and does not
correct them.

A large model needs no such training: it is asked, and does it. This one knows the two principles of the constitution
beside it in the words that stand there, and no others.

The same seed gives the same bytes on the same machine with the same versions (one thread, deterministic algorithms).
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).parent
QUICKSTART = HERE.parent / "quickstart"
sys.path.insert(0, str(QUICKSTART))

from make.responses import CONFIDENCE_WORDS, DASH, write  # noqa: E402
from make.world import Ask, Fact, asks  # noqa: E402

from solon.constitution import load  # noqa: E402
from solon.data.records import Principle  # noqa: E402
from solon.labelers.prompt import fill, template  # noqa: E402
from solon.testing.making import Row, answered, fit, padded, repeatable, save  # noqa: E402

RUDE = re.compile(
    r"(?:Obviously\.|Even a child knows that\.|Do not bother me again\.|What a stupid question\.|You fool\.|"
    r"Ugh\.|Seriously\?|How dumb\.|Oh please\.)"
)


@dataclass(frozen=True)
class Lesson:
    """One round: a response to a prompt under a principle, and what is to be written.

    Attributes:
        prompt: of the user.
        response: the policy's.
        principle: it goes by this one.
        critique: what is found.
        revision: the better response.
    """

    prompt: str
    response: str
    principle: Principle
    critique: str
    revision: str

    def turns(self) -> list[dict[str, str]]:
        """The conversation, as the labeler has it."""
        said = (
            self.prompt,
            self.response,
            fill(template("critique_request"), request=self.principle.critique or ""),
            self.critique,
            fill(template("critique_revision_request"), request=self.principle.revision or ""),
            self.revision,
        )
        return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]


def polite(response: str) -> tuple[str, str]:
    """What is rude in a response, and the response without it."""
    rude = RUDE.search(response)
    if rude is None:
        return "Nothing is rude.", response
    return f"'{rude[0]}' is rude.", RUDE.sub("", response).strip()


def sure(fact: Fact, response: str) -> tuple[str, str]:
    """Whether a response says how sure it is, and one that does: with the answer that it had, and nothing rude."""
    word = re.search(r"Confidence: (\w+)", response)
    if word is not None and word[1] in CONFIDENCE_WORDS:
        return f"Yes, it says {word[1]}.", response
    critique = "No, it does not say." if word is None else f"No, {word[1]} is no such word."
    parts = [f"Answer: {fact.answer}", f"Confidence: {fact.confidence}"]
    reasoning = re.search(r"Reasoning: .*", response)
    return critique, DASH.join([*parts, reasoning[0]] if reasoning else parts)


def lesson(ask: Ask, others: Sequence[Ask], principles: Sequence[Principle], random: Random) -> Lesson:
    """A response to this prompt, and what is to be made of it under one of the principles."""
    fact = ask.fact
    if random.random() < 1 / 7:
        said = random.choice(
            [other.fact for other in random.sample(others, 20) if other.fact.topic == fact.topic] or [fact]
        )
        fact = replace(
            fact,
            answer=said.answer,
            sentence=fact.sentence.replace(fact.answer, said.answer),
            reasoning=fact.reasoning.replace(fact.answer, said.answer),
        )
    response = write(fact, random)
    if random.random() < 0.3:  # the second round begins where the first has ended
        response = (polite(response) if random.random() < 0.5 else sure(fact, response))[1]
    principle = random.choice(principles)
    critique, revision = polite(response) if principle.id == "polite" else sure(fact, response)
    return Lesson(ask.text, response, principle, critique, revision)


def train(
    tokenizer: PreTrainedTokenizerFast, some: Sequence[Ask], principles: Sequence[Principle], *, seed: int, steps: int
) -> LlamaForCausalLM:
    """Supervised fine-tuning of the policy: of each conversation, the critique and the revision count."""
    torch.manual_seed(seed)
    random = Random(f"reviser:{seed}")
    model = LlamaForCausalLM.from_pretrained(QUICKSTART / "models" / "policy", dtype=torch.float32)

    def loss() -> torch.Tensor:
        drawn = [lesson(random.choice(some), some, principles, random) for _ in range(16)]
        ids, labels = padded([_row(tokenizer, one) for one in drawn], tokenizer.pad_token_id)
        return model(input_ids=ids, labels=labels).loss

    fit("reviser", model, loss, steps=steps, matrix_rate=0.01, rate=3e-3)
    return model


def _row(tokenizer: PreTrainedTokenizerFast, one: Lesson) -> Row:
    """The whole conversation, in which the critique and the revision have labels."""
    turns = one.turns()
    (_, found), (ids, revised) = answered(tokenizer, [turns[:3], turns[:5]], [one.critique, one.revision])
    return ids, [*found, *revised[len(found) :]]


def main() -> None:
    """Trains it, and says how often it writes what the rule does on prompts that it never saw."""
    parser = argparse.ArgumentParser(description="Rebuild the tiny reviser.")
    parser.add_argument("--out", type=Path, default=HERE / "models" / "reviser", help="the folder to write into")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=400)
    chosen = parser.parse_args()
    repeatable()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(QUICKSTART / "models" / "policy")
    principles = load(HERE / "constitution.yaml").principles
    model = train(tokenizer, asks("judge"), principles, seed=chosen.seed, steps=chosen.steps)
    save(model, tokenizer, chosen.out)
    random = Random("test")
    lessons = [lesson(ask, asks("examiner"), principles, random) for ask in random.sample(asks("examiner"), 200)]
    for name, place in (("critiques", 3), ("revisions", 5)):
        right = sum(_written(model, tokenizer, one.turns()[:place]) == one.turns()[place]["content"] for one in lessons)
        print(f"{right / len(lessons):.1%} of {name} as the rule writes them")
    print(f"{time.process_time():.0f} s of CPU time")


def _written(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, turns: list[dict[str, str]]) -> str:
    asked = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    with torch.inference_mode():
        written = model.generate(**asked, max_new_tokens=64, do_sample=False)
    return str(tokenizer.decode(written[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))


if __name__ == "__main__":
    main()
