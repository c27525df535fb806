"""What this machine is said to be able to do."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from solon.cli.app import app
from solon.doctor import OF_PLUGINS, REPORT, TRAIN, _gpu, _of_plugin, findings
from solon.trainers.backends import GPU, Machine

EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]
NEITHER = {"gpu", "unsloth", "all", "dev", "docs", "fuzz"}
"""Told by the finding on the GPU, made of other extras, or not of any plugin yet."""


def test_every_extra_of_a_plugin_is_looked_for() -> None:
    """A newcomer asks which of them is there."""
    assert {*OF_PLUGINS, "train", "report"} == EXTRAS.keys() - NEITHER


BROUGHT = [*OF_PLUGINS.items(), *(("train", one) for one in TRAIN), *(("report", one) for one in REPORT)]


@pytest.mark.parametrize(("extra", "package"), BROUGHT)
def test_the_package_looked_for_is_the_one_that_the_extra_brings(extra: str, package: str) -> None:
    """Else the remedy would not help."""
    assert any(wanted.startswith(package) for wanted in EXTRAS[extra])


def test_what_few_need_is_absent_and_not_missing() -> None:
    """Nothing is wrong with a machine without vLLM, and how to get it is said."""
    found = _of_plugin("vllm", "no-such-package")
    assert (found.ok, found.found) == (True, "not installed: only recipes that name its kind need it")
    assert found.remedy == "pip install 'solon[vllm]'"


@pytest.mark.slow
def test_the_doctor_says_whether_code_can_be_shut_in() -> None:
    """As `verifier` would find it: either how, or why not."""
    (isolation,) = [one for one in findings() if one.what == "isolation of code (verifier)"]
    assert isolation.found.startswith("yes, by " if not isolation.remedy else "no: ")
    shown = CliRunner().invoke(app, ["doctor"]).stdout
    mark = "absent " if isolation.remedy else "ok     "
    assert f"{mark} isolation of code (verifier): {isolation.found}" in shown


H100 = GPU("NVIDIA H100", 79.6)
UNSLOTH = "pip install 'solon[unsloth]'"


@pytest.mark.parametrize(
    ("installed", "backend", "remedies"),
    [
        (("bitsandbytes", "unsloth"), "unsloth: 4-bit weights on NVIDIA H100, and unsloth is installed", {}),
        (
            ("bitsandbytes",),
            f"bitsandbytes: 4-bit weights on NVIDIA H100, and unsloth, which is faster, is not installed: {UNSLOTH}",
            {"unsloth (backend)": (True, UNSLOTH)},
        ),
        (
            (),
            "none for 4-bit weights",
            {
                "bitsandbytes (backend)": (False, "pip install 'solon[gpu]'"),
                "unsloth (backend)": (True, UNSLOTH),
            },
        ),
    ],
    ids=["both", "bitsandbytes", "neither"],
)
def test_the_backend_that_trains_on_a_gpu_is_said_with_what_is_missing(
    installed: tuple[str, ...], backend: str, remedies: dict[str, tuple[bool, str]]
) -> None:
    """As `backend: auto` would choose for adapters on 4-bit weights."""
    *found, chosen = _gpu(Machine((H100,), frozenset(installed)))
    assert (found[0].found, chosen.found) == ("NVIDIA H100 (79.6 GiB)", backend)
    assert {one.what: (one.ok, one.remedy) for one in found if one.remedy} == remedies


def test_without_a_gpu_trainers_run_plainly() -> None:
    """And nothing is wrong with that."""
    assert [(one.ok, one.found) for one in _gpu(Machine())] == [
        (True, "none: models run on the CPU, 4-bit loading is not available"),
        (True, "plain: there is no NVIDIA GPU here"),
    ]
