"""Find priors in whose far tail the data have put the posterior."""

from __future__ import annotations

import numpy as np

from finetti.posterior.evidence import Evidence, label
from finetti.posterior.finding import Finding, listed

SURPRISE = 0.001  # of the prior, so one healthy scalar in a thousand is named wrongly at most
TIED = 1e-4  # of log densities and of 1: what rounding, in single precision too, may make of a tie


def conflict(run: Evidence) -> Finding | None:
    """Find top-level variables whose posterior lies where their prior has a thousandth of its mass.

    It compares the prior's density at the posterior draws, by its median, with its density at
    draws from the prior (Box 1980). Densities equal but for rounding, as all of a flat prior are,
    contradict nothing. Needs the model.
    """
    found: list[str] = []
    for name, prior in (run.witness.priors if run.witness else {}).items():
        middle = np.median(prior.at_posterior, 0)
        share = (prior.log_density <= middle + TIED * (1 + np.abs(middle))).mean(0)
        values = run.draws[name]
        for index in np.argwhere(share <= SURPRISE):
            whole = middle.ndim == values.ndim - 2
            found.append(label(values, name, tuple(index)) if whole else name)
    if not found:
        return None
    return Finding(
        "prior-data conflict",
        tuple(found),
        f"The data put {listed(found)} where the prior has no more than {SURPRISE:.1%} of its "
        f"mass: prior and data contradict each other, and the posterior is a compromise of the "
        f"two. Check the data's units and the prior's scale; if the data are right, widen the "
        f"prior.",
    )
