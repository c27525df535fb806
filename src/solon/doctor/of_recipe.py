"""What a recipe needs here: what is wrong with it on this machine, whom it asks, what it trains."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from solon.checking import check_recipe
from solon.doctor.finding import Finding
from solon.errors import Problem, SolonError
from solon.models.base import ChatModel
from solon.phases import phases_of
from solon.plugins.base import Plugin, located
from solon.recipe import Opened, plugins
from solon.trainers.backends import Machine
from solon.trainers.base import Lora
from solon.trainers.fit import fit

_PATIENCE_S = 3.0


def needs(opened: Opened, *, ask: bool = False) -> list[Finding]:
    """One finding for each thing that is missing, that it asks, and that it trains.

    Args:
        opened: the recipe.
        ask: whether to see if somebody listens at the addresses that it names. Nothing is sent.
    """
    found = check_recipe(opened)
    models = [model for phase in phases_of(opened) for _, plugin in plugins(phase.recipe) for model in _models(plugin)]
    return [
        *(_wrong(problem, ok=False) for problem in found.problems),
        *(_wrong(problem, ok=True) for problem in found.warnings),
        *(_asked(model, ask=ask) for model in {model.identity(): model for model in models}.values()),
        *_trained(opened),
        *([] if found.problems else [Finding(what=str(opened.path), ok=True, found="ready to run here")]),
    ]


def _wrong(problem: Problem, *, ok: bool) -> Finding:
    text, _, command = problem.what.partition(": pip install ")
    remedy = f"pip install {command}" if command else problem.remedy
    return Finding(what=problem.where or "here", ok=ok, found=text, remedy=remedy)


def _models(plugin: Plugin) -> Iterator[ChatModel]:
    if isinstance(plugin, ChatModel):
        yield plugin
    for part in plugin.parts():
        yield from _models(part)


def _asked(model: ChatModel, *, ask: bool) -> Finding:
    """Who is asked, and with whose key; whether anybody is there, only where that is wanted."""
    address = str(getattr(model, "base_url", None) or "")
    name = getattr(model, "model", "") or model.kind
    key = getattr(model, "api_key_env", None)
    with_key = f", key in {key}" if key else ""
    what = f"{model.kind} {name}"
    if not model.remote or not address:
        where = located(name) if "/" in str(name) or not model.remote else ""
        return Finding(what=what, ok=True, found=f"asked{f' at {where}' if where else ''}{with_key}")
    host = urlsplit(address).netloc.rpartition("@")[2]
    if not ask:
        return Finding(what=what, ok=True, found=f"asked at {host}{with_key}; --reach sees whether anybody is there")
    trouble = _unreachable(address)
    if not trouble:
        return Finding(what=what, ok=True, found=f"somebody listens at {host}{with_key}")
    remedy = f"start the server at {host}, or put another address under base_url"
    return Finding(what=what, ok=False, found=f"nobody listens at {host}: {trouble}", remedy=remedy)


def _unreachable(address: str) -> str:
    """Why no connection can be made; empty where one can."""
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_PATIENCE_S).close()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def _trained(opened: Opened) -> Iterator[Finding]:
    """Whether what is trained fits the GPU here, where that can be estimated."""
    machine = Machine.here()
    for phase in phases_of(opened):
        trainer, policy = phase.recipe.train, phase.recipe.policy
        if trainer is None or policy is None or not machine.gpus:
            continue
        lora = getattr(trainer, "lora", None)
        try:
            estimated = fit(
                located(policy.model),
                trainer.kind,
                machine,
                lora=lora if isinstance(lora, Lora) else None,
                weights="nf4" if policy.load_in_4bit else "bfloat16",
                batch_size=getattr(trainer, "batch_size", None),
            )
        except SolonError:  # no estimate of that model or trainer; `solon check` says what is wrong with them
            continue
        what = f"{trainer.kind} on {policy.model}"
        remedy = "" if estimated.fits else "lower train.batch_size and raise train.gradient_accumulation"
        yield Finding(what=what, ok=estimated.fits, found=estimated.verdict, remedy=remedy)
