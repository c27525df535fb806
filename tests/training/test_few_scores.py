"""No trainer makes the scores of a whole batch, and its likelihoods are those of the model that does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from accelerate.state import AcceleratorState
from peft import get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import CohereConfig, CohereForCausalLM, Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel

import in_process
from in_two import in_two
from rewarding import CONSTITUTION
from solon.models.backend.loading import load
from solon.plugins.registry import load as plugin
from solon.testing.tiny import tiny_llama
from solon.trainers.backend import few_scores, scores
from solon.trainers.backend.network import adapters
from solon.trainers.backend.scores import likelihoods, likelihoods_of_rows
from solon.trainers.base import Judging, Lora

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
VOCABULARY = 261
AT_ONCE = 40 * VOCABULARY
"""Scores of 40 tokens: the smallest batch here has 128."""
OF_TRL = 256 * VOCABULARY
"""What TRL's own loss for SFT has at once."""


def test_likelihoods_and_entropies_are_those_of_the_softmax_in_one_piece_or_several():
    """Values and gradients; at temperature 2, scores are halved first."""
    torch.manual_seed(0)
    head, hidden = torch.nn.Linear(8, 13), torch.randn(7, 8, requires_grad=True)
    tokens = torch.randint(13, (7,))
    logs = (head(hidden) / 2).log_softmax(-1)
    expected, entropy = logs[torch.arange(7), tokens], -(logs.exp() * logs).sum(-1)
    wanted = [torch.autograd.grad(found.sum(), hidden, retain_graph=True)[0] for found in (expected, entropy)]
    for at_once in (None, 2 * 13):
        asked = {"vocabulary": 13, "temperature": 2.0, "at_once": at_once}
        found, watched = likelihoods(head, hidden, tokens, entropy="watched", **asked)
        assert not watched.requires_grad
        _, learned = likelihoods(head, hidden, tokens, entropy="learned", **asked)
        for each, gradient in zip((found, learned), wanted, strict=True):
            torch.testing.assert_close(torch.autograd.grad(each.sum(), hidden)[0], gradient)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(watched, entropy)
        torch.testing.assert_close(learned, entropy)
        alone, none = likelihoods(head, hidden, tokens, **asked)
        torch.testing.assert_close(alone, expected)
        assert none.shape == (0,)


def test_scores_are_made_a_few_at_a_time_with_the_same_gradient():
    """What is held is bounded, however many tokens there are: here a token at a time, out of five."""
    layer, hidden = torch.nn.Linear(4, 7), torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    seen, gradients = [], []

    def made(states):
        seen.append(len(states))
        return layer(states)

    for at_once in (None, 7):
        layer.zero_grad()
        found, _ = likelihoods(made, hidden, torch.tensor([0, 1, 2, 3, 6]), vocabulary=7, at_once=at_once)
        found.sum().backward()
        gradients.append(layer.weight.grad.clone())
    assert seen == [5] + [1] * 5 + [1] * 5  # at once; then one by one, and again for the gradient
    assert torch.allclose(*gradients, atol=1e-6)


@pytest.mark.parametrize(("scores_are", "given"), [("bfloat16", "float32"), ("float64", "float64")])
def test_likelihoods_have_at_least_32_bits(scores_are, given):
    """Those of 16 are off by a hundredth of a nat; a comparison in 64 keeps them."""
    hidden = torch.randn(3, 5, dtype=getattr(torch, scores_are))
    found, entropies = likelihoods(lambda states: states, hidden, torch.arange(3), vocabulary=5, entropy="watched")
    assert found.dtype == entropies.dtype == getattr(torch, given)


SMALL = {"vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2}
MODELS = {
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**SMALL, **HEADS, head_dim=8, final_logit_softcapping=3.0)),
    "cohere": lambda: CohereForCausalLM(CohereConfig(**SMALL, **HEADS, logit_scale=0.25)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=31, n_embd=16, n_layer=2, n_head=2, n_positions=16)),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_rows_filled_up_at_either_end_have_the_likelihoods_of_each_row_alone(name):
    """With what some models do to their scores, and with places counted from a row's first token."""
    torch.manual_seed(0)
    network = MODELS[name]().eval()
    long, short = torch.randint(3, 31, (7,)), torch.randint(3, 31, (5,))
    ids, seen, mask = torch.zeros(2, 9, dtype=torch.long), torch.zeros(2, 9), torch.zeros(2, 9)
    for row, (tokens, start) in enumerate([(long, 0), (short, 3)]):
        ids[row, start : start + len(tokens)] = tokens
        seen[row, start : start + len(tokens)] = 1
        mask[row, start + 2 : start + len(tokens)] = 1
    found, entropies = likelihoods_of_rows(network, ids, seen, mask)
    for row, (tokens, start) in enumerate([(long, 0), (short, 3)]):
        logs = network(tokens[None]).logits[0].log_softmax(-1)[1:-1]
        here = slice(start + 2, start + len(tokens))
        torch.testing.assert_close(found[row, here], logs.gather(-1, tokens[2:, None])[:, 0])
        torch.testing.assert_close(entropies[row, here], -(logs.exp() * logs).sum(-1))
    assert not found[mask == 0].any()


# ---------------------------------------------------------------- the trainers


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64, spread=0.3)


def asked(number: int) -> list[dict[str, str]]:
    """A prompt."""
    return [{"role": "user", "content": f"Is {number} a number?"}]


def said(text: str) -> list[dict[str, str]]:
    """A completion."""
    return [{"role": "assistant", "content": text}]


ROWS = {
    "preferences": [{"prompt": asked(n), "chosen": said("yes"), "rejected": said("no" * (n % 3))} for n in range(64)],
    "ratings": [{"prompt": asked(n), "completion": said("yes" * (n % 4)), "label": n % 2 > 0} for n in range(64)],
    "demonstrations": [{"prompt": asked(n), "completion": said("yes" * (n % 4))} for n in range(64)],
    "prompts": [{"prompt": asked(10 ** (n % 5))} for n in range(64)],
}
LEARNS_FROM = {
    "sft": "demonstrations",
    "dpo": "preferences",
    "simpo": "preferences",
    "orpo": "preferences",
    "kto": "ratings",
    "grpo": "prompts",
    "rloo": "prompts",
}
REWARDED = {
    "reward": {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}},
    "max_new_tokens": 9,
    "temperature": 0.8,
}
GROUPS = {**REWARDED, "num_generations": 4, "batch_size": 16}


def train(kind: str, base: Path, out: Path, **settings: Any) -> list[dict[str, float]]:
    """Two steps of a trainer; every logged row."""
    dataset = out.with_name(f"{out.name}.rows")
    dataset.mkdir()
    pq.write_table(pa.Table.from_pylist(ROWS[LEARNS_FROM[kind]]), dataset / "train.parquet")
    judging = Judging(constitution=CONSTITUTION, ledger=out.with_name("ledger.sqlite"), run="mine")
    own = GROUPS if LEARNS_FROM[kind] == "prompts" else {"batch_size": 32}
    steps = {"max_steps": 2, "gradient_accumulation": 1, "learning_rate": 1e-2, "warmup_ratio": 0}
    made = plugin("solon.trainers", kind).model_validate({**steps, **own, **settings})
    return in_process.train(made, base, dataset, out, judging=judging)[1]


class Largest(TorchDispatchMode):
    """The most scores in any tensor that is made: what has the vocabulary as its last dimension."""

    found = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, torch.Tensor) and tensor.ndim > 1 and tensor.shape[-1] == VOCABULARY:
                # a view may show one number many times
                held = tensor.untyped_storage().nbytes() // tensor.itemsize
                self.found = max(self.found, min(tensor.numel(), held))
        return made


@contextmanager
def largest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Largest]:
    """Watches, with little room for scores."""
    monkeypatch.setattr(scores, "SCORES_AT_ONCE", AT_ONCE)
    with Largest() as watching:
        yield watching


@pytest.mark.parametrize("kind", list(LEARNS_FROM))
def test_no_step_has_the_scores_of_a_batch(kind, base, tmp_path, monkeypatch):
    """TRL's own for SFT goes 256 tokens at a time; the smallest batch has 700 tokens, or 144 answered."""
    settings = {"precompute_reference": False} if kind in ("dpo", "kto") else {}
    with largest(monkeypatch) as watching:
        train(kind, base, tmp_path / "out", lora={"r": 2}, **settings)
    assert VOCABULARY < watching.found <= (OF_TRL if kind == "sft" else AT_ONCE)


@pytest.mark.parametrize("kind", ["dpo", "kto"])
def test_a_reference_asked_beforehand_has_no_scores_of_a_batch_either(kind, base, tmp_path, monkeypatch):
    """TRL asks it while it is being made."""
    with largest(monkeypatch) as watching:
        train(kind, base, tmp_path / "out", precompute_reference=True)
    assert VOCABULARY < watching.found <= AT_ONCE


@pytest.mark.parametrize(("kind", "lora"), [("dpo", None), ("kto", {"r": 2}), ("grpo", None)])
def test_nor_has_a_step_on_a_divided_model(kind, lora, base, tmp_path, monkeypatch):
    """Each process has half of the rows, and whole weights within its forward passes alone."""
    settings = {"precompute_reference": False} if kind != "grpo" else {"beta": 0.1}

    def deed(processes):
        AcceleratorState._reset_state(reset_partial_state=True)  # what it found before the test forked
        with largest(monkeypatch) as watching:
            train(kind, base, tmp_path / f"out-{processes.place}", lora=lora, **settings)
        return watching.found

    for found in in_two(deed, divided=True):
        assert VOCABULARY < found <= AT_ONCE


@pytest.mark.parametrize("lora", [None, {"r": 2}], ids=["full", "lora"])
@pytest.mark.parametrize("kind", ["dpo", "kto", "grpo", "rloo"])
def test_loss_gradient_and_numbers_are_those_of_trl(kind, lora, base, tmp_path, monkeypatch):
    """Only rounding differs: rows are read without what fills them up."""
    ours = train(kind, base, tmp_path / "ours", lora=lora)
    monkeypatch.setattr(few_scores._FewScores, "_few_scores", lambda *_: False)
    theirs = train(kind, base, tmp_path / "theirs", lora=lora)
    assert len(ours) == len(theirs) == 2
    for row, expected in zip(ours, theirs, strict=True):
        assert row == pytest.approx(expected, rel=2e-3, abs=2e-4)


def test_a_model_of_unknown_scores_is_left_to_trl(base, tmp_path, monkeypatch):
    """Its scores are made whole, and are right."""
    monkeypatch.setattr(few_scores, "scores_of", _unknown)
    with largest(monkeypatch) as watching:
        train("dpo", base, tmp_path / "out")
    assert watching.found > AT_ONCE


def test_an_adapter_that_has_learned_and_its_dropout_do_not_make_a_model_unknown(base):
    """A training that goes on after a kill finds out anew, and must neither change its way nor take random numbers."""
    torch.manual_seed(0)
    model = get_peft_model(load(str(base)).model, adapters(Lora(r=2, dropout=0.5))).train()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    before = torch.random.get_rng_state()
    assert few_scores._FewScores()._few_scores(model)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(module.training for module in model.modules())


def _unknown(_: Any) -> Any:
    from solon.errors import RecipeError

    raise RecipeError("policy.model: it changes its scores")


def test_a_batch_without_a_token_that_counts_has_a_gradient_of_zero(base):
    """TRL backs through what a process has, all of it masked or not."""
    network = load(str(base)).network
    seen = torch.ones(1, 4)
    found, _ = likelihoods_of_rows(network, torch.tensor([[1, 2, 3, 4]]), seen, torch.zeros(1, 4))
    found.sum().backward()
    assert all(weight.grad is None or not weight.grad.any() for weight in network.parameters())
