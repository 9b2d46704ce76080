"""Numbers of 8, 16 and 32 bits say what they say with 64: no arithmetic runs over."""

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

VALUES = [250, 255]


@ft.model
def computed(x):
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(mu + x * x - x[::-1], 1), obs=-x * 1.0)


@ft.model
def geometric(y):
    mu = ft.sample("mu", ft.Normal(0, 1))
    with ft.plate("row", 2):
        ft.sample("y", ft.GeometricLogits(mu), obs=y)


def trials(n):
    @ft.model
    def one():
        mu = ft.sample("mu", ft.Normal(0, 1))
        with ft.plate("row", 2):
            ft.sample("y", ft.BetaBinomial(jnp.exp(mu), 2.0, n), obs=n)

    return one()


MODELS = {
    "arguments": computed,
    "in a dict": lambda x: ft.model(lambda d: computed.function(d["x"]))({"x": x}),
    "observed": geometric,
    "conditioned": lambda y: geometric(None).condition(y=y),
    "an argument of a distribution": trials,
    "observed, of JAX": lambda y: geometric(None).condition(y=jnp.asarray(y)),
}


def log_density(model):
    return float(ft.density(model).log_density(jnp.zeros(1)))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.usefixtures("float64")
def test_data_of_few_bits_have_the_density_of_their_numbers(name):
    expected = log_density(MODELS[name](np.array(VALUES, float)))
    for dtype in ("uint8", "uint16", "int16", "float16", "float32"):
        found = log_density(MODELS[name](np.array(VALUES, dtype)))
        assert found == pytest.approx(expected, rel=1e-12), dtype


def test_whole_numbers_without_a_sign_get_one():
    model = computed(np.array([3, 5], np.uint64))
    assert model.arguments[0][0].dtype == np.int64
    large = computed(np.array([3, 2**63], np.uint64))
    assert large.arguments[0][0].dtype == np.uint64
