"""Find a funnel: a scale that the spread of a group's effects follows, where the sampler fails."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from finetti.posterior.evidence import BFMI_LIMIT, Evidence, label
from finetti.posterior.finding import Finding
from finetti.posterior.illnesses.sampler import where

FOLLOWS = 0.5  # rank correlation; of 100 effective draws chance gives it once in ten million runs
RARE = (
    0.005  # of the draws diverge in healthy fits whose scale gets near zero, as the fits' laws say
)
MEMBERS = 50  # of a scale in a plate, that are looked at
AT_NECK = 0.15  # how far the mean rank of diverging draws lies from the middle, as for divergences


def funnel(run: Evidence) -> Finding | None:
    """Find the scale and the effects whose funnel the sampler does not get into.

    The effects' spread around their mean follows the scale by rank, and the sampler shows it: it
    diverges where the scale is small, its energy changes slowly, or the scale itself mixes badly.
    """
    if not run.unwell:
        return None
    worst = 0.0, None
    for scale, place, effect in _pairs(run):
        signs = _signs(run, scale, place)
        if not signs:
            continue
        follows = _rank_correlation(_draws(run, scale, place), _spread(run, scale, place, effect))
        if abs(follows) > max(FOLLOWS, abs(worst[0])):
            worst = follows, (scale, effect, signs)
    follows, found = worst
    if found is None:
        return None
    scale, effect, signs = found
    plates = [str(d) for d in run.draws[effect].dims[2:] if d in run.draws.coords]
    over = f" over plate {' and '.join(f'`{p}`' for p in plates)}" if plates else ""
    if follows < 0:
        return Finding(
            "inverse funnel",
            (scale, effect),
            f"{effect}{over} narrows where {scale} is large, which the sampler does not follow "
            f"({'; '.join(signs)}): it is written non-centred, and the data say much about each "
            f"group. Write it centred, or let the plan choose: ft.fit(model) without plan=.",
        )
    remedy = (
        f"Let the plan centre or integrate out {effect}: ft.fit(model) without plan=; or write it "
        f"non-centred (theta = mu + tau * eta with eta ~ Normal(0, 1))"
    )
    if effect in run.eased:
        remedy = (
            f"The plan has eased {effect} already: warm up and draw longer, ft.NUTS(warmup=2000, "
            f"draws=2000); or, if {scale} is hardly ever so small, say so by its prior"
        )
    return Finding(
        "funnel",
        (scale, effect),
        f"{effect}{over} is a funnel with its neck where {scale} is small: the smaller {scale}, "
        f"the closer {effect} must be together, and the sampler's steps do not fit in "
        f"({'; '.join(signs)}). {remedy}.",
    )


def _pairs(run: Evidence) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Yield a scale, which of its members, and a site of effects."""
    for scale, values in run.continuous.items():
        for effect, effects in run.continuous.items():
            if _may_scale(run, scale, effect) and set(values.dims) <= set(effects.dims):
                for place in list(np.ndindex(values.shape[2:]))[:MEMBERS]:
                    yield scale, place, effect


def _may_scale(run: Evidence, scale: str, effect: str) -> bool:
    """Tell whether a site may be the scale of another: it lies above it, or no model tells."""
    if scale == effect or run.draws[scale].ndim > run.draws[effect].ndim:
        return False
    if run.witness is None:
        return run.positive(scale) or run.draws[scale].ndim == 2
    above = run.witness.ancestors
    # tau is above theta, or meets eta in what both are above
    meets = run.positive(scale) and any(scale in a and effect in a for a in above.values())
    return scale in above[effect] or meets


def _spread(run: Evidence, scale: str, place: tuple[int, ...], effect: str) -> np.ndarray:
    """Return how far the effects lie from their mean, or one from its median: (chain, draw)."""
    own, effects = run.draws[scale].dims[2:], run.draws[effect]
    others = [d for d in effects.dims[2:] if d not in own]
    chosen = effects.transpose("chain", "draw", *own, *others).values[:, :, *place]
    flat = chosen.reshape(*chosen.shape[:2], -1)
    if flat.shape[2] < 3:
        return np.abs(flat - np.median(flat, (0, 1))).mean(2)
    return flat.std(2)


def _signs(run: Evidence, scale: str, place: tuple[int, ...]) -> list[str]:
    """Say in what the sampler shows that it does not get into the neck."""
    name = label(run.draws[scale], scale, place)
    draws, diverging = _draws(run, scale, place), run.diverging
    found = []
    if diverging.mean() > RARE:
        ranks = draws.ravel().argsort().argsort() / draws.size
        if 0.5 - ranks[diverging.ravel()].mean() > AT_NECK or where(run, diverging)[0] == scale:
            found.append(f"{int(diverging.sum())} draws diverged, most where {name} is small")
    if run.rhat(name) > 1.01:
        found.append(f"R-hat of {name} is {run.rhat(name):.2f}")
    if run.ess(name) < run.least_ess:
        found.append(f"{name} has {run.ess(name):.0f} effective draws")
    if run.energy < BFMI_LIMIT:
        found.append(f"E-BFMI is {run.energy:.2f}")
    return found


def _draws(run: Evidence, site: str, place: tuple[int, ...]) -> np.ndarray:
    """Return one member's draws, shape (chain, draw)."""
    return run.draws[site].values[:, :, *place]


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    first, second = (x.ravel().argsort().argsort() for x in (a, b))
    centre = (first.size - 1) / 2
    return float(np.mean((first - centre) * (second - centre)) / np.var(first))
