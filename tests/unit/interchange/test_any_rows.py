"""Whatever stands in a file, it is converted with every row accounted for, or refused as data."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solon.errors import DataError
from solon.interchange.converting import convert
from solon.interchange.layouts import LAYOUTS

ASKED, SAID, OTHER = (
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "assistant", "content": "Go"},
)
HUMAN, GPT = {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}
ORIGIN = {"topic": "sums", "prompt_id": "0", "principles": ["polite"], "labelers": ["judge"]}
ROWS: list[dict[str, Any]] = [
    {"prompt": [ASKED], "chosen": [SAID], "rejected": [OTHER], "margin": 0.5},
    {"prompt": "Hi", "chosen": "Hello", "rejected": "Go", "margin": 2},
    {"prompt": "Hi", "system": "Be brief.", "chosen": "Hello", "rejected": "Go"},
    {"chosen": [ASKED, SAID], "rejected": [ASKED, OTHER]},
    {"messages": [ASKED], "chosen": SAID, "rejected": OTHER},
    {"prompt": [ASKED], "completion": [SAID], "label": True},
    {"completion": [ASKED, SAID], "label": True},
    {"prompt": "Hi", "completion": "Hello"},
    {"messages": [ASKED, SAID]},
    {"conversations": [HUMAN, GPT], "system": "Be brief.", "kto_tag": False},
    {"conversations": [HUMAN, GPT], "tools": ""},
    {"instruction": "Hi", "input": "", "output": "Hello", "system": "Be brief.", "history": [["a", "b"]]},
    {"instruction": "Hi", "chosen": "Hello", "rejected": "Go"},
    {"instruction": "Hi", "output": "Hello", "kto_tag": True},
    {"input": "Hi", "output": "Hello"},
    {"input": "Hi", "label": "Hello"},
    {"prompt": "Hi", "reference": "Hello", "topic": "sums"},
    {"prompt": "Hi", "prompt_id": "0", "messages": [ASKED, SAID]},
    {"instruction": "Hi", "system_prompt": "Be brief.", "generation": "Hello"},
    {"instruction": "Hi", "generations": ["Hello", "Go"], "ratings": [2, 1]},
    {"prompt": [ASKED], "chosen": [SAID], "rejected": [OTHER], "label_margin": 0.5, **ORIGIN},
    {"prompt": [ASKED], "completion": [SAID], "label": True, "score": 0.5, **ORIGIN},
    {"prompt": [ASKED], "completion": [SAID], "score": 0.5, **ORIGIN},
    {"prompt": [ASKED], "completion": [SAID], **ORIGIN},
    {"prompt": [ASKED], "reference": "4", "topic": "sums", "prompt_id": "0", "principles": ["polite"]},
]
COLUMNS = sorted({column for row in ROWS for column in row} | {"images", "\ud83d"})
ROLES = ("system", "user", "assistant", "human", "gpt", "tool", "developer")
WORDS = st.sampled_from(["Hi", "", " ", "\ud83d", "<image>", '[{"role": "user", "content": "Hi"}]', "true", *ROLES])
PLAIN = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.3, 2.5, float("nan"), 10**400]) | WORDS
TURN = st.builds(lambda role, text: {"role": role, "content": text}, st.sampled_from(ROLES), WORDS)
CELL = st.one_of(
    PLAIN,
    TURN,
    st.lists(PLAIN | TURN, max_size=3),
    st.dictionaries(WORDS, PLAIN, max_size=2),
    st.sampled_from([[ASKED], [SAID], [ASKED, SAID], [SAID, ASKED, SAID], [["Hi", None]], [["Hi", "Hello"]]]),
)


@st.composite
def changed(draw: st.DrawFn, row: dict[str, Any]) -> dict[str, Any]:
    """A row with something else in up to two places, somewhere inside of a cell too."""
    row = copy.deepcopy(row)
    for _ in range(draw(st.integers(0, 2))):
        place: Any = row
        key: Any = draw(st.sampled_from([*row, *row, draw(st.sampled_from(COLUMNS))]))
        while key in place if isinstance(place, dict) else True:
            inside = place[key]
            keys = list(inside) if isinstance(inside, dict) else list(range(len(inside) if type(inside) is list else 0))
            if not keys or draw(st.booleans()):
                break
            place, key = inside, draw(st.sampled_from(keys))
        place[key] = copy.deepcopy(draw(CELL))
    return row


FILES = st.sampled_from(ROWS).flatmap(lambda row: st.lists(changed(row), min_size=1, max_size=4))


@pytest.mark.slow
@settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(FILES, st.sampled_from(sorted(LAYOUTS)), st.none() | st.sampled_from(sorted(LAYOUTS)))
def test_whatever_rows_there_are_they_are_counted_or_refused(rows: list[dict[str, Any]], to: str, layout: str | None):
    """No other error escapes, and in = out + left out."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        try:
            done = convert(file, to, Path(folder) / "out", layout=layout)
        except DataError:
            return
    left_out = sum(count for reasons in done.dropped.values() for count in reasons.values())
    assert done.read == len(rows) == sum(done.files.values()) + left_out
