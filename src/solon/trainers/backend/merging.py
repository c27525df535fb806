"""An adapter added into the weights of its base, in 16 bits: a model that anything serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from peft import PeftConfig

from solon.errors import DataError, Problem
from solon.models.backend.adapters import check_adapter, put_on
from solon.models.backend.loading import from_pretrained, said_by_peft
from solon.models.backend.tensor_files import check_weights
from solon.trainers.backend.saving import stored_dtype

_CLASSES = {
    "CAUSAL_LM": ("AutoModelForCausalLM", {}),
    "SEQ_2_SEQ_LM": ("AutoModelForSeq2SeqLM", {}),
    "SEQ_CLS": ("AutoModelForSequenceClassification", {"num_labels": 1}),
}
_SHARD = "5GB"  # a file


def merge(adapter: Path, base: str, out: Path, *, keep_32_bits: bool = False) -> str:
    """Writes the weights of ``base`` with ``adapter`` added into ``out``; returns their number type.

    That is the one in which the base is stored where it has 16 bits, and bfloat16 otherwise: 4-bit weights are for
    training, and merged into they would lose what the adapter has learned.

    Args:
        adapter: a LoRA folder.
        base: a model folder or hub id.
        out: a folder that exists.
        keep_32_bits: leaves a base that is stored in 32 bits in them, for weights that are trained further.

    Raises:
        DataError: the base cannot be loaded, or the adapter is of another model.
    """
    check_adapter(str(adapter))
    check_weights(base)
    task = PeftConfig.from_pretrained(str(adapter)).task_type or "CAUSAL_LM"
    if task not in _CLASSES:
        raise DataError([Problem(str(adapter), f"an adapter for {task} cannot be merged", "leave --merge out")])
    name, options = _CLASSES[task]
    stored = stored_dtype(base)
    kept = (torch.bfloat16, torch.float16, *((torch.float32,) if keep_32_bits else ()))
    dtype = stored if stored in kept else torch.bfloat16
    factory = getattr(transformers, name)
    transformers.utils.logging.disable_progress_bar()
    network = from_pretrained(factory, base, use_safetensors=True, dtype=dtype, low_cpu_mem_usage=True, **options)
    merged = _put_on(network, adapter, base).merge_and_unload(safe_merge=True)
    merged.to(dtype).save_pretrained(out, max_shard_size=_SHARD)
    return str(dtype).removeprefix("torch.")


def _put_on(network: Any, adapter: Path, base: str) -> Any:
    try:
        return put_on(network, str(adapter))
    except (ValueError, KeyError, RuntimeError, OSError) as error:
        what = f"this adapter does not fit {base}: {said_by_peft(error)}"
        raise DataError([Problem(str(adapter), what, "give the model that it was trained on with --base")]) from error
