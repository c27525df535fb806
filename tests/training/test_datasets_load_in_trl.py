"""What is written loads with ``datasets.load_dataset`` and trains in TRL as it is, for every kind of dataset."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from solon.data.build import Build, build
from solon.data.cards import Facts
from solon.data.layout import write_datasets
from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Judgment,
    Message,
    Principle,
    Prompt,
    Question,
    Scored,
)
from solon.data.tasks import tasks, write_tasks
from solon.interchange.converting import convert

pytestmark = pytest.mark.slow

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ON_A_CPU: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "dataloader_pin_memory": False,
    "per_device_train_batch_size": 4,
    "max_steps": 2,
    "logging_steps": 1,
    "save_strategy": "no",
    "disable_tqdm": True,
    "seed": 0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets of 24 prompts with four responses each, some with a system message, scored by their number."""
    return datasets(tmp_path_factory.mktemp("run") / "datasets")


def datasets(out: Path, asks: str = "Question") -> Path:
    principle = Principle(id="polite", text="Be polite.")
    candidates, judgments = [], []
    for n in range(24):
        system = (Message(role="system", content="Be kind."),) if n % 2 else ()
        prompt = Prompt(messages=(*system, Message(role="user", content=f"{asks} {n}?")), topic="t" if n % 3 else None)
        completions = tuple(Completion(text=f"answer {k} é", model="policy", seed=k) for k in range(4))
        candidates.append(Candidates(prompt=prompt, completions=completions))
        judgments += [judged(prompt, completion, k / 3, principle) for k, completion in enumerate(completions)]
    constitution = Constitution(name="test", principles=(principle,))
    settings = Build(held_out=0.25)
    built = build(candidates, judgments, constitution, settings, seed=0)
    facts = Facts(constitution, ("rules",), ("policy",), "prompts.jsonl", settings, seed=0)
    write_datasets(built, out, facts)
    return out


def judged(prompt: Prompt, completion: Completion, score: float, principle: Principle) -> Judgment:
    question = Question(prompt=prompt, principles=(principle,), options=(completion,))
    return question.judged(Scored(scores=(score,)), labeler="rules")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Llama of 2 layers x 16 with a byte-level tokenizer and a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    path = str(tmp_path_factory.mktemp("model"))
    special = ["<pad>", "<eos>", "<|system|>", "<|user|>", "<|assistant|>"]
    vocabulary = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    raw = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(vocabulary)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>")
    tokenizer.add_special_tokens({"additional_special_tokens": special[2:]})
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(path)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=None,
        )
    ).save_pretrained(path)
    return path


def trained(trainer: Any) -> list[float]:
    """The losses of two steps, which must be numbers."""
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
    return losses


def loaded(path: Path, *name: str, cache: Path | None = None) -> Any:
    from datasets import load_dataset

    return load_dataset(str(path), *name, cache_dir=str(cache or path.parent / "cache"))


def test_the_rows_of_another_run_are_never_loaded_from_the_cache(tmp_path: Path):
    """`datasets` knows a folder by its last name and its front matter: here both have the same rows, but for a word."""
    for place, asks in (("one", "Alpha"), ("two", "Gamma"), ("two", "Delta")):  # the last in place of what was there
        folder = datasets(tmp_path / place / "datasets", asks)
        for kind in ("preference", "unpaired", "reward", "sft"):
            for split in loaded(folder, kind, cache=tmp_path / "cache").values():
                assert {row["prompt"][-1]["content"].split()[0] for row in split} == {asks}


def test_converted_rows_of_another_folder_are_never_loaded_from_the_cache(tmp_path: Path):
    """What `solon convert` writes may well be called the same in two places."""
    for asks in ("Alpha", "Gamma"):
        source = datasets(tmp_path / asks / "datasets", asks)
        convert(source, "trl", tmp_path / asks / "out")
    for kind in ("preference", "unpaired", "sft"):
        for asks in ("Alpha", "Gamma"):
            for split in loaded(tmp_path / asks / "out", kind, cache=tmp_path / "cache").values():
                assert {row["prompt"][-1]["content"].split()[0] for row in split} == {asks}


def test_prompts_of_another_run_are_never_loaded_from_the_cache(tmp_path: Path):
    """Of a recipe whose trainer asks for rewards."""
    constitution = Constitution(name="test", principles=(Principle(id="polite", text="Be polite."),))
    for asks in ("Alpha", "Gamma"):
        asked = [Prompt.of(f"{asks} {n}?") for n in range(8)]
        write_tasks(tasks(asked, constitution), tmp_path / asks / "datasets", constitution, held_out=0, seed=0)
    for asks in ("Alpha", "Gamma"):
        rows = loaded(tmp_path / asks / "datasets", "prompts", cache=tmp_path / "cache")["train"]
        assert {row["prompt"][-1]["content"].split()[0] for row in rows} == {asks}


def test_every_kind_and_split_loads_by_its_name(folder: Path):
    """From the folder by its card, the preferences when none is named, and each kind's own folder as it is."""
    rows = {"preference": 3, "unpaired": 4, "reward": 4, "sft": 1}  # of a prompt with scores 0, 1/3, 2/3, 1
    for kind, n in rows.items():
        for splits in (loaded(folder, kind), loaded(folder / kind)):
            counts = {split: len(splits[split]) for split in splits}
            assert counts.keys() == {"train", "test"}
            assert counts["train"] + counts["test"] == 24 * n
    assert loaded(folder)["train"].column_names == loaded(folder, "preference")["train"].column_names


def test_preferences_train_with_dpo(folder: Path, model: str, tmp_path: Path):
    """The first loss of DPO is ln 2 = .6931: the policy is still its own reference."""
    from trl import DPOConfig, DPOTrainer

    splits = loaded(folder, "preference")
    arguments = DPOConfig(output_dir=str(tmp_path), **ON_A_CPU)
    losses = trained(DPOTrainer(model, args=arguments, train_dataset=splits["train"], eval_dataset=splits["test"]))
    assert losses[0] == pytest.approx(math.log(2), abs=1e-3)


def test_preferences_train_a_reward_model_without_a_margin_in_the_loss(folder: Path, model: str, tmp_path: Path):
    """A column called ``margin`` would be subtracted inside the loss; the batch must not hold one."""
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    scorer = AutoModelForSequenceClassification.from_pretrained(model, num_labels=1)
    arguments = RewardConfig(output_dir=str(tmp_path), **ON_A_CPU)
    trainer = RewardTrainer(scorer, args=arguments, train_dataset=loaded(folder, "preference")["train"])
    assert "margin" not in next(iter(trainer.get_train_dataloader()))
    trained(trainer)


def test_unpaired_responses_train_with_kto(folder: Path, model: str, tmp_path: Path):
    """Labels are read as truth values."""
    from trl import KTOConfig, KTOTrainer

    arguments = KTOConfig(output_dir=str(tmp_path), **ON_A_CPU)
    trained(KTOTrainer(model, args=arguments, train_dataset=loaded(folder, "unpaired")["train"]))


def test_demonstrations_train_the_response_alone_with_sft(folder: Path, model: str, tmp_path: Path):
    """With a prompt and a completion, TRL leaves the prompt out of the loss: the answer's bytes and the end remain."""
    from trl import SFTConfig, SFTTrainer

    arguments = SFTConfig(output_dir=str(tmp_path), **ON_A_CPU)
    trainer = SFTTrainer(model, args=arguments, train_dataset=loaded(folder, "sft")["train"])
    batch = next(iter(trainer.get_train_dataloader()))
    learnt = [token for token in batch["labels"][0].tolist() if token != -100]
    assert trainer.processing_class.decode(learnt) == "answer 3 é<eos>"
    trained(trainer)
