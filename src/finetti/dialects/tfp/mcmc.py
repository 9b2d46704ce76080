"""Sample chains by TensorFlow Probability's interface, with finetti's kernels and its one loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.dialects import tf
from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tf.tensors import settled
from finetti.dialects.tfp.annealing import sample_annealed_importance_chain
from finetti.dialects.tfp.drawing import KernelResults, told
from finetti.dialects.tfp.kernels import (
    DualAveragingStepSizeAdaptation,
    HamiltonianMonteCarlo,
    MetropolisAdjustedLangevinAlgorithm,
    Moves,
    NoUTurnSampler,
    RandomWalkMetropolis,
    SimpleStepSizeAdaptation,
    TransformedTransitionKernel,
    TransitionKernel,
    moves_of,
    random_walk_normal_fn,
)
from finetti.dialects.tfp.laying import Target, laid, maps_of, states_of
from finetti.dialects.tfp.replicas import (
    ReplicaExchangeMC,
    ReplicaExchangeResults,
    ReplicaRun,
    default_swap_proposal_fn,
    even_odd_swap_proposal_fn,
)
from finetti.dialects.tfp.statistics import effective_sample_size, potential_scale_reduction
from finetti.inference.engine.draws import draw
from finetti.inference.engine.run import Sampler, Stage, learned, one
from finetti.inference.engine.sweep import Course
from finetti.kernels.kernel import Point, Tuning
from finetti.types import AnyArray, Tree

diagnostic = SimpleNamespace(
    effective_sample_size=effective_sample_size, potential_scale_reduction=potential_scale_reduction
)


class StatesAndTrace(NamedTuple):
    """Hold the states and what `trace_fn` made of each step."""

    all_states: Tree
    trace: Tree


Results = KernelResults | ReplicaExchangeResults
TraceFn = Callable[[Tree, Any], Tree]  # of a state and its results


def _everything(state: Tree, results: Results) -> Results:
    return results


def sample_chain(  # noqa: PLR0913 - TensorFlow Probability's own arguments
    num_results: int,
    current_state: Tree,
    previous_kernel_results: None = None,
    kernel: TransitionKernel | None = None,
    num_burnin_steps: int = 0,
    num_steps_between_results: int = 0,
    trace_fn: TraceFn | None = _everything,
    return_final_kernel_results: bool = False,
    parallel_iterations: int = 10,
    seed: int | None = None,
    name: str | None = None,
) -> Tree:
    """Return the states that a kernel visits, and what `trace_fn(state, results)` makes of each.

    The first state comes after `num_burnin_steps` + 1 steps; then `num_steps_between_results`
    steps are left out between two results. States have a leading axis of results. A leading axis
    that the target's value has too is one of chains. With `trace_fn=None` only states are returned.
    """
    if kernel is None:
        raise ValueError("sample_chain needs kernel=, such as tfp.mcmc.HamiltonianMonteCarlo(...)")
    if previous_kernel_results is not None:
        raise ValueError("sample_chain takes no previous_kernel_results: start from its states")
    if num_results < 1 or num_burnin_steps < 0 or num_steps_between_results < 0:
        raise ValueError(
            f"sample_chain makes at least one result, after steps of which there are none or more: "
            f"not {num_results} after {num_burnin_steps}, {num_steps_between_results} in between"
        )
    listed = isinstance(current_state, list | tuple)
    given = current_state if listed else [current_state]
    parts = [np.asarray(tf.convert_to_tensor(p)) for p in given]
    with jax.enable_x64(True):
        exchanging = isinstance(kernel, ReplicaExchangeMC)
        run = ReplicaRun(kernel, parts, seed) if exchanging else _Run(moves_of(kernel), parts, seed)
        stride = num_steps_between_results + 1
        wanted = num_burnin_steps + 1 + (num_results - 1) * stride
        rows = num_burnin_steps + np.arange(num_results) * stride
        states, results = run.walk(wanted, rows)
        made = _like(current_state, states) if listed else states[0]
        if trace_fn is None:
            return made
        traced = results if trace_fn is _everything else _trace(trace_fn, made, results)
    final = jax.tree.map(lambda x: x[-1], results)
    if return_final_kernel_results:
        return made, traced, final
    return StatesAndTrace(made, traced)


def _like(state: Sequence, parts: Sequence[AnyArray]) -> Sequence[AnyArray]:
    """Return the parts as a named tuple where the state is one, else as a list."""
    return type(state)(*parts) if hasattr(state, "_fields") else parts


def _trace(trace_fn: TraceFn, states: Tree, results: Results) -> Tree:
    """Apply the function to each result; as one array program where it can be."""
    try:
        return jax.tree.map(settled, jax.vmap(trace_fn)(states, results))
    except (jax.errors.JAXTypeError, TypeError):
        count = len(jax.tree.leaves(results)[0])
        pick = lambda tree, i: jax.tree.map(lambda x: x[i], tree)  # noqa: E731
        rows = [trace_fn(pick(states, i), pick(results, i)) for i in range(count)]
        return jax.tree.map(lambda *x: settled(np.stack(x)), *rows)


class _Run:
    """Drive the chains of one call."""

    def __init__(self, moves: Moves, parts: list[np.ndarray], seed: int | None) -> None:
        self.moves, self.maps = moves, maps_of(moves, len(parts))
        free = [jnp.asarray(x) for x in self.maps.back([p.astype(float) for p in parts])]
        lay = laid(moves.target, free)
        self.shapes, self.batched, self.start = lay.shapes, lay.batched, np.asarray(lay.start)
        points, target = lay.points(moves.target), Target(moves.target, lay.shapes, lay.batched)
        keys = jax.random.split(tf.RANDOMNESS.key(seed), len(self.start))
        spread = self.shapes.spread(moves.step_size)
        self.size, self.scale = float(np.exp(np.log(spread).mean())), spread
        points = Point(*(jnp.moveaxis(a, 0, -1) for a in points))
        self.sampler = Sampler.of(Course(moves.kernel, target), None, points.position.shape)
        run = self.sampler.begin(None, keys, points, self.size)
        # The step sizes that the user gave by coordinate are one size times a metric.
        tuning = Tuning(jnp.asarray(self.size), jnp.asarray(spread / self.size))
        self.run = self.sampler.adopt(run, one(tuning))

    def walk(self, wanted: int, rows: np.ndarray) -> tuple[list[AnyArray], KernelResults]:
        """Make steps; return the states and results of some of them."""
        phases = []
        adapt = min(self.moves.adapt, wanted)
        if adapt:
            self.run, made = draw(self.sampler, self.run, Stage(1, adapt, learning=True))
            phases.append(made)
            scale = jnp.asarray(self.scale / self.size)[..., None]
            self.run = self.sampler.adopt(self.run, Tuning(learned(self.run).step_size, scale))
        if wanted > adapt:
            self.run, made = draw(self.sampler, self.run, Stage(2, wanted - adapt))
            phases.append(made)
        positions = np.concatenate([p.positions for p in phases], 1)
        before = np.concatenate([self.start[:, None], positions[:, :-1]], 1)
        info = {k: np.concatenate([p.info[k] for p in phases], 1)[:, rows] for k in phases[0].info}
        moved = (positions != before).any(-1)[:, rows]
        free = self.shapes.split(jnp.asarray(self._lead(positions[:, rows])))
        states = [settled(x) for x in states_of(self.maps, free)]
        info = {k: self._lead(v) for k, v in info.items()}
        return states, told(self.moves.kernel, self._lead(moved), info)

    def _lead(self, array: np.ndarray) -> np.ndarray:
        """Put results first; a single chain has no axis."""
        return np.moveaxis(array, 0, 1) if self.batched else array[0]


__all__ = [
    "DualAveragingStepSizeAdaptation",
    "HamiltonianMonteCarlo",
    "MetropolisAdjustedLangevinAlgorithm",
    "NoUTurnSampler",
    "RandomWalkMetropolis",
    "ReplicaExchangeMC",
    "SimpleStepSizeAdaptation",
    "StatesAndTrace",
    "TransformedTransitionKernel",
    "default_swap_proposal_fn",
    "diagnostic",
    "effective_sample_size",
    "even_odd_swap_proposal_fn",
    "potential_scale_reduction",
    "random_walk_normal_fn",
    "sample_annealed_importance_chain",
    "sample_chain",
]

__getattr__ = lacking("tfp.mcmc")
