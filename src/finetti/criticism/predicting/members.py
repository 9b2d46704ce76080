"""Find the members of plates that a fit has seen, and draw the effects of those it has not."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from finetti.criticism.predicting.rows import arguments
from finetti.distributions import bare, know, name_family
from finetti.errors import DataError, ModelError
from finetti.language.dims import Plate
from finetti.language.effects import Site, around
from finetti.models import Model
from finetti.structure.variables import Variable
from finetti.structure.words import listed
from finetti.types import Array


@dataclass(frozen=True)
class Members:
    """Hold where a plate's new members stand among those of the fit, -1 for one it has not seen.

    `rows` tells that the plate has no labels and is as long as the table.
    """

    plate: Plate
    places: np.ndarray
    rows: bool
    changed: bool

    @property
    def unseen(self) -> list[Hashable]:
        """Return the members that the fit has not seen."""
        return self.plate.coordinate()[self.places < 0].tolist()

    def __str__(self) -> str:
        if self.rows:
            return (
                f"every row, as plate `{self.plate.name}` has no labels to know its members by and "
                f"follows the rows"
            )
        return f"{listed(map(repr, self.unseen))} of plate `{self.plate.name}`"


def find_members(fitted: Model, model: Model) -> dict[str, Members]:
    """Find the members of each plate of a model on new rows among those of the fit, by label.

    Members without labels are known by their number, unless the plate's size follows that of the
    rows: then every row is a new member.
    """
    old = {p.name: p for v in fitted.variables for p in v.plates}
    new = {p.name: p for v in model.variables for p in v.plates}
    before, now = arguments(fitted), arguments(model)
    lengths = [
        (len(before[n]), len(now[n]))
        for n in now
        if n in before and np.ndim(before[n]) and np.ndim(now[n]) and before[n] is not now[n]
    ]
    found = {}
    for name, plate in new.items():
        if name not in old:
            continue
        unlabelled = plate.labels is None and old[name].labels is None
        rows = unlabelled and (old[name].size, plate.size) in lengths
        known = {} if rows else {m: i for i, m in enumerate(old[name].coordinate().tolist())}
        places = np.array([known.get(m, -1) for m in plate.coordinate().tolist()])
        found[name] = Members(plate, places, rows, plate != old[name])
    return found


def place(
    old: Variable, new: Variable, draws: np.ndarray, members: Mapping[str, Members]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a site's draws for its new members, and which of these the fit has seen.

    The draws have shape (chain, draw, *new shape), with zeros for a member unseen; the other array
    has the shape of the plates. Raises `DataError` where the site has another shape besides them.
    """
    names, events = [p.name for p in new.plates], new.shape[len(new.plates) :]
    if names != [p.name for p in old.plates] or events != old.shape[len(old.plates) :]:
        raise DataError(
            f"site `{new.name}` has shape {new.shape} on newdata and {old.shape} in the fit, and "
            f"not for its plates: only the members of plates may be others than in the fit"
        )
    known = np.ones((), bool)
    for axis, name in enumerate(names):
        places = members[name].places
        draws = np.take(draws, np.maximum(places, 0), axis + 2)
        known = known[..., None] & (places >= 0)
    whole = known.reshape(known.shape + (1,) * len(events))
    return np.where(whole, draws, np.zeros((), draws.dtype)), known


@contextmanager
def newcomers(known: Mapping[str, np.ndarray], population: bool) -> Iterator[None]:
    """Give the members that are not known a value given the sites above them.

    It is drawn from the site's distribution, the population's, or is its mean. `known` says of
    each site which members are known.
    """

    def after(site: Site) -> None:
        seen = known.get(site.name)
        if seen is None or site.kind != "sample":
            return
        fresh = middle(site) if population else _draw(site)
        whole = seen.reshape(seen.shape + (1,) * (np.ndim(site.value) - seen.ndim))
        site.value = jnp.where(whole, site.value, fresh)

    with around(after=after):
        yield


def _draw(site: Site) -> Array:
    try:
        return site.distribution.sample(site.key)
    except NotImplementedError as error:
        raise ModelError(
            f"site `{site.name}` has an improper prior, so that no new members can be drawn: give "
            f"it a distribution"
        ) from error


def middle(site: Site) -> Array:
    """Return the mean of a site's distribution: the location where it is symmetric."""
    distribution = site.distribution
    if distribution.support.is_discrete:
        raise ModelError(
            f'site `{site.name}` is discrete and has no mean to stand at: take new_groups="sample"'
        )
    base: Any = bare(distribution)
    try:  # Cauchy's has no mean, but a middle
        mean = base.loc if know(base).symmetric else base.mean
    except (NotImplementedError, AttributeError) as error:
        raise ModelError(
            f"the mean of {name_family(distribution)} is not known, so that site `{site.name}` "
            f'cannot stand at it: take new_groups="sample"'
        ) from error
    return jnp.broadcast_to(mean, np.shape(site.value))
