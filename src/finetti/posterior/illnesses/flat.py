"""Find directions in which nothing stops the draws: improper posteriors and flat directions."""

from __future__ import annotations

import numpy as np

from finetti.posterior import diagnose
from finetti.posterior.evidence import Evidence, label
from finetti.posterior.finding import Finding, listed
from finetti.posterior.reexamine import Witness

FAR = np.array([4.0, 8.0])  # standard deviations of the draws
FEWEST_GROUPS = 3  # for a flat prior on a scale (Gelman 2006, section 3.2)
RIDGE = 0.99  # correlation of two scalars that the data cannot tell apart
EXACT = 1 - 1e-9  # correlation of two quantities of which one is computed from the other
UNTOLD = 0.5  # of the prior's variance is left in a direction the data say little about
TOLD = 0.01  # of that is left across it: a ridge a tenth as wide as long
WANDERS = 1.05  # R-hat


def improper(run: Evidence) -> Finding | None:
    """Find flat priors whose posterior cannot be normalised.

    With the model: along a coordinate with a flat prior, or where the draws spread most among
    them, the log density falls by less than log 2 from four standard deviations to eight, as a
    density does whose integral diverges; or a flat prior on a scale has fewer than three groups.
    """
    if run.witness is None or not run.witness.improper:
        return None
    few = _few_groups(run.witness)
    if few:
        scale, effect, size = few
        return Finding(
            "improper posterior",
            (scale, effect),
            f"{scale} has a flat prior and {effect} only {size} groups: its posterior cannot be "
            f"normalised (a flat prior on a scale needs at least {FEWEST_GROUPS} groups), so the "
            f"draws wander for ever. Give {scale} a proper prior, such as ft.HalfNormal with a "
            f"scale you find plausible.",
        )
    loose = _endless(run, run.witness)
    if not loose:
        return None
    return Finding(
        "improper posterior",
        loose,
        f"Nothing stops {listed(loose)}: the prior is flat and the likelihood does not fall "
        f"however far they go{' together' if len(loose) > 1 else ''}, so the posterior cannot be "
        f"normalised and the draws mean nothing. Give {listed(loose)} a proper prior, such as "
        f"ft.Normal(0, 2.5) on the scale of the data, or leave one of them out.",
    )


def _few_groups(witness: Witness) -> tuple[str, str, int] | None:
    """Return a scale with a flat prior, its effects, and how few groups they have."""
    graph, flat = witness.model.graph(), witness.improper
    known = {v.name: v for v in graph.variables}
    for scale in flat:
        if known[scale].support != "positive" or known[scale].shape:
            continue
        for child in graph.children(scale):
            v = known[child]
            groups = int(np.prod(v.shape)) if v.shape else 1
            others = [p for p in graph.parents[child] if p != scale]
            need = FEWEST_GROUPS - (not any(p in flat for p in others))
            if v.kind == "latent" and v.located and groups < need:
                return scale, child, groups
    return None


def _endless(run: Evidence, witness: Witness) -> tuple[str, ...]:
    """Name the sites along which the density does not fall."""
    plan, names = witness.model.plan(), witness.improper
    if not {v.name for v in plan.left}.issuperset(names):
        plan = plan.as_written()  # the integral over what is improper is what is in question
    free = witness.free
    if not free or not names or any(v.discrete for v in plan.left):
        return ()
    columns = [(n, i) for n in names for i in range(free[n][0].size)][:30]
    table = np.stack([free[n].reshape(len(free[n]), -1)[:, i] for n, i in columns])
    table = np.nan_to_num(table, posinf=1e300, neginf=-1e300)
    middle = np.median(table, 1, keepdims=True)
    # 1.48 median absolute deviations are a standard deviation of normal draws, whatever the tails.
    spread = np.maximum(1.48 * np.median(np.abs(table - middle), 1), 1e-9)
    scaled = ((table - middle) / spread[:, None]).clip(-10, 10)
    central = int(np.abs(scaled).sum(0).argmin())  # a draw, so that it lies on any ridge
    base = {n: u[central] for n, u in free.items()}
    sizes, widest = np.linalg.eigh(np.atleast_2d(np.cov(scaled)))
    directions = [*np.eye(len(columns)), widest[:, -1] * np.sqrt(sizes[-1])]
    directions = np.array([sign * d for d in directions for sign in (1, -1)])
    fall = -np.diff(witness.along(plan, base, columns, directions * spread, FAR), axis=1)[:, 0]
    endless = directions[np.isfinite(fall) & (fall < np.log(2))]
    taking = np.unique(np.nonzero(np.abs(endless) > 0.3)[1])
    return tuple(dict.fromkeys(columns[place][0] for place in taking))


def ridge(run: Evidence) -> Finding | None:
    """Find variables that the data cannot tell apart.

    With the model: a direction in which the posterior is at least half as wide as the prior, across
    which it is less than a tenth of that. Without: two scalars with a correlation beyond 0.99
    where the sampler had trouble. Scalars that wander off without a mean are named as well.
    """
    sites = _told_by_prior(run, run.witness) if run.witness else _correlated(run)
    if sites and run.witness is None:
        return Finding(
            "flat direction",
            sites,
            f"{listed(sites)} are nearly functions of each other (correlation beyond {RIDGE}), and "
            f"the sampler had trouble: they are known together far better than one by one. Leave "
            f"one of them out, fix it, or give them priors that say which is which.",
        )
    if len(sites) == 1:
        return Finding(
            "flat direction",
            sites,
            f"The data cannot tell some members of {sites[0]} apart: it is known far better in "
            f"some directions than in others, where the prior alone decides. Merge members, or "
            f"give {sites[0]} a prior that says which is which.",
        )
    if sites:
        return Finding(
            "flat direction",
            sites,
            f"The data cannot tell {listed(sites)} apart: they are known together far better than "
            f"one by one, where the prior alone decides. Leave one of them out, fix it, or give "
            f"them priors that say which is which.",
        )
    loose = tuple(
        name
        for name, draws in run.scalars.items()
        if run.rhat(name) > WANDERS
        and max(diagnose.tail_k(draws, tail) for tail in ("left", "right")) > 1
    )
    if not loose:
        return None
    return Finding(
        "flat direction",
        loose,
        f"{listed(loose)} wander without bound and never settle: the data and the prior hardly "
        f"hold them, and the posterior may not be proper. Give them priors that say what is "
        f"plausible, such as ft.Normal(0, 2.5) on the scale of the data.",
    )


def _told_by_prior(run: Evidence, witness: Witness) -> tuple[str, ...]:
    """Name top-level scalars, or sites of tied members, along a direction the prior alone decides.

    A site whose members are tied by construction, such as a simplex, is judged on its free
    coordinates and named as a whole.
    """
    names, scaled = [], []
    for name, known in witness.priors.items():
        values, single = run.draws[name], witness.latent[name].one_by_one
        if values.shape[2:] != known.values.shape[1:] or name not in run.continuous:
            continue
        if single:
            draws, prior = values.values.reshape(-1, *values.shape[2:]), known.values
            if run.positive(name):
                with np.errstate(divide="ignore"):
                    draws, prior = np.log(draws), np.log(prior)
        else:
            draws, prior = known.free_at_posterior, known.free
        for index in list(np.ndindex(prior.shape[1:]))[:30]:
            x, p = draws[:, *index], prior[:, *index]
            if not (np.isfinite(x).all() and np.isfinite(p).all()):
                continue
            # Two standard deviations of a normal prior apart: draws are measured by that.
            low, high = np.quantile(p, [0.16, 0.84])
            if high > low:
                names.append(label(values, name, index) if single else name)
                scaled.append(_thinned(2 * (x - x.mean()) / (high - low), witness))
    if len(names) < 2:
        return ()
    spread = np.cov(np.stack(scaled))
    sizes, directions = np.linalg.eigh(spread)
    for size, direction in zip(sizes[::-1], directions.T[::-1], strict=True):
        taking = np.flatnonzero(np.abs(direction) > 0.3)
        if size < UNTOLD:
            break
        if len(taking) > 1:
            across = np.linalg.eigvalsh(spread[np.ix_(taking, taking)])[0]
            if across < TOLD * size:
                return tuple(dict.fromkeys(names[i] for i in taking))
    return ()


def _thinned(draws: np.ndarray, witness: Witness) -> np.ndarray:
    """Return the draws that the witness looks at, of all or of those already."""
    total = len(next(iter(witness.values.values())))
    if len(draws) == total:
        return draws
    return draws[np.unique(np.linspace(0, len(draws) - 1, total).astype(int))]


def _correlated(run: Evidence) -> tuple[str, ...]:
    """Name two scalars that are nearly a function of each other, where the sampler had trouble."""
    if not run.unwell or len(run.scalars) < 2:
        return ()
    names = [n for n in run.scalars if not run.tied(run.site(n))][:100]
    if len(names) < 2:
        return ()
    spread = np.corrcoef(np.stack([run.scalars[n].ravel() for n in names]))
    spread = np.abs(np.nan_to_num(spread)) - np.eye(len(names))
    spread[spread > EXACT] = 0  # computed one from the other
    i, j = np.unravel_index(spread.argmax(), spread.shape)
    return (names[i], names[j]) if spread[i, j] > RIDGE else ()
