"""What a policy is compared with: itself as it was before training, with the adapter that training continues from.

Held against the likelihoods that transformers and PEFT give the same tokens, after the policy has moved away from them.
"""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import in_process
import three_tokens
import trl_rows
from rewarding import CONSTITUTION
from solon.models.backend.loading import load
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Judging, Lora
from solon.trainers.dpo import DPO
from solon.trainers.grpo import GRPO
from solon.trainers.kto import KTO
from solon.trainers.ppo import PPO
from solon.trainers.rewards import Rewarded
from solon.trainers.rloo import RLOO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
FAR = {"learning_rate": 2e-2, "batch_size": 6, "gradient_accumulation": 1, "max_steps": 4, "warmup_ratio": 0}
GROUPS = {
    "reward": {"kind": "rules", "rules": {"any": {"regex": "."}}},
    "batch_size": 4,
    "gradient_accumulation": 1,
    "num_generations": 4,
    "max_new_tokens": 4,
    "beta": 0.5,
}
FORMS = ["full", "lora", "full-on-adapter"]
RESPONSES = {"chosen": "yes", "rejected": "nay"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64, spread=0.3)


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    """An adapter on it that changes what it says."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(7)
    adapted = get_peft_model(load(str(base)).model, LoraConfig(r=4, target_modules="all-linear"))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    adapted.save_pretrained(folder := tmp_path_factory.mktemp("adapter"))
    return folder


def untouched(base, adapter, form):
    """The policy before any training, loaded by itself."""
    return load(str(base), adapter=str(adapter) if form == "full-on-adapter" else None, threads=1)


def log_probability(loaded, before, after):
    """Of the tokens ``after`` when ``before`` has been read, one a token."""
    import torch

    with torch.no_grad():
        logits = loaded.model(input_ids=torch.tensor([[*before, *after]])).logits[0]
    logs = logits.log_softmax(-1)[len(before) - 1 : -1]
    return logs.gather(-1, torch.tensor(after)[:, None])[:, 0]


def of_response(loaded, number, response):
    """The log-probability of a response to `Is ... a number?`, its end among it."""
    tokens = loaded.tokenizer.apply_chat_template
    chat = [{"role": "user", "content": f"Is {number} a number?"}]
    before = tokens(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
    whole = tokens([*chat, {"role": "assistant", "content": response}], return_dict=True)["input_ids"]
    return log_probability(loaded, before, whole[len(before) :]).sum().item()


def more(form, adapter):
    """Settings of the trainer, and of the policy."""
    return {"lora": Lora(r=4) if form == "lora" else None}, (
        {"adapter": str(adapter)} if form == "full-on-adapter" else {}
    )


@pytest.mark.parametrize("precompute", [True, False], ids=["before", "at-every-step"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [DPO, KTO], ids=["dpo", "kto"])
def test_the_reference_is_the_untouched_policy_at_every_step(kind, form, precompute, base, adapter, tmp_path):
    """A reward is beta times the log-ratio, so what is logged of both says what the reference gives.

    All six rows are in every step; in KTO's, numbers that 3 divides are desirable.
    """
    dataset = trl_rows.write(tmp_path / "dataset", kind.kind, train=6, test=0)
    lora, policy = more(form, adapter)
    settings = kind(beta=0.5, precompute_reference=precompute, **lora, **FAR)
    _, steps = in_process.train(settings, base, dataset, tmp_path / "out", **policy)
    reference = untouched(base, adapter, form)
    for side, response in RESPONSES.items():
        numbers = [number for number in range(6) if kind is DPO or (number % 3 == 0) == (side == "chosen")]
        expected = sum(of_response(reference, number, response) for number in numbers) / len(numbers)
        for step in steps:
            assert step[f"logps/{side}"] - step[f"rewards/{side}"] / 0.5 == pytest.approx(expected, abs=1e-4)
    assert abs(steps[-1]["logps/chosen"] - steps[0]["logps/chosen"]) > 0.5


def moved(kind, form, base, adapter, folder):
    """A trainer whose policy has been moved away by random numbers, and what it makes of a step's completions."""
    import torch

    lora, _ = more(form, adapter)
    on = adapter if form == "full-on-adapter" else None
    rows = [{"prompt": [{"role": "user", "content": "Is 1 a number?"}]}] * 4
    trainer = three_tokens.trainer_of(
        kind(**GROUPS, **lora),
        base,
        rows,
        folder,
        adapter=on,
        score=lambda prompts, completions: Rewarded.of({"given": [0.0] * len(completions)}, {"given": 1.0}),
    )
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in trainer.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight), alpha=0.2)
    trainer.model.train()
    return trainer, trainer._generate_and_score_completions(rows)


def each(output, loaded):
    """The log-probabilities that ``loaded`` gives the completions of a step, a tensor each."""
    for row, mask in enumerate(output["completion_mask"].bool()):
        before = output["prompt_ids"][row][output["prompt_mask"][row].bool()].tolist()
        yield mask, log_probability(loaded, before, output["completion_ids"][row][mask].tolist())


@pytest.mark.parametrize("form", FORMS)
def test_grpo_compares_with_the_untouched_policy(form, base, adapter, tmp_path):
    """Token by token."""
    import torch

    _, output = moved(GRPO, form, base, adapter, tmp_path)
    for row, (mask, expected) in enumerate(each(output, untouched(base, adapter, form))):
        assert torch.allclose(output["ref_per_token_logps"][row][mask], expected, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_rloo_compares_with_the_untouched_policy(form, base, adapter, tmp_path):
    """Nothing is rewarded, so that advantages are those of the divergences: of a half times the log-ratios."""
    _, output = moved(RLOO, form, base, adapter, tmp_path)
    reference = [logs.sum().item() for _, logs in each(output, untouched(base, adapter, form))]
    earned = [-0.5 * (now - before) for now, before in zip(output["old_logps"].tolist(), reference, strict=True)]
    expected = [one - (sum(earned) - one) / 3 for one in earned]
    assert max(map(abs, earned)) > 0.5
    assert output["advantages"].tolist() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_ppo_compares_with_the_untouched_policy(form, base, adapter, tmp_path):
    """The first round's KL is 0, that of a policy that has learned is not.

    What the reference gives after the policy has moved is held against the base in ``test_ppo_roles``.
    """
    rows = [{"prompt": [{"role": "user", "content": f"Is {number} a number?"}]} for number in range(8)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    lora, policy = more(form, adapter)
    settings = PPO.model_validate(
        {
            "reward": {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}},
            "max_new_tokens": 4,
            "batch_size": 8,
            "gradient_accumulation": 1,
            "learning_rate": 2e-2,
            "max_steps": 3,
            **lora,
        }
    )
    judging = Judging(constitution=CONSTITUTION, ledger=tmp_path / "ledger.sqlite", run="mine", max_failed=1)
    out = tmp_path / "out"
    _, steps = in_process.train(settings, base, tmp_path / "train.parquet", out, judging=judging, **policy)
    assert steps[0]["objective/kl"] == pytest.approx(0, abs=1e-4)
    assert abs(steps[-1]["objective/kl"]) > 1e-3
