"""What a run has trained, as a folder to give away: safetensors, tokenizer, model card, the licence of the base."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any

from solon.confining import refuse_links
from solon.data.records import Noun, digest
from solon.data.whole import atomic_folder
from solon.document import plain_of
from solon.errors import DataError, MissingExtra, Problem, RecipeError
from solon.models.backend.identity import content_identity
from solon.report.export_card import LOADERS, Form, export_card
from solon.report.summary import Summary, Trained, summarise
from solon.trainers.configurations import config_file

_TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "tokenizer.model", "spiece.model", "vocab.json", "merges.txt",
)  # fmt: skip
_MODEL = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "adapter_config.json")
_MADE_OF = ".made_of"
_LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")
_TASKS = {"ForConditionalGeneration": "SEQ_2_SEQ_LM", "ForSequenceClassification": "SEQ_CLS"}


class Exported(Noun):
    """A folder that was written.

    Attributes:
        folder: it.
        form: what it holds: all weights, an adapter, or an adapter merged into its base.
        dtype: number type of the weights where they were merged.
        licence: of the base, where it is known.
        files: their names, in order.
    """

    folder: str
    form: Form
    dtype: str | None
    licence: str | None
    files: tuple[str, ...]


def export(source: Path, to: Path, *, merge: bool = False, base: str | None = None) -> Exported:
    """Writes what was trained into ``to``, whole or not at all. Only safetensors, and no file that nobody needs.

    Args:
        source: a run directory, or the folder of its checkpoint.
        to: a folder that is empty or not there.
        merge: adds an adapter into the weights of its base, in 16 bits.
        base: the base's folder or hub id, where the recipe's does not lead there from here.

    Raises:
        DataError: it is no run with a checkpoint, a file is missing, the folder is not empty, or the base is not found.
        RecipeError: all weights were trained, so that there is nothing to merge.
        MissingExtra: merging needs the packages of the ``train`` extra.
    """
    _refuse_what_is_there(to)
    run, summary, trained = _trained(source)
    folder = run / trained.checkpoint.path
    if merge and trained.checkpoint.form == "full":
        raise RecipeError(f"{folder} holds all weights, so there is nothing to merge: leave --merge out")
    named = base or trained.checkpoint.base_model
    # what the trainer wrote there: from here nobody can tell a hub id from a folder that is gone
    on_hub = _front(folder / "README.md").get("base_model") == trained.checkpoint.base_model
    found = _base(named, run)
    if merge and found is None and base is None and not on_hub:
        raise DataError([Problem(named, "the base is not here", "name its folder or hub id with --base")])
    cached = config_file(named) if found is None else None
    papers = found or (cached.parent if cached is not None else None)
    licence, dtype = _licence(papers) if papers is not None else None, None
    form: Form = "merged" if merge else trained.checkpoint.form
    with atomic_folder(to) as fresh:
        _copy(folder, _TOKENIZER, fresh)
        if merge:
            dtype = _merged(folder, str(found or named), fresh)
        else:
            _copy(folder, _MODEL, fresh)
        if papers is not None:
            _copy(papers, _LICENCES, fresh)
        card = export_card(summary, trained, form=form, task=_task(fresh), on_hub=on_hub, licence=licence)
        (fresh / "README.md").write_text(card, "utf-8")
    files = tuple(sorted(path.name for path in to.iterdir()))
    return Exported(folder=str(to), form=form, dtype=dtype, licence=licence, files=files)


def merged_weights(adapter: Path, base: str, *, of: Mapping[str, str]) -> Path:
    """A model folder beside an adapter, with the adapter in its weights: for a training that begins there.

    It is written whole or not at all, and used again as long as it was made of the same. A base of 32 bits stays so.

    Args:
        adapter: the folder of a checkpoint.
        base: the folder or hub id that it was trained on.
        of: file name to SHA-256 of what the training wrote.

    Raises:
        DataError: the base cannot be loaded, or the adapter is of another model.
        MissingExtra: merging needs the packages of the ``train`` extra.
    """
    folder, made_of = adapter.with_name(f"{adapter.name}-merged"), digest([content_identity(base), dict(of)])
    note = folder / _MADE_OF
    if not note.is_file() or note.read_text("utf-8") != made_of:
        with atomic_folder(folder) as fresh:
            _copy(adapter, _TOKENIZER, fresh)
            _merged(adapter, base, fresh, keep_32_bits=True)
            (fresh / _MADE_OF).write_text(made_of, "utf-8")
    return folder


def _refuse_what_is_there(to: Path) -> None:
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise DataError([Problem(str(to), "is there already and not empty", "name a new folder with --to")])


def _trained(source: Path) -> tuple[Path, Summary, Trained]:
    """The run directory, what it says, and its training."""
    run = source if (source / "run.json").is_file() else source.absolute().parent.parent
    if not (run / "run.json").is_file():
        what = "is neither a run directory nor a checkpoint in one, so nobody knows what made it"
        raise DataError([Problem(str(source), what, "give the directory that `solon run` wrote, e.g. runs/quickstart")])
    refuse_links(run)
    summary = summarise(run)
    if summary.trained is None:
        raise DataError([Problem(str(run), "has no checkpoint: nothing was trained", "run `solon train` first")])
    folder = run / summary.trained.checkpoint.path
    if source != run and source.absolute() != folder.absolute():
        raise DataError([Problem(str(source), "is not what this run trained last", f"that is {folder}")])
    weights = "adapter_model.safetensors" if summary.trained.checkpoint.form == "lora" else "*.safetensors"
    if not any(folder.glob(weights)):
        raise DataError([Problem(str(folder), f"holds no {weights}", "run `solon train` again")])
    return run, summary, summary.trained


def _base(written: str, run: Path) -> Path | None:
    """The base's folder, relative to here or to a folder above the run; ``None`` for what is no folder there."""
    path = Path(written).expanduser()
    above = [Path(), *run.absolute().parents]
    return next((folder / path for folder in above if (folder / path / "config.json").is_file()), None)


def _copy(folder: Path, names: tuple[str, ...], to: Path) -> None:
    for name in names:
        for path in sorted(folder.glob(name)):
            if path.is_file():
                shutil.copyfile(path, to / path.name)


def _merged(adapter: Path, base: str, out: Path, *, keep_32_bits: bool = False) -> str:
    if any(find_spec(package) is None for package in ("torch", "transformers", "peft")):
        raise MissingExtra("merging an adapter", "train")
    from solon.trainers.backend.merging import merge

    return merge(adapter, base, out, keep_32_bits=keep_32_bits)


def _task(folder: Path) -> str:
    """What PEFT calls the task of the model in a folder that was written."""
    if (folder / "adapter_config.json").is_file():
        task = _read(folder / "adapter_config.json").get("task_type")
        return task if task in LOADERS else "CAUSAL_LM"
    architectures = _read(folder / "config.json").get("architectures") or [""]
    return next((task for end, task in _TASKS.items() if str(architectures[0]).endswith(end)), "CAUSAL_LM")


def _licence(base: Path) -> str | None:
    """What the base's model card or configuration calls its licence."""
    front = _front(base / "README.md")
    stated = front.get("license") or _read(base / "config.json").get("license")
    named = front.get("license_name") if stated == "other" else None
    return next((text for text in (named, stated) if isinstance(text, str)), None)


def _front(card: Path) -> dict[str, Any]:
    """The front matter of a model card; empty where there is none, or none that can be read."""
    lines = card.read_text("utf-8", "replace").split("\n") if card.is_file() else []
    if not lines or lines[0].strip() != "---":
        return {}
    front = plain_of("\n".join(takewhile(lambda line: line.strip() != "---", lines[1:])))
    return front if isinstance(front, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError([Problem(str(path), f"cannot be read as JSON: {error}")]) from None
    return value if isinstance(value, dict) else {}
