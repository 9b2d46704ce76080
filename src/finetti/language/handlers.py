"""Intercept a model's statements: seed, trace, condition, intervene, redraw and their kin.

Each handler is a context manager, written as one closure over what it needs to remember:
`with trace() as sites, seed(0): model.run()`. A fresh closure each time keeps them re-entrant.
Copy the shape of `condition` for a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from zlib import crc32

import jax
import numpy as np

from finetti.distributions import Distribution, describe_support, name_family
from finetti.distributions.ends import beyond
from finetti.errors import (
    DuplicateSite,
    ModelError,
    SeedError,
    ShapeError,
    SupportError,
    UnknownSite,
)
from finetti.language.effects import Site, around
from finetti.language.sites import fill, fit_value
from finetti.types import Key, Values


def whole_seed(seed: object) -> int:
    """Return a seed as Python's own number; raise `SeedError` for no whole number of 64 bits.

    >>> whole_seed(np.int32(7))
    7
    """
    if isinstance(seed, int | np.integer) and -(2**63) <= int(seed) < 2**63:
        return int(seed)
    raise SeedError(f"a seed is a whole number of at most 64 bits, not {seed!r:.80}")


@contextmanager
def seed(key: int | Key) -> Iterator[None]:
    """Draw every site that has no value, with a key folded from `key` and the site's name.

    A site's draw does not depend on which other sites the model has. `key` is an integer or a
    JAX key.

    >>> with seed(0):
    ...     mu = sample("mu", Normal(0, 5))
    >>> with seed(0):
    ...     bool(sample("mu", Normal(0, 5)) == mu)
    True
    """
    root = key if isinstance(key, jax.Array) else jax.random.key(whole_seed(key))

    def before(site: Site) -> None:
        if site.kind == "sample" and site.key is None:
            # Python's own hash of text differs from process to process.
            site.key = jax.random.fold_in(root, crc32(site.name.encode()))

    with around(before):
        yield


@contextmanager
def trace() -> Iterator[dict[str, Site]]:
    """Record the sites by name, in order; a name met twice raises `DuplicateSite`.

    >>> with trace() as sites, seed(0):
    ...     _ = sample("mu", Normal(0, 5))
    >>> list(sites)
    ['mu']
    """
    sites: dict[str, Site] = {}

    def after(site: Site) -> None:
        if site.name in sites:
            raise DuplicateSite(
                f"two sites are named `{site.name}`: rename one, or call the inner model "
                f"as model.named('other')(...)"
            )
        sites[site.name] = site

    with around(after=after):
        yield sites


@contextmanager
def condition(values: Values) -> Iterator[None]:
    """Observe the random variables named in `values`: the same as passing `obs=`.

    >>> with trace() as sites, condition({"y": 2.0}), seed(0):
    ...     _ = sample("y", Normal(0, 5))
    >>> sites["y"].observed, float(sites["y"].value)
    (True, 2.0)
    """
    with _giving(values, "condition on") as give:

        def before(site: Site) -> None:
            if site.kind == "sample" and give(site):
                site.observed = True

        with around(before):
            yield


@contextmanager
def leave_out(places: Values) -> Iterator[None]:
    """Leave observations out: `places` maps sites to True where their log density is to be 0.

    Each array has the shape of the site's observations, an event being one of them.

    >>> with trace() as sites, leave_out({"y": [True, False]}), plate("row", 2):
    ...     _ = sample("y", Normal(0, 1), obs=[3.0, 0.0])
    >>> sites["y"].distribution.log_prob(sites["y"].value)[0].item()
    0.0
    """
    with _naming(places, "leave out observations of") as named:

        def before(site: Site) -> None:
            if not site.observed or not named(site):
                return
            distribution = site.distribution if site.plates else fit_value(site)
            left, shape = np.asarray(places[site.name], bool), distribution.batch_shape
            if left.shape != shape:
                raise ShapeError(
                    f"site `{site.name}` has observations of shape {shape}: leave out by an "
                    f"array of that shape, not {left.shape}"
                )
            site.distribution = distribution.mask(~left)  # pyright: ignore[reportArgumentType]

        with around(before):
            yield


@contextmanager
def intervene(values: Values) -> Iterator[None]:
    """Set variables by fiat (Pearl's do): each keeps its value and loses its prior.

    A value of fewer numbers than its site has is that of every member. Raises `ShapeError` where it
    does not fit the site's plates.
    """
    with _giving(values, "intervene on") as give:

        def before(site: Site) -> None:
            if site.kind == "sample" and give(site):
                site.value = fill(site)
                site.kind = "deterministic"

        with around(before):
            yield


@contextmanager
def substitute(values: Values) -> Iterator[None]:
    """Fix the values of latent variables; their prior density still counts.

    >>> with substitute({"mu": 1.5}):
    ...     float(sample("mu", Normal(0, 5)))
    1.5
    """
    with _giving(values, "substitute") as give:

        def before(site: Site) -> None:
            if site.kind == "sample":
                give(site)

        with around(before):
            yield


@contextmanager
def priors(wished: Mapping[str, Distribution]) -> Iterator[None]:
    """Give latent variables other distributions, of one number or of the site's shape.

    Raises `SupportError` for one with values that the site's own cannot have, `ShapeError` for one
    of another shape.
    """
    with _naming(wished, "give a prior to") as named:

        def before(site: Site) -> None:
            if site.kind == "sample" and named(site):
                if site.observed:
                    raise ModelError(f"site `{site.name}` is observed, and has no prior to change")
                site.distribution = _as_prior(site, wished[site.name])

        with around(before):
            yield


def _as_prior(site: Site, wished: Distribution) -> Distribution:
    own = site.distribution
    whole = own.batch_shape + own.event_shape
    found = wished.expand(whole).to_event(len(own.event_shape)) if not (
        wished.batch_shape or wished.event_shape) else wished  # fmt: skip
    if found.batch_shape + found.event_shape != whole:
        raise ShapeError(
            f"site `{site.name}` has shape {whole}: give a prior of one number or of that shape, "
            f"not {found.batch_shape + found.event_shape}"
        )
    if beyond(wished, own):
        raise SupportError(
            f"site `{site.name}` is {describe_support(own.support)}: its prior cannot be "
            f"{name_family(wished)}, which is {describe_support(wished.support)}"
        )
    return found.to_event(len(own.event_shape) - len(found.event_shape))


@contextmanager
def redraw(keep: Callable[[Site], bool] | None = None) -> Iterator[None]:
    """Draw anew what is observed, in the shape in which it is observed.

    Sites for which `keep` is true stay observed.
    """

    def before(site: Site) -> None:
        if site.kind == "sample" and site.observed and not (keep is not None and keep(site)):
            if not site.plates:
                site.distribution = fit_value(site)
            site.value, site.observed = None, False

    with around(before):
        yield


@contextmanager
def replay(sites: Mapping[str, Site]) -> Iterator[None]:
    """Give the latent variables the values that a trace recorded, where it has them.

    >>> with trace() as first, seed(0):
    ...     mu = sample("mu", Normal(0, 5))
    >>> with replay(first):
    ...     bool(sample("mu", Normal(0, 5)) == mu)
    True
    """

    def before(site: Site) -> None:
        known = sites.get(site.name)
        if site.latent and site.value is None and known is not None and known.latent:
            site.value = known.value

    with around(before):
        yield


@contextmanager
def block(names: str | Iterable[str] | Callable[[Site], bool]) -> Iterator[None]:
    """Hide sites, by name, one or several, or by a test, from the handlers further out.

    >>> with trace() as sites, block(["mu"]), seed(0):
    ...     _ = sample("mu", Normal(0, 5)), sample("tau", HalfNormal(1))
    >>> list(sites)
    ['tau']
    """
    several = (names,) if isinstance(names, str) else names  # not its letters
    hidden = several if callable(several) else frozenset(several)

    def before(site: Site) -> None:
        site.hidden = hidden(site) if callable(hidden) else site.name in hidden

    with around(before):
        yield


@contextmanager
def scope(prefix: str) -> Iterator[None]:
    """Prefix the names of all sites: `theta` becomes `prefix/theta`."""

    def before(site: Site) -> None:
        site.name = f"{prefix}/{site.name}"

    with around(before):
        yield


@contextmanager
def _giving(values: Values, verb: str) -> Iterator[Callable[[Site], bool]]:
    """Yield a function that gives a site its value; refuse names that no site had."""
    with _naming(values, verb) as named:

        def give(site: Site) -> bool:
            if not named(site):
                return False
            site.value = values[site.name]
            return True

        yield give


@contextmanager
def _naming(values: Values, verb: str) -> Iterator[Callable[[Site], bool]]:
    """Yield a function that tells whether a site is named; refuse names that no site had."""
    unmet, met = dict.fromkeys(values), []

    def named(site: Site) -> bool:
        met.append(site.name)
        unmet.pop(site.name, None)
        return site.name in values

    yield named
    if unmet:
        raise UnknownSite.among(next(iter(unmet)), met, verb)
