"""What published work says of who should train with what, as rules over facts; each reason with its source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from solon.advice.facts import Facts
from solon.data.records import Noun
from solon.data.showing import html_table, text_table

Fit = Literal["first", "good", "possible", "no"]
ORDER: tuple[Fit, ...] = ("first", "good", "possible", "no")

FEW_PAIRS, FEW_PROMPTS, FEW_DEMONSTRATIONS = 500, 200, 1000
"""Below these a trainer has little to learn from. The last is what Zhou et al. 2023 (arXiv:2305.11206) needed."""
_UNCLEAR, _LONGER = 0.3, 0.65


class Reason(Noun):
    """A sentence, and where it is from; ``source`` is empty where it is counted from what was looked at."""

    text: str
    source: str = ""


class Advice(Noun):
    """What speaks for and against one trainer.

    Attributes:
        trainer: its kind.
        fit: ``first`` to try; ``good`` too; ``possible``, with what speaks against it; ``no``: the data are not for it.
        reasons: the weightiest first.
        settings: what to set that is not the default, as recipes have it.
    """

    trainer: str
    fit: Fit
    reasons: tuple[Reason, ...]
    settings: tuple[str, ...] = ()


class Counsel(Noun):
    """Advice on every trainer, the best first, and what it cannot know."""

    advice: tuple[Advice, ...]
    unknown: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [(one.fit, one.trainer, one.reasons[0].text if one.reasons else "") for one in self.advice]
        return text_table(("fit", "trainer", "because"), lines)

    def _repr_html_(self) -> str:
        lines = [(one.fit, one.trainer, " ".join(each.text for each in one.reasons)) for one in self.advice]
        return html_table(("fit", "trainer", "because"), lines)


def counsel(facts: Facts) -> Counsel:
    """The advice for these facts."""
    given: list[Advice] = [_sft(facts), _dpo(facts), _kto(facts), _simpo(facts), _orpo(facts), _reward(facts)]
    given += [*_by_reward(facts), _ppo(facts), _selfplay(facts)]
    if facts.encoder_decoder:
        given = [one if one.trainer in ("sft", "ppo") else _no(one.trainer, _ENCODER_DECODER) for one in given]
    first = next((one for one in sorted(given, key=_rank) if one.fit == "good"), None)
    given = [one.model_copy(update={"fit": "first"}) if one is first else one for one in given]
    return Counsel(advice=tuple(sorted(given, key=lambda one: ORDER.index(one.fit))), unknown=tuple(_unknown(facts)))


_ENCODER_DECODER = "the policy is an encoder-decoder, which `sft` and `ppo` train and nothing else does"
_PREFERRED = ("grpo", "dpo", "kto", "ppo", "sft")
"""Which of several that fit to try first: the exact before the preferred, the simple before the rest."""


def _rank(advice: Advice) -> int:
    return _PREFERRED.index(advice.trainer) if advice.trainer in _PREFERRED else len(_PREFERRED)


def _no(trainer: str, why: str, remedy: str = "") -> Advice:
    return Advice(trainer=trainer, fit="no", reasons=(Reason(text=f"{why}{f': {remedy}' if remedy else ''}"),))


# ---------------------------------------------------------------- learning from what was written before


def _sft(facts: Facts) -> Advice:
    if not facts.demonstrations:
        why = "there is no response to imitate"
        return _no("sft", why, "`build` makes some of judgments that rate or rank, and `critique` writes some")
    few = facts.demonstrations < FEW_DEMONSTRATIONS
    text = f"{facts.demonstrations:,} responses to imitate" + (", fewer than the thousand that sufficed" if few else "")
    reasons = [Reason(text=text, source="Zhou et al. 2023, arXiv:2305.11206")]
    reasons.append(
        Reason(
            text="imitation alone is below learning from preferences or rewards; it is the usual step before them",
            source="Ouyang et al. 2022, arXiv:2203.02155, section 4.1",
        )
    )
    fit: Fit = "possible" if facts.pairs or facts.labels else "good"
    return Advice(trainer="sft", fit=fit, reasons=tuple(reasons))


def _pairs(facts: Facts) -> Iterator[Reason]:
    """What the pairs themselves say for and against learning from them."""
    yield Reason(text=f"{facts.pairs:,} pairs" + (", which are few" if facts.pairs < FEW_PAIRS else ""))
    if facts.margins and facts.unclear > _UNCLEAR * facts.margins:
        share = f"{100 * facts.unclear / facts.margins:.0f} %"
        yield Reason(text=f"{share} of the pairs are unclear (margin below .2): raise `build.min_margin`, or smooth")
    if facts.longer_chosen > _LONGER * facts.pairs:
        share = f"{100 * facts.longer_chosen / facts.pairs:.0f} %"
        yield Reason(
            text=f"in {share} of the pairs the longer response was chosen, and what is learned may be length",
            source="Park et al. 2024, arXiv:2403.19159",
        )
    if facts.own is False:
        yield Reason(
            text="the responses are another model's: pairs of the policy's own teach more",
            source="Tajwar et al. 2024, arXiv:2404.14367",
        )


def _noisy(facts: Facts) -> bool:
    return bool(facts.margins) and facts.unclear > _UNCLEAR * facts.margins


def _dpo(facts: Facts) -> Advice:
    if not facts.pairs:
        return _no("dpo", "there are no pairs", "`label: {kind: pairwise}` or `ranking` gives them, ratings too")
    reasons = [
        Reason(
            text="simple, stable and cheap: no reward model and no sampling",
            source="Rafailov et al. 2023, arXiv:2305.18290",
        ),
        *_pairs(facts),
        Reason(
            text="it may make responses likely that are unlike those of all pairs, which PPO's KL price forbids",
            source="Xu et al. 2024, arXiv:2404.10719, theorem 4.1",
        ),
    ]
    settings = ("loss: robust", "label_smoothing: 0.1") if _noisy(facts) else ()
    return Advice(trainer="dpo", fit="good", reasons=tuple(reasons), settings=settings)


def _simpo(facts: Facts) -> Advice:
    if not facts.pairs:
        return _no("simpo", "there are no pairs")
    reasons = (
        Reason(
            text="no reference policy in memory, and a reward by the token, which favours length less",
            source="Meng et al. 2024, arXiv:2405.14734",
        ),
        Reason(text="nothing holds it to where it began: watch what it forgets"),
    )
    return Advice(trainer="simpo", fit="possible", reasons=reasons)


def _orpo(facts: Facts) -> Advice:
    if not facts.pairs:
        return _no("orpo", "there are no pairs")
    reasons = (
        Reason(
            text="imitation and preference in one step, from a base that follows no instructions yet",
            source="Hong et al. 2024, arXiv:2403.07691",
        ),
        Reason(text="it imitates the chosen responses, so they have to be good and not merely better"),
    )
    return Advice(trainer="orpo", fit="possible", reasons=reasons)


def _kto(facts: Facts) -> Advice:
    source = "Ethayarajh et al. 2024, arXiv:2402.01306"
    if not facts.labels and not facts.pairs:
        return _no("kto", "no response is called good or bad", "ratings give it, with `build.desirable_at`")
    if facts.good is not None and facts.good in (0, facts.labels) and not facts.pairs:
        return _no("kto", f"all {facts.labels:,} responses are of one class")
    reasons = []
    if facts.labels:
        good = f", {facts.good:,} of them good" if facts.good is not None else ""
        reasons.append(Reason(text=f"{facts.labels:,} responses with a label or score of their own{good}"))
    reasons.append(
        Reason(
            text="learns from good and bad responses that are no pairs, however uneven, and stands noise", source=source
        )
    )
    if facts.pairs:
        reasons.append(Reason(text="where there are clean pairs, splitting them loses what stood beside what"))
    return Advice(trainer="kto", fit="possible" if facts.pairs else "good", reasons=tuple(reasons))


def _reward(facts: Facts) -> Advice:
    if not facts.pairs:
        return _no("reward", "there are no pairs")
    reasons = (
        Reason(text="gives no policy: a reward for `ppo`, `grpo` and `rloo` that costs nothing a sample"),
        Reason(
            text="what is optimised against it for long goes wrong: hold a judge out, or train several",
            source="Gao et al. 2022, arXiv:2210.10760; Coste et al. 2023, arXiv:2310.02743",
        ),
    )
    return Advice(trainer="reward", fit="possible", reasons=reasons)


# ---------------------------------------------------------------- learning from what it writes itself


def _no_reward(facts: Facts) -> str:
    """Why nothing can be learned from rewards; empty where it can."""
    if not facts.prompts:
        return "there are no prompts"
    if not (facts.judged or facts.answers or facts.pairs):
        return "nothing says what a good response is: no labeler, no reference answers, no pairs for a reward model"
    return ""


def _exact(facts: Facts) -> bool:
    """Whether a program tells right from wrong: where a judge labels, or labeled, answers are not what is asked for."""
    return facts.verifiable or (facts.answers > 0.9 * facts.prompts and not (facts.judged or facts.pairs))


def _rewarded(facts: Facts) -> Iterator[Reason]:
    """What speaks for and against learning from rewards here."""
    few = ", which are few" if facts.prompts < FEW_PROMPTS else ""
    if _exact(facts):
        by = "a program says what is right" if facts.verifiable else f"{facts.answers:,} reference answers are there"
        if_so = "" if facts.verifiable else ", if a program can compare them,"
        yield Reason(
            text=f"{by}, so that{if_so} the reward is exact and free ({facts.prompts:,} prompts{few})",
            source="Shao et al. 2024, arXiv:2402.03300; Lambert et al. 2024, arXiv:2411.15124, section 6",
        )
    else:
        yield Reason(text=f"{facts.prompts:,} prompts{few}")
    if facts.paid:
        yield Reason(text="every response that it writes is judged by a paid model: see `solon plan`, set `max_usd`")
    if not _exact(facts):
        yield Reason(
            text="a learned or judged reward can be gamed: hold a judge out (`held_out_judge`)",
            source="Gao et al. 2022, arXiv:2210.10760",
        )


def _by_reward(facts: Facts) -> Iterator[Advice]:
    """``grpo`` and ``rloo``."""
    if why := _no_reward(facts):
        yield _no("grpo", why)
        yield _no("rloo", why)
        return
    fit: Fit = "good" if _exact(facts) and facts.prompts >= FEW_PROMPTS // 2 else "possible"
    yield Advice(
        trainer="grpo",
        fit=fit,
        reasons=(*_rewarded(facts), Reason(text="several responses a prompt in place of a value network")),
    )
    rloo = Reason(
        text="as good as PPO for a learned reward, at less memory and with fewer settings",
        source="Ahmadian et al. 2024, arXiv:2402.14740",
    )
    yield Advice(trainer="rloo", fit=fit, reasons=(rloo, *_rewarded(facts)))


def _ppo(facts: Facts) -> Advice:
    if why := _no_reward(facts):
        return _no("ppo", why)
    reasons = [
        Reason(
            text="ahead of DPO on the same preferences, by up to 2.5 % in mathematics and 1.2 % in general; it samples "
            "and rewards all that it learns from, and has more settings",
            source="Ivison et al. 2024, arXiv:2406.09279",
        ),
        Reason(
            text="ahead where answers are hard to find, such as programs",
            source="Xu et al. 2024, arXiv:2404.10719",
        ),
        *_rewarded(facts),
    ]
    return Advice(trainer="ppo", fit="good" if facts.encoder_decoder else "possible", reasons=tuple(reasons))


def _selfplay(facts: Facts) -> Advice:
    if not facts.prompts or not facts.judged:
        lacks = "no labeler is named" if facts.prompts else "there are no prompts"
        return _no("selfplay", f"it takes prompts and a labeler to judge each round, and {lacks}")
    reasons = [
        Reason(
            text="pairs of what the policy writes now, round by round: ahead of pairs that were sampled once",
            source="Xiong et al. 2023, arXiv:2312.11456; Tajwar et al. 2024, arXiv:2404.14367",
        ),
        *([Reason(text="every round pays the labeler again")] if facts.paid else []),
    ]
    return Advice(trainer="selfplay", fit="possible", reasons=tuple(reasons))


# ---------------------------------------------------------------- what cannot be told


def _unknown(facts: Facts) -> Iterator[str]:
    yield (
        "how good the labels are, which matters more than the trainer (Ivison et al. 2024, arXiv:2406.09279): look at "
        "the judge's card and at `agreement`"
    )
    if facts.own is None and facts.pairs:
        yield "whether the responses are the policy's own: other models' teach less"
    if not facts.margins and facts.pairs and not facts.judged:
        yield "how clear each preference is: there is no column `label_margin`"
    if facts.model is None:
        yield "which policy will be trained, and so whether it fits this machine: `--model`"
    yield "how much the policy can do already: rewards that it never earns teach nothing"
    yield "what you would mind to lose: measure it (`lm_eval`, `accuracy`, `diversity`) whatever you take"
