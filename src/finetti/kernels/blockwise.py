"""Move blocks of coordinates in turn, each by a kernel of its own, given all the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.kernels.kernel import Info, Kernel, Point, Tuning, evaluate
from finetti.kernels.metric import Diagonal, Metric
from finetti.types import Array, LogDensity, Tree


@dataclass(frozen=True)
class BlockKernel:
    """Hold a kernel and the places where it moves: tuples of coordinates, all of one length.

    Blocks that have a kernel in common are one block with many places, compiled once. A
    `step_size` given is kept, on the coordinates' own scale, whatever the tuning says.
    """

    kernel: Kernel
    places: tuple[tuple[int, ...], ...]
    step_size: float | None = None

    @property
    def width(self) -> int:
        """Return the number of coordinates that move together."""
        return len(self.places[0])


class State(NamedTuple):
    """Hold the current point and, for each block, its kernel's states with places first."""

    draw: Point
    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class Blockwise(Kernel):
    """Step through all places of all blocks, one after another: that is one step.

    Each kernel leaves the conditional distribution of its coordinates invariant, so their
    composition leaves the whole one invariant, as Gibbs sampling does (Tierney 1994). The
    tuning has a step size, and the info an acceptance, for each place. The blocks' kernels must
    complete a draw with each step.
    """

    blocks: tuple[BlockKernel, ...]
    metric: Metric = field(default_factory=Diagonal)
    uses_gradient: ClassVar[bool] = False

    @property
    def kept(self) -> tuple[float | None, ...]:
        """Return the step size that each place keeps, None where it is learned."""
        return tuple(b.step_size for b in self.blocks for _ in b.places)

    @property
    def target_acceptance(self) -> tuple[float, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the acceptance to aim at, for each place."""
        rates: list[Any] = [b.kernel.target_acceptance for b in self.blocks for _ in b.places]
        return tuple(rates)

    def noise(self, key, dim, dtype):
        found = []
        for b in self.blocks:
            key, here = jax.random.split(key)
            draw = lambda k, b=b: b.kernel.noise(k, b.width, dtype)  # noqa: E731
            found.append(jax.vmap(draw)(jax.random.split(here, len(b.places))))
        return tuple(found)

    def init(self, point: Point) -> State:
        def begin(kernel: Kernel, place: Array) -> Tree:
            gradient = point.gradient[place]
            return kernel.init(Point(point.position[place], point.log_density, gradient))

        parts = tuple(
            jax.vmap(lambda place, b=b: begin(b.kernel, place))(np.asarray(b.places))
            for b in self.blocks
        )
        return State(point, parts)

    def restart(self, state: State, when) -> State:
        return state

    def advance(self, noise: Tree, state: State, target: LogDensity, tuning: Tuning):
        draw, parts, infos, first = state.draw, [], [], 0
        for b, now, part in zip(self.blocks, noise, state.parts, strict=True):
            steps = tuning.step_size[first : first + len(b.places)]
            first += len(b.places)
            # One place after another, each given where those before it have moved.
            given = (np.asarray(b.places), now, part, steps)
            draw, (part, info) = jax.lax.scan(_mover(b, target, tuning), draw, given)
            parts.append(part)
            infos.append(info)
        whole = jax.tree.map(lambda *found: jnp.concatenate(found), *infos)
        info = Info(
            done=jnp.array(True),
            acceptance=whole.acceptance,
            diverging=whole.diverging.any(),
            energy=-draw.log_density,
            depth=jnp.zeros((), jnp.int32),
            gradients=whole.gradients.sum(dtype=jnp.int32),
        )
        return State(draw, tuple(parts)), info


def _mover(
    block: BlockKernel, target: LogDensity, tuning: Tuning
) -> Callable[..., tuple[Point, Tree]]:
    """Return the function that moves the coordinates at one place, for a scan over places."""
    kernel, kept = block.kernel, block.step_size

    def move(
        draw: Point, given: tuple[Array, Tree, Tree, Array]
    ) -> tuple[Point, tuple[Tree, Info]]:
        """Move what is at one place, from where the places before it have left the chain."""
        place, noise, state, step_size = given

        def conditional(x: Array) -> Array:
            return target(draw.position.at[place].set(x))

        here = draw.position[place]
        point = Point(here, draw.log_density, jnp.zeros_like(here))
        if kernel.uses_gradient:
            point = evaluate(conditional, here)
        own = Tuning(step_size, tuning.scale[place])
        if kept is not None:
            own = Tuning(
                jnp.full_like(step_size, kept), kernel.metric.identity(block.width, here.dtype)
            )
        state, info = kernel.advance(noise, state._replace(draw=point), conditional, own)
        position = draw.position.at[place].set(state.draw.position)
        return Point(position, state.draw.log_density, draw.gradient), (state, info)

    return move
