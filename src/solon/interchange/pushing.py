"""Datasets and models put on a hub: what is sent is shown first, is private unless said otherwise, and arrives whole.

A commit holds all files or none. What was uploaded before a failure is known to the hub by its content, so the same
command again sends the rest alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from solon.confining import refuse_links
from solon.data import hub
from solon.data.records import Noun
from solon.errors import DataError, Problem, RecipeError
from solon.exporting import export
from solon.interchange.asking import client, tried
from solon.interchange.papers import dataset_files, refuse_leaks, without_local_paths
from solon.interchange.standing import Effect, Standing, effect, look

What = Literal["dataset", "model"]


@dataclass(frozen=True)
class Upload:
    """What is to be sent.

    Attributes:
        name: ``org/name``; without ``org``, the token's own account.
        what: a dataset or a model.
        files: by their names on the hub.
        warnings: what a person should know before it is sent.
    """

    name: str
    what: What
    files: dict[str, Path]
    warnings: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {name: path.stat().st_size for name, path in self.files.items()}


class Pushed(Noun):
    """What was sent.

    Attributes:
        address: where a recipe finds it, at the very commit.
        url: where a person finds it.
        private: whether others see it.
        files: bytes by name.
        deleted: datasets of an earlier push that are gone.
    """

    address: str
    url: str
    private: bool
    files: dict[str, int]
    deleted: tuple[str, ...] = ()


def push_to_hub(
    source: str | Path,
    address: str,
    *,
    what: What = "dataset",
    private: bool = True,
    replace: bool = False,
    merge: bool = False,
    base: str | None = None,
) -> Pushed:
    """Sends the datasets or the trained model of a run to a hub. The token is that of ``HF_TOKEN``.

    Args:
        source: a run directory; for datasets also a folder that ``solon convert`` wrote.
        address: ``hf://org/name``.
        what: which of the two.
        private: whether only you see it. A repository that is public already is not written to as long as this is so.
        replace: whether files there may be replaced that solon has not sent: a ``README.md`` of somebody's own.
        merge: of a model, adds an adapter into the weights of its base.
        base: of a model, the base's folder or hub id, where the recipe's does not lead there from here.

    Raises:
        DataError: there is nothing to send, something in it must not leave this machine, something there would be lost,
            or the hub refuses it.
        MissingExtra: ``huggingface_hub`` is not installed.
        StorageError: the hub cannot be reached or has trouble; the same command again goes on from there.
    """
    with prepared(Path(source), address, what=what, merge=merge, base=base) as upload:
        return send(upload, private=private, replace=replace)


@contextmanager
def prepared(
    source: Path, address: str, *, what: What, merge: bool = False, base: str | None = None
) -> Iterator[Upload]:
    """Gives what would be sent, for as long as the block runs. Sends nothing.

    Raises:
        DataError, MissingExtra: as ``push_to_hub``.
    """
    name = _name(address)
    if what == "dataset" and (merge or base):
        raise RecipeError("--merge and --base are for models: add --what model")
    with TemporaryDirectory(prefix="solon-push-") as temporary:
        fresh = Path(temporary)
        upload = (
            _dataset(source, name, fresh) if what == "dataset" else _model(source, name, fresh / "model", merge, base)
        )
        refuse_leaks(upload.files, source)
        yield upload


def there(upload: Upload) -> Standing:
    """What the repository holds before anything is sent.

    Raises:
        DataError, MissingExtra, StorageError: as ``push_to_hub``.
    """
    return look(client(f"{hub.PREFIX}{upload.name}"), upload.name, upload.what)


def changes(upload: Upload, standing: Standing, *, private: bool = True, replace: bool = False) -> Effect:
    """What becomes of what the repository holds. Of a model nothing is deleted.

    Raises:
        DataError: as ``push_to_hub``.
    """
    found = effect(standing, upload.files, private=private, replace=replace)
    return found if upload.what == "dataset" else Effect(replaces=found.replaces)


def send(upload: Upload, *, private: bool = True, replace: bool = False, standing: Standing | None = None) -> Pushed:
    """Creates the repository if need be and commits all files at once, without those of an earlier push that are gone.

    Args:
        upload: what is sent.
        private: whether only you see it.
        replace: whether files there may be replaced that solon has not sent.
        standing: what was there when somebody agreed to it: nothing is sent where it has changed since.

    Raises:
        DataError, MissingExtra, StorageError: as ``push_to_hub``.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    address = f"{hub.PREFIX}{upload.name}"
    api = client(address)
    before = standing or there(upload)
    changes(upload, before, private=private, replace=replace)
    created = tried(
        address, lambda: api.create_repo(before.name, repo_type=upload.what, private=private, exist_ok=True)
    )
    now = look(api, before.name, upload.what)
    if before.commit not in (None, now.commit):
        raise DataError([Problem(address, *hub.CHANGED)])
    done = changes(upload, now, private=private, replace=replace)
    operations = [
        *(CommitOperationAdd(path, str(file)) for path, file in upload.files.items()),
        *(CommitOperationDelete(path) for path in done.deletes),
    ]
    message = f"{'Datasets' if upload.what == 'dataset' else 'Model'} from solon"
    commit = tried(
        address,
        lambda: api.create_commit(
            now.name,
            operations,
            commit_message=message,
            repo_type=upload.what,
            parent_commit=now.commit,
        ),
        attempts=1,
    )
    return Pushed(
        address=f"{hub.PREFIX}{now.name}@{commit.oid}",
        url=str(created),
        private=now.private,
        files=upload.sizes,
        deleted=done.deletes,
    )


def _name(address: str) -> str:
    it = hub.parse(address) if hub.is_on_the_hub(address) else None
    if it is None or it.config or it.revision or it.split or it.name.startswith(("/", ".")):
        raise DataError([Problem(address, "is no place on a hub", "write hf://org/name")])
    return it.name


def _dataset(source: Path, name: str, fresh: Path) -> Upload:
    refuse_links(source)
    folder = source / "datasets" if (source / "run.json").is_file() else source
    files = dataset_files(folder) if folder.is_dir() else {}
    if not any(one.endswith(".parquet") for one in files):
        remedy = "give a run directory after `solon build`, or a folder that `solon convert` wrote"
        raise DataError([Problem(str(source), "holds no datasets", remedy)])
    if "README.md" in files:
        card = files["README.md"].read_text("utf-8")
        card = card.replace("From the run directory, which holds this folder:\n\n", "")
        card = card.replace('load_dataset("datasets", ', f'load_dataset("{name}", ')
        card = card.replace('load_dataset("FOLDER", ', f'load_dataset("{name}", ')
        (fresh / "README.md").write_text(card, "utf-8")
        files["README.md"] = fresh / "README.md"
    return Upload(name, "dataset", files)


def _model(source: Path, name: str, fresh: Path, merge: bool, base: str | None) -> Upload:
    exported = export(source, fresh, merge=merge, base=base)
    warnings = [line for file in exported.files if file.endswith(".json") for line in without_local_paths(fresh / file)]
    card = fresh / "README.md"
    card.write_text(card.read_text("utf-8").replace('"this/folder"', f'"{name}"'), "utf-8")
    return Upload(name, "model", {file: fresh / file for file in exported.files}, tuple(warnings))
