"""Check the laws of moves: whatever is learned, a bijection whose Jacobian is as stated."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
import zoo
from finetti.compiling import ONCE, compiled
from zoo.moving import constants

# Models whose plan centres, and some whose effects it would integrate out instead.
CENTRED = (
    "heavy_tailed", "heavy_tailed_noncentred", "seeds_centred", "seeds", "surgical",
    "surgical_noncentred", "GLMM_Poisson", "GLMM_Poisson_noncentred", "irt_2pl",
    "irt_2pl_noncentred", "crossed_answers", "crossed_answers_noncentred", "nested_counts",
    "nested_counts_noncentred", "count_process", "zero_inflated_groups",
)  # fmt: skip
INSTEAD = (
    "schools", "noncentred_schools", "radon_slopes", "radon_noncentred_slopes",
    "radon_correlated", "crossed", "nested", "nested_noncentred", "multivariate_group",
    "heteroscedastic", "rats", "pilots", "horseshoe", "horseshoe_noncentred",
    "gaussian_process",
)  # fmt: skip
QUICK = (
    "heavy_tailed", "seeds", "irt_2pl", "nested_counts_noncentred", "noncentred_schools",
    "radon_correlated", "horseshoe",
)  # fmt: skip
every = pytest.mark.parametrize("name", zoo.shortened(CENTRED + INSTEAD, *QUICK))


@cache
def looked(name: str) -> dict[str, np.ndarray]:
    """Evaluate both sides of every law at a random point, with random constants."""
    model = zoo.MODELS[name]()
    plan = model.plan()
    plan = plan if name in CENTRED else plan.without("integrate out")
    density, rng = ft.density(model, plan), np.random.default_rng(1785)
    target, given = density.target()
    form, layout = target.form, density.layout
    assert form.moves
    given = given.learned({move.name: constants(rng, move, 2.0) for move in form.moves})
    z = rng.normal(0, 0.5, density.dim)

    def release(given, z):
        return layout.join(form.release(given, layout.split(z)))

    def everything(given, z):
        plain = form.release(given, layout.split(z))
        back = layout.join(form.adopt(given, plain))
        unmoved = form.unmoved().log_density(given, plain)
        jacobian = jax.jacfwd(release, 1)(given, z)
        determinant = jnp.linalg.slogdet(jacobian)[1]
        return back, form.log_density(given, layout.split(z)), unmoved, determinant, jacobian

    with jax.enable_x64(True):
        found = compiled(ONCE)(everything)(given, z)
    names = ("back", "moved", "unmoved", "determinant", "jacobian")
    return {"z": z, **dict(zip(names, map(np.asarray, found), strict=True))}


def test_the_models_are_all_those_that_can_be_centred():
    fits = {n for n in zoo.MODELS if any(v.located and v.plates for v in zoo.MODELS[n]().variables)}
    assert fits >= set(INSTEAD) - {"gaussian_process"}


@every
def test_to_adopt_what_was_released_is_to_do_nothing(name):
    found = looked(name)
    np.testing.assert_allclose(found["back"], found["z"], rtol=1e-9, atol=1e-9)


@every
def test_the_density_changes_by_the_jacobian_alone(name):
    found = looked(name)
    assert np.isfinite(found["moved"])
    expected = found["unmoved"] + found["determinant"]
    np.testing.assert_allclose(found["moved"], expected, rtol=1e-9)


@every
def test_the_map_moves_the_sites_and_holds_the_rest(name):
    found = looked(name)
    assert not np.allclose(found["jacobian"], np.eye(len(found["z"])))
