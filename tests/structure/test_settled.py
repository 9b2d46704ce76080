"""Check that normal priors kept as numbers leave the exact marginal density as it is."""

import jax
import numpy as np
import pytest
from scipy.stats import halfnorm, multivariate_normal

import finetti as ft

RANDOM = np.random.default_rng(8)
X = RANDOM.normal(size=(12, 4))
Y = RANDOM.normal(size=12)


@ft.model
def apart(x, y):
    a = ft.sample("a", ft.Normal(1e6, 2.0))
    b = ft.sample("b", ft.Normal(np.array([0.5, -3.0, 0.0]), np.array([0.1, 4.0, 1e3])).to_event(1))
    sigma = ft.sample("sigma", ft.HalfNormal(1))
    ft.sample("y", ft.Normal(a * x[:, 0] + x[:, 1:] @ b, sigma).to_event(1), obs=y)


@ft.model
def in_all(x, y):
    a = ft.sample("a", ft.Normal(1e6, 2.0))
    tau = ft.sample("tau", ft.HalfNormal(1))
    b = ft.sample("b", ft.Normal(0, tau).expand([2]).to_event(1))
    c = ft.sample("c", ft.Normal(0, 3.0).mask(False))
    ft.sample("y", ft.Normal(a * x[:, 0] + x[:, 1:3] @ b + c * x[:, 3], 0.7).to_event(1), obs=y)


def settled(plan):
    """Return the priors that a plan keeps as numbers."""
    return {s for r in plan.form.rewrites for s in getattr(r, "settled", ())}


def marginal(centre, scale, sigma):
    """Return the log density of the outcomes, coefficients being integrated out."""
    cover = (X * np.square(scale)) @ X.T + sigma**2 * np.eye(12)
    return multivariate_normal.logpdf(Y + X @ [1e6, 0, 0, 0], X @ centre, cover)


@pytest.mark.parametrize("sigma", [0.2, 3.0])
def test_the_density_is_the_exact_marginal_however_far_their_centres(sigma):
    model = apart(X, Y + 1e6 * X[:, 0])
    plan = model.plan()
    assert settled(plan) == {"a", "b"}
    with jax.enable_x64(True):
        density = ft.density(model, plan)
        at = density.log_density(density.unconstrain({"sigma": np.array(sigma)}))
        jacobian = density.log_density(density.unconstrain({"sigma": np.array(1.0)}))
    scale, centre = np.array([2.0, 0.1, 4.0, 1e3]), np.array([1e6, 0.5, -3.0, 0.0])

    def expected(s):
        return marginal(centre, scale, s) + halfnorm.logpdf(s) + np.log(s)

    np.testing.assert_allclose(at - jacobian, expected(sigma) - expected(1.0), rtol=1e-6)


def test_priors_that_hang_on_a_site_or_do_not_count_are_no_numbers():
    plan = in_all(X, Y + 1e6 * X[:, 0]).plan()
    assert settled(plan) == {"a"}
