"""A model that is divided among processes: each holds a part of every weight, and a layer is whole while it is used.

FSDP as torch has it for single weights (``fully_shard``): names, adapters and frozen weights stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor


def divide(model: Any, *, reads: Mapping[str, Callable[..., Any]] = MappingProxyType({})) -> None:
    """Divides a model among all processes, layer by layer; its gradients are means over them.

    Args:
        model: a model of transformers, with PEFT around it or not.
        reads: what runs parts of it, by the name under which it becomes a method: the weights outside of its layers are
            whole only within one, or within its own forward pass.
    """
    network = model.get_base_model() if hasattr(model, "get_base_model") else model
    names = set(network._no_split_modules or ())  # the layers: what may not be torn apart
    for module in [module for module in network.modules() if type(module).__name__ in names]:
        fully_shard(module)
    fully_shard(model)
    for name, read in reads.items():
        setattr(model, name, read)
        register_fsdp_forward_method(model, name)


def divide_of_trainer(trainer: Any) -> None:
    """Divides what a trainer of TRL trains, and what it compares with at every step, before it begins.

    In place of accelerate's way, which exists on GPUs only. What is asked once, before training, asks a whole model.
    """
    # prepared as for evaluation, so that it is not put into a wrapper that adds up gradients once more
    trainer.accelerator.prepare_model = partial(trainer.accelerator.prepare_model, evaluation_mode=True)
    divide(trainer.model)
    if getattr(trainer, "ref_model", None) is not None:
        divide(trainer.ref_model)


def whole(value: Tensor) -> Tensor:
    """All of a tensor of which this process holds a part: every process asks for it, in the same order."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def gathered(value: Tensor) -> Tensor | None:
    """As ``whole``, of what is written: on the CPU, by the first process; the others are given ``None``.

    What many tensors are gathered by one after another is no more than one of them on a GPU. Of a tensor that is not
    divided it is that tensor.
    """
    if not isinstance(value, DTensor):
        return value
    full = value.full_tensor()
    return full.cpu() if torch.distributed.get_rank() == 0 else None


def gathered_all(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``gathered`` of each in turn, by name; where it is ``None``, left out."""
    found = ((name, gathered(value)) for name, value in values.items())
    return {name: value for name, value in found if value is not None}


def part(value: Tensor, like: Tensor) -> Tensor:
    """This process's part of ``value``, cut as ``like`` is."""
    if not isinstance(like, DTensor) or value.ndim == 0:
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def whole_weights(model: Any, dtype: torch.dtype | None, *, trained: bool = False) -> dict[str, Tensor] | None:
    """The weights of a divided model by name, in ``dtype`` where one is given; ``None`` of one that is not divided.

    They are put together one after another and kept on the CPU, by the first process; the others are given none.

    Args:
        model: divided or not.
        dtype: of the weights that are given.
        trained: only those that are trained, as the adapter is and the base under it is not.
    """
    if not any(isinstance(weight, DTensor) for weight in model.parameters()):
        return None
    weights: dict[str, Tensor] = {}
    first: dict[int, str] = {}  # a weight under several names stays one, as T5's embeddings are, and is written once
    for name, weight in model.state_dict(keep_vars=True).items():
        if trained and not weight.requires_grad:
            continue
        known = first.setdefault(id(weight), name)
        value = whole(weight).detach() if known == name else None
        if torch.distributed.get_rank() == 0:
            to = dtype if weight.is_floating_point() else None
            weights[name] = weights[known] if value is None else value.to("cpu", to)
    return weights


def optimizer_state(optimizer: Any) -> dict[str, Any]:
    """What an optimizer remembers, whole; of a divided model in the first process alone (``gathered``)."""
    state: dict[str, Any] = optimizer.state_dict()
    moments = {number: gathered_all(of_weight) for number, of_weight in state["state"].items()}
    return {**state, "state": moments}


def restore_optimizer(optimizer: Any, state: dict[str, Any]) -> None:
    """Gives an optimizer what ``optimizer_state`` returned of another with the same weights."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    moments = {
        number: {name: part(value, like=weights[number]) for name, value in of_weight.items()}
        for number, of_weight in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": moments})
