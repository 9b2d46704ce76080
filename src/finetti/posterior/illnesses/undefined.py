"""Find draws, or a log density around them, that are no numbers."""

from __future__ import annotations

import numpy as np

from finetti.posterior.evidence import Evidence
from finetti.posterior.finding import Finding, listed


def undefined(run: Evidence) -> Finding | None:
    """Find sites whose draws hold NaN or, with the model, whose log density is NaN nearby."""
    shares = run.witness.undefined() if run.witness else {}
    if shares:
        first = max(shares, key=lambda name: shares[name])
        return Finding(
            "undefined likelihood",
            tuple(shares),
            f"The log density of {listed(shares)} is NaN at {shares[first]:.0%} of the points "
            f"tried within twice the posterior's spread: the sampler turns back there as at a "
            f"wall, so part of the posterior is missing. Look for the log or square root of what "
            f"may be negative, 0/0 and infinity - infinity in its arguments (jnp.where computes "
            f"both branches), and say by the priors which values are allowed.",
        )
    broken = [str(n) for n, v in run.draws.data_vars.items() if np.isnan(v.values).any()]
    if not broken:
        return None
    share = max(float(np.isnan(run.draws[name].values).mean()) for name in broken)
    return Finding(
        "undefined values",
        tuple(broken),
        f"{share:.1%} of the draws of {listed(broken)} are NaN: no mean of theirs can be read. "
        f"Look for the log or square root of what may be negative, or 0/0, in what computes them.",
    )
