"""Hold scenes to images whose making is known, and refuse what no image can tell."""

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.vision import Label, Patches, Scene, Shading, Surface, retinex
from finetti.vision.scene.doubting import Doubt
from finetti.vision.scene.grid import steps
from finetti.vision.scene.made import checker_shadow, hills, shadow
from finetti.vision.scene.shapes import bends, slopes, twists

FLAT = np.ones((5, 6)) + np.eye(5, 6)


@pytest.fixture(scope="module")
def illusion():
    """Take a small board of checks with a shadow across apart."""
    made, lit, shaded = checker_shadow(check=2)
    found = Scene(made.image).fit(ft.NUTS(draws=100, warmup=200, thin=1), progress=False)
    return made, lit, shaded, found


def test_equal_pixels_come_out_as_the_paints_that_people_see(illusion):
    made, lit, shaded, found = illusion
    assert made.image[lit] == made.image[shaded]
    assert found.brighter(shaded, lit) > 0.99
    ratio = np.log(found.reflectance[shaded] / found.reflectance[lit])
    known = found.trusting.log_reflectance_sd
    sd = np.hypot(known[shaded], known[lit])
    assert abs(ratio - np.log(2)) < 4 * sd < 1


def test_paint_edges_are_where_the_checks_meet(illusion):
    made, _, _, found = illusion
    painted = np.abs(np.asarray(steps(np.log(made.reflectance)))) > 0
    parts = found.edges(Label.REFLECTANCE)
    assert [part.shape for part in parts] == [(12, 11), (11, 12)]
    named = np.concatenate([part.ravel() for part in parts])
    assert named[painted].mean() > 0.9
    assert named[~painted].mean() < 0.1
    none = np.concatenate([part.ravel() for part in found.edges(Label.NONE)])
    np.testing.assert_allclose(none + named, 1, rtol=1e-9)
    assert not np.any(found.edges(Label.SHAPE)[0])


def test_shading_times_reflectance_is_the_image_where_no_noise_is_stated(illusion):
    made, _, _, found = illusion
    np.testing.assert_allclose(found.shading * found.reflectance, made.image, rtol=1e-9)
    assert np.log(found.shading).mean() == pytest.approx(0, abs=1e-9)


def test_a_decomposition_speaks_and_draws(illusion):
    _, lit, _, found = illusion
    assert str(found).startswith("Reflectance differs by ")
    assert "edges between pixels, expect " in str(found)
    assert len(found.picture().axes) == 4
    with pytest.raises(ft.DataError, match=r"pixel \(12, 0\) is outside the image"):
        found.brighter((12, 0), lit)
    with pytest.raises(ft.UnknownSite, match="height"):
        _ = found.height


def ramp_of_paint():
    """Return an image of flat ground in even light whose paint fades to one side."""
    return np.exp(0.1 * np.arange(9) + 0.01 * np.random.default_rng(0).standard_normal((8, 9)))


def hard_shadow():
    """Return an image of one paint, part of it in a shadow with a hard edge."""
    return np.where(np.arange(9) > 4, 0.4, 1.0) + 0.004 * np.random.default_rng(0).random((8, 9))


@pytest.mark.parametrize(
    ("image", "shading", "words"),
    [
        pytest.param(
            ramp_of_paint(),
            np.ones((8, 9)),
            "whether what is smooth is shading (0.2",
            marks=pytest.mark.slow,
        ),
        (
            hard_shadow(),
            np.where(np.arange(9) > 4, 0.4, 1.0) * np.ones((8, 1)),
            "whether the 8 abrupt edges are of paint or of a hard shadow",
        ),
    ],
)
def test_what_the_priors_alone_decide_is_said_and_counted(image, shading, words):
    """The truth is far from the reading, and within two deviations, which count the doubt."""
    found = Scene(image).fit(ft.NUTS(draws=40, warmup=60, thin=1), progress=False)
    assert any(f"Cannot decide {words}" in doubt for doubt in found.doubts)
    assert len(found.doubts) == 1
    assert found.doubts[0] in str(found)
    assert "if the priors hold" in str(found)
    truth = np.log(shading) - np.log(shading).mean()
    off = np.abs(np.log(found.shading) - truth)
    assert (off < 2 * found.log_shading_sd).mean() > 0.9
    # Both readings agree where the light of a ramp is the mean: in one column of nine.
    assert (off < 2 * found.trusting.log_shading_sd).mean() <= 1 / 9
    assert "with the doubt below" in str(found)
    assert "with the doubt below" not in str(found.trusting)
    assert str(found.trusting).startswith("Reflectance differs by ")


def test_doubt_leaves_shares_of_what_is_smooth_and_casts_a_shadow_of_what_is_abrupt():
    """Means over readings are those of their probabilities, within the draws' own error."""
    slope = np.linspace(-1, 1, 6) * np.ones((4000, 5, 1))
    paint = np.where(np.arange(6) > 3, -1.0, 0.0) * np.ones((4000, 5, 1))
    rough = np.full(4000, 0.02)
    smooth = Doubt(0.4, True, False).widened(slope, paint, Shading(), rough)
    kept = smooth[:, :, 5].mean(1)  # 1 of 0.6, 0 of 0.2, and between them, evenly, of 0.2
    assert abs(kept.mean() - 0.7) < 4 * kept.std() / np.sqrt(4000)
    cast = Doubt(0.4, False, True).widened(slope, paint, Shading(), rough) - slope
    step = cast[:, 2, 4] - cast[:, 2, 1]
    assert set(np.round(step, 9)) == {0.0, -1.0}
    assert abs(step.mean() + 0.4) < 4 * step.std() / np.sqrt(4000)
    np.testing.assert_allclose(cast.mean((1, 2)), 0, atol=1e-9)
    told = 5.0 * (np.abs(np.asarray(steps(paint[0]))) > 0)  # each step is one of paint, e^5 to 1
    sure = Doubt(0.4, False, True).widened(slope, paint, Shading(), rough, told)
    np.testing.assert_allclose(sure, slope, atol=1e-12)
    sure = Doubt(0.0, True, True).widened(slope, paint, Shading(), rough)
    np.testing.assert_allclose(sure, slope, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("make", [hills, shadow])
def test_the_truth_lies_within_the_posterior(make):
    """Ask at single far-apart pixels of several scenes whether |error| / sd is that of a normal."""
    scores = []
    for seed in range(6):
        made = make((14, 14), seed)
        found = Scene(made.image).fit(seed=seed, progress=False)
        off = (np.log(found.shading) - np.log(made.shading)) / found.trusting.log_shading_sd
        scores += off[[2, 2, 11, 11], [2, 11, 2, 11]].tolist()
    assert np.mean(np.abs(scores) < 2) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / len(scores))


def test_slopes_bends_and_twists_are_those_of_a_known_surface():
    down, right = np.mgrid[:5, :6].astype(float)
    heights = jnp.asarray(0.5 * right**2 + 2 * down**2 + 3 * down * right)
    p, q = slopes(heights)
    np.testing.assert_allclose(p, (right + 0.5 + 3 * (down + 0.5))[:4, :5], rtol=1e-5)
    np.testing.assert_allclose(q, (4 * (down + 0.5) + 3 * (right + 0.5))[:4, :5], rtol=1e-5)
    np.testing.assert_allclose(bends(heights), [1.0] * 16 + [4.0] * 15, rtol=1e-4)
    np.testing.assert_allclose(twists(heights), 3, rtol=1e-4)


def test_a_surface_is_bright_where_it_faces_the_light():
    down, right = np.mgrid[:9, :9] - 4.0
    dome = jnp.asarray(-(right**2 + down**2) / 16)
    for light, place in {(-1.0, -1.0, 1.0): (0, 0), (1.0, 0.0, 1.0): (3, 7)}.items():
        shading = np.asarray(Surface(light).log_shading(dome))
        brightest = np.unravel_index(shading.argmax(), shading.shape)
        assert np.abs(np.subtract(brightest, place)).max() <= 1
        assert shading.mean() == pytest.approx(0, abs=1e-5)


PRIORS = {
    "no prior on paint": (Shading(), None, "the image says nothing of the shading"),
    "no prior on shape": (None, Patches(), "the image says nothing of the reflectance"),
    "no prior at all": (None, None, "the image does not decide: 29 of 29 directions"),
}


@pytest.mark.parametrize("name", PRIORS)
def test_the_ill_posed_case_is_named_before_anything_is_fitted(name):
    shape, paint, words = PRIORS[name]
    asked = Scene(FLAT, shape, paint)
    assert asked.freedom().ill_posed
    assert words in str(asked.freedom())
    with pytest.raises(ft.ModelError, match=words):
        asked.fit()


def test_directions_of_a_surface_that_no_light_shows_are_counted():
    """Lit along the columns, weak slopes across them do not show, at the corners' 42 heights."""
    found = Scene(FLAT, Surface((0.0, 1.0, 1.0), weak=True)).freedom()
    assert not found.ill_posed
    assert found.shape + found.hidden == 41
    assert found.shape <= 29
    assert f"{found.hidden} of 41 directions of the shape change no shading" in str(found)


BAD = {
    "shape": (np.ones((4, 5, 3, 2)), r"shape \(4, 5, 3, 2\); give \(row, col\), or \(row, col, ch"),
    "small": (np.ones((2, 9)), "give 3 pixels a side"),
    "large": (np.ones((512, 512)), "shrink it by 8 a side"),
    "nan": (np.where(FLAT > 1, np.nan, FLAT), "nan, not a finite number, at row 0, column 0"),
    "negative": (FLAT - 1.5, "not above 0, at row 0, column 1, and at 25 of 30"),
    "zeros": (np.zeros((4, 4)), "0, not above 0, at row 0"),
    "constant": (np.ones((4, 4)), "one value everywhere"),
    "words": (np.array([["a", "b"]]), "not an array of numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_image_that_cannot_be_used_is_refused_with_the_place(name):
    image, words = BAD[name]
    with pytest.raises(ft.DataError, match=words):
        Scene(image)


def test_settings_and_evidence_that_make_no_sense_are_refused():
    right, down = np.zeros((5, 5)), np.zeros((4, 6))
    with pytest.raises(ft.ModelError, match="light is straight from the viewer"):
        Surface((0.0, 0.0, 1.0))
    with pytest.raises(ft.ModelError, match="the last above 0"):
        Surface((1.0, 0.0, -1.0))
    with pytest.raises(ft.ModelError, match=r"Patches's edges is 0\.7"):
        Patches(edges=0.7)
    with pytest.raises(ft.ModelError, match="Shading's scale is -1"):
        Shading(scale=-1.0)
    with pytest.raises(ft.ModelError, match="take all of the edges"):
        Scene(FLAT, Surface(creases=0.4, boundaries=0.3), Patches(edges=0.4))
    with pytest.raises(ft.ModelError, match="noise is -1"):
        Scene(FLAT, noise=-1.0)
    for doubt in (1.0, -0.1, np.nan):
        with pytest.raises(ft.ModelError, match=r"doubt is .*; give a probability"):
            Scene(FLAT, doubt=doubt)
    with pytest.raises(ft.DataError, match="evidence speaks of edges of shape, which the priors"):
        Scene(FLAT, evidence={Label.SHAPE: (right, down)})
    with pytest.raises(ft.DataError, match=r"give two arrays, \(5, 5\) for steps to the right"):
        Scene(FLAT, evidence={Label.REFLECTANCE: (down, right)})
    with pytest.raises(ft.DataError, match="not finite"):
        Scene(FLAT, evidence={Label.REFLECTANCE: (right - np.inf, down)})


def test_retinex_is_exact_where_only_paint_steps_exceed_the_threshold():
    made = hills((10, 12), 3)
    log = np.log(made.reflectance)
    step = np.abs(np.asarray(steps(log)))
    reflectance, shading = retinex(made.reflectance, float(step[step > 1e-6].min()) * 0.99)
    np.testing.assert_allclose(reflectance, made.reflectance, rtol=1e-5)
    np.testing.assert_allclose(shading, 1, rtol=1e-5)
