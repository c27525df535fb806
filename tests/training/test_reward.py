"""A reward model of a tiny Llama: what it learns, and that the labeler `classifier` reads it as it was trained."""

import json

import pytest

import in_process
import trl_rows
from solon.data.records import Completion, Principle, Prompt, Question
from solon.errors import DataError, RecipeError
from solon.labelers.classifier import Classifier
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora
from solon.trainers.reward import Reward

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
LEARN = {"learning_rate": 1e-2, "batch_size": 8, "gradient_accumulation": 1, "epochs": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights, stored in float32, that reads up to 64 tokens."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64)


async def scored(labeler, answer):
    """What the labeler gives an answer to a prompt that was not trained on."""
    question = Question(
        prompt=Prompt.of("Is 99 a number?"),
        principles=(Principle(id="true", text="Be right."),),
        options=(Completion(text=answer, model="policy"),),
    )
    return (await labeler.label(question)).outcome.scores[0]


def score(base, out, lora, answer):
    """What transformers and PEFT give it, as the model card says to load it."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(out if lora is None else base, num_labels=1)
    if lora is not None:
        model = PeftModel.from_pretrained(model, out)
    chat = [{"role": "user", "content": "Is 99 a number?"}, {"role": "assistant", "content": answer}]
    tokens = AutoTokenizer.from_pretrained(out).apply_chat_template(chat, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        return model(**tokens).logits.item()


@pytest.mark.parametrize("lora", [None, Lora(r=4)], ids=["full", "lora"])
async def test_the_labeler_reads_what_was_trained(lora, base, tmp_path):
    """The better answer scores higher, and by as much as the trained network itself says."""
    dataset = trl_rows.write(tmp_path / "dataset", "reward")
    out = tmp_path / "out"
    checkpoint, logged = in_process.train(Reward(lora=lora, **LEARN), base, dataset, out)
    assert logged[0]["loss"] == pytest.approx(0.6931, abs=1e-3)  # a head of 0 is indifferent
    assert checkpoint.metrics["eval_accuracy"] == 1.0
    assert checkpoint.form == ("full" if lora is None else "lora")
    where = {"model": str(out)} if lora is None else {"model": str(base), "adapter": str(out)}
    labeler = Classifier(**where, text="conversation", value="logit", threads=1)
    assert labeler.problems() == []
    assert ("adapter" in labeler.effects()["asks"]) == (lora is not None)  # another adapter is another judge
    right, wrong = [await scored(labeler, answer) for answer in ("yes", "nay")]
    assert right > wrong + 1
    assert right == pytest.approx(score(base, out, lora, "yes"), abs=1e-4)
    assert wrong == pytest.approx(score(base, out, lora, "nay"), abs=1e-4)


def test_the_checkpoint_says_that_it_is_a_reward_model(base, tmp_path):
    """To transformers in its configuration, to people in its card."""
    dataset = trl_rows.write(tmp_path / "dataset", "reward", train=8, test=0)
    in_process.train(Reward(**LEARN), base, dataset, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["architectures"] == ["LlamaForSequenceClassification"]
    assert not (tmp_path / "out" / "generation_config.json").exists()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card
    assert "AutoModelForSequenceClassification" in card


async def test_an_adapter_without_a_head_is_no_reward_model(base, tmp_path):
    """A policy's adapter would get a head of random numbers, and score at random."""
    dataset = trl_rows.write(tmp_path / "dataset", "sft", train=8, test=0)
    in_process.train(trl_rows.TRAINERS["sft"](lora=Lora(r=4), **LEARN), base, dataset, tmp_path / "out")
    labeler = Classifier(model=str(base), adapter=str(tmp_path / "out"), text="conversation", value="logit")
    with pytest.raises(DataError, match="this adapter has no head beside it"):
        await scored(labeler, "yes")


def test_a_model_that_no_head_fits_is_refused(base, tmp_path):
    """Transformers has no class for it."""
    import torch
    from transformers import AutoTokenizer, MambaConfig, MambaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(base)
    folder = tmp_path / "mamba"
    MambaForCausalLM(MambaConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1)).save_pretrained(
        folder
    )
    tokenizer.save_pretrained(folder)
    dataset = trl_rows.write(tmp_path / "dataset", "reward", train=8, test=0)
    with pytest.raises(RecipeError, match="no reward model of a 'mamba' model"):
        in_process.train(Reward(**LEARN), folder, dataset, tmp_path / "out")
