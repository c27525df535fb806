"""The loss of each trainer on TRL, on responses of three tokens whose probabilities are known.

The policy is that of ``three_tokens``. Asked `q` it answers `ab` and its end with 1/2 a token, 1/8 in all; `ba` and its
end with 1/4 a token, 1/64 in all.
"""

import math
from types import SimpleNamespace

import pytest

import three_tokens
from solon.trainers.dpo import DPO
from solon.trainers.kto import KTO
from solon.trainers.reward import Reward
from solon.trainers.sft import SFT
from three_tokens import PAIR

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
TWO, LOG = math.log(2), math.log


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """The folder of that Llama."""
    return three_tokens.write_policy(tmp_path_factory.mktemp("policy"))


def trainer_of(settings, policy, rows, folder):
    """TRL's trainer, as solon makes it, with one batch of these rows as it was made of them."""
    trainer = three_tokens.trainer_of(settings, policy, rows, folder)
    return trainer, next(iter(trainer.get_eval_dataloader(trainer.train_dataset)))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"beta": 1.0}, LOG(1.25), id="sigmoid"),
        pytest.param({"beta": 0.5, "loss": "hinge"}, 1 - TWO, id="hinge"),
        pytest.param({"beta": 1.0, "loss": "hinge"}, 0.0, id="hinge-reached"),
        pytest.param(
            {"beta": 1.0, "loss": "robust", "label_smoothing": 0.25}, 1.5 * LOG(1.25) - 0.5 * LOG(5), id="robust"
        ),
        pytest.param({"beta": 0.5, "loss": "ipo"}, (2 / 3 * TWO - 1) ** 2, id="ipo"),
        pytest.param({"beta": 1.0, "sft_weight": 0.7}, LOG(1.25) + 0.7 * TWO, id="sigmoid+sft"),
        pytest.param({"beta": 0.5, "loss": "ipo", "sft_weight": 0.7}, (2 / 3 * TWO - 1) ** 2 + 0.7 * TWO, id="ipo+sft"),
    ],
)
def test_the_losses_of_dpo(settings, expected, policy, tmp_path):
    """The reference gives `ab` 1/16 and `ba` 1/32: the log-ratios are log 2 and -log 2, and d is log 4.

    - sigmoid: sigmoid(log 4) = 4/5, so the loss is log(5/4).
    - hinge: 1 - log(4) / 2 = 1 - log 2; with beta 1 the margin log 4 > 1 is reached, so 0.
    - robust: (0.75 log(5/4) - 0.25 log 5) / (1 - 0.5) = 1.5 log(5/4) - 0.5 log 5.
    - ipo: d' is log(4) / 3 by token, the aim 1 / (2 * 0.5) = 1.
    - sft: each token of `ab` has 1/2, so 0.7 * log 2 is added.
    """
    import torch

    trainer, batch = trainer_of(DPO(**settings), policy, [PAIR], tmp_path)
    batch |= {"ref_chosen_logps": torch.tensor([LOG(1 / 16)]), "ref_rejected_logps": torch.tensor([LOG(1 / 32)])}
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [({}, 5 / 12), ({"desirable_weight": 2.0, "undesirable_weight": 1.0}, 7 / 12)],
    ids=["equal", "desirable_twice"],
)
def test_the_loss_of_kto(weights, expected, policy, tmp_path):
    """`ab` is desirable, and its reference 1/32: r = log 4. `ba` is not, and its reference 1/128: r = log 2.

    Exchanged responses have 1/64 and 1/8, their references are half of that: z = log 2. With beta 1 the losses are
    1 - sigmoid(log 4 - log 2) = 1/3 and 1 - sigmoid(log 2 - log 2) = 1/2; their mean is 5/12, and with the first twice
    7/12.
    """
    import torch

    rows = [
        {"prompt": "q", "completion": "ab", "label": True},
        {"prompt": "q", "completion": "ba", "label": False},
    ]
    trainer, batch = trainer_of(KTO(beta=1.0, batch_size=2, **weights), policy, rows, tmp_path)
    batch["ref_logps"] = torch.tensor([LOG(1 / 32), LOG(1 / 128)])
    batch["ref_KL_logps"] = torch.tensor([LOG(1 / 128), LOG(1 / 16)])
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("completion", "expected"), [("ab", TWO), ("ba", 2 * TWO)], ids=["likely", "unlikely"])
def test_the_loss_of_sft(completion, expected, policy, tmp_path):
    """The mean of -log 1/2, or of -log 1/4, over the three tokens of the response. A prompt of `qq` would be infinitely
    unlikely: it is no part of it.
    """
    trainer, batch = trainer_of(SFT(), policy, [{"prompt": "qq", "completion": completion}], tmp_path)
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(expected, abs=1e-5)


def test_the_loss_of_a_reward_model(policy, tmp_path):
    """Scores of log 4 and log 2 differ by log 2, so -log sigmoid is log(3/2); centering adds 0.1 * (log 4 + log 2)²."""
    import torch

    trainer, batch = trainer_of(Reward(centering=0.1), policy, [PAIR], tmp_path)
    scores = torch.tensor([[2 * TWO], [TWO]])
    loss = trainer.compute_loss(lambda **_: SimpleNamespace(logits=scores), batch)
    assert loss.item() == pytest.approx(LOG(1.5) + 0.1 * (3 * TWO) ** 2, abs=1e-5)


def test_an_untrained_reward_model_is_indifferent(policy, tmp_path):
    """Its head is 0, so every score is, and the loss is log 2."""
    trainer, batch = trainer_of(Reward(centering=0.1), policy, [PAIR], tmp_path)
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(TWO, abs=1e-6)
