"""Find heavy tails, in which a mean may not exist, and scales that seek zero."""

from __future__ import annotations

import numpy as np

from finetti.posterior import diagnose
from finetti.posterior.evidence import Evidence
from finetti.posterior.finding import Finding, listed

PARETO_LIMIT = 0.7  # above it means converge too slowly to be read (Vehtari et al. 2024)
WANDERS = 1.05  # R-hat
# k-hat of 1/x: the density at zero grows as x^(1/k - 1). It is 1 where that density is finite, with
# a standard error of about 0.15 from 4000 draws: five of them, since many scales are looked at.
SEEKS = 1.75


def heavy_tails(run: Evidence) -> Finding | None:
    """Find scalars whose mean cannot be read off the draws: Pareto k-hat of a tail above 0.7."""
    found = {}
    # A chain that is stuck for a while makes a tail of its own.
    steady = {name: x for name, x in run.scalars.items() if not run.rhat(name) > WANDERS}
    worth = diagnose.each_ess(list(steady.values()))
    for (name, draws), effective in zip(steady.items(), worth, strict=True):
        tails = [diagnose.tail_k(draws, tail, effective) for tail in ("left", "right")]
        if max(tails) > PARETO_LIMIT:
            found[name] = max(tails)
    if not found:
        return None
    worst = max(found, key=lambda n: found[n])
    return Finding(
        "heavy tails",
        tuple(found),
        f"The tails of {listed(found)} are so heavy that their means may not exist (Pareto k-hat "
        f"{found[worst]:.2f} for {worst}, above {PARETO_LIMIT}): the mean, the standard deviation "
        f"and their errors are not to be read. Report medians and quantiles, or say what is "
        f"plausible by a prior with a lighter tail, such as ft.Normal or ft.HalfNormal for a "
        f"Cauchy.",
    )


def boundary(run: Evidence) -> Finding | None:
    """Find positive scalars whose density grows without bound towards zero.

    The Pareto k of 1/x is above 1 there, by the fit to its tail or by the median over the 0.01
    quantile, which is 50^k and which chains that have not mixed show as well. A scale smaller than
    the rounding of the observed data has collapsed to zero already.
    """
    found, digits = {}, _rounding(run)
    for name, draws in run.scalars.items():
        site = run.site(name)
        if run.positive(site) and (draws > 0).all():
            low, middle = np.quantile(draws, [0.01, 0.5])
            spans = float(np.log(middle / low) / np.log(50))  # k, of a power law
            k = max(spans, diagnose.tail_k(1 / draws.clip(1e-300), "right"))  # which may be NaN
            if k > SEEKS:
                found[name] = f"the Pareto k of its inverse is about {k:.1f}, above {SEEKS}"
            elif np.median(draws) < digits:
                found[name] = f"at {np.median(draws):.2g} it is below the rounding of the data"
    if not found:
        return None
    first, how = next(iter(found.items()))
    return Finding(
        "boundary-seeking scale",
        tuple(found),
        f"{listed(found)} seek zero, where their density grows without bound (for {first}, {how}): "
        f"the prior piles up at zero, as ft.Gamma(0.01, 0.01) and wide ft.LogNormal do, or the "
        f"model fits some data exactly. Take a prior that is flat at zero, such as ft.HalfNormal, "
        f"or one that keeps away from it, such as ft.Gamma(2, ...) (Gelman 2006), and look for "
        f"rows that are repeated.",
    )


def _rounding(run: Evidence) -> float:
    """Return how finely the observed data are told apart; 0 where there are none."""
    values = [v.values for v in run.data("observed").data_vars.values()]
    largest = [float(np.nanmax(np.abs(v))) for v in values if v.size and v.dtype.kind == "f"]
    return max(largest, default=0.0) * float(np.finfo(float).eps)
