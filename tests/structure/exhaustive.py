"""Compute by enumeration what sums over discrete sites compute by elimination.

Everything comes from the program as it is written, evaluated at every joint state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.structure.plan import Plan
from finetti.targets.layout import Layout


@dataclass(frozen=True)
class Summed:
    """Hold a sum over all joint states: its log, its gradient, each joint state's probability."""

    value: float
    gradient: np.ndarray
    probabilities: np.ndarray


class Exhaustive:
    """Evaluate a plan's program at all joint `states` (many, members) of its discrete sites.

    Values that a member cannot take have density zero; the columns are the members of
    `sites` in order.
    """

    def __init__(self, plan: Plan, values: Mapping[str, np.ndarray]) -> None:
        self.sites = tuple(v for v in plan.variables if v.kind == "latent" and v.discrete)
        self.rest = Layout.of(plan.latent)
        axes = [values[v.name] for v in self.sites for _ in range(int(np.prod(v.shape)))]
        self.states = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
        self.lowest = self.states.min(0)
        self.split = splitter(self.sites)
        program, data = plan.program, plan.program.constants

        def joint(phi, states):
            fixed = {n: _fix(value) for n, value in self.split(states).items()}
            found = program(data, self.rest.split(phi), fixed)
            return found.log_joint + found.log_jacobian

        def total(phi):
            each = jax.lax.map(lambda s: joint(phi, s), jnp.asarray(self.states), batch_size=1024)
            highest = jax.lax.stop_gradient(each.max())
            return jnp.log(jnp.sum(jnp.exp(each - highest))) + highest, each

        self._evaluate = compiled(ONCE)(jax.value_and_grad(total, has_aux=True))

    def sum(self, phi: np.ndarray) -> Summed:
        """Sum over all joint states at phi."""
        (value, each), gradient = self._evaluate(jnp.asarray(phi))
        return Summed(float(value), np.asarray(gradient), np.exp(np.asarray(each) - float(value)))

    def marginals(self, summed: Summed, count: int) -> np.ndarray:
        """Return each member's probabilities, its lowest value first, shape (members, count)."""
        chosen = (self.states - self.lowest)[:, :, None] == np.arange(count)
        return np.einsum("s,smk->mk", summed.probabilities, chosen)


def splitter(sites: Any) -> Callable[[Any], dict[str, Any]]:
    """Return the function that takes members, along the last axis, apart into sites."""
    ends = np.cumsum([0, *(int(np.prod(v.shape)) for v in sites)])

    def split(states):
        named = zip(sites, ends[:-1], ends[1:], strict=True)
        return {v.name: states[..., a:b].reshape(*states.shape[:-1], *v.shape) for v, a, b in named}

    return split


def _fix(value: Any) -> Callable[[Any], tuple[Any, Any]]:
    return lambda reader: (value, jnp.zeros(()))
