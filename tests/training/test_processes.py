"""What processes that train together do with each other, in two forks of this one that meet over gloo."""

import os
import pickle
import socket
from contextlib import suppress

import pytest
import torch

from solon.data.records import Prompt
from solon.errors import BudgetReached, RecipeError
from solon.models.backend.loading import device_of
from solon.trainers.backend.divided import divide, gathered_all, optimizer_state, whole_weights
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.rewards import shared
from solon.trainers.rewards import Rewarded
from solon.trainers.several import Place

pytestmark = pytest.mark.filterwarnings("default")  # forking beside torch's threads, which the forks do not use


def in_two(deed):
    """What ``deed(processes)`` returns, or raises, in each of two processes."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        running = [fork(deed, Place(2, rank, rank), listening) for rank in (0, 1)]
    found = []
    for child, answer in running:
        with os.fdopen(answer, "rb") as file:
            said = file.read()
        os.waitpid(child, 0)
        found.append(pickle.loads(said))
    return found


def fork(deed, place, listening):
    """A process, and the end of the pipe into which it writes what it found."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child:
        os.close(theirs)
        return child, ours
    with suppress(BaseException):
        port = listening.getsockname()[1]
        os.environ.update(place.environment(port=port, listening=listening.fileno()), GLOO_SOCKET_IFNAME="lo")
        try:
            found = deed(Processes.joined())
        except Exception as error:  # noqa: BLE001 - it is looked at on the other side
            found = error
        with os.fdopen(theirs, "wb") as file:
            file.write(pickle.dumps(found))
    os._exit(0)


def test_alone_there_is_nobody_to_wait_for():
    """Every training goes through here, and nearly all of them are of one process."""
    alone = Processes.joined()
    assert alone == Processes() == Processes.here()
    assert alone.first
    assert alone.gather("mine") == ["mine"]
    assert alone.by_the_first(lambda: "done") == "done"
    assert alone.share([1, 2, 3]) == [1, 2, 3]
    alone.wait()


def test_what_each_has_is_gathered_and_added_up():
    """Rows are dealt out in turn, so that each has about as many."""

    def deed(processes):
        value = torch.tensor([1.0, 10.0]) * (processes.place + 1)
        processes.add_up([value])
        return processes.count, processes.share([0, 1, 2, 3, 4]), processes.gather(processes.place), value.tolist()

    assert in_two(deed) == [(2, [0, 2, 4], [0, 1], [3.0, 30.0]), (2, [1, 3], [0, 1], [3.0, 30.0])]


class Adapted(torch.nn.Module):
    """A frozen base with something that is trained on top."""

    _no_split_modules = ("Linear",)

    def __init__(self):
        super().__init__()
        self.base = torch.nn.Linear(4, 6, bias=False).requires_grad_(False)
        self.adapter = torch.nn.Linear(6, 4, bias=False)


def test_what_is_written_of_a_divided_model_is_whole_in_the_first_process_alone():
    """The others would hold on their GPUs, all at once, what was divided because it does not fit; and of an adapter
    the frozen base is not written.
    """

    def deed(_):
        model = Adapted()
        divide(model)
        optimizer = torch.optim.AdamW([model.adapter.weight])
        model.adapter.weight.grad = torch.ones_like(model.adapter.weight)
        optimizer.step()
        found = {
            "moments": optimizer_state(optimizer)["state"][0],
            "kept": gathered_all({name: weight.detach() for name, weight in model.named_parameters()}),
            "full": whole_weights(model, None),
            "adapter": whole_weights(model, torch.bfloat16, trained=True),
        }
        kinds = {type(value) for values in found.values() for value in values.values()}
        shapes = {
            key: {name: tuple(value.shape) for name, value in values.items() if value.ndim}
            for key, values in found.items()
        }
        return shapes, kinds <= {torch.Tensor}

    base, adapter = {"base.weight": (6, 4)}, {"adapter.weight": (4, 6)}
    moments = {"exp_avg": (4, 6), "exp_avg_sq": (4, 6)}
    assert in_two(deed) == [
        ({"moments": moments, "kept": base | adapter, "full": base | adapter, "adapter": adapter}, True),
        ({"moments": {}, "kept": {}, "full": {}, "adapter": {}}, True),
    ]


def test_the_first_alone_does_it_and_all_are_given_the_same():
    """Asking a judge, for example: there is one ledger."""

    def deed(processes):
        done = []
        return processes.by_the_first(lambda: done.append(1) or "answer"), len(done)

    assert in_two(deed) == [("answer", 1), ("answer", 0)]


def test_an_error_of_the_first_is_raised_there_and_keeps_nobody_waiting():
    """The others raise one that nobody expects, so that the first one's is told."""

    def deed(processes):
        def ask():
            raise BudgetReached("max_usd 5 is reached")

        return processes.by_the_first(ask)

    first, other = in_two(deed)
    assert isinstance(first, BudgetReached)
    assert isinstance(other, RuntimeError)


def test_the_completions_of_all_processes_are_judged_together_and_each_is_given_its_own_rewards():
    """A group that two processes share is one group to the judge, and curves are of all."""

    def deed(processes):
        asked = []

        def score(prompts, completions):
            asked.append((len(prompts), list(completions)))
            rewards = tuple(None if text == "?" else float(len(text)) for text in completions)
            return Rewarded.of({"length": rewards}, {"length": 2.0}, {"gold": rewards})

        prompt = Prompt.of("q")
        mine = ["a", "bb"] if processes.first else ["?"]
        found = shared(processes, score)([prompt] * len(mine), mine)
        return asked, found.total, found.parts, found.held_out, found.everyones.total

    first, other = in_two(deed)
    assert first[0] == [(3, ["a", "bb", "?"])]
    assert other[0] == []
    assert first[1:4] == ((2.0, 4.0), {"length": (1.0, 2.0)}, {"gold": (1.0, 2.0)})
    assert other[1:4] == ((None,), {"length": (None,)}, {"gold": (None,)})
    assert first[4] == other[4] == (2.0, 4.0, None)


def test_a_process_without_a_gpu_of_its_own_is_refused(monkeypatch):
    """Two on one GPU would run out of its memory, or wait for each other for ever."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(RecipeError, match="process 2 of this machine has no GPU of its own, for there are 1"):
        Processes.joined()


def test_a_model_that_accelerate_was_to_divide_is_divided_by_solon():
    """By accelerate's own way it would be divided on GPUs alone; told both, twice."""

    def deed(_):
        os.environ.update({"ACCELERATE_USE_FSDP": "true", "SOLON_FSDP": "false"})  # as its launcher has it
        return Processes.joined().divided, os.environ["ACCELERATE_USE_FSDP"], Place.here().divided

    assert in_two(deed) == [(True, "false", True)] * 2


def test_a_gpu_is_named_by_its_number_where_others_have_theirs(monkeypatch):
    """Accelerate refuses 4-bit weights on a device without a number, which it takes for another's."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    assert device_of(torch, "auto") == torch.device("cuda")
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    assert device_of(torch, "auto") == torch.device("cuda", 3)
    assert device_of(torch, "cpu") == torch.device("cpu")
