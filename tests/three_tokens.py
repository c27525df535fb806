"""A policy whose next-token probabilities are known, and the trainers on TRL that are made of it as solon makes them.

It is a Llama whose blocks do nothing, so that the next token depends on the last one alone. Asked `q` it answers `ab`
and its end with 1/2 a token, 1/8 in all; `ba` and its end with 1/4 a token, 1/64 in all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from solon.testing.tiny import tiny_llama
from solon.trainers.base import Job, Policy
from solon.trainers.dataset import Rows
from solon.trainers.gradient import GradientTrainer
from solon.trainers.rewards import Score

Chain = Mapping[str, Mapping[str, float]]
NEXT: Chain = {"q": {"a": 1 / 2, "b": 1 / 4}, "a": {"b": 1 / 2, "end": 1 / 4}, "b": {"end": 1 / 2, "a": 1 / 4}}
"""P(token | the token before); what is left goes to the pad token."""
PAIR = {"prompt": "q", "chosen": "ab", "rejected": "ba"}


def write_policy(folder: Path, follows: Chain = NEXT) -> Path:
    """Makes it in a folder, by setting the weights of a random Llama. Any token may follow any other, as told."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tiny_llama(folder, layers=1)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(torch.zeros_like(model.lm_head.weight))
    ids = token_ids(folder, dict.fromkeys((*follows, *(token for after in follows.values() for token in after))))
    width = model.config.hidden_size
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "layers" in name or "embed" in name:
                weight.zero_()
        model.lm_head.weight.fill_(-40 / math.sqrt(width))  # as good as never
        for place, (letter, after) in enumerate(follows.items()):
            model.model.embed_tokens.weight[ids[letter], place] = 1e3  # after the norm: the root of the width
            for token, share in after.items():
                model.lm_head.weight[ids[token], place] = math.log(share) / math.sqrt(width)
            if (rest := 1 - sum(after.values())) > 0:
                model.lm_head.weight[tokenizer.pad_token_id, place] = math.log(rest) / math.sqrt(width)
        model.model.norm.weight.fill_(1.0)
    model.save_pretrained(folder)
    return folder


def token_ids(folder: Path, letters: Iterable[str] = "qab") -> dict[str, int]:
    """The ids of the letters, each of which is a token, and of the end."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return {letter: tokenizer.encode(letter)[0] for letter in letters} | {"end": tokenizer.eos_token_id}


def prepared(
    settings: GradientTrainer, policy: Path, rows: list[dict[str, Any]], folder: Path, *, adapter: Path | None = None
) -> Any:
    """What solon makes a trainer on TRL of: the policy, loaded as that trainer loads it, and the rows."""
    from solon.trainers.backend import reward, trl

    job = Job(
        policy=Policy(model=str(policy), adapter=None if adapter is None else str(adapter), threads=1),
        dataset=folder,
        out=folder,
        seed=0,
        report=lambda step, steps, metrics: None,
        kept=folder,
        go_on_from=lambda step: {},
    )
    load = reward.load_with_head if settings.kind == "reward" else trl.load_policy
    loaded = load(job.policy, full=settings.lora is None)
    return trl.Prepared(settings, job, loaded, Rows("rows", pa.Table.from_pylist(rows), None))


def trainer_of(
    settings: GradientTrainer,
    policy: Path,
    rows: list[dict[str, Any]],
    folder: Path,
    *,
    adapter: Path | None = None,
    score: Score | None = None,
) -> Any:
    """TRL's trainer, as solon makes it.

    Args:
        settings: solon's trainer.
        policy: the folder of the model.
        rows: what it learns from.
        folder: for its files.
        adapter: of the policy.
        score: rewards completions, for those that sample.
    """
    from solon.trainers.backend import grpo, kto, preference, reward, sft

    made = prepared(settings, policy, rows, folder, adapter=adapter)
    match settings.kind:
        case "dpo":
            return preference.dpo_trainer(settings, made)
        case "kto":
            return kto.kto_trainer(settings, made)
        case "sft":
            return sft.sft_trainer(made)
        case "grpo":
            return grpo.grpo_trainer(settings, made, score)
        case "rloo":
            return grpo.rloo_trainer(settings, made, score)
        case _:
            return reward.reward_trainer(settings, made)
