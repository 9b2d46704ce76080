"""Fit models that call other models, and runs whose draws fill no whole batch."""

import numpy as np
import pytest

import finetti as ft


@ft.model
def effect():
    return ft.sample("x", ft.Normal(0, 1))


@ft.model
def score():
    ft.sample("y", ft.Normal(effect(), 1), obs=np.array(2.0))


def test_a_nested_models_sites_can_be_read_and_saved(tmp_path):
    posterior = ft.fit(score(), ft.NUTS(draws=500), seed=1, progress=False)
    assert posterior.names == ("effect.x",)
    assert posterior["effect/x"].identical(posterior["effect.x"])
    assert abs(float(posterior["effect/x"].mean()) - 1) < 4 * np.sqrt(0.5 / 800)
    assert list(posterior.summary(["effect/x"]).index) == ["effect.x"]
    again = ft.open(posterior.save(tmp_path / "run.nc"))
    np.testing.assert_array_equal(again["effect/x"], posterior["effect/x"])


def test_a_last_batch_may_be_short():
    posterior = ft.fit(score(), ft.NUTS(draws=401, chains=3), seed=1, progress=False)
    assert posterior["effect/x"].shape == (3, 401)
    assert len(np.unique(posterior["effect/x"])) > 1000


@ft.model
def switch():
    return ft.sample("z", ft.Bernoulli(0.5))


@ft.model
def lit():
    ft.sample("level", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(2.0 * switch(), 1), obs=np.array(2.0))


def test_moments_and_probabilities_of_a_nested_models_sites_are_found():
    posterior = ft.fit(lit(), ft.NUTS(draws=200), keep=["level"], seed=1, progress=False)
    exact = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(posterior.probabilities("switch/z"), [1 - exact, exact])
    assert "switch.z" in posterior.moments
    with pytest.raises(ft.UnknownSite, match=r"not kept.*keep="):
        posterior["switch/z"]
