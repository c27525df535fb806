"""What is secret is found in every form in which it travels, cut out whole, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from solon.keys import forms, held, is_secret, masked, reply_without, secret_in, without_secrets
from solon.models.endpoint import Endpoint
from solon.trainers.launch import without_keys

KEY = 'sk+canary/"<&0123456789'


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {KEY}!",
        json.dumps({"said": f"it is {KEY}"}),
        html.escape(f"<p>{KEY}</p>"),
        f"https://host/?k={quote(KEY, safe='')}",
        base64.b64encode(f"Bearer {KEY}".encode()).decode(),
        base64.b64encode(f"u:{KEY}".encode()).decode(),
        "in " + base64.urlsafe_b64encode(KEY.encode()).decode(),
        "in " + KEY.encode().hex(),
        f"it begins with {KEY[:12]}",
        f"it was cut off: {KEY[:17]}…",
    ],
    ids=["plain", "json", "html", "address", "base64", "base64-of-user", "base64url", "hex", "beginning", "cut"],
)
def test_a_key_is_cut_out_in_each_form(text: str) -> None:
    """Of each form no twelve characters are left; the rest of the text is."""
    left = masked(text, [KEY], "[key]")
    assert "[key]" in left
    assert [form for form in forms(KEY) for at in range(len(form) - 11) if form[at : at + 12] in left] == []
    assert left.startswith(text[:3])


def test_a_text_without_it_stays_as_it_is() -> None:
    """Also where it holds as much of a key as all keys of a provider share; and a short secret is no other text."""
    assert masked("use a key such as sk-proj-...", ["sk-proj-0123456789abcdef"]) == "use a key such as sk-proj-..."
    assert masked("YWJj is base64", ["abc"]) == "YWJj is base64"
    assert forms("abc") == ("abc",)


@pytest.mark.parametrize(
    "value", ["test", "anything", "not-needed", "lm-studio", "sk-no-key-required", "password", "2024-10-21", "12345678"]
)
def test_a_key_that_is_words_changes_no_text(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of one's own are given any word for a key: replies, recipes and what is shown keep that word."""
    monkeypatch.setenv("OPENAI_API_KEY", value)
    text = f"Is {value} harmful? `{value}.` is no answer"
    assert not is_secret(value)
    assert without_secrets(text) == text
    assert reply_without(text.encode(), value) == text.encode()
    assert secret_in(text) == ""


@pytest.mark.parametrize("value", ["correct-horse-battery-staple", "hunter22", "hf_0123456789", "a" * 32, "0" * 20])
def test_what_could_be_no_words_of_a_text_is_a_secret(value: str) -> None:
    """A passphrase is longer than words that stand for no key."""
    assert is_secret(value)


def test_what_all_keys_of_a_provider_begin_with_is_no_key() -> None:
    """Nor in base64 or hex; with some characters of its own it is."""
    key = "sk-ant-api03-Zx81mQ0aLwJrT5uVb2"
    for text in (key[:13], base64.b64encode(key[:12].encode()).decode(), key[:13].encode().hex()):
        assert masked(f"{text}...", [key]) == f"{text}..."
    assert masked(f"{key[:20]}... was refused", [key], "[key]") == "[key]... was refused"


def test_names_of_models_are_no_keys() -> None:
    """`sk` is the code of Slovak."""
    assert secret_in("slovak/sk-mistral-7b-instruct-classification-v0.1") == ""


def test_a_server_that_repeats_the_beginning_of_a_key_all_the_time_holds_nobody_up() -> None:
    """Each is cut out in one pass over the text: a copy of the text a time, this would take hours."""
    key = "sk-proj-" + "aB3x" * 12
    text = f"{key[:14]}! " * 200_000
    assert masked(text, [key], "") == "! " * 200_000
    assert without_secrets("?key" * 200_000) == "?key" * 200_000


def test_a_reply_that_repeats_the_key_is_the_same_json_without_it() -> None:
    """Within JSON's quotes too, with bytes that are no text left as they are."""
    assert json.loads(reply_without(json.dumps({"a": f"x {KEY} y"}).encode(), KEY)) == {"a": "x [key] y"}
    other = b'{"a": "\xff"}'
    assert reply_without(other, KEY) is other
    assert reply_without(other, None) is other


def test_what_is_secret_in_an_environment_is_told_by_names(tmp_path: Path) -> None:
    """Not a word that is short, and not the place of a file."""
    (tmp_path / "credentials").touch()
    environment = {
        "OPENAI_API_KEY": KEY,
        "HF_TOKEN": "hf_0123456789",
        "A_PASSWORD": "short",
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "credentials"),
        "HOME": "/home/somebody",
    }
    assert held(environment) == {"OPENAI_API_KEY": KEY, "HF_TOKEN": "hf_0123456789"}


def test_a_variable_that_a_model_takes_its_key_from_is_one_whatever_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """`api_key_env: MINE_ALONE` says so, where the name says nothing."""
    monkeypatch.setenv("MINE_ALONE", KEY)
    assert without_secrets(KEY) == KEY
    Endpoint(model="m", base_url="http://127.0.0.1:9/v1", api_key_env="MINE_ALONE")
    assert without_secrets(KEY) == "…"
    assert without_keys({"MINE_ALONE": KEY}) == {}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"with {KEY}", "with …"),
        ("http://me:hunter22@host/v1 failed", "http://…@host/v1 failed"),
        ("https://host/v1?api_key=hunter22&x=1", "https://host/v1?api_key=…&x=1"),
        ("sk-ant-api03-0123456789abcdefghij was refused", "… was refused"),
        ("a task-sk-and-more text", "a task-sk-and-more text"),
    ],
)
def test_what_is_said_holds_no_secret(text: str, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of this environment, users of addresses, keys in queries, and what looks like a key."""
    monkeypatch.setenv("SOME_API_KEY", KEY)
    assert without_secrets(text) == left


def test_a_secret_in_a_text_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable that holds it, or by its look."""
    monkeypatch.setenv("SOME_API_KEY", KEY)
    assert secret_in(f"x{KEY}") == "the value of the environment variable SOME_API_KEY"
    looks = ("hf_" + "a" * 34, "sk-ant-api03-" + "A_b-xYzQw" * 9, "sk-" + "a1b2" * 8, "sk-or-v1-" + "0a" * 32)
    assert {secret_in(f"x: {key}") for key in looks} == {"what looks like a key"}
    assert secret_in("SOME_API_KEY, sk-proj, hf_tokens") == ""


def test_a_training_that_asks_nobody_is_given_no_key() -> None:
    """The hub's only where the hub is asked."""
    environment = {"OPENAI_API_KEY": KEY, "HF_TOKEN": "hf_0123456789", "PATH": "/bin"}
    assert without_keys(environment) == {"HF_TOKEN": "hf_0123456789", "PATH": "/bin"}
    assert without_keys({**environment, "HF_HUB_OFFLINE": "1"}) == {"PATH": "/bin", "HF_HUB_OFFLINE": "1"}
    assert without_keys({"A_PASSWORD": "letmeinplease"}) == {}
