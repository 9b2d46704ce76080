"""Look at one entry of an outcome that is a vector of normal numbers, by that number's own law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from finetti.criticism.explaining.scale import mean_and_variance
from finetti.criticism.predicting.labelled import observations, the_outcome
from finetti.distributions import Normal, known
from finetti.errors import ModelError
from finetti.language.effects import Site
from finetti.models import Model
from finetti.structure.variables import Variable
from finetti.structure.words import listed

VECTORS = ("MultivariateNormal", "PartlyKnown")


@dataclass(frozen=True)
class Entry:
    """Name an entry of an observed site: its label, and its place along the last dimension."""

    site: str
    place: int
    label: str

    def of(self, sites: Mapping[str, Site]) -> dict[str, Site]:
        """Return the sites, and the entry as one by itself."""
        site = sites[self.site]
        mean, variance = (moment[..., self.place] for moment in mean_and_variance(site))
        own = replace(
            site, name=self.label, value=jnp.asarray(site.value)[..., self.place],
            distribution=Normal(mean, jnp.sqrt(variance)), dims=(), holes=None, whole=None,
        )  # fmt: skip
        return {**sites, self.label: own}

    def variable(self, site: Variable) -> Variable:
        """Return the entry as a site by itself, which counts where it is known."""
        counting, holes = site.counting, None
        if site.holes is not None:
            holes = site.holes[..., self.place]
            counting = ~holes if counting is None else ~holes & counting
        return replace(
            site, name=self.label, family="Normal", shape=site.shape[:-1], dims=site.dims[:-1],
            axes=(), known=known("Normal"), counting=counting, holes=holes,
            data=None if site.data is None else np.asarray(site.data)[..., self.place],
        )  # fmt: skip


def outcome_of(model: Model, of: str | None, verb: str, why: str) -> tuple[Variable, Entry | None]:
    """Return the observed site named, or the only one, and the entry of it that is meant if any.

    Raises `ModelError` where a vector's entries have labels and none of them is named.
    """
    for site in observations(model).values():
        labels = _labels(site)
        if of is not None and of in labels:
            entry = Entry(site.name, labels.index(of), of)
            return entry.variable(site), entry
    site = the_outcome(model, of, verb, why)
    if _labels(site):
        raise ModelError(
            f"site `{site.name}` is of {listed(f'`{n}`' for n in _labels(site))}: say of which "
            f"{why}, as in of={_labels(site)[0]!r}"
        )
    return site, None


def _labels(site: Variable) -> list[str]:
    """Return the labels of the entries of a vector of normal numbers."""
    if site.family not in VECTORS or len(site.axes) != 1 or not site.axes[0].labels:
        return []
    return [str(label) for label in site.axes[0].labels]
