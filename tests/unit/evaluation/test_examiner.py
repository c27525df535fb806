"""Who examines, and how it is related to who taught."""

import pytest

from evaluating import evidence
from solon.evaluation import examiner
from solon.labelers.pairwise import Pairwise
from solon.models.endpoint import Endpoint


def asks(model: str) -> Pairwise:
    """A judge behind an API."""
    return Pairwise(judge=Endpoint(model=model, base_url="http://localhost:1/v1"))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "llama"),
        ("gpt-5-mini", "gpt"),
        ("chatgpt-4o-latest", "gpt"),
        ("o3-mini", "gpt"),
        ("ft:gpt-4o:team", "gpt"),
        ("claude-sonnet-4", "claude"),
        ("qwen3:8b", "qwen"),
        ("Qwen/Qwen3-32B", "qwen"),
        ("mixtral-8x7b", "mistral"),
        ("our-own-judge", ""),
        ("judge", ""),
        ("phase-two", ""),
        ("", ""),
    ],
)
def test_a_family_is_told_from_the_name_of_a_model(name: str, family: str) -> None:
    """And from nothing else: a name that tells nothing is nobody's relative."""
    assert examiner.family(name) == family


def test_the_same_judge_and_a_relative_are_told_apart() -> None:
    """``method`` and the warning say which."""
    facts = evidence([("a", "b")], labeler=asks("gpt-4o"))
    same, relative, stranger = asks("gpt-4o"), asks("gpt-4o-mini"), asks("claude-sonnet-4")
    assert [examiner.kinship(judge, facts.teachers) for judge in (same, relative, stranger)] == ["same", "family", ""]
    assert "of the family of one that labeled" in examiner.note(relative, facts)
    assert "relatives have tastes in common" in examiner.warnings("win_rate", relative, facts)[0]
    assert "it favours what it taught" in examiner.warnings("win_rate", same, facts)[0]
    assert examiner.warnings("win_rate", stranger, facts) == []
    assert examiner.note(stranger, facts) == f"judge {stranger.name}"


def test_models_of_unknown_names_are_no_relatives() -> None:
    """Two empty families are not one."""
    assert examiner.kinship(asks("ours-a"), (asks("ours-b"),)) == ""
