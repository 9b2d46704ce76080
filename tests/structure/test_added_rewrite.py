"""Check that adding a rewrite is adding its file and its name to the tuple, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.structure.rewrites import order
from finetti.structure.rewrites.rewrite import Constants, Found, Kind, Move, Sight

FACTOR = 25.0


@dataclass(frozen=True)
class Stretch(Move):
    """Move a real number on a scale of its own, learned as the spread of its draws."""

    site: str
    verb = "stretch"

    @property
    def sites(self):
        return (self.site,)

    def done(self, site: str) -> str:
        return "stretch"

    def reason(self, site: str) -> str:
        return "a real number, on its own scale"

    def cost(self) -> str:
        return "1 multiplication"

    def start(self, dtype: str) -> Constants:
        return {"factor": np.asarray(FACTOR, dtype)}

    def supply(self, reader, free: Mapping[str, Any], learned: Mapping[str, Any]):
        return {self.site: (free[self.site] * learned["factor"], jnp.log(learned["factor"]))}

    def recover(self, reader, free: Mapping[str, Any], learned: Mapping[str, Any]):
        return {self.site: free[self.site] / learned["factor"]}

    def learn(self, draws: Mapping[str, Any]) -> Constants:
        return {"factor": jnp.std(draws[self.site])}


def find(sight: Sight) -> Found:
    """Stretch single real numbers that nothing else moves."""
    fitting = (v for v in sight.left if v.support == "real" and not v.shape)
    made = (Stretch(v.name) for v in fitting if v.name not in sight.refused)
    return Found(tuple((r, r.start(sight.program.dtype)) for r in made))


@ft.model
def wide(y):
    mu = ft.sample("mu", ft.StudentT(4.0, 0.0, 100.0))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(mu, 10.0), obs=y)


Y = np.array([31.0, 52.0, 44.0])


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setattr(order, "ORDER", (*order.ORDER, Kind(Stretch, find)))


def test_the_plan_makes_it_prints_it_and_can_be_told_not_to():
    plan = wide(Y).plan()
    assert [r.name for r in plan.rewrites] == ["stretch mu"]
    assert "stretch mu" in str(plan)
    assert "a real number, on its own scale" in str(plan)
    for refusing in (plan.without("stretch mu"), plan.without("stretch"), plan.as_written()):
        assert not refusing.rewrites
    assert not plan.unmoved().rewrites
    with pytest.raises(ft.ModelError, match="no rewrite `stretch tau`"):
        plan.without("stretch tau")


def test_the_density_is_that_of_the_model_as_written(float64):
    model = wide(Y)
    moved, plain = ft.density(model, model.plan()), ft.density(model, model.plan().as_written())
    for z in (-0.3, 1.7):
        jacobian = np.log(FACTOR)
        found = moved.log_density(jnp.array([z]))
        expected = plain.log_density(jnp.array([z * FACTOR])) + jacobian
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    slope = jax.grad(moved.log_density)(jnp.array([0.4]))
    expected = FACTOR * jax.grad(plain.log_density)(jnp.array([0.4 * FACTOR]))
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


def test_a_fit_learns_its_constants_and_finds_the_posterior():
    model = wide(Y)
    method = ft.NUTS(draws=1000, warmup=300)
    found = ft.fit(model, method, seed=1, progress=False)
    exact = ft.fit(model, method, plan=model.plan().as_written(), seed=2, progress=False)
    factor = float(found.learned.coordinates["stretch mu"]["factor"])
    assert factor == pytest.approx(float(exact["mu"].std()), rel=0.4)  # of 64 draws
    one, two = (p.summary().loc["mu"] for p in (found, exact))
    assert abs(one["mean"] - two["mean"]) < 4 * np.hypot(one["mcse_mean"], two["mcse_mean"])
    assert "stretch" in found.attributes["plan"]
