"""Hold scenes in colour: one label for all channels, and hue that no light changes."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import demand_enumerated
from scipy.stats import norm

import finetti as ft
from finetti.vision import Label, Patches, Scene, Shading, Surface, retinex
from finetti.vision.scene.colour import GRAIN, hue_axes, hue_odds, hue_steps, hue_texture
from finetti.vision.scene.doubting import Doubt
from finetti.vision.scene.grid import steps
from finetti.vision.scene.made import LIGHT, folds, hard_shadow, hills
from finetti.vision.scene.model import scene
from finetti.vision.scene.start import likely_starts

SCALE, TEXTURE, NOISE = 0.2, 0.08, 0.05


def differences(rows, cols):
    """Return the matrix of an image's steps to the right, row by row, then of its steps down."""
    right = np.kron(np.eye(rows), np.diff(np.eye(cols), axis=0))
    return np.vstack([right, np.kron(np.diff(np.eye(rows), axis=0), np.eye(cols))])


def by_waves(shape, size, scale=SCALE):
    """Return the matrix from waves to log shading, by its columns."""
    unit = np.eye(shape.waves(size))
    with jax.enable_x64(True):
        columns = [shape.log_shading(scale * shape.field(jnp.asarray(w), size)) for w in unit]
    return np.stack([np.asarray(c).ravel() for c in columns], -1)


def test_brightness_and_hue_are_an_orthonormal_basis_of_the_channels():
    for count in (1, 2, 3, 5):
        axes = np.hstack([np.full((count, 1), count**-0.5), hue_axes(count)])
        np.testing.assert_allclose(axes.T @ axes, np.eye(count), atol=1e-12)


def test_white_light_changes_no_hue():
    made = hills((6, 7), 0, hue=0.3)
    lit = np.log(made.image) + np.log(made.shading)[..., None]
    np.testing.assert_allclose(hue_steps(lit), hue_steps(np.log(made.image)), atol=1e-5)
    assert hue_texture(np.log(made.image)) == pytest.approx(0.0141, abs=0.004)


def test_the_odds_of_hue_are_those_of_normal_steps():
    made = hills((5, 6), 1, hue=0.3)
    log, wide = np.log(made.image), np.array([1.0, 15.0])
    stepped = differences(5, 6) @ log.reshape(30, 3) @ hue_axes(3)
    widths = np.sqrt((0.02 * wide) ** 2 + GRAIN**2)
    exact = np.stack([norm.logpdf(stepped, scale=w).sum(-1) for w in widths], -1)
    found = hue_odds(log, 0.02, wide)
    np.testing.assert_allclose(found, exact + np.log(2 * np.pi), rtol=1e-4, atol=1e-4)


def test_one_channel_is_the_grey_image():
    grey = hills((5, 6)).image
    np.testing.assert_array_equal(Scene(grey[..., None]).image, grey)
    assert hue_steps(grey).shape == (0, 49)


COLOURED = hills((5, 6), 0, hue=0.3).image
BAD = {
    "no channels": (np.ones((5, 6, 0)), r"shape \(5, 6, 0\); give \(row, col\), or \(row, col, ch"),
    "several images": (np.ones((2, 5, 6, 3)), r"shape \(2, 5, 6, 3\); give \(row, col\)"),
    "channels first": (np.ones((1, 5, 6)), "3 pixels a side at least; channels come last"),
    "many channels": (np.ones((5, 6, 40)), "of 40 channels, and 16 are the most taken"),
    "grey": (np.ones(3) * hills((5, 6)).image[..., None], "channels are multiples of one another"),
    "black": (COLOURED * (COLOURED.max() > COLOURED), "at row .*, column .*, channel .*, and at 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_colour_image_that_cannot_be_used_is_refused(name):
    image, words = BAD[name]
    with pytest.raises(ft.DataError, match=words):
        Scene(image)


def test_gaussian_priors_give_the_exact_posterior_in_colour():
    """Solve for waves and all channels jointly; a step has the texture in each axis of colour."""
    size, pixels = (3, 4), 12
    shape = Shading(scale=SCALE)
    log_image = np.random.default_rng(3).normal(0, 0.5, (*size, 3))
    lean, stepping = by_waves(shape, size), differences(*size)
    told = np.hstack([np.kron(lean, np.ones((3, 1))), np.eye(3 * pixels)])
    precision = told.T @ told / NOISE**2
    waves = lean.shape[1]
    precision[:waves, :waves] += np.eye(waves)
    bright = np.full((3, 3), 1 / 3)
    axes = bright / TEXTURE**2 + (np.eye(3) - bright) / (TEXTURE**2 + GRAIN**2)
    precision[waves:, waves:] += np.kron(stepping.T @ stepping, axes)
    covariance = np.linalg.inv(precision)
    mean = covariance @ told.T @ log_image.ravel() / NOISE**2
    known = Scene(np.exp(log_image), shape, Patches(edges=0.0, texture=TEXTURE), NOISE)
    posterior = ft.fit(known.model(), ft.MAP(starts=1), progress=False)
    shading = posterior["log_shading"].to_numpy()[0, 0].ravel()
    np.testing.assert_allclose(shading, lean @ mean[:waves], atol=1e-5)
    paint = posterior["log_reflectance"].to_numpy()[0, 0]
    np.testing.assert_allclose(paint.ravel(), mean[waves:], atol=1e-5)
    errors = posterior.tree["standard_error"].dataset["log_shading"].to_numpy()
    exact = np.sqrt(np.diag(lean @ covariance[:waves, :waves] @ lean.T))
    np.testing.assert_allclose(errors.ravel(), exact, atol=1e-5)


def enumerated(log_image, shape, paint):
    """Return P(label | image) at each edge of a two by two image, by a sum over joint labels."""
    size, (pixels, count) = (2, 2), (4, log_image.shape[-1])
    lean, stepping = by_waves(shape, size), differences(*size)
    log = log_image.reshape(pixels, count)
    wanted, hues = stepping @ log.mean(-1) * np.sqrt(count), stepping @ log @ hue_axes(count)
    push = np.sqrt(count) * stepping @ lean
    total, found = 0.0, np.zeros((4, 2))
    for labels in product((0, 1), repeat=4):
        labels = np.array(labels)
        wide = paint.texture * np.where(labels, np.sqrt(count) * paint.contrast, 1.0)
        wide_hue = paint.texture * np.where(labels, paint.contrast * paint.hue, 1.0)
        covariance = push @ push.T + np.diag(wide**2)
        density = -wanted @ np.linalg.solve(covariance, wanted) / 2
        density -= np.linalg.slogdet(covariance)[1] / 2
        density += norm.logpdf(hues, scale=np.sqrt(wide_hue**2 + GRAIN**2)[:, None]).sum()
        density += np.log(np.where(labels, paint.edges, 1 - paint.edges)).sum()
        mass = np.exp(density)
        total += mass
        found[range(4), labels] += mass
    return found / total


TINY = np.array([[[0.0, 0.1, 0.0], [0.35, 0.3, 0.1]], [[0.02, 0.0, 0.05], [0.3, 0.2, 0.5]]])
PAINT = Patches(0.2, contrast=4.0, texture=0.06)


@pytest.mark.slow
def test_labels_have_their_enumerated_probabilities_in_colour():
    shape = Shading(scale=SCALE)
    model = scene(TINY, shape, PAINT, 0.0, None)
    demand_enumerated(model, enumerated(TINY, shape, PAINT))


def test_a_change_of_hue_speaks_for_paint():
    """The same steps of brightness are likelier paint where the channels part."""
    shape, grey = Shading(scale=SCALE), TINY.mean(-1, keepdims=True) * np.ones(3)
    hued = enumerated(TINY, shape, PAINT)[3, 1]
    assert hued > enumerated(grey, shape, PAINT)[3, 1] + 0.3


def test_retinex_parts_paints_of_one_brightness_by_their_hue():
    hues = hue_axes(3)[:, 0] * np.repeat([0.3, -0.3], 4)[:, None]
    light = np.linspace(0, 1, 6)[:, None] * np.ones(8)
    image = np.exp(hues[None] + light[..., None])
    reflectance, shading = retinex(image, 0.5, 0.1)
    np.testing.assert_allclose(np.log(shading), light - light.mean(), atol=1e-6)
    assert np.log(reflectance).std(0).max() < 1e-6


def test_doubt_in_colour_casts_the_steps_at_which_the_hue_stays():
    """Of two abrupt steps, the one without a change of hue may be a shadow's; the other not."""
    paint = np.repeat([0.0, -0.5, -1.5], 3) * np.ones((800, 4, 1))
    step = np.asarray(steps(paint[0]))
    hueless = np.where(np.isclose(step, -0.5), 1.0, 0.0)
    flat, rough = np.zeros_like(paint), np.full(800, 0.02)
    found = Doubt(0.5, False, True).widened(flat, paint, Shading(), rough, None, hueless)
    cast = found[:, 2, 3] - found[:, 2, 2]
    assert set(np.round(cast, 6)) == {0.0, -0.5}
    assert abs(np.mean(cast == 0) - 0.5) < 4 * 0.5 / np.sqrt(800)
    np.testing.assert_allclose(found[:, :, 6], found[:, :, 5], atol=1e-6)


def test_hills_in_colour_are_begun_near_the_truth():
    made = hills((10, 11), 2, hue=0.35)
    known = Scene(made.image)
    start = likely_starts(np.log(made.image), *known._stated(), known._labelling(*known._stated()))
    off = start[0].log_shading - np.log(made.shading)
    assert np.std(off) < 0.1 * np.log(made.shading).std()


@pytest.mark.slow
def test_a_folded_sheet_is_read_as_folded_where_paints_have_hues():
    """The same sheet in grey is read as flat and striped."""
    made = folds((8, 12), 7, hue=0.35)
    shape = Surface(LIGHT, creases=0.05, boundaries=0.01)
    found = Scene(made.image, shape).fit(ft.NUTS(draws=60, warmup=120, thin=1), progress=False)
    off = np.log(found.shading) - np.log(made.shading)
    assert np.std(off) < 0.25 * np.log(made.shading).std()
    assert found.reflectance.shape == found.log_reflectance_sd.shape == (8, 12, 3)
    again = found.reflectance * found.shading[..., None]
    np.testing.assert_allclose(again, made.image, rtol=1e-6)
    right, down = found.edges(Label.SHAPE, Label.BOUNDARY)
    true = np.abs(np.diff(np.log(made.shading), axis=1)) > 0.05
    assert not (right[~true] > 0.5).any()
    assert not (down > 0.5).any()
    assert (right > 0.5).all(0).any()  # one fold of the three is named from end to end
    assert len(found.picture().axes) == 4


@pytest.mark.slow
def test_a_hard_shadow_on_coloured_patches_is_doubted_where_the_hue_stays():
    made = hard_shadow((10, 10), 3, hue=0.35)
    found = Scene(made.image).fit(ft.NUTS(draws=40, warmup=80, thin=1), progress=False)
    assert any("abrupt edges at which the hue stays" in doubt for doubt in found.doubts)
    off = np.abs(np.log(found.shading) - np.log(made.shading))
    within = (off < 2 * found.log_shading_sd).mean()
    assert within > (off < 2 * found.trusting.log_shading_sd).mean() + 0.3
