"""Writing replies: one token a step for a whole batch, each row with its own seed, temperature, and limit.

A loop of our own and not ``model.generate``, for two reasons. A row must not depend on its neighbours: ``generate``
pads on the left to the longest, which moves every sum by a few bits, and draws all rows from one random stream. And
rows that have ended leave the batch here, instead of being computed until the last one ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from solon.models.backend.forward import only_full_attention, padded_rows
from solon.models.backend.loading import Loaded
from solon.models.backend.seq2seq import EncoderDecoder
from solon.models.backend.slots import Aligned, Growing


@dataclass(frozen=True)
class Ask:
    """One reply to write.

    Attributes:
        tokens: the prompt's, which an encoder-decoder's encoder reads.
        max_tokens: at most so many, the end token included.
        temperature: 0 is greedy.
        top_p: samples from the most likely tokens that together have at least this probability (Holtzman et al. 2019,
            arXiv:1904.09751).
        seed: of this row's random numbers, of which step ``i`` uses the ``i``-th: a non-negative 63-bit number.
        watched: tokens whose log-probability as the first token is wanted.
    """

    tokens: Sequence[int]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    watched: Sequence[int] = ()


@dataclass
class Written:
    """What was written: tokens without the end token, whether and which there was, what was asked about the first."""

    tokens: list[int] = field(default_factory=list)
    ended: bool = False
    watched: list[float] = field(default_factory=list)
    end: int | None = None


def write(loaded: Loaded, asks: Sequence[Ask]) -> list[Written]:
    """Replies to all of ``asks``, in their order.

    Raises:
        ModelRejected: the model's scores are not numbers.
    """
    if not asks:
        return []
    with torch.inference_mode():
        batch = _kind(loaded)(loaded, [ask.tokens for ask in asks])
        written = [Written() for _ in asks]
        scores = batch.first()
        for ask, row, reply in zip(asks, scores, written, strict=True):
            reply.watched = log_probs_of(row, ask.watched)
        rows = padded_rows(loaded, range(len(asks)))
        keep = torch.tensor(rows, device=loaded.device)
        batch.keep(keep)
        draws = Draws.of(asks, loaded.device).at(keep)
        tokens = draws.choose(scores[keep], 0)
        for step in range(1, max(ask.max_tokens for ask in asks) + 1):
            going = _book(loaded, asks, written, rows, tokens.tolist())
            if not going:
                break
            kept = padded_rows(loaded, going)
            if len(kept) <= 0.8 * len(rows):  # compacting copies the cache, so not for every row that ends
                keep = torch.tensor(kept, device=loaded.device)
                batch.keep(keep)
                rows, draws, tokens = [rows[index] for index in kept], draws.at(keep), tokens[keep]
            tokens = draws.choose(batch.next(tokens), step)
    return written


def _kind(loaded: Loaded) -> type[Aligned | Growing | EncoderDecoder]:
    """How the model's batches are kept while they are written."""
    if loaded.apart:
        return EncoderDecoder
    return Aligned if only_full_attention(loaded.network) else Growing


def _book(
    loaded: Loaded, asks: Sequence[Ask], written: Sequence[Written], rows: Sequence[int], tokens: Sequence[int]
) -> list[int]:
    """Adds each row's token to its reply; returns the places of the rows that go on, each reply once."""
    going: dict[int, int] = {}
    booked: set[int] = set()
    for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
        reply = written[row]
        if row in booked or reply.ended or len(reply.tokens) == asks[row].max_tokens:
            continue  # a row that fills the block, or one that has ended
        booked.add(row)
        if token in loaded.chat.eos_ids:
            reply.ended, reply.end = True, token
            continue
        reply.tokens.append(token)
        if len(reply.tokens) < asks[row].max_tokens:
            going[row] = place
    return list(going.values())


def log_probs_of(scores: torch.Tensor, tokens: Sequence[int]) -> list[float]:
    """Log-probabilities (nats, temperature 1) of ``tokens`` under the scores of one place, shape (vocabulary,)."""
    if not tokens:
        return []
    wide = scores.double()
    chosen = wide[list(tokens)] - wide.logsumexp(-1)
    return [min(0.0, value) for value in chosen.tolist()]


@dataclass(frozen=True)
class Draws:
    """What each row needs to choose its tokens.

    Attributes:
        uniform: shape (rows, steps), in [0, 1): made on the CPU, so that a seed means the same on every device.
        temperature: shape (rows, 1), 1 where the row is greedy; ``greedy``: shape (rows,).
        top_p: shape (rows, 1).
        sampling, nucleus: whether any row samples at all, or has a ``top_p`` below 1.
    """

    uniform: torch.Tensor
    temperature: torch.Tensor
    greedy: torch.Tensor
    top_p: torch.Tensor
    sampling: bool
    nucleus: bool

    @classmethod
    def of(cls, asks: Sequence[Ask], device: torch.device) -> Draws:
        """Those of ``asks``, in their order."""
        steps = max(ask.max_tokens for ask in asks)
        uniform = torch.zeros(len(asks), steps, dtype=torch.float64)
        for row, ask in enumerate(asks):
            if ask.temperature > 0:
                generator = torch.Generator().manual_seed(ask.seed)
                uniform[row, : ask.max_tokens] = torch.rand(ask.max_tokens, generator=generator, dtype=torch.float64)
        temperature = torch.tensor([[ask.temperature] for ask in asks], dtype=torch.float64, device=device)
        greedy = temperature[:, 0] == 0
        top_p = torch.tensor([[ask.top_p] for ask in asks], dtype=torch.float64, device=device)
        return cls(
            uniform=uniform.to(device),
            temperature=torch.where(greedy[:, None], 1.0, temperature),
            greedy=greedy,
            top_p=top_p,
            sampling=not bool(greedy.all()),
            nucleus=bool((top_p < 1).any()),
        )

    def at(self, rows: torch.Tensor) -> Draws:
        """Those of ``rows`` only."""
        return Draws(
            uniform=self.uniform[rows],
            temperature=self.temperature[rows],
            greedy=self.greedy[rows],
            top_p=self.top_p[rows],
            sampling=self.sampling,
            nucleus=self.nucleus,
        )

    def choose(self, scores: torch.Tensor, step: int) -> torch.Tensor:
        """One token a row from scores of shape (rows, vocabulary), by inverting the cumulative distribution.

        Double precision, so that a token is drawn with its probability and the last bits of the scores decide almost
        never.
        """
        likeliest = scores.argmax(dim=-1)
        if not self.sampling:
            return likeliest
        probability = (scores.double() / self.temperature).softmax(dim=-1)
        order = None
        if self.nucleus:
            probability, order = probability.sort(dim=-1, descending=True, stable=True)
            before = probability.cumsum(dim=-1) - probability
            # the likeliest always stays; 1 keeps all, whatever rounding says
            probability = torch.where((before >= self.top_p) & (self.top_p < 1), 0.0, probability)
        cumulative = probability.cumsum(dim=-1)
        threshold = self.uniform[:, step : step + 1] * cumulative[:, -1:]
        drawn = torch.searchsorted(cumulative, threshold, right=True).clamp(max=scores.shape[-1] - 1)
        if order is not None:
            drawn = order.gather(-1, drawn)
        return torch.where(self.greedy, likeliest, drawn[:, 0])
