"""Diagnose chains by TensorFlow Probability's interface: results are the first axis."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from finetti.dialects.tf.tensors import Tensor
from finetti.posterior import diagnose


def effective_sample_size(
    states: Any, filter_threshold: float | int = 0.0, filter_beyond_lag: int | None = None
) -> Any:
    """Return the effective number of draws of each scalar of each chain, for its mean.

    It is ArviZ's estimate (Vehtari et al. 2021), whatever the filters say. `states` is an array
    whose first axis is the draws, or a list of such.
    """
    return jax.tree.map(lambda x: Tensor.of(_effective(x)), states)


def _effective(draws: Any) -> np.ndarray:
    from arviz_stats.base.array import array_stats

    draws = np.asarray(draws, float)
    flat = draws.reshape(len(draws), -1)
    with diagnose.quiet():
        found = [
            array_stats.ess(flat[None, :, i], chain_axis=0, draw_axis=1, method="mean")
            for i in range(flat.shape[1])
        ]
    return np.reshape([np.asarray(f).item() for f in found], draws.shape[1:])


def potential_scale_reduction(
    chains_states: Any, independent_chain_ndims: int = 1, split_chains: bool = False
) -> Any:
    """Return Gelman & Rubin's ratio of each scalar, as Brooks & Gelman 1998 correct it.

    `chains_states` has draws first, then `independent_chain_ndims` axes of chains. It is a ratio of
    variances: 1 at convergence, and the square of what others call R-hat.
    """
    return jax.tree.map(
        lambda x: Tensor.of(
            _reduction(np.asarray(x, float), independent_chain_ndims, split_chains)
        ),
        chains_states,
    )


def _reduction(draws: np.ndarray, chain_axes: int, split: bool) -> np.ndarray:
    """Return the ratio for draws, (draw, *chains, ...), each chain first cut in two if `split`."""
    if split:
        half = len(draws) // 2
        draws = np.stack([draws[:half], draws[half : 2 * half]], axis=1)
        chain_axes += 1
    n, shape = len(draws), draws.shape[1 : 1 + chain_axes]
    draws = draws.reshape(n, -1, *draws.shape[1 + chain_axes :])
    m = int(np.prod(shape))
    if m < 2:
        raise ValueError("potential_scale_reduction needs at least two chains")
    between = draws.mean(0).var(0, ddof=1)
    within = draws.var(0, ddof=1).mean(0)
    pooled = (n - 1) / n * within + between
    return (m + 1) / m * pooled / within - (n - 1) / (m * n)
