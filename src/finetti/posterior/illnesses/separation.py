"""Find predictors that separate the yeses from the noes, so that a logistic model has no mode."""

from __future__ import annotations

import numpy as np

from finetti.posterior.evaluate import log_likelihood
from finetti.posterior.evidence import Evidence
from finetti.posterior.finding import Finding, listed
from finetti.posterior.illnesses.predictors import columns

# On the scale of logits: three standard deviations of a predictor times the 0.995 quantile of a
# coefficient's prior Normal(0, 2.5), the scale of Gelman et al. 2008. A prior that wide holds.
PINNED = 20.0
LARGEST = 1_000_000  # numbers in the table of predictors


def separation(run: Evidence) -> Finding | None:
    """Find observed 0s and 1s that a linear function of the predictors separates.

    That is so where a linear program has a solution (Konis 2007). It is an illness only where the
    prior lets the coefficients go so far that fitted probabilities are 0 or 1 to eight decimals:
    the model's log likelihood says so or, without the model, a scalar times the reach of a
    predictor.
    """
    for name, values in run.data("observed").data_vars.items():
        known = (
            ~np.isnan(values.values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
        )
        y = values.values[known]
        if values.ndim != 1 or len(y) < 4 or not np.isin(y, (0, 1)).all() or y.min() == y.max():
            continue
        if not _yes_or_no(run, str(name)):
            continue
        found = {n: c[known] for n, c in columns(run, len(known)).items() if c[known].std() > 0}
        if not found or len(found) * len(y) > LARGEST:
            continue
        names = separating(np.where(y > 0, 1.0, -1.0), found)
        if names and _pinned(run, str(name), found, known):
            what = f"{listed(names)} separate" if names[1:] else f"{names[0]} separates"
            return Finding(
                "separation",
                (str(name),),
                f"{what} the 0s and 1s of {name} (some of them, or all): the likelihood grows for "
                f"ever with the coefficients, and only the prior stops them, so their size means "
                f"little and fitted probabilities are 0 or 1. Give the coefficients of "
                f"standardised predictors a prior such as ft.Normal(0, 2.5), or leave out or "
                f"merge what separates.",
            )
    return None


def _yes_or_no(run: Evidence, name: str) -> bool:
    """Tell whether a site tells yes from no, or counts successes, as far as is known."""
    if run.model is None:
        return True
    tells = {v.name.replace("/", "."): v.known.tells for v in run.model.variables}
    return tells.get(name) in ("yes or no", "successes")


def separating(signs: np.ndarray, found: dict[str, np.ndarray]) -> list[str]:
    """Name the columns of a linear function that is never on the wrong side of zero.

    Its side is the sign of each row, and it is zero in rows whose sign is 0. Columns vary.
    """
    from scipy.optimize import linprog

    x = np.stack([(c - c.mean()) / c.std() for c in found.values()], 1)
    whole, ends = np.column_stack([np.ones(len(x)), x]), signs != 0
    if not ends.any():
        return []
    signed = signs[ends, None] * whole[ends]
    flat = (whole[~ends], np.zeros((~ends).sum())) if not ends.all() else (None, None)
    # On no row's wrong side, and on the right one as far as bounds let it: 0 if nothing separates.
    solved = linprog(
        -signed.sum(0), -signed, np.zeros(len(signed)), *flat, bounds=(-1, 1), method="highs"
    )
    if solved.status != 0 or -solved.fun < 1e-6:
        return []
    return [n for n, b in zip(found, solved.x[1:], strict=True) if abs(b) > 1e-6]


def _pinned(run: Evidence, name: str, found: dict[str, np.ndarray], known: np.ndarray) -> bool:
    """Tell whether half of the draws put some probability within e^-20 of 0 or 1."""
    if run.model is None or run.witness is None or not run.witness.values:
        reaches = [np.abs(c - c.mean()).max() for c in found.values()]
        sizes = [np.quantile(np.abs(x), 0.9) for x in run.scalars.values()]
        return bool(sizes and max(sizes) * min(reaches) > PINNED)
    likely = log_likelihood(run.model, run.tree)[name].values[..., known]
    surest = likely.max(axis=tuple(range(2, likely.ndim)))  # log p of the surest row, by draw
    return bool(np.median(surest) > -np.exp(-PINNED))
