"""What every torch training needs around it: determinism, and running out of memory as an error of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch
from transformers import set_seed

from solon.errors import TrainingError

TRAINING_PACKAGES = ("torch", "transformers", "trl", "peft")


@contextmanager
def deterministic(seed: int) -> Iterator[None]:
    """Seeds Python, NumPy and torch, and holds torch to algorithms that give the same bits every time.

    On a GPU an operation that has none only warns (into the log): some kernels of 4-bit weights have no other. The bits
    depend on the number of threads, on torch, and on the processor.
    """
    strict = torch.are_deterministic_algorithms_enabled()
    lenient = torch.is_deterministic_algorithms_warn_only_enabled()
    set_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=lenient)


@contextmanager
def memory_boundary(remedies: Sequence[str]) -> Iterator[None]:
    """Turns running out of memory, of the GPU or of the machine, into an error that says what to lower.

    Raises:
        TrainingError: memory ran out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(error, remedies) from error
    except RuntimeError as error:
        # the CPU allocator has no class of its own for it
        if "DefaultCPUAllocator" not in str(error):
            raise
        raise _out_of_memory(error, remedies) from error


def _out_of_memory(error: BaseException, remedies: Sequence[str]) -> TrainingError:
    first_line = str(error).strip().split("\n")[0]
    return TrainingError(f"memory ran out ({first_line or type(error).__name__}): {'; or '.join(remedies)}")


def switch_dropout_off(model: Any) -> None:
    """Sets every dropout layer's probability to 0: a likelihood that is compared with a reference's must not be noisy.

    Done before adapters are put in, so that ``lora.dropout`` stays in force. Some models have no layer for a part of
    it, and keep the probability as a number of the module that attends (T5, BART).
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if isinstance(value, float) and ("dropout" in name or name == "layerdrop"):
                setattr(module, name, 0.0)


def package_versions() -> dict[str, str]:
    """The versions of the packages that decide what a training gives."""
    return {package: version(package) for package in TRAINING_PACKAGES}
