"""Check that a chain where the density is astronomically low spoils neither start nor run."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.inference import many
from finetti.inference.engine import start, warmup
from finetti.inference.engine.batch import Own
from finetti.inference.many import batches
from finetti.kernels.kernel import Info, Point
from finetti.kernels.nuts import NoUTurn
from finetti.posterior.lost import lost
from finetti.targets.density import Density, density

QUICK = ft.NUTS(warmup=300, draws=300)


def series(mu=0.3, phi=0.6, theta=0.3, sigma=0.5, length=200) -> np.ndarray:
    """Simulate an ARMA(1, 1) process."""
    rng, y, before = np.random.default_rng(20261128), [mu / (1 - phi)], 0.0
    for e in sigma * rng.normal(size=length - 1):
        y.append(mu + phi * y[-1] + theta * before + e)
        before = e
    return np.array(y)


@ft.model
def arma(y):
    """Tell of y as posteriordb's arma11 does; outside the unit circle its errors explode."""
    mu = ft.sample("mu", ft.Normal(0.0, 10.0))
    phi = ft.sample("phi", ft.Normal(0.0, 2.0))
    theta = ft.sample("theta", ft.Normal(0.0, 2.0))
    sigma = ft.sample("sigma", ft.HalfCauchy(2.5))

    def step(carry, now):
        before, error = carry
        error = now - (mu + phi * before + theta * error)
        return (now, error), error

    first = y[0] - (mu + phi * mu)
    _, errors = jax.lax.scan(step, (y[0], first), y[1:])
    errors = jnp.concatenate([first[None], errors])
    ft.factor("errors", ft.Normal(0.0, sigma).log_prob(errors).sum())


@ft.model
def cliff(far=1e60):
    """Be a normal on the left, and on the right a cliff that nothing climbs."""
    x = ft.sample("x", ft.Normal(jnp.zeros(2), 1.0).to_event(1))
    ft.factor("cliff", jnp.where(x[0] > 0, -far * (1 + x[0] ** 2), 0.0))


MODELS = {"arma": lambda: arma(series()), "cliff": cliff}


def starts(built: Density, keys) -> tuple[Point, np.ndarray]:
    """Return the points of one fit's chains, and all tries of theirs."""
    target, constants = built.target("float64")
    tries = start.random_tries(target, built, constants, Own(), keys[None])
    points, _ = start.taken(tries)
    return jax.tree.map(lambda a: a[0], points), jax.tree.map(lambda a: a[0], tries)


@pytest.mark.parametrize("name", MODELS)
def test_no_chain_starts_where_the_density_is_astronomically_low(name):
    """Of 400 chains' first tries hundreds are lost; the tries that they take are not."""
    built = density(MODELS[name]())
    with jax.enable_x64(True):
        keys = start.chain_keys(np.int64(3), 400)
        points, tries = starts(built, keys)
        heights = tries.log_density[:, 0]
    best = points.log_density.max()
    assert lost(heights, best, built.dim).sum() > 50
    assert not lost(points.log_density, best, built.dim).any()
    assert (points.position.std(0) > 0.3).all()  # they are as spread as starts are


def test_starts_that_nothing_is_wrong_with_are_the_first_tried():
    @ft.model
    def plain():
        ft.sample("x", ft.Normal(jnp.zeros(3), 1.0).to_event(1))

    model = plain()
    built = density(model, model.plan().as_written())
    with jax.enable_x64(True):
        keys = start.chain_keys(np.int64(1), 6)
        points, tries = starts(built, keys)
    np.testing.assert_array_equal(points.position, tries.position[:, 0])


def test_many_fits_start_where_one_does(monkeypatch):
    """Every fit has chains whose first tries are lost, and takes those that one fit would take."""

    @ft.model
    def steep(y):
        x = ft.sample("x", ft.Normal(0.0, 1.0))
        ft.sample("y", ft.Normal(jnp.exp(jnp.exp(3 * x)), 1.0), obs=y)

    seen = []
    made = many.taken
    monkeypatch.setattr(many, "taken", lambda *a: seen.append(made(*a)) or seen[-1])
    data = np.zeros((2, 5))
    model = steep(data[0])
    method = ft.NUTS(warmup=0, draws=1, chains=6, step_size=1e-9)
    batches(model, {"y": data}, method, model.plan(), 5).fit(np.arange(2))
    found, fine = seen[0]
    assert fine.all()
    built = density(model)
    with jax.enable_x64(True):
        keys = start.chain_keys(np.int64(5), 12)[:6]
        one, _ = starts(built, keys)
    best = found.log_density.max(1, keepdims=True)
    assert not lost(found.log_density, best, 1).any()
    np.testing.assert_allclose(found.position[0, :, 0], one.position[:, 0], rtol=1e-12)


# Warm-up


KERNEL, DIM, CHAINS = NoUTurn(), 2, 4


@partial(jax.jit, static_argnums=2)
def taught(acceptances: np.ndarray, heights: np.ndarray, rounds: int = 600):
    """Teach a warm-up of 1000 draws, a draw a chain at a time; return adaptation and tuning."""
    ends = warmup.schedule(1000, CHAINS)
    none = jnp.zeros(CHAINS)
    info = Info(jnp.ones(CHAINS, bool), none, none, none, none, none)

    def learn(both, key):
        adaptation, tuning = both
        x = jax.random.normal(key, (DIM, CHAINS), heights.dtype)
        slope = jnp.where(heights < -1e50, 1e60, 1.0) * -x
        shares = jnp.clip(acceptances * jnp.exp(-jnp.log(2) * tuning.step_size), 0, 1)
        draws = Point(x, heights, slope)
        seen = info._replace(acceptance=shares)
        return warmup.update(KERNEL, ends, adaptation, tuning, draws, seen)[:2], None

    tuning, adaptation = warmup.begin(KERNEL, (DIM, CHAINS), 0.1, heights.dtype)
    keys = jax.random.split(jax.random.key(0), rounds)
    (adaptation, tuning), _ = jax.lax.scan(learn, (adaptation, tuning), keys)
    return adaptation, warmup.finish(adaptation, tuning)


HEALTHY = (np.ones(4), np.zeros(4))


@pytest.mark.parametrize(
    ("acceptances", "heights"),
    [
        ([1, 0, 1, 1], [0, 0, 0, 0]),
        ([1, 0, 0, 0], [0, 0, 0, 0]),
        ([1, 0, 0, 0], [0, -1e62, -1e80, -1e100]),
        ([1, 1, 0.3, 0], [0, -1e62, -1e80, -1e100]),
        ([0, 1, 1, 1], [1e62, 0, 0, 0]),
        ([np.nan, 1, 1, 1], [0, 0, 0, 0]),
    ],
)
def test_chains_that_stand_still_or_are_lost_teach_no_step_size_and_no_metric(acceptances, heights):
    """The tuning is what healthy chains alone teach: with step s they accept 2^-s, 0.8 at 0.32."""
    with jax.enable_x64(True):
        _, healthy = taught(*HEALTHY)
        _, found = taught(np.array(acceptances, float), np.array(heights, float))
    assert float(healthy.step_size) == pytest.approx(0.322, abs=0.1)
    assert float(found.step_size) == pytest.approx(0.322, abs=0.1)
    assert np.all(np.abs(np.log(found.scale / healthy.scale)) < 0.5)


def test_a_step_size_is_a_number_whatever_the_chains_do():
    for share in (0.0, np.nan, 1e9):
        with jax.enable_x64(True):
            adaptation, tuning = taught(np.full(4, share), np.zeros(4))
        assert 1e-21 < float(tuning.step_size) < 1e21
        assert np.isfinite(tuning.scale).all()
        assert all(np.isfinite(a).all() for a in adaptation.step)


def thrown(monkeypatch, chains: list[int], position: list[float]) -> None:
    """Have some chains start at a position, whatever the rest of the starts are."""
    made = start.random_tries

    def tries(target, built: Density, shared, own: Own, keys) -> Point:
        found = made(target, built, shared, own, keys)
        place = np.array(start.taken(found)[0].position)
        place[:, chains] = np.array(position)
        moved = start.points_at(target, shared, own, place)
        return jax.tree.map(lambda a: np.asarray(a)[:, :, None], moved)  # there is no other

    monkeypatch.setattr(start, "random_tries", tries)


@pytest.mark.parametrize("bad", [[2], [1, 2, 3]])
def test_good_chains_are_as_good_beside_lost_ones_which_are_named(monkeypatch, bad):
    good = [c for c in range(4) if c not in bad]
    alone = ft.fit(cliff(), QUICK, progress=False)
    thrown(monkeypatch, bad, [1.5, 0.5])
    posterior = ft.fit(cliff(), QUICK, progress=False)
    steps = [float(p.tree["sample_stats"]["step_size"][0, 0]) for p in (alone, posterior)]
    assert steps[1] > 0.3 * steps[0]
    kept = posterior["x"].values[good]
    assert (kept[..., 0] < 0).all()
    assert (kept.std((0, 1)) > 0.3).all()
    (said,) = [f for f in posterior.advice() if f.problem == "stuck chains"]
    assert f"Chain {', '.join(map(str, bad))} " in said.sentence


@pytest.mark.slow
def test_arma_is_fitted_whatever_the_seed():
    model = arma(series())
    for seed in range(6):
        posterior = ft.fit(model, QUICK, seed=seed, progress=False)
        assert posterior.summary()["r_hat"].max() < 1.05
        assert abs(float(posterior["phi"].mean()) - 0.6) < 0.4


@pytest.mark.slow
def test_arma_has_good_chains_beside_exploding_ones(monkeypatch):
    thrown(monkeypatch, [1, 2, 3], [0.0, 1.9, 0.0, 0.0])
    posterior = ft.fit(arma(series()), QUICK, progress=False)
    assert float(posterior.tree["sample_stats"]["step_size"][0, 0]) > 0.05
    heights = np.median(posterior.tree["sample_stats"]["lp"].values, 1)
    off = lost(heights, heights[0], 4)
    phi = posterior["phi"].values[~off]  # those that warm-up brought back are as good as the first
    assert ((phi.mean(1) > 0.1) & (phi.mean(1) < 0.95) & (phi.std(1) > 0.02)).all()
    said = [f.sentence for f in posterior.advice() if f.problem == "stuck chains"]
    assert len(said) == off.any()
    assert all(str(chain) in said[0] for chain in np.flatnonzero(off))
