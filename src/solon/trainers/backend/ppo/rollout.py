"""Which prompts a round answers, and the policy's answers. Both follow from weights, seed and round alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from solon.data.records import Message, Prompt
from solon.errors import DataError, Problem
from solon.models.backend.generation import Ask, write
from solon.models.backend.loading import Loaded
from solon.trainers.backend.ppo.policy import Episodes
from solon.trainers.dataset import Rows


@dataclass(frozen=True)
class Prompts:
    """The prompts to be answered, as records and as tokens."""

    records: Sequence[Prompt]
    tokens: Sequence[Sequence[int]]

    def of_round(self, number: int, size: int, seed: int) -> list[int]:
        """The places of the prompts that a round answers: every prompt once before any comes again."""
        count = len(self.records)
        places = []
        for place in range(number * size, (number + 1) * size):
            turn, position = divmod(place, count)
            places.append((turn, position))
        orders = {turn: _shuffled(count, f"{seed}:prompts:{turn}") for turn, _ in places}
        return [orders[turn][position] for turn, position in places]


@dataclass(frozen=True)
class Rollouts:
    """What was answered in a round.

    Attributes:
        asked: the prompts.
        texts: the completions, without control tokens: what is rewarded.
        episodes: both as tokens; the end token is part of the response.
        ended: whether each completion ended by itself, and not at the limit.
    """

    asked: Sequence[Prompt]
    texts: Sequence[str]
    episodes: Episodes
    ended: Sequence[bool]

    def at(self, rows: Sequence[int]) -> Rollouts:
        """Those of ``rows``."""
        return Rollouts(
            [self.asked[row] for row in rows],
            [self.texts[row] for row in rows],
            self.episodes.at(rows),
            [self.ended[row] for row in rows],
        )


def read_prompts(folder: Path, rows: Rows, loaded: Loaded, *, max_new_tokens: int, max_length: int | None) -> Prompts:
    """The training prompts of a dataset, with topic and reference answer where it has them.

    Raises:
        DataError: a prompt is not one, or leaves no room for a completion of ``max_new_tokens``.
    """
    file = folder if folder.is_file() else folder / "train.parquet"
    records = [_prompt(row, file, number) for number, row in enumerate(rows.train.to_pylist(), start=1)]
    tokens = loaded.chat.encode([record.messages for record in records])
    limits = [(loaded.context, "the model's context"), (max_length, "train.max_length")]
    limit, name = min(((value, name) for value, name in limits if value is not None), default=(None, ""))
    too_long = [len(ids) for ids in tokens if limit is not None and len(ids) + max_new_tokens > limit]
    if too_long:
        what = (
            f"{len(too_long)} of {len(tokens)} prompts and completions of {max_new_tokens} tokens are longer than "
            f"{name} of {limit} tokens; the longest prompt has {max(too_long)}"
        )
        raise DataError([Problem(str(file), what, "lower train.max_new_tokens, or leave those prompts out")])
    return Prompts(records, tokens)


def roll_out(
    loaded: Loaded,
    prompts: Prompts,
    places: Sequence[int],
    *,
    round_seed: str,
    max_new_tokens: int,
    temperature: float,
    batch_size: int,
) -> Rollouts:
    """The policy's answers to the prompts at ``places``, cut after the token that ends them."""
    asks = [
        Ask(prompts.tokens[place], max_new_tokens, temperature, seed=_seed(f"{round_seed}:{number}"))
        for number, place in enumerate(places)
    ]
    written = [
        reply for start in range(0, len(asks), batch_size) for reply in write(loaded, asks[start : start + batch_size])
    ]
    responses = [[*reply.tokens, *([reply.end] if reply.end is not None else [])] for reply in written]
    return Rollouts(
        [prompts.records[place] for place in places],
        [loaded.chat.decode(reply.tokens) for reply in written],
        Episodes([list(ask.tokens) for ask in asks], responses),
        [reply.ended for reply in written],
    )


def _prompt(row: dict[str, Any], file: Path, number: int) -> Prompt:
    said = row["prompt"]
    try:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
        details = {name: row.get(name) for name in ("topic", "reference")}
        return Prompt(messages=tuple(Message.model_validate(message) for message in messages), **details)
    except ValueError as error:
        first = str(error).strip().split("\n")[0]
        remedy = "a prompt is a text, or a list of messages with `role` and `content`"
        raise DataError([Problem(f"{file}, row {number}", f"the prompt is none: {first}", remedy)]) from None


def _shuffled(count: int, seed: str) -> list[int]:
    order = list(range(count))
    Random(seed).shuffle(order)
    return order


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
