"""Take sites out of a program as it is written by enumeration and dense linear algebra.

Everything comes from the program's own log joint density: discrete sites are summed over all joint
states, those that are Gaussian given the rest are integrated by values, slopes and curvature at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.plan import Plan
from finetti.targets.layout import Layout


class Taken(NamedTuple):
    """Hold a marginal's log, the mean and precision of g and each joint state's log probability."""

    value: Any
    mean: Any
    precision: Any
    chances: Any


class Exactly:
    """Evaluate the marginal of a plan's program over what its rewrites take out.

    `states` tells how many values, from 0, each discrete site has.
    """

    def __init__(self, plan: Plan, states: Mapping[str, int]) -> None:
        variables = {v.name: v for v in plan.variables}
        gone = [variables[s] for m in plan.form.marginals for s in m.sites]
        self.rest = Layout.of(plan.latent)
        self.gone = Layout.of(tuple(v for v in gone if not v.discrete))
        self.discrete = [v for v in gone if v.discrete]
        members = [states[v.name] for v in self.discrete for _ in range(int(np.prod(v.shape)))]
        joint = list(product(*map(range, members)))
        self.states = np.array(joint, int).reshape(len(joint), len(members))
        self.program = plan.program

    def split(self, states: Any) -> dict[str, Any]:
        """Take members, along the last axis, apart into sites."""
        found, start = {}, 0
        for v in self.discrete:
            size = int(np.prod(v.shape))
            found[v.name] = states[..., start : start + size].reshape(*states.shape[:-1], *v.shape)
            start += size
        return found

    def joint(self, data: Any, phi: Any, g: Any, states: Any) -> Any:
        """Return the log joint density of all sites, log Jacobians counted."""
        fixed = {n: _fixed(value) for n, value in self.split(states).items()}
        free = {**self.rest.split(phi), **self.gone.split(g)}
        found = self.program(data, free, fixed)
        return found.log_joint + found.log_jacobian

    def marginal(self, data: Any, phi: Any) -> Taken:
        """Integrate and sum at phi; the mean and precision are those given the first state."""
        zero, d = jnp.zeros(self.gone.dim), self.gone.dim

        def one(states: Any) -> tuple[Any, Any, Any]:
            def here(g: Any) -> Any:
                return self.joint(data, phi, g, states)

            value, slope = jax.value_and_grad(here)(zero)
            if not d:
                return value, zero, jnp.zeros((0, 0))
            precision = -jax.hessian(here)(zero)
            mean = jnp.linalg.solve(precision, slope)
            constant = 0.5 * (d * np.log(2 * np.pi) - jnp.linalg.slogdet(precision)[1])
            return value + 0.5 * slope @ mean + constant, mean, precision

        values, means, precisions = jax.lax.map(one, jnp.asarray(self.states))
        total = jax.scipy.special.logsumexp(values)
        return Taken(total, means[0], precisions[0], values - total)

    def remainder(self, data: Any, phi: Any, g: Any, taken: Taken) -> Any:
        """Return the log joint at g less what the quadratic says of it: zero if it is one."""
        states = jnp.asarray(self.states[0])
        away = g - taken.mean
        here = self.joint(data, phi, g, states) - self.joint(data, phi, taken.mean, states)
        return here + 0.5 * away @ taken.precision @ away


def _fixed(value: Any) -> Any:
    return lambda reader: (value, jnp.zeros(()))
