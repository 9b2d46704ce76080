"""Trace a model into its program.

The model's function is called twice: once to discover the sites and their shapes (`variables`),
once, here, to write down what is computed of what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from finetti.distributions import biject_to, name_family, unchecked
from finetti.errors import ModelError
from finetti.language.chain import log_terms
from finetti.language.effects import Site, alone, around
from finetti.language.handlers import condition, trace
from finetti.language.holes import with_nan
from finetti.language.sites import check_shape, check_support
from finetti.structure.commute import commute
from finetti.structure.equations import opened, read_tag, tagged
from finetti.structure.graph import Graph, read_parents
from finetti.structure.hoist import hoist
from finetti.structure.identity import fingerprint
from finetti.structure.program import Outcome, Program
from finetti.structure.untraceable import explained
from finetti.structure.variables import Variable, is_discrete, placeholder, read_arguments
from finetti.types import Array, DType, Value, Values

OUTSIDE = (
    "draw random numbers, read files and use iterators up outside the model, and give it what "
    "they yield as arguments"
)


def write_program(
    run: Callable[[], object],
    sites: tuple[Variable, ...],
    dtype: DType,
    observed: Mapping[str, np.ndarray] | None = None,
) -> tuple[Program, Graph]:
    """Trace a model into its program at the given float type, and read its graph off it.

    The sites `observed` are observed as these arrays, which are then the last of the program's
    constants, by name in order, with nothing computed from them ahead: others of the same shapes
    and types may take their places.
    """
    latent = [v for v in sites if v.kind == "latent" and not v.discrete]
    free = {v.name: jax.ShapeDtypeStruct(v.free_shape, dtype) for v in latent}
    seen = {name: np.asarray(a) for name, a in sorted((observed or {}).items())}

    def evaluate(seen: dict[str, Array], free: dict[str, Array]) -> Outcome:
        def conditioned() -> None:
            with condition(seen):
                run()

        return _evaluate(conditioned if seen else run, free, sites)

    closed, shapes = jax.make_jaxpr(evaluate, return_shape=True)(seen, free)
    traced, held = opened(closed)
    data = tuple(map(_as_constant, held))
    discrete = {v.name for v in sites if v.kind == "latent" and v.discrete}
    # Discrete sites hold a placeholder, of which nothing may be computed ahead.
    jaxpr, constants = hoist(commute(traced), data, lambda e: read_tag(e) in discrete)
    constants += tuple(seen.values())
    tree = jax.tree.structure(shapes)
    kinds, names = [(c.shape, c.dtype.name) for c in constants], tuple(sorted(free))
    identity = fingerprint(jaxpr, str(tree), kinds, names)
    program = Program(jaxpr, constants, names, tree, identity, len(seen))
    # The outputs numbered, laid out as an `Outcome`: so it is known which are a site's arguments.
    positions = jax.tree.unflatten(tree, range(tree.num_leaves)).arguments
    arguments = {name: list(found.values()) for name, found in positions.items()}
    return program, Graph(sites, read_parents(traced, arguments))


def _as_constant(constant: Value) -> np.ndarray:
    if jnp.issubdtype(constant.dtype, jax.dtypes.extended):
        raise ModelError(
            "the model uses a random key made outside it: pass the numbers drawn from it as data"
        )
    return np.asarray(constant)


def _evaluate(
    run: Callable[[], object], free: dict[str, Array], known: tuple[Variable, ...]
) -> Outcome:
    """Run the model once, latent sites given by `free`, and return all that its program yields.

    Raises `ModelError` where its sites are not those that are `known` of it.
    """
    variables = {v.name: v for v in known}
    jacobians: dict[str, Array] = {}
    arguments: dict[str, dict[str, Array]] = {}

    def before(site: Site) -> None:
        match site.kind:
            case "factor":
                arguments[site.name] = {"log_weight": jnp.asarray(site.value)}
                return
            case "sample":
                arguments[site.name] = read_arguments(site.distribution)
                _refuse_other_data(site, variables.get(site.name))
                if site.latent and site.name not in variables:
                    _refuse_other_sites(list(variables), [*sites, site.name])
                if site.value is None:
                    site.value, jacobians[site.name] = _transform(site, free)
        site.value = tagged(site.value, site.name)

    with explained():
        with alone(), unchecked(), trace() as sites, around(before):
            run()
        # Outside `unchecked` a density is zero off its support.
        stated = [(name, site) for name, site in sites.items() if site.kind != "deterministic"]
        terms = {name: _log_terms(site) for name, site in stated}
    _refuse_other_sites(list(variables), list(sites))
    values = {name: jnp.asarray(s.value) for name, s in sites.items() if s.kind != "factor"}
    inside = {name: _inside(site) for name, site in sites.items() if name in jacobians}
    return Outcome(values, terms, jacobians, arguments, inside)


def _refuse_other_data(site: Site, known: Variable | None) -> None:
    """Refuse a site that is observed as other values than when the model was first read."""
    before = None if known is None else known.data
    if before is None or not site.observed or isinstance(site.value, Tracer):
        return
    now = np.asarray(with_nan(site.value))
    if now is before:
        return
    if now.shape != before.shape or not np.array_equal(now, before, equal_nan=True):
        raise ModelError(
            f"site `{site.name}` is observed as other values each time the model is read: "
            f"{_shown(before)} at first, then {_shown(now)}; {OUTSIDE}"
        )


def _refuse_other_sites(before: list[str], now: list[str]) -> None:
    """Refuse a model that has other sites than when it was first read."""
    if before != now:
        raise ModelError(
            f"the model has other sites each time it is read: {_listed(before)} at first, then "
            f"{_listed(now)}; {OUTSIDE}"
        )


def _shown(values: np.ndarray) -> str:
    some = ", ".join(f"{v:g}" for v in values.ravel()[:3].tolist())
    return f"{some}{', ...' if values.size > 3 else ''}" if values.size else "no value"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _inside(site: Site) -> Array:
    return jnp.all(jnp.asarray(site.distribution.support(site.value)))


def _transform(site: Site, free: dict[str, Array]) -> tuple[Array, Array]:
    """Return a latent site's value and log Jacobian; discrete ones wait to be provided."""
    if is_discrete(site.distribution):
        # They are summed out, or their values given; there is no coordinate to transform.
        return placeholder(site), jnp.zeros(())
    u, transform = free[site.name], biject_to(site.distribution.support)
    value = transform(u)
    return value, jnp.sum(transform.log_abs_det_jacobian(u, value))


def invert(run: Callable[[], object], values: Values) -> dict[str, Array]:
    """Return the unconstrained values of latent variables from constrained ones.

    Discrete variables have none. Latent variables without a value take any: no other's support
    may depend on them.
    """
    free: dict[str, Array] = {}

    def before(site: Site) -> None:
        if not site.latent or site.value is not None:
            return
        if site.name not in values:
            site.value = placeholder(site)
            return
        site.value = jnp.asarray(values[site.name])
        check_shape(site)
        check_support(site)
        if not is_discrete(site.distribution):
            free[site.name] = biject_to(site.distribution.support).inv(site.value)

    with alone(), unchecked(), around(before):
        run()
    return free


def _log_terms(site: Site) -> Array:
    if site.kind == "factor":
        return jnp.asarray(site.value)
    try:
        return log_terms(site.distribution, site.value)
    except NotImplementedError as error:
        raise ModelError(
            f"site `{site.name}`: {name_family(site.distribution)} has no density: give the class "
            f"a method log_prob(value)"
        ) from error
