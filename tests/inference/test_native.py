"""Hold loops that are compiled as one function to those that are not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import beta, comb

import finetti as ft
from finetti.inference.engine import native, sweep


def looped(step):
    def loop(x):
        return jax.lax.while_loop(lambda c: c[0] < 5, lambda c: (c[0] + 1, step(c[1])), (0, x))[1]

    return loop


PLACES = np.array([0, 2, 2, 1])
STEPS = {
    "small": (lambda x: jnp.sin(x) + x, 4, True),
    "large": (lambda x: jnp.sin(x) + x, native.LARGEST + 1, False),
    "a factor": (lambda x: jnp.linalg.cholesky(jnp.eye(4) + x[:, None] * x)[0], 4, False),
    "a scatter": (lambda x: x.at[PLACES].add(x), 4, False),
    "a gather": (lambda x: x + jnp.cos(x)[PLACES], 4, False),
    "one place": (lambda x: x.at[1].add(1.0), 4, True),
}


@pytest.mark.parametrize("name", STEPS)
def test_small_loops_of_known_operations_suit_and_yield_the_same(name):
    step, size, fits = STEPS[name]
    x = jnp.linspace(0, 1, size)
    assert native.suits(jax.make_jaxpr(looped(step))(x).jaxpr) == fits
    found = jax.jit(lambda x: native.at_once(looped(step), x))(x)
    np.testing.assert_allclose(found, looped(step)(x), rtol=1e-6)


@ft.model
def sorts(y):
    """Sort in the density, which no native function does."""
    mu = ft.sample("mu", ft.Normal(np.zeros(3), 1).to_event(1))
    ft.factor("spread", -jnp.sum(jnp.sort(mu) * jnp.arange(3.0)))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(mu[jnp.array(PLACES)], 1), obs=y)


def test_a_loop_that_the_compiler_refuses_is_compiled_plainly(monkeypatch):
    """Whether it is refused depends on the compiler; the draws are those of the plain loop."""
    model, method = sorts(np.arange(4.0)), ft.NUTS(draws=30, warmup=30)
    monkeypatch.setattr(sweep, "_plain", set())
    plain = ft.fit(model, method, progress=False)
    monkeypatch.setattr(native, "suits", lambda jaxpr: True)
    jax.clear_caches()
    monkeypatch.setattr(sweep, "_plain", set())
    tried = ft.fit(model, method, progress=False)
    np.testing.assert_allclose(plain["mu"][:, :3], tried["mu"][:, :3], rtol=1e-6)


@ft.model
def three_coins():
    p = ft.sample("p", ft.Beta(2, 2))
    a, b, c = (ft.sample(name, ft.Bernoulli(p)) for name in "abc")
    ft.sample("y", ft.Normal(a * b + b * c + c * a, 1.0), obs=2.0)


def test_tables_that_are_listed_apart_do_not_abort_the_process():
    """On jaxlib 0.10 XLA gave up, and the process with it, on a gather of computed tables."""
    heads = np.arange(4)
    weight = comb(3, heads) * beta(2 + heads, 5 - heads)
    weight *= np.exp(-0.5 * (2.0 - comb(heads, 2)) ** 2)
    exact = (weight * (2 + heads) / 7).sum() / weight.sum()
    posterior = ft.fit(three_coins(), seed=1, progress=False)
    row = posterior.summary(["p"]).iloc[0]
    assert abs(row["mean"] - exact) < 4 * row["mcse_mean"]
