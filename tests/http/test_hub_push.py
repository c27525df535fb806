"""What ``solon push`` sends to a hub, what it never sends, and what it says when the hub does not take it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hubs import CANARIES, CONSTITUTION, a_run, asked_here
from solon.cli.app import app
from solon.errors import DataError, RecipeError, StorageError
from solon.interchange.converting import convert
from solon.interchange.pushing import push_to_hub
from solon.testing import HubServer, HubTrouble

pytestmark = pytest.mark.filterwarnings("default")  # what the libraries warn of is their own

SENT = ["README.md", "preference/test.parquet", "preference/train.parquet", "sft/train.parquet"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        asked_here(server, tmp_path, monkeypatch)
        yield server


def held(hub: HubServer, name: str = "datasets/org/data") -> dict[str, bytes]:
    """The files that a repository holds, but for the hub's own."""
    return {path: content for path, content in hub.repositories[name].files.items() if path != ".gitattributes"}


def test_datasets_arrive_byte_for_byte_and_private(hub: HubServer, tmp_path: Path):
    """The card alone is changed: it says how to load them from there."""
    run = a_run(tmp_path)
    pushed = push_to_hub(run, "hf://org/data")
    files = held(hub)
    assert sorted(files) == SENT
    assert all(files[name] == (run / "datasets" / name).read_bytes() for name in SENT if name != "README.md")
    assert b'load_dataset("org/data", "preference")' in files["README.md"]
    assert hub.repositories["datasets/org/data"].private
    assert pushed.private
    assert pushed.address == f"hf://org/data@{hub.repositories['datasets/org/data'].head}"


@pytest.mark.parametrize("layout", ["trl", "solon"])
def test_the_card_of_converted_data_names_what_can_be_loaded_from_there(hub: HubServer, tmp_path: Path, layout: str):
    """``load_dataset`` takes the hub's name; for a path of files nobody can give it."""
    convert(a_run(tmp_path), layout, tmp_path / "converted")
    push_to_hub(tmp_path / "converted", "hf://org/data")
    card = held(hub)["README.md"].decode()
    said = 'load_dataset("org/data", "preference")' if layout == "trl" else "dataset: FOLDER/preference"
    assert said in card


def test_the_hub_of_a_test_is_asked_whatever_was_imported_before(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A test of the tests: some other may have imported ``huggingface_hub`` where no hub was to be asked."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked_here(hub, tmp_path, monkeypatch)
    push_to_hub(a_run(tmp_path), "hf://org/data")
    assert sorted(held(hub)) == SENT


def test_nothing_but_datasets_and_cards_leaves_this_machine(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of ledger, log, hidden files, judgments, of the values of secrets and of local paths: no hit in what arrived."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-of-a-key")
    monkeypatch.setenv("A_VERY_LONG_KEY", "k" * 5000)  # longer than a file's name may be
    run = a_run(tmp_path)
    push_to_hub(run, "hf://org/data")
    push_to_hub(run, "hf://org/model", what="model")
    everything = b"\n".join([*hub.received, *hub.large.values()])
    hits = [
        text for text in (*CANARIES, "sk-canary-of-a-key", "hf_write", str(tmp_path)) if text.encode() in everything
    ]
    assert hits == []
    assert b"weights" in everything, "the test would find what is there"


@pytest.mark.parametrize("where", ["datasets/README.md", "prompt"])
def test_the_value_of_a_secret_is_found_before_anything_is_sent(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    """In a card, and in a row of a dataset: here what the user asks in the first sample."""
    run = a_run(tmp_path)
    if where == "prompt":
        monkeypatch.setenv("JUDGE_TOKEN", "Why is the sky blue?")
        file = "preference/train.parquet"
    else:
        monkeypatch.setenv("JUDGE_TOKEN", "a-token-of-a-judge")
        (run / where).write_text("# card\n\na-token-of-a-judge\n")
        file = "README.md"
    with pytest.raises(DataError, match=f"{file}: holds the value of JUDGE_TOKEN") as raised:
        push_to_hub(run, "hf://org/data")
    assert "a-token-of-a-judge" not in str(raised.value)
    assert hub.requests == []


def test_a_card_that_names_a_folder_of_this_machine_is_not_sent(hub: HubServer, tmp_path: Path):
    run = a_run(tmp_path)
    (run / "datasets" / "README.md").write_text(f"# card\n\nprompts: {run}/prompts.jsonl\n")
    with pytest.raises(DataError, match=r"README\.md: names a folder of this machine"):
        push_to_hub(run, "hf://org/data")
    assert hub.requests == []


def test_a_word_of_a_tokenizer_that_looks_like_a_path_is_a_word(hub: HubServer, tmp_path: Path):
    """Those of large models have /tmp/ and /home/ among their words."""
    run = a_run(tmp_path)
    (run / "checkpoints" / "dpo" / "tokenizer.json").write_text(f'{{"/tmp/": 1, "{tmp_path}/": 2}}')
    push_to_hub(run, "hf://org/model", what="model")
    assert "tokenizer.json" in held(hub, "models/org/model")


def test_the_same_again_sends_nothing_and_is_the_same_commit(hub: HubServer, tmp_path: Path):
    run = a_run(tmp_path)
    first = push_to_hub(run, "hf://org/data")
    hub.requests.clear()
    assert push_to_hub(run, "hf://org/data").address == first.address
    assert not any(method == "PUT" or path.endswith("/commit/main") for method, path in hub.requests)


def test_what_had_arrived_before_a_failure_is_not_sent_again(hub: HubServer, tmp_path: Path):
    """The commit fails, so the repository holds nothing of it; the next time no large file travels."""
    run = a_run(tmp_path)
    hub.troubles.append(HubTrouble("/commit/", 507))
    with pytest.raises(StorageError, match=r"trouble of its own \(507\).*the same command sends the rest"):
        push_to_hub(run, "hf://org/data")
    assert held(hub) == {}
    hub.troubles.clear()
    hub.requests.clear()
    push_to_hub(run, "hf://org/data")
    assert sorted(held(hub)) == SENT
    assert not any(method == "PUT" for method, _ in hub.requests)


def test_a_file_that_does_not_arrive_leaves_the_last_commit_as_it_was(hub: HubServer, tmp_path: Path):
    """Whoever reads meanwhile reads all of the old, never half of the new."""
    run = a_run(tmp_path)
    push_to_hub(run, "hf://org/data")
    before = held(hub)
    other = (run / "datasets" / "preference" / "test.parquet").read_bytes()
    (run / "datasets" / "preference" / "train.parquet").write_bytes(other)
    (run / "datasets" / "README.md").write_text("# a new card\n")
    hub.large.clear()
    hub.troubles.append(HubTrouble("/large/", 403, method="PUT"))
    with pytest.raises(DataError, match="not allowed"):
        push_to_hub(run, "hf://org/data")
    assert held(hub) == before


def test_trouble_that_passes_is_waited_out(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Twice 503 where the repository is made, which nobody but solon tries again."""
    monkeypatch.setattr("solon.interchange.asking._FIRST_WAIT_S", 0.01)
    hub.troubles.append(HubTrouble("/api/repos/create", 503, times=2))
    push_to_hub(a_run(tmp_path), "hf://org/data")
    assert sorted(held(hub)) == SENT


def test_a_hub_that_is_not_there_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("solon.interchange.asking._FIRST_WAIT_S", 0.01)
    with HubServer() as server:
        asked_here(server, tmp_path, monkeypatch)
    with pytest.raises(StorageError, match="hub cannot be reached"):
        push_to_hub(a_run(tmp_path), "hf://org/data")


def test_files_of_an_earlier_push_that_are_gone_are_taken_away(hub: HubServer, tmp_path: Path):
    """Or the card would say nothing of rows that are still loaded."""
    run = a_run(tmp_path)
    push_to_hub(run, "hf://org/data")
    (run / "datasets" / "sft" / "train.parquet").unlink()
    push_to_hub(run, "hf://org/data")
    assert sorted(held(hub)) == SENT[:3]


def test_what_is_public_already_is_not_written_to_unless_it_is_said(hub: HubServer, tmp_path: Path):
    run = a_run(tmp_path)
    push_to_hub(run, "hf://org/data", private=False)
    assert not hub.repositories["datasets/org/data"].private
    before = len(hub.repositories["datasets/org/data"].commits)
    (run / "datasets" / "sft" / "train.parquet").unlink()
    with pytest.raises(DataError, match=r"is there already and public .*--public"):
        push_to_hub(run, "hf://org/data")
    assert len(hub.repositories["datasets/org/data"].commits) == before


@pytest.mark.parametrize(
    ("token", "name", "said"),
    [
        (None, "org/data", "put a token into HF_TOKEN"),
        ("hf_unknown", "org/data", "the token in HF_TOKEN is wrong, or lacks the permission"),
        ("hf_write", "others/data", r"not allowed \(403\).*the token in HF_TOKEN is wrong, or lacks the permission"),
    ],
    ids=["no token", "an unknown token", "somebody else's name"],
)
def test_a_hub_that_refuses_names_the_token(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str | None, name: str, said: str
):
    asked_here(hub, tmp_path, monkeypatch, token)
    with pytest.raises(DataError, match=said):
        push_to_hub(a_run(tmp_path), f"hf://{name}")


def test_a_model_arrives_with_its_card_and_without_the_folder_of_its_base(hub: HubServer, tmp_path: Path):
    pushed = push_to_hub(a_run(tmp_path), "hf://org/model", what="model")
    files = held(hub, "models/org/model")
    assert sorted(files) == ["README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json"]
    assert files["adapter_model.safetensors"] == b"weights"
    assert b'"base_model_name_or_path": "base"' in files["adapter_config.json"]
    card = files["README.md"].decode()
    assert f"id `{CONSTITUTION.id}`" in card
    assert 'PeftModel.from_pretrained(base, "org/model")' in card
    assert pushed.private


@pytest.mark.parametrize("address", ["org/data", "hf://", "hf://org/data@main", "hf://org/data:train", "hf://a/b/c"])
def test_only_a_name_is_an_address_to_push_to(tmp_path: Path, address: str):
    with pytest.raises(DataError, match="hf://org/name"):
        push_to_hub(a_run(tmp_path), address)


def test_a_folder_without_datasets_has_nothing_to_send(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("canary")
    with pytest.raises(DataError, match="holds no datasets"):
        push_to_hub(tmp_path, "hf://org/data")
    with pytest.raises(RecipeError, match="--what model"):
        push_to_hub(tmp_path, "hf://org/data", merge=True)


def test_the_command_shows_what_it_would_send_and_asks(hub: HubServer, tmp_path: Path):
    """A dry run looks at what is there; where nobody can answer, nothing is sent without --yes."""
    run = a_run(tmp_path)
    looked = CliRunner().invoke(app, ["push", str(run), "hf://org/data", "--dry-run"])
    assert looked.exit_code == 0
    assert "hf://org/data: a dataset, private" in looked.output
    assert [line.split(":")[0].strip() for line in looked.output.splitlines()[1:]] == SENT
    unasked = CliRunner().invoke(app, ["push", str(run), "hf://org/data"])
    assert isinstance(unasked.exception, RecipeError)
    assert {method for method, _ in hub.requests} == {"GET"}
    assert hub.repositories == {}
    sent = CliRunner().invoke(app, ["push", str(run), "hf://org/data", "--yes", "--public"])
    assert sent.exit_code == 0, sent.output
    assert "PUBLIC: anybody can read it" in sent.output
    assert sorted(held(hub)) == SENT
