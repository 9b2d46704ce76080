"""Find a funnel: a scale that the spread of a group's effects follows, where the sampler fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from finetti.distributions import known
from finetti.posterior.evidence import BFMI_LIMIT, Evidence, label
from finetti.posterior.finding import Finding
from finetti.posterior.illnesses.sampler import where
from finetti.posterior.labels import is_own

FOLLOWS = 0.5  # rank correlation; of 100 effective draws chance gives it once in ten million runs
RARE = (
    0.005  # of the draws diverge in healthy fits whose scale gets near zero, as the fits' laws say
)
MEMBERS = 50  # of a scale in a plate, that are looked at
LONGER = "ft.NUTS(warmup=2000, draws=2000)"
AT_NECK = 0.15  # how far the mean rank of diverging draws lies from the middle, as for divergences


def funnel(run: Evidence) -> Finding | None:
    """Find the scale and the effects whose funnel the sampler does not get into.

    The effects' spread around their mean follows the scale by rank, and the sampler shows it: it
    diverges in the neck, its energy changes slowly, or the scale itself mixes badly. What is said
    of the form is read off the model, or off the plan that the run keeps.
    """
    if not run.unwell:
        return None
    worst = 0.0, None
    for scale, place, effect in _pairs(run):
        follows = _rank_correlation(_draws(run, scale, place), _spread(run, scale, place, effect))
        if abs(follows) <= max(FOLLOWS, abs(worst[0])):
            continue
        signs = _signs(run, scale, place, follows)
        if signs:
            worst = follows, (scale, effect, signs)
    follows, found = worst
    if found is None:
        return None
    scale, effect, signs = found
    known = run.draws.coords
    dims = run.draws[effect].dims[2:]
    plates = [str(d) for d in dims if d in known and not is_own(d, known)]
    over = f" over plate {' and '.join(f'`{p}`' for p in plates)}" if plates else ""
    centred, neck = _centred(run, scale, effect), "small" if follows > 0 else "large"
    if follows < 0 and not centred:
        return Finding(
            "inverse funnel",
            (scale, effect),
            f"{effect}{over} narrows where {scale} is large, which the sampler does not follow "
            f"({'; '.join(signs)}){_turned(run, scale, effect, centred)}.",
        )
    return Finding(
        "funnel",
        (scale, effect),
        f"{effect}{over} is a funnel with its neck where {scale} is {neck}: the "
        f"{neck}{'r' if neck == 'large' else 'er'} {scale}, the closer {effect} lies together, and "
        f"the sampler's steps do not fit in ({'; '.join(signs)}). "
        f"{_remedy(run, scale, effect, neck, centred)}.",
    )


def _centred(run: Evidence, scale: str, effect: str) -> bool | None:
    """Tell whether the effect's own prior depends on the scale; None where that is not known."""
    if run.witness is not None:
        return scale in run.witness.ancestors[effect]
    seen = run.rows.get(effect, ("",))[0].partition(" in ")[0]
    return True if re.search(rf"[(, ]{re.escape(scale)}\b", seen) else None


def _turned(run: Evidence, scale: str, effect: str, centred: bool | None) -> str:
    """Say what to do about effects that narrow where their scale is large."""
    if effect in run.eased:
        return f". The plan has eased {effect} already: warm up and draw longer, {LONGER}"
    if centred is None:
        return (
            f". If {scale} multiplies {effect} (mu + {scale} * {effect}), the data say much about "
            f"each member and the product is better sampled itself; if {scale} is a precision or a "
            f"concentration, say by its prior that it is hardly ever so large"
        )
    choice = ", or let the plan choose: ft.fit(model) without plan=" if run.kept(effect) else ""
    return (
        f": it is written non-centred, and the data say much about each group. Write it "
        f"centred{choice}"
    )


def _remedy(run: Evidence, scale: str, effect: str, neck: str, centred: bool | None) -> str:
    """Say what to do about a funnel, by how it is written and what the plan did and could do."""
    rarely = f"if {scale} is hardly ever so {neck}, say so by its prior"
    if effect in run.eased:
        longer = f"The plan has eased {effect} already: warm up and draw longer, {LONGER}"
        return f"{longer}; or, {rarely}"
    if centred is None and run.kept(effect) is None and neck == "small" and not run.tied(effect):
        return (
            f"Let the plan centre or integrate out {effect}, if its prior depends on {scale} and "
            f"plan= keeps it from that; or write it non-centred (theta = mu + tau * eta with "
            f"eta ~ Normal(0, 1)); or, {rarely}"
        )
    if centred and _located(run, effect):
        form = (
            "rite it non-centred, as its location plus its scale times a standard one "
            "(theta = mu + tau * eta with eta ~ Normal(0, 1))"
        )
        if run.kept(effect):
            plan = f"Let the plan centre or integrate out {effect}: ft.fit(model) without plan="
            return f"{plan}; or w{form}"
        return f"W{form}; or, {rarely}"
    family = run.family(effect)
    what = f", and no rewrite eases a {family}" if centred and family else ""
    return f"Warm up and draw longer, {LONGER}{what}; or, {rarely}"


def _located(run: Evidence, effect: str) -> bool:
    """Tell whether the effect is known to have a location and a scale, as a normal one has."""
    if run.latent is not None:
        return bool(run.latent[effect].located)
    return bool(known(run.family(effect)).located)


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
    # tau is above theta, or multiplies eta in what both are above
    return scale in above[effect] or (
        run.positive(scale)
        and any(scale in a and effect in a for a in above.values())
        and effect not in above[scale]
        and run.witness.multiplies(scale, effect)
    )


def _spread(run: Evidence, scale: str, place: tuple[int, ...], effect: str) -> np.ndarray:
    """Return how far the effects lie from their mean, or one from its median: (chain, draw)."""
    own, effects = run.draws[scale].dims[2:], run.draws[effect]
    others = [d for d in effects.dims[2:] if d not in own]
    chosen = effects.transpose("chain", "draw", *own, *others).values[:, :, *place]
    flat = chosen.reshape(*chosen.shape[:2], -1)
    if flat.shape[2] < 3:
        return np.abs(flat - np.median(flat, (0, 1))).mean(2)
    return flat.std(2)


def _signs(run: Evidence, scale: str, place: tuple[int, ...], follows: float) -> list[str]:
    """Say in what the sampler shows that it does not get into the neck."""
    name = label(run.draws[scale], scale, place)
    draws, diverging = _draws(run, scale, place), run.diverging
    found = []
    if diverging.mean() > RARE:
        ranks = draws.ravel().argsort().argsort() / draws.size
        low = 0.5 - ranks[diverging.ravel()].mean()
        if low * np.sign(follows) > AT_NECK or where(run, diverging)[0] == scale:
            side = "small" if low > 0 else "large"
            found.append(f"{int(diverging.sum())} draws diverged, most where {name} is {side}")
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
