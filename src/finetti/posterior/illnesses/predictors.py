"""Find predictors that are collinear, far from zero, or on scales that steps cannot match."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from finetti.posterior.evidence import Evidence
from finetti.posterior.finding import Finding, listed
from finetti.posterior.products import slices

CONDITION = 30.0  # Belsley, Kuh & Welsch 1980, section 3.2
PROPORTION = 0.5  # of a coefficient's variance in one direction, the same
TOLD_APART = 0.95  # correlation of two coefficients' draws, beyond which collinearity is felt
SCALE = 1000.0  # times larger or smaller than one
CONSTANT = "the constant"


def columns(run: Evidence, rows: int) -> dict[str, np.ndarray]:
    """Return the numeric columns the model was called with, as long as the observed data.

    Columns of labels, those that are the same everywhere, and outcomes are left out. With the model
    they are those that it multiplies with coefficients, standardised where it does so.
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
            if np.isfinite(column).all() and column.std() > 0 and not _outcome(run, column):
                found[f"{name}[{i}]" if a.ndim == 2 else str(name)] = column
    if run.witness is None:
        return found
    used = [c for a in run.witness.predictors for c in slices(a, rows)]
    seen = {n: next((u for u in used if _same(u, c)), None) for n, c in found.items()}
    return {name: column for name, column in seen.items() if column is not None}


def _outcome(run: Evidence, column: np.ndarray) -> bool:
    """Tell whether a column is an observed variable, or tells each of its values by another.

    With the model it is enough to tell a linear function of one.
    """
    for v in run.data("observed").data_vars.values():
        for seen in slices(v.values, len(column)) if v.dtype.kind in "biuf" else ():
            if not np.isfinite(seen).all() or seen.std() == 0:
                continue
            if _same(seen, column) or (run.witness is None and _tells(seen, column)):
                return True
    return False


def _tells(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether a column of three values or more is another, its logarithm or the like."""
    first, second = (np.unique(x, return_inverse=True)[1].ravel() for x in (one, other))
    same = (first == second).all() or (first == second.max() - second).all()
    return bool(same and first.max() > 1)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether a column is a linear function of another."""
    one, other = one - one.mean(), other - other.mean()
    sizes = np.linalg.norm(one) * np.linalg.norm(other)
    return bool(sizes > 0 and abs(one @ other) > (1 - 1e-10) * sizes)


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
        f"is nearly a linear function of the others, and {pair[0]} and {pair[1]} are known "
        f"together far better than one by one. Leave one out, combine them, or give their "
        f"coefficients priors that pull together; predictions within the data need no change.",
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
    said = [f"{listed(far)} far from zero beside their spread"] if far else []
    others = [n for n in sized if n not in far]
    said += [f"{listed(others)} far from one in size"] if others else []
    unless = "" if run.witness else ", unless the model does"
    return Finding(
        "badly scaled predictors",
        tuple(wrong),
        f"Predictors lie where steps do not match ({'; '.join(said)}): the step that suits one "
        f"coefficient may be far too large or too small for another, and chains start and move "
        f"badly. Standardise them, (x - x.mean()) / x.std(){unless}, and read the coefficients per "
        f"standard deviation.",
    )


def _dependence(found: dict[str, np.ndarray]) -> tuple[float, list[str]]:
    """Return the largest condition index of some columns, and which take part in it."""
    names = list(found)
    x = np.stack([found[n] / np.linalg.norm(found[n]) for n in names], 1)
    _, sizes, v = np.linalg.svd(x, full_matrices=False)
    if len(sizes) < 2:
        return 1.0, []
    # The variance of a coefficient is a sum over directions, of v^2 / size^2 each (section 3.2).
    shares = (v / np.maximum(sizes, 1e-300)[:, None]) ** 2
    shares /= shares.sum(0)
    index = sizes[0] / max(sizes[-1], 1e-300)
    return float(index), [n for n, s in zip(names, shares[-1], strict=True) if s > PROPORTION]


def _tied(run: Evidence) -> tuple[str, str] | None:
    """Return the two scalars whose draws are correlated most, beyond the limit."""
    names = [n for n in run.scalars if not run.tied(run.site(n))][:100]
    best, pair = TOLD_APART, None
    if len(names) < 2:
        return None
    tie = np.abs(np.corrcoef(np.stack([run.scalars[n].ravel() for n in names])))
    for i, j in combinations(range(len(names)), 2):
        if tie[i, j] > best:
            best, pair = tie[i, j], (names[i], names[j])
    return pair
