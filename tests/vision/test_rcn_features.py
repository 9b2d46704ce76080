"""Hold features and templates to the specification of the network."""

import numpy as np
import pytest
from held import IMAGES
from scipy.signal import correlate

from finetti.vision.rcn.evidence import see
from finetti.vision.rcn.features import (
    ORIENTATIONS,
    blob,
    features,
    filters,
    responses,
    upsample,
)
from finetti.vision.rcn.template import GIVE, SLACK, SPARSITY, learn, sparsify


@pytest.fixture(scope="module")
def seen():
    return [see(image, 4, 44) for image in IMAGES[::5]]


@pytest.fixture(scope="module")
def templates(seen):
    return [learn(evidence.points) for evidence in seen]


def test_images_are_enlarged_as_pillow_does():
    image = pytest.importorskip("PIL.Image")
    small = IMAGES[7].astype(np.float32)
    large = np.asarray(image.fromarray(small).resize((112, 112), image.Resampling.BICUBIC))
    np.testing.assert_allclose(upsample(small, 4), large.clip(0, 255), atol=1e-3)


def test_a_full_step_responds_with_half_the_brightness():
    step = np.zeros((60, 60))
    step[:, 30:] = 255
    strength = responses(step)[:, 30, 15:45]
    assert strength.max() == pytest.approx(127.5, abs=0.01)
    brightest = np.unravel_index(strength.argmax(), strength.shape)
    assert brightest[0] == 0  # the orientation in which columns grow brighter


def test_responses_are_those_of_the_filters():
    image = np.random.default_rng(0).uniform(0, 255, (50, 50))
    direct = np.stack([correlate(image, k, mode="same") / np.abs(k).sum() for k in filters()])
    inside = np.s_[:, 12:-12, 12:-12]
    np.testing.assert_allclose(responses(image)[inside], direct[inside], atol=1e-9)
    assert blob()[0, 0] == 0


def test_features_turn_with_the_image():
    image = np.pad(upsample(IMAGES[12].astype(float), 4), 20)
    turned = features(np.ascontiguousarray(np.rot90(image)))
    expected = np.roll(np.rot90(features(image), axes=(1, 2)), -ORIENTATIONS // 4, axis=0)
    agree = ((turned > 0) & (expected > 0)).sum() / (expected > 0).sum()
    assert agree > 0.99  # all but ties that rounding decides


def test_features_left_are_apart_and_near_all_that_were_dropped(seen):
    for evidence in seen:
        kept = sparsify(evidence.points)
        apart = np.abs(evidence.points[:, None, 1:] - kept[:, 1:]).max(-1)
        assert (apart.min(1) <= SPARSITY).all()
        among = np.abs(kept[:, None, 1:] - kept[:, 1:]).max(-1)
        assert (among + 99 * np.eye(len(kept)) > SPARSITY).all()


def test_laterals_leave_no_pair_too_loose_and_radii_are_half_the_distance(templates):
    for template in templates:
        places = template.features[:, 1:]
        apart = np.linalg.norm(places[:, None] - places, axis=-1)
        wanted = GIVE * apart[tuple(template.edges.T)]
        assert (np.abs(template.radii - wanted) < 1).all()
        path = np.full(apart.shape, np.inf)
        np.fill_diagonal(path, 0)
        for (i, j), radius in zip(template.edges, np.ceil(wanted), strict=True):
            path[i, j] = path[j, i] = radius
        for k in range(len(path)):
            path = np.minimum(path, path[:, [k]] + path[[k], :])
        assert np.isfinite(path).all()
        assert (path < SLACK * GIVE * apart + 1e-9 + np.eye(len(path)))[apart <= 100].all()


def test_templates_have_the_size_the_specification_tells(templates):
    sizes = [len(t.features) for t in templates]
    assert min(sizes) >= 40
    assert max(sizes) <= 99
    radii = np.concatenate([t.radii for t in templates])
    assert np.bincount(radii).argmax() == 2
    assert 1.05 < np.mean([len(t.edges) / len(t.features) for t in templates]) < 1.2


def test_far_parts_are_joined():
    points = np.array([[0, 10, 10], [0, 15, 10], [0, 10, 290], [0, 15, 290]])
    template = learn(points)
    assert len(template.edges) == 3
