"""A local judge with the principle's keys and values kept, against the same judge without: judgments a CPU second.

    python benchmarks/prefix_cache.py

Both read the same questions in the same run, by turns, at one thread; the ratio is what counts. Ends with an error when
any verdict differs.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from statistics import median

from solon.constitution import load
from solon.data.records import Completion, Prompt, Question
from solon.labelers.prompt import pairwise_messages
from solon.models.base import Reply, Request
from solon.models.transformers import Transformers

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart"
ROUNDS = 5


def main() -> None:
    """Prints the medians of several rounds, and their ratio."""
    requests = _requests()
    seconds: dict[bool, list[float]] = {True: [], False: []}
    verdicts: dict[bool, list[str]] = {}
    for number in range(ROUNDS + 1):
        for cached in (True, False):
            judge = Transformers(
                model=str(QUICKSTART / "models" / "judge"), threads=1, batch_size=128, prefix_cache=cached
            )
            started = time.process_time()
            replies = asyncio.run(_ask(judge, requests))
            if number:  # the first round loads the model
                seconds[cached].append(time.process_time() - started)
            verdicts[cached] = [reply.text for reply in replies]
    if verdicts[True] != verdicts[False]:
        raise SystemExit("the verdicts differ")
    with_it, without = (len(requests) / median(seconds[cached]) for cached in (True, False))
    print(f"{len(requests)} questions, identical verdicts, medians of {ROUNDS} rounds, judgments a CPU second:")
    print(f"with the prefix kept {with_it:.0f}, without {without:.0f}, ratio {with_it / without:.2f}")


async def _ask(judge: Transformers, requests: list[Request]) -> list[Reply]:
    size = judge.batch_size
    return [
        reply
        for start in range(0, len(requests), size)
        for reply in await judge.complete_batch(requests[start : start + size])
    ]


def _requests() -> list[Request]:
    """One question a held-out prompt, both orders: a full answer against a bare one."""
    principles = load(QUICKSTART / "constitution.yaml").principles
    requests = []
    for line in (QUICKSTART / "held_out.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        texts = (
            f"Answer: {row['reference']} — Confidence: high — Reasoning: It is {row['reference']}.",
            row["reference"],
        )
        options = tuple(Completion(text=text, model="benchmark") for text in texts)
        question = Question(prompt=Prompt.of(row["prompt"]), principles=principles, options=options)
        requests += [
            Request(messages=pairwise_messages(asked), max_tokens=1, choices=("A", "B"))
            for asked in (question, question.reversed())
        ]
    return requests


if __name__ == "__main__":
    main()
