"""Check that a model's line that cannot be traced is named, with what to write instead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

PROBS = np.array([0.2, 0.8])


@ft.model
def numpy_table():
    z = ft.sample("z", ft.Categorical(probs=jnp.full(2, 0.5)))
    ft.sample("y", ft.Bernoulli(PROBS[z]), obs=1)


@ft.model
def numpy_function():
    x = ft.sample("x", ft.Normal(0, 1))
    ft.sample("y", ft.Poisson(np.exp(x)), obs=1)


@ft.model
def listed_table():
    z = ft.sample("z", ft.Categorical(probs=jnp.full(2, 0.5)))
    ft.sample("y", ft.Bernoulli([0.2, 0.8][z]), obs=1)


@ft.model
def branch():
    x = ft.sample("x", ft.Normal(0, 1))
    ft.sample("y", ft.Bernoulli(0.2 if x > 0 else 0.8), obs=1)


@ft.model
def mask():
    with ft.plate("row", 3):
        x = ft.sample("x", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(x[x > 0].sum(), 1), obs=1)


@ft.model
def plain_number():
    x = ft.sample("x", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(float(x), 1), obs=1)


@ft.model
def table():
    z = ft.sample("z", ft.Categorical(probs=jnp.full(2, 0.5)))
    ft.sample("y", ft.Bernoulli(jnp.asarray(PROBS)[z]), obs=1)


@pytest.mark.parametrize(
    ("model", "written", "remedy"),
    [
        (numpy_table, "PROBS[z]", "jnp.asarray(table)[z]"),
        (numpy_function, "np.exp(x)", "jnp.exp instead of np.exp"),
        (listed_table, "[0.2, 0.8][z]", "jnp.asarray(table)[z]"),
        (branch, "0.2 if x > 0 else 0.8", "jnp.where(condition, a, b)"),
        (mask, "x[x > 0]", "jnp.where(mask, x, 0)"),
        (plain_number, "float(x)", "leave it an array"),
    ],
    ids=lambda part: getattr(part, "name", None),
)
def test_the_line_is_named_with_what_to_do(model, written, remedy):
    with pytest.raises(ft.ModelError) as refused:
        model().plan()
    said = str(refused.value)
    assert "of test_untraceable.py" in said
    assert written in said
    assert remedy in said
    assert isinstance(refused.value.__cause__, jax.errors.JAXTypeError | jax.errors.JAXIndexError)


def test_what_the_remedy_says_is_understood():
    assert [v.name for v in table().variables] == ["z", "y"]
