"""Hold the scene's posterior to exact ones: Gaussian, enumerated, and its prior where none sees."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import demand_enumerated
from scipy.optimize import minimize_scalar

import finetti as ft
from finetti.vision import Label, Patches, Scene, Shading, Surface
from finetti.vision.scene.edges import labelling
from finetti.vision.scene.model import scene

SIZE = (4, 5)
SCALE, TEXTURE, NOISE = 0.2, 0.08, 0.05
GAUSSIAN = {
    "shading": Shading(scale=SCALE),
    "weak surface": Surface((-1.0, -0.5, 1.0), scale=SCALE, weak=True),
}


def differences(rows, cols):
    """Return the matrix of an image's steps to the right, row by row, then of its steps down."""
    right = np.kron(np.eye(rows), np.diff(np.eye(cols), axis=0))
    return np.vstack([right, np.kron(np.diff(np.eye(rows), axis=0), np.eye(cols))])


def by_waves(shape, size, scale):
    """Return the matrix from waves to log shading, by its columns."""
    unit = np.eye(shape.waves(size))
    with jax.enable_x64(True):
        columns = [shape.log_shading(scale * shape.field(jnp.asarray(w), size)) for w in unit]
    return np.stack([np.asarray(c).ravel() for c in columns], -1)


@pytest.mark.parametrize("name", ["shading", pytest.param("weak surface", marks=pytest.mark.slow)])
def test_gaussian_priors_give_the_exact_posterior(name):
    """Solve for waves w and log reflectance r jointly, with the image Normal(r + J w, noise)."""
    shape, pixels = GAUSSIAN[name], SIZE[0] * SIZE[1]
    log_image = np.random.default_rng(3).normal(0, 0.5, SIZE)
    lean, stepping = by_waves(shape, SIZE, SCALE), differences(*SIZE)
    told = np.hstack([lean, np.eye(pixels)])
    precision = told.T @ told / NOISE**2
    waves = lean.shape[1]
    precision[:waves, :waves] += np.eye(waves)
    precision[waves:, waves:] += stepping.T @ stepping / TEXTURE**2
    covariance = np.linalg.inv(precision)
    mean = covariance @ told.T @ log_image.ravel() / NOISE**2
    known = Scene(np.exp(log_image), shape, Patches(edges=0.0, texture=TEXTURE), NOISE)
    posterior = ft.fit(known.model(), ft.MAP(starts=1), progress=False)
    shading = posterior["log_shading"].to_numpy()[0, 0].ravel()
    reflectance = posterior["log_reflectance"].to_numpy()[0, 0].ravel()
    np.testing.assert_allclose(shading, lean @ mean[:waves], atol=1e-6)
    np.testing.assert_allclose(reflectance, mean[waves:], atol=1e-6)
    errors = posterior.tree["standard_error"].dataset
    exact = np.sqrt(np.diag(lean @ covariance[:waves, :waves] @ lean.T))
    np.testing.assert_allclose(errors["log_shading"].to_numpy().ravel(), exact, atol=1e-6)
    exact = np.sqrt(np.diag(covariance[waves:, waves:]))
    np.testing.assert_allclose(errors["log_reflectance"].to_numpy().ravel(), exact, atol=1e-6)


def test_the_texture_is_inferred_with_the_right_constant():
    """Compare its mode with that under a degenerate Gaussian, of one dimension less than pixels."""
    log_image = np.random.default_rng(4).normal(0, 0.3, SIZE)
    squares = np.sum((differences(*SIZE) @ log_image.ravel()) ** 2)

    def surprise(log):  # the last term is what the density of a log-normal has beside the normal's
        likelihood = -(log_image.size - 1) * log - squares / (2 * np.exp(2 * log))
        return -likelihood + (log - np.log(0.02)) ** 2 / (2 * 1.5**2) + log

    exact = minimize_scalar(surprise, bounds=(-5, 1), method="bounded", options={"xatol": 1e-9})
    known = Scene(np.exp(log_image), Shading(scale=1e-9), Patches(edges=0.0))
    posterior = ft.fit(known.model(), ft.MAP(starts=1), progress=False)
    assert np.log(posterior["texture"].item()) == pytest.approx(exact.x, abs=1e-6)


def tiny():
    """Return a two by two image and all that its model is given."""
    log_image = np.array([[0.0, 0.32], [0.02, 0.3]])
    shape = Surface((-1.0, -0.4, 1.0), 0.15, 0.05, scale=0.1, bend=4.0, weak=True)
    return log_image, shape, Patches(0.2, contrast=4.0, texture=0.06)


def evidence(log_ratio):
    """Return evidence for paint at the first edge, of the upper two pixels."""
    return {Label.REFLECTANCE: (np.array([[log_ratio], [0.0]]), np.zeros((1, 2)))}


def enumerated(known, nodes):
    """Return P(label | image) at each edge, by a sum over all joint labels.

    Given the labels, and the precisions that make the twists' Student t of Gaussians, all is
    Gaussian, and the waves integrate out. The precisions are exponential, with two degrees of
    freedom, and their roots are summed over by Gauss and Legendre's rule from 0 to 3.
    """
    log_image, shape, paint = tiny()
    size, scale = log_image.shape, shape.scale
    waves = shape.waves(size)
    heights = np.stack(
        [np.asarray(shape.field(jnp.asarray(w), size)) for w in np.eye(waves)], -1
    ).astype(float)
    across, along = np.diff(heights, axis=1), np.diff(heights, axis=0)
    p, q = (across[1:] + across[:-1]) / 2, (along[:, 1:] + along[:, :-1]) / 2
    bends = np.concatenate([(p[:, 1] - p[:, 0]), (q[1] - q[0])])
    twists = np.diff(across, axis=0).reshape(4, waves)
    tilt = scale * np.stack([p.mean((0, 1)), q.mean((0, 1))]) / shape.slant
    painted = differences(*size) @ by_waves(shape, size, scale) / paint.texture
    wanted = differences(*size) @ log_image.ravel() / paint.texture
    roots, weights = np.polynomial.legendre.leggauss(nodes)
    roots = 1.5 * (roots + 1)
    points, weights = roots**2, weights * roots**2 * np.exp(-(roots**2))
    grid = np.array(list(product(range(nodes), repeat=4)))
    fixed = tilt.T @ tilt + np.einsum("gt,ta,tb->gab", points[grid], twists, twists)
    wide_paint, wide_bend = known.widths(paint.contrast, shape.bend)
    logits = np.broadcast_to(known.logits, (4, len(known.labels)))
    total, found = 0.0, np.zeros(logits.shape)
    for labels in product(range(len(known.labels)), repeat=4):
        labels = np.array(labels)
        narrow, stiff = 1 / wide_paint[labels] ** 2, 1 / wide_bend[labels] ** 2
        precision = fixed + (painted.T * narrow) @ painted + (bends.T * stiff) @ bends
        towards = (painted.T * narrow) @ wanted
        solved = np.linalg.solve(precision, np.broadcast_to(towards, fixed.shape[:2])[..., None])
        log = towards @ solved[..., 0].T / 2 - np.linalg.slogdet(precision)[1] / 2
        log += np.log(weights[grid]).sum(-1) + np.log(narrow * stiff).sum() / 2
        log += logits[range(4), labels].sum() - narrow @ wanted**2 / 2
        mass = np.exp(log).sum()
        total += mass
        found[range(4), labels] += mass
    return found / total


def labelled(log_ratio):
    """Return the labelling of the tiny image under evidence for paint at the first edge."""
    shares = {Label.REFLECTANCE: 0.2, Label.SHAPE: 0.15, Label.BOUNDARY: 0.05}
    return labelling((2, 2), shares, evidence(log_ratio))


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.0, 2.0])
def test_labels_have_their_enumerated_probabilities(ratio):
    log_image, shape, paint = tiny()
    model = scene(log_image, shape, paint, 0.0, evidence(ratio))
    demand_enumerated(model, enumerated(labelled(ratio), 6))


@pytest.mark.slow
def test_the_rule_of_enumeration_has_converged():
    np.testing.assert_allclose(
        enumerated(labelled(0.0), 6), enumerated(labelled(0.0), 7), atol=1e-3
    )


def test_evidence_for_paint_explains_a_crease_away():
    """Tell of paint at one edge: paint grows likelier there, a crease less likely."""
    before, after = enumerated(labelled(0.0), 5), enumerated(labelled(2.0), 5)
    paint, crease = (labelled(0.0).labels.index(x) for x in (Label.REFLECTANCE, Label.SHAPE))
    assert after[0, paint] > before[0, paint] + 0.1
    assert after[0, crease] < before[0, crease] - 0.05


@pytest.mark.slow
def test_an_image_that_says_nothing_leaves_the_roughness_to_its_prior():
    """Let the paint do anything: of a creased surface's scale then only the prior speaks."""
    log_image = np.random.default_rng(5).normal(0, 0.3, (3, 3))
    shape = Surface(creases=0.1, boundaries=0.02, usual=0.05)
    paint = Patches(edges=0.0, texture=1e3)
    posterior = ft.fit(
        scene(log_image, shape, paint, 0.0, None), ft.NUTS(draws=1500, thin=2), progress=False
    )
    log = np.log(posterior["roughness"].to_numpy())
    halves = log.reshape(8, -1).mean(1)
    error = halves.std(ddof=1) / np.sqrt(8)
    assert abs(log.mean() - np.log(0.05)) < 4 * error
    assert 1.2 < log.std() < 1.8
