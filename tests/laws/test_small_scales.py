"""Check that a metric learns scales however small: much data make posteriors narrow."""

import jax.numpy as jnp
import numpy as np
import pytest

from finetti.kernels.metric import Dense, Diagonal

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("metric", [Diagonal(), Dense()])
def test_few_draws_of_a_narrow_posterior_teach_its_scales(metric):
    rng, wide = np.random.default_rng(1), np.array([1e-2, 1e-4, 1e-6])
    draws = wide[:, None] * rng.normal(size=(3, 400))
    mask = jnp.ones(400, bool)
    moments = metric.empty(3, jnp.float64)
    here = jnp.asarray(draws), jnp.asarray(-draws / wide[:, None] ** 2)
    scale = np.asarray(metric.estimate(metric.absorb(moments, *here, mask), True))
    found = np.sqrt(np.diag(scale @ scale.T)) if scale.ndim == 2 else scale
    # the standard deviation of n draws errs by 1 / sqrt(2 n) of itself
    np.testing.assert_allclose(found, wide, rtol=4 / np.sqrt(800))
