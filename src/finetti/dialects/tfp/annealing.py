"""Estimate normalising constants by annealed importance sampling, as `tfp.mcmc` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import OFTEN, compiled
from finetti.dialects import tf
from finetti.dialects.tf.randomness import Seed
from finetti.dialects.tf.tensors import settled
from finetti.dialects.tfp.drawing import KernelResults, one_draw, told
from finetti.dialects.tfp.kernels import (
    LogProb,
    Moves,
    TransitionKernel,
    fixed_moves_of,
)
from finetti.dialects.tfp.laying import Target, laid, maps_of, states_of
from finetti.types import AnyArray, Array, Key, Tree

MakeKernel = Callable[[LogProb], TransitionKernel]


class AISResults(NamedTuple):
    """Hold what the last step told, its log densities being those before it, one a chain."""

    proposal_log_prob: AnyArray
    target_log_prob: AnyArray
    inner_results: KernelResults


def sample_annealed_importance_chain(  # noqa: PLR0913 - TensorFlow Probability's own arguments
    num_steps: int,
    proposal_log_prob_fn: LogProb,
    target_log_prob_fn: LogProb,
    current_state: Tree,
    make_kernel_fn: MakeKernel,
    parallel_iterations: int = 10,
    seed: Seed = None,
    name: str | None = None,
) -> list[Tree]:
    """Return the last states, the log weights, one a chain, and what the last step told.

    `current_state` is drawn from the proposal, its chains along a first axis. Step i of n moves it
    by `make_kernel_fn(log density)`, of the target to the power i / n times the proposal to the
    rest, after the log weight has gained an n-th of the target's log density less the proposal's.
    The mean of exp(log weight) is the target's normalising constant over the proposal's. Raises
    `ValueError` for fewer than one step. (Neal 2001.)

    >>> from finetti.dialects import tf, tfp
    >>> make = lambda f: tfp.mcmc.HamiltonianMonteCarlo(f, step_size=0.5, num_leapfrog_steps=2)
    >>> law = tfp.distributions.Normal(0.0, 1.0).log_prob
    >>> _, weight, _ = sample_annealed_importance_chain(4, law, lambda x: law(x) + 2, 0.3, make)
    >>> float(weight)
    2.0
    """
    if num_steps < 1:
        raise ValueError(f"annealing takes at least one step, not {num_steps}")
    listed = isinstance(current_state, list | tuple)
    given = list(current_state) if listed else [current_state]
    parts = [np.asarray(tf.convert_to_tensor(p), float) for p in given]

    def moves_at(share: Array | float) -> Moves:
        def between(*state: Array) -> AnyArray:
            return share * target_log_prob_fn(*state) + (1 - share) * proposal_log_prob_fn(*state)

        return fixed_moves_of(make_kernel_fn(between), "annealed importance sampling")

    with jax.enable_x64(True):
        moves = moves_at(1.0)
        maps = maps_of(moves, len(parts))
        free = [jnp.asarray(x) for x in maps.back(parts)]
        lay = laid(moves.target, free)
        lay.points(moves.target)
        scale = jnp.asarray(lay.shapes.spread(moves.step_size))

        def density(function: LogProb) -> Callable[[Array], Array]:
            return Target(function, lay.shapes, lay.batched).at

        proposal = density(lambda *free: proposal_log_prob_fn(*maps.onto(free)[0]))
        target = density(lambda *free: target_log_prob_fn(*maps.onto(free)[0]))

        def chain(key: Key, position: Array) -> tuple[Array, Array, Tree]:
            def step(state: tuple[Array, Array], turn: tuple[Key, Array]) -> tuple[Tree, Tree]:
                position, weight = state
                before = proposal(position), target(position)
                here = density(moves_at(turn[1]).target)
                point, info = one_draw(moves.kernel, turn[0], position, here, scale)
                moved = (point.position != position).any()
                weight = weight + (before[1] - before[0]) / num_steps
                return (point.position, weight), (before, moved, info)

            shares = jnp.arange(1.0, num_steps + 1) / num_steps
            turns = jax.random.split(key, num_steps), shares
            (position, weight), rows = jax.lax.scan(step, (position, jnp.zeros(())), turns)
            return position, weight, jax.tree.map(lambda x: x[-1], rows)

        keys = jax.random.split(tf.RANDOMNESS.key(seed), len(lay.start))
        ends, weights, last = compiled(OFTEN)(jax.vmap(chain))(keys, lay.start)
        own = lambda x: np.asarray(x) if lay.batched else np.asarray(x)[0]  # noqa: E731
        (before, after), moved, info = jax.tree.map(own, last)
        state = [settled(own(x)) for x in states_of(maps, lay.shapes.split(ends))]
    inner = told(moves.kernel, moved, info)
    results = AISResults(settled(before), settled(after), inner)
    return [state if listed else state[0], settled(own(weights)), results]
