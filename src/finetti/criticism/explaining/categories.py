"""Read how probable each category is of an outcome that is one of several, or counts of each."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from finetti.criticism.explaining.scale import mean_and_variance, plain
from finetti.distributions import bare, known, name_family
from finetti.language.effects import Site
from finetti.models import Model
from finetti.posterior.given import categories
from finetti.types import Array

SHARES = ("Multinomial", "Dirichlet")  # of several categories in each row


def has_categories(family: str) -> bool:
    """Tell whether a family's outcomes are categories, counts of them, or shares."""
    return known(family).tells == "category" or family in SHARES


def expected(site: Site) -> Array:
    """Return the mean of each observation, or with a last axis the probability of each category.

    Of shares it is the mean of each.
    """
    law = plain(site)
    if not has_categories(name_family(law)):
        return mean_and_variance(site)[0]
    base: Any = bare(law)
    found = _shares(base)
    rows = np.shape(site.value)[: -1 if base.event_shape else None]
    return jnp.broadcast_to(found, (*rows, found.shape[-1]))


def _shares(base: Any) -> Array:
    """Return the probabilities of a distribution's categories along the last axis."""
    if hasattr(base, "probs"):
        return base.probs
    if base.event_shape:
        return base.mean
    states = range(int(base.support.upper_bound) + 1)
    return jnp.exp(jnp.stack([base.log_prob(k) for k in states], -1))


def labels_of(model: Model, site: str, count: int) -> np.ndarray:
    """Return the names of a site's categories that its data have for them, or numbers."""
    named = categories(model).get(site, ())
    return np.array(list(map(str, named))) if len(named) == count else np.arange(count)
