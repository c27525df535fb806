"""Counting tokens before training: a row that does not fit is refused, or made to fit, and never without a word."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from solon.data.records import Task
from solon.errors import DataError, Problem
from solon.models.backend.loading import Loaded
from solon.trainers.backend.answered import answered
from solon.trainers.dataset import Rows, prompts_of
from solon.trainers.fitting import Fitted, fit_rows
from solon.trainers.gradient import GradientTrainer
from solon.trainers.groups import GroupTrainer

_MAX_LENGTH = ("train.max_length", "raise it")
_RESPONSES = ("chosen", "rejected", "completion")
_AT_ONCE = 1024  # rows: enough for the tokenizer to be fast, few enough to hold


def fitted(settings: GradientTrainer, rows: Rows, loaded: Loaded, dataset: Path) -> tuple[Rows, dict[str, float]]:
    """The rows that fit into ``settings.max_length`` tokens and into the model's context, as ``too_long`` asks.

    Prompt and each response have to fit together; of an encoder-decoder, which reads them apart, each by itself. A
    prompt that the policy is to answer has to leave room for the longest answer.

    Returns:
        The rows; and how many were left out (``rows/left_out``), or have a shorter prompt (``rows/cut``), where any.

    Raises:
        DataError: some do not fit; says how many of which file, how long the longest is, and what to do.
    """
    context = math.inf if loaded.context is None else loaded.context
    limit = min(math.inf if settings.max_length is None else settings.max_length, context)
    if limit == math.inf:
        return rows, {}
    answers = settings.consumes is Task
    room = (settings.longest_completion or 0) if answers and not loaded.apart else 0
    splits = {"train": rows.train} if answers else {"train": rows.train, "test": rows.test}
    done: dict[str, Fitted] = {}
    problems = []
    for split, table in splits.items():
        if table is None:
            continue
        file = dataset if dataset.is_file() else dataset / f"{split}.parquet"
        measure = partial(
            _lengths, loaded=loaded, where=str(file), room=room, by_trl=isinstance(settings, GroupTrainer)
        )
        done[split] = fit_rows(table, limit, measure, settings.too_long)
        if too_long := done[split].too_long:
            what, remedy = _said(settings, len(too_long), table.num_rows, limit, context, max(too_long), room)
            problems.append(Problem(str(file), what, remedy))
        elif not done[split].table.num_rows and split == "train":
            what = f"all of its {table.num_rows} rows are longer than {limit} tokens, so that none is left"
            problems.append(Problem(str(file), what, "raise train.max_length, or take a policy that reads more"))
    if problems:
        raise DataError(problems)
    changed = {"rows/left_out": sum(each.left_out for each in done.values())}
    changed["rows/cut"] = sum(each.cut for each in done.values())
    test = done["test"].table if "test" in done and done["test"].table.num_rows else None
    kept = replace(rows, train=done["train"].table, test=rows.test if answers else test)
    return kept, {name: float(count) for name, count in changed.items() if count}


def _said(
    settings: GradientTrainer, count: int, of: int, limit: float, context: float, longest: int, room: int
) -> tuple[str, str]:
    """What is wrong, and what to do."""
    others = {"refuse": "set train.too_long: cut_prompt, or leave_out", "cut_prompt": "set train.too_long: leave_out"}
    other = others.get(settings.too_long, "")
    if room:
        what = (
            f"{count} of {of} prompts leave no room for a completion of train.max_new_tokens {room} within {limit} "
            f"tokens; the longest has {longest - room}"
        )
        return what, f"lower train.max_new_tokens, or {other}"
    name, remedy = ("the model's context", "take a policy with a longer one") if limit == context else _MAX_LENGTH
    rows = "prompts" if settings.consumes is Task else "rows"
    return f"{count} of {of} {rows} are longer than {name} of {limit} tokens; the longest has {longest}", (
        f"{remedy}, or {other}"
    )


def _lengths(table: pa.Table, *, loaded: Loaded, where: str, room: int, by_trl: bool) -> list[int]:
    """Tokens of prompt and longest response, row by row, as TRL makes them, or the longer of both.

    Where there are no responses, those of the prompt, its opening of the answer included, and ``room``; a trainer
    ``by_trl`` reads prompts as TRL does.
    """
    responses = [name for name in _RESPONSES if name in table.column_names]
    if loaded.apart and responses:
        return [max(map(len, row)) for row in answered(table, loaded, where=where)]
    if not responses:
        return [len(ids) + room for ids in _asked(table, loaded, where=where, by_trl=by_trl)]
    lengths: list[int] = []
    for batch in table.to_batches(max_chunksize=_AT_ONCE):
        rows = batch.to_pylist()
        counts = [_count([row["prompt"] + row[name] for row in rows], loaded.tokenizer) for name in responses]
        lengths += map(max, zip(*counts, strict=True))
    return lengths


def _asked(table: pa.Table, loaded: Loaded, *, where: str, by_trl: bool) -> list[list[int]]:
    """Tokens of each prompt as the trainer reads it: TRL a text as it stands, ours as what a user says."""
    if not by_trl:
        return loaded.chat.encode([prompt.messages for prompt in prompts_of(table, where)])
    found: list[list[int]] = []
    for batch in table.select(["prompt"]).to_batches(max_chunksize=_AT_ONCE):
        prompts = [row["prompt"] for row in batch.to_pylist()]
        if isinstance(prompts[0], str):
            found += loaded.tokenizer(prompts)["input_ids"]
            continue
        options = {"tokenize": True, "return_dict": True, "add_generation_prompt": True}
        found += loaded.tokenizer.apply_chat_template(prompts, **options)["input_ids"]
    return found


def _count(texts: list[Any], tokenizer: Any) -> list[int]:
    if isinstance(texts[0], str):
        return [len(ids) + 1 for ids in tokenizer(texts)["input_ids"]]  # and the end token that TRL adds
    encoded = tokenizer.apply_chat_template(texts, tokenize=True, return_dict=True)
    return [len(ids) for ids in encoded["input_ids"]]
