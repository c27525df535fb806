"""A model that is divided among processes: each holds a part of every weight, and a layer is whole while it is used.

FSDP as torch has it for single weights (``fully_shard``): names, adapters and frozen weights stay what they are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

T = TypeVar("T")

_WITHIN = "within_a_forward_pass"


def divide(model: Any) -> None:
    """Divides a model among all processes, layer by layer; its gradients are means over them.

    What is read of the weights outside of its layers, other than by its own forward pass, is read ``within`` one.

    Args:
        model: a model of transformers, with PEFT around it or not.
    """
    network = model.get_base_model() if hasattr(model, "get_base_model") else model
    names = set(network._no_split_modules or ())  # the layers: what may not be torn apart
    for module in [module for module in network.modules() if type(module).__name__ in names]:
        fully_shard(module)
    fully_shard(model)
    setattr(model, _WITHIN, lambda deed: deed())
    register_fsdp_forward_method(model, _WITHIN)


def within(model: Any, deed: Callable[[], T]) -> T:
    """What ``deed`` returns, which runs parts of a model; meanwhile one that is divided is whole outside of its layers.

    Every process does it as often as the others, and none inside of another. What has a gradient is returned as a
    tensor, or in tuples, lists and dicts of them.

    Args:
        model: that was given to ``divide``, or any that is not divided.
        deed: what is to be done.
    """
    if not hasattr(model, _WITHIN):
        return deed()
    found: T = getattr(model, _WITHIN)(deed)
    if not torch.is_grad_enabled():
        model.reshard()  # as a backward pass does
    return found


class Undivided:
    """A copy of a model that is divided, for what each process does at a pace of its own: writing completions.

    It is whole for as long as a block lasts, and takes no memory for weights otherwise.

    Args:
        model: it, before it is divided.
    """

    def __init__(self, model: Any) -> None:
        self._divided = model
        # deepcopy takes these for copies that it has made
        empty = {id(weight): nn.Parameter(weight.new_empty(0), requires_grad=False) for weight in model.parameters()}
        self._copy = copy.deepcopy(model, empty)

    @contextmanager
    def whole(self) -> Iterator[Any]:
        """Gives the copy with the weights that the model has now. All processes begin together."""
        weights = dict(self._divided.named_parameters())
        own = dict(self._copy.named_parameters())
        try:
            for name, weight in own.items():
                weight.data = whole(weights[name].detach())
            yield self._copy.train(self._divided.training)
        finally:
            for weight in own.values():
                weight.data = weight.new_empty(0)


def divide_of_trainer(trainer: Any) -> None:
    """Divides what a trainer of TRL trains, and what it compares with at every step, before it begins.

    In place of accelerate's way, which exists on GPUs only. What is asked once, before training, asks a whole model: a
    trainer that has something to ask, or to copy, does so in ``before_it_is_divided``.
    """
    getattr(trainer, "before_it_is_divided", lambda: None)()
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
    """This process's part of ``value``, cut as ``like`` is: by rows. The rest of it is not looked at."""
    if value.ndim == 0:
        return value.clone()  # of a file that is mapped, a number that is held holds all of it
    if not isinstance(like, DTensor):
        return value
    mesh, length = like.device_mesh, len(like.to_local())
    first = mesh.get_local_rank() * -(-len(value) // mesh.size())
    rows = value[first : first + length].to(like.device, copy=True)
    return DTensor.from_local(rows, mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride())


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
