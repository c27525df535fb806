"""Prompts are counted as the trainer reads them: TRL a text as it stands, ours as what a user says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from solon.data.records import Prompt
from solon.errors import DataError
from solon.models.backend.loading import Loaded, load
from solon.plugins.registry import load as load_kind
from solon.testing.tiny import tiny_llama
from solon.trainers.backend.length import fitted
from solon.trainers.dataset import Rows

RULES = {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}}
KINDS = {"grpo": "reward", "rloo": "reward", "ppo": "reward", "selfplay": "labeler"}
"""Each with the name that it has for who judges."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A Llama of random weights that reads up to 64 tokens."""
    return load(str(tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64)), threads=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_as_long_as_what_the_policy_is_given(kind: str, loaded: Loaded, tmp_path: Path) -> None:
    """The longest that fits does, and one letter more does not."""
    trainer: Any = load_kind("solon.trainers", kind)
    settings = trainer.model_validate({KINDS[kind]: RULES, "max_new_tokens": 6, "too_long": "leave_out"})
    around = 0 if kind in ("grpo", "rloo") else len(loaded.chat.encode([Prompt.of("").messages])[0])
    assert around in (0, 3)
    texts = ["x" * (64 - 6 - around + more) for more in (0, 1)]
    rows, changed = fitted(settings, Rows("id", pa.table({"prompt": texts}), None), loaded, tmp_path)
    assert rows.train.to_pylist() == [{"prompt": texts[0]}]
    assert changed == {"rows/left_out": 1}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ppo", "selfplay"])
def test_what_is_no_prompt_is_named_by_its_row(kind: str, loaded: Loaded, tmp_path: Path) -> None:
    """Before anything is left out, so that the row is that of the file."""
    trainer: Any = load_kind("solon.trainers", kind)
    settings = trainer.model_validate({KINDS[kind]: RULES, "max_new_tokens": 6, "too_long": "leave_out"})
    said = [{"role": "user", "content": "x" * 64}], [{"role": "oracle", "content": "x"}]
    with pytest.raises(DataError, match=r"train\.parquet, row 2: the prompt is none: role: "):
        fitted(settings, Rows("id", pa.table({"prompt": list(said)}), None), loaded, tmp_path)
