"""Model folders of strangers: whatever lies in them, none of it runs, wherever solon reads a model."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'solon[train]'")

import every_trainer
import in_process
from classifiers import tiny_classifier, tiny_reward_model
from hostile_models import PICKLES, Traces, opened_carelessly
from reward_adapters import untrained
from solon.data.records import Candidates, Completion, Constitution, Message, Principle, Prompt
from solon.errors import DataError, SolonError, TrainingError
from solon.labelers.classifier import Classifier
from solon.labelers.rating import RatingJudge
from solon.models.base import Request
from solon.models.transformers import Transformers
from solon.testing.tiny import tiny_llama, tiny_t5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_stays_loaded", "never_trusting"),
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
CONSTITUTION = Constitution(name="brief", principles=(Principle(id="brief", text="Be brief."),))
ANSWERS = Candidates(prompt=Prompt.of("Say it."), completions=(Completion(text="the cat", model="policy"),))
REWARDS = {"text": "conversation", "value": "logit"}


@pytest.fixture
def nothing_stays_loaded() -> Iterator[None]:
    """As in the tests of training: a model of one test is no other's."""
    from solon.models.transformers import unload

    yield
    unload()


@pytest.fixture
def never_trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever asks transformers for the code of a model fails the test, also where it would be refused afterwards."""
    from transformers import dynamic_module_utils as code

    asked: list[str] = []
    for name in ("get_cached_module_file", "get_class_in_module", "get_class_from_dynamic_module"):
        monkeypatch.setattr(code, name, lambda *given, _name=name, **_: asked.append(f"{_name}{given}"))
    yield
    assert asked == []


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    """None are left yet."""
    return Traces(tmp_path / "traces")


def sampled(model: Path, **settings: Any) -> str:
    """Why the model's answer ended."""
    asked = Request(messages=(Message(role="user", content="Say it."),), max_tokens=3)
    it = Transformers(model=str(model), threads=1, **settings)
    (reply,) = asyncio.run(it.complete_batch([asked]))
    return reply.stop


def rated(judge: Path) -> str:
    """What a judge gives."""
    asked = {"kind": "transformers", "model": str(judge), "threads": 1}
    labeler = RatingJudge.model_validate({"judge": asked, "answer": "text"})
    (judgment,) = asyncio.run(labeler.examine(ANSWERS, CONSTITUTION))
    return judgment.outcome.kind


def classified(model: Path, **settings: Any) -> str:
    """What a classifier gives."""
    labeler = Classifier.model_validate({"model": str(model), "threads": 1, **settings})
    (judgment,) = asyncio.run(labeler.examine(ANSWERS, CONSTITUTION))
    return judgment.outcome.kind


def bare(folder: Path) -> Path:
    """The folder without its safetensors: only the pickles are left."""
    for file in folder.glob("*.safetensors"):
        file.unlink()
    return folder


def refused(read: Callable[[], object]) -> None:
    """It is an error that solon names, in one line."""
    with pytest.raises(SolonError) as caught:
        read()
    assert "\n" not in str(caught.value)


@pytest.mark.reliability("models")
def test_pickles_in_a_model_folder_run_nothing(
    traces: Traces, tmp_path: Path, figure: Callable[[str], None], full: bool
) -> None:
    """Beside the weights they are of no concern; in place of the weights the folder is refused. The traps work."""
    made: dict[str, tuple[Callable[[Path], Path], Callable[..., str], dict[str, Any]]] = {
        "policy": (tiny_llama, sampled, {}),
        "encoder-decoder": (tiny_t5, sampled, {}),
        "judge": (tiny_llama, rated, {}),
        "classifier": (tiny_classifier, classified, {"label": "nothate"}),
        "reward": (tiny_reward_model, classified, REWARDS),
    }
    folders = 0
    tried = made if full else {role: made[role] for role in ("policy", "reward")}
    for role, (make, read, settings) in tried.items():
        beside = traces.lay(make(tmp_path / role))
        assert read(beside, **settings) in {"end", "length", "scored", "failed"}
        (beside / "tokenizer_config.json").write_text(
            json.dumps({**json.loads((beside / "tokenizer_config.json").read_text()), "vocab_file": "vocab.pkl"})
        )
        assert read(beside, **settings) in {"end", "length", "scored", "failed"}
        instead = bare(shutil.copytree(beside, tmp_path / f"{role} alone"))
        refused(lambda: read(instead, **settings))  # noqa: B023 - called at once
        index = {"metadata": {}, "weight_map": {"lm_head.weight": "pytorch_model.bin"}}
        (instead / "model.safetensors.index.json").write_text(json.dumps(index))
        (instead / "unused.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
        refused(lambda: read(instead, **settings))  # noqa: B023
        refused(lambda: read(beside / "model.pt", **settings))  # noqa: B023
        folders += 5
    assert traces.left() == []
    opened_carelessly([tmp_path / "policy" / name for name in PICKLES])
    assert traces.left() == sorted(PICKLES)
    figure(f"{folders} folders with {len(PICKLES)} malicious pickles each, in {len(tried)} roles: 0 ran code")


@pytest.mark.reliability("models")
def test_pickles_in_an_adapter_folder_run_nothing(traces: Traces, tmp_path: Path) -> None:
    """Of a policy, of a reward model, and of one that is merged."""
    from solon.trainers.backend.merging import merge

    base = traces.lay(tiny_llama(tmp_path / "base"))
    adapter = traces.lay(lora(base, tmp_path / "adapter"))
    reward = traces.lay(untrained(base, tmp_path / "reward"))
    assert sampled(base, adapter=str(adapter)) in {"end", "length"}
    assert classified(base, adapter=str(reward), **REWARDS) == "scored"
    (tmp_path / "merged").mkdir()
    merge(adapter, str(base), tmp_path / "merged")
    elsewhere = bare(shutil.copytree(base, tmp_path / "elsewhere"))
    for named in ("pytorch_model.bin", "../base/model.safetensors"):
        index = {"metadata": {}, "weight_map": {"lm_head.weight": named}}
        (elsewhere / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(DataError, match="which is no safetensors file of this folder"):
            merge(adapter, str(elsewhere), tmp_path / "merged")
    for folder in (adapter, reward):
        bare(folder)
    refused(lambda: sampled(base, adapter=str(adapter)))
    refused(lambda: classified(base, adapter=str(reward), **REWARDS))
    refused(lambda: merge(adapter, str(base), tmp_path / "merged"))
    assert traces.left() == []


def lora(base: Path, folder: Path, **settings: Any) -> Path:
    """An adapter with weights of its own."""
    from peft import LoraConfig, get_peft_model

    from solon.models.backend.loading import load

    config = LoraConfig(**{"r": 4, "target_modules": "all-linear", "init_lora_weights": False, **settings})
    get_peft_model(load(str(base)).model, config).save_pretrained(folder)
    return folder


@pytest.mark.reliability("models")
@pytest.mark.parametrize("kind", ["dpo", "simpo", "ppo"])
def test_a_training_that_goes_on_opens_no_pickle_that_holds_code(
    kind: str, traces: Traces, tmp_path: Path, figure: Callable[[str], None], full: bool
) -> None:
    """What it kept may come from elsewhere: it says which folder to remove, in TRL's loop, ours and PPO's."""
    dataset = every_trainer.dataset_of(kind, tmp_path / "dataset", rows=8)
    settings = every_trainer.made(kind, max_steps=3, save_every=1, lora={"r": 4})
    policy = traces.lay(tiny_llama(tmp_path / "policy", context=64))
    judging = every_trainer.judging(tmp_path)
    kept = tmp_path / "kept"
    with pytest.raises(in_process.Killed):
        in_process.train(settings, policy, dataset, tmp_path / "cut", kept=kept, stop_at=2, judging=judging)
    written = [path for path in sorted(kept.rglob("*")) if path.suffix in {".pt", ".pth", ".bin"}]
    assert written, "the training kept nothing"
    tried = 0
    names = list(dict.fromkeys(file.name for file in written))
    for path in names if full else names[:1]:
        again = shutil.copytree(kept, tmp_path / f"kept {path}")
        for file in again.rglob(path):
            traces.lay(file.parent, (path,))
        out = tmp_path / f"out {path}"
        if path == "training_args.bin":  # written by transformers, read by nobody
            in_process.train(settings, policy, dataset, out, kept=again, judging=judging)
        else:
            with pytest.raises(TrainingError, match=r"cannot be read \(.*\): remove .*step-\d+, and it goes on from"):
                in_process.train(settings, policy, dataset, out, kept=again, judging=judging)
        tried += 1
    for folder in [path for path in kept.rglob("*") if path.is_dir()]:
        traces.lay(folder, tuple(name for name in PICKLES if not (folder / name).exists()))
    in_process.train(settings, policy, dataset, tmp_path / "done", kept=kept, judging=judging)
    assert traces.left() == []
    figure(f"{kind} goes on from {tried + 1} poisoned checkpoints: 0 ran code")


@pytest.mark.reliability("models")
@pytest.mark.parametrize(
    "file", ["config.json", "generation_config.json", "tokenizer_config.json", "preprocessor_config.json"]
)
def test_code_that_a_configuration_names_is_not_run(file: str, tmp_path: Path) -> None:
    """In the folder or in a repository elsewhere, by every name that there is for such code."""
    trace = tmp_path / "it-ran"
    folder = tiny_llama(tmp_path / "policy")
    (folder / "own.py").write_text(f"open({str(trace)!r}, 'w')\n")
    classes = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoProcessor", "AutoFeatureExtractor")
    for place in ("own", "org/elsewhere--own"):
        named: dict[str, Any] = dict.fromkeys(classes, f"{place}.It")
        named["AutoTokenizer"] = [f"{place}.It", f"{place}.It"]
        config = json.loads((folder / file).read_text()) if (folder / file).exists() else {}
        config |= {"auto_map": named, "custom_generate": place, "trust_remote_code": True, "custom_pipelines": named}
        (folder / file).write_text(json.dumps(config))
        assert sampled(folder) in {"end", "length"}
        assert not trace.exists()


@pytest.mark.reliability("models")
@pytest.mark.parametrize("name", ["own.Tokens", "os.system", "TransfoXLTokenizer", "RagTokenizer", "../own", "Own"])
def test_a_tokenizer_class_is_one_of_transformers_or_none(name: str, tmp_path: Path) -> None:
    """Of a name that it does not know, its own fast tokenizer is taken, or the folder is refused."""
    trace = tmp_path / "it-ran"
    folder = tiny_llama(tmp_path / "policy")
    (folder / "own.py").write_text(f"open({str(trace)!r}, 'w')\n")
    Traces(tmp_path / "traces").lay(folder, ("vocab.pkl",))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": name}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(DataError):
            sampled(folder)
    assert not trace.exists()
    assert not list((tmp_path / "traces").iterdir())


@pytest.mark.reliability("models")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("missing", "holds nothing for .*lora_"),
        ("unexpected", "no place for .*lora_"),
        ("renamed", "holds nothing for .*lora_"),
        ("foreign module", "no place for .*weight"),
        ("head left out", r"holds nothing for .*lm_head\.weight"),
        ("other shape", "is 4 x 99, and its matrix there is"),
        ("other rank", "says rank 4, and"),
    ],
)
def test_no_tensor_of_an_adapter_is_passed_over(change: str, says: str, tmp_path: Path) -> None:
    """PEFT warns of those that are missing at most, and drops the others; the adapter would be another one."""
    import torch
    from safetensors.torch import load_file, save_file

    base = tiny_llama(tmp_path / "base")
    own = {"modules_to_save": ["lm_head"]} if change == "head left out" else {}
    adapter = lora(base, tmp_path / "adapter", **own)
    assert sampled(base, adapter=str(adapter)) in {"end", "length"}
    tensors = load_file(adapter / "adapter_model.safetensors")
    first = next(name for name in tensors if "q_proj.lora_A" in name)
    match change:
        case "missing":
            del tensors[first]
        case "unexpected":
            tensors[first.replace("layers.0", "layers.7")] = tensors[first].clone()
        case "renamed":
            tensors[first.replace("lora_A", "lora_C")] = tensors.pop(first)
        case "foreign module":
            tensors["base_model.model.backdoor.weight"] = torch.zeros(2, 2)
        case "head left out":
            tensors = {name: tensor for name, tensor in tensors.items() if "lm_head" not in name}
        case "other shape":
            tensors[first] = torch.zeros(4, 99)
        case _:
            tensors[first] = torch.zeros(5, tensors[first].shape[1])
    save_file(tensors, adapter / "adapter_model.safetensors")
    with pytest.raises(DataError, match=says):
        sampled(base, adapter=str(adapter))


@pytest.mark.reliability("models")
def test_the_base_that_an_adapter_names_is_never_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """A path, an address or a hub id in its configuration is a word to people: when it is loaded, and saved again."""
    from solon.models.backend.loading import load
    from solon.trainers.backend.saving import save_adapter

    asked: list[object] = []

    def resolved(host: object, *_: Any, **__: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "no name is resolved here")

    monkeypatch.setattr(socket, "getaddrinfo", resolved)  # whoever asks a server begins so
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    base = tiny_llama(tmp_path / "base")
    names = ("org/backdoored", "/etc", "http://127.0.0.1:9/model", "../../other", "", None, 3)
    for number, name in enumerate(names):
        adapter = lora(base, tmp_path / str(number))
        config = json.loads((adapter / "adapter_config.json").read_text())
        changed = {"base_model_name_or_path": name, "revision": "evil", "auto_mapping": {"parent_library": "os"}}
        (adapter / "adapter_config.json").write_text(json.dumps({**config, **changed}))
        # a folder that is here, and is not the model
        with pytest.raises(DataError, match="whose weights are others") if name == "/etc" else contextlib.nullcontext():
            sampled(base, adapter=str(adapter))
    tuned = load(str(base), adapter=str(tmp_path / "0"))
    assert tuned.model.peft_config["default"].base_model_name_or_path == names[0]
    save_adapter(tuned.model, tuned.tokenizer, tmp_path / "saved", base_model=str(names[0]))
    assert asked == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned.model.save_pretrained(tmp_path / "as PEFT would")
    assert asked, "or else this would say nothing"
    figure(f"{len(names)} adapters that name another base: 0 fetched")


@pytest.mark.reliability("models")
def test_weights_that_lack_a_tensor_are_no_model(tmp_path: Path) -> None:
    """Transformers would fill it with random numbers, and say so in a log that nobody reads."""
    from safetensors.torch import load_file, save_file

    folder = tiny_llama(tmp_path / "policy")
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"its weights have no model\.layers\.1\.mlp\.up_proj\.weight"):
        sampled(folder)
