"""Read the sampler's own signs of trouble: divergences, long trajectories, slow energy, k-hat."""

from __future__ import annotations

import numpy as np

from finetti.posterior.evidence import BFMI_LIMIT, DEPTH_SHARE, Evidence
from finetti.posterior.finding import Finding, listed

ERRORS = 3.0  # standard errors by which divergent draws lie off the rest, to have a place
FITTED, ACCEPTED = "IndependentMetropolis", 0.15  # of proposals; good mixtures have .7 to .95
PARETO_LIMIT = 0.7  # Vehtari, Simpson, Gelman, Yao & Gabry 2024


def interrupted(run: Evidence) -> Finding | None:
    """Say that a run was stopped before it had all its draws."""
    if "interrupted" not in run.tree.attrs:
        return None
    made, wanted = run.draws.sizes["draw"], int(run.tree.attrs["draws_wanted"])
    return Finding(
        "interrupted",
        (),
        f"The run was interrupted: it has {made:,} of the {wanted:,} draws a chain asked for. What "
        f"it says is as good as so many draws are. For all of them go on with it, by ft.resume or "
        f"finetti resume, if it was written as it was made; else fit again.",
    )


def approximation(run: Evidence) -> Finding | None:
    """Judge an approximation by the Pareto k-hat of its importance ratios."""
    if "log_ratio" not in run.stats:
        return None
    k = float(run.tree.attrs["pareto_k"])
    if k <= PARETO_LIMIT:
        return None
    how = f"Pareto k-hat is {k:.2f}, above {PARETO_LIMIT}"
    if np.isnan(k):
        how = "Pareto k-hat cannot be computed: the draws are too few or their density not finite"
    return Finding(
        "approximation",
        (),
        f"The draws come from an approximation that is not to be trusted here ({how}), and "
        f"weighting them does not mend it. Sample the model itself: ft.fit(model, ft.NUTS()).",
    )


def proposal(run: Evidence) -> Finding | None:
    """Say that hardly a proposal was accepted: the fitted mixture does not fit the posterior."""
    if not str(run.tree.attrs.get("method", "")).startswith(FITTED):
        return None
    rate = float(run.stats["acceptance_rate"].mean())
    if rate >= ACCEPTED:
        return None
    return Finding(
        "proposal",
        (),
        f"{rate:.0%} of the proposals were accepted: the mixture that {FITTED} proposes from does "
        f"not fit this posterior, and the draws say nothing about it. Leave the method out, or "
        f"follow trajectories: ft.fit(model, ft.NUTS()).",
    )


def divergences(run: Evidence) -> Finding | None:
    """Find divergences, and where they lie."""
    diverging = run.diverging
    if not diverging.any():
        return None
    count, total = int(diverging.sum()), diverging.size
    site, side = where(run, diverging)
    place = f", mostly where {site} is {side}" if site else ""
    remedy = _remedy(run, site, side)
    return Finding(
        "divergences",
        (site,) if site else (),
        f"{count} of {total} draws diverged{place}: the sampler could not follow the posterior "
        f"there, so estimates may be biased. {remedy}; or raise target_acceptance (to 0.95 or "
        f"0.99) and see whether they vanish.",
    )


def _remedy(run: Evidence, site: str, side: str) -> str:
    """Say what to do about divergences, by what is known of the scalar near which they lie."""
    if side != "small" or not run.positive(site):
        return "Rescale or reparametrise what bends sharply there"
    if run.witness is None:
        if run.eased:
            return f"If {site} is hardly ever so small, say so by its prior"
        return (
            f"If {site} is the scale of groups' effects whose prior depends on it, that is a "
            f"funnel: write them non-centred, as their location plus {site} times a standard normal"
        )
    below = [n for n, above in run.witness.ancestors.items() if site in above and n in run.scaled]
    if below and run.eased.issuperset(below):
        return (
            f"The plan has made {listed(below)} easy to sample already: if {site} is hardly ever "
            f"so small, say so by its prior"
        )
    written = [n for n in below if n not in run.eased]
    if written:
        return (
            f"If {site} is the scale of {listed(written)}, that is the usual funnel: write it "
            f"non-centred (theta = mu + tau * eta with eta ~ Normal(0, 1))"
        )
    return f"If {site} is hardly ever so small, say so by its prior"


def where(run: Evidence, diverging: np.ndarray) -> tuple[str, str]:
    """Find the scalar site whose divergent draws lie furthest from the rest, by mean rank.

    There is none where chance could place as few of them as far.
    """
    chance = ERRORS / np.sqrt(12 * max(diverging.sum(), 1))  # of a mean of uniform ranks
    best, site, side = 0.15, "", ""
    for name, values in run.draws.data_vars.items():
        if values.ndim != 2:
            continue
        ranks = values.values.ravel().argsort().argsort() / values.size
        shift = ranks[diverging.ravel()].mean() - 0.5
        if abs(shift) <= chance:
            continue
        # scales are where funnels have their neck: prefer a positive site
        weight = 1.5 if float(values.min()) > 0 else 1.0
        if abs(shift) * weight > best:
            best, site = abs(shift) * weight, str(name)
            side = "small" if shift < 0 else "large"
    return site, side


def depth(run: Evidence) -> Finding | None:
    """Find trajectories cut short at the maximal tree depth."""
    if run.capped < DEPTH_SHARE:
        return None
    return Finding(
        "tree depth",
        (),
        f"{run.capped:.0%} of trajectories reached the maximal tree depth: sampling is slow, "
        f"though not biased. Rescale badly scaled predictors, use metric=Dense() for strong "
        f"correlations, or raise max_depth.",
    )


def energy(run: Evidence) -> Finding | None:
    """Find an energy that changes slowly between draws."""
    if not run.energy < BFMI_LIMIT:
        return None
    return Finding(
        "energy",
        (),
        f"The energy changes slowly between draws (E-BFMI {run.energy:.2f}, below {BFMI_LIMIT}): "
        f"the tails are explored poorly. Look for heavy-tailed priors or a funnel, and "
        f"reparametrise.",
    )
