"""What processes that train together do with each other, in two forks of this one that meet over gloo."""

import os
import select

import pytest
import torch

from in_two import in_two
from solon.data.records import Prompt
from solon.errors import BudgetReached, RecipeError
from solon.models.backend.loading import device_of
from solon.trainers.backend.divided import (
    Undivided,
    divide,
    gathered_all,
    optimizer_state,
    part,
    whole,
    whole_weights,
    within,
)
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.rewards import shared
from solon.trainers.rewards import Rewarded
from solon.trainers.several import Place

pytestmark = pytest.mark.filterwarnings("default")  # forking beside torch's threads, which the forks do not use


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


def test_rows_that_do_not_come_out_even_make_as_many_batches_in_each():
    """None runs a layer of a divided model without the others: who has too few rows takes one that does not count."""

    def deed(processes):
        return [list(processes.batches(list(range(count)), 2)) for count in (1, 3, 4, 5)]

    one, three, four, five = zip(*in_two(deed), strict=True)
    assert one == ([([0], 1)], [([0], 0)])
    assert three == ([([0, 2], 2)], [([1, 0], 1)])
    assert four == ([([0, 2], 2)], [([1, 3], 2)])
    assert five == ([([0, 2], 2), ([4], 1)], [([1, 3], 2), ([0], 0)])
    assert list(Processes().batches([0, 1, 2], 2)) == [([0, 1], 2), ([2], 1)]


class Adapted(torch.nn.Module):
    """A frozen base with something that is trained on top."""

    _no_split_modules = ("Linear",)

    def __init__(self):
        super().__init__()
        self.base = torch.nn.Linear(4, 6, bias=False).requires_grad_(False)
        self.adapter = torch.nn.Linear(6, 4, bias=False)

    def forward(self, given):
        """Both, one after the other."""
        return self.adapter(self.base(given))


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


def test_a_divided_model_is_read_at_different_paces_while_it_is_whole():
    """One process writes three words, the other one; the copy has the weights as they are then, and none afterwards."""

    def deed(processes):
        torch.manual_seed(0)
        model = Adapted()
        alone = Adapted()
        alone.load_state_dict(model.state_dict())
        undivided = Undivided(model)
        divide(model)
        with torch.no_grad():
            model.adapter.weight.mul_(2)
            alone.adapter.weight.mul_(2)
        given, words = torch.ones(1, 4), 3 if processes.first else 1
        with torch.no_grad(), undivided.whole() as copy:
            found = [torch.equal(copy(given), alone(given)) for _ in range(words)]
        return found, [weight.numel() for weight in copy.parameters()]

    assert in_two(deed, divided=True) == [([True] * 3, [0, 0]), ([True], [0, 0])]


def test_parts_of_a_divided_model_have_the_gradients_of_the_whole():
    """What lies outside of the layers is whole within a forward pass, and divided again when it is over."""

    def deed(_):
        torch.manual_seed(0)
        model = Adapted()
        model._no_split_modules = ()  # none of it is in a layer
        expected = model.adapter(model.base(torch.ones(1, 4))).sum()
        expected.backward()
        gradient = model.adapter.weight.grad
        model.zero_grad()
        divide(model)

        def read():
            return (model.adapter(model.base(torch.ones(1, 4))).sum(),)

        with torch.no_grad():
            (seen,) = within(model, read)
            apart = [len(weight.to_local()) for weight in model.parameters()]
        (loss,) = within(model, read)
        loss.backward()
        same = torch.equal(whole(model.adapter.weight.grad), gradient)
        return torch.equal(seen, expected), torch.equal(loss, expected), apart, same

    assert in_two(deed, divided=True) == [(True, True, [3, 2], True)] * 2


def test_of_what_was_kept_each_process_looks_at_its_part_alone():
    """The others' rows are no numbers here: nothing is sent, and nothing of a mapped file read that is not its own."""

    def deed(processes):
        model = Adapted()
        divide(model)
        kept = torch.full((6, 4), torch.nan)
        kept[slice(0, 3) if processes.first else slice(3, 6)] = processes.place + 1.0
        return whole(part(kept, like=model.base.weight))[:, 0].tolist()

    assert in_two(deed, divided=True) == [[1.0] * 3 + [2.0] * 3] * 2


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


def test_who_has_joined_knows_that_all_have(monkeypatch):
    """The first holds the store in which the others read whom to reach: ending at once, it took that from them."""
    begin = torch.distributed.init_process_group
    joined, said = os.pipe()
    early = []

    def late(*args, **options):
        begin(*args, **options)
        if options["rank"] == 1:
            early.extend(select.select([joined], [], [], 0.5)[0])

    def deed(processes):
        if processes.first:
            os.write(said, b"joined")
        return early

    monkeypatch.setattr(torch.distributed, "init_process_group", late)
    try:
        assert in_two(deed) == [[], []]
    finally:
        os.close(joined)
        os.close(said)


def test_a_gpu_is_named_by_its_number_where_others_have_theirs(monkeypatch):
    """Accelerate refuses 4-bit weights on a device without a number, which it takes for another's."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    assert device_of(torch, "auto") == torch.device("cuda")
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    assert device_of(torch, "auto") == torch.device("cuda", 3)
    assert device_of(torch, "cpu") == torch.device("cpu")
