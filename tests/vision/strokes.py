"""Shapes of a few thick strokes, and the network that has learned them."""

import numpy as np

from finetti.vision import RCN


def drawn(*strokes, shape=(28, 28)):
    image = np.zeros(shape)
    for rows, columns in strokes:
        image[slice(*rows), slice(*columns)] = 255
    return image


SHAPES = {
    "I": drawn(((4, 24), (12, 16))),
    "-": drawn(((12, 16), (4, 24))),
    "L": drawn(((4, 24), (6, 10)), ((20, 24), (6, 20))),
}


def learned():
    return RCN().fit(np.stack(list(SHAPES.values())), list(SHAPES))
