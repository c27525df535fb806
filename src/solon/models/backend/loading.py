"""Loading a language model, decoder or encoder-decoder, and its tokenizer: what is missing is named early.

Only safetensors are read, and no code that came with a model is run: a pickle or a ``modeling_*.py`` from elsewhere can
do anything that the user can. Importing this module needs no torch; calling it does.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from solon.errors import DataError, MissingExtra, ModelRejected, Problem
from solon.models.backend.adapters import base_of, check_adapter, check_base, put_on
from solon.models.backend.chat import Chat
from solon.models.backend.folders import check_folder, check_tokenizer, refuse_kernels
from solon.models.backend.templates import bound
from solon.models.backend.tensor_files import check_weights
from solon.models.backend.text_to_text import TextToText, decoder_start

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Device = Literal["auto", "cpu", "cuda"]

_LLAMA_3_PAD = "<|finetune_right_pad_id|>"
_RESERVED = "<|reserved_special_token"


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model ready to answer.

    Attributes:
        model: a ``transformers`` causal language model or encoder-decoder, or a ``PeftModel`` around one, in evaluation
            mode.
        tokenizer: with a pad token. That of a causal model has a chat template, and pads on the left.
        device: where the model is: a ``torch.device``.
        eos_ids: every token that ends a reply, ascending: those of the generation configuration and the tokenizer's
            own.
        pad_id: the token that fills a batch; never attended to, never in a reply.
        context: the most tokens of prompt and reply together, or of each by itself where ``apart``; ``None`` when the
            configuration does not say, or positions are relative, as T5's, and nothing limits them.
        chat: messages to tokens, as the chat template has them or, of an encoder-decoder without one, as they are.
        decoder_start: what the decoder of an encoder-decoder reads before the first token of a reply; empty for a
            causal model.
        prefixes: key-value caches of constant beginnings, kept by ``solon.models.backend.choices``.
    """

    model: Any
    tokenizer: Any
    device: Any
    eos_ids: tuple[int, ...]
    pad_id: int
    context: int | None
    chat: Chat
    decoder_start: tuple[int, ...] = ()
    prefixes: OrderedDict[tuple[int, ...], Any] = field(default_factory=OrderedDict, repr=False)

    @property
    def apart(self) -> bool:
        """Whether prompt and reply are read apart, by an encoder and a decoder, and not one after the other."""
        return bool(self.decoder_start)

    @property
    def network(self) -> Any:
        """The language model itself, without a PEFT wrapper; an adapter inside it stays in force."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model


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
    torch, transformers = libraries()
    target = device_of(torch, device, load_in_4bit=load_in_4bit)
    check_weights(model)
    if adapter is not None:
        check_adapter(adapter)
        check_base(adapter, model)
    if threads is not None:
        torch.set_num_threads(threads)
    configured = from_pretrained(transformers.AutoConfig, model)
    tokenizer = load_tokenizer(model, encoder_decoder=configured.is_encoder_decoder)
    options: dict[str, Any] = {"dtype": "float32" if dtype == "auto" and target.type == "cpu" else dtype}
    if load_in_4bit:
        options |= {"quantization_config": _four_bit(torch, transformers, dtype), "device_map": {"": target}}
    kind = "AutoModelForSeq2SeqLM" if configured.is_encoder_decoder else "AutoModelForCausalLM"
    network, report = from_pretrained(
        getattr(transformers, kind), model, use_safetensors=True, output_loading_info=True, **options
    )
    # transformers fills what is missing with random numbers, and says so in a log that nobody reads
    if missing := sorted(report["missing_keys"]):
        what = f"its weights have no {', '.join(missing[:3])}, so it would say anything"
        raise DataError([Problem(model, what, "is the folder complete, and is it a language model?")])
    if len(tokenizer) > network.get_input_embeddings().num_embeddings:
        remedy = "the tokenizer is another model's: copy the right one into the folder"
        raise DataError([Problem(model, f"the tokenizer knows {len(tokenizer)} tokens, more than the model", remedy)])
    if adapter is not None:
        network = _with_adapter(network, adapter, merge=merge and not load_in_4bit)
    if not load_in_4bit:
        network = network.to(target)
    return ready(network, tokenizer, target)


def ready(network: Any, tokenizer: Any, device: Any) -> Loaded:
    """A model that is on ``device``, in evaluation mode, with all that is read off it and its tokenizer.

    Raises:
        DataError: it is an encoder-decoder that does not say with which token its decoder starts.
    """
    eos_ids = _eos_ids(network, tokenizer)
    apart = network.config.is_encoder_decoder
    start = decoder_start(network, tokenizer) if apart else ()
    positions = getattr(network.config, "max_position_embeddings", None)
    return Loaded(
        model=network.eval(),
        tokenizer=tokenizer,
        device=device,
        eos_ids=eos_ids,
        pad_id=tokenizer.pad_token_id,
        # the decoder reads all of its start and all but the last token of a reply
        context=positions and positions - max(0, len(start) - 1),
        chat=TextToText(tokenizer, eos_ids) if apart else Chat(tokenizer, eos_ids),
        decoder_start=start,
    )


def load_tokenizer(path: str, *, encoder_decoder: bool = False) -> Any:
    """The tokenizer of a model folder or hub id, with a pad token that is set.

    That of a causal model pads on the left. That of an encoder-decoder pads on the right, and needs no chat template.

    The pad token is the tokenizer's own; else Llama 3.1's pad token; else the first reserved token; else the end token.
    With the last, whoever trains must mask padding by position and not by token, or the model never learns to stop.

    Raises:
        DataError: there is no tokenizer, or it has no chat template or no end token.
        MissingExtra: transformers is not installed.
    """
    _, transformers = libraries()
    check_tokenizer(path)
    side = "right" if encoder_decoder else "left"
    tokenizer = from_pretrained(transformers.AutoTokenizer, path, padding_side=side)
    problems = []
    if not tokenizer.chat_template and not encoder_decoder:
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
    bound(transformers.utils.chat_template_utils)
    return torch, transformers


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
    if device == "cuda" and torch.distributed.is_available() and torch.distributed.is_initialized():
        # by number: accelerate compares it with its own
        return torch.device(device, torch.cuda.current_device())
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
        if factory.__name__.startswith("AutoModel"):
            from transformers import PreTrainedConfig

            refuse_kernels(model, PreTrainedConfig.get_config_dict(source, local_files_only=folder.is_dir())[0])
        return factory.from_pretrained(source, local_files_only=folder.is_dir(), trust_remote_code=False, **options)
    except DataError:
        raise
    # transformers, tokenizers, safetensors and the hub client each raise their own kinds, bare Exception among them
    except Exception as error:
        raise DataError([_unloadable(error, model, here=folder.is_dir())]) from error


def _unloadable(error: Exception, model: str, *, here: bool) -> Problem:
    """What to say of a model for what transformers said of it. ``here``: it is a folder."""
    said = str(error).strip()
    known = "take one of an architecture that transformers knows by itself, or a transformers that knows this one"
    if "custom code" in said:
        what = "this model can be loaded only by running Python code that comes with it, and that is never done"
        return Problem(model, what, known)
    first_line = said.split("\n")[0] or type(error).__name__
    what = f"this model cannot be loaded: {first_line}"
    if "does not recognize this architecture" in said:
        return Problem(model, what, known)
    return Problem(model, what, "is the folder complete?" if here else "is the id right, and can the hub be reached?")


def _with_adapter(network: Any, adapter: str, *, merge: bool) -> Any:
    try:
        adapted = put_on(network, adapter)
    except ImportError as error:
        raise MissingExtra("an adapter", "train") from error
    except (ValueError, KeyError, RuntimeError, OSError) as error:
        named = base_of(adapter)
        trained = f", which was trained on {named!r}," if named else ""
        what = f"this adapter{trained} does not fit {network.config.name_or_path!r}: {said_by_peft(error)}"
        raise DataError([Problem(adapter, what, "give the model that it was trained on as `model`")]) from error
    return adapted.merge_and_unload() if merge else adapted


def said_by_peft(error: Exception) -> str:
    """What PEFT says, without its heading: of matrices that differ in size, the first."""
    lines = [line.strip() for line in str(error).strip().split("\n")]
    return next((line for line in lines if "size mismatch" in line), lines[0])


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
