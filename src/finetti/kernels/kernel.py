"""Say what a kernel is: one step on a log density, with its randomness given as data.

State is what the next step needs, info is what diagnosis needs, tuning is what warm-up learns,
and the kernel's own fields are what the user chooses; the four are never mixed. A kernel moves
one chain; the run puts many side by side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from finetti.kernels.metric import Metric
from finetti.types import Array, Bool, DType, Float, Int, Key, LogDensity, Position, Scalar, Tree

T = TypeVar("T")


class Point(NamedTuple):
    """Hold a position, its log density and the gradient there."""

    position: Position
    log_density: Scalar
    gradient: Position


class Tuning(NamedTuple):
    """Hold what warm-up learns: a step size and the metric's scale, (dim,) or (dim, dim).

    A kernel that moves several blocks has a step size for each.
    """

    step_size: Scalar | Float[Array, " block"]
    scale: Float[Array, " dim"] | Float[Array, "dim dim"]


class Info(NamedTuple):
    """Hold what one step tells: `done` marks the steps that complete a draw.

    `acceptance` is the mean acceptance probability of the proposals behind the draw, `energy`
    the Hamiltonian at its start, `depth` the number of tree doublings, `gradients` the number
    of density evaluations. Fields that a kernel has no use for are zero. A kernel that moves
    several blocks tells the acceptance of each.
    """

    done: Bool[Array, ""]
    acceptance: Scalar | Float[Array, " block"]
    diverging: Bool[Array, ""]
    energy: Scalar
    depth: Int[Array, ""]
    gradients: Int[Array, ""]


class Kernel(ABC):
    """Move one chain on a log density that is known only as a function.

    Final subclasses are frozen dataclasses. `state.draw` is the chain's current `Point`. One that
    `learns` has its step size and metric learned while chains warm up; what one proposes that is
    `ahead` depends on noise alone.
    """

    target_acceptance: float | tuple[float, ...]
    metric: Metric
    uses_gradient: ClassVar[bool]
    learns: ClassVar[bool] = True
    ahead: ClassVar[bool] = False

    @abstractmethod
    def noise(self, key: Key, dim: int, dtype: DType) -> Tree:
        """Draw all the randomness that one step can use."""

    @abstractmethod
    def init(self, point: Point) -> Tree:
        """Return the state of a chain that starts at a point."""

    @abstractmethod
    def advance(
        self, noise: Tree, state: Tree, target: LogDensity, tuning: Tuning
    ) -> tuple[Tree, Info]:
        """Make one step with randomness given; jit and vmap go through it."""

    @abstractmethod
    def restart(self, state: Tree, when: Bool[Array, ""] | bool) -> Tree:
        """Return the state with any unfinished draw abandoned, where `when` holds."""

    def step(self, key: Key, state: Tree, target: LogDensity, tuning: Tuning) -> tuple[Tree, Info]:
        """Make one step: `advance` with noise drawn from `key`."""
        position = state.draw.position
        noise = self.noise(key, position.shape[0], position.dtype)
        return self.advance(noise, state, target, tuning)


def evaluate(target: LogDensity, position: Position) -> Point:
    """Return the point at a position: the log density and its gradient."""
    log_density, gradient = jax.value_and_grad(target)(position)
    return Point(position, log_density, gradient)


class Standing(NamedTuple):
    """Hold a chain's current point as its state; its gradient is never used."""

    draw: Point

    @classmethod
    def at(cls, point: Point) -> Standing:
        """Return the state of a chain that starts at a point."""
        return cls(point._replace(gradient=jnp.zeros_like(point.position)))


def settle(
    log_uniform: Scalar, log_ratio: Scalar, proposed: Point, old: Point
) -> tuple[Point, Info]:
    """Take a proposal with probability min(1, ratio), else stay; say what the step told.

    A ratio that is NaN is refused. Metropolis, Rosenbluth, Rosenbluth, Teller & Teller 1953.
    """
    log_ratio = jnp.nan_to_num(log_ratio, nan=-jnp.inf)
    draw = select(log_uniform < log_ratio, proposed, old)
    info = Info(
        done=jnp.array(True),
        acceptance=jnp.exp(jnp.minimum(log_ratio, 0.0)),
        diverging=jnp.array(False),
        energy=-draw.log_density,
        depth=jnp.zeros((), jnp.int32),
        gradients=jnp.ones((), jnp.int32),
    )
    return draw, info


@jax.custom_batching.custom_vmap
def anywhere(condition: Bool[Array, ""]) -> Bool[Array, ""]:
    """Tell whether a condition holds, or under vmap, whether it holds for any of the chains.

    `lax.cond(anywhere(...), ...)` stays one branch for all chains where vmap alone would make
    it compute both. Under vmap of vmap it asks all of them.
    """
    return condition


@anywhere.def_vmap
def _any_chain(axis_size: int, in_batched: list[bool], condition: Array) -> tuple[Array, bool]:
    return anywhere(condition.any()), False


def select(condition: Bool[Array, ""], yes: T, no: T) -> T:
    """Choose between two pytrees of equal structure."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
