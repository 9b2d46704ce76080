"""Give vision pictures of every wrong kind by every door: each is refused by what to pass."""

from __future__ import annotations

import numpy as np
import pytest

import finetti as ft
from finetti.vision import RCN, Reader, Scene

RNG = np.random.default_rng(1)
GREY = RNG.uniform(1, 255, (12, 12))
COLOUR = RNG.uniform(1, 255, (12, 12, 3))
INK = np.zeros((28, 28))
INK[6:22, 10:18] = 255.0


@pytest.fixture(scope="module")
def network():
    return RCN().fit(INK[None], [1])


@pytest.fixture(scope="module")
def reader():
    return Reader().fit([INK], ["l"])


# Each takes one picture.
DOORS = {
    "scene": lambda network, reader, picture: Scene(picture),
    "fit": lambda network, reader, picture: RCN().fit(picture[None], [1]),
    "predict": lambda network, reader, picture: network.predict(picture[None]),
    "explain": lambda network, reader, picture: network.explain(picture),
    "agreement": lambda network, reader, picture: network.agreement(picture),
    "parse": lambda network, reader, picture: network.parse(picture),
    "read": lambda network, reader, picture: reader.read(picture),
    "learn to read": lambda network, reader, picture: Reader().fit([picture], ["l"]),
}
BAD = {
    "text": (np.full((12, 12), "white"), "not an array of numbers"),
    "digits as text": (np.full((12, 12), "7"), "not an array of numbers"),
    "complex": (GREY + 1j, "not an array of numbers"),
    "dates": (np.full((12, 12), "2024-01-01", "M8[D]"), "not an array of numbers"),
    "ragged": (np.array([[1.0, 2.0], [3.0]], object), "not an array of numbers"),
    "nothing": (np.full((12, 12), None), "not an array of numbers"),
    "empty": (np.ones((0, 12)), "shape"),
    "one row": (GREY[0], "shape"),
    "NaN": (np.where(GREY > 200, np.nan, GREY), "not a finite number|outside 0 to 255"),
    "infinite": (np.where(GREY > 200, np.inf, GREY), "not a finite number|outside 0 to 255"),
    "channels first": (np.moveaxis(COLOUR, -1, 0), r"np\.moveaxis\(image, 0, -1\)|row, col\)"),
    "channels first, alpha": (np.ones((4, 30, 40)), r"moveaxis|row, col\)"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("door", DOORS)
def test_no_picture_of_a_wrong_kind_comes_in(network, reader, door, kind):
    picture, words = BAD[kind]
    with pytest.raises(ft.DataError, match=words):
        DOORS[door](network, reader, picture)


@pytest.mark.parametrize("door", DOORS)
def test_a_mask_is_not_dropped(network, reader, door):
    with pytest.raises(ft.DataError, match="a mask is not read"):
        DOORS[door](network, reader, np.ma.masked_greater(GREY, 200))


def test_batches_of_transposed_pictures_are_refused(network):
    with pytest.raises(ft.DataError, match="channels come last"):
        network.predict(np.ones((2, 3, 28, 28)))


def test_an_alpha_channel_is_no_light():
    opaque = np.concatenate([COLOUR, np.full((12, 12, 1), 255.0)], -1)
    with pytest.raises(ft.DataError, match=r"alpha channel.*image\[\.\.\., :-1\]"):
        Scene(opaque)
    Scene(opaque[..., :-1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32, object])
def test_numbers_of_any_type_are_the_same_picture(network, dtype):
    whole = np.round(GREY)
    np.testing.assert_array_equal(Scene(whole.astype(dtype)).image, whole)
    assert network.predict(INK[None].astype(dtype)).tolist() == [1]
