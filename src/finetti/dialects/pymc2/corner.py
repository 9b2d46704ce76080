"""Admit all but the last of several probabilities, as PyMC2's Dirichlet has them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from finetti.distributions import biject_to, constraints, transforms
from finetti.types import Value


class _CornerSimplex(constraints.Constraint):  # pyright: ignore[reportGeneralTypeIssues]
    """Admit vectors of positive numbers whose sum is below one."""

    event_dim = 1

    def __call__(self, x: Value) -> Value:
        """Tell which vectors lie inside."""
        return (x > 0).all(-1) & (x.sum(-1) < 1)

    def tree_flatten(self) -> Any:
        """Return nothing to trace."""
        return (), ((), {})


CORNER: Any = _CornerSimplex()


class _StickBreaking(transforms.ParameterFreeTransform):
    """Break a stick as for the whole simplex, and leave the last piece out."""

    domain: Any = constraints.real_vector  # pyright: ignore[reportIncompatibleMethodOverride]
    codomain: Any = CORNER  # pyright: ignore[reportIncompatibleMethodOverride]
    whole = transforms.StickBreakingTransform()

    def __call__(self, x: Value) -> Value:
        """Return the pieces but the last."""
        return self.whole(x)[..., :-1]

    def _inverse(self, y: Value) -> Value:
        return self.whole._inverse(_complete(y))

    def log_abs_det_jacobian(self, x: Value, y: Value, intermediates: Value = None) -> Value:
        """Return the log Jacobian."""
        return self.whole.log_abs_det_jacobian(x, _complete(y))


def _complete(y: Value) -> Value:
    return jnp.concatenate([y, 1 - y.sum(-1, keepdims=True)], -1)


biject_to.register(_CornerSimplex, lambda constraint: _StickBreaking())
