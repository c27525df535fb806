"""What the examples' tiny models are made with: rows of tokens, a fit, answers, and the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from solon.testing.making import IGNORED, answered, asked, fit, padded, repeatable, sample, save
from solon.testing.tiny import new_llama, tiny_t5, tiny_tokenizer

QUESTIONS = ("Who rules?", "What grows on the hills?")
ANSWERS = ("The eldest.", "Rye, and nothing else.")


def tokenizer(**settings: Any) -> Any:
    """Of the questions and answers above."""
    return tiny_tokenizer([*QUESTIONS, *ANSWERS] * 9, vocab_size=300, context=64, padding_side="left", **settings)


def model_for(words: Any) -> Any:
    """The same fresh weights each time."""
    torch.manual_seed(0)
    return new_llama(words, hidden_size=32, layers=1, heads=2, ffn_size=64, context=64, spread=0.05)


def test_only_an_answer_and_its_end_have_labels() -> None:
    """What the user says is read and not learned; the tokens are those of the whole conversation."""
    words = tokenizer()
    rows = answered(words, asked(QUESTIONS), ANSWERS)
    for question, answer, (ids, labels) in zip(QUESTIONS, ANSWERS, rows, strict=True):
        assert words.decode(ids) == f"<|user|>{question}<|end|><|assistant|>{answer}<|end|>"
        assert words.decode([label for label in labels if label != IGNORED]) == f"{answer}<|end|>"
        assert labels[: labels.count(IGNORED)] == [IGNORED] * labels.count(IGNORED)
        assert len(labels) == len(ids)


def test_a_conversation_may_begin_with_a_token_of_its_own() -> None:
    """The quickstart's models have learned to expect one."""
    words = tokenizer(begins=True)
    ((ids, _),) = answered(words, asked(QUESTIONS[:1]), ANSWERS[:1])
    assert ids[0] == words.bos_token_id
    assert words.decode(ids).startswith("<|begin|><|user|>Who")
    assert tokenizer().bos_token_id is None


def test_every_digit_may_be_a_token_of_its_own() -> None:
    """However often a number is read, as here: otherwise it is one token."""
    texts = ["852 and 852"] * 9
    merged, single = (tiny_tokenizer(texts, vocab_size=300, single_digits=which) for which in (False, True))
    assert merged.tokenize("852") == ["852"]
    assert single.tokenize("852") == ["8", "5", "2"]


def test_rows_are_padded_on_the_right_without_labels() -> None:
    """A causal model that reads no mask must not see padding before a token that counts."""
    ids, labels = padded([([5, 6, 7], [IGNORED, 6, 7]), ([8], [8])], pad=0)
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert labels.tolist() == [[IGNORED, 6, 7], [8, IGNORED, IGNORED]]


@pytest.mark.parametrize(
    ("steps", "fitted"),
    [(1, -1 / 10), (2, -1 / 10 - 2 / 10 / 2)],
    ids=["one step", "two steps"],
)
def test_the_rate_warms_up_and_falls_as_a_cosine(steps: int, fitted: float) -> None:
    """By hand: AdamW goes by the rate, 1, where the gradient is always the same, and 10 steps are warm-up.

    The first step has a tenth of it, for the cosine is 1. Of two steps the second has two tenths, halved by the cosine.
    """
    weight = torch.nn.Parameter(torch.tensor(0.0))
    fit(
        "one", model_for(tokenizer()), lambda: weight, steps=steps, matrix_rate=0.0, rate=1.0, warm_up=10, also=[weight]
    )
    assert weight.item() == pytest.approx(fitted, abs=2e-3)  # each step also takes a hundredth of its rate off


@pytest.mark.parametrize("kind", ["Llama", "T5"])
def test_embeddings_norms_and_biases_are_not_fitted_as_matrices(kind: str, tmp_path: Path) -> None:
    """Where Muon stands still, they move, and nothing else: with a loss that pulls at every weight alike."""
    words = tokenizer()
    model = model_for(words) if kind == "Llama" else AutoModelForSeq2SeqLM.from_pretrained(tiny_t5(tmp_path))
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}

    def loss() -> torch.Tensor:
        return torch.stack([weight.sum() for weight in model.parameters()]).sum()

    fit("all", model, loss, steps=1, matrix_rate=0.0, rate=0.1, say=lambda line: None)
    moved = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert {name.split(".")[-2] for name in moved} == {
        "Llama": {"embed_tokens", "input_layernorm", "post_attention_layernorm", "norm"},
        "T5": {"shared", "relative_attention_bias", "layer_norm", "final_layer_norm"},
    }[kind]


def test_several_losses_count_together_and_are_told_apart() -> None:
    """A line of progress has the mean of each over the steps since the last line. Only the second can be made less."""
    weight = torch.nn.Parameter(torch.tensor(0.0))
    constant = iter([1.0, 3.0, 5.0])
    said: list[str] = []

    def losses() -> torch.Tensor:
        return torch.stack([weight * 0 + next(constant), weight + 0.5])

    fit(
        "two",
        model_for(tokenizer()),
        losses,
        steps=3,
        matrix_rate=0.0,
        rate=1e-6,
        also=[weight],
        report_every=2,
        say=said.append,
    )
    assert said == ["  two: step 2 of 3, loss 2.000, 0.500", "  two: step 3 of 3, loss 5.000, 0.500"]
    assert weight.item() < 0


@pytest.mark.slow
def test_a_fitted_model_answers_as_it_was_taught_from_its_files_too(tmp_path: Path) -> None:
    """From the tokenizer to the answers. What is written is bfloat16; what is in memory stays as it was."""
    words = tokenizer()
    model = model_for(words)
    ids, labels = padded(answered(words, asked(QUESTIONS), ANSWERS), words.pad_token_id)

    def loss() -> torch.Tensor:
        value: torch.Tensor = model(input_ids=ids, labels=labels).loss
        return value

    fit("two answers", model, loss, steps=100, matrix_rate=0.02, rate=5e-3, say=lambda line: None)
    assert not model.training
    save(model, words, tmp_path)
    assert model.dtype == torch.float32
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert again.dtype == torch.bfloat16
    assert (again.generation_config.do_sample, again.generation_config.top_k) == (True, 0)
    for one, reader in ((model, words), (again, AutoTokenizer.from_pretrained(tmp_path))):
        assert sample(one, reader, QUESTIONS, temperature=0.0, max_tokens=16) == list(ANSWERS)
        assert sample(one, reader, QUESTIONS, temperature=0.0, max_tokens=16, batch=1) == list(ANSWERS)


def test_answers_at_a_temperature_are_drawn_from_torchs_numbers() -> None:
    """The same seed draws the same answers, another seed others; greedy ones need none."""
    words = tokenizer()
    model = model_for(words).eval()

    def drawn(seed: int, temperature: float) -> list[str]:
        torch.manual_seed(seed)
        return sample(model, words, QUESTIONS, temperature=temperature, max_tokens=8)

    assert drawn(1, 1.0) == drawn(1, 1.0) != drawn(2, 1.0)
    assert drawn(1, 0.0) == drawn(2, 0.0)


def test_repeatable_takes_one_thread_and_deterministic_algorithms() -> None:
    """The order in which threads add up would show in the bytes."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    from transformers.utils import logging

    try:
        torch.set_num_threads(2)
        torch.use_deterministic_algorithms(False)
        repeatable()
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        assert not logging.is_progress_bar_enabled()
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        logging.enable_progress_bar()
