"""What ``solon init`` can make: for each template its files, what is filled into them, and what comes next."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from solon.errors import DataError
from solon.project.here import Here
from solon.trainers.backends import GPU, Machine
from solon.trainers.base import Lora
from solon.trainers.fit import fit

TEXTS = Path(__file__).parent / "texts"
_LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
_ROWS_A_STEP = 32
_USUAL_CARD = GPU("a card of 24 GiB", 24.0)
_TRAIN = ("torch", "transformers", "trl", "peft", "datasets")


@dataclass(frozen=True)
class Filled:
    """What a template is filled with.

    Attributes:
        words: what stands in the texts as ``@WORD@``.
        notes: what was found out here and decided, as sentences without a full stop.
        install: commands for what is missing.
    """

    words: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    install: tuple[str, ...] = ()


@dataclass(frozen=True)
class Template:
    """One kind of project.

    Attributes:
        name: on the command line.
        about: what it is, in a line.
        copied: files and folders of the project by what they are copied from, below ``examples/``.
        commands: what to run next, in the project's folder.
        fill: asks the surroundings what the texts need.
        begin: writes what is no text and no copy, for a project of a name; returns more words.
    """

    name: str
    about: str
    copied: Mapping[str, str]
    commands: tuple[str, ...]
    fill: Callable[[Here], Filled]
    begin: Callable[[Path, str], Mapping[str, str]] = lambda _folder, _name: {}

    def write(self, folder: Path, filled: Filled, name: str) -> Mapping[str, str]:
        """Writes all of it into an empty folder, for a project of that name; returns the words that were filled in."""
        words = {"NAME": name, **filled.words, **self.begin(folder, name)}
        for target, source in self.copied.items():
            path = shipped(source)
            if path.is_dir():
                shutil.copytree(path, folder / target)
            else:
                (folder / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / target)
        for text in sorted((TEXTS / self.name).rglob("*")):
            if text.is_file():
                target_file = folder / text.relative_to(TEXTS / self.name)
                target_file.parent.mkdir(parents=True, exist_ok=True)
                target_file.write_text(fill_in(text.read_text("utf-8"), words), "utf-8")
        return words


def shipped(name: str) -> Path:
    """A file or folder of ``examples/``, as it was installed: inside the package, or in a checkout.

    Raises:
        DataError: it is not part of this installation.
    """
    package = Path(__file__).parents[1]
    for root in (package / "templates", package.parents[1] / "examples"):
        if (root / name).exists():
            return root / name
    raise DataError(f"{name} is not part of this installation; reinstall solon")


def fill_in(text: str, words: Mapping[str, str]) -> str:
    """The text with each ``@WORD@`` as it is said here."""
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def _training(here: Here) -> Filled:
    return Filled(install=_missing(here))


def _missing(here: Here) -> tuple[str, ...]:
    return () if all(here.is_installed(module) for module in _TRAIN) else ("pip install 'solon[train,report]'",)


def _judged(here: Here) -> Filled:
    judge = here.judge()
    longer = "\n  max_tokens: 1000 # a model that reasons thinks before it answers" if judge.reasons else ""
    return Filled(
        words={"JUDGE": judge.settings, "PROVIDER": judge.called, "MAX_TOKENS": longer},
        notes=(judge.why,),
        install=(judge.install,) if judge.install else (),
    )


def _as_example(here: Here) -> Filled:
    """The judge of this machine, which the recipe only mentions."""
    return Filled(words={"JUDGE": here.judge().settings})


def _on_a_gpu(here: Here) -> Filled:
    judged, card = _judged(here), here.card()
    rows, chosen = _rows(card or _USUAL_CARD)
    note = f"{'there is no NVIDIA GPU here: ' if card is None else ''}batch_size {rows} is {chosen}"
    words = {
        "MODEL": _LLAMA,
        "BATCH": str(rows),
        "ACCUMULATION": str(_ROWS_A_STEP // rows),
        "EFFECTIVE": str(_ROWS_A_STEP),
        "CHOSEN": chosen,
    }
    return Filled(
        words={**judged.words, **words}, notes=(*judged.notes, note), install=(*judged.install, *_missing(here))
    )


def _rows(card: GPU) -> tuple[int, str]:
    """How many rows at once fit a card by the memory plan of `solon doctor --model`, at most 16; and why so many."""
    machine = Machine((card,), frozenset({"bitsandbytes"}))
    for rows in (16, 8, 4, 2, 1):
        estimated = fit(_LLAMA, "dpo", machine, lora=Lora(r=16, alpha=32), batch_size=rows)
        if estimated.fits:
            return rows, f"what fits {card.name} by estimate ({estimated.card_gib:.1f} of {card.gib:.1f} GiB)"
    return (
        1,
        f"too much for {card.name} by estimate ({estimated.card_gib:.1f} of {card.gib:.1f} GiB): take a larger one",
    )


def _packaged(folder: Path, project: str) -> Mapping[str, str]:
    """A labeler's package, named for the project."""
    from solon.plugins.scaffolding import write_package

    name = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-0123456789")[:40] or "my-labeler"
    written, names = write_package("labeler", name, folder)
    return {"PACKAGE": written.name, "KIND": names.kind, "MODULE": names.module}


_QUICKSTART = {
    "constitution.yaml": "quickstart/constitution.yaml",
    "prompts.jsonl": "quickstart/prompts.jsonl",
    "models/policy": "quickstart/models/policy",
    "models/judge": "quickstart/models/judge",
}

TEMPLATES: Mapping[str, Template] = {
    one.name: one
    for one in (
        Template(
            "quickstart",
            "constitution to report on tiny models, on a CPU, in about a minute",
            {
                **_QUICKSTART,
                "recipe.yaml": "quickstart/recipe.yaml",
                "held_out.jsonl": "quickstart/held_out.jsonl",
                "models/examiner": "quickstart/models/examiner",
            },
            ("solon run recipe.yaml",),
            _training,
        ),
        Template(
            "api-judge",
            "a preference dataset of answers that exist, judged through an API",
            {
                "constitution.yaml": "labeling/constitution.yaml",
                "answers.jsonl": "labeling/data/candidates.jsonl",
            },
            (
                "python -m solon.testing.judge_server -- solon run recipe.yaml --set offline   # without a key",
                "solon plan recipe.yaml                                                        # what it would cost",
                "solon run recipe.yaml",
            ),
            _judged,
        ),
        Template(
            "gpu-4bit",
            "Llama 3.1 8B on 4-bit weights with LoRA and DPO, judged through an API; proven on a CPU first",
            _QUICKSTART,
            (
                "solon run recipe.yaml --set tiny   # the same way through, on tiny models",
                "solon plan recipe.yaml             # what it would cost",
                "solon run recipe.yaml              # on the GPU",
            ),
            _on_a_gpu,
        ),
        Template(
            "detox",
            "a T5 that learns by PPO to summarise without insults, a classifier as its reward",
            {
                "constitution.yaml": "detox/constitution.yaml",
                **{f"data/{name}": f"detox/data/{name}" for name in ("sft", "prompts.parquet", "held_out.parquet")},
                **{f"models/{name}": f"detox/models/{name}" for name in ("base", "rudeness", "examiner")},
            },
            ("solon run recipe.yaml",),
            _training,
        ),
        Template(
            "plugin",
            "a labeler of your own as a package, with a recipe that uses it",
            {
                "constitution.yaml": "labeling/constitution.yaml",
                "answers.jsonl": "labeling/data/candidates.jsonl",
            },
            ("pip install -e '@PACKAGE@[test]'", "solon plugins check @PACKAGE@", "solon run recipe.yaml"),
            _as_example,
            _packaged,
        ),
    )
}
"""By their names, the first being the usual one."""
