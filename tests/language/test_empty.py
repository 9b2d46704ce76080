"""Check that empty data and arguments are refused by their names."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

MADE = {
    "Normal's loc": (lambda empty: ft.Normal(empty, 1.0), "loc"),
    "Normal's scale": (lambda empty: ft.Normal(0.0, empty), "scale"),
    "Gamma's rate": (lambda empty: ft.Gamma(1.0, empty), "rate"),
    "Poisson": (lambda empty: ft.Poisson(empty), "rate"),
    "Bernoulli": (lambda empty: ft.Bernoulli(logits=empty), "logits"),
    "Dirichlet": (lambda empty: ft.Dirichlet(empty), "concentration"),
    "Categorical": (lambda empty: ft.Categorical(probs=empty), "probs"),
}
EMPTY = {"list": list, "numpy": lambda: np.zeros(0), "jax": lambda: jnp.zeros(0)}


@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize("name", MADE)
def test_an_empty_argument_is_named(name, kind):
    make, argument = MADE[name]
    if name == "Dirichlet" and kind != "list":
        pytest.skip("numpyro makes none of an empty array")

    @ft.model
    def empty():
        ft.sample("x", make(EMPTY[kind]()))

    with pytest.raises((ft.ModelError, ft.ShapeError), match="holds no number") as refused:
        empty().plan()
    # what numpyro makes as large as its neighbours is empty by them
    if kind == "list":
        assert f"has {argument} = []" in str(refused.value)


@pytest.mark.parametrize("kind", EMPTY)
def test_empty_data_are_refused(kind):
    @ft.model
    def rows(x):
        mu = ft.sample("mu", ft.Normal(0, 1))
        with ft.plate("row", len(x)):
            ft.sample("y", ft.Normal(mu * x, 1))

    empty = EMPTY[kind]()
    with pytest.raises(ft.FinettiError, match="plate `row` needs at least one member"):
        rows(empty).condition(y=empty).plan()
