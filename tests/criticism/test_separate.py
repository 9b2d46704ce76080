"""Check each group's own estimate against what its rows alone say in closed form."""

import numpy as np
import pandas as pd
import pytest

import finetti as ft
from finetti.criticism.separate import separate

Y, ERROR = np.array([28.0, 8, -3, 7]), np.array([15.0, 10, 16, 11])
FEW = ft.Automatic(draws=50, warmup=100, chains=2)


@ft.model
def centred(error):
    mu, tau = ft.sample("mu", ft.Normal(0, 5)), ft.sample("tau", ft.HalfCauchy(5))
    with ft.plate("school", list("ABCD")):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, error))


@ft.model
def by_hand(error):
    mu, tau = ft.sample("mu", ft.Normal(0, 5)), ft.sample("tau", ft.HalfCauchy(5))
    with ft.plate("school", list("ABCD")):
        z = ft.sample("z", ft.Normal(0, 1))
        theta = ft.deterministic("theta", mu + tau * z)
        ft.sample("y", ft.Normal(theta, error))


@pytest.mark.parametrize("model", [centred, by_hand])
def test_each_school_by_itself_has_its_own_estimate(model):
    posterior = ft.fit(model(ERROR).condition(y=Y), FEW, seed=1, progress=False)
    np.testing.assert_allclose(separate(posterior, "theta"), Y, rtol=1e-6)
    with pytest.raises(ft.ModelError, match="`mu` is not in one plate"):
        separate(posterior, "mu")


@ft.model
def wards(ward, died, patients):
    mu, tau = ft.sample("mu", ft.Normal(0, 2)), ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("ward", ward):
        logit = ft.sample("logit", ft.Normal(mu, tau))
    with ft.plate("row", len(ward)):
        ft.sample("died", ft.Binomial(patients, logits=logit[ward]), obs=died)


def test_wards_have_the_logits_of_their_rates_and_none_where_nothing_tells():
    ward = ft.groups(["a", "b", "b", "c"], labels=["a", "b", "c", "d"])
    died, patients = np.array([3, 5, 4, 0]), np.array([10, 20, 15, 12])
    posterior = ft.fit(wards(ward, died, patients), FEW, seed=1, progress=False)
    found = separate(posterior, "logit")
    rate = np.array([3 / 10, 9 / 35])
    np.testing.assert_allclose(found[:2], np.log(rate / (1 - rate)), rtol=1e-6)
    assert np.isnan(found[2:]).all()  # none of c's patients died, and d has none


def test_members_with_terms_have_the_least_squares_of_their_own_rows():
    rng = np.random.default_rng(2)
    sizes, g = [5, 4, 6, 1], np.repeat(np.arange(4), [5, 4, 6, 1])  # one row tells no slope
    x = rng.normal(size=len(g))
    y = 1 + 0.5 * x + rng.normal(size=4)[g] + rng.normal(size=4)[g] * x + rng.normal(size=len(g))
    table = pd.DataFrame({"y": y, "x": x, "g": np.array(list("abcd"))[g]})
    posterior = ft.fit(ft.formula("y ~ x + (x | g)", table), FEW, seed=1, progress=False)
    found = separate(posterior, "g")
    assert found.shape == (len(sizes), 2)
    rest = y - float(posterior["Intercept"].mean()) - float(posterior["x"].mean()) * x
    for i in range(3):
        rows = np.stack([np.ones(sizes[i]), x[g == i]], 1)
        expected = np.linalg.lstsq(rows, rest[g == i], rcond=None)[0]
        np.testing.assert_allclose(found[i], expected, rtol=1e-6, atol=1e-8)
    assert np.isnan(found[3]).all()


@ft.model
def mixed(weights, y):
    with ft.plate("group", 3):
        effect = ft.sample("effect", ft.Normal(0, 1))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(weights @ effect, 1.0), obs=y)


def test_members_that_share_observations_are_refused():
    model = mixed(np.array([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]]), np.array([1.0, 2.0]))
    posterior = ft.fit(model, FEW, progress=False)
    with pytest.raises(ft.ModelError, match="share observations"):
        separate(posterior, "effect")
