"""Guess where chains may start when some sites are discrete: draw those from their priors."""

from __future__ import annotations

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.distributions import biject_to, unchecked
from finetti.language.effects import Site, alone, around
from finetti.language.handlers import seed, trace
from finetti.structure.variables import is_discrete, placeholder
from finetti.targets.density import Density
from finetti.types import AnyArray, Array, Float, Key


def guess(density: Density, dtype: str, keys: Key, radius: float) -> Float[AnyArray, "chain dim"]:
    """Return a position for each key.

    Continuous sites are uniform within the radius on the unconstrained scale; discrete ones that
    are moved as they are come from their prior given the others.
    """
    layout = density.layout

    def one(key: Key) -> Array:
        """Draw one position: discrete sites from their prior given all before them."""
        uniform = jax.random.uniform(key, (layout.dim,), dtype, -radius, radius)
        parts = layout.split(uniform)

        def before(site: Site) -> None:
            if not site.latent or site.value is not None or is_discrete(site.distribution):
                return
            if site.name in layout.natural or site.name not in parts:
                site.value = placeholder(site)
            else:
                site.value = _constrain(site, parts[site.name])

        drawing = seed(jax.random.fold_in(key, 1))
        with alone(), unchecked(), trace() as sites, drawing, around(before):
            density.model.run()
        drawn = {name: sites[name].value.astype(dtype) for name in layout.natural}
        return layout.join({**parts, **drawn})

    return compiled(ONCE)(jax.vmap(one))(keys)


def _constrain(site: Site, free: Array) -> Array:
    transform = biject_to(site.distribution.support)
    shape = site.distribution.batch_shape + site.distribution.event_shape
    fits = transform.inverse_shape(shape) == np.shape(free)
    return transform(free) if fits else placeholder(site)
