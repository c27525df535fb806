"""How long requests take at least, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from solon.models.endpoint import Endpoint
from solon.planning.times import Work, seconds_a_request, total


def work(
    stage: str = "label", *, requests: float = 600, tokens: float = 60_000, seconds: float = 2, **model: Any
) -> Work:
    settings = {"model": "m", "base_url": "https://api.example.com/v1", "concurrency": 10, **model}
    return Work(stage, Endpoint.model_validate(settings), requests, tokens, seconds)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 120.0),  # 600 x 2 s, 10 at a time
        ({"requests_per_minute": 100}, 360.0),
        ({"requests_per_minute": 1000}, 120.0),
        ({"tokens_per_minute": 10_000}, 360.0),
        ({"requests_per_minute": 100, "tokens_per_minute": 5_000}, 720.0),
    ],
)
def test_the_slowest_limit_decides(limits: dict[str, int], expected: float):
    """Whatever the others allow."""
    assert work(**limits).seconds == pytest.approx(expected)


def test_a_reply_takes_two_seconds_or_as_long_as_it_is_written():
    """50 tokens a second."""
    assert (seconds_a_request(16), seconds_a_request(1000)) == (2.0, 20.0)


def test_a_provider_s_limits_are_shared():
    """Two models at one server: 1,200 requests at 100 a minute."""
    limit = {"requests_per_minute": 100}
    assert total([work(**limit), work(model="other", **limit)]) == pytest.approx(720.0)


def test_providers_work_at_the_same_time_and_stages_one_after_the_other():
    """The slower of two servers, 360 s, and then 120 s."""
    slow = work(base_url="https://slow.example.com/v1", requests_per_minute=100)
    assert total([work(), slow, work("evaluate")]) == pytest.approx(480.0)


def test_nothing_takes_no_time():
    """A recipe without remote models has nothing to wait for."""
    assert total([]) == 0.0
