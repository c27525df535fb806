"""What is around a project: keys, the hub's cache, the ledger here, completion, plugins, versions. Nobody is asked."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from solon.doctor.finding import Finding
from solon.errors import SolonError
from solon.plugins.inspecting import entries

KEYS: Mapping[str, str] = {
    "ANTHROPIC_API_KEY": "Anthropic's models",
    "OPENAI_API_KEY": "OpenAI's models",
    "GEMINI_API_KEY": "Gemini through litellm",
    "WANDB_API_KEY": "`track: wandb`",
}
"""Variables that hold keys, with what they open."""
_LEDGER = Path(".solon/ledger.sqlite")
_COMPLETION = {
    "bash": ".bash_completions/solon.sh",
    "zsh": ".zfunc/_solon",
    "fish": ".config/fish/completions/solon.fish",
}
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s#]+)", re.MULTILINE)


def around(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """All of it, in order."""
    return [
        *_keys(environment),
        *_hub(environment),
        _ledger(_LEDGER),
        *_completion(environment),
        *_plugins(),
        *_versions(),
    ]


def _keys(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each is set; of its value nothing is said."""
    for variable, opens in KEYS.items():
        if environment.get(variable):
            yield Finding(what=f"key for {opens}", ok=True, found=f"{variable} is set")
        else:
            found = f"{variable} is not set: only recipes that use it need it"
            yield Finding(what=f"key for {opens}", ok=True, found=found, remedy=f"export {variable}=...")


def _hub(environment: Mapping[str, str]) -> Iterator[Finding]:
    home = Path(environment.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(environment.get("HF_HUB_CACHE") or home / "hub")
    models = len(list(cache.glob("models--*"))) if cache.is_dir() else 0
    datasets = len(list(cache.glob("datasets--*"))) if cache.is_dir() else 0
    offline = "; HF_HUB_OFFLINE is set: nothing is fetched" if environment.get("HF_HUB_OFFLINE") else ""
    yield Finding(what="Hugging Face cache", ok=True, found=f"{cache}: models {models}, datasets {datasets}{offline}")
    token = bool(environment.get("HF_TOKEN")) or Path(environment.get("HF_TOKEN_PATH") or home / "token").is_file()
    if token:
        yield Finding(what="Hugging Face token", ok=True, found="there is one")
    else:
        found = "none: only gated models (Llama) and pushing to the hub need it"
        yield Finding(what="Hugging Face token", ok=True, found=found, remedy="hf auth login")


def _ledger(path: Path) -> Finding:
    """Whether it can be written to; a lock that somebody holds for long would stop a run."""
    what = f"ledger {path}"
    if not path.exists():
        return Finding(what=what, ok=True, found="none here yet: the first run makes it")
    size = f"{path.stat().st_size / 2**20:.1f} MiB"
    try:
        ledger = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=0.2)
        try:
            ledger.execute("BEGIN IMMEDIATE")
            ledger.execute("ROLLBACK")
        finally:
            ledger.close()
    except sqlite3.Error as error:
        if "locked" in str(error):
            found = f"{size}, and another process writes to it"
            return Finding(what=what, ok=True, found=found, remedy="wait for the other run to end, or stop it")
        found = f"cannot be used: {error}"
        return Finding(what=what, ok=False, found=found, remedy=f"mv {path} {path}.broken, or restore it from a copy")
    return Finding(what=what, ok=True, found=size)


def _completion(environment: Mapping[str, str]) -> Iterator[Finding]:
    shell = Path(environment.get("SHELL", "")).name
    if shell not in _COMPLETION:
        return
    if (Path.home() / _COMPLETION[shell]).is_file():
        yield Finding(what="shell completion", ok=True, found=f"installed for {shell}")
    else:
        found = f"not installed for {shell}"
        yield Finding(what="shell completion", ok=True, found=found, remedy="solon --install-completion")


def _plugins() -> Iterator[Finding]:
    """Those of others, and whatever of any keeps one from being used. Nothing is imported."""
    try:
        found = entries()
    except SolonError as error:
        yield Finding(what="plugins", ok=False, found="cannot be listed", remedy=str(error))
        return
    for entry in found:
        if entry.problem:
            what = f"plugin {entry.kind} ({entry.group.removeprefix('solon.')})"
            named = f"{entry.package} {entry.version}: {entry.state}"
            yield Finding(what=what, ok=False, found=named, remedy=entry.problem)
    packages = sorted({f"{entry.package} {entry.version}" for entry in found if entry.package not in ("", "solon")})
    yield Finding(what="plugins of others", ok=True, found=", ".join(packages) or "none")


def _versions() -> Iterator[Finding]:
    """Against one set of versions that is known to work together: another may do as well."""
    file = known_good()
    if file is None:
        return
    pinned = dict(_PINNED.findall(file.read_text("utf-8")))
    others = {name: found for name, wanted in pinned.items() if (found := _version(name)) not in (None, wanted)}
    if not others:
        yield Finding(what="versions", ok=True, found="all as in constraints.txt, which are known to work together")
        return
    told = ", ".join(f"{name} {found} ({pinned[name]})" for name, found in others.items())
    words = " ".join(f"'{name}=={pinned[name]}'" for name in others)
    yield Finding(
        what="versions",
        ok=True,
        found=f"these differ from the set that is known to work together: {told}",
        remedy=f"where something fails: pip install {words}",
    )


def known_good() -> Path | None:
    """``constraints.txt``, as it was installed or in a checkout."""
    package = Path(__file__).parents[1]
    return next(
        (path for path in (package / "constraints.txt", package.parents[1] / "constraints.txt") if path.is_file()), None
    )


def _version(name: str) -> str | None:
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None
