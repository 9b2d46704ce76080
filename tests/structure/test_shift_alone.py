"""Coefficients that the data tie to one another are moved together, without effects of groups."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

YEARS = np.linspace(1990.0, 2010.0, 40)
COUNTS = np.random.default_rng(5).poisson(np.exp(1 + 0.05 * (YEARS - 2000)))


def counts(years):
    @ft.model
    def model(y):
        alpha = ft.sample("alpha", ft.Normal(0, 1e5))
        beta = ft.sample("beta", ft.Normal(0, 1))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Poisson(jnp.exp(alpha + beta * years)), obs=y)

    return model(COUNTS)


def shifts(model):
    return [r.name for r in model.plan().rewrites if r.verb == "shift"]


def test_a_slope_of_years_is_moved_with_its_intercept():
    assert shifts(counts(YEARS)) == ["shift alpha, beta"]
    assert "moved together" in str(counts(YEARS).plan())


def test_centred_predictors_are_left_alone():
    assert shifts(counts(YEARS - 2000)) == []


def test_it_can_be_refused():
    plan = counts(YEARS).plan().without("shift")
    assert not any(r.verb == "shift" for r in plan.rewrites)


def test_the_density_is_the_model_s_own():
    """The joint density at a point, and the log Jacobian of its coordinates, which are linear."""
    model = counts(YEARS)
    plain, planned = ft.density(model, model.plan().as_written()), ft.density(model)
    values = [{"alpha": a, "beta": b} for a, b in ((-99.0, 0.05), (-60.0, 0.03), (1.0, 0.0))]
    with jax.enable_x64(True):
        gaps = [
            float(
                planned.log_density(planned.unconstrain(v))
                - plain.log_density(plain.unconstrain(v))
            )
            for v in values
        ]
    assert np.ptp(gaps) < 1e-7


def test_it_mixes_as_the_centred_model_does():
    """Both have the same likelihood; the means agree within 4 Monte-Carlo standard errors."""
    far = ft.fit(counts(YEARS), ft.NUTS(draws=500), seed=3, progress=False).summary()
    near = ft.fit(counts(YEARS - 2000), ft.NUTS(draws=500), seed=4, progress=False).summary()
    assert far["ess_bulk"].min() > 1000
    error = np.hypot(far.loc["beta", "mcse_mean"], near.loc["beta", "mcse_mean"])
    # The prior of alpha is at another place, and so wide that it tells nothing of beta.
    assert abs(far.loc["beta", "mean"] - near.loc["beta", "mean"]) < 4 * error


def test_starts_come_nearer_where_nothing_far_out_is_finite():
    @ft.model
    def steep(y):
        with ft.plate("slope", 6):
            b = ft.sample("b", ft.Normal(0, 0.01))
        with ft.plate("row", 20):
            x = np.random.default_rng(1).uniform(900, 1000, (20, 6))
            ft.sample("y", ft.Poisson(jnp.exp(x @ b)), obs=y)

    found = ft.fit(steep(np.full(20, 3)), ft.NUTS(draws=20, warmup=20), progress=False)
    assert np.isfinite(found["b"]).all()


@pytest.mark.parametrize("family", ["Normal", "discrete"])
def test_models_that_need_it_not_are_left_alone(family):
    @ft.model
    def other(y):
        alpha = ft.sample("alpha", ft.Normal(0, 100))
        beta = ft.sample("beta", ft.Normal(0, 1))
        if family == "discrete":
            z = ft.sample("z", ft.Bernoulli(0.5))
            alpha = alpha + z
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Normal(alpha + beta * YEARS, 1.0), obs=y)

    assert shifts(other(COUNTS.astype(float))) == []
