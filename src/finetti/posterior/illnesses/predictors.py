"""Find predictors that are collinear, far from zero, or on scales that steps cannot match."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from finetti.posterior.evidence import Evidence
from finetti.posterior.finding import Finding, listed

CONDITION = 30.0  # Belsley, Kuh & Welsch 1980, section 3.2
PROPORTION = 0.5  # of a coefficient's variance in one direction, the same
TOLD_APART = 0.95  # correlation of two coefficients' draws, beyond which collinearity is felt
SCALE = 1000.0  # times larger or smaller than one
CONSTANT = "the constant"


def columns(run: Evidence, rows: int) -> dict[str, np.ndarray]:
    """Return the numeric columns the model was called with, as long as the observed data.

    Columns of labels, and those that are the same everywhere, are left out.
    """
    data, found = run.data("constant"), {}
    labels = [set(np.asarray(c).tolist()) for c in run.tree["posterior"].dataset.coords.values()]
    for name, values in data.data_vars.items():
        a = values.values
        if a.ndim not in (1, 2) or len(a) != rows or a.dtype.kind not in "biuf":
            continue
        if a.dtype.kind in "iu" and a.ndim == 1 and set(a.tolist()) in labels:
            continue
        for i, column in enumerate(np.atleast_2d(a.T).astype(float)):
            if np.isfinite(column).all() and column.std() > 0:
                found[f"{name}[{i}]" if a.ndim == 2 else str(name)] = column
    return found


def predictors(run: Evidence) -> Finding | None:
    """Find predictors that make their coefficients hard to tell apart or to sample."""
    lengths = {v.shape[0] for v in run.data("observed").data_vars.values() if v.ndim}
    for rows in lengths:
        found = columns(run, rows)
        if found and rows >= 3 and len(found) < min(rows, 200):
            named = _collinear(run, found) or _scaled(run, found)
            if named:
                return named
    return None


def _collinear(run: Evidence, found: dict[str, np.ndarray]) -> Finding | None:
    """Find columns that nearly add up to nothing, where the draws of two scalars show it."""
    pair = _tied(run)
    if pair is None:
        return None
    index, names = _dependence({n: (c - c.mean()) for n, c in found.items()})
    if index <= CONDITION or len(names) < 2:
        return None
    return Finding(
        "collinear predictors",
        pair,
        f"{listed(names)} are collinear (condition index {index:.0f}, above {CONDITION:.0f}): one "
        f"is nearly a linear function of the others, so {pair[0]} and {pair[1]} are known together "
        f"and not one by one. Leave one out, combine them, or give their coefficients priors that "
        f"pull together; the predictions need no change.",
    )


def _scaled(run: Evidence, found: dict[str, np.ndarray]) -> Finding | None:
    """Find columns far from zero or from one in size, where the sampler had trouble."""
    if not (run.unwell or run.labours):
        return None
    index, names = _dependence({CONSTANT: np.ones(len(next(iter(found.values())))), **found})
    far = [n for n in names if n != CONSTANT] if index > CONDITION and CONSTANT in names else []
    sized = [n for n, c in found.items() if not 1 / SCALE < np.abs(c).max() < SCALE]
    wrong = list(dict.fromkeys([*far, *sized]))
    if not wrong:
        return None
    how = "lie far from zero beside their spread" if far else "are far from one in size"
    return Finding(
        "badly scaled predictors",
        tuple(wrong),
        f"The predictors {listed(wrong)} {how}: the steps that suit one coefficient are far too "
        f"large or too small for another, and chains start and move badly. Standardise them, "
        f"(x - x.mean()) / x.std(), and read the coefficients per standard deviation.",
    )


def _dependence(found: dict[str, np.ndarray]) -> tuple[float, list[str]]:
    """Return the largest condition index of some columns, and which take part in it."""
    names = list(found)
    x = np.stack([found[n] / np.linalg.norm(found[n]) for n in names], 1)
    _, sizes, v = np.linalg.svd(x, full_matrices=False)
    if len(sizes) < 2:
        return 1.0, []
    shares = (v / np.maximum(sizes, 1e-300)[:, None]) ** 2
    shares /= shares.sum(0)
    index = sizes[0] / max(sizes[-1], 1e-300)
    return float(index), [n for n, s in zip(names, shares[-1], strict=True) if s > PROPORTION]


def _tied(run: Evidence) -> tuple[str, str] | None:
    """Return the two scalars whose draws are correlated most, beyond the limit."""
    names = list(run.scalars)[:100]
    best, pair = TOLD_APART, None
    if len(names) < 2:
        return None
    tie = np.abs(np.corrcoef(np.stack([run.scalars[n].ravel() for n in names])))
    for i, j in combinations(range(len(names)), 2):
        if tie[i, j] > best:
            best, pair = tie[i, j], (names[i], names[j])
    return pair
