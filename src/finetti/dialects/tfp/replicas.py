"""Exchange the states of replicas at several temperatures, as `tfp.mcmc.ReplicaExchangeMC` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

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


@dataclass(frozen=True)
class AdjacentSwaps:
    """Propose to swap neighbours: pairs that begin at even places, or those at odd ones.

    Where `regular` the two take turns, once in 1 / `share` steps; else one of them is chosen at
    random in that share of steps.
    """

    share: float
    regular: bool

    def __call__(self, key: Key, count: int, step: Array) -> Array:
        """Return with whom each of `count` replicas is to swap, itself for none."""
        parity_key, share_key = jax.random.split(key)
        period = max(int(np.ceil(1 / self.share)), 1) if self.share > 0 else 1
        if self.regular:
            odd, now = step // period % 2, (step % period == 0) & (self.share > 0)
        else:
            odd = jax.random.bernoulli(parity_key).astype(int)
            now = jax.random.uniform(share_key) < self.share
        places = jnp.arange(count)
        first = places % 2 == jnp.where(count > 2, odd, 0)
        other = jnp.clip(jnp.where(first, places + 1, places - 1), 0, count - 1)
        return jnp.where(now, other, places)


def default_swap_proposal_fn(prob_swap: float, name: str | None = None) -> AdjacentSwaps:
    """Return the proposal of swaps, with a probability, of even or odd pairs at random."""
    return AdjacentSwaps(float(prob_swap), regular=False)


def even_odd_swap_proposal_fn(swap_frequency: float, name: str | None = None) -> AdjacentSwaps:
    """Return the proposal of swaps of even and odd pairs in turn (Syed et al. 2022)."""
    return AdjacentSwaps(float(swap_frequency), regular=True)


class ReplicaExchangeResults(NamedTuple):
    """Hold what steps tell, one row a result, with an axis of replicas after that.

    Entry k of what is `adjacent` is of replicas k and k + 1; `swaps` says with whom each was to
    swap. `potential_energy` is minus the log density that is tempered.
    """

    post_swap_replica_states: list[AnyArray]
    pre_swap_replica_results: KernelResults
    is_swap_proposed_adjacent: AnyArray
    is_swap_accepted_adjacent: AnyArray
    swaps: AnyArray
    inverse_temperatures: AnyArray
    potential_energy: AnyArray


@dataclass(frozen=True, eq=False)
class ReplicaExchangeMC:
    """Move replicas at several temperatures, and let neighbours swap their states.

    Replica k has the log density `inverse_temperatures[k]` times the target's, or times
    `tempered_log_prob_fn` plus `untempered_log_prob_fn`; the states of the first are returned. Its
    step size is entry k of the kernel's along a first axis, if that has one. (Swendsen & Wang 1986;
    Earl & Deem 2005.)

    >>> from finetti.dialects import tfp
    >>> make = lambda f: tfp.mcmc.HamiltonianMonteCarlo(f, step_size=0.5, num_leapfrog_steps=2)
    >>> law = tfp.distributions.Normal(0.0, 1.0).log_prob
    >>> exchange = ReplicaExchangeMC(law, [1.0, 0.5, 0.25], make)
    >>> states, results = tfp.mcmc.sample_chain(10, 0.0, kernel=exchange, seed=1)
    >>> states.shape, results.post_swap_replica_states[0].shape
    ((10,), (10, 3))
    """

    target_log_prob_fn: LogProb | None
    inverse_temperatures: ArrayLike
    make_kernel_fn: Callable[[LogProb], TransitionKernel]
    swap_proposal_fn: AdjacentSwaps = AdjacentSwaps(1.0, regular=False)
    state_includes_replicas: bool = False
    untempered_log_prob_fn: LogProb | None = None
    tempered_log_prob_fn: LogProb | None = None
    validate_args: bool = False
    name: str | None = None

    def moves(self) -> NoReturn:
        """Refuse to be within another kernel."""
        raise TypeError(
            "ReplicaExchangeMC is within no other kernel: transform and adapt what make_kernel_fn "
            "makes"
        )

    def tempered(self) -> LogProb:
        """Return the log density that is tempered; raise `ValueError` for what cannot be."""
        pair = self.untempered_log_prob_fn, self.tempered_log_prob_fn
        if pair.count(None) == 1 or (self.target_log_prob_fn is None) != (None not in pair):
            raise ValueError(
                "pass target_log_prob_fn, or else both tempered_log_prob_fn and "
                "untempered_log_prob_fn"
            )
        if self.state_includes_replicas:
            raise ValueError(
                "states do not include replicas here: trace results.post_swap_replica_states"
            )
        if not isinstance(self.swap_proposal_fn, AdjacentSwaps):
            raise TypeError(
                "swap_proposal_fn is tfp.mcmc.default_swap_proposal_fn(...) or "
                "tfp.mcmc.even_odd_swap_proposal_fn(...)"
            )
        found = self.target_log_prob_fn or self.tempered_log_prob_fn
        assert found is not None
        return found

    def at(self, inverse_temperature: Array | float) -> LogProb:
        """Return the log density at an inverse temperature."""
        tempered, rest = self.tempered(), self.untempered_log_prob_fn

        def cooled(*state: Array) -> AnyArray:
            found = inverse_temperature * tempered(*state)
            return found if rest is None else found + rest(*state)

        return cooled


class ReplicaRun:
    """Drive the replicas of one call, side by side with those of other chains."""

    def __init__(self, kernel: ReplicaExchangeMC, parts: list[np.ndarray], seed: Seed) -> None:
        self.kernel, self.seed = kernel, seed
        self.temperatures = jnp.asarray(np.asarray(kernel.inverse_temperatures, float))
        if self.temperatures.ndim != 1 or not len(self.temperatures):
            raise ValueError(
                f"inverse_temperatures is a list of numbers, not of shape {self.temperatures.shape}"
            )
        moves = self._moves(1.0)
        self.inner, self.maps = moves.kernel, maps_of(moves, len(parts))
        free = [jnp.asarray(x) for x in self.maps.back([p.astype(float) for p in parts])]
        self.lay = laid(moves.target, free)
        self.lay.points(moves.target)
        # Sizes with an axis of replicas broadcast with states that have one, of chains as well.
        lead = (len(self.temperatures), *((len(self.lay.start),) if self.lay.batched else ()))
        self.scales = jnp.asarray(self.lay.shapes.spread_over(lead, moves.step_size)).reshape(
            len(self.temperatures), -1, self.lay.start.shape[-1]
        )

    def _moves(self, inverse_temperature: Array | float) -> Moves:
        made = self.kernel.make_kernel_fn(self.kernel.at(inverse_temperature))
        return fixed_moves_of(made, "ReplicaExchangeMC")

    def _density(self, function: LogProb) -> Callable[[Array], Array]:
        return Target(function, self.lay.shapes, self.lay.batched).at

    def walk(self, wanted: int, rows: np.ndarray) -> tuple[list[AnyArray], ReplicaExchangeResults]:
        """Make steps; return the first replica's states, and the results, of some of them."""
        chains = len(self.lay.start)
        keys = jax.random.split(tf.RANDOMNESS.key(self.seed), chains)
        scales = jnp.broadcast_to(self.scales, (len(self.scales), chains, self.scales.shape[-1]))
        run = jax.vmap(lambda k, x, s: self._chain(k, x, s, wanted), in_axes=(0, 0, 1))
        found = compiled(OFTEN)(run)(keys, self.lay.start, scales)
        lead = lambda x: np.moveaxis(np.asarray(x), 0, 2) if self.lay.batched else np.asarray(x)[0]  # noqa: E731
        # Results come first, then replicas, then chains.
        after, info, moved, swaps, taken, energy = (
            jax.tree.map(lambda x: lead(x)[rows], part) for part in found
        )
        states = states_of(self.maps, self.lay.shapes.split(jnp.asarray(after)))
        proposed = swaps[:, :-1] == _numbered(swaps)[:, :-1] + 1
        results = ReplicaExchangeResults(
            post_swap_replica_states=[settled(x) for x in states],
            pre_swap_replica_results=told(self.inner, moved, info),
            is_swap_proposed_adjacent=settled(proposed),
            is_swap_accepted_adjacent=settled(proposed & taken[:, :-1]),
            swaps=settled(swaps),
            inverse_temperatures=settled(np.tile(np.asarray(self.temperatures), (len(rows), 1))),
            potential_energy=settled(-energy),
        )
        return [settled(np.asarray(x)[:, 0]) for x in states], results

    def _chain(self, key: Key, start: Array, scales: Array, wanted: int) -> Tree:
        """Return what each step of one chain's replicas tells, and the states after it."""
        count = len(self.temperatures)
        tempered = self.kernel.tempered()
        log_density = self._density(lambda *free: tempered(*self.maps.onto(free)[0]))

        def move(key: Key, position: Array, scale: Array, inverse: Array) -> Tree:
            here = self._density(self._moves(inverse).target)
            point, info = one_draw(self.inner, key, position, here, scale)
            return point.position, info, (point.position != position).any()

        def step(before: Array, turn: tuple[Key, Array]) -> tuple[Array, Tree]:
            move_key, swap_key, uniform_key = jax.random.split(turn[0], 3)
            keys = jax.random.split(move_key, count)
            states, info, moved = jax.vmap(move)(keys, before, scales, self.temperatures)
            energy = jax.vmap(log_density)(states)
            swaps = self.kernel.swap_proposal_fn(swap_key, count, turn[1])
            ratio = (energy - energy[swaps]) * (self.temperatures[swaps] - self.temperatures)
            # Both of a pair look at one number, that of the first of them.
            uniform = jax.random.uniform(uniform_key, (count,))
            uniform = uniform[jnp.minimum(swaps, jnp.arange(count))]
            taken = (jnp.log(uniform) < ratio) & (swaps != jnp.arange(count))
            after = jnp.where(taken[:, None], states[swaps], states)
            energy = jnp.where(taken, energy[swaps], energy)
            return after, (after, info, moved, swaps, taken, energy)

        turns = jax.random.split(key, wanted), jnp.arange(wanted)
        return jax.lax.scan(step, jnp.tile(start, (count, 1)), turns)[1]


def _numbered(swaps: np.ndarray) -> np.ndarray:
    """Return the number of each replica, along the second axis."""
    return np.arange(swaps.shape[1]).reshape(1, -1, *[1] * (swaps.ndim - 2))
