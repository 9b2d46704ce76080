"""Make single draws by a kernel, and hold what draws tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from finetti.dialects.tf.tensors import settled
from finetti.kernels.hmc import Hamiltonian
from finetti.kernels.kernel import Info, Kernel, Point, Tuning, evaluate
from finetti.kernels.metropolis import RandomWalk
from finetti.types import AnyArray, Array, Key, LogDensity, Tree


class AcceptedResults(NamedTuple):
    """Hold what is known of the state a step ended in."""

    target_log_prob: AnyArray
    step_size: AnyArray


class KernelResults(NamedTuple):
    """Hold what steps tell, one row a result.

    `log_accept_ratio` is that of the acceptance probability, at most 0. `leapfrogs_taken`,
    `has_divergence` and `energy` are zero for kernels without them. `inner_results` is what the
    kernel that an adaptation or a transformation holds tells: the same.
    """

    is_accepted: AnyArray
    log_accept_ratio: AnyArray
    accepted_results: AcceptedResults
    target_log_prob: AnyArray
    step_size: AnyArray
    leapfrogs_taken: AnyArray
    has_divergence: AnyArray
    energy: AnyArray

    @property
    def inner_results(self) -> KernelResults:
        """Return the results of the kernel within."""
        return self

    @property
    def new_step_size(self) -> AnyArray:
        """Return the step size, by an adaptation's name for it."""
        return self.step_size


def told(kernel: Kernel, moved: np.ndarray, info: Mapping[str, np.ndarray]) -> KernelResults:
    """Return what steps tell, under TFP's names; NUTS accepts each draw that it makes."""
    simple = isinstance(kernel, Hamiltonian | RandomWalk)
    with np.errstate(divide="ignore"):
        ratio = np.log(info["acceptance"])
    found = KernelResults(
        is_accepted=moved if simple else np.ones_like(moved),
        log_accept_ratio=ratio,
        accepted_results=AcceptedResults(info["log_density"], info["step_size"]),
        target_log_prob=info["log_density"],
        step_size=info["step_size"],
        leapfrogs_taken=info["gradients"],
        has_divergence=info["diverging"],
        energy=info["energy"],
    )
    return jax.tree.map(settled, found)


def one_draw(
    kernel: Kernel, key: Key, position: Array, target: LogDensity, scale: Array
) -> tuple[Point, dict[str, Array]]:
    """Return the next draw from a position, and what its steps told by name.

    `scale` has the step size of each coordinate. The target may be another at every draw: nothing
    is kept from one to the next.
    """
    tuning = Tuning(scale.mean(), scale / scale.mean())

    def step(made: tuple[Key, Tree, Info]) -> tuple[Key, Tree, Info]:
        key, state, _ = made
        key, own = jax.random.split(key)
        return key, *kernel.step(own, state, target, tuning)

    key, own = jax.random.split(key)
    state, info = kernel.step(own, kernel.init(evaluate(target, position)), target, tuning)
    _, state, info = jax.lax.while_loop(lambda made: ~made[2].done, step, (key, state, info))
    point = state.draw
    return point, {
        **info._asdict(), "log_density": point.log_density, "step_size": tuning.step_size
    }  # fmt: skip
