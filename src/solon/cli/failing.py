"""How a command ends that failed: one screen that says what, where and what to do; ``--debug`` gives the traceback."""

from __future__ import annotations

import errno
import os
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from solon import screen
from solon.errors import InputError, Problem, SolonError
from solon.keys import without_secrets

MOST = 15
"""Problems that are shown of one kind; the rest is counted."""
_LONGEST = 600  # characters of a line
_LINES = 20
_LOG = Path(".solon") / "error.log"
_OF_THE_DISK = {
    errno.ENOSPC: "there is no space left on the disk: make room, and the same command goes on from here",
    errno.EDQUOT: "your share of the disk is used up: make room, and the same command goes on from here",
    errno.EACCES: "permission denied: you may not read or write this here",
    errno.EPERM: "permission denied: you may not read or write this here",
    errno.EROFS: "this disk cannot be written to: choose another folder",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n 4096)",
}
_EXTRA_OF = {
    **dict.fromkeys(
        ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "safetensors", "tokenizers"), "train"
    ),
    **dict.fromkeys(("matplotlib", "scipy", "statsmodels", "sacrebleu"), "report"),
    **dict.fromkeys(("openai", "anthropic", "litellm", "vllm", "unsloth", "wandb", "trackio"), ""),
    "bitsandbytes": "gpu",
    "mlflow": "mlflow",
    "lm_eval": "eval",
    "crowdkit": "panel",
    "math_verify": "verify",
}
"""The extra that brings a module; empty where it has the module's name."""


def failed(error: BaseException) -> int:
    """Says on standard error what happened; returns the exit code."""
    match error:
        case InputError():
            say("solon: " + "\n".join(told(error.problems)))
        case SolonError():
            say(f"solon: {error}")
        case ModuleNotFoundError(name=str(name)) if name.partition(".")[0] in _EXTRA_OF:
            package = name.partition(".")[0]
            say(f"solon: {package} is not installed: pip install 'solon[{_EXTRA_OF[package] or package}]'")
            return 2
        case MemoryError():
            say("solon: this machine has no memory left for it: lower batch sizes, or take a smaller model")
        case OSError() if error.errno in _OF_THE_DISK or error.filename is not None:
            where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            say(f"solon: {where}{_OF_THE_DISK.get(error.errno or 0) or error.strerror or error}")
        case _:
            _unexpected(error)
    return error.exit_code if isinstance(error, SolonError) else 1


def told(problems: Sequence[Problem]) -> list[str]:
    """A line a problem; of a long list the first, and how many more there are."""
    lines = [str(problem) for problem in problems[:MOST]]
    more = len(problems) - len(lines)
    return [*lines, f"… and {more:,} more problems like these; put these right first"] if more > 0 else lines


def say(text: str) -> None:
    """Prints on standard error what may hold anything: nothing in it moves the cursor or hides."""
    from solon.installing import as_here

    lines = [
        line if len(line) <= _LONGEST else line[:_LONGEST] + " …" for line in screen.visible(as_here(text)).split("\n")
    ]
    left_out = len(lines) - _LINES
    if left_out > 0:  # what happened stands first, and what a log said last of all
        lines = [*lines[: _LINES // 2], f"… {left_out:,} lines …", *lines[-_LINES // 2 :]]
    screen.say("\n".join(lines), err=True)


def _unexpected(error: BaseException) -> None:
    """What nobody thought of: where it happened in a line, and the rest in a file."""
    from solon.plugins.boundary import called, culprit

    what = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    at = f" ({_short(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    whose = culprit(error)
    of = "this is a bug in solon" if whose is None else f"this is a bug in {called(whose)}, which is no part of solon"
    say(f"solon: {of}: {what[:_LONGEST]}{at}")
    log = _logged(error)
    to = "" if whose is None else " to its authors"
    kept = f"The traceback is in {log}: report it{to} with that file. " if log is not None else ""
    say(f"{kept}--debug shows it here. What was paid for is in the ledger, and what was done is kept.")


def _logged(error: BaseException) -> Path | None:
    """The file that holds the traceback; ``None`` where none can be written."""
    text = without_secrets("".join(traceback.format_exception(error)))
    for file in (_LOG, Path(tempfile.gettempdir()) / "solon-error.log"):
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(file, "w", encoding="utf-8", errors="backslashreplace", opener=_private) as log:
                log.write(text)
        except OSError:
            continue
        return file
    return None


def _private(path: str, flags: int) -> int:
    """For its owner alone, and through no link: anybody may put one into the folder for temporary files."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _short(filename: str) -> str:
    """A source file by the end of its path, from the package on."""
    parts = Path(filename).parts
    return "/".join(parts[-3:]) if len(parts) > 3 else filename
