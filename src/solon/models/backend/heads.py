"""Loading a network with the head that it was trained with: of its own, or beside an adapter on another's trunk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from solon.errors import DataError, MissingExtra, Problem, RecipeError
from solon.models.backend.adapters import check_adapter, check_base, put_on
from solon.models.backend.loading import Dtype, from_pretrained, libraries, said_by_peft

HEAD = "score"
"""What transformers calls the head of a decoder that classifies; PEFT keeps it beside an adapter under this name."""
_HEADS = (f"{HEAD}.weight", "classifier.weight", "classifier.out_proj.weight")


def load_network(model: str, adapter: str | None, *, dtype: Dtype) -> Any:
    """A network for sequence classification, the adapter merged into it.

    Args:
        model: a folder or hub id.
        adapter: a folder with an adapter and a head, as the trainer ``reward`` writes with ``lora``.
        dtype: of the weights.

    Raises:
        DataError: something cannot be loaded, or there is no trained head.
        MissingExtra: a package is not installed.
    """
    _, transformers = libraries()
    options = {} if adapter is None else {"num_labels": _outputs(adapter)}
    if adapter is not None:
        check_base(adapter, model)
    network, report = from_pretrained(
        transformers.AutoModelForSequenceClassification,
        model,
        use_safetensors=True,
        output_loading_info=True,
        dtype=dtype,
        **options,
    )
    # transformers fills what is missing with random numbers, and says so in a log that nobody reads
    missing = sorted(key for key in report["missing_keys"] if adapter is None or not key.endswith(_HEADS))
    if missing:
        remedy = "give a model that was trained as a classifier or as a reward model"
        lacks = f"its weights have no {', '.join(missing[:3])}, so its scores would be random"
        raise DataError([Problem(model, f"this is no trained classifier: {lacks}", remedy)])
    return network if adapter is None else _adapted(network, adapter)


def scorer_around(network: Any, config: Any) -> Any:
    """A network for sequence classification on the very trunk of a decoder: no weight is there twice.

    Its head (``HEAD``) has no weights yet.

    Args:
        network: a ``transformers`` causal language model.
        config: of the network that is made; says how many labels it has.

    Raises:
        RecipeError: transformers has no such network of this kind of model, or one on another trunk.
    """
    torch, transformers = libraries()
    decoders = "take a decoder such as Llama, Qwen, Mistral or Gemma"
    try:
        with torch.device("meta"):
            scorer = transformers.AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        raise RecipeError(
            f"policy.model: transformers knows no reward model of a {config.model_type!r} model; {decoders}"
        ) from error
    if scorer.base_model_prefix != network.base_model_prefix or not hasattr(scorer, HEAD):
        raise RecipeError(
            f"policy.model: no reward model can be made of the weights of a {config.model_type!r} model; {decoders}"
        )
    setattr(scorer, scorer.base_model_prefix, network.base_model)
    return scorer


def _outputs(adapter: str) -> int:
    """How many labels the head beside an adapter has.

    Raises:
        DataError: there is no adapter, or no head beside it.
    """
    check_adapter(adapter)
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise MissingExtra("an adapter", "train") from error
    with safe_open(Path(adapter).expanduser() / "adapter_model.safetensors", "pt") as file:
        heads = [key for key in file.keys() if key.endswith(_HEADS)]  # noqa: SIM118 - it is no mapping
        if heads:
            return int(file.get_slice(heads[0]).get_shape()[0])
    remedy = "give one that the trainer `reward` wrote"
    raise DataError([Problem(adapter, "this adapter has no head beside it, so it gives no score", remedy)])


def _adapted(network: Any, adapter: str) -> Any:
    try:
        return put_on(network, adapter).merge_and_unload()
    except ImportError as error:
        raise MissingExtra("an adapter", "train") from error
    except (ValueError, KeyError, RuntimeError, OSError) as error:
        remedy = "is it an adapter of this very model?"
        said = f"this adapter does not fit the model: {said_by_peft(error)}"
        raise DataError([Problem(adapter, said, remedy)]) from error
