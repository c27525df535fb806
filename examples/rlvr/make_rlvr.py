"""Makes everything this example runs on from nothing: prompts with their answers or tests, and two tiny Llamas. Seeded.

    python examples/rlvr/make_rlvr.py            # some minutes of one CPU core; needs solon[train]

- **data**: 400 problems and 400 programming tasks for GRPO, 300 of each to evaluate on. No task is in two files.
- **arithmetic** has read other problems, answered from memory, digit by digit, or roughly.
- **programs** has read other tasks, answered with right code, with code that has a mistake, or with an excuse.

``tests/unit/test_rlvr_tasks.py`` holds what is said here to the files.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch
from tasks.rows import Example, problem_rows, problems_read, program_rows, programs_read
from tasks.splits import Split

from solon.testing.making import answered, asked, fit, padded, repeatable, save
from solon.testing.tiny import new_llama, tiny_tokenizer

HERE = Path(__file__).parent
PROMPTS, HELD_OUT = 400, 300
READ_BY_THE_TOKENIZER = 4000
VOCABULARY = 400
CONTEXT = 256
LAYERS, HIDDEN = 2, 96
BATCH = 64
STEPS = {"arithmetic": 1200, "programs": 500}


def main() -> None:
    """Makes all of it, or one part."""
    parser = argparse.ArgumentParser(description="Make the data and the tiny models of the RLVR example.")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder to write into")
    parser.add_argument("--only", choices=("data", "arithmetic", "programs"), help="this part alone")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    repeatable()
    if chosen.only in (None, "data"):
        make_data(chosen.out / "data")
    for name, read in {"arithmetic": problems_read, "programs": programs_read}.items():
        if chosen.only in (None, name):
            make_model(read, chosen.out / "models" / name, STEPS[name], chosen.seed)
    print(f"{time.process_time():.0f} s of CPU time")


def make_data(folder: Path) -> None:
    """The prompts for GRPO, and those to evaluate on."""
    counts: dict[Split, int] = {"prompts": PROMPTS, "held_out": HELD_OUT}
    for split, count in counts.items():
        _write(folder / f"arithmetic_{split}.jsonl", islice(problem_rows(split), count))
        _write(folder / f"programs_{split}.jsonl", islice(program_rows(split), count))


def make_model(read: Callable[[int], Iterator[Example]], folder: Path, steps: int, seed: int) -> None:
    """A tokenizer of what is read, in which every digit is a token, and a Llama that is fitted to it."""
    examples = read(seed)
    tokenizer = tiny_tokenizer(
        (text for _ in range(READ_BY_THE_TOKENIZER) for text in next(examples)),
        vocab_size=VOCABULARY,
        single_digits=True,
        context=CONTEXT,
        padding_side="left",
    )
    torch.manual_seed(seed)
    model = new_llama(
        tokenizer, hidden_size=HIDDEN, layers=LAYERS, heads=4, ffn_size=3 * HIDDEN, context=CONTEXT, spread=0.05
    )
    lessons = read(seed)

    def loss() -> torch.Tensor:
        questions, answers = zip(*islice(lessons, BATCH), strict=True)
        ids, labels = padded(answered(tokenizer, asked(questions), answers), tokenizer.pad_token_id)
        value: torch.Tensor = model(input_ids=ids, labels=labels).loss
        return value

    fit(folder.name, model, loss, steps=steps, matrix_rate=0.02, rate=6e-3)
    save(model, tokenizer, folder)


def _write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
