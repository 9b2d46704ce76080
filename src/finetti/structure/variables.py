"""Describe a model's sites: what each is, its shape, its named dimensions and its support."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from finetti.distributions import (
    NOTHING,
    Distribution,
    Known,
    biject_to,
    constraints,
    demands,
    describe_support,
    is_borrowed,
    know,
    locate,
    name_family,
    scalar_support,
    unchecked,
    unmasked,
    unweighted,
)
from finetti.errors import ModelError
from finetti.language.dims import Plate, own_dims
from finetti.language.effects import Site, alone, around
from finetti.language.handlers import trace
from finetti.structure.codes import check_codes
from finetti.structure.equations import opened, tagged
from finetti.structure.untraceable import explained
from finetti.types import Array, Value, Values

# Names that no file of a run's folder can have, or that Zarr has files of itself.
BARRED = ("", ".", "..", "zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
LONGEST = 200  # bytes of a name


@dataclass(frozen=True)
class Variable:
    """Describe one site: what it is, its shape and named dimensions, its support.

    `kind` is "latent", "observed", "fixed", "deterministic" or "factor". `shape` is the
    constrained shape, `free_shape` that of the unconstrained value (latent sites only).
    `support` says in words which values it takes and `transform` names the bijection from the
    real numbers. `located` names the location-scale family of the unconstrained value, if it has
    one. `known` is what is known of its family, `foreign` that a user has written it. `constraints`
    hold what its distribution demands of each argument, `data` an observed value, `counting` where
    it counts if some of it is left out, `weights` how often each value counts if not once: family
    and all that is known of it are then those of what is weighted. `holes` says where it was
    missing and is filled in. `axes` are its own dimensions where the site names them, `categories`
    the names of those that its values are, where it was observed as groups.
    """

    name: str
    kind: str
    family: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    plates: tuple[Plate, ...]
    support: str = ""
    discrete: bool = False
    transform: str = ""
    free_shape: tuple[int, ...] = ()
    located: str = ""
    known: Known = NOTHING
    foreign: bool = False
    constraints: Mapping[str, Any] = field(default_factory=dict)
    data: np.ndarray | None = None
    counting: np.ndarray | None = None
    weights: np.ndarray | None = None
    axes: tuple[Plate, ...] = ()
    holes: np.ndarray | None = None
    categories: tuple[Hashable, ...] = ()

    @property
    def shown(self) -> np.ndarray | None:
        """Return an observed value as it was given, NaN where it was missing."""
        if self.data is None or self.holes is None:
            return self.data
        return np.where(self.holes, np.nan, self.data)

    @property
    def one_by_one(self) -> bool:
        """Tell whether each member has an unconstrained value of its own, unlike a simplex's."""
        one = ("real", "positive", "above", "below", "between")
        return self.free_shape == self.shape and self.support.split(" ")[0] in one

    @property
    def counts(self) -> np.ndarray | None:
        """Return how often each observation counts, None where each does once; 0 if left out."""
        if self.weights is None:
            return None if self.counting is None else self.counting.astype(float)
        return self.weights if self.counting is None else self.weights * self.counting

    def counted(self, shape: tuple[int, ...]) -> np.ndarray:
        """Tell of observations of a shape, an event being one, whether each is known and counts."""
        counts, holes = self.counts, self.holes
        found = np.ones(shape, bool) if counts is None else np.broadcast_to(counts, shape) > 0
        return found if holes is None else found & ~holes.reshape(*shape, -1).all(-1)

    @property
    def never_negative(self) -> bool:
        """Tell whether its support says that no member is below zero, as of scales and shares."""
        kind, _, bounds = self.support.partition(" ")
        return kind == "positive" or (kind in ("above", "between") and bounds[0].isdigit())


def discover(
    run: Callable[[], object], columns: Callable[[], Values] = dict
) -> tuple[Variable, ...]:
    """Run a model abstractly, describe its sites in order, and look at the codes it indexes by.

    `columns` returns the model's data by name. Raises the `ModelError`s of the language: nothing is
    compiled.
    """
    found: dict[str, Variable] = {}

    def inspect() -> int:
        given: set[str] = set()

        def before(site: Site) -> None:
            if site.latent and site.value is None:
                site.value = placeholder(site)
            elif site.latent:
                given.add(site.name)

        def after(site: Site) -> None:
            if site.kind != "factor" and isinstance(site.value, Tracer):
                site.value = tagged(site.value, site.name)

        with explained(), alone(), unchecked(), trace() as sites, around(before, after):
            run()
        found.update({name: _describe(site, name in given) for name, site in sites.items()})
        # What is found is kept aside; the jaxpr is wanted for its indices alone.
        return 0

    jaxpr, constants = opened(jax.make_jaxpr(inspect)())
    _agree_on_plates(found.values())
    _agree_on_names(found.values())
    plates = {p.name: p for v in found.values() for p in v.plates}
    check_codes(jaxpr, constants, {v.name: v.dims for v in found.values()}, plates, columns)
    known = named_dimensions(found.values())
    return tuple(replace(v, axes=tuple(known[p.name] for p in v.axes)) for v in found.values())


def named_dimensions(variables: Iterable[Variable]) -> dict[str, Plate]:
    """Return the dimensions that have names of their own: plates, and axes that sites name.

    An axis has the labels that any site gives it.
    """
    found: dict[str, Plate] = {}
    for p in (p for v in variables for p in (*v.plates, *v.axes)):
        # The first plate of a name that has labels stands for all.
        if found.setdefault(p.name, p).labels is None:
            found[p.name] = p
    return found


def placeholder(site: Site) -> Array:
    shape = site.distribution.batch_shape + site.distribution.event_shape
    if is_discrete(site.distribution):
        return jnp.zeros(shape, int)
    free = jnp.zeros(_free_shape(site))
    return biject_to(site.distribution.support)(free)


def read_arguments(distribution: Distribution) -> dict[str, Array]:
    """Return a distribution's numeric arguments by name, its inner distributions' included."""
    found: dict[str, Array] = {}
    for name, value in vars(distribution).items():
        if isinstance(value, Distribution):
            found |= {f"{name}.{k}": v for k, v in read_arguments(value).items()}
        elif name in type(distribution).arg_constraints and value is not None:
            found[name] = jnp.asarray(value)
    return found


def read_constraints(distribution: Distribution) -> dict[str, Any]:
    """Return what a distribution demands of its arguments, by name as `read_arguments` has them."""
    found = demands(distribution)
    for name, value in vars(distribution).items():
        if isinstance(value, Distribution):
            found |= {f"{name}.{k}": c for k, c in read_constraints(value).items()}
    return found


def _describe(site: Site, given: bool) -> Variable:
    """Describe a site; `given` tells that a latent one has a value that the user gave."""
    plates, shape = site.plates, tuple(jnp.shape(site.value))
    sizes = tuple(p.size for p in plates)
    # What is computed within a plate need not have a value for each member.
    plates = plates if shape[: len(sizes)] == sizes else ()
    dims = tuple(p.name for p in plates)
    own = shape[len(plates) :]
    axes = own_dims(site.name, site.dims, own) if site.dims else ()
    dims += tuple(p.name for p in axes) or tuple(f"{site.name}_dim_{i}" for i in range(len(own)))
    if site.kind != "sample":
        return Variable(site.name, site.kind, "", shape, dims, plates, axes=axes)
    distribution, kind = site.distribution, "observed" if site.observed else "latent"
    kind = "fixed" if given else kind
    # Masks and weights wrap an observed distribution; what is known of a family is of what they
    # wrap.
    bare, counting = unmasked(distribution)
    bare, weights = unweighted(bare)
    counted = bare if site.observed else distribution
    discrete = is_discrete(distribution)
    free, transform = ((), "")
    if kind == "latent" and not discrete:
        free, transform = _free_shape(site), type(biject_to(distribution.support)).__name__
    return Variable(
        name=site.name,
        kind=kind,
        family=name_family(counted),
        shape=shape,
        dims=dims,
        plates=plates,
        support=describe_support(distribution.support),
        discrete=discrete,
        transform=transform.removesuffix("Transform"),
        free_shape=free,
        located=locate(distribution) if kind == "latent" and not discrete else "",
        known=know(counted),
        foreign=not is_borrowed(counted),
        constraints=read_constraints(distribution),
        data=_known(site.value) if kind == "observed" else None,
        counting=counting if kind == "observed" else None,
        weights=weights if kind == "observed" else None,
        axes=axes,
        holes=site.holes,
        categories=site.categories,
    )


def is_discrete(distribution: Distribution) -> bool:
    """Tell whether a distribution's values are discrete."""
    return bool(getattr(distribution.support, "is_discrete", False))


def _known(value: Value) -> np.ndarray | None:
    return None if isinstance(value, Tracer) else np.asarray(value)


def _free_shape(site: Site) -> tuple[int, ...]:
    shape = site.distribution.batch_shape + site.distribution.event_shape
    try:
        if scalar_support(site.distribution.support) is constraints.complex:
            raise NotImplementedError
        return tuple(biject_to(site.distribution.support).inverse_shape(shape))
    except NotImplementedError as error:
        raise ModelError(
            f"site `{site.name}`: no bijection from the real numbers to {site.distribution.support}"
        ) from error


def _agree_on_plates(variables: Iterable[Variable]) -> None:
    """Refuse two plates or dimensions of one name with different members; some may lack labels."""
    known: dict[str, Plate] = {}
    for plate in (p for v in variables for p in (*v.plates, *v.axes)):
        other = known.setdefault(plate.name, plate)
        if other.own != plate.own:
            raise ModelError(
                f"`{plate.name}` names a plate and a site's own dimension: give one another name"
            )
        unlabelled = plate.own and None in (plate.labels, other.labels)
        if other.labels is None:
            known[plate.name] = plate
        if other.size != plate.size or (other != plate and not unlabelled):
            what = f"{'dimension' if plate.own else 'plate'} `{plate.name}`"
            raise ModelError(
                f"{what} is {'named' if plate.own else 'opened'} twice with different members "
                f"({other.size} and {plate.size}): give one of them another name"
            )


def _require_keepable(name: object, what: str) -> None:
    """Refuse a name that a run on disk, a folder of files so named, could not have."""
    kept = name.replace("/", ".") if isinstance(name, str) else ""
    barred = kept in BARRED or any(c in kept for c in "\\\0")
    if barred or len(kept.encode("utf-8", "replace")) > LONGEST:
        raise ModelError(
            f"{what:.80} has a name under which no run could be kept, {name!r:.80}: a name is a "
            f"text of 1 to {LONGEST} bytes, without backslashes, and none of "
            f"{', '.join(BARRED[1:])}; rename it"
        )


def _agree_on_names(variables: Collection[Variable]) -> None:
    """Refuse two things of one name: a posterior holds draws and dimensions by their names."""
    taken: dict[str, str] = dict.fromkeys(("chain", "draw"), "a posterior's own dimension")
    plates = dict.fromkeys(p.name for v in variables for p in v.plates)
    named = [(p, f"plate `{p}`") for p in plates] + [
        (v.name, f"site `{v.name}`") for v in variables
    ]
    shared = dict.fromkeys(p.name for v in variables for p in v.axes)
    named += [(d, f"dimension `{d}`") for d in shared]
    own = dict.fromkeys(
        (d, v.name) for v in variables if not v.axes for d in v.dims[len(v.plates) :]
    )
    named += [(d, f"dimension `{d}` of site `{site}`") for d, site in own]
    for name, what in named:
        _require_keepable(name, what)
        other = taken.setdefault(name.replace("/", "."), what)
        if other is not what:
            raise ModelError(f"{what} has the name of {other}: rename one of them")
