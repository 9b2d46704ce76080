"""Check precisions that are put together from single observations, where borders are wide."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.structure.rewrites.arrow.arrange import paired
from finetti.structure.rewrites.arrow.arrow import Arrow, Pairs, factorise
from finetti.structure.rewrites.integrate import find

ROWS = 60
rng = np.random.default_rng(20260)
subject, item = rng.integers(0, 11, ROWS), rng.integers(0, 7, ROWS)
x = np.where(rng.random(ROWS) < 0.2, 0.0, rng.normal(size=ROWS))  # no part in some rows
y = rng.normal(size=ROWS)


@ft.model
def crossed(subject, item, x):
    mu, b = ft.sample("mu", ft.Normal(0, 3)), ft.sample("b", ft.Normal(0, 2))
    s, t, sigma = (ft.sample(n, ft.HalfNormal(2)) for n in ("s", "t", "sigma"))
    with ft.plate("subject", 11):
        u = ft.sample("u", ft.Normal(mu, s))
    with ft.plate("item", 7):
        v = ft.sample("v", ft.Normal(0, 1))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(u[subject] + t * v[item] + b * x, sigma))


@ft.model
def slopes(subject, item, x):
    s, t, sigma = (ft.sample(n, ft.HalfNormal(2)) for n in ("s", "t", "sigma"))
    b = ft.sample("b", ft.Normal(0, 2).expand([2]).to_event(1))
    root = jnp.array([[1.0, 0.0], [0.5, 0.8]])
    with ft.plate("subject", 11):
        u = ft.sample("u", ft.MultivariateNormal(jnp.zeros(2), scale_tril=s * root))
    with ft.plate("item", 7):
        v = ft.sample("v", ft.Normal(0, t))
    rows = jnp.stack([jnp.ones(len(x)), jnp.asarray(x)], -1)
    with ft.plate("row", len(x)):
        mean = (rows * u[subject]).sum(-1) + v[item] + rows @ b
        ft.sample("y", ft.Normal(mean, sigma))


@ft.model
def shared(subject, item, x):
    """Let each observation see two members of a plate."""
    s, t, sigma = (ft.sample(n, ft.HalfNormal(2)) for n in ("s", "t", "sigma"))
    with ft.plate("subject", 11):
        u = ft.sample("u", ft.Normal(0, s))
    with ft.plate("item", 7):
        v = ft.sample("v", ft.Normal(0, t))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(u[subject] + u[(subject + 3) % 11] + v[item], sigma))


def evaluated(model, seed):
    """Return the planned log density and gradient at some points, and what the plan says."""
    plan = model(subject, item, x).condition(y=y).plan()
    built = ft.density(model(subject, item, x).condition(y=y), plan)
    points = np.random.default_rng(seed).uniform(-1, 1, (4, built.dim))

    @compiled(ONCE)
    def look(points):
        return jax.lax.map(jax.value_and_grad(built.log_density), points)

    with jax.enable_x64(True):
        value, slope = look(points)
    return np.asarray(value), np.asarray(slope), plan


@pytest.mark.parametrize("model", [crossed, slopes, shared], ids=lambda m: m.name)
def test_the_density_is_that_of_columns_read_one_by_one(model, monkeypatch):
    plain = evaluated(model, 1)
    monkeypatch.setattr(find, "WIDE", 2)
    used = []
    monkeypatch.setattr(
        find, "_assembled", lambda *a, real=find._assembled: used.append(real(*a)) or used[-1]
    )
    wide = evaluated(model, 1)
    assert (used[0] is not None) == (model is not shared)
    assert np.allclose(plain[0], wide[0], rtol=1e-10, atol=1e-9)
    assert np.allclose(plain[1], wide[1], rtol=1e-8, atol=1e-8)
    assert wide[2].rewrites[0].sites == plain[2].rewrites[0].sites


def test_few_couplings_are_multiplied_one_by_one():
    """A sparse arrow's factor is the dense one's, blocks of two sharing columns."""
    size, k, m = 40, 2, 60
    couplings = rng.normal(size=(size, k, m)) * (rng.random((size, 1, m)) < 0.08)
    blocks = np.repeat(np.array([[[4.0, 1.0], [1.0, 3.0]]]), size, 0)
    pairs = paired(couplings)
    assert isinstance(pairs, Pairs)
    assert (np.diff(pairs.place) >= 0).all()
    with jax.enable_x64(True):
        arrow = Arrow(*map(jnp.asarray, (blocks, couplings, 30 * np.eye(m))))
        dense, sparse = factorise(arrow), factorise(arrow, jax.tree.map(jnp.asarray, pairs))
    for one, other in zip(dense, sparse, strict=True):
        assert np.allclose(one, other, atol=1e-10)


def test_many_couplings_are_not():
    assert paired(np.ones((5, 1, 8))) is None


def test_a_wide_border_is_integrated_where_few_dimensions_are_left(monkeypatch):
    """So that crossed effects of a thousand members do not have to be sampled."""
    monkeypatch.setattr(find, "WIDEST", 6)
    monkeypatch.setattr(find, "WIDE", 5)
    few = crossed(subject, item, x).condition(y=y).plan()
    assert set(few.rewrites[0].sites) >= {"u", "v"}
    monkeypatch.setattr(find, "FEW", 2)
    many = crossed(subject, item, x).condition(y=y).plan()
    taken = [s for r in many.rewrites if r.verb == "integrate out" for s in r.sites]
    assert not {"u", "v"} <= set(taken)
