"""The RLVR example over several seeds: what is right before and after, and in which ways answers are given.

    python benchmarks/rlvr.py                                     # seeds 0, 1 and 2: about five minutes of one CPU core
    python benchmarks/rlvr.py --write docs/results/rlvr.md        # and puts the tables into the page

Each recipe of ``examples/rlvr`` from each seed, as it stands; numbers are those of its evaluators.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pages import between_markers, ran, table

from solon.data.records import Metric, Prompt
from solon.report import summarise

EXAMPLE = Path(__file__).parents[1] / "examples" / "rlvr"
RIGHT = {"arithmetic": "accuracy", "programs": "rating"}
OTHERS = ("kl", "length", "distinct_2", "self_bleu", "compression", "word_entropy", "repeated_answers")
CURVES = ("rewards/verifier", "frac_reward_zero_std", "entropy", "kl", "completions/mean_length")
STEPS = (1, 5, 10, 20, 30, 40, 50)
_CODE = re.compile(r"def f\(x\): return sum\((1|n \* n|n) for n in x if n (>=|<=|>|<|%) (\d+)(?: == 0)?\)(?!\S)")
_CHOICES = {"greater than": ">", "at least": ">=", "less than": "<", "at most": "<=", "divisible by": "%"}
_CHOICE = re.compile(f"({'|'.join(_CHOICES)}) (\\d+)")


def main() -> None:
    """Prints the tables of each recipe, and writes them where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--in", dest="folder", type=Path, help="where to run, and what is there is not done again")
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (chosen.folder or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        sections = []
        for name in RIGHT:
            runs = {seed: rlvr(folder, name, seed) for seed in chosen.seeds}
            more = workings(runs) if name == "arithmetic" else mistakes(runs)
            parts = [f"## {name}.yaml", numbers(name, runs), topics(name, runs), ways(name, runs), more, curves(runs)]
            sections.append("\n\n".join(parts))
        page = "\n\n".join(sections)
        print(page)
        if chosen.write:
            between_markers(chosen.write, "rlvr", page)


def rlvr(folder: Path, name: str, seed: int) -> Path:
    """The run directory of a recipe from a seed."""
    run = folder / f"{name}-{seed}"
    recipe, ledger = str(EXAMPLE / f"{name}.yaml"), f"ledger={folder / name}.sqlite"
    command = [sys.executable, "-m", "solon", "run", recipe, f"seed={seed}", "--run-dir", str(run), ledger]
    ran(command, folder, f"{name} from seed {seed}")
    return run


def numbers(name: str, runs: dict[int, Path]) -> str:
    """What is right before and after, sampled and greedy, with the paired difference, and what it cost."""
    found: dict[int, dict[tuple[str, str], Metric]] = {
        seed: {(one.name, one.of): one for one in summarise(run).metrics} for seed, run in runs.items()
    }
    measured = (RIGHT[name], f"{RIGHT[name]}/greedy", *OTHERS)
    rows = [[metric, *(_cell(metric, found[seed]) for seed in runs)] for metric in measured]
    seconds = [_seconds(run) for run in runs.values()]
    rows.append(["CPU seconds: training, evaluation", *(f"{train:.0f}, {rest:.0f}" for train, rest in seconds)])
    return table(["", *(f"seed {seed}" for seed in runs)], rows)


def _cell(name: str, found: dict[tuple[str, str], Metric]) -> str:
    pair = found[name, "pair"]
    if name == "kl":
        return f"{pair.value:.2f} [{pair.low:.2f} {pair.high:.2f}]"
    before, after = found[name, "before"], found[name, "after"]
    digits = 1 if name == "length" else 3
    change = f"{pair.value:+.{digits}f} [{pair.low:+.{digits}f} {pair.high:+.{digits}f}]"
    said = f"{before.value:.{digits}f} -> {after.value:.{digits}f}, {change}"
    if pair.p_value is None:
        return said
    return f"{said}, p {'< .001' if pair.p_value < 0.001 else f'= {pair.p_value:.3f}'}"


def _seconds(run: Path) -> tuple[float, float]:
    stages = json.loads((run / "timings.json").read_text("utf-8"))
    return stages["train"]["cpu_seconds"], stages["evaluate"]["cpu_seconds"]


def topics(name: str, runs: dict[int, Path]) -> str:
    """The share of right answers of each kind of prompt, over all seeds."""
    told: dict[str | None, list[tuple[bool, bool]]] = {}
    for run in runs.values():
        for prompt, _, right in _answers(name, run):
            told.setdefault(prompt.topic, []).append(right)
    rows = [
        [str(topic), f"{len(some)}", *(f"{sum(one[which] for one in some) / len(some):.1%}" for which in (0, 1))]
        for topic, some in sorted(told.items(), key=lambda item: str(item[0]))
    ]
    return table(["prompts of all seeds", "n", "right before", "right after"], rows)


def ways(name: str, runs: dict[int, Path]) -> str:
    """How answers were given, before and after, as shares of all seeds' answers, and how many of each were right."""
    told = {which: Counter[tuple[str, bool]]() for which in (0, 1)}
    for run in runs.values():
        for _, texts, right in _answers(name, run):
            for which in (0, 1):
                told[which][_way(name, texts[which]), right[which]] += 1
    rows = []
    for way in sorted({way for counts in told.values() for way, _ in counts}):
        cells = [way]
        for counts in told.values():
            right_ones, all_of_it = counts[way, True], counts[way, True] + counts[way, False]
            cells += [f"{all_of_it / counts.total():.1%}", f"{right_ones / all_of_it:.1%}" if all_of_it else ""]
        rows.append(cells)
    return table(["answers of all seeds", "before", "of these right", "after", "of these right"], rows)


def workings(runs: dict[int, Path]) -> str:
    """How many of the sums and products that are worked out digit by digit are right, before and after."""
    counts = Counter[tuple[str | None, int, bool]]()
    for run in runs.values():
        for prompt, texts, right in _answers("arithmetic", run):
            for which in (0, 1):
                if _way("arithmetic", texts[which]) == "digit by digit":
                    counts[prompt.topic, which, right[which]] += 1
    rows = []
    for topic in sorted({str(topic) for topic, _, _ in counts}):
        cells = [topic]
        for which in (0, 1):
            some = counts[topic, which, True] + counts[topic, which, False]
            cells += [f"{some}", f"{counts[topic, which, True] / some:.1%}" if some else ""]
        rows.append(cells)
    return table(["answers digit by digit", "before", "of these right", "after", "of these right"], rows)


def mistakes(runs: dict[int, Path]) -> str:
    """What is wrong with the answers on lists that are wrong afterwards."""
    told = [
        _mistake(prompt.messages[-1].content, texts[1])
        for run in runs.values()
        for prompt, texts, right in _answers("programs", run)
        if prompt.topic == "lists" and not right[1]
    ]
    rows = [[mistake, f"{count}"] for mistake, count in Counter(told).most_common()]
    return table(["lists of all seeds, wrong afterwards", f"{len(told)}"], rows)


def _mistake(asked: str, text: str) -> str:
    """What differs between a task on a list and the code that was written for it."""
    if "print(" in text:
        return "prints"
    code, choice = _CODE.search(text), _CHOICE.search(asked)
    if code is None or choice is None or _way("programs", text) != "code that returns":
        return "broken, of another form, or no code"
    added = "1" if "number of" in asked or "how many" in asked else "n * n" if "squares" in asked else "n"
    which, limit = _CHOICES[choice[1]], choice[2]
    if code[1] != added:
        return "adds up something else"
    if code[2] != which and code[2].rstrip("=") == which.rstrip("=") and code[3] == limit:
        return "counts the limit in, or leaves it out, wrongly"
    return "takes other elements"


def _answers(name: str, run: Path) -> Iterator[tuple[Prompt, tuple[str, str], tuple[bool, bool]]]:
    """Each held-out prompt, its two sampled answers, and whether each is right."""
    items = _lines(run / "evaluation" / "items.jsonl")
    values = {row["item"]: row["values"][RIGHT[name]] for row in items if RIGHT[name] in row["values"]}
    for row in _lines(run / "evaluation" / "samples.jsonl"):
        prompt = Prompt.model_validate(row["prompt"])
        before, after = values[prompt.id]
        yield prompt, (row["before"]["text"], row["after"]["text"]), (bool(before), bool(after))


def _way(name: str, text: str) -> str:
    if name == "arithmetic":
        return "digit by digit" if ", so " in text else "from memory" if text.startswith("It is") else "roughly"
    if "def f" not in text:
        return "an excuse"
    if text.startswith("Here it is"):
        return "code behind a sentence"
    return "code that prints" if "print(" in text else "code that returns"


def curves(runs: dict[int, Path]) -> str:
    """Some steps of the first seed's training."""
    seed, run = next(iter(runs.items()))
    by_step = {int(one["step"]): one for one in summarise(run).steps}
    rows = [[str(step), *(f"{by_step[step][curve]:.3f}" for curve in CURVES)] for step in STEPS if step in by_step]
    return table([f"step, seed {seed}", *CURVES], rows)


def _lines(path: Path) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
