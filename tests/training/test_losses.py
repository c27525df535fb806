"""The losses of SimPO and ORPO: worked out by hand on three tokens, and the same as TRL's on the same rows.

The example: the chosen response's three tokens have the probabilities 1/2, 1/4 and 1/8, the rejected one's 1/4, 1/8 and
1/16. A factor 1/2 is ln 2 nats, so their mean log-probabilities are -2 ln 2 and -3 ln 2, their geometric means 1/4 and
1/8, and the chosen response's negative log-likelihood a token is 2 ln 2.
"""

from math import log

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import in_process
import three_tokens
from solon.models.backend.loading import load
from solon.testing.tiny import tiny_llama
from solon.trainers.backend.losses import (
    log_odds,
    orpo_loss,
    simpo_loss,
    sums_of_rows,
)
from solon.trainers.backend.pairs_batch import pairs_of
from solon.trainers.backend.pairwise import measure_of
from solon.trainers.backend.scores import likelihoods, scores_of
from solon.trainers.orpo import ORPO
from solon.trainers.simpo import SimPO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
CHOSEN, REJECTED, NLL = (torch.tensor([nats * log(2)]) for nats in (-2, -3, 2))
ROWS = [("Is 1 a number?", "yes", "not at all"), ("Say it.", "I say it", "no"), ("1 + 1 = ", "2", "3, or 4")]


def test_log_probabilities_are_those_of_the_softmax_and_a_row_sums_its_own():
    """Scores that are logs of probabilities: 1/2 * 1/4 * 1/8 in the first row, 1/4 * 1/8 in the second."""
    scores = torch.tensor([[1 / 2, 1 / 2], [1 / 4, 3 / 4], [1 / 8, 7 / 8], [3 / 4, 1 / 4], [7 / 8, 1 / 8]]).log() + 5
    logps, _ = likelihoods(lambda hidden: hidden, scores, torch.tensor([0, 0, 0, 1, 1]), vocabulary=2)
    assert (-logps / log(2)).tolist() == pytest.approx([1, 2, 3, 2, 3])
    sums = sums_of_rows(logps, torch.tensor([0, 0, 0, 1, 1]), count=2)
    assert (-sums / log(2)).tolist() == pytest.approx([6, 5])


def test_simpo_on_three_tokens():
    """The means differ by ln 2, the margin takes half of it, beta 2 doubles the rest: -log sigmoid(ln 2) = ln 1.5."""
    assert simpo_loss(CHOSEN, REJECTED, beta=2, gamma_ratio=log(2) / 2).item() == pytest.approx(log(1.5))
    assert simpo_loss(CHOSEN, REJECTED, beta=2, gamma_ratio=0).item() == pytest.approx(log(1.25))


def test_simpo_adds_the_likelihood_of_the_chosen_response_if_asked():
    """A quarter of 2 ln 2 on top of ln 1.5."""
    loss = simpo_loss(CHOSEN, REJECTED, NLL, beta=2, gamma_ratio=log(2) / 2, sft_weight=0.25)
    assert loss.item() == pytest.approx(log(1.5) + log(2) / 2)


def test_orpo_on_three_tokens():
    """The odds are (1/4)/(3/4) = 1/3 and (1/8)/(7/8) = 1/7, their ratio 7/3; -log sigmoid(log 7/3) = log(1 + 3/7)."""
    assert orpo_loss(CHOSEN, REJECTED, NLL, beta=0.5).item() == pytest.approx(2 * log(2) + 0.5 * log(10 / 7))


def test_the_odds_of_a_certain_response_are_finite_and_so_is_their_gradient():
    """A tiny model gets there: TRL's form gives NaN as a gradient from -6e-8 up, and infinite odds at 0."""
    logps = torch.tensor([-100.0, -log(2), -1e-8, 0.0], requires_grad=True)
    odds = log_odds(logps)
    odds.sum().backward()
    assert odds[:2].tolist() == pytest.approx([-100, 0], abs=1e-6)
    assert torch.isfinite(odds).all()
    assert torch.isfinite(logps.grad).all()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights in float32."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64)


@pytest.fixture(scope="module")
def loaded(base):
    """The same, loaded."""
    return load(str(base))


def messages(text, role):
    return [{"role": role, "content": text}]


@pytest.fixture(params=["texts", "messages"])
def table(request):
    """Three preferences of different lengths."""
    if request.param == "texts":
        return pa.Table.from_pylist([{"prompt": p, "chosen": c, "rejected": r} for p, c, r in ROWS])
    return pa.Table.from_pylist(
        [
            {
                "prompt": messages(p, "user"),
                "chosen": messages(c, "assistant"),
                "rejected": messages(r, "assistant"),
            }
            for p, c, r in ROWS
        ]
    )


def ours(loaded, table, loss, *, prompts=False):
    """The mean loss over the rows, as the loop takes it."""
    pairs = pairs_of(table, loaded.tokenizer, where="rows")
    measure = measure_of(loaded.network, loss, pad_id=loaded.pad_id, beta=1.0, prompts=prompts)
    with torch.no_grad():
        return measure(pairs, pairs)[0].mean().item()


def trls(trainer_class, config_class, loaded, table, tmp_path, **settings):
    """The loss of TRL's experimental trainer on all rows in one batch."""
    import datasets

    trainer = trainer_class(
        model=loaded.model,
        args=config_class(
            output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", max_length=64,
            per_device_train_batch_size=len(ROWS), disable_dropout=False, gradient_checkpointing=False, **settings,
        ),
        train_dataset=datasets.Dataset(table),
        processing_class=loaded.tokenizer,
    )  # fmt: skip
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.no_grad():
        return trainer.get_batch_loss_metrics(loaded.model, batch)[0].item()


def test_simpo_is_what_trl_computes(loaded, table, tmp_path):
    """CPO with `loss_type="simpo"` and without its SFT term; TRL's gamma is ours times beta."""
    cpo = pytest.importorskip("trl.experimental.cpo", reason="this TRL has no CPO any more")
    expected = trls(
        cpo.CPOTrainer, cpo.CPOConfig, loaded, table, tmp_path,
        loss_type="simpo", cpo_alpha=0.0, beta=2.5, simpo_gamma=2.5 * 0.3,
    )  # fmt: skip
    got = ours(loaded, table, lambda chosen, rejected, _: simpo_loss(chosen, rejected, beta=2.5, gamma_ratio=0.3))
    assert got == pytest.approx(expected, abs=1e-5)


def test_simpo_with_its_sft_term_is_what_trl_computes(loaded, table, tmp_path):
    """CPO's negative log-likelihood is the mean over the tokens of the batch's chosen responses, and so is ours."""
    cpo = pytest.importorskip("trl.experimental.cpo", reason="this TRL has no CPO any more")
    expected = trls(
        cpo.CPOTrainer, cpo.CPOConfig, loaded, table, tmp_path,
        loss_type="simpo", cpo_alpha=0.7, beta=2.5, simpo_gamma=2.5 * 0.3,
    )  # fmt: skip
    got = ours(
        loaded,
        table,
        lambda chosen, rejected, nll: simpo_loss(chosen, rejected, nll, beta=2.5, gamma_ratio=0.3, sft_weight=0.7),
    )
    assert got == pytest.approx(expected, abs=1e-5)


def test_orpo_with_the_prompts_loss_is_what_trl_computes(loaded, table, tmp_path):
    """TRL takes the likelihood over prompt and response; the paper, and ours by default, over the response."""
    orpo = pytest.importorskip("trl.experimental.orpo", reason="this TRL has no ORPO any more")
    expected = trls(orpo.ORPOTrainer, orpo.ORPOConfig, loaded, table, tmp_path, beta=0.3)

    def loss(chosen, rejected, nll):
        return orpo_loss(chosen, rejected, nll, beta=0.3)

    assert ours(loaded, table, loss, prompts=True) == pytest.approx(expected, abs=1e-5)
    assert ours(loaded, table, loss) != pytest.approx(expected, abs=1e-2)


def test_an_orpo_training_begins_at_trls_loss_with_prompt_loss_and_not_without(base, loaded, table, tmp_path):
    """As a recipe sets it; all rows are one step."""
    orpo = pytest.importorskip("trl.experimental.orpo", reason="this TRL has no ORPO any more")
    expected = trls(orpo.ORPOTrainer, orpo.ORPOConfig, loaded, table, tmp_path, beta=0.3)
    pq.write_table(table, tmp_path / "train.parquet")
    losses = []
    for prompt_loss in (True, False):
        settings = ORPO(beta=0.3, prompt_loss=prompt_loss, batch_size=len(ROWS), gradient_accumulation=1, max_steps=1)
        out = tmp_path / f"prompt_loss={prompt_loss}"
        _, (step,) = in_process.train(settings, base, tmp_path / "train.parquet", out)
        losses.append(step["loss"])
    assert losses[0] == pytest.approx(expected, abs=1e-5)
    assert losses[1] != pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize("kind", ["Gemma2", "Granite", "Cohere"])
def test_what_a_model_does_to_its_scores_after_the_output_layer_is_done(kind):
    """Gemma caps them, Granite divides and Cohere multiplies: left out, every probability would be wrong in silence."""
    import transformers

    special = {"Gemma2": {"final_logit_softcapping": 0.5, "head_dim": 8}, "Granite": {"logits_scaling": 8.0}}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, initializer_range=1.0, **special.get(kind, {"logit_scale": 0.25}),
    )  # fmt: skip
    torch.manual_seed(0)
    network = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    tokens = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        got = scores_of(network)(network.get_decoder()(input_ids=tokens).last_hidden_state)
        assert torch.allclose(got, network(input_ids=tokens).logits, atol=1e-5)


def test_a_model_whose_scores_are_made_in_an_unknown_way_is_refused(loaded):
    """Better no training than one on other probabilities than the model's own."""
    from types import SimpleNamespace

    from solon.errors import RecipeError

    class Doubled(torch.nn.Module):
        """A network that doubles its scores at the end."""

        config = loaded.network.config
        get_decoder, get_output_embeddings = loaded.network.get_decoder, loaded.network.get_output_embeddings

        def forward(self, **inputs):
            return SimpleNamespace(logits=2 * loaded.network(**inputs).logits)

    with pytest.raises(RecipeError, match="Doubled changes its scores after the output layer"):
        scores_of(Doubled())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SimPO(beta=2.0, gamma_ratio=log(2) / 2), log(1.5)),
        (SimPO(beta=2.0, gamma_ratio=log(2) / 2, sft_weight=0.25), log(1.5) + 0.25 * log(2)),
        (ORPO(beta=0.5), log(2) + 0.5 * log(4 / 3)),
    ],
    ids=["simpo", "simpo+sft", "orpo"],
)
def test_a_training_minimises_that_loss(settings, expected, tmp_path):
    """The policy of ``three_tokens`` gives each token of the chosen response 1/2, and of the rejected one 1/4.

    SimPO's means differ by ln 2, as above. The odds are 1 and 1/3, so ORPO adds 0.5 log(1 + 1/3) to ln 2.
    """
    policy = three_tokens.write_policy(tmp_path / "policy")
    pq.write_table(pa.Table.from_pylist([three_tokens.PAIR]), tmp_path / "train.parquet")
    settings = settings.model_copy(update={"batch_size": 1, "gradient_accumulation": 1, "max_steps": 1})
    _, (step,) = in_process.train(settings, policy, tmp_path / "train.parquet", tmp_path / "out")
    assert step["loss"] == pytest.approx(expected, abs=1e-5)
    assert step["logps/chosen"] == pytest.approx(-3 * log(2), abs=1e-5)
