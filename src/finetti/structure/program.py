"""Trace a model into a program: its variables, and one jaxpr that everything else reads.

The model's function is called twice: once to discover the sites and their shapes, once to
write down the program, a pure function from unconstrained values of the latent variables to
the joint log density and every site's value. Data become the program's constants, so that
models of equal structure share compiled code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.core import Tracer, eval_jaxpr

from finetti.distributions import (
    Distribution,
    biject_to,
    constraints,
    demands,
    describe_support,
    name_family,
    scalar_support,
    unchecked,
)
from finetti.errors import ModelError
from finetti.language.dims import Plate
from finetti.language.effects import Site, alone, around
from finetti.language.handlers import trace
from finetti.language.sites import check_shape, check_support
from finetti.structure.graph import Graph, read_parents
from finetti.structure.hoist import hoist
from finetti.types import Array, Constants, DType

TAG = "finetti:"


@dataclass(frozen=True)
class Variable:
    """Describe one site: what it is, its shape and named dimensions, its support.

    `kind` is "latent", "observed", "fixed", "deterministic" or "factor". `shape` is the
    constrained shape, `free_shape` that of the unconstrained value (latent sites only).
    `support` says in words which values it takes and `transform` names the bijection from the
    real numbers. `constraints` hold what its distribution demands of each argument, `data` an
    observed value.
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
    constraints: Mapping[str, Any] = field(default_factory=dict)
    data: np.ndarray | None = None


class Outcome(NamedTuple):
    """Hold what one evaluation of a program yields.

    `log_joint` and `log_jacobian` are scalars; `values` maps every site to its value,
    `log_terms` each sample or factor site to its share of the log joint, `arguments` each
    sample site to its distribution's arguments.
    """

    log_joint: Array
    log_jacobian: Array
    values: dict[str, Array]
    log_terms: dict[str, Array]
    arguments: dict[str, dict[str, Array]]


@dataclass(frozen=True, eq=False)
class Program:
    """Hold a traced model; programs with the same fingerprint are equal and share compiled code.

    Call `program(constants, free)` with `free` mapping each latent variable to its
    unconstrained value.
    """

    jaxpr: Any
    constants: tuple[np.ndarray, ...]
    tree: Any
    fingerprint: str

    def __call__(self, constants: Constants, free: dict[str, Array]) -> Outcome:
        """Evaluate the program."""
        flat = eval_jaxpr(self.jaxpr, constants, *jax.tree.leaves(free))
        return jax.tree.unflatten(self.tree, flat)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


def discover(run: Callable[[], Any]) -> tuple[Variable, ...]:
    """Run a model abstractly and describe its sites in order.

    Raises the `ModelError`s of the language: nothing is compiled.
    """
    found: dict[str, Variable] = {}

    def inspect() -> int:
        given: set[str] = set()

        def before(site: Site) -> None:
            if site.latent and site.value is None:
                site.value = _placeholder(site)
            elif site.latent:
                given.add(site.name)

        with alone(), unchecked(), trace() as sites, around(before):
            run()
        found.update({name: _describe(site, name in given) for name, site in sites.items()})
        return 0

    jax.eval_shape(inspect)
    _agree_on_plates(found.values())
    return tuple(found.values())


def _placeholder(site: Site) -> Array:
    shape = site.distribution.batch_shape + site.distribution.event_shape
    if is_discrete(site.distribution):
        return jnp.zeros(shape, int)
    free = jnp.zeros(_free_shape(site))
    return biject_to(site.distribution.support)(free)


def write_program(
    run: Callable[[], Any], variables: tuple[Variable, ...], dtype: DType
) -> tuple[Program, Graph]:
    """Trace a model into its program at the given float type, and read its graph off it."""
    latent = [v for v in variables if v.kind == "latent"]
    free = {v.name: jax.ShapeDtypeStruct(v.free_shape, dtype) for v in latent}
    closed, shapes = jax.make_jaxpr(lambda u: _evaluate(run, u), return_shape=True)(free)
    data = tuple(np.asarray(c) for c in closed.consts)
    jaxpr, constants = hoist(closed.jaxpr, data)
    tree = jax.tree.structure(shapes)
    kinds = [(c.shape, c.dtype.name) for c in constants]
    fingerprint = f"{jaxpr}\n{tree}\n{kinds}"
    program = Program(jaxpr, constants, tree, fingerprint)
    positions = jax.tree.unflatten(tree, range(tree.num_leaves)).arguments
    arguments = {name: list(found.values()) for name, found in positions.items()}
    return program, Graph(variables, read_parents(closed.jaxpr, arguments, TAG))


def _evaluate(run: Callable[[], Any], free: dict[str, Array]) -> Outcome:
    log_jacobian = jnp.zeros(())
    arguments: dict[str, dict[str, Array]] = {}

    def tag(site: Site) -> None:
        site.value = checkpoint_name(jnp.asarray(site.value), TAG + site.name)

    def before(site: Site) -> None:
        nonlocal log_jacobian
        if site.kind == "deterministic":
            tag(site)
        elif site.kind == "factor":
            arguments[site.name] = {"log_weight": jnp.asarray(site.value)}
        elif site.kind == "sample":
            arguments[site.name] = read_arguments(site.distribution)
            if site.value is not None:
                tag(site)
            elif is_discrete(site.distribution):  # the plan refuses it by name
                site.value = _placeholder(site)
                tag(site)
            else:
                u, transform = free[site.name], biject_to(site.distribution.support)
                site.value = transform(u)
                log_jacobian += jnp.sum(transform.log_abs_det_jacobian(u, site.value))
                tag(site)

    with alone(), unchecked(), trace() as sites, around(before):
        run()
    terms = {name: _log_term(site) for name, site in sites.items() if site.kind != "deterministic"}
    values = {name: jnp.asarray(s.value) for name, s in sites.items() if s.kind != "factor"}
    return Outcome(sum(terms.values(), jnp.zeros(())), log_jacobian, values, terms, arguments)


def invert(run: Callable[[], Any], values: Mapping[str, Any]) -> dict[str, Array]:
    """Return the unconstrained values of a model's latent variables from constrained ones."""
    free: dict[str, Array] = {}

    def before(site: Site) -> None:
        if site.latent and site.value is None:
            site.value = jnp.asarray(values[site.name])
            check_shape(site)
            check_support(site)
            free[site.name] = biject_to(site.distribution.support).inv(site.value)

    with alone(), unchecked(), around(before):
        run()
    return free


def _log_term(site: Site) -> Array:
    if site.kind == "factor":
        return jnp.sum(site.value)
    return jnp.sum(site.distribution.log_prob(site.value))


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
    plates, shape = site.plates, tuple(jnp.shape(site.value))
    sizes = tuple(p.size for p in plates)
    plates = plates if shape[: len(sizes)] == sizes else ()
    dims = tuple(p.name for p in plates)
    dims += tuple(f"{site.name}_dim_{i}" for i in range(len(shape) - len(plates)))
    if site.kind != "sample":
        return Variable(site.name, site.kind, "", shape, dims, plates)
    distribution, kind = site.distribution, "observed" if site.observed else "latent"
    kind = "fixed" if given else kind
    discrete = is_discrete(distribution)
    free, transform = ((), "")
    if kind == "latent" and not discrete:
        free, transform = _free_shape(site), type(biject_to(distribution.support)).__name__
    return Variable(
        name=site.name,
        kind=kind,
        family=name_family(distribution),
        shape=shape,
        dims=dims,
        plates=plates,
        support=describe_support(distribution.support),
        discrete=discrete,
        transform=transform.removesuffix("Transform"),
        free_shape=free,
        constraints=read_constraints(distribution),
        data=_known(site.value) if kind == "observed" else None,
    )


def is_discrete(distribution: Distribution) -> bool:
    """Tell whether a distribution's values are discrete."""
    return bool(getattr(distribution.support, "is_discrete", False))


def _known(value: Any) -> np.ndarray | None:
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
    known: dict[str, Plate] = {}
    for plate in (p for v in variables for p in v.plates):
        if known.setdefault(plate.name, plate) != plate:
            raise ModelError(
                f"plate `{plate.name}` is opened twice with different members "
                f"({known[plate.name].size} and {plate.size}): give one of them another name"
            )
