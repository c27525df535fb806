"""Estimates from items that come several from a cluster, such as the comparisons of one prompt, with 95 % intervals.

Items of one cluster are alike, so a hundred of them in ten clusters tell less than a hundred on their own: here it is
clusters that are drawn. Needs numpy and scipy for the coefficients, and nothing for shares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from solon.statistics.estimates import Estimate, wilson
from solon.statistics.spread import bootstrapped

Table = Mapping[tuple[str, str], int]
"""How many items of a cluster got which two ratings, of two raters."""


def clustered_share(clusters: Sequence[tuple[int, int]]) -> Estimate:
    """A share of items, with Wilson's interval of as many independent items as would tell as much.

    That number is the items' over the design effect (Rao and Scott 1992, Biometrics 48:577), which is taken to be 1 at
    least. Where all or no items count, nothing can be seen of it, and each cluster is one item.

    Args:
        clusters: of each, how many of its items count, and how many it has.
    """
    told = [(counted, items) for counted, items in clusters if items]
    successes, n = sum(counted for counted, _ in told), sum(items for _, items in told)
    plain = wilson(successes, n)
    if len(told) == n or not told:
        return plain
    share, clusters_told = plain.value, len(told)
    if successes in (0, n) or clusters_told == 1:
        independent = float(clusters_told)
    else:
        squares = math.fsum((counted - share * items) ** 2 for counted, items in told)
        variance = squares * clusters_told / (clusters_told - 1) / n**2
        independent = min(float(n), share * (1 - share) / variance) if variance else float(n)
    found = wilson(share * independent, independent)
    return Estimate(share, found.low, found.high, f"Wilson, {clusters_told} clusters")


def coefficients(clusters: Sequence[Table], *, resamples: int = 1_999) -> dict[str, Estimate]:
    """Cohen's ``kappa``, Krippendorff's ``alpha`` (nominal) and Gwet's ``ac1`` of two raters, each at most 1.

    ``solon.statistics.agreement`` says what each is. Clusters are resampled whole (percentile bootstrap); a coefficient
    that is not defined, because nothing varies, is left out.

    Args:
        clusters: of each, the table of its items, all of them rated by both.
        resamples: how many.

    Raises:
        MissingExtra: scipy is not installed.
    """
    categories = list(dict.fromkeys(rating for table in clusters for pair in table for rating in pair))
    cells = [(one, other) for one in categories for other in categories]
    told = [table for table in clusters if table]
    if len(categories) < 2 or not told:
        return {}
    columns = [[float(table.get(cell, 0)) for table in told] for cell in cells]
    found = {}
    for name, coefficient in (("kappa", _kappa), ("alpha", _alpha), ("ac1", _ac1)):

        def statistic(*counts: Any, axis: int, coefficient: Any = coefficient) -> Any:
            return coefficient(_tables(counts, axis, len(categories)))

        estimate = bootstrapped(columns, statistic, method="percentile", resamples=resamples)
        if math.isfinite(estimate.value):
            found[name] = Estimate(estimate.value, estimate.low, estimate.high, f"{estimate.method} of clusters")
    return found


def _tables(counts: Sequence[Any], axis: int, categories: int) -> Any:
    """The tables of all clusters together, shape (..., categories, categories)."""
    import numpy as np

    cells = np.stack([np.sum(cell, axis=axis) for cell in counts], axis=-1)
    return cells.reshape(*cells.shape[:-1], categories, categories)


def _kappa(tables: Any) -> Any:
    import numpy as np

    n = tables.sum((-1, -2))
    agreed = np.trace(tables, axis1=-2, axis2=-1)
    chance = (tables.sum(-1) * tables.sum(-2)).sum(-1)
    return _over(n * agreed - chance, n * n - chance)


def _alpha(tables: Any) -> Any:
    import numpy as np

    given = tables.sum(-1) + tables.sum(-2)
    n = given.sum(-1)
    differ = n - 2 * np.trace(tables, axis1=-2, axis2=-1)
    return 1 - _over((n - 1) * differ, n * n - (given**2).sum(-1))


def _ac1(tables: Any) -> Any:
    import numpy as np

    n = tables.sum((-1, -2))
    raw = _over(np.trace(tables, axis1=-2, axis2=-1), n)
    shares = (tables.sum(-1) + tables.sum(-2)) / (2 * n[..., None])
    chance = (shares * (1 - shares)).sum(-1) / (tables.shape[-1] - 1)
    return _over(raw - chance, 1 - chance)


def _over(one: Any, other: Any) -> Any:
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(one, other)
