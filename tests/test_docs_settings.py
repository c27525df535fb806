"""Each table of settings on a page is that of its class: every name, every default, every word that may be chosen."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from solon.data.kinds import Build
from solon.labelers.code_checks import CodeCheck
from solon.labelers.value_checks import ExpressionCheck, NumberCheck
from solon.models.remote import RemoteModel
from solon.plugins.registry import load, offers
from solon.recipe import Recipe
from solon.recipe_parts import Sample
from solon.trainers.base import Policy
from solon.trainers.dpo import DPO
from solon.trainers.gradient import GradientTrainer
from solon.trainers.grpo import GRPO
from solon.trainers.kto import KTO
from solon.trainers.ppo import PPO
from solon.trainers.reward import Reward
from solon.trainers.rloo import RLOO
from solon.trainers.selfplay import SelfPlay
from solon.trust.canaries import Canaries

DOCS = Path(__file__).parents[1] / "docs"
IN_WORDS = {
    ("human", "columns"),  # all column names, which the page has in a table of their own
    ("openai", "base_url"),  # "OpenAI": the provider's own address tells a reader less
    ("anthropic", "base_url"),
}
"""Settings with a default whose page describes it in words."""
_VALUES = (BaseModel, str, int, float)


def tables(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each table of settings on a page: the heading above it, and the default that it gives for each name."""
    heading, inside, found = "", False, dict[str, str]()
    for line in [*path.read_text("utf-8").splitlines(), ""]:
        if line.startswith("#"):
            heading = line.lstrip("# ").replace("`", "")
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not inside and cells and cells[0] in ("setting", "key", "`build`"):
            inside, found = True, {}
        elif inside and cells:
            names, stated = re.findall(r"`(\w+)`", cells[0]), cells[1]
            each = stated.split(", ") if stated.count(", ") == len(names) - 1 else [stated] * len(names)
            found |= dict(zip(names, each, strict=True))
        elif inside:
            inside = False
            yield heading, found


def plugins() -> Iterator[Any]:
    """Each labeler and chat model of solon's, with the first table of its page."""
    for group, folder in (("solon.labelers", "labelers"), ("solon.models", "models")):
        for kind in sorted(offer.kind for offer in offers(group) if offer.package == "solon"):
            yield pytest.param(load(group, kind), DOCS / folder / f"{kind}.md", None, id=f"{folder}/{kind}")


def parts() -> Iterator[Any]:
    """The other classes whose settings have a table, under a heading of their own."""
    for page, heading, settings in (
        ("labelers/verifier.md", "number", NumberCheck),
        ("labelers/verifier.md", "expression", ExpressionCheck),
        ("labelers/verifier.md", "code", CodeCheck),
        ("recipe.md", "The recipe", Recipe),
        ("recipe.md", "policy", Policy),
        ("recipe.md", "sample", Sample),
        ("recipe.md", "canaries", Canaries),
        ("recipe.md", "build", Build),
        ("recipe.md", "Chat models", RemoteModel),
        ("datasets.md", "From verdicts to rows", Build),
        ("trainers.md", "Settings of all", GradientTrainer),
        ("trainers/dpo.md", "Settings of dpo", DPO),
        ("trainers/kto.md", "Settings of kto", KTO),
        ("trainers/reward.md", "Settings of reward", Reward),
        ("trainers/grpo.md", "Settings of grpo", GRPO),
        ("trainers/grpo.md", "Settings of rloo", RLOO),
        ("trainers/ppo.md", "Settings of ppo", PPO),
        ("trainers/selfplay.md", "Settings of selfplay", SelfPlay),
    ):
        yield pytest.param(settings, DOCS / page, heading, id=f"{page}-{heading}")


def table(page: Path, heading: str | None) -> Mapping[str, str]:
    return next(found for above, found in tables(page) if heading in (None, above))


def fields(settings: type[BaseModel]) -> dict[str, FieldInfo]:
    """Those of the class; of a trainer, without what all have, which is in a table of its own."""
    of_all = GradientTrainer.model_fields if issubclass(settings, GradientTrainer) else {}
    left_out = {} if settings is GradientTrainer else of_all
    return {field.alias or name: field for name, field in settings.model_fields.items() if name not in left_out}


def agrees(stated: str, field: FieldInfo, *, in_words: bool) -> bool:
    """Whether the default cell of a table says what the class does.

    It is ``required``, or the value itself as YAML, or words for what has no value until something else is known.
    """
    if field.is_required():
        return stated == "required"
    actual = field.get_default(call_default_factory=True)
    if stated == "as in `number`":
        return actual in (None, "hundredths", 0)
    if isinstance(actual, BaseModel) and stated == "":
        return True  # a group of settings with a table of its own
    code = re.fullmatch(r"`([^`]*)`", stated)
    value = yaml.safe_load(code[1] if code else stated.removesuffix(" (off)"))
    if value == actual:
        return isinstance(value, bool) == isinstance(actual, bool)  # 1 is no way to write true
    return code is None and isinstance(value, str | None) and (in_words or not isinstance(actual, _VALUES))


def choices(annotation: Any) -> Iterator[Any]:
    """The words that a setting may be, where those are listed."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in (Union, types.UnionType):
        yield from chain.from_iterable(map(choices, get_args(annotation)))


@pytest.mark.parametrize(("settings", "page", "heading"), [*plugins(), *parts()])
def test_a_table_has_each_setting_and_no_other(settings: type[BaseModel], page: Path, heading: str | None) -> None:
    """One that is missing is never found; one that is gone is an error in the reader's recipe."""
    assert sorted(table(page, heading)) == sorted(fields(settings))


@pytest.mark.parametrize(("settings", "page", "heading"), [*plugins(), *parts()])
def test_a_table_gives_each_default(settings: type[BaseModel], page: Path, heading: str | None) -> None:
    """A default is what most runs are made with."""
    kind = getattr(settings, "kind", "")
    wrong = [
        (name, stated)
        for name, stated in table(page, heading).items()
        if not agrees(stated, fields(settings)[name], in_words=(kind, name) in IN_WORDS)
    ]
    assert wrong == []


@pytest.mark.parametrize(("settings", "page", "heading"), list(plugins()))
def test_a_page_names_every_choice(settings: type[BaseModel], page: Path, heading: None) -> None:
    """A way of doing it that no page names is not there for its readers."""
    text = page.read_text("utf-8")
    unnamed = [
        (name, choice)
        for name, field in fields(settings).items()
        for choice in choices(field.annotation)
        if f"`{choice}`" not in text
    ]
    assert unnamed == []
