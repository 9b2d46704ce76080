"""Fit models that call other models, and runs whose draws fill no whole batch."""

import numpy as np

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
