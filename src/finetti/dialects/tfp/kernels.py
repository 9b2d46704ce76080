"""State TensorFlow Probability's transition kernels, each by one of finetti's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tfp.bijectors import Bijector, Each
from finetti.dialects.tfp.pinned import JointBijector
from finetti.kernels.hmc import Hamiltonian
from finetti.kernels.kernel import Kernel
from finetti.kernels.metropolis import RandomWalk
from finetti.kernels.nuts import NoUTurn
from finetti.types import AnyArray, Array

LogProb = Callable[..., AnyArray]  # of the parts of a state
# One for all, or one for each part of a state.
Sizes = ArrayLike | list[ArrayLike] | tuple[ArrayLike, ...]


@dataclass(frozen=True)
class Moves:
    """Hold what a transition kernel comes down to.

    `target` gives the log density of the unconstrained parts of the state, which `maps` takes to
    the program's own. `adapt` counts the first steps that adapt the step size.
    """

    target: LogProb
    kernel: Kernel
    step_size: Sizes
    maps: Each | JointBijector | None = None
    adapt: int = 0
    layers: tuple[str, ...] = ()


class TransitionKernel(Protocol):
    """Be a transition kernel, or one around another."""

    def moves(self) -> Moves:
        """Return what it comes down to."""
        ...


def moves_of(kernel: TransitionKernel) -> Moves:
    """Return what a transition kernel comes down to; raise `TypeError` for what is none."""
    if not hasattr(kernel, "moves"):
        raise TypeError(f"expected a kernel such as tfp.mcmc.HamiltonianMonteCarlo, not {kernel!r}")
    moves = kernel.moves()
    if not callable(moves.target):
        raise TypeError(f"target_log_prob_fn is a function of the state, not {moves.target!r}")
    return moves


def fixed_moves_of(kernel: TransitionKernel, where: str) -> Moves:
    """Return what a kernel comes down to; raise `ValueError` for one that adapts its step size."""
    moves = moves_of(kernel)
    if moves.adapt:
        raise ValueError(f"{where} adapts no step size: give make_kernel_fn a kernel with one")
    return moves


@dataclass(frozen=True, eq=False)
class HamiltonianMonteCarlo:
    """Follow trajectories of a fixed number of leapfrogs, with the identity for mass matrix.

    `step_size` is a number, or a list of one for each part of the state.
    """

    target_log_prob_fn: LogProb
    step_size: Sizes
    num_leapfrog_steps: int
    state_gradients_are_stopped: bool = False
    seed: int | None = None
    store_parameters_in_results: bool = False
    name: str | None = None

    def moves(self) -> Moves:
        """Return what it comes down to."""
        if int(self.num_leapfrog_steps) < 1:
            raise ValueError(f"num_leapfrog_steps is at least 1, not {self.num_leapfrog_steps}")
        kernel = Hamiltonian(int(self.num_leapfrog_steps))
        return Moves(self.target_log_prob_fn, kernel, self.step_size)


@dataclass(frozen=True, eq=False)
class NoUTurnSampler:
    """Follow trajectories until they turn back, with the identity for mass matrix."""

    target_log_prob_fn: LogProb
    step_size: Sizes
    max_tree_depth: int = 10
    max_energy_diff: float = 1000.0
    unrolled_leapfrog_steps: int = 1
    parallel_iterations: int = 10
    seed: int | None = None
    name: str | None = None

    def moves(self) -> Moves:
        """Return what it comes down to."""
        return Moves(self.target_log_prob_fn, NoUTurn(int(self.max_tree_depth)), self.step_size)


@dataclass(frozen=True, eq=False)
class MetropolisAdjustedLangevinAlgorithm:
    """Follow the gradient with noise: a leapfrog of the root of `step_size`, which is a variance.

    Roberts & Tweedie 1996.
    """

    target_log_prob_fn: LogProb
    step_size: Sizes
    volatility_fn: None = None
    seed: int | None = None
    name: str | None = None

    def moves(self) -> Moves:
        """Return what it comes down to."""
        if self.volatility_fn is not None:
            raise ValueError("noise has the same volatility everywhere: volatility_fn is not taken")
        sizes = self.step_size
        listed = isinstance(sizes, list | tuple)
        roots: ArrayLike = (
            [np.sqrt(np.asarray(s)) for s in sizes] if listed else np.sqrt(np.asarray(sizes))
        )
        return Moves(self.target_log_prob_fn, Hamiltonian(1), roots)


@dataclass(frozen=True)
class RandomWalkNormal:
    """Propose normal steps: `scale` is a number, or a list of one for each part of the state."""

    scale: Sizes = 1.0


def random_walk_normal_fn(scale: Sizes = 1.0, name: str | None = None) -> RandomWalkNormal:
    """Return the proposal of normal steps."""
    return RandomWalkNormal(scale)


@dataclass(frozen=True, eq=False)
class RandomWalkMetropolis:
    """Propose normal steps and accept them by Metropolis' rule."""

    target_log_prob_fn: LogProb
    new_state_fn: RandomWalkNormal = RandomWalkNormal()
    seed: int | None = None
    name: str | None = None

    def moves(self) -> Moves:
        """Return what it comes down to."""
        return Moves(self.target_log_prob_fn, RandomWalk(), self.new_state_fn.scale)


@dataclass(frozen=True, eq=False)
class TransformedTransitionKernel:
    """Move on the unconstrained scale: bijectors map it to the program's own state."""

    inner_kernel: TransitionKernel
    bijector: Bijector | JointBijector | list[Bijector] | tuple[Bijector, ...]
    name: str | None = None

    def moves(self) -> Moves:
        """Return what it comes down to."""
        inner, maps = moves_of(self.inner_kernel), self._maps()

        def target(*parts: Array) -> AnyArray:
            state, jacobian = maps.onto(parts)
            return inner.target(*state) + jacobian

        return replace(inner, target=target, maps=maps, layers=("inner", *inner.layers))

    def _maps(self) -> Each | JointBijector:
        if isinstance(self.bijector, JointBijector):
            return self.bijector
        each = self.bijector if isinstance(self.bijector, list | tuple) else [self.bijector]
        for part in each:
            if not isinstance(part, Bijector):
                raise TypeError(f"bijector= takes bijectors of tfp.bijectors, not {part!r}")
        return Each(tuple(each))


@dataclass(frozen=True, eq=False)
class DualAveragingStepSizeAdaptation:
    """Adapt the inner kernel's step size in the first steps, to a target acceptance probability.

    Hoffman & Gelman 2014, section 3.2, with its own settings whatever these say. Functions that say
    where results keep a step size have nothing to do here.
    """

    inner_kernel: TransitionKernel
    num_adaptation_steps: int
    target_accept_prob: float | int = 0.75
    exploration_shrinkage: float = 0.05
    step_count_smoothing: float = 10
    decay_rate: float = 0.75
    step_size_setter_fn: Callable | None = None
    step_size_getter_fn: Callable | None = None
    log_accept_prob_getter_fn: Callable | None = None
    reduce_fn: Callable | None = None
    name: str | None = None

    def moves(self) -> Moves:
        """Return what it comes down to."""
        inner = moves_of(self.inner_kernel)
        kernel = _aiming(inner.kernel, float(self.target_accept_prob))
        steps = int(self.num_adaptation_steps)
        return replace(inner, kernel=kernel, adapt=steps, layers=("new", *inner.layers))


def SimpleStepSizeAdaptation(  # noqa: PLR0913 - TensorFlow Probability's own arguments
    inner_kernel: TransitionKernel,
    num_adaptation_steps: int,
    target_accept_prob: float | int = 0.75,
    adaptation_rate: float = 0.01,
    step_size_setter_fn: Callable | None = None,
    step_size_getter_fn: Callable | None = None,
    log_accept_prob_getter_fn: Callable | None = None,
    reduce_fn: Callable | None = None,
    name: str | None = None,
) -> DualAveragingStepSizeAdaptation:
    """Adapt the inner kernel's step size as `DualAveragingStepSizeAdaptation` does."""
    return DualAveragingStepSizeAdaptation(inner_kernel, num_adaptation_steps, target_accept_prob)


def _aiming(kernel: Kernel, rate: float) -> Kernel:
    if isinstance(kernel, Hamiltonian | NoUTurn | RandomWalk):
        return replace(kernel, target_acceptance=rate)
    raise TypeError(f"{type(kernel).__name__} has no step size to adapt")
