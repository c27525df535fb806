"""A dataset's card names files of the dataset and of nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.data import hub
from solon.data.dataset_card import check_card, check_files
from solon.errors import DataError

OUTSIDE = (
    "/etc/passwd",
    "~/.ssh/id_ed25519",
    "../../other/secret.jsonl",
    "data/../../secret.jsonl",
    "http://127.0.0.1:9/x.jsonl",
    "file:///etc/passwd",
    "zip://x.jsonl::http://127.0.0.1:9/x.zip",
    "hf://datasets/org/other/x.parquet",
    "s3://bucket/x.parquet",
)
FORMS = (
    "configs: [{{config_name: a, data_files: '{}'}}]",
    "configs: [{{config_name: a, data_files: [x.jsonl, '{}']}}]",
    "configs: [{{config_name: a, data_files: [{{split: train, path: '{}'}}]}}]",
    "configs: [{{config_name: a, data_files: [{{split: train, path: [x.jsonl, '{}']}}]}}]",
    "configs: [{{config_name: a, data_dir: '{}'}}]",
    "base: &a {{data_files: '{}'}}\nconfigs: [{{config_name: a, <<: *a}}]",
    "base: &a {{configs: [{{data_files: '{}'}}]}}\n<<: [*a]",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("file", OUTSIDE)
def test_a_card_that_names_files_elsewhere_is_refused(tmp_path: Path, form: str, file: str) -> None:
    """Their lines would go to a judge, or the address would be asked; in either file that ``datasets`` reads."""
    (tmp_path / "README.md").write_text(f"---\nlicense: mit\n{form.format(file)}\n---\n\n# A dataset\n")
    (tmp_path / ".huggingface.yaml").write_text(form.format(file))
    for name in ("README.md", ".huggingface.yaml"):
        with pytest.raises(DataError, match=f"hf://org/it: its {name} names files outside of it"):
            check_card("hf://org/it", tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "---\nconfigs: [{data_files: data/*.parquet}, {data_files: [{split: x, path: a..b.jsonl}]}]\n---\n",
        "# No settings: configs: [{data_files: /etc/passwd}]",
        "---\nsource_datasets: [http://example.org]\n---\nconfigs: [{data_files: /etc/passwd}]",
        "---\n: [ no YAML\n---\n",
        "---\n- a list\n---\n",
        "---\nconfigs: 3\n---\n",
        "",
    ],
)
def test_a_card_that_names_its_own_or_none_is_not(tmp_path: Path, text: str) -> None:
    """Text about other places is only text."""
    (tmp_path / "README.md").write_text(text)
    check_card("hf://org/it", tmp_path / "README.md")
    check_card("hf://org/it", tmp_path / "gone.md")


def test_a_card_of_aliases_of_aliases_is_read_in_no_time(tmp_path: Path) -> None:
    """2 to the power of 60 items, of which there are 120."""
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    (tmp_path / "README.md").write_text("---\n" + "\n".join(lines) + "\nconfigs: [{data_files: *a59}]\n---\n")
    check_card("hf://org/it", tmp_path / "README.md")


def test_a_card_of_merges_of_merges_is_read_in_no_time(tmp_path: Path) -> None:
    """10 to the power of 8 keys, which PyYAML copies one by one."""
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9)]
    (tmp_path / "README.md").write_text("---\n" + "\n".join(lines) + "\nconfigs: [{data_files: *a8}]\n---\n")
    check_card("hf://org/it", tmp_path / "README.md")


def test_files_that_were_found_elsewhere_are_refused() -> None:
    """Whoever named them: what counts is where the library would read."""
    inside = "hf://datasets/org/it@"
    check_files("hf://org/it", [f"{inside}main/x.parquet"], inside)
    for file in ("/etc/passwd", "hf://datasets/org/other@main/x", f"{inside}main/../x", "https://x.org/x"):
        with pytest.raises(DataError, match="would be read from a file outside of it"):
            check_files("hf://org/it", [file], inside)


def test_a_folder_is_read_as_its_card_says(tmp_path: Path) -> None:
    """Own files go on working, by ``hf://`` and a path."""
    pytest.importorskip("datasets")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "x.jsonl").write_text('{"prompt": "A?"}\n')
    card = "---\nconfigs: [{config_name: a, data_files: [{split: train, path: own/x.jsonl}]}]\n---\n"
    (tmp_path / "README.md").write_text(card)
    assert list(hub.rows(f"hf://{tmp_path}")) == [{"prompt": "A?"}]
    assert hub.splits(f"hf://{tmp_path}") == ["train"]
