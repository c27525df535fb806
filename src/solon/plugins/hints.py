"""What may have been meant by a name that no plugin has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from solon.models.prices import listed
from solon.plugins.groups import GROUPS, a_noun

_OTHERS: Mapping[str, Mapping[str, str]] = {
    "solon.models": {
        **dict.fromkeys(
            ("ollama", "lmstudio", "llama_cpp", "llama.cpp", "tgi", "sglang", "openrouter", "groq", "together"),
            "it serves the OpenAI protocol: {kind: endpoint, base_url: ..., model: ...}",
        ),
        **dict.fromkeys(
            ("gemini", "google", "mistral", "cohere", "bedrock", "azure", "vertex"),
            "it is reached through LiteLLM: {kind: litellm, model: ...}, after pip install 'solon[litellm]'",
        ),
        **dict.fromkeys(
            ("huggingface", "hf", "local", "unsloth"), "a model on this machine is `transformers`, or `vllm`"
        ),
    },
    "solon.labelers": {
        **dict.fromkeys(
            ("llm", "judge", "llm_judge", "llm-judge"), "a model judges as `pairwise`, `rating` or `ranking`"
        ),
        **dict.fromkeys(("regex", "regexp", "keywords"), "patterns are `rules`"),
        **dict.fromkeys(("code", "math", "unit_tests"), "what can be checked is `verifier`"),
        **dict.fromkeys(("reward", "reward_model"), "a reward model is asked by {kind: classifier, model: ...}"),
    },
    "solon.trainers": {
        "ipo": "it is a loss of dpo: {kind: dpo, loss: ipo}",
        "hinge": "it is a loss of dpo: {kind: dpo, loss: hinge}",
        **dict.fromkeys(("slic", "slic-hf"), "its loss is {kind: dpo, loss: hinge}"),
        **dict.fromkeys(("rlhf", "reinforce"), "online trainers are `ppo`, `grpo` and `rloo`"),
        **dict.fromkeys(("lora", "qlora"), "adapters are a setting of every trainer: {kind: dpo, lora: {r: 16}}"),
        **dict.fromkeys(("rm", "reward_model"), "a reward model is trained by `reward`"),
        "unsloth": "it is a backend of the trainers: {kind: dpo, backend: unsloth}",
    },
    "solon.evaluators": dict.fromkeys(
        ("mmlu", "hellaswag", "truthfulqa", "truthfulqa_mc2", "gsm8k", "arc", "winogrande", "ifeval"),
        "benchmarks are tasks of lm_eval, after pip install 'solon[eval]': {kind: lm_eval, tasks: [...]}",
    ),
    "solon.constitutions": {},
}
"""What people call by another name, or look for under this one, with what solon has for it."""


def meant(group: str, kind: str, kinds: Mapping[str, Iterable[str]]) -> str:
    """What may have been meant by ``kind`` in ``group``; empty where nothing comes to mind.

    Args:
        group, kind: where it was looked for, and under which name.
        kinds: the names in each group.
    """
    elsewhere = next((other for other in GROUPS if kind in kinds[other]), None)
    if elsewhere is not None:
        what = f"; {kind!r} is {a_noun(elsewhere)}"
        if (group, elsewhere) == ("solon.labelers", "solon.models"):
            what += f", which goes under `judge`: {{kind: pairwise, judge: {{kind: {kind}, ...}}}}"
        return what
    if (hint := _OTHERS[group].get(kind.lower())) is not None:
        return f". For {kind!r}, {hint}"
    if near := get_close_matches(kind, kinds[group], n=1):
        return f" (did you mean {near[0]!r}?)"
    module, _, name = kind.rpartition(".")
    if module and name[:1].isupper():
        return f". A class in a module is written {module}:{name}, in a recipe that says `allow_import: true`"
    if group == "solon.models":
        provider = next((each for each in ("openai", "anthropic") if listed(each, kind)), "endpoint")
        return f". The name of a model goes under `model`: {{kind: {provider}, model: {kind}}}"
    return ""
