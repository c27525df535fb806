"""Which prompts a round answers, and the policy's answers. Both follow from weights, seed and round alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from solon.data.records import Prompt
from solon.errors import RecipeError
from solon.models.backend.generation import Ask, Written, write
from solon.models.backend.loading import Loaded
from solon.trainers.backend.ppo.episodes import Episodes
from solon.trainers.dataset import Rows, prompts_of


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

    @classmethod
    def joined(cls, shares: Sequence[Rollouts]) -> Rollouts:
        """Those of all processes, each of which wrote every so-manieth, in the round's order."""
        rows = [
            (share, row)
            for row in range(max(len(share.texts) for share in shares))
            for share in shares
            if row < len(share.texts)
        ]
        return Rollouts(
            [share.asked[row] for share, row in rows],
            [share.texts[row] for share, row in rows],
            Episodes(
                [share.episodes.prompts[row] for share, row in rows],
                [share.episodes.responses[row] for share, row in rows],
            ),
            [share.ended[row] for share, row in rows],
        )


def read_prompts(folder: Path, rows: Rows, loaded: Loaded, *, max_new_tokens: int, max_length: int | None) -> Prompts:
    """The training prompts of a dataset, with topic and reference answer where it has them.

    They leave room for a completion: ``length.fitted`` has seen to it, but for that of an encoder-decoder, which stands
    by itself.

    Raises:
        DataError: a prompt is none.
        RecipeError: a completion of ``max_new_tokens`` is longer than an encoder-decoder can write, or may.
    """
    limits = {"the model's context": loaded.context, "train.max_length": max_length}
    for name, limit in limits.items():
        if loaded.apart and limit is not None and max_new_tokens > limit:
            raise RecipeError(
                f"train.max_new_tokens: completions of {max_new_tokens} tokens are longer than {name} of {limit} "
                f"tokens: lower it"
            )
    records = prompts_of(rows.train, str(folder if folder.is_file() else folder / "train.parquet"))
    return Prompts(records, loaded.chat.encode([record.messages for record in records]))


def roll_out(
    loaded: Loaded,
    prompts: Prompts,
    places: Sequence[tuple[int, int]],
    *,
    round_seed: str,
    max_new_tokens: int,
    temperature: float,
    batch_size: int,
    writes: Callable[[Loaded, Sequence[Ask]], list[Written]] = write,
) -> Rollouts:
    """The policy's answers, cut after the token that ends them (N+: nothing behind it is rewarded or learned from).

    ``places`` has for each its number in the round, which its random numbers follow from, and its prompt's place;
    ``writes`` is how the model writes.
    """
    asks = [
        Ask(prompts.tokens[place], max_new_tokens, temperature, seed=_seed(f"{round_seed}:{number}"))
        for number, place in places
    ]
    written = [
        reply for start in range(0, len(asks), batch_size) for reply in writes(loaded, asks[start : start + batch_size])
    ]
    responses = [[*reply.tokens, *([reply.end] if reply.end is not None else [])] for reply in written]
    return Rollouts(
        [prompts.records[place] for _, place in places],
        [loaded.chat.decode(reply.tokens) for reply in written],
        Episodes([list(ask.tokens) for ask in asks], responses),
        [reply.ended for reply in written],
    )


def _shuffled(count: int, seed: str) -> list[int]:
    order = list(range(count))
    Random(seed).shuffle(order)
    return order


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
