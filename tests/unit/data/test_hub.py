"""Addresses on a hub, and what an error of the libraries means."""

from __future__ import annotations

import httpx
import pytest

from solon.data.hub import Address, explained, parse, unanswered
from solon.errors import DataError


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("hf://org/name", Address("org/name")),
        ("hf://name", Address("name")),
        ("hf://org/name:test", Address("org/name", split="test")),
        ("hf://org/name:train[:10%]", Address("org/name", split="train[:10%]")),
        ("hf://org/name@v1.0:test", Address("org/name", revision="v1.0", split="test")),
        ("hf://org/name@refs/pr/1", Address("org/name", revision="refs/pr/1")),
        ("hf://org/name/sft@main:test", Address("org/name", "sft", "main", "test")),
        ("hf:///a/folder/of/mine:test", Address("/a/folder/of/mine", split="test")),
    ],
)
def test_an_address_names_configuration_revision_and_split(address: str, parts: Address):
    """And is written again as it was."""
    assert parse(address) == parts
    assert str(parts) == address


@pytest.mark.parametrize(
    "address", ["hf://", "hf://:test", "hf://a/b/c/d", "hf://org/name/", "hf://org/name@", "hf://@main"]
)
def test_an_address_without_a_name_is_refused_with_the_form(address: str):
    with pytest.raises(DataError, match=r"the address names no dataset .*hf://org/name/config@revision:split"):
        parse(address)


def answered(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://127.0.0.1")
    return httpx.HTTPStatusError("said so", request=request, response=httpx.Response(status, request=request))


def caused(by: Exception) -> Exception:
    error = RuntimeError("Error while uploading")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "what", "silent"),
    [
        (httpx.ReadTimeout("slow"), "cannot be reached", True),
        (httpx.ConnectError("refused"), "cannot be reached", True),
        (caused(httpx.WriteTimeout("slow")), "cannot be reached", True),
        (caused(answered(403)), "not allowed (403)", False),
        (answered(429), "asked too often (429)", False),
        (answered(503), "trouble of its own (503)", False),
        (answered(404), "no such repository, or it is private (404)", False),
        (ValueError("Unknown split"), "Unknown split", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_says_what_it_was_at_the_hub(
    monkeypatch: pytest.MonkeyPatch, error: Exception, what: str, silent: bool
):
    """Also where the library has put its own error around it."""
    monkeypatch.setenv("HF_TOKEN", "hf_some")
    assert what in explained(error)[0]
    assert unanswered(error) is silent
