"""What the errors of providers mean, told by what they say."""

from __future__ import annotations

import pytest

from solon.models.wire import is_too_long


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens",
        "The input token count (40000) exceeds the maximum number of tokens allowed (32768)",
    ],
)
def test_a_prompt_that_does_not_fit_is_a_failure_of_its_own_question(said: str) -> None:
    """In the words of OpenAI, Anthropic, TGI and Gemini."""
    assert is_too_long(said, "")


def test_another_field_that_is_too_long_is_not_the_prompt() -> None:
    """The same error would meet every question, so the stage must stop and not fail its rows one by one."""
    said = "Invalid 'user': string too long. Expected a string with maximum length 64, but got a string with length 90."
    assert not is_too_long(said, "string_above_max_length")
