"""Real (tiny, random) encoder-decoders that sample, judge and score: a T5, and a BART with learned positions."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from solon.data.records import Message
from solon.errors import DataError, ModelRejected, PromptTooLong
from solon.models.base import Reply, Request
from solon.models.transformers import Transformers
from solon.testing.tiny import END, tiny_t5, tiny_tokenizer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_stays_loaded")]

TEXTS = ("hi", "What is two plus three?", "x" * 63, "Name a colour that is not blue, please.", "ünï ☃", "ab " * 30)
START, BOS, LONGEST = 0, 3, 112
"""The decoder's start token, what BART's tokenizer puts before every text, and BART's positions."""


def tiny_bart(folder: Path) -> Path:
    """A BART of 1 and 3 layers, whose tokenizer puts a token before and one after every text."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import BartConfig, BartForConditionalGeneration

    tokenizer = tiny_tokenizer()
    ends = [(END, 1), ("<|user|>", BOS)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"<|user|> $A {END}", special_tokens=ends)
    tokenizer.chat_template = None
    shape = {
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 3,
        "init_std": 0.4,
        "max_position_embeddings": LONGEST,
    }
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    tokens = {"pad_token_id": 0, "bos_token_id": BOS, "eos_token_id": 1, "decoder_start_token_id": 1}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = BartForConditionalGeneration(
            BartConfig(vocab_size=261, forced_eos_token_id=None, **shape, **heads, **tokens)
        )
    network.generation_config.forced_bos_token_id = BOS  # as BART's on the hub
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Their folders."""
    folder = tmp_path_factory.mktemp("seq2seq")
    return {"t5": tiny_t5(folder / "t5", seed=5, spread=2.0), "bart": tiny_bart(folder / "bart")}


@pytest.fixture(params=["t5", "bart"])
def tiny(made: dict[str, Path], request: pytest.FixtureRequest) -> Path:
    """Each of the two."""
    return made[request.param]


def model_of(folder: Path, **settings: Any) -> Transformers:
    return Transformers(model=str(folder), threads=1, **settings)


def ask(model: Transformers, requests: Sequence[Request]) -> list[Reply]:
    return asyncio.run(model.complete_batch(requests))


def said(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def request(text: str, **fields: Any) -> Request:
    return Request(messages=said(text), **({"max_tokens": 24} | fields))


def loaded_from(folder: Path) -> Any:
    from solon.models.backend.loading import load

    return load(str(folder), threads=1)


# ---------------------------------------------------------------- loading


def test_an_encoder_decoder_says_how_its_decoder_starts(made: dict[str, Path]) -> None:
    """T5 starts with the pad token alone; before every text BART has one more. T5's positions are relative: no limit.

    BART's decoder has 112 places, of which the start takes two and the last token of a reply none: 111 for a reply.
    """
    t5, bart = loaded_from(made["t5"]), loaded_from(made["bart"])
    assert (t5.apart, t5.decoder_start, t5.eos_ids, t5.context) == (True, (START,), (1,), None)
    assert (bart.apart, bart.decoder_start, bart.eos_ids, bart.context) == (True, (1, BOS), (1,), LONGEST - 1)


def test_what_the_tokenizer_puts_before_a_reply_is_read_first(made: dict[str, Path], tmp_path: Path) -> None:
    """Also where the generation configuration does not force it: BART has learned to write it there."""
    folder = Path(shutil.copytree(made["bart"], tmp_path / "bart"))
    config = json.loads((folder / "generation_config.json").read_text())
    assert config.pop("forced_bos_token_id") == BOS
    (folder / "generation_config.json").write_text(json.dumps(config))
    assert loaded_from(folder).decoder_start == (1, BOS)


def test_a_decoder_without_a_start_token_is_refused(made: dict[str, Path], tmp_path: Path) -> None:
    """With a guessed one it would write, and badly."""
    folder = Path(shutil.copytree(made["t5"], tmp_path / "t5"))
    for name in ("config.json", "generation_config.json"):
        config = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({k: v for k, v in config.items() if k != "decoder_start_token_id"}))
    with pytest.raises(DataError, match=r"no token with which the decoder starts \(set decoder_start_token_id"):
        loaded_from(folder)


# ---------------------------------------------------------------- messages to tokens


def test_one_user_message_is_its_text_as_it_is(tiny: Path) -> None:
    """What the model was trained on: the tokenizer's own special tokens around the text, and nothing else."""
    loaded = loaded_from(tiny)
    assert loaded.chat.encode([said("a text")]) == [loaded.tokenizer("a text")["input_ids"]]


def test_a_system_message_stands_before_the_user_s_with_an_empty_line_between(tiny: Path) -> None:
    """A judge's instructions are one; nothing else could say where they end."""
    loaded = loaded_from(tiny)
    messages = (Message(role="system", content="Be brief."), *said("Why?"))
    assert loaded.chat.render(messages) == "Be brief.\n\nWhy?"


@pytest.mark.parametrize("roles", [("user", "assistant", "user"), ("user", "assistant"), ("system",), ("user", "user")])
def test_a_conversation_of_several_turns_is_refused(made: dict[str, Path], roles: tuple[str, ...]) -> None:
    """Without a chat template nothing would tell the model who speaks."""
    messages = tuple(Message(role=role, content="x") for role in roles)
    with pytest.raises(ModelRejected, match=f"this one is of {', '.join(roles)}: write it as one message"):
        loaded_from(made["t5"]).chat.encode([messages])


def test_a_chat_template_is_used_where_there_is_one(made: dict[str, Path], tmp_path: Path) -> None:
    """It writes the special tokens itself; the reply is tokenised as without one."""
    folder = Path(shutil.copytree(made["t5"], tmp_path / "t5"))
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")
    chat = loaded_from(folder).chat
    messages = (*said("a"), Message(role="assistant", content="b"), *said("c"))
    assert chat.encode([messages]) == [
        chat.tokenizer.encode("user: a\nassistant: b\nuser: c\n", add_special_tokens=False)
    ]
    assert chat.encode_answered([(messages, "d")])[0][1] == chat.tokenizer("d")["input_ids"]


def test_control_tokens_spelt_out_in_a_text_are_broken(made: dict[str, Path]) -> None:
    """A response under judgment could end the text otherwise."""
    (tokens,) = loaded_from(made["t5"]).chat.encode([said(f"so{END}it ends")])
    assert tokens.count(1) == 1


def test_a_reply_is_tokenised_apart_from_its_prompt(tiny: Path) -> None:
    """It ends with the end token, and what stands before every reply (BART's) is no part of it."""
    loaded = loaded_from(tiny)
    ((_, written),) = loaded.chat.encode_answered([(said("a text"), "yes")])
    assert written == [*loaded.tokenizer.encode("yes", add_special_tokens=False), 1]


# ---------------------------------------------------------------- writing


def generated_by_transformers(folder: Path, text: str, max_tokens: int) -> list[int]:
    """What ``model.generate`` writes greedily, the decoder's start with it."""
    import torch

    loaded = loaded_from(folder)
    (tokens,) = loaded.chat.encode([said(text)])
    output = loaded.model.generate(
        input_ids=torch.tensor([tokens]),
        attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
        do_sample=False,
        num_beams=1,
        max_new_tokens=len(loaded.decoder_start) - 1 + max_tokens,
    )
    written: list[int] = output[0].tolist()
    return written


def test_temperature_zero_is_what_generate_writes_greedily(tiny: Path) -> None:
    """The loop is ours, the model is not: any slip in masks, positions or the cache would show."""
    from solon.models.backend.generation import Ask, write

    loaded = loaded_from(tiny)
    prompts = loaded.chat.encode([said(text) for text in TEXTS])
    replies = write(loaded, [Ask(prompt, 40) for prompt in prompts])
    ours = [[*loaded.decoder_start, *one.tokens, *([one.end] if one.end is not None else [])] for one in replies]
    assert ours == [generated_by_transformers(tiny, text, 40) for text in TEXTS]
    assert len({tuple(one) for one in ours}) == len(TEXTS)


def test_a_reply_is_the_same_alone_and_in_any_company(tiny: Path) -> None:
    """A resumed run cuts its batches elsewhere, and must end in the same files."""
    requests = [request(text, temperature=1.0, seed=seed, max_tokens=40) for text in TEXTS for seed in range(2)]
    model = model_of(tiny)
    alone = [ask(model, [one])[0] for one in requests]
    assert ask(model, requests) == alone
    assert ask(model, requests[::-1]) == alone[::-1]
    assert len({reply.text for reply in alone}) > len(requests) / 2


def test_choices_are_read_off_the_first_token_of_the_decoder(tiny: Path) -> None:
    """By one look, and the same as what is written first; a prefix of an encoder's text is never kept."""
    import torch

    loaded = loaded_from(tiny)
    model = model_of(tiny)
    asked = [request(text, choices=("A", "B"), max_tokens=1) for text in TEXTS]
    replies = ask(model, asked)
    longer = ask(model, [one.model_copy(update={"max_tokens": 30}) for one in asked])
    for text, reply, other in zip(TEXTS, replies, longer, strict=True):
        (tokens,) = loaded.chat.encode([said(text)])
        with torch.inference_mode():
            output = loaded.model(
                input_ids=torch.tensor([tokens]), decoder_input_ids=torch.tensor([loaded.decoder_start])
            )
        wanted = output.logits[0, -1].log_softmax(-1)[loaded.tokenizer.convert_tokens_to_ids(["A", "B"])].tolist()
        assert list(reply.choices.values()) == pytest.approx(wanted, abs=1e-4)
        assert list(other.choices.values()) == pytest.approx(wanted, abs=1e-4)
        assert reply.usage.cached_tokens == 0


def test_prompt_and_reply_have_the_context_to_themselves(made: dict[str, Path]) -> None:
    """BART reads 111 tokens and writes 111; 109 bytes and two special tokens are 111."""
    model = model_of(made["bart"])
    (reply,) = ask(model, [request("y" * 109, max_tokens=111)])
    assert reply.usage.input_tokens == 111
    with pytest.raises(PromptTooLong):
        ask(model, [request("y" * 110, max_tokens=1)])
    with pytest.raises(PromptTooLong):
        ask(model, [request("y", max_tokens=112)])


def test_a_t5_reads_as_much_as_it_is_given_unless_told_otherwise(made: dict[str, Path]) -> None:
    """Its positions are relative, so nothing but ``max_context`` limits them."""
    (reply,) = ask(model_of(made["t5"]), [request("y" * 1500, max_tokens=4)])
    assert reply.usage.input_tokens == 1501
    with pytest.raises(PromptTooLong, match="a prompt of 1501 tokens"):
        ask(model_of(made["t5"], max_context=512), [request("y" * 1500, max_tokens=4)])


# ---------------------------------------------------------------- scoring

PAIRS = [(said(text), answer) for text, answer in zip(TEXTS, ["", "yes", *TEXTS[2:]], strict=True)]


@pytest.mark.parametrize(("batch_size", "scores_at_once"), [(64, 2**25), (2, 2**25), (4, 1), (64, 261 * 50)])
def test_log_probs_are_the_loss_that_the_model_itself_gives_for_labels(
    tiny: Path, batch_size: int, scores_at_once: int
) -> None:
    """The sum over T tokens, the first generated one and the end token among them, is -T times their mean loss."""
    import torch

    from solon.models.backend.scoring import log_probs

    loaded = loaded_from(tiny)
    expected = []
    for messages, answer in PAIRS:
        (prompt,) = loaded.chat.encode([messages])
        written = [*loaded.tokenizer.encode(answer, add_special_tokens=False), 1]
        before = list(loaded.decoder_start[1:])  # the model itself begins with the start token
        labels, read = torch.tensor([[*before, *written]]), torch.tensor([[*loaded.decoder_start, *written[:-1]]])
        labels[0, : len(before)] = -100
        with torch.inference_mode():
            loss = loaded.model(input_ids=torch.tensor([prompt]), decoder_input_ids=read, labels=labels).loss
        expected.append(-float(loss) * len(written))
    got = log_probs(loaded, PAIRS, batch_size, scores_at_once=scores_at_once)
    assert got == pytest.approx(expected, abs=2e-4, rel=1e-5)


def test_the_model_shifts_a_t5_s_labels_as_we_do(made: dict[str, Path]) -> None:
    """Several rows of different lengths in one batch, the decoder's input left to the model."""
    import torch

    from solon.models.backend.scoring import log_probs

    loaded = loaded_from(made["t5"])
    rows = [tokens["input_ids"] for tokens in map(loaded.tokenizer, ["yes", "no, not at all", "a"])]
    labels = torch.tensor([[*row, *[-100] * (15 - len(row))] for row in rows])
    prompts = loaded.tokenizer(["one", "another prompt", "x"], return_tensors="pt", padding=True)
    with torch.inference_mode():
        loss = float(loaded.model(**prompts, labels=labels).loss)
    pairs = zip(["one", "another prompt", "x"], ["yes", "no, not at all", "a"], strict=True)
    got = log_probs(loaded, [(said(prompt), answer) for prompt, answer in pairs])
    assert sum(got) == pytest.approx(-loss * sum(map(len, rows)), abs=1e-4)


def test_the_first_token_is_scored_by_what_it_is_drawn_from(made: dict[str, Path]) -> None:
    """An empty completion is the end token alone: its log-probability is that of writing it first."""
    from solon.models.backend.generation import Ask, write
    from solon.models.backend.scoring import log_probs

    loaded = loaded_from(made["t5"])
    prompts = loaded.chat.encode([said(text) for text in TEXTS])
    drawn = write(loaded, [Ask(prompt, 1, watched=[1]) for prompt in prompts])
    got = log_probs(loaded, [(said(text), "") for text in TEXTS])
    assert got == pytest.approx([one.watched[0] for one in drawn], abs=1e-4)


def test_a_completion_that_does_not_fit_is_not_scored(made: dict[str, Path]) -> None:
    """Truncating it would give a probability of something else."""
    with pytest.raises(PromptTooLong, match="prompt or completion takes 121 tokens, and the model takes 111"):
        model_of(made["bart"]).log_probs([(said("hi"), "y" * 120)])


def test_an_adapter_of_an_encoder_decoder_is_merged(made: dict[str, Path], tmp_path: Path) -> None:
    """It answers as the adapter beside its base does, and not as the base does."""
    import torch
    from peft import LoraConfig, get_peft_model

    base = loaded_from(made["t5"])
    before = ask(model_of(made["t5"]), [request(text) for text in TEXTS])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        adapted = get_peft_model(base.model, LoraConfig(r=4, task_type="SEQ_2_SEQ_LM", init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapter")
    from solon.models.backend.generation import Ask, write
    from solon.models.backend.loading import load

    beside = load(str(made["t5"]), adapter=str(tmp_path / "adapter"), threads=1)
    prompts = beside.chat.encode([said(text) for text in TEXTS])
    expected = [beside.chat.decode(one.tokens) for one in write(beside, [Ask(prompt, 24) for prompt in prompts])]
    model = model_of(made["t5"], adapter=str(tmp_path / "adapter"))
    replies = ask(model, [request(text) for text in TEXTS])
    assert [reply.text for reply in replies] == expected != [reply.text for reply in before]
