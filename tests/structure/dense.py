"""Compute by dense linear algebra what rewrites compute by their structure.

Everything comes from values and gradients of the program as it is written: the marginal over
sites g that are Gaussian given the rest phi, its gradient, and the conditional of g.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.structure.plan import Plan
from finetti.targets.layout import Layout


@dataclass(frozen=True)
class Marginal:
    """Hold a marginal's log density and gradient at phi, and the conditional of g given phi."""

    value: float
    gradient: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray


class Dense:
    """Evaluate a plan's program in batches, as a function of phi (p,) and g (d,)."""

    def __init__(self, plan: Plan) -> None:
        gone = [s for m in plan.form.marginals for s in m.sites]
        variables = {v.name: v for v in plan.variables}
        self.rest = Layout.of(plan.latent)
        self.gone = Layout.of(tuple(variables[name] for name in gone))
        program, data = plan.program, plan.program.constants

        def joint(phi, g):
            found = program(data, {**self.rest.split(phi), **self.gone.split(g)})
            return found.log_joint + found.log_jacobian

        both = jax.value_and_grad(joint, (0, 1))
        self._evaluate = compiled(ONCE)(jax.vmap(both, (None, 0)))

    def _at(self, phi: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return values and the gradients in phi and g, a row each; g has 2 d + 1 rows."""
        value, (in_phi, in_g) = self._evaluate(phi, g)
        return np.asarray(value), np.asarray(in_phi), np.asarray(in_g)

    def marginal(self, phi: np.ndarray) -> Marginal:
        """Integrate g out at phi.

        The gradient is the mean of the joint's under the conditional (Fisher's identity). That is
        quadratic in g, so its mean over the points m +- sqrt(d) L e_i is exact.
        """
        d = self.gone.dim
        points = np.zeros((2 * d + 1, d))
        points[1 : d + 1] = np.eye(d)
        _, _, slopes = self._at(phi, points)
        precision = slopes[0] - slopes[1 : d + 1]
        precision = (precision + precision.T) / 2
        mode = np.linalg.solve(precision, slopes[0])
        covariance = np.linalg.inv(precision)
        spread = np.sqrt(d) * np.linalg.cholesky(covariance).T
        around = mode + np.concatenate([np.zeros((1, d)), spread, -spread])
        value, in_phi, slopes = self._at(phi, around)
        step = np.linalg.solve(precision, slopes[0])
        log_determinant = np.linalg.slogdet(precision)[1]
        total = value[0] + 0.5 * (slopes[0] @ step + d * np.log(2 * np.pi) - log_determinant)
        return Marginal(total, in_phi[1:].mean(0), mode + step, covariance)
