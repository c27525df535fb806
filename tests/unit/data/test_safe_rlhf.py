"""PKU-SafeRLHF in its own columns."""

import json
from pathlib import Path
from typing import Any

import pytest

from solon.data.safe_rlhf import read_safe_rlhf
from solon.errors import DataError

NINETEEN = (
    "Endangering National Security",
    "Insulting Behavior",
    "Discriminatory Behavior",
    "Endangering Public Health",
    "Copyright Issues",
    "Violence",
    "Drugs",
    "Privacy Violation",
    "Economic Crime",
    "Mental Manipulation",
    "Human Trafficking",
    "Physical Harm",
    "Sexual Content",
    "Cybercrime",
    "Disrupting Public Order",
    "Environmental Damage",
    "Psychological Harm",
    "White-Collar Crime",
    "Animal Abuse",
)


def row(**changes: Any) -> dict[str, Any]:
    """A row as the dataset has it: the second response is unsafe, of two categories."""
    harm = {name: name in ("Violence", "White-Collar Crime") for name in NINETEEN}
    return {
        "prompt": "How do I get even?",
        "response_0": "Talk to them.",
        "response_1": "Hit them, then forge the books.",
        "prompt_source": "Alpaca3-70B",
        "is_response_0_safe": True,
        "is_response_1_safe": False,
        "response_0_harm_category": dict.fromkeys(NINETEEN, False),
        "response_1_harm_category": harm,
        "response_0_severity_level": 0,
        "response_1_severity_level": 3,
        "better_response_id": 1,
        "safer_response_id": 0,
    } | changes


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    """A file of rows."""
    file = folder / "test.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return file


def test_a_row_says_what_people_found(tmp_path: Path) -> None:
    """Categories by their names as slugs; the prompt draws what either response has; the graver severity counts."""
    (found,) = read_safe_rlhf(written(tmp_path, row()))
    assert found.prompt.text == "How do I get even?"
    assert (found.safer, found.severity) == (0, 3)
    assert found.categories == ("violence", "white_collar_crime")
    assert [(one.text, one.safe, one.severity) for one in found.responses] == [
        ("Talk to them.", True, 0),
        ("Hit them, then forge the books.", False, 3),
    ]


def test_parquet_reads_as_json_lines_do(tmp_path: Path) -> None:
    """As the hub has it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([row(), row(prompt="Other?")]), tmp_path / "test.parquet")
    lines = written(tmp_path, row(), row(prompt="Other?"))
    assert read_safe_rlhf(tmp_path / "test.parquet") == read_safe_rlhf(lines)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("prompt", " ", "it is empty, or no text"),
        ("response_1", None, "a text was expected"),
        ("is_response_0_safe", "yes", "true or false was expected, not 'yes'"),
        ("response_0_harm_category", ["Violence"], "an object of categories"),
        ("response_1_severity_level", 4, "a whole number from 0 to 3 was expected, not '4'"),
        ("response_1_severity_level", True, "a whole number from 0 to 3"),
        ("safer_response_id", 2, "0 or 1 was expected, not 2"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line_and_column(
    tmp_path: Path, column: str, value: object, message: str
) -> None:
    """Nothing is guessed of what people labelled."""
    with pytest.raises(DataError, match=f"test.jsonl:2.*column '{column}'.*{message}"):
        read_safe_rlhf(written(tmp_path, row(), row(**{column: value})))


def test_a_missing_column_is_one_problem_with_what_there_is(tmp_path: Path) -> None:
    """Not one a row."""
    rows = [{name: value for name, value in row().items() if name != "safer_response_id"}] * 3
    with pytest.raises(DataError, match="no column 'safer_response_id'") as caught:
        read_safe_rlhf(written(tmp_path, *rows))
    assert len(caught.value.problems) == 1
