"""Check that a run says by which method it was made, so that an opened one is refitted by it."""

import json

import numpy as np
import pytest

import finetti as ft
from finetti.inference import again
from finetti.inference.methods.method import Method
from finetti.inference.methods.recorded import KNOWN, SETTINGS, read, written

METHODS = [
    ft.NUTS(draws=7, warmup=3, chains=2, thin=2, target_acceptance=0.9, metric=ft.Dense()),
    ft.HMC(step_size=0.4, leapfrogs=3),
    ft.HMC(),
    ft.Metropolis(target_acceptance=0.3),
    ft.AdaptiveMetropolis(delay=11, interval=5),
    ft.DiscreteMetropolis(step_size=2.0),
    ft.BinaryMetropolis(),
    ft.Compound(blocks=(ft.Block(("mu", "tau"), ft.HMC(leapfrogs=5)),), draws=50),
    ft.EmbeddedLaplace(sites=("a", "b")),
    ft.IndependentMetropolis(draws=30, thin=2),
    ft.Automatic(draws=30),
    ft.MAP(starts=3),
    ft.NormalApproximation(draws=30),
]
SHORT = ft.HMC(draws=40, warmup=20, chains=2, leapfrogs=2)


@ft.model
def mean(y):
    mu = ft.sample("mu", ft.Normal(0, 2))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(mu, 1), obs=y)


Y = np.array([0.3, -1.0, 2.0])


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_a_method_is_read_as_it_was_written(method):
    assert read(written(method)[SETTINGS]) == method


def test_every_public_method_is_among_them():
    public = {c for c in vars(ft).values() if isinstance(c, type) and issubclass(c, Method)}
    assert public == {type(m) for m in METHODS}
    assert public <= set(KNOWN.values())


def test_what_this_version_does_not_know_is_named():
    settings = json.loads(written(ft.NUTS())[SETTINGS])
    with pytest.raises(ft.DataError, match=r"`wings`.*does not know"):
        read(json.dumps({**settings, "wings": 2}))
    with pytest.raises(ft.DataError, match=r"`Warp`.*does not know"):
        read(json.dumps({**settings, "kind": "Warp"}))


def test_an_opened_run_is_refitted_by_its_own_method_and_plan(tmp_path):
    model = mean(Y)
    first = ft.fit(model, SHORT, plan=model.plan().as_written(), seed=1, progress=False)
    first.save(tmp_path / "run.zarr")
    opened = ft.open(tmp_path / "run.zarr", model)
    assert opened.refit is None
    found = again.refit(opened)(model, 1)
    np.testing.assert_array_equal(found["mu"], first["mu"])
    assert found.attributes["method"] == repr(SHORT.suited(1))


def test_a_run_that_does_not_say_its_method_is_refitted_with_a_warning(tmp_path):
    model = mean(Y)
    first = ft.fit(model, SHORT, seed=1, progress=False)
    del first.tree.attrs[SETTINGS]
    first.save(tmp_path / "run.zarr")
    opened = ft.open(tmp_path / "run.zarr", model)
    with pytest.warns(UserWarning, match=r"does not say how to make its method.*HMC.*NUTS"):
        found = again.refit(opened)(model, 1)
    assert found["mu"].shape == (2, 40)
