"""Hold hard shadows to enumeration, and to images that are made with one."""

from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import demand_enumerated
from scipy.stats import norm
from tests.vision.test_scene_colour import by_waves, differences

import finetti as ft
from finetti.vision import Label, Patches, Scene, Shading, Shadows
from finetti.vision.scene.colour import GRAIN, hue_axes
from finetti.vision.scene.edges import labelling
from finetti.vision.scene.grid import cast_field
from finetti.vision.scene.made import hard_shadow
from finetti.vision.scene.model import Beside, label_shares, scene

SCALE, SIZE = 0.1, (2, 2)
PAINT = Patches(0.2, contrast=4.0, texture=0.06)
CAST = Shadows(0.2, depth=0.4, fade=0.1)
DARK = np.array(
    [[[0.0, 0.05, 0.0], [-0.35, -0.3, -0.35]], [[0.04, 0.0, 0.02], [-0.33, -0.35, -0.4]]]
)
HUED = DARK + np.array([0.0, 0.4, -0.4]) * np.array([0.0, 1.0])[:, None]


def enumerated(log_image):
    """Return P(label | image) at each edge, by a sum over all 256 joint labels.

    Given the labels all is Gaussian in the waves w of the shading and c of what shadows let
    through: the brightness' steps are s - J w - K c, those of c have a prior of their own.
    """
    known = labelling(SIZE, label_shares(Shading(), PAINT, CAST))
    stepping, count = differences(*SIZE), log_image.shape[-1]
    unit = [np.asarray(cast_field(jnp.asarray(w), SIZE)).ravel() for w in np.eye(3)]
    lets = stepping @ np.stack(unit, -1).astype(float)
    log = log_image.reshape(4, count)
    wanted, hues = np.sqrt(count) * stepping @ log.mean(-1), stepping @ log @ hue_axes(count)
    shaded = np.hstack([stepping @ by_waves(Shading(), SIZE, SCALE), CAST.fade * lets])
    push, held = np.sqrt(count) * shaded, np.hstack([np.zeros((4, 3)), lets])
    wide_paint, _ = known.widths(np.sqrt(count) * PAINT.contrast, 1.0)
    wide_hue, _ = known.widths(PAINT.contrast * PAINT.hue, 1.0)
    wide_cast = known.casts(CAST.depth / CAST.fade)
    total, found = 0.0, np.zeros((4, len(known.labels)))
    for labels in product(range(len(known.labels)), repeat=4):
        labels = np.array(labels)
        narrow, stiff = (PAINT.texture * wide_paint[labels]) ** -2.0, wide_cast[labels] ** -2.0
        precision = np.diag([1.0] * 3 + [0.0] * 3)
        precision += (push.T * narrow) @ push + (held.T * stiff) @ held
        towards = (push.T * narrow) @ wanted
        log_mass = towards @ np.linalg.solve(precision, towards) / 2 - narrow @ wanted**2 / 2
        log_mass -= np.linalg.slogdet(precision)[1] / 2
        log_mass += np.log(narrow).sum() / 2 + np.log(stiff).sum() / 2
        width = np.sqrt((PAINT.texture * wide_hue[labels]) ** 2 + GRAIN**2)
        log_mass += norm.logpdf(hues, scale=width[:, None]).sum() + known.logits[labels].sum()
        total += np.exp(log_mass)
        found[range(4), labels] += np.exp(log_mass)
    return known.labels, found / total


def test_a_step_at_which_the_hue_stays_is_a_shadow_and_one_of_hue_is_paint():
    labels, dark = enumerated(DARK)
    _, hued = enumerated(HUED)
    cast = [labels.index(label) for label in labels if label.cast]
    painted = [labels.index(label) for label in labels if label.paint]
    assert dark[0, cast].sum() > 0.6 > 0.3 > dark[0, painted].sum()
    assert hued[0, painted].sum() > 0.9 > 0.5 > hued[0, cast].sum()


@pytest.mark.slow
@pytest.mark.parametrize("log_image", [DARK, HUED])
def test_labels_of_shadows_have_their_enumerated_probabilities(log_image):
    shape = Shading(scale=SCALE)
    model = scene(log_image, shape, PAINT, 0.0, None, Beside(CAST))
    demand_enumerated(model, enumerated(log_image)[1])


def test_a_hard_shadow_across_coloured_patches_is_found_before_any_draw():
    made = hard_shadow((10, 10), 3, hue=0.35)
    found = Scene(made.image, shadows=Shadows()).readings()[0]
    off = np.log(found.shading) - np.log(made.shading)
    assert np.std(off) < 0.1 * np.log(made.shading).std()


def test_settings_of_shadows_that_make_no_sense_are_refused():
    with pytest.raises(ft.ModelError, match="Shadows's depth is -1"):
        Shadows(depth=-1.0)
    with pytest.raises(ft.ModelError, match=r"Shadows's edges is 0\.6"):
        Shadows(edges=0.6)
    nothing = np.zeros((5, 4)), np.zeros((4, 5))
    with pytest.raises(ft.DataError, match="evidence speaks of edges of shadow, which the priors"):
        Scene(hard_shadow((5, 5)).image, evidence={Label.SHADOW: nothing})


@pytest.mark.slow
def test_draws_hold_the_shadow_and_its_edges():
    made = hard_shadow((10, 10), 3, hue=0.35)
    method = ft.NUTS(draws=50, warmup=100, thin=1)
    found = Scene(made.image, shadows=Shadows()).fit(method, progress=False)
    off = np.abs(np.log(found.shading) - np.log(made.shading))
    assert (off < 2 * found.log_shading_sd).mean() > 0.9
    true = np.abs(np.diff(np.log(made.shading), axis=1)) > 0.1
    named = found.edges(Label.SHADOW, Label.SHADOWED_PAINT)[0] > 0.5
    assert named[true].mean() > 0.9
    assert not (named & ~true).any()
    assert "of shadow" in str(found)
    assert len(found.picture().axes) == 4
