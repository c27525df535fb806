"""Loading a causal language model and its tokenizer: what is missing is named before anything heavy is read.

Only safetensors are read, and no code that came with a model is run: a pickle or a ``modeling_*.py`` from elsewhere can
do anything that the user can. Importing this module needs no torch; calling it does.
"""

from __future__ import annotations

import difflib
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from solon.errors import DataError, MissingExtra, ModelRejected, Problem
from solon.models.backend.chat import Chat

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Device = Literal["auto", "cpu", "cuda"]

_LLAMA_3_PAD = "<|finetune_right_pad_id|>"
_RESERVED = "<|reserved_special_token"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "tokenizer_config.json")


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model ready to answer.

    Attributes:
        model: a ``transformers`` causal language model, or a ``PeftModel`` around one, in evaluation mode.
        tokenizer: with a chat template, a pad token, and padding on the left.
        device: where the model is: a ``torch.device``.
        eos_ids: every token that ends a reply, ascending: those of the generation configuration and the tokenizer's
            own.
        pad_id: the token that fills a batch; never attended to, never in a reply.
        context: the most tokens of prompt and reply together; ``None`` when the configuration does not say.
        chat: the chat template as a function from messages to tokens.
        prefixes: key-value caches of constant beginnings, kept by ``solon.models.backend.choices``.
    """

    model: Any
    tokenizer: Any
    device: Any
    eos_ids: tuple[int, ...]
    pad_id: int
    context: int | None
    chat: Chat
    prefixes: OrderedDict[tuple[int, ...], Any] = field(default_factory=OrderedDict, repr=False)

    @property
    def network(self) -> Any:
        """The causal language model itself, without a PEFT wrapper; an adapter inside it stays in force."""
        return self.model.get_base_model() if hasattr(self.model, "peft_config") else self.model


def load(
    model: str,
    *,
    adapter: str | None = None,
    dtype: Dtype = "auto",
    load_in_4bit: bool = False,
    threads: int | None = None,
    device: Device = "auto",
    merge: bool = False,
) -> Loaded:
    """Loads a model folder or hub id with its tokenizer, for sampling, judging or training.

    Args:
        model: a folder with config.json, safetensors and a tokenizer, or a hub id. A folder is never looked for
            elsewhere.
        adapter: a LoRA folder to put on top.
        dtype: of the weights; ``auto`` is float32 on a CPU, whatever the checkpoint was saved in, and the checkpoint's
            own on a GPU.
        load_in_4bit: NF4 weights with double quantisation (Dettmers et al. 2023, arXiv:2305.14314); needs a GPU.
        threads: CPU threads of torch from now on, in the whole process; ``None`` leaves them.
        device: ``auto`` takes the GPU if there is one.
        merge: adds the adapter into the weights: faster to serve, no longer an adapter. Not with ``load_in_4bit``.

    Raises:
        DataError: the folder lacks something; says what and what to do.
        ModelRejected: this machine has no GPU, and one was asked for.
        MissingExtra: torch, transformers, peft or bitsandbytes is not installed.
    """
    check_folder(model)
    if adapter is not None:
        check_adapter(adapter)
    torch, transformers = libraries()
    target = device_of(torch, device, load_in_4bit=load_in_4bit)
    if threads is not None:
        torch.set_num_threads(threads)
    tokenizer = load_tokenizer(model)
    options: dict[str, Any] = {"dtype": "float32" if dtype == "auto" and target.type == "cpu" else dtype}
    if load_in_4bit:
        options |= {"quantization_config": _four_bit(torch, transformers, dtype), "device_map": {"": target}}
    network = from_pretrained(transformers.AutoModelForCausalLM, model, use_safetensors=True, **options)
    if len(tokenizer) > network.get_input_embeddings().num_embeddings:
        remedy = "the tokenizer is another model's: copy the right one into the folder"
        raise DataError([Problem(model, f"the tokenizer knows {len(tokenizer)} tokens, more than the model", remedy)])
    if adapter is not None:
        network = _with_adapter(network, adapter, merge=merge and not load_in_4bit)
    if not load_in_4bit:
        network = network.to(target)
    return ready(network, tokenizer, target)


def ready(network: Any, tokenizer: Any, device: Any) -> Loaded:
    """A model that is on ``device``, in evaluation mode, with all that is read off it and its tokenizer."""
    eos_ids = _eos_ids(network, tokenizer)
    return Loaded(
        model=network.eval(),
        tokenizer=tokenizer,
        device=device,
        eos_ids=eos_ids,
        pad_id=tokenizer.pad_token_id,
        context=getattr(network.config, "max_position_embeddings", None),
        chat=Chat(tokenizer, eos_ids),
    )


def load_tokenizer(path: str) -> Any:
    """The tokenizer of a model folder or hub id, padding on the left, with a pad token that is set.

    The pad token is the tokenizer's own; else Llama 3.1's pad token; else the first reserved token; else the end token.
    With the last, whoever trains must mask padding by position and not by token, or the model never learns to stop.

    Raises:
        DataError: there is no tokenizer, or it has no chat template or no end token.
        MissingExtra: transformers is not installed.
    """
    _, transformers = libraries()
    _check_tokenizer(path)
    tokenizer = from_pretrained(transformers.AutoTokenizer, path, padding_side="left")
    problems = []
    if not tokenizer.chat_template:
        remedy = "take an instruction-tuned model, or put a chat_template.jinja beside the tokenizer"
        problems.append(Problem(path, "the tokenizer has no chat template, so it cannot take messages", remedy))
    if tokenizer.eos_token_id is None:
        remedy = 'name it as "eos_token" in tokenizer_config.json'
        problems.append(Problem(path, "the tokenizer has no end-of-sequence token", remedy))
    if problems:
        raise DataError(problems)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = spare_token(tokenizer)
    return tokenizer


def libraries() -> tuple[Any, Any]:
    """Torch and transformers, without progress bars.

    Raises:
        MissingExtra: one of them is not installed.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # forked workers would warn and may deadlock
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtra("a model that runs in this process", "train") from error
    transformers.utils.logging.disable_progress_bar()
    return torch, transformers


def check_folder(model: str) -> None:
    """Looks for what a model folder must hold, without loading any of it. Says nothing about a hub id.

    What is written as a path, or lies in a folder that exists, is no hub id.

    Raises:
        DataError: the folder, config.json, the weights or the tokenizer is missing; says which and what to do.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        in_a_folder = folder.parent != Path() and folder.parent.is_dir()
        written_as_path = model.startswith((".", "~", os.sep)) or model.count("/") > 1 or model.endswith("/")
        if folder.exists() or in_a_folder or written_as_path:
            remedy = f"give a folder, or a hub id such as org/name{_similar_beside(folder)}"
            raise DataError([Problem(model, "there is no such model folder", remedy)])
        return
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            remedy = "give its base model as `model` and this folder as `adapter`"
            raise DataError([Problem(model, "this folder holds an adapter, not a model", remedy)])
        remedy = "give the folder that save_pretrained wrote"
        raise DataError([Problem(model, "this model folder has no config.json", remedy)])
    if not any(folder.glob("*.safetensors")):
        if any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth")):
            remedy = "convert them with save_pretrained where you trust them: loading a pickle can run any code"
            raise DataError([Problem(model, "this model folder has pickled weights only, no *.safetensors", remedy)])
        remedy = "copy model.safetensors into the folder"
        raise DataError([Problem(model, "this model folder has no weights (*.safetensors)", remedy)])
    _check_tokenizer(model)


def _similar_beside(folder: Path) -> str:
    """``; did you mean ...``: the folders beside one that is not there whose names are like its own."""
    try:
        beside = [path.name for path in folder.parent.iterdir() if path.is_dir()]
    except OSError:
        return ""
    similar = difflib.get_close_matches(folder.name, sorted(beside))
    return f"; did you mean {' or '.join(repr(str(folder.parent / name)) for name in similar)}?" if similar else ""


def _check_tokenizer(model: str) -> None:
    folder = Path(model).expanduser()
    if folder.is_dir() and not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        remedy = "copy tokenizer.json and tokenizer_config.json of the model it was trained from into the folder"
        raise DataError([Problem(model, "this model folder has no tokenizer (tokenizer.json)", remedy)])


def check_adapter(adapter: str) -> None:
    """Looks for what an adapter folder must hold.

    Raises:
        DataError: its configuration or its weights are missing.
    """
    folder = Path(adapter).expanduser()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            remedy = "give the folder that a LoRA training wrote"
            raise DataError([Problem(adapter, f"this adapter folder has no {name}", remedy)])


def device_of(torch: Any, device: Device, *, load_in_4bit: bool = False) -> Any:
    """The ``torch.device`` that a setting names.

    Raises:
        ModelRejected: it needs a GPU, and there is none.
    """
    if load_in_4bit and (device == "cpu" or not torch.cuda.is_available()):
        raise ModelRejected("load_in_4bit needs an NVIDIA GPU, and there is none here: set load_in_4bit to false")
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelRejected("device is 'cuda', and torch sees no GPU here: set device to 'cpu' or 'auto'")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def _four_bit(torch: Any, transformers: Any, dtype: Dtype) -> Any:
    if find_spec("bitsandbytes") is None:
        raise MissingExtra("load_in_4bit", "gpu")
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if dtype == "auto" else getattr(torch, dtype),
    )


def from_pretrained(factory: Any, model: str, **options: Any) -> Any:
    """What an auto class of transformers loads from a folder, which is never looked for elsewhere, or from a hub id.

    Raises:
        DataError: it cannot be loaded.
    """
    folder = Path(model).expanduser()
    source = str(folder) if folder.is_dir() else model
    try:
        return factory.from_pretrained(source, local_files_only=folder.is_dir(), trust_remote_code=False, **options)
    # transformers, tokenizers, safetensors and the hub client each raise their own kinds, bare Exception among them
    except Exception as error:
        first_line = str(error).strip().split("\n")[0] or type(error).__name__
        remedy = "is the folder complete?" if folder.is_dir() else "is the id right, and can the hub be reached?"
        raise DataError([Problem(model, f"this model cannot be loaded: {first_line}", remedy)]) from error


def _with_adapter(network: Any, adapter: str, *, merge: bool) -> Any:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise MissingExtra("an adapter", "train") from error
    try:
        adapted = PeftModel.from_pretrained(network, str(Path(adapter).expanduser()))
    except (ValueError, KeyError, RuntimeError, OSError) as error:
        first_line = str(error).strip().split("\n")[0]
        remedy = "is it an adapter of this very model?"
        raise DataError([Problem(adapter, f"this adapter does not fit the model: {first_line}", remedy)]) from error
    return adapted.merge_and_unload() if merge else adapted


def _eos_ids(network: Any, tokenizer: Any) -> tuple[int, ...]:
    configured = getattr(network.generation_config, "eos_token_id", None)
    listed = configured if isinstance(configured, list) else [configured]
    return tuple(sorted({tokenizer.eos_token_id, *(token for token in listed if token is not None)}))


def spare_token(tokenizer: Any) -> str:
    """A token that can fill a batch where the tokenizer names none."""
    vocabulary = tokenizer.get_vocab()
    if _LLAMA_3_PAD in vocabulary:
        return _LLAMA_3_PAD
    reserved = sorted((number, token) for token, number in vocabulary.items() if token.startswith(_RESERVED))
    return reserved[0][1] if reserved else str(tokenizer.eos_token)
