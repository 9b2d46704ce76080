"""Find chains that stand still, disagree, or have made too few effective draws."""

from __future__ import annotations

import numpy as np

from finetti.posterior import diagnose
from finetti.posterior.evidence import Evidence
from finetti.posterior.finding import Finding, listed, visible
from finetti.posterior.lost import lost

TAIL = 25  # effective draws beyond a quantile: its tail probability is then known within a fifth


def stuck(run: Evidence) -> Finding | None:
    """Find chains that stand still where others move or differ, or are lost far below the others.

    Sites of whole numbers, which may well have one value, count only where there are no others.
    """
    if run.draws.sizes["draw"] < 2:
        return None
    flat = {str(n): v.values.reshape(*v.shape[:2], -1) for n, v in run.draws.data_vars.items()}
    moving = {name: x for name, x in flat.items() if not (x == x[:1, :1]).all()}
    smooth = {name: x for name, x in moving.items() if not (x == np.round(x)).all()}
    flat = smooth or moving or flat  # the last where nothing moved at all
    still = {name: (x == x[:, :1]).all((1, 2)) for name, x in flat.items()}
    below = _below(run)
    bad = {
        chain: sites
        for chain, far in enumerate(below)
        if (sites := tuple(name for name, rows in still.items() if rows[chain])) or far
    }
    if not bad:
        return None
    said = []
    for sites in dict.fromkeys(bad.values()):
        chains = [chain for chain, found in bad.items() if found == sites]
        if sites:
            said.append(
                f"Chain {listed(chains)} never moved in {listed(sites)}: its draws are one point."
            )
    far = [chain for chain in bad if below[chain]]
    if far:
        said.append(
            f"Chain {listed(far)} is lost where the log density is lower than another chain's by up"
            f" to {max(below):.2g}, and counts for nothing beside it."
        )
    sites = tuple(dict.fromkeys(name for found in bad.values() for name in found or tuple(flat)))
    return Finding(
        "stuck chains",
        sites,
        f"{' '.join(said)} Fit again with another seed, or give init= values inside the bulk of "
        f"the posterior.",
    )


def _below(run: Evidence) -> list[float]:
    """Return by how much each chain's log density lies below the best chain's, 0 if not far."""
    chains = run.draws.sizes["chain"]
    if "lp" not in run.stats or chains < 2:
        return [0.0] * chains
    middle = np.median(run.stats["lp"].values, 1)
    dim = sum(v.size for v in run.draws.data_vars.values()) // run.stats["lp"].size
    far = lost(middle, middle.max(), dim)
    return np.where(far, middle.max() - middle, 0.0).tolist()


def disagreeing(run: Evidence) -> Finding | None:
    """Find scalars whose R-hat is high."""
    table = run.table
    bad = table.index[table["r_hat"].to_numpy(float) > run.rhat_limit]
    if not len(bad):
        return None
    worst = float(table.loc[bad, "r_hat"].astype(float).max())
    bad = visible(bad)
    return Finding(
        "chains disagree",
        tuple(bad),
        f"R-hat is up to {worst:.3f} (above {run.rhat_limit:.3g}) for {listed(bad)}: the chains "
        f"have not mixed. Run longer (more warmup and draws); if it stays, look at the trace for "
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
    bad = visible(bad)
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
        effective = diagnose.each_quantile_ess(list(run.scalars.values()), q)
        for name, among in zip(run.scalars, effective, strict=True):
            beyond = among * min(q, 1 - q)
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
