"""Find heavy tails, in which a mean may not exist, and scales that seek zero."""

from __future__ import annotations

import numpy as np

from finetti.posterior import diagnose
from finetti.posterior.evidence import Evidence, label
from finetti.posterior.finding import Finding, listed
from finetti.posterior.reexamine import Witness

PARETO_LIMIT = 0.7  # above it means converge too slowly to be read (Vehtari et al. 2024)
WANDERS = 1.05  # R-hat
LIKE = 0.6  # k-hat of a prior's own draws: a Cauchy's is 1, that of a t of 3 degrees a third
OUT = np.array([1e4, 1e6])  # deviations, between which the density's power is read off
NO_MEAN = -2.05  # the power of x with which a density falls off that has a mean, and a rounding
MOST = 30  # scalars whose density is asked
# k-hat of 1/x: the density at zero grows as x^(1/k - 1). It is 1 where that density is finite, with
# a standard error of about 0.15 from 4000 draws: five of them, since many scales are looked at.
SEEKS = 1.75


def heavy_tails(run: Evidence) -> Finding | None:
    """Find scalars that may have no mean: by the draws' tails, and by the density far out.

    By the draws it is Pareto k-hat of a tail above 0.7; by the density, where the model is known,
    that it falls off no faster than the inverse square, which draws that seldom go there show late.
    """
    found = {}
    # A chain that is stuck for a while makes a tail of its own.
    steady = {name: x for name, x in run.scalars.items() if not run.rhat(name) > WANDERS}
    worth = diagnose.each_ess(list(steady.values()))
    for (name, draws), effective in zip(steady.items(), worth, strict=True):
        tails = [diagnose.tail_k(draws, tail, effective) for tail in ("left", "right")]
        if max(tails) > PARETO_LIMIT:
            found[name] = max(tails)
    slow = _slow(run, run.witness) if run.witness else {}
    if not found and not slow:
        return None
    named = tuple({**found, **slow})
    if found:
        worst = max(found, key=lambda n: found[n])
        how = f"Pareto k-hat {found[worst]:.2f} for {worst}, above {PARETO_LIMIT}"
    else:
        worst = max(slow, key=lambda n: slow[n])
        how = f"the density of {worst} falls off as the power {slow[worst]:.1f} of its distance"
    return Finding(
        "heavy tails",
        named,
        f"The tails of {listed(named)} are so heavy that their means may not exist ({how}): the "
        f"mean, the standard deviation and their errors are not to be read. Report medians and "
        f"quantiles, or say what is plausible by a prior with a lighter tail, such as ft.Normal or "
        f"ft.HalfNormal for a Cauchy.",
    )


def _slow(run: Evidence, witness: Witness) -> dict[str, float]:
    """Return by their labels scalars along which the density falls off as 1 / x^2 or slower.

    Looked at are those on the whole real line with a prior whose own draws have such a tail. With
    all else held the density falls off as fast as the posterior's own or faster: where its power is
    -2 or more, there is no mean.
    """
    free, plan = witness.free, witness.model.plan()
    left = {v.name for v in plan.left}
    columns = [
        (name, place)
        for name, prior in witness.priors.items()
        if (v := witness.latent[name]).support == "real" and v.name in left and v.name in free
        for place in range(prior.values[0].size)
        if _heavy(prior.values.reshape(len(prior.values), -1)[:, place])
    ][:MOST]
    if not columns or any(v.discrete for v in plan.left):
        return {}
    base = {name: np.median(u, 0) for name, u in free.items()}
    own = [(witness.latent[name].name, place) for name, place in columns]
    away = [np.abs(free[n].reshape(len(free[n]), -1)[:, i] - base[n].flat[i]) for n, i in own]
    width = np.maximum(1.48 * np.median(away, 1), 1e-9)
    ways = np.kron(np.diag(width), [[1.0], [-1.0]])  # each to both sides
    heights = witness.along(plan, base, own, ways, OUT)
    with np.errstate(invalid="ignore"):
        powers = np.diff(heights, axis=1)[:, 0] / np.log(OUT[1] / OUT[0])
    powers = np.where(np.isfinite(powers), powers, -np.inf).reshape(-1, 2).max(1)
    labels = [
        label(
            run.draws[name],
            name,
            tuple(map(int, np.unravel_index(place, run.draws[name].shape[2:]))),
        )
        for name, place in columns
    ]
    return {n: float(p) for n, p in zip(labels, powers, strict=True) if p > NO_MEAN}


def _heavy(draws: np.ndarray) -> bool:
    """Tell whether draws of a prior have a tail without a mean, or nearly."""
    return max(diagnose.tail_k(draws[None], tail, len(draws)) for tail in ("left", "right")) > LIKE


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
