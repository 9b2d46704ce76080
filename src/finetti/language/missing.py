"""Let what observed variables lack be unknown: the rest stays observed, the holes get a site."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from finetti.distributions.partly import Parts, part
from finetti.errors import MissingValue
from finetti.language.dims import as_plate
from finetti.language.effects import Site, acting, apart, around, inside
from finetti.language.groups import Groups
from finetti.language.holes import with_nan
from finetti.language.sites import check_shape, fit_value, sample
from finetti.types import Value


def of_holes(site: str) -> str:
    """Return the name of the site that stands for what another one lacks.

    >>> of_holes("y"), of_holes("bmi_known")
    ('y_missing', 'bmi_missing')
    """
    return f"{site.removesuffix('_known')}_missing"


@contextmanager
def impute(unread: Collection[str] = ()) -> Iterator[None]:
    """Let what observed sites lack be latent: for `y` a site `y_missing`, in a plate `y_hole`.

    The members of the plate are the labels of what is missing. The likelihood of `y` is that of
    what is known, and the statement returns the values with those of `y_missing` in their places.
    Sites of holes that are named in `unread` are left out: nothing depends on them, and what they
    would be is told by a prediction. Within another such block it leaves all to that.

    Raises `MissingValue` where a site lacks all values, or an observation lacks some that cannot
    be told apart from the others.
    """
    if acting("impute"):
        yield
        return
    opened: dict[int, Parts] = {}

    def before(site: Site) -> None:
        """Observe what is known of a site, and remember what is missing for `after`."""
        if site.kind != "sample" or not site.observed:
            return
        if isinstance(site.value, Tracer | Groups):
            return
        value = np.asarray(with_nan(site.value))
        if value.dtype.kind != "f" or not np.isnan(value).any():
            return
        site.value = value
        site.distribution = site.distribution if site.plates else fit_value(site)
        check_shape(site)
        if np.isnan(value).all():
            raise MissingValue(
                f"site `{site.name}` is observed and has no value at all: leave `obs` out, and it "
                f"is latent"
            )
        parts = part(site.distribution, value)
        if isinstance(parts, str):
            raise MissingValue(f"site `{site.name}`: {parts}")
        site.distribution, site.value, site.holes = parts.seen, parts.filled, parts.holes
        if of_holes(site.name) not in unread:
            opened[id(site)] = parts

    def after(site: Site) -> None:
        parts = opened.pop(id(site), None)
        if parts is None:
            return
        missing = _holes(site, parts)
        lost = parts.holes
        site.whole = jnp.where(lost, missing[parts.where], site.value)

    with around(before, after, "impute"):
        yield


def _holes(site: Site, parts: Parts) -> Value:
    """Draw what is missing, in a plate of its own or as one vector."""
    unseen = parts.unseen(site.value)
    events = len(unseen.event_shape) if unseen.batch_shape else 0
    across = tuple(range(parts.holes.ndim - events, parts.holes.ndim))
    lost = np.asarray(parts.holes.any(across))
    name, labels = f"{site.name.removesuffix('_known')}_hole", _labels(site, lost)
    with apart():
        if not unseen.batch_shape:
            return sample(of_holes(site.said), unseen, dims={name: labels})
        with inside(as_plate(name, labels)):
            return sample(of_holes(site.said), unseen)


def _labels(site: Site, lost: np.ndarray) -> list[Hashable]:
    """Return the labels of what is missing: its member's, or those of several dimensions joined."""
    named = [p.coordinate().tolist() for p in site.plates]
    own = lost.shape[len(named) :]
    for place, size in enumerate(own):
        _, given = site.dims[place] if site.dims else ("", None)
        named.append(list(given) if isinstance(given, Sequence) else list(range(size)))
    found = [[axis[i] for axis, i in zip(named, at, strict=True)] for at in np.argwhere(lost)]
    return [f[0] if len(f) == 1 else ", ".join(map(str, f)) for f in found]
