"""Check that threads which share a fit's work change nothing of what it finds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.inference.engine import threads
from finetti.structure.rewrites.quadrature import find
from finetti.targets.density import density

ROWS, GROUPS = 240, 30
G = np.random.default_rng(3).integers(0, GROUPS, ROWS)
Y = np.random.default_rng(4).poisson(2.0, ROWS)


@pytest.fixture(autouse=True)
def dear(monkeypatch):
    """Make every evaluation dear, and quadrature of few members."""
    monkeypatch.setattr(threads, "DEAR", 0)
    monkeypatch.setattr(find, "FEWEST", 2)
    monkeypatch.setattr(find, "LEAST", 0)


def counts():
    @ft.model
    def counted(group, y):
        mu = ft.sample("mu", ft.Normal(0, 2))
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", GROUPS):
            u = ft.sample("u", ft.Normal(mu, tau))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Poisson(jnp.exp(u[group])), obs=y)

    return counted(G, Y)


def factored():
    """Return a model that has LAPACK factor several matrices at once."""

    @ft.model
    def scaled():
        x = ft.sample("x", ft.Normal(0, 1))
        several = (1 + x**2 * jnp.arange(1.0, 6.0))[:, None, None] * jnp.eye(40)
        ft.factor("height", -jnp.linalg.cholesky(several).sum())

    return scaled()


def fitted(**given):
    return ft.fit(counts(), ft.IndependentMetropolis(draws=60), seed=1, progress=False, **given)


def test_draws_are_those_of_one_thread(monkeypatch):
    several = fitted()
    monkeypatch.setattr(threads, "MOST", 1)
    one = fitted()
    for name in ("mu", "tau", "u"):
        assert np.array_equal(several[name], one[name])


def test_moments_of_what_is_not_kept_are_those_of_one_sum(monkeypatch):
    several = fitted(keep=["mu", "tau"]).moments["u"]
    monkeypatch.setattr(threads, "DEAR", np.inf)
    one = fitted(keep=["mu", "tau"]).moments["u"]
    assert np.allclose(several, one, rtol=1e-9)


def test_a_run_goes_on_bit_for_bit(tmp_path):
    straight = fitted(keep=["mu"])
    short = ft.IndependentMetropolis(draws=20)
    path = tmp_path / "run.zarr"
    ft.fit(counts(), short, out=path, keep=["mu"], seed=1, progress=False)
    resumed = ft.resume(path, model=counts(), draws=60, progress=False)
    assert np.array_equal(resumed["mu"], straight["mu"])
    for name in ("tau", "u"):
        assert np.array_equal(resumed.moments[name], straight.moments[name])


def test_an_interrupt_reaches_the_one_who_asked():
    def stopped(number):
        if number == 2:
            raise KeyboardInterrupt
        return number

    with pytest.raises(KeyboardInterrupt):
        threads.by_threads(stopped, range(4))
    assert threads.by_threads(stopped, []) == []


@pytest.mark.parametrize(("hangs", "may"), [(True, False), (False, True)])
def test_programs_that_would_hang_together_are_run_one_by_one(monkeypatch, hangs, may):
    monkeypatch.setattr(threads, "hanging", lambda: hangs)
    with jax.enable_x64(True):
        for model, divisible in ((factored(), may), (counts(), True)):
            target, given = density(model, model.plan()).target()
            assert threads.divisible(target, given) is divisible
