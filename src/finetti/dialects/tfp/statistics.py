"""Diagnose chains by TensorFlow Probability's interface: results are the first axis."""

from __future__ import annotations

import jax
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tf.tensors import Tensor, extents
from finetti.posterior import diagnose
from finetti.types import Tree


def effective_sample_size(  # noqa: PLR0913 - TensorFlow Probability's own arguments
    states: Tree,
    filter_threshold: float | int | None = 0.0,
    filter_beyond_lag: int | None = None,
    filter_beyond_positive_pairs: bool = False,
    cross_chain_dims: ArrayLike | None = None,
    validate_args: bool = False,
    name: str = "",
) -> Tree:
    """Return the effective number of draws of each scalar of each chain, for its mean.

    It is ArviZ's estimate (Vehtari et al. 2021), whatever the filters say. `states` is an array
    whose first axis is the draws, or a list of such. Chains along the axes `cross_chain_dims`
    count together.
    """
    together = () if cross_chain_dims is None else extents(cross_chain_dims)
    return jax.tree.map(lambda x: Tensor.of(_effective(x, together)), states)


def _effective(draws: ArrayLike, together: tuple[int, ...]) -> np.ndarray:
    from arviz_stats.base.array import array_stats

    draws = np.asarray(draws, float)
    axes = [axis % draws.ndim for axis in together]
    draws = np.moveaxis(draws, axes, range(1, 1 + len(axes)))
    rest = draws.shape[1 + len(axes) :]
    flat = draws.reshape(len(draws), -1, int(np.prod(rest)))
    with diagnose.quiet():
        found = [
            array_stats.ess(flat[..., i], chain_axis=1, draw_axis=0, method="mean")
            for i in range(flat.shape[-1])
        ]
    return np.reshape([np.asarray(f).item() for f in found], rest)


def potential_scale_reduction(
    chains_states: Tree, independent_chain_ndims: int = 1, split_chains: bool = False
) -> Tree:
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
