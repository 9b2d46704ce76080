"""Admit all but the last of several probabilities, as PyMC2's Dirichlet has them."""

from __future__ import annotations

import jax.numpy as jnp

from finetti.distributions import biject_to, constraints, transforms
from finetti.types import AnyArray


class _CornerSimplex(constraints.Constraint):  # pyright: ignore[reportGeneralTypeIssues]
    """Admit vectors of positive numbers whose sum is below one."""

    event_dim = 1

    def __call__(self, x: AnyArray) -> AnyArray:
        """Tell which vectors lie inside."""
        return (x > 0).all(-1) & (x.sum(-1) < 1)

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """Return nothing to trace."""
        return (), ((), {})


CORNER = _CornerSimplex()


class _StickBreaking(transforms.ParameterFreeTransform):
    """Break a stick as for the whole simplex, and leave the last piece out."""

    domain: constraints.Constraint = constraints.real_vector  # pyright: ignore[reportIncompatibleMethodOverride]
    codomain: constraints.Constraint = CORNER  # pyright: ignore[reportIncompatibleMethodOverride]
    whole = transforms.StickBreakingTransform()

    def __call__(self, x: AnyArray) -> AnyArray:
        """Return the pieces but the last."""
        return self.whole(x)[..., :-1]

    def _inverse(self, y: AnyArray) -> AnyArray:
        return self.whole._inverse(_complete(y))

    def log_abs_det_jacobian(
        self, x: AnyArray, y: AnyArray, intermediates: AnyArray | None = None
    ) -> AnyArray:
        """Return the log Jacobian."""
        return jnp.asarray(self.whole.log_abs_det_jacobian(x, _complete(y)))


def _complete(y: AnyArray) -> AnyArray:
    return jnp.concatenate([y, 1 - y.sum(-1, keepdims=True)], -1)


biject_to.register(_CornerSimplex, lambda constraint: _StickBreaking())
