"""Reward models that are adapters on the policy's own base, asked through its weights: none is loaded a second time.

Labeler, ledger, batches and chunks are those of a reward model that is loaded by itself; only its network is another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoConfig

from solon.errors import RecipeError
from solon.models.backend.adapters import check_adapter
from solon.models.backend.heads import HEAD, scorer_around
from solon.models.backend.identity import content_identity, same_model
from solon.models.backend.loaded_classifier import load_tokenizer, ready
from solon.models.backend.loading import Loaded, from_pretrained
from solon.models.classifier import Lent, SequenceClassifier
from solon.plugins.base import located
from solon.trainers.backend.network import Trainable
from solon.trainers.backend.ppo.roles import Fixed, Roles
from solon.trainers.backend.processes import Processes
from solon.trainers.base import Policy
from solon.trainers.rewards import RewardTrainer

_ADDED = (".lora_A.weight", ".lora_B.weight")
_HEAD = (f".{HEAD}.weight", f".{HEAD}.bias")


@dataclass(frozen=True, eq=False)
class RewardAdapter:
    """A reward model that is an adapter on the policy's base.

    Attributes:
        fixed: the adapter.
        head: ``weight`` of shape (labels, width), and ``bias`` if there is one.
        config: of the network for sequence classification that base, adapter and head are together.
        asked: the models of the settings that it answers for.
    """

    fixed: Fixed
    head: Mapping[str, Tensor]
    config: Any
    asked: tuple[SequenceClassifier, ...]


def on_the_base(
    settings: RewardTrainer, policy: Policy, trainable: Trainable, processes: Processes
) -> list[RewardAdapter]:
    """The reward models and held-out judges that the policy's base can carry as adapters, in panels and cascades too.

    All others are loaded by themselves: those of another base; those for which another device or another type of number
    is named; those that are more than products added to the matrices of the trunk. So is every one where the policy
    begins with an adapter of its own, for its weights are then not its base's, and where a process has a part of each
    weight only. With Unsloth, whose kernels want all adapters on the same modules, so is one on others.

    Raises:
        DataError: an adapter's folder lacks its configuration or its weights.
    """
    loaded = trainable.loaded
    if not processes.first or processes.divided or loaded.apart or policy.adapter is not None:
        return []  # what is not the first process has nothing rewarded
    asked: dict[str, list[SequenceClassifier]] = {}
    for model in (model for labeler in settings.labelers() for model in labeler.models()):
        if isinstance(model, SequenceClassifier) and model.adapter is not None and _on(model, policy, loaded):
            asked.setdefault(content_identity(located(model.adapter)), []).append(model)
    read = (_read(f"solon_reward_{number}", models, trainable) for number, models in enumerate(asked.values()))
    return [reward for reward in read if reward is not None]


@contextmanager
def lending(rewards: Iterable[RewardAdapter], roles: Roles, policy: Policy) -> Iterator[None]:
    """While it is open, ``rewards`` are asked through the weights of the policy."""
    base, model = roles.frozen, located(policy.model)
    with ExitStack() as lent:
        for reward in rewards:
            scorer = scorer_around(base.network, reward.config)
            scorer.score = _Head(reward.head).to(base.device)
            loaded = ready(scorer.eval(), load_tokenizer(model), base.device)
            loaded = replace(loaded, network=_OnTheBase(roles, reward.fixed.name, scorer))
            for each in reward.asked:
                lent.enter_context(each.borrowing(Lent(loaded, _differs(policy, base))))
        yield


class _OnTheBase:
    """What a classifier calls: the shared weights with the reward's adapter on, and its head.

    It is called in the models' thread while the thread that trains waits for the rewards, so that nobody else switches
    adapters meanwhile.
    """

    def __init__(self, roles: Roles, name: str, scorer: Any) -> None:
        self._roles, self._name, self._scorer = roles, name, scorer

    def __call__(self, *, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """The output, with ``logits`` of shape (rows, labels), of rows that are padded on the right.

        Raises:
            TrainingError: a forward pass of the policy waits for its backward pass.
        """
        del attention_mask  # what follows a token cannot change what a causal model makes of it
        on_gpu = input_ids.device.type == "cuda"
        # no tensors of inference mode: what a module kept of them could not be used in a backward pass any more
        with torch.inference_mode(mode=False), torch.no_grad(), self._roles.rewarding(self._name) as loaded:
            loaded.network.eval()
            with torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
                return self._scorer(input_ids=input_ids, use_cache=False)


class _Head(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """A trained head in float32, whatever the states come in."""

    def __init__(self, trained: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(trained["weight"].float(), requires_grad=False)
        self.bias = nn.Parameter(trained["bias"].float(), requires_grad=False) if "bias" in trained else None

    def forward(self, states: Tensor) -> Tensor:
        """From states (..., width) to logits (..., labels)."""
        with torch.autocast(states.device.type, enabled=False):
            return nn.functional.linear(states.float(), self.weight, self.bias)


def _on(model: SequenceClassifier, policy: Policy, loaded: Loaded) -> bool:
    """Whether its model is the policy's, and it asks for no other device or type than the policy's."""
    return (
        model.device in ("auto", loaded.device.type)
        and model.dtype in ("auto", _type_of(policy, loaded))
        and same_model(located(model.model), located(policy.model))
    )


def _type_of(policy: Policy, loaded: Loaded) -> str:
    """What weights are held as."""
    if policy.load_in_4bit:
        return "nf4"
    return str(loaded.network.get_input_embeddings().weight.dtype).removeprefix("torch.")


def _differs(policy: Policy, loaded: Loaded) -> str | None:
    """``_type_of``, unless logits are those of a reward model that is loaded by itself but for the last digits.

    On a GPU they never are: there products are computed in bfloat16, and the adapter is not merged into the weights.
    """
    held_as = _type_of(policy, loaded)
    return None if (loaded.device.type, held_as) == ("cpu", "float32") else held_as


def _read(name: str, asked: Sequence[SequenceClassifier], trainable: Trainable) -> RewardAdapter | None:
    """The adapter of some models, all the same; ``None`` where the base cannot carry it, or no head is beside it."""
    adapter = asked[0].adapter
    assert adapter is not None  # as `on_the_base` made sure
    folder = str(Path(located(adapter)).expanduser())
    check_adapter(folder)
    config = PeftConfig.from_pretrained(folder)
    with safe_open(Path(folder) / "adapter_model.safetensors", "pt") as file:
        names = list(file.keys())
        head = {each.rpartition(".")[2]: file.get_tensor(each) for each in names if each.endswith(_HEAD)}
    added = [each for each in names if not each.endswith(_HEAD)]
    if "weight" not in head or not _only_adds(config, added):
        return None
    if trainable.adapted and {each.rpartition(".lora_")[0] for each in added} != _adapted(trainable.loaded.model):
        return None
    whole = from_pretrained(AutoConfig, located(asked[0].model), num_labels=len(head["weight"]))
    try:
        scorer_around(trainable.loaded.network, whole)
    except RecipeError:  # loading it by itself says what is wrong with it
        return None
    config.modules_to_save, config.task_type, config.lora_dropout = None, "CAUSAL_LM", 0.0
    return RewardAdapter(Fixed(name, config, folder), head, whole, tuple(asked))


def _only_adds(config: PeftConfig, names: Sequence[str]) -> bool:
    """Whether an adapter is products that are added to those of the base's matrices, of the base as it is on disk."""
    return (
        isinstance(config, LoraConfig)
        and config.bias == "none"
        and config.init_lora_weights in (True, False, "gaussian")  # others change the base before they train
        and not config.layer_replication
        and all(name.endswith(_ADDED) for name in names)
    )


def _adapted(model: Any) -> set[str]:
    """The modules with the policy's adapter, by the names that PEFT gives them in a file."""
    return {name for name, module in model.named_modules() if "default" in getattr(module, "lora_A", {})}
