"""Densities of planned models, and what is drawn back by them, are what XLA makes of them."""

import jax
import numpy as np
import pytest

import zoo
from finetti.host.keys import taken
from finetti.host.program import program
from finetti.host.rule import is_key
from finetti.targets.density import density

FAST = {"schools", "hidden_states", "surgical"}
EACH = [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in zoo.MODELS]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", EACH)
def test_numpy_has_the_density_its_slope_and_the_values(name):
    model = zoo.MODELS[name]()
    built = density(model, model.plan())
    target, given = built.placed
    positions = np.random.default_rng(11).normal(size=(3, built.dim))
    names = tuple(v.name for v in model.variables if v.kind == "latent")

    def told(given, key, positions):
        heights = jax.vmap(jax.value_and_grad(lambda x: target.log_density(given, x)))(positions)
        return heights, jax.vmap(lambda x: target.values(key, given, x, names))(positions)

    arguments = (given, jax.random.key(5), positions)
    traced = jax.jit(told).trace(*arguments)
    ready = program(traced.jaxpr)
    with np.errstate(all="ignore"):
        found = ready(*map(taken, jax.tree.leaves(arguments)))
    expected = jax.tree.leaves(traced.lower().compile()(*arguments))
    for ours, theirs in zip(found, expected, strict=True):
        assert not is_key(theirs.dtype)
        size = 1 + np.abs(theirs).max(initial=0.0, where=np.isfinite(theirs))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * size)
