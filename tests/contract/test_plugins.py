"""solon's own plugins under the public contract, which third parties' tests inherit too."""

# ruff: noqa: D101 - the name of each class says which plugin it holds to which contract

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from plugins_of_ours import of_classifier, of_reward_model, of_safety, served
from solon.constitution.library import harmlessness, helpfulness, honesty, strict_format
from solon.evaluation.accuracy import Accuracy
from solon.evaluation.agreement import Agreement
from solon.evaluation.compliance import Compliance
from solon.evaluation.diversity import Diversity
from solon.evaluation.kl import KL
from solon.evaluation.length import Length
from solon.evaluation.qualitative import Qualitative
from solon.evaluation.rating import Rating
from solon.evaluation.refusals import Refusals
from solon.evaluation.safety import Safety
from solon.evaluation.toxicity import Toxicity
from solon.evaluation.win_rate import WinRate
from solon.labelers.cascade import Cascade
from solon.labelers.classifier import Classifier
from solon.labelers.critique import Critique
from solon.labelers.human import Human
from solon.labelers.pairwise import Pairwise
from solon.labelers.panel import Panel
from solon.labelers.ranking import RankingJudge
from solon.labelers.rating import RatingJudge
from solon.labelers.rules import Rules
from solon.labelers.verifier import Verifier
from solon.models.anthropic import Anthropic
from solon.models.endpoint import Endpoint
from solon.models.litellm import LiteLLM
from solon.models.openai import OpenAI
from solon.models.scripted import Scripted
from solon.models.transformers import Transformers
from solon.plugins.groups import GROUPS
from solon.plugins.registry import kinds, load
from solon.plugins.testing import (
    REWARD,
    ConstitutionContract,
    EvaluatorContract,
    LabelerContract,
    ModelContract,
    TrainerContract,
    tiny_policy,
)
from solon.plugins.testing.contracts import Contract
from solon.plugins.testing.trainers import TRAINERS
from solon.trainers.dpo import DPO
from solon.trainers.grpo import GRPO
from solon.trainers.kto import KTO
from solon.trainers.orpo import ORPO
from solon.trainers.ppo import PPO
from solon.trainers.reward import Reward
from solon.trainers.rloo import RLOO
from solon.trainers.selfplay import SelfPlay
from solon.trainers.sft import SFT
from solon.trainers.simpo import SimPO

JUDGE = {"kind": "scripted", "replies": [{"when": "[", "say": "A", "choices": {"A": -0.1, "B": -2.4}}]}
RATER = {"kind": "scripted", "replies": [{"when": "[", "say": "4", "choices": {"4": -0.2, "5": -1.8}}]}
POLITE = {"polite": {"forbidden": ["duh"]}}
BRIEF = {"kind": "rules", "rules": {"brief": {"length": "characters", "max": 40}}}
STEP = {"learning_rate": 0.01, "batch_size": 4, "gradient_accumulation": 1, "warmup_ratio": 0.0, "save_every": 1}
ONLINE = {**STEP, "reward": REWARD, "max_new_tokens": 6, "max_steps": 15}

ELSEWHERE = {
    "vllm": "it needs a GPU: tests/gpu",
    "lm_eval": "it asks the models themselves: tests/training/test_lm_eval.py",
}
"""Plugins of ours that are held to no contract here, and why."""


# ---------------------------------------------------------------- labelers


class TestPairwise(LabelerContract):
    plugin = Pairwise
    checked_with: ClassVar = {"judge": JUDGE, "pairing": "all", "seed": 3}


class TestRating(LabelerContract):
    plugin = RatingJudge
    checked_with: ClassVar = {"judge": RATER, "seed": 3}


class TestRanking(LabelerContract):
    plugin = RankingJudge
    checked_with: ClassVar = {"judge": {"kind": "scripted", "default": "B > A > C"}, "seed": 3}


class TestCritique(LabelerContract):
    plugin = Critique
    checked_with: ClassVar = {"model": {"kind": "scripted", "default": "Arka."}, "completions": "all"}


class TestRules(LabelerContract):
    plugin = Rules
    checked_with: ClassVar = {"rules": POLITE}


class TestVerifier(LabelerContract):
    plugin = Verifier
    checked_with: ClassVar = {"checks": {**POLITE, "form": {"tags": ["answer"]}}, "workers": 1}


class TestHuman(LabelerContract):
    plugin = Human
    checked_with: ClassVar = {"file": str(Path(__file__).with_name("verdicts.jsonl"))}


@pytest.mark.slow
class TestClassifier(LabelerContract):
    plugin = Classifier
    checked_with: ClassVar = staticmethod(of_reward_model)


class TestPanel(LabelerContract):
    plugin = Panel
    checked_with: ClassVar = {"members": [{"kind": "pairwise", "judge": JUDGE, "pairing": "all"}] * 2}


class TestCascade(LabelerContract):
    plugin = Cascade
    checked_with: ClassVar = {
        "first": {"kind": "pairwise", "judge": JUDGE, "pairing": "all"},
        "then": {"kind": "pairwise", "judge": JUDGE},
    }


# ---------------------------------------------------------------- models


class TestScripted(ModelContract):
    plugin = Scripted
    checked_with: ClassVar = {"default": "Yes"}


class TestEndpoint(ModelContract):
    plugin = Endpoint
    checked_with: ClassVar = served()


class TestOpenAI(ModelContract):
    plugin = OpenAI
    checked_with: ClassVar = served()


class TestAnthropic(ModelContract):
    plugin = Anthropic
    checked_with: ClassVar = served(path="")


@pytest.mark.slow
class TestLiteLLM(ModelContract):
    plugin = LiteLLM
    checked_with: ClassVar = served(model="openai/served")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
class TestTransformers(ModelContract):
    plugin = Transformers
    checked_with: ClassVar = staticmethod(lambda: {"model": tiny_policy(), "threads": 1})


# ---------------------------------------------------------------- trainers


@pytest.mark.slow
class TestSFT(TrainerContract):
    plugin = SFT
    checked_with: ClassVar = STEP


@pytest.mark.slow
class TestDPO(TrainerContract):
    plugin = DPO
    checked_with: ClassVar = STEP


@pytest.mark.slow
class TestSimPO(TrainerContract):
    plugin = SimPO
    checked_with: ClassVar = STEP


@pytest.mark.slow
class TestORPO(TrainerContract):
    plugin = ORPO
    checked_with: ClassVar = STEP


@pytest.mark.slow
class TestKTO(TrainerContract):
    plugin = KTO
    checked_with: ClassVar = STEP


@pytest.mark.slow
class TestRewardModel(TrainerContract):
    plugin = Reward
    checked_with: ClassVar = STEP


@pytest.mark.slow
class TestPPO(TrainerContract):
    plugin = PPO
    checked_with: ClassVar = {**ONLINE, "passes": 2}


@pytest.mark.slow
class TestGRPO(TrainerContract):
    plugin = GRPO
    checked_with: ClassVar = {**ONLINE, "num_generations": 4}


@pytest.mark.slow
class TestRLOO(TrainerContract):
    plugin = RLOO
    checked_with: ClassVar = {**ONLINE, "num_generations": 4}


@pytest.mark.slow
class TestSelfPlay(TrainerContract):
    # these two take it half a minute more, and tests/training/test_selfplay_going_on.py does both
    clauses = tuple(one for one in TRAINERS if one.id not in {"trainer-repeats", "trainer-resumes"})
    plugin = SelfPlay
    # an answer that was cut off is nothing to learn from, and a random model takes its time to end one
    checked_with: ClassVar = {**STEP, "labeler": BRIEF, "max_new_tokens": 48, "prompts_a_round": 6, "rounds": 2}


# ---------------------------------------------------------------- evaluators


class TestLength(EvaluatorContract):
    plugin = Length


class TestAccuracy(EvaluatorContract):
    plugin = Accuracy


class TestCompliance(EvaluatorContract):
    plugin = Compliance
    checked_with: ClassVar = {"rules": POLITE}


class TestDiversity(EvaluatorContract):
    plugin = Diversity
    checked_with: ClassVar = {"group_size": 5}


class TestWinRate(EvaluatorContract):
    plugin = WinRate
    checked_with: ClassVar = {"judge": {"kind": "pairwise", "judge": JUDGE}}


class TestRatingOfAnswers(EvaluatorContract):
    plugin = Rating
    checked_with: ClassVar = {"judge": {"kind": "rating", "judge": RATER}}


class TestKL(EvaluatorContract):
    plugin = KL


class TestAgreement(EvaluatorContract):
    plugin = Agreement
    checked_with: ClassVar = {"with": {"kind": "rules", "rules": POLITE}}


class TestRefusals(EvaluatorContract):
    plugin = Refusals


class TestRefusalsByAJudge(EvaluatorContract):
    plugin = Refusals
    checked_with: ClassVar = {"judge": {"kind": "scripted", "default": "A"}}


class TestSafety(EvaluatorContract):
    plugin = Safety
    checked_with: ClassVar = staticmethod(of_safety)


@pytest.mark.slow
class TestToxicity(EvaluatorContract):
    plugin = Toxicity
    checked_with: ClassVar = staticmethod(of_classifier)


class TestQualitative(EvaluatorContract):
    plugin = Qualitative


# ---------------------------------------------------------------- constitutions


class TestHarmlessness(ConstitutionContract):
    constitution = staticmethod(harmlessness)


class TestHonesty(ConstitutionContract):
    constitution = staticmethod(honesty)


class TestHelpfulness(ConstitutionContract):
    constitution = staticmethod(helpfulness)


class TestStrictFormat(ConstitutionContract):
    constitution = staticmethod(strict_format)


# ---------------------------------------------------------------- all of them


def test_every_plugin_of_ours_is_held_to_its_contract() -> None:
    """One that is registered and not listed here would go unchecked."""
    ours: set[Any] = {load(group, kind) for group in GROUPS for kind in kinds(group) if kind not in ELSEWHERE}
    ours = {one for one in ours if one.__module__.startswith("solon.")}
    classes = [one for one in globals().values() if isinstance(one, type) and issubclass(one, Contract)]
    held = {
        one.constitution if issubclass(one, ConstitutionContract) else one.plugin
        for one in classes
        if one.__module__ == __name__
    }
    assert held == ours
