"""What a tiny model is taught with: conversations as rows of tokens, a fit, answers to look at, and saving.

The models that come with the examples are made with it, from nothing and in minutes of one core::

    repeatable()
    tokenizer = tiny_tokenizer(texts, vocab_size=400, context=256, padding_side="left")
    torch.manual_seed(0)
    model = new_llama(tokenizer, hidden_size=96, layers=2, heads=4, ffn_size=288, context=256, spread=0.05)
    fit("policy", model, loss, steps=400, matrix_rate=0.02, rate=6e-3)
    save(model, tokenizer, folder)

where ``loss`` draws questions and answers and ends in
``ids, labels = padded(answered(tokenizer, asked(questions), answers), tokenizer.pad_token_id)`` and
``return model(input_ids=ids, labels=labels).loss``. ``tiny_tokenizer`` and ``new_llama`` are those of
``solon.testing.tiny``. A tiny T5 is fitted and saved by the same. Needs the ``train`` extra.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""The label of a token that does not count: what cross-entropy leaves out."""

NO_MATRICES = ("embed", "shared", "bias")
"""What the names of embeddings and biases hold, Llama's and T5's: tables of two dimensions, but no matrices."""

Row = tuple[list[int], list[int]]
"""A text's tokens, and as many labels."""


def repeatable() -> None:
    """From here on the same seed gives the same bytes, on the same machine with the same versions.

    Torch has one thread and deterministic algorithms; and transformers shows no progress bars.
    """
    import torch
    from transformers.utils.logging import disable_progress_bar

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    disable_progress_bar()


def asked(prompts: Iterable[str]) -> list[list[dict[str, str]]]:
    """A conversation for each prompt: one turn of the user."""
    return [[{"role": "user", "content": prompt}] for prompt in prompts]


def answered(tokenizer: Any, conversations: Sequence[Sequence[Mapping[str, str]]], answers: Sequence[str]) -> list[Row]:
    """The tokens of each conversation with its answer, of which only the answer and its end token have labels.

    Args:
        tokenizer: with a chat template.
        conversations: turns with ``role`` and ``content``, the last one the user's.
        answers: one for each.
    """
    chats = [list(turns) for turns in conversations]
    read = tokenizer.apply_chat_template(chats, add_generation_prompt=True, return_dict=True)["input_ids"]
    written = [[*ids, tokenizer.eos_token_id] for ids in tokenizer(list(answers))["input_ids"]]
    return [
        ([*before, *answer], [*([IGNORED] * len(before)), *answer])
        for before, answer in zip(read, written, strict=True)
    ]


def padded(rows: Sequence[Row], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels, both [rows, longest].

    Padded on the right: the model is causal and padding has no label, so that no attention mask is needed.

    Args:
        rows: at least one.
        pad: the id of the padding token.
    """
    import torch

    width = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), width), pad)
    labels = torch.full((len(rows), width), IGNORED)
    for place, (read, counted) in enumerate(rows):
        ids[place, : len(read)] = torch.tensor(read)
        labels[place, : len(counted)] = torch.tensor(counted)
    return ids, labels


def fit(
    name: str,
    model: Any,
    loss: Callable[[], torch.Tensor],
    *,
    steps: int,
    matrix_rate: float,
    rate: float,
    warm_up: int = 30,
    also: Iterable[torch.nn.Parameter] = (),
    report_every: int = 100,
    say: Callable[[str], object] = print,
) -> None:
    """Minimises ``loss``, which draws a batch of its own at each call.

    Muon (Jordan et al. 2024) for the matrices inside the layers, AdamW for embeddings, biases and norms; gradients of
    norm 1 at most; a short linear warm-up, then a cosine. With AdamW alone the quickstart's judges learn clearly less
    in the same steps.

    Args:
        name: for the lines of progress.
        model: a Llama or a T5, whose parameters are fitted; in evaluation mode afterwards.
        loss: gives the loss of the next batch, with its graph; or several in one tensor, [losses], whose sum counts.
        steps: how many batches.
        matrix_rate: Muon's highest learning rate.
        rate: AdamW's highest learning rate.
        warm_up: steps of it.
        also: parameters outside the model to fit along with it, by AdamW.
        report_every: steps from one line of progress, with the mean loss since the last one, to the next.
        say: takes these lines.
    """
    import torch

    inside: list[torch.Tensor] = []
    outside: list[torch.Tensor] = []
    for key, weight in model.named_parameters():
        is_matrix = weight.ndim == 2 and not any(part in key for part in NO_MATRICES)
        (inside if is_matrix else outside).append(weight)
    outside += also
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(inside, lr=matrix_rate, weight_decay=0.01),
        torch.optim.AdamW(outside, lr=rate, weight_decay=0.01, betas=(0.9, 0.98)),
    ]

    def share_of_rate(step: int) -> float:
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))

    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, share_of_rate) for optimizer in optimizers]
    model.train()
    recent: list[list[float]] = []
    for step in range(1, steps + 1):
        losses = loss()
        recent.append(losses.reshape(-1).tolist())
        losses.sum().backward()
        torch.nn.utils.clip_grad_norm_([*inside, *outside], 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        if step % report_every == 0 or step == steps:
            means = ", ".join(f"{sum(some) / len(some):.3f}" for some in zip(*recent, strict=True))
            say(f"  {name}: step {step} of {steps}, loss {means}")
            recent.clear()
    model.eval()


def sample(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    temperature: float,
    batch: int = 256,
    max_tokens: int = 48,
) -> list[str]:
    """One answer to each prompt: greedy at temperature 0, otherwise drawn from torch's global random numbers.

    Args:
        model: a causal model.
        tokenizer: with a chat template; pads on the left.
        prompts: of the user, one turn each.
        temperature: 0 or above.
        batch: so many prompts at a time; with another number other answers are drawn.
        max_tokens: of an answer.
    """
    import torch

    drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    answers: list[str] = []
    for start in range(0, len(prompts), batch):
        inputs = tokenizer.apply_chat_template(
            asked(prompts[start : start + batch]),
            add_generation_prompt=True,
            return_dict=True,
            padding=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            written = model.generate(**inputs, max_new_tokens=max_tokens, **drawn)
        answers += tokenizer.batch_decode(written[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return answers


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Writes what ``from_pretrained`` reads, the weights in bfloat16. Leaves the model as it is."""
    import torch
    from transformers import GenerationConfig

    halved = type(model)(model.config).to(torch.bfloat16)
    halved.load_state_dict(model.state_dict())
    halved.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
        do_sample=True,
        temperature=1.0,
        top_k=0,
    )
    halved.save_pretrained(folder)
    tokenizer.save_pretrained(folder, save_jinja_files=False)
