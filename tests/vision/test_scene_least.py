"""Hold the start's linear algebra to dense solutions, and its coordinates to the model's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.vision import Patches, Scene, Shading, Shadows, Surface
from finetti.vision.scene.least import Scales, parts
from finetti.vision.scene.made import hills
from finetti.vision.scene.model import Beside, Known, Pace, scene

CREASED = Surface(creases=0.1, boundaries=0.02)
SIZE, SCALES = (4, 5), Scales(0.05, 40.0)


@pytest.mark.parametrize("shape", [Shading(), pytest.param(CREASED, marks=pytest.mark.slow)])
def test_conjugate_gradients_solve_the_normal_equations(shape):
    """Compare with dense ones, linear about a point; the diagonal is probed, and so about right."""
    found = parts(shape, SIZE, Shadows())
    rng = np.random.default_rng(0)
    about = 0.3 * rng.standard_normal(found.waves)
    with jax.enable_x64(True):
        shown, push = jax.linearize(lambda w: found.exact(w, SCALES).joined(), jnp.asarray(about))
        lean = np.stack([np.asarray(push(jnp.asarray(w))) for w in np.eye(found.waves)], -1)
        weight, wanted = rng.uniform(0.2, 2, len(shown)), rng.standard_normal(len(shown))
        ridge = np.full(found.waves, 0.1)
        dense = (lean.T * weight) @ lean + np.diag(ridge)
        best = found.best(weight, wanted, ridge, about, SCALES)
        exact = np.linalg.solve(dense, (lean.T * weight) @ (wanted - shown + lean @ about))
        np.testing.assert_allclose(best, exact, atol=1e-4)
        np.testing.assert_allclose(found.normal(weight, ridge, about, SCALES), dense, atol=1e-6)
        probed = np.asarray(found.diagonal(weight, ridge, about, SCALES))
        assert np.abs(np.log(probed / np.diag(dense))).max() < 0.7


@pytest.mark.parametrize("shape", [Shading(), pytest.param(CREASED, marks=pytest.mark.slow)])
def test_a_pace_changes_the_coordinates_and_not_the_model(shape):
    """The density changes by the Jacobian alone."""
    logs, rng = np.log(hills((3, 4)).image), np.random.default_rng(1)
    count = shape.waves((3, 4))
    pace = Pace(
        rng.uniform(0.2, 1, count), rng.uniform(0, 1, count), Known(0.03, 0.2), Known(0.05, 0.3)
    )
    both = [scene(logs, shape, Patches(), 0.0, None, Beside(None, way)) for way in (None, pace)]
    plain, paced = (
        ft.density(model, model.plan().without("straighten", "centre")) for model in both
    )
    lost = []
    for _ in range(3):
        z = rng.standard_normal(count + 2)
        texture, rough = 0.03 * np.exp(0.2 * z[0]), 0.05 * np.exp(0.3 * z[1])
        turned = np.asarray(pace.turned(rough))
        x = np.concatenate([np.log([texture, rough]), turned * z[2:]])
        there = float(plain.log_density(jnp.asarray(x))) + np.log(turned).sum()
        lost.append(there - float(paced.log_density(jnp.asarray(z))))
    assert np.ptp(lost) < 1e-2


@pytest.mark.slow
def test_an_image_of_64_by_64_pixels_is_taken_apart():
    made = hills((64, 64), 7, hue=0.35)
    found = Scene(made.image).fit(progress=False)
    off = np.abs(np.log(found.shading) - np.log(made.shading))
    assert (off < 2 * found.trusting.log_shading_sd).mean() > 0.9
    assert found.rhat < 1.2
