"""Preferences as tokens: where TRL cuts them for DPO, and what a batch asks of the model."""

import pyarrow as pa
import pytest

from solon.errors import DataError
from solon.models.backend.loading import load
from solon.testing.tiny import END, tiny_llama
from solon.trainers.backend.pairs_batch import Pair, batch_of, pairs_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
TEXTS = [
    {"prompt": "Is 1 a number?", "chosen": " yes", "rejected": f" no{END}"},
    {"prompt": "Capital of Fra", "chosen": "nce", "rejected": "z"},
]
MESSAGES = [
    {
        "prompt": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Is 1 a number?"}],
        "chosen": [{"role": "assistant", "content": "yes"}],
        "rejected": [{"role": "assistant", "content": "of course not"}],
    }
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A tokenizer that joins `France`, over the end of the second prompt, into one token."""
    base = tiny_llama(tmp_path_factory.mktemp("base"), corpus=["Capital of France"] * 9, vocab_size=300)
    return load(str(base))


@pytest.mark.parametrize("rows", [TEXTS, MESSAGES], ids=["texts", "messages"])
def test_a_row_is_cut_where_trl_cuts_it_for_dpo(loaded, rows, tmp_path):
    """Else the same dataset would teach SimPO and ORPO something else than DPO."""
    import datasets
    from trl import DPOConfig, DPOTrainer

    table = pa.Table.from_pylist(rows)
    trainer = DPOTrainer(
        model=loaded.model,
        args=DPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", max_length=None),
        train_dataset=datasets.Dataset(table),
        processing_class=loaded.tokenizer,
    )
    expected = [Pair(row["prompt_ids"], row["chosen_ids"], row["rejected_ids"]) for row in trainer.train_dataset]
    pairs = pairs_of(table, loaded.tokenizer, where="rows")
    assert pairs == expected
    ends = loaded.tokenizer.eos_token_id
    assert {ids[-1] for pair in pairs for ids in (pair.chosen, pair.rejected)} == {ends}


def test_a_prompt_ends_where_a_response_changes_its_tokens(loaded):
    """`Fra` and `nce` are one token together: it belongs to the response, and `Fra` of the rejected one with it."""
    france = pairs_of(pa.Table.from_pylist(TEXTS), loaded.tokenizer, where="rows")[1]
    decode = loaded.tokenizer.decode
    assert decode(france.prompt + france.chosen) == f"Capital of France{END}"
    assert decode(france.prompt + france.rejected) == f"Capital of Fraz{END}"
    assert "Fra" not in decode(france.prompt)


def test_only_the_tokens_of_responses_are_predicted_each_from_the_one_before():
    """Chosen rows first; padding on the right is never looked at."""
    batch = batch_of([Pair([1, 2], [3, 4], [5]), Pair([6], [7], [8, 9])], pad_id=0, device="cpu")
    assert batch.input_ids.tolist() == [[1, 2, 3, 4], [6, 7, 0, 0], [1, 2, 5, 0], [6, 8, 9, 0]]
    assert list(zip(batch.rows.tolist(), batch.columns.tolist(), batch.tokens.tolist(), strict=True)) == [
        (0, 1, 3), (0, 2, 4), (1, 0, 7), (2, 1, 5), (3, 0, 8), (3, 1, 9),
    ]  # fmt: skip
    assert batch.in_response.all()


def test_the_prompts_of_chosen_rows_are_predicted_if_asked():
    """From their second token on, and marked as no part of the response."""
    pairs = [Pair([1, 2], [3, 4], [5]), Pair([6], [7], [8])]
    batch = batch_of(pairs, pad_id=0, device="cpu", prompts=True)
    assert batch.tokens[~batch.in_response].tolist() == [2]
    assert batch.tokens[batch.in_response].tolist() == [3, 4, 7, 5, 8]
    assert [pair.learned(prompts=True) for pair in pairs] == [3, 1]
    assert [pair.learned(prompts=False) for pair in pairs] == [2, 1]


def test_without_a_prompt_nothing_predicts_the_first_token():
    """Some rows have an empty prompt, and some tokenizers no token that begins a text."""
    pair = Pair([], [1, 2], [3, 4])
    assert batch_of([pair], pad_id=0, device="cpu").tokens.tolist() == [2, 4]
    assert pair.learned(prompts=False) == pair.learned(prompts=True) == 1


def test_responses_without_a_token_are_counted_and_refused(loaded):
    """Their mean log-probability would be 0 / 0."""
    rows = [*TEXTS, {"prompt": "", "chosen": "", "rejected": "no"}]
    with pytest.raises(DataError, match="1 of 3 rows have a response without a single token") as caught:
        pairs_of(pa.Table.from_pylist(rows), loaded.tokenizer, where="train.parquet")
    assert caught.value.problems[0].where == "train.parquet"
