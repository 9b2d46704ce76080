"""Find chains that stand still, disagree, or have made too few effective draws."""

from __future__ import annotations

import numpy as np

from finetti.posterior import diagnose
from finetti.posterior.evidence import RHAT_LIMIT, Evidence
from finetti.posterior.finding import Finding, listed

TAIL = 25  # effective draws beyond a quantile: its tail probability is then known within a fifth


def stuck(run: Evidence) -> Finding | None:
    """Find chains in which a site stands still that moves or differs in others, or all do."""
    if run.draws.sizes["draw"] < 2:
        return None
    flat = {str(n): v.values.reshape(*v.shape[:2], -1) for n, v in run.draws.data_vars.items()}
    still = {name: (x == x[:, :1]).all((1, 2)) for name, x in flat.items()}
    constants = {name for name, x in flat.items() if (x == x[:1, :1]).all()}
    if constants == set(flat):  # nothing moved at all
        constants = set()
    stuck = {name: rows for name, rows in still.items() if rows.any() and name not in constants}
    if not stuck:
        return None
    chains = np.flatnonzero(np.any(list(stuck.values()), axis=0)).tolist()
    return Finding(
        "stuck chains",
        tuple(stuck),
        f"Chain {listed(chains)} never moved in {listed(stuck)}: its draws are one point. "
        f"Fit again with another seed, or give init= values inside the bulk of the posterior.",
    )


def disagreeing(run: Evidence) -> Finding | None:
    """Find scalars whose R-hat is high."""
    table = run.table
    bad = table.index[table["r_hat"].to_numpy(float) > RHAT_LIMIT]
    if not len(bad):
        return None
    worst = float(table.loc[bad, "r_hat"].astype(float).max())
    return Finding(
        "chains disagree",
        tuple(bad),
        f"R-hat is up to {worst:.3f} (above {RHAT_LIMIT}) for {listed(bad)}: the chains have "
        f"not mixed. Run longer (more warmup and draws); if it stays, look at the trace for "
        f"chains in different places, and for parameters the data cannot tell apart.",
    )


def few(run: Evidence) -> Finding | None:
    """Find scalars with too few effective draws."""
    table, need = run.table, run.least_ess
    ess = np.minimum(table["ess_bulk"].to_numpy(float), table["ess_tail"].to_numpy(float))
    bad = table.index[ess < need]
    if not len(bad):
        return None
    least = ess[ess < need].min()  # that of a constant is no number
    factor = int(np.ceil(need / max(least, 1.0)))
    return Finding(
        "too few effective draws",
        tuple(bad),
        f"The effective sample size is down to {least:.0f} (below {need}) for "
        f"{listed(bad)}: means and intervals are noisy. Take about {factor} times the draws, "
        f"or reparametrise so that the chains mix faster.",
    )


def few_beyond(run: Evidence, quantiles: tuple[float, ...]) -> Finding | None:
    """Find quantiles asked for with too few effective draws beyond them."""
    worst, where = np.inf, (0.0, "")
    sites: dict[str, None] = {}
    for q in quantiles:
        for name, draws in run.scalars.items():
            beyond = diagnose.quantile_ess(draws, q) * min(q, 1 - q)
            if beyond < TAIL:
                sites[name] = None
            if beyond < worst:
                worst, where = beyond, (q, name)
    if not sites:
        return None
    q, name = where
    return Finding(
        "too few draws for a quantile",
        tuple(sites),
        f"Only about {worst:.1f} effective draws lie beyond the {q:g} quantile of {name} (at "
        f"least {TAIL} are needed to know its tail probability within a fifth). Take "
        f"{int(np.ceil(TAIL / max(worst, 0.1)))} times the draws, as ft.NUTS(draws=...), or ask "
        f"for a quantile nearer the middle.",
    )
