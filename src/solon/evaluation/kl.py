"""How far the trained policy has moved from the untrained one."""

from __future__ import annotations

import math
from typing import ClassVar

from solon.data.records import Metric
from solon.errors import DataError
from solon.evaluation.base import Evaluator, Evidence
from solon.evaluation.paired import metric, pairs_of
from solon.statistics.estimates import mean_t


class KL(Evaluator):
    """KL(after || before), in nats a completion: the mean of log p_after - log p_before over the trained policy's own.

    A Monte-Carlo estimate without bias when the completions were drawn at temperature 1; it can be slightly below 0
    by chance. ``method`` says so when they were drawn otherwise, or cut off.
    """

    kind: ClassVar[str] = "kl"

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """One metric, ``kl`` of the pair.

        Raises:
            DataError: the weights of the policies are not at hand, or no completion could be scored.
        """
        if evidence.log_probs is None:
            raise DataError(
                "kl needs the log-probabilities of both policies, and the weights of one are not at hand: "
                "take kl out of `evaluate`"
            )
        pairs = pairs_of(evidence, "sample", "kl")
        drawn = tuple((pair.prompt, pair.after) for pair in pairs)
        after, before = evidence.log_probs("after", drawn), evidence.log_probs("before", drawn)
        differences = [later - earlier for later, earlier in zip(after, before, strict=True)]
        finite = [difference for difference in differences if math.isfinite(difference)]
        told = [one if math.isfinite(one) else None for one in differences]
        evidence.each("kl", [(pair.prompt.id, (None, one)) for pair, one in zip(pairs, told, strict=True)])
        if not finite:
            raise DataError("kl: no completion has a finite log-probability under both policies")
        failed = len(differences) - len(finite)
        temperatures = sorted({pair.after.temperature for pair in pairs} - {1.0})
        cut_off = sum(pair.after.stop == "length" for pair in pairs)
        notes = ["KL(after || before), Monte Carlo"]
        if temperatures:
            notes.append(f"biased: drawn at temperature {', '.join(f'{one:g}' for one in temperatures)}")
        if any(pair.after.top_p < 1 for pair in pairs):
            notes.append("biased: drawn with top_p below 1")
        if cut_off:
            notes.append(f"{cut_off} cut off")
        return [metric("kl", "pair", mean_t(finite), len(finite), failed=failed, unit="nats", note="; ".join(notes))]
