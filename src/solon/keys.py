"""What nobody else may read: the values of environment variables that name a key, in every form in which they travel.

A server may repeat the key that it was sent, a library may print it, a plugin may raise with it. Whatever goes to a
screen, a log, a ledger or another machine passes here first. What is short or reads like words (``not-needed``, which
servers of one's own are given for a key) stands in texts by chance: in replies and recipes, and on the screen, it is no
secret and stays where it is; trackers and hubs are not told it all the same.
"""

from __future__ import annotations

import base64
import html
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus

LEAST = 8
"""Characters of a secret at least: what is shorter stands in many texts by chance."""
TELLING = 12
"""So many characters from the beginning of a key are taken for the key, and never only those that all keys of its
provider begin with."""
MASK = "…"

_NAMES_A_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_WORDS = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]+|\d{1,8})(?:[-_.: ](?:[A-Z]?[a-z]+|[A-Z]+|\d{1,8}))*")
_LONGEST_WORDS = 24  # characters of words that are still taken for words; a passphrase has more
_OF_A_PROVIDER = re.compile(
    r"sk-(?:ant-[a-z]+\d*-|proj-|or-v\d-|svcacct-|admin-)?|github_pat_|gh[pousr]_|hf_|gsk_|AIzaSy|AKIA|xox[abprs]-"
)
_OWN = 6  # characters of a key after those, at least
_USER_OF_A_URL = re.compile(r"(?<=://)[^/\s]+@")  # up to the last @: a password may hold one
# names of bounded length: a text of question marks takes time in proportion to its length
_IN_A_QUERY = re.compile(
    r"([?&][^=&?\s]{0,64}(?:key|token|secret|password|sig)[^=&?\s]{0,64}=)[^&\s'\"<>\\)]+", re.IGNORECASE
)
# of what begins with sk- alone, which names of models in Slovak do too: a digit, and a run that is no word
_BY_ITS_LOOK = re.compile(
    r"(?<![\w-])(?:sk-(?:(?:ant|proj|or|svcacct|admin)-|(?=[\w-]*\d)(?=[\w-]*[A-Za-z0-9]{20}))[A-Za-z0-9_-]{20,}"
    r"|hf_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}|AIza[\w-]{35}|gsk_[A-Za-z0-9]{40,}|gh[pousr]_[A-Za-z0-9]{36,}"
    r"|xox[abprs]-[A-Za-z0-9-]{20,})(?![\w-])"
)
_chosen: set[str] = set()


def holds_a_key(variable: str) -> None:
    """From now on a variable holds a secret, whatever it is called: a model of this process takes its key from it."""
    _chosen.add(variable)


def is_secret(value: str) -> bool:
    """Whether a value could stand in a text for no other reason than that somebody put the secret there."""
    return len(value) >= LEAST and not (len(value) < _LONGEST_WORDS and _WORDS.fullmatch(value))


def named(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """All that an environment calls a secret, by the names of its variables; the files that some of them name are none.

    Args:
        environment: of a process; this one's when left out.
    """
    there = os.environ if environment is None else environment
    found = ((name, there.get(name, "").strip()) for name in there if name in _chosen or _names_a_secret(name))
    return {name: value for name, value in found if len(value) >= LEAST and not _is_a_file(value)}


def held(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of what an environment calls a secret that which can be told from any other text."""
    return {name: value for name, value in named(environment).items() if is_secret(value)}


@lru_cache(maxsize=4096)
def _names_a_secret(variable: str) -> bool:
    return _NAMES_A_SECRET.search(variable) is not None


@lru_cache(maxsize=256)
def forms(secret: str) -> tuple[str, ...]:
    """How a secret may stand in a text, the longest first: itself, within JSON, HTML and addresses, and in base64."""
    if len(secret) < LEAST:  # what it would be in base64 stands in every text
        return (secret,)
    found = {
        secret,
        html.escape(secret),
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        secret.encode("utf-8", "surrogateescape").hex(),
        repr(secret)[1:-1],
        *(json.dumps(secret, ensure_ascii=plain)[1:-1] for plain in (True, False)),
        *_in_base64(secret),
    }
    return tuple(sorted(found, key=lambda form: (-len(form), form)))


def masked(text: str, secrets: Iterable[str], mask: str = MASK) -> str:
    """The text with every form of each secret cut out, also where only its beginning is left.

    Args:
        text: of anyone.
        secrets: themselves.
        mask: stands in their place.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        written = _beginnings(secret)
        if not any(beginning in text for _, beginning in written):
            continue
        for form, _ in written:
            text = text.replace(form, mask)
        for form, beginning in written:
            text = _cut(text, form, beginning, mask)
    return text


def without_secrets(text: str, secrets: Iterable[str] | None = None) -> str:
    """The text without secrets, without what looks like a key, the user of an address, and keys in its query.

    Args:
        text: of anyone.
        secrets: themselves; this environment's when left out.
    """
    text = masked(text, held().values() if secrets is None else secrets)
    if "://" in text:
        text = _USER_OF_A_URL.sub(f"{MASK}@", text)
    return _BY_ITS_LOOK.sub(MASK, _IN_A_QUERY.sub(rf"\1{MASK}", text))


def secret_in(text: str, secrets: Mapping[str, str] | None = None) -> str:
    """What of a text is a secret, in words for its author: the variable whose value it holds, or a key by its look.

    Args:
        text: of anyone.
        secrets: by the names of their variables, as ``held`` gives them; this environment's when left out.

    Returns:
        Nothing where there is none.
    """
    for name, secret in (held() if secrets is None else secrets).items():
        if any(form in text for form in forms(secret)):
            return f"the value of the environment variable {name}"
    return "what looks like a key" if _BY_ITS_LOOK.search(text) else ""


def reply_without(raw: bytes, key: str | None) -> bytes:
    """The body of a response in which a server has repeated the key, without it; any other body as it is.

    Args:
        raw: the body.
        key: that it was sent; ``None`` for none.
    """
    if key is None or not any(beginning in raw for beginning in _telling_bytes(key)):
        return raw
    return masked(raw.decode("utf-8", "surrogateescape"), [key], "[key]").encode("utf-8", "surrogateescape")


@lru_cache(maxsize=256)
def _telling_bytes(key: str) -> frozenset[bytes]:
    """What tells, in the body of a response, that a key may stand there; nothing of what is no secret."""
    if not is_secret(key):
        return frozenset()
    return frozenset(beginning.encode("utf-8", "surrogateescape") for _, beginning in _beginnings(key))


@lru_cache(maxsize=256)
def _beginnings(secret: str) -> tuple[tuple[str, str], ...]:
    """Each form of a secret, and as much of its beginning as is taken for the whole."""
    shared = _OF_A_PROVIDER.match(secret)
    telling = TELLING if shared is None else max(TELLING, shared.end() + _OWN)
    found = []
    for form in forms(secret):
        # of what all keys of a provider begin with, base64 and hex take more characters
        longer = 1.0 if shared is None or form.startswith(shared[0]) else max(1.0, len(form) / len(secret))
        found.append((form, form[: math.ceil(telling * longer)]))
    return tuple(found)


def _cut(text: str, form: str, beginning: str, mask: str) -> str:
    """The text with a form cut out wherever it begins, as far as it goes."""
    parts, done, at = [], 0, text.find(beginning)
    while at >= 0:
        parts += [text[done:at], mask]
        done = at + len(beginning)
        while done < len(text) and done - at < len(form) and text[done] == form[done - at]:
            done += 1
        at = text.find(beginning, done)
    return "".join([*parts, text[done:]])


def _in_base64(secret: str) -> Iterable[str]:
    """A secret within base64 that begins with it, or one or two bytes before it: without the characters it shares."""
    data = secret.encode("utf-8", "surrogateescape")
    for before, shared in enumerate((0, 2, 3)):
        whole = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        own = whole[shared : -1 if (before + len(data)) % 3 else None]
        yield own
        yield own.translate(str.maketrans("+/", "-_"))


def _is_a_file(value: str) -> bool:
    """Whether it names a file or folder; a key may be too long to be a name."""
    try:
        return os.sep in value and Path(value).exists()
    except (OSError, ValueError):
        return False
