"""Whether requests fit a model's context: told for a whole batch before anything of it is computed."""

from __future__ import annotations

from collections.abc import Sequence

from solon.errors import PromptTooLong
from solon.models.base import Request


def check_lengths(
    context: int, requests: Sequence[Request], prompts: Sequence[Sequence[int]], *, apart: bool = False
) -> None:
    """Refuses a batch in which some prompts and the replies to them may not fit.

    Args:
        context: the most tokens of prompt and reply together, or of each where ``apart``.
        requests: say how long their replies may be.
        prompts: the tokens of each request's prompt.
        apart: whether prompt and reply are read apart, by an encoder and a decoder, and each may take ``context``.

    Raises:
        PromptTooLong: ``places`` says which do not fit.
    """
    together = max if apart else sum
    needs = [together((len(prompt), request.max_tokens)) for request, prompt in zip(requests, prompts, strict=True)]
    places = [place for place, need in enumerate(needs) if need > context]
    if places:
        first = places[0]
        raise PromptTooLong(
            f"a prompt of {len(prompts[first])} tokens and a reply of up to {requests[first].max_tokens} do not fit "
            f"into the model's {context}: shorten the prompt or lower max_tokens",
            places=places,
        )
