"""Run a model with its groups' effects moved, to see what of an observed site they explain.

An effect is moved by what is added to it, and those whose prior has it for its location move along,
so that an effect written as Normal(mu, tau) and one written as mu + tau * z answer alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import BY_SIZE, compiled
from finetti.criticism.explaining.categories import has_categories
from finetti.criticism.explaining.entries import Entry, outcome_of
from finetti.criticism.explaining.scale import OF_ORDER, is_censored
from finetti.criticism.leaving_out.held_out import known_model
from finetti.criticism.predicting.members import middle
from finetti.errors import ModelError
from finetti.language.effects import Site, around
from finetti.language.missing import of_holes
from finetti.models import Model, require_rows
from finetti.posterior.batches import in_batches
from finetti.posterior.evaluate import latent_draws, run_at
from finetti.posterior.posterior import Posterior
from finetti.structure.variables import Variable
from finetti.types import Array

Values = Mapping[str, Array]
CLOSE = 1e-6  # relative: two ways to compute one number
EMPTY: Values = {}
MIXED, LINEAR = "mixed", "linear"  # how effects reach the rows


@dataclass(frozen=True, eq=False)
class Moved:
    """Hold a model with an observed site, and which latent sites are groups' effects on it.

    `effects` maps each such site to the name of its plates, such as `county` or `county:year`.
    `coefficients` are sites in plates that several members of which reach one row, as those of a
    regression do: they count as the population's. `bent` names effects that the site's mean is not
    linear in, with why. `censored` tells that the outcome is looked at beyond what is seen of it,
    `entry` which number of a vector it is.
    """

    model: Model
    site: Variable
    draws: Mapping[str, np.ndarray]
    effects: Mapping[str, str]
    coefficients: tuple[str, ...]
    bent: Mapping[str, str]
    censored: bool = False
    entry: Entry | None = None

    def sites(
        self, given: Values, added: Values = EMPTY, gone: frozenset[str] = frozenset()
    ) -> dict[str, Site]:
        """Run the model at one draw, effects moved by what is added, or put at their middle."""
        still = {
            v.name: jnp.zeros(v.shape)
            for v in self.model.variables
            if v.kind == "latent" and v.plates and v.support == "real" and not v.discrete
        }
        moving = partial(move, {**still, **added}, gone)
        model = replace(self.model, handlers=(*self.model.handlers, moving))
        return self.told(run_at(model, given))

    def told(self, sites: dict[str, Site]) -> dict[str, Site]:
        """Return sites with the entry of a vector that is looked at as one by itself."""
        return sites if self.entry is None else self.entry.of(sites)

    def each(self, read: Callable[[Values], Mapping[str, Array]], numbers: int) -> dict:
        """Return what `read` makes of the latent values of each draw, shape (chain, draw, ...)."""
        return at_each(self.draws, read, numbers)

    @property
    def counting(self) -> np.ndarray:
        """Tell which values of the observed site count, flat."""
        rows, counting = prod(self.site.shape), self.site.counting
        return np.ones(rows, bool) if counting is None else np.asarray(counting).ravel()

    @property
    def weights(self) -> np.ndarray | None:
        """Return how often each value that counts does so, None for once."""
        weights = self.site.weights
        if weights is None:
            require_rows(self.model, "a mean over the rows")
            return None
        return weights.ravel()[self.counting]

    def mean(self, values: Array) -> Array:
        """Return the mean over the observations that count of one value each."""
        return jnp.average(values.ravel()[self.counting], weights=self.weights)

    def variance(self, values: Array) -> Array:
        """Return the variance over these observations."""
        chosen, weights = values.ravel()[self.counting], self.weights
        if weights is None:
            return jnp.var(chosen, ddof=1)
        away = (chosen - jnp.average(chosen, weights=weights)) ** 2
        return jnp.sum(weights * away) / (weights.sum() - 1.0)


def at_each(
    draws: Mapping[str, np.ndarray], read: Callable[[Values], Mapping[str, Array]], numbers: int
) -> dict[str, np.ndarray]:
    """Return what `read` makes of the values at each draw, shape (chain, draw, ...).

    About `numbers` numbers are at work in one draw: so many draws are read at once as memory holds.
    """
    shape = next(iter(draws.values())).shape[:2]
    total = prod(shape)
    flat = {name: a.reshape(total, *a.shape[2:]) for name, a in draws.items()}
    with jax.enable_x64(True):
        every = compiled(BY_SIZE, calls=8)(jax.vmap(read))
        found = in_batches(
            lambda places: every({n: a[places] for n, a in flat.items()}), total, numbers
        )
    return {name: a.reshape(*shape, *a.shape[1:]) for name, a in found.items()}


@contextmanager
def move(added: Values, gone: frozenset[str]) -> Iterator[None]:
    """Add to the values of effects, or put them at the middle of their distribution.

    Those that have an effect for their location move along with it.
    """

    def after(site: Site) -> None:
        if site.name in gone:
            site.value = middle(site)
        elif site.name in added:
            # The place less itself held constant is 0, and moves as the place does.
            place = middle(site) if _has_middle(site) else jnp.zeros(())
            site.value = site.value + (place - jax.lax.stop_gradient(place)) + added[site.name]

    with around(after=after):
        yield


def _has_middle(site: Site) -> bool:
    try:
        middle(site)
    except ModelError:
        return False
    return True


def _stands(site: Site) -> bool:
    """Tell whether a site has a middle to stand at, unlike a half-Cauchy of infinite mean."""
    return _has_middle(site) and bool(np.isfinite(middle(site)).all())


def moved(
    posterior: Posterior,
    of: str | None,
    reader: Callable[[Site], Array],
    verb: str,
    several: bool = False,
) -> Moved:
    """Find which latent sites are groups' effects on what `reader` makes of an observed site.

    `of` names the observed site, if there are several. Raises `ModelError` where it is no site of
    independent numbers, or, with `several`, of categories; or the posterior is a mode or has no
    model.
    """
    model = known_model(posterior, verb)
    site, entry = _observed(model, of, verb, several)
    draws = latent_draws(model, posterior.tree)
    values = {of_holes(v.name) for v in model.variables if v.holes is not None}  # no effects
    tried = {
        v.name: v
        for v in model.variables
        if v.kind == "latent" and v.plates and not v.discrete and v.name not in values
    }
    whole = Moved(model, site, draws, {}, (), {}, entry=entry)
    effects, coefficients, bent = {}, [], {}
    with jax.enable_x64(True):
        first = {name: jnp.asarray(a[0, 0]) for name, a in draws.items()}
        for name, v in tried.items():
            kind = _kind(whole, first, v, reader)
            if kind == MIXED:
                coefficients.append(name)
            elif kind:
                bent |= {} if kind == LINEAR else {name: kind}
                if _stands(whole.sites(first)[name]):
                    effects[name] = ":".join(p.name for p in v.plates)
        censored = is_censored(whole.sites(first)[site.name])
    return replace(
        whole, effects=effects, coefficients=tuple(coefficients), bent=bent, censored=censored
    )


def _kind(whole: Moved, given: Values, v: Variable, reader: Callable[[Site], Array]) -> str:
    """Say how a site reaches the rows: not at all, mixed, linear, or why it is not linear."""

    def predictor(added: Array) -> Array:
        return reader(whole.sites(given, {v.name: added})[whole.site.name]).ravel()

    _, slope = jax.linearize(predictor, jnp.zeros(v.shape))
    one = jnp.ones(v.shape)
    straight = np.asarray(slope(one))
    crossed = [np.asarray(slope(jnp.asarray(signs))) for signs in told_apart(v)]
    scale = max(np.abs(a).max(initial=0) for a in (straight, *crossed))
    if not scale > 0:
        return ""  # it does not reach them
    size = np.abs(straight)
    if not all(np.allclose(size, np.abs(a), rtol=CLOSE, atol=CLOSE * scale) for a in crossed):
        return MIXED
    if v.support != "real":
        return f"it is {v.support}, and no effect on the real line"
    _, far = jax.jvp(predictor, (one,), (one,))
    if not np.allclose(far, straight, rtol=CLOSE, atol=CLOSE * scale):
        return "the mean is not linear in it"
    return LINEAR


def told_apart(v: Variable) -> list[np.ndarray]:
    """Return signs for a site's members, arrays of its shape: any two differ in one of them."""
    shape = v.shape[: len(v.plates)]
    members = np.arange(prod(shape)).reshape(shape + (1,) * (len(v.shape) - len(shape)))
    bits = range(max(1, (prod(shape) - 1).bit_length()))
    return [np.broadcast_to(1.0 - 2 * (members >> bit & 1), v.shape) for bit in bits]


def _observed(
    model: Model, of: str | None, verb: str, several: bool
) -> tuple[Variable, Entry | None]:
    """Return the observed site named, or the only outcome; refuse one that is no row of numbers."""
    site, entry = outcome_of(model, of, f"give {verb} of", f"to give {verb}")
    named = has_categories(site.family) and site.family not in OF_ORDER
    if prod(site.shape) < 2 or (named and not several) or site.family == "MultivariateNormal":
        raise ModelError(
            f"site `{site.name}` ~ {site.family} is no row of single numbers: there is no {verb} "
            f"of it"
        )
    return site, entry
