"""Trackers that are slow, gone, or gone for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from socket import create_server

import pytest

from solon.tracking import About, MLflow, WandB, tracked
from solon.tracking.sending import Sender


class Book:
    """Keeps what it is given; ``refuses`` says how many calls fail first."""

    where = ""

    def __init__(self, refuses: int = 0) -> None:
        self.steps: list[int] = []
        self.refuses = refuses
        self.closed: bool | None = None

    def step(self, step: int, numbers: Mapping[str, float]) -> None:
        """Keeps it, or fails."""
        if self.refuses:
            self.refuses -= 1
            raise ConnectionError("gone\nfor good")
        self.steps.append(step)

    def alarm(self, name: str, step: int, value: float, text: str) -> None:
        """None is raised here."""

    def results(self, numbers: Mapping[str, float], table: str) -> None:
        """Nothing is measured here."""

    def close(self, *, failed: bool) -> None:
        """Notes how."""
        self.closed = failed


def sent(book: Book, steps: int, clock: Callable[[], float] = lambda: 0.0) -> tuple[list[str], Sender]:
    said: list[str] = []
    sender = Sender("W", lambda: book, said.append, clock)
    for number in range(1, steps + 1):
        sender.put(lambda logbook, number=number: logbook.step(number, {}))  # type: ignore[misc]
    return said, sender


@pytest.mark.parametrize("failed", [False, True])
def test_everything_arrives_in_its_order_and_the_end_is_told(failed: bool) -> None:
    """As it was handed over."""
    book = Book()
    said, sender = sent(book, 100)
    sender.close(20, failed=failed)
    assert (book.steps, book.closed, said) == (list(range(1, 101)), failed, [])


def test_what_fails_is_said_once_and_sent_when_it_can_be() -> None:
    """A tracker that was gone for a while has all steps in the end."""
    book = Book(refuses=1)
    said, sender = sent(book, 5)
    sender.close(20, failed=False)
    assert book.steps == [1, 2, 3, 4, 5]
    assert len(said) == 1


def test_a_tracker_that_is_gone_for_good_is_said_once_with_what_it_missed() -> None:
    """Loudly, and with where the numbers are."""
    book = Book(refuses=10**6)
    said, sender = sent(book, 5)
    sender.close(20, failed=False)
    assert book.steps == []
    first, last = said
    assert first.startswith("W takes no numbers: gone for good. The training goes on, and metrics.jsonl has them all")
    assert last == "5 lines did not get to W; metrics.jsonl has it all"


def test_one_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    """A server that is started after the training."""
    book, times = Book(), iter([False, True])

    def open_it() -> Book:
        if not next(times):
            raise ConnectionError("not there")
        return book

    said: list[str] = []
    sender = Sender("W", open_it, said.append, lambda: 0.0)
    tried = threading.Event()
    sender._say = lambda text: (said.append(text), tried.set())  # type: ignore[assignment, func-returns-value]
    sender.put(lambda logbook: logbook.step(1, {}))
    assert tried.wait(20)
    sender.close(20, failed=False)
    assert book.steps == [1]
    assert "it is tried again" in said[0]


def test_one_that_hangs_is_not_waited_for() -> None:
    """Handing over returns at once, and the end comes after the patience."""
    never = threading.Event()
    said: list[str] = []
    sender = Sender("W", Book, said.append)
    sender.put(lambda _logbook: never.wait() and None)
    sender.close(0.05, failed=False)
    assert said == ["W has not taken everything after 0 s, and is not waited for any longer; metrics.jsonl has it all"]
    never.set()


def test_nothing_is_opened_for_nothing() -> None:
    """A stage that ends before its first number leaves no empty run at a tracker."""
    opened: list[int] = []
    sender = Sender("W", lambda: opened.append(1) or Book(), lambda _text: None)  # type: ignore[func-returns-value]
    sender.close(20, failed=True)
    assert opened == []


def test_where_it_can_be_looked_at_is_said_once() -> None:
    """With the first number."""
    book = Book()
    book.where = "https://example.org/run"
    said, sender = sent(book, 3)
    sender.close(20, failed=False)
    assert said == ["W: https://example.org/run"]


def test_wandb_without_a_key_is_said_and_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library would ask on the terminal, in the middle of a training."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    said: list[str] = []
    with tracked([WandB()], About("r", "", {}), tmp_path, said.append, training="t") as track:
        track.step(1, 2, {"loss": 1.0})
    assert said[0].startswith(
        "Weights & Biases takes no numbers: there is no key for Weights & Biases: set WANDB_API_KEY"
    )
    assert said[1] == "1 line did not get to Weights & Biases; metrics.jsonl has it all"


@pytest.mark.slow
def test_a_server_of_mlflow_that_is_not_there_is_said(tmp_path: Path) -> None:
    """By its real client; the rest of the stage goes on."""
    with create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    said: list[str] = []
    tracker = MLflow(uri=f"http://127.0.0.1:{port}")
    with tracked([tracker], About("r", "", {}), tmp_path, said.append, training="t") as track:
        track.step(1, 2, {"loss": 1.0})
    assert said[0].startswith("MLflow takes no numbers: ")
    assert "127.0.0.1" in said[0]
    assert "metrics.jsonl" in said[-1]


def test_passwords_are_cut_out_of_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of where it can be looked at, and of what a library says that failed; a password may hold an @."""
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "another-secret")
    book = Book()
    book.where = "http://bob:secret@pw99@127.0.0.1:5000/run"
    said, sender = sent(book, 1)
    sender.close(20, failed=False)
    assert said == ["W: http://…@127.0.0.1:5000/run"]

    def refuse() -> Book:
        raise ConnectionError("no answer of http://bob:secretpw99@127.0.0.1:5000 with another-secret")

    said.clear()
    sender = Sender("W", refuse, said.append, lambda: 0.0)
    sender.put(lambda logbook: logbook.step(1, {}))
    sender.close(20, failed=False)
    assert said[0].startswith("W takes no numbers: no answer of http://…@127.0.0.1:5000 with …. ")


def test_a_folder_is_named_as_it_is() -> None:
    """Who runs it wants to open it."""
    book = Book()
    book.where = "/home/me/project/mlruns"
    said, sender = sent(book, 1)
    sender.close(20, failed=False)
    assert said == ["W: /home/me/project/mlruns"]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_what_reached_mlflow_before_a_failure_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of 250 numbers is three requests; the second fails, and is the first of the next attempt."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from solon.tracking.logbook import Memory
    from solon.tracking.mlflow import MLflowRun

    settings = MLflow(uri=str(tmp_path / "mlruns"))
    book = MLflowRun(settings, About("r", "", {"seed": 0}), "t", Memory(tmp_path, "mlflow"))
    log, calls = book._client.log_batch, iter([True, False, True, True, True])
    asked: list[int] = []

    def flaky(run: str, *, metrics: list[object]) -> None:
        asked.append(len(metrics))
        if not next(calls):
            raise ConnectionError("gone")
        log(run, metrics=metrics)

    monkeypatch.setattr(book._client, "log_batch", flaky)
    numbers = {f"train/{n}": float(n) for n in range(250)}
    with pytest.raises(ConnectionError):
        book.step(1, numbers)
    book.step(1, numbers)
    book.step(2, {"train/0": 1.0})
    assert asked == [100, 100, 100, 50, 1]
    history = book._client.get_metric_history
    assert [one.step for one in history(book._known.run, "train/0")] == [1, 2]
    assert all(len(history(book._known.run, f"train/{n}")) == 1 for n in range(1, 250, 50))
