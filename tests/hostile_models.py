"""Pickles that leave a trace when they are loaded, and folders that hold them wherever a model folder may."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PICKLES = (
    "pytorch_model.bin",
    "pytorch_model-00001-of-00001.bin",
    "adapter_model.bin",
    "model.pt",
    "model.ckpt",
    "consolidated.00.pth",
    "optimizer.pt",
    "scheduler.pt",
    "scaler.pt",
    "rng_state.pth",
    "rng_state_0.pth",
    "training_args.bin",
    "value_head.bin",
    "state.pt",
    "state.pkl",
    "vocab.pkl",
    "tokenizer.pickle",
    "special_tokens.npy",
    "embeddings.npz",
    "head.joblib",
)
"""Names under which libraries look for pickles, or looked once."""
_OPENED = """
import pathlib, pickle, sys
import joblib, numpy, torch
for path in map(pathlib.Path, sys.argv[1:]):
    try:
        if path.suffix in (".npy", ".npz"):
            found = numpy.load(path, allow_pickle=True)
            [found[name] for name in found] if path.suffix == ".npz" else found
        elif path.suffix == ".joblib":
            joblib.load(path)
        elif path.suffix in (".pkl", ".pickle"):
            pickle.loads(path.read_bytes())
        else:
            torch.load(path, weights_only=False)
    except Exception as error:
        print(path.name, type(error), error, file=sys.stderr)
"""


class Trap:
    """What makes an empty file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self._trace), "w")


class Traces:
    """Traps in a folder's files, and the traces that they leave.

    Args:
        folder: where the traces would be; made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._laid = 0

    def left(self) -> list[str]:
        """The files whose code has run."""
        return sorted(path.name.partition("-")[2] for path in self.folder.iterdir())

    def trap(self, name: str) -> Trap:
        """One that leaves this name."""
        self._laid += 1
        return Trap(self.folder / f"{self._laid}-{name}")

    def lay(self, folder: Path, names: tuple[str, ...] = PICKLES) -> Path:
        """Writes a trap under each name into a folder, which is returned; made where it is not there."""
        import numpy as np
        import torch

        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            path, trap = folder / name, self.trap(name)
            if path.suffix in {".npy", ".npz"}:
                save = np.save if path.suffix == ".npy" else np.savez
                save(path, np.array([trap], dtype=object), allow_pickle=True)
            elif path.suffix in {".pkl", ".pickle", ".joblib"}:
                path.write_bytes(pickle.dumps(trap))
            else:
                torch.save({"weight": torch.zeros(2), "state": trap}, path)
        return folder

    def tar_of(self, file: Path, names: tuple[str, ...]) -> Path:
        """An archive of samples, as WebDataset has them."""
        with tarfile.open(file, "w") as tar:
            for path in self._laid_in(file.with_suffix(""), names):
                tar.add(path, f"000{path.suffix}")
        return file

    def _laid_in(self, folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
        self.lay(folder, names)
        yield from sorted(folder.iterdir())


def opened_carelessly(files: list[Path]) -> None:
    """Opens pickles as one must not, in a process of its own."""
    subprocess.run(
        [sys.executable, "-c", _OPENED, *map(str, files)], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
