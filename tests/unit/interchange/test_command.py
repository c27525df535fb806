"""``solon convert``, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from interchanged import examples, written
from solon.cli.app import app


def test_the_command_says_what_went_where_and_what_did_not(tmp_path: Path):
    """Four rows in and out, what Axolotl's layout has no place for, and the YAML with this folder in it."""
    source = written(tmp_path / "data", "preference", examples("preference"))
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["convert", str(source), "--to", "axolotl", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f"{out}: 4 rows read (preference as solon)\n  preference/train.parquet: 4 rows\n" in done.output
    assert "left out: what the layout of axolotl does not hold: `label_margin` (4 rows)" in done.output
    assert f"- path: {out}/preference/train.parquet" in done.output
    assert "FOLDER" not in done.output


def test_the_command_gives_one_json_object(tmp_path: Path):
    source = written(tmp_path / "data", "sft", examples("sft"))
    command = ["convert", str(source), "--to", "trl", "--out", str(tmp_path / "out"), "--split", "train", "--json"]
    said = json.loads(CliRunner().invoke(app, command).stdout)
    assert said["files"] == {"sft/train.parquet": 4}
    assert (said["read"], said["dropped"], said["layout"]) == (4, {}, "trl")


def test_the_command_takes_the_layout_where_the_columns_mean_two_things(tmp_path: Path):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Hi", "system": "Be brief.", "chosen": "a", "rejected": "b"}\n')
    command = ["convert", str(tmp_path / "rows.jsonl"), "--to", "trl", "--out", str(tmp_path / "out"), "--quiet"]
    assert "say which with --from" in str(CliRunner().invoke(app, command).exception)
    assert CliRunner().invoke(app, [*command, "--from", "axolotl"]).exit_code == 0
