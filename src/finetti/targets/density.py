"""Turn a model into a log density on a flat unconstrained vector, and back into named values."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import jax
import jax.numpy as jnp

from finetti.dividing import divided
from finetti.errors import SamplingError, SeedError, UnknownSite
from finetti.language.taken import kept
from finetti.models import Model, require_model
from finetti.structure import recovery
from finetti.structure.choices import AS_WRITTEN, Choices
from finetti.structure.form import Form, Given
from finetti.structure.plan import Plan
from finetti.structure.program import Outcome
from finetti.structure.tracing import invert
from finetti.structure.variables import Variable
from finetti.targets.layout import Layout
from finetti.types import Array, Atom, Device, DType, Key, Position, Scalar, Values


@dataclass(frozen=True)
class Target:
    """Evaluate a form of a model at a flat position, with its data given as constants.

    Targets of models with equal structure are equal, so that compiled code is shared.
    """

    form: Form
    layout: Layout

    def log_density(self, given: Given, position: Position) -> Scalar:
        """Return the log density of what is sampled, the log Jacobian of its coordinates added."""
        arrays = jax.tree.map(jnp.asarray, given)  # derivatives may index what is known by a tracer
        return _log_density(self)(arrays, position)

    def log_density_anew(self, given: Given, position: Position) -> Scalar:
        """Return the log density, traced anew."""
        free, fixed = self._fixed(position)
        if not fixed:
            return self.form.log_density(given, free)
        inside = self.form.inside(given, free, fixed)
        return jnp.where(inside, self.form.log_density(given, free, fixed), -jnp.inf)

    def by_member(self, given: Given, position: Position) -> Array:
        """Return the log density of each member that moves by itself, given all the rest."""
        return self.form.by_member(given, self.layout.split(position))

    def outcome(self, key: Key, given: Given, position: Position) -> Outcome:
        """Evaluate every site of the user's model, drawing with the key what was taken out."""
        return recovery.recover(self.form, key, given, *self._split(position))

    def release(self, given: Given, position: Position) -> Position:
        """Return the position at which the model stands when no site has been moved."""
        return self.layout.join(self.form.release(given, self.layout.split(position)))

    def adopt(self, given: Given, plain: Position) -> Position:
        """Return the position of a point given when no site has been moved: `release` undone."""
        return self.layout.join(self.form.adopt(given, self.layout.split(plain)))

    def settled(self, given: Given, position: Position) -> Outcome:
        """Evaluate every site of the user's model, what was taken out being most probable."""
        return recovery.settle(self.form, given, self.layout.split(position))

    def log_ratio(self, key: Key, given: Given, position: Position) -> Scalar:
        """Return the log density over its approximation at `outcome`'s draw with the same key."""
        free, fixed = self._fixed(position)
        return recovery.log_ratio(self.form, key, given, free, fixed)

    def values(
        self, key: Key, given: Given, position: Position, names: Collection[str]
    ) -> dict[str, Array]:
        """Evaluate some sites of the user's model, drawing with the key what was taken out."""
        free, fixed = self._fixed(position)
        return recovery.values(self.form, key, given, free, names, fixed)

    def moments(
        self, key: Key, given: Given, position: Position, names: Collection[str]
    ) -> dict[str, tuple[Array, Array]]:
        """Return the mean and variance of some sites, those taken out being integrated over."""
        free, fixed = self._fixed(position)
        return recovery.moments(self.form, key, given, free, names, fixed)

    def probabilities(self, given: Given, position: Position) -> dict[str, Array]:
        """Return the state probabilities of each site summed out, shape (*shape, states)."""
        return recovery.probabilities(self.form, given, *self._fixed(position))

    def _fixed(self, position: Position) -> tuple[dict[str, Array], dict[Atom, Array]]:
        """Return the free values, and the program's variables that are moved as they are."""
        free, values = self._split(position)
        return free, self.form.fix(values) if values else {}

    def _split(self, position: Position) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the free values, and the values of the sites that are moved as they are."""
        parts = self.layout.split(position)
        tags = self.form.program.tags if self.layout.natural else {}
        values = {n: _as_type(parts.pop(n), tags[n].aval.dtype) for n in self.layout.natural}
        return parts, values


@lru_cache(maxsize=32)
def _log_density(target: Target) -> Callable[[Given, Position], Scalar]:
    """Return a target's log density: all programs that need it share one trace."""
    return jax.jit(target.log_density_anew, inline=True)


def _as_type(value: Array, dtype: DType) -> Array:
    whole = jnp.issubdtype(dtype, jnp.integer)
    return (jnp.round(value) if whole else value).astype(dtype)


@dataclass(frozen=True, eq=False)
class Density:
    """Hold a model's log density on the unconstrained space.

    `log_density`, `gradient` and `constrain` are plain JAX functions of a flat vector of shape
    (dim,), in float32 or float64: jit, vmap and grad them, or hand them to another sampler. They
    take the model as it is written, unless a plan says which of its rewrites to make. The sites
    named in `natural` are not transformed: the vector holds their own values, and the log density
    is minus infinity off their support. Discrete sites can only be moved so.

    >>> density = Density(coin(10).condition(heads=7))
    >>> density.dim
    1
    >>> density.constrain(jnp.zeros(1))["p"].item()
    0.5
    """

    model: Model
    choices: Choices = AS_WRITTEN  # of the plan's rewrites
    natural: frozenset[str] = frozenset()
    devices: tuple[Device, ...] = ()  # that large data are divided over

    @cached_property
    def layout(self) -> Layout:
        """Return where each latent variable lies in the flat vector."""
        plan = self.plan()
        if all(v.name in self.natural for v in plan.left if v.discrete):
            return Layout.of(plan.left, self.natural, plan.form.alternating)
        return Layout.of(plan.latent)  # refuses the discrete ones that are left

    @property
    def dim(self) -> int:
        """Return the number of unconstrained dimensions."""
        return self.layout.dim

    @property
    def kept(self) -> tuple[Variable, ...]:
        """Return the variables `constrain` yields: latent and deterministic."""
        return tuple(v for v in self.model.variables if v.kind in ("latent", "deterministic"))

    def plan(self, dtype: DType = "float64") -> Plan:
        """Return the plan whose rewrites the density makes."""
        model = self.model if jnp.dtype(dtype) == jnp.float64 else self._apart
        return model.plan(jnp.dtype(dtype).name, self.choices)

    @cached_property
    def _apart(self) -> Model:
        """Return the model with its data copied: JAX keeps arrays in the type that it saw first.

        In programs of single precision there would else be numbers of both.
        """
        made = replace(self.model, arguments=kept(self.model.arguments))
        made.__dict__["variables"] = self.model.variables
        made.__dict__.update({n: a for n, a in vars(self.model).items() if n == "_unread"})
        return made

    def target(self, dtype: DType = "float64") -> tuple[Target, Given]:
        """Return the density with its data apart, for one float type."""
        plan = self.plan(dtype)
        return Target(plan.form, self.layout), plan.given

    @cached_property
    def placed(self) -> tuple[Target, Given]:
        """Return `target()`, its large constants divided over the devices.

        Those of rewrites that are read on the host as well stay whole: what is learned of moves,
        and which states discrete sites have.
        """
        target, given = self.target()
        if not self.devices:
            return target, given
        whole = set(target.form.taught(given.rewrites))
        whole |= {m.name for m in target.form.marginals if m.lowest(given.rewrites[m.name])}
        rewrites = {
            name: constants if name in whole else divided(constants, self.devices)
            for name, constants in given.rewrites.items()
        }
        return target, Given(divided(given.data, self.devices), rewrites)

    def log_density(self, position: Position) -> Scalar:
        """Return the log density (nats, up to a constant) at an unconstrained position."""
        target, given = self.target(jnp.result_type(position))
        return target.log_density(given, position)

    def gradient(self, position: Position) -> Position:
        """Return the gradient of the log density at an unconstrained position."""
        return jax.grad(self.log_density)(position)

    def constrain(self, position: Position, key: Key | None = None) -> dict[str, Array]:
        """Return the latent and deterministic values at an unconstrained position.

        `key` draws the variables that a plan's rewrites have taken out, if there are any.
        """
        target, given = self.target(jnp.result_type(position))
        if key is None:
            if target.form.marginals:
                raise SeedError("constrain needs key=: the plan's rewrites draw variables back")
            key = jax.random.key(0)  # nothing is drawn with it
        values = target.outcome(key, given, position).values
        return {v.name: values[v.name] for v in self.kept}

    def unconstrain(self, values: Values) -> Position:
        """Return the unconstrained position of named latent values.

        Raises `UnknownSite` when a latent variable has no value or a value no latent variable,
        `ShapeError` or `SupportError` when a value does not fit its variable.
        """
        for name in self.layout.names:
            if name not in values:
                raise UnknownSite.among(name, values, "find a value for")
        kept = [v.name for v in self.kept]
        for name in values:
            if name not in kept:
                raise UnknownSite.among(name, self.layout.names, "give a value to")
        target, given = self.target()
        free = invert(self.model.run, values)
        free |= {n: jnp.asarray(values[n], float) for n in self.layout.natural}
        return target.adopt(given, self.layout.join(free))

    def labels(self) -> tuple[str, ...]:
        """Return a name for each scalar of `constrain`, such as `theta[A]`, in order."""
        return tuple(label for v in self.kept for label in scalar_labels(v))


def scalar_labels(v: Variable) -> list[str]:
    """Name each scalar of a variable by its coordinates."""
    axes = [p.coordinate().tolist() for p in v.plates]
    axes += [range(n) for n in v.shape[len(v.plates) :]]
    if not axes:
        return [v.name]
    labels = [""]
    for axis in axes:
        labels = [f"{left}, {right}" if left else f"{right}" for left in labels for right in axis]
    return [f"{v.name}[{label}]" for label in labels]


def density(
    model: Model, plan: Plan | None = None, natural: frozenset[str] = frozenset()
) -> Density:
    """Return the log density of a model with its data, as written or as a plan rewrites it.

    `natural` names sites to move as they are, on their own scale.

    Raises `ModelError` when the model cannot be understood, `SamplingError` when it has no
    latent variable.

    >>> built = density(coin(10).condition(heads=7))
    >>> built.dim, round(float(built.log_density(jnp.zeros(1))), 3)
    (1, -3.53)
    """
    require_model(model, "ft.density")
    if plan is None:
        built = Density(model, natural=natural)
    else:
        built = Density(model, plan.choices, natural)
    if not any(v.kind == "latent" for v in built.plan().variables):
        raise SamplingError(f"model `{model.name}` has no latent variable to infer")
    _ = built.layout  # refuses what cannot be sampled
    return built
