"""Say in sentences what is wrong with a run, at which sites, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finetti.posterior import diagnose, mode

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

RHAT_LIMIT = 1.01  # Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021
ESS_PER_CHAIN = 100  # the same, section 4
BFMI_LIMIT = 0.3
PARETO_LIMIT = 0.7  # Vehtari, Simpson, Gelman, Yao & Gabry 2024
NAMED_AT_MOST = 4


@dataclass(frozen=True)
class Finding:
    """Hold one problem: its name, the sites it concerns, and a sentence with the remedy."""

    problem: str
    sites: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Advice:
    """Hold the findings, worst first; print it to read them."""

    findings: tuple[Finding, ...]
    fine: str = "No warnings: R-hat, effective sample sizes, divergences and energy look fine."

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        if not self.findings:
            return self.fine
        return "\n".join(f"- {f.sentence}" for f in self.findings)


def advise(tree: xr.DataTree) -> Advice:
    """Look at a run's draws and sampler statistics for signs of trouble."""
    stats = tree["sample_stats"].dataset
    if mode.is_mode(tree):
        found = _starts(tree)
        return Advice((found,) if found else (), "No warnings: every start reached this mode.")
    table = diagnose.summary(tree)
    found = [
        _approximation(tree, stats),
        _stuck(tree),
        _divergences(tree, stats),
        _rhat(table),
        _ess(table, tree["posterior"].sizes["chain"]),
        _depth(stats),
        _energy(stats),
    ]
    return Advice(tuple(f for f in found if f is not None))


def _approximation(tree: xr.DataTree, stats: xr.Dataset) -> Finding | None:
    """Judge an approximation by the Pareto k-hat of its importance ratios."""
    if "log_ratio" not in stats:
        return None
    k = float(tree.attrs["pareto_k"])
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


def _starts(tree: xr.DataTree) -> Finding | None:
    """Say whether searches for the mode ended in different places."""
    starts, agreed = int(tree.attrs["starts"]), int(tree.attrs["starts_that_agree"])
    lost = int(tree.attrs["starts_that_ran_away"])
    if agreed == starts:
        return None
    others = starts - agreed - lost
    where = [f"{others} on lower modes"] if others else []
    where += [f"{lost} ran away where the density has no top"] if lost else []
    return Finding(
        "several modes",
        (),
        f"Of {starts} starts {agreed} reached this mode ({' and '.join(where)}): it may not stand "
        f"for the posterior. Try more starts, MAP(starts=20); take the groups' effects out by "
        f"plan=model.plan(); or sample by ft.NUTS().",
    )


def _stuck(tree: xr.DataTree) -> Finding | None:
    """Find chains in which a site stands still that moves or differs in others, or all do."""
    draws = tree["posterior"].dataset
    if draws.sizes["draw"] < 2:
        return None
    flat = {str(n): v.values.reshape(*v.shape[:2], -1) for n, v in draws.data_vars.items()}
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
        f"Chain {_listed(chains)} never moved in {_listed(stuck)}: its draws are one point. "
        f"Fit again with another seed, or give init= values inside the bulk of the posterior.",
    )


def _divergences(tree: xr.DataTree, stats: xr.Dataset) -> Finding | None:
    if "diverging" not in stats or not stats["diverging"].any():
        return None
    diverging = stats["diverging"].values
    count, total = int(diverging.sum()), diverging.size
    site, side = _where(tree, diverging)
    place = f", mostly where {site} is {side}" if site else ""
    if site and side == "small":
        remedy = (
            "the usual funnel of a scale near zero: write the group effects non-centred "
            "(theta = mu + tau * eta with eta ~ Normal(0, 1))"
        )
    else:
        remedy = "the posterior bends sharply there: rescale or reparametrise what depends on it"
    return Finding(
        "divergences",
        (site,) if site else (),
        f"{count} of {total} draws diverged{place}: the sampler could not follow the posterior "
        f"there, so estimates may be biased. {remedy[0].upper()}{remedy[1:]}; or raise "
        f"target_acceptance to 0.95 or 0.99 and see whether they vanish.",
    )


def _where(tree: xr.DataTree, diverging: np.ndarray) -> tuple[str, str]:
    """Find the scalar site whose divergent draws lie furthest from the rest, by mean rank."""
    best, site, side = 0.15, "", ""
    for name, values in tree["posterior"].dataset.data_vars.items():
        if values.ndim != 2:
            continue
        ranks = values.values.ravel().argsort().argsort() / values.size
        shift = ranks[diverging.ravel()].mean() - 0.5
        # scales are where funnels have their neck: prefer a positive site
        weight = 1.5 if float(values.min()) > 0 else 1.0
        if abs(shift) * weight > best:
            best, site = abs(shift) * weight, str(name)
            side = "small" if shift < 0 else "large"
    return site, side


def _rhat(table: pd.DataFrame) -> Finding | None:
    bad = table.index[table["r_hat"].to_numpy(float) > RHAT_LIMIT]
    if not len(bad):
        return None
    worst = float(table.loc[bad, "r_hat"].astype(float).max())
    return Finding(
        "chains disagree",
        tuple(bad),
        f"R-hat is up to {worst:.3f} (above {RHAT_LIMIT}) for {_listed(bad)}: the chains have "
        f"not mixed. Run longer (more warmup and draws); if it stays, look at the trace for "
        f"chains in different places, and for parameters the data cannot tell apart.",
    )


def _ess(table: pd.DataFrame, chains: int) -> Finding | None:
    need = ESS_PER_CHAIN * chains
    ess = np.minimum(table["ess_bulk"].to_numpy(float), table["ess_tail"].to_numpy(float))
    bad = table.index[ess < need]
    if not len(bad):
        return None
    factor = int(np.ceil(need / max(ess.min(), 1.0)))
    return Finding(
        "too few effective draws",
        tuple(bad),
        f"The effective sample size is down to {ess.min():.0f} (below {need}) for "
        f"{_listed(bad)}: means and intervals are noisy. Take about {factor} times the draws, "
        f"or reparametrise so that the chains mix faster.",
    )


def _depth(stats: xr.Dataset) -> Finding | None:
    if "reached_max_treedepth" not in stats:
        return None
    share = float(stats["reached_max_treedepth"].mean())
    if share < 0.01:
        return None
    return Finding(
        "tree depth",
        (),
        f"{share:.0%} of trajectories reached the maximal tree depth: sampling is slow, though "
        f"not biased. Rescale badly scaled predictors, use metric=Dense() for strong "
        f"correlations, or raise max_depth.",
    )


def _energy(stats: xr.Dataset) -> Finding | None:
    if "energy" not in stats or "tree_depth" not in stats or stats.sizes["draw"] < 10:
        return None
    low = diagnose.bfmi(stats["energy"].values)
    if not (low < BFMI_LIMIT).any():
        return None
    return Finding(
        "energy",
        (),
        f"The energy changes slowly between draws (E-BFMI {low.min():.2f}, below {BFMI_LIMIT}): "
        f"the tails are explored poorly. Look for heavy-tailed priors or a funnel, and "
        f"reparametrise.",
    )


def _listed(items: Iterable[object]) -> str:
    names = [str(i) for i in items]
    shown, hidden = ", ".join(names[:NAMED_AT_MOST]), len(names) - NAMED_AT_MOST
    return f"{shown} and {hidden} more" if hidden > 0 else shown
