"""Asking the reference once, before training, in every one of several processes."""

from __future__ import annotations

from typing import Any


class Precomputing:
    """To be put before TRL's DPO and KTO trainers."""

    accelerator: Any
    model: Any

    def _precompute_ref_logps(self, *given: Any) -> Any:
        """As TRL's, without the dropout of adapters, one of which is the reference where training continues from it.

        TRL gathers what all processes found and lets the first write it into a folder for temporary files, where the
        others look for it: of rows in memory each process has a folder of its own. So each writes.
        """
        self.model.eval()
        accelerator, self.accelerator = self.accelerator, _First(self.accelerator)
        try:
            return super()._precompute_ref_logps(*given)  # type: ignore[misc]
        finally:
            self.accelerator = accelerator


class _First:
    """The accelerator, of a process that takes itself for the first."""

    is_main_process = True

    def __init__(self, accelerator: Any) -> None:
        self._accelerator = accelerator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accelerator, name)
