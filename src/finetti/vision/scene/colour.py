"""Part a colour image into brightness, which light changes, and hue, which white light does not."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.scene.grid import edge_count, size_of, steps

GRAIN = 1e-3  # no log of a channel is known better than this: cameras round
ALIKE = 1e-6  # steps of hue below it are rounding: the image is grey


def channels(image: AnyArray) -> int:
    """Return how many channels an image has: 1 if it is grey, (row, col)."""
    return 1 if np.ndim(image) == 2 else np.shape(image)[2]


def brightness(logs: Float[AnyArray, "row col *channel"]) -> Float[AnyArray, "row col"]:
    """Return the mean over the channels of logs; a grey image is its own."""
    return logs if np.ndim(logs) == 2 else logs.mean(-1)


def hue_axes(count: int) -> Float[np.ndarray, "channel hue"]:
    """Return orthonormal directions of the log channels in which no white light moves them.

    Together with the direction of brightness, (1, ..., 1) / √count, they are Helmert's basis.

    >>> bool(np.allclose(hue_axes(3).sum(0), 0)), hue_axes(1).shape
    (True, (1, 0))
    """
    axes = np.zeros((count, count - 1))
    for k in range(1, count):
        axes[:k, k - 1] = 1 / np.sqrt(k * (k + 1))
        axes[k, k - 1] = -k / np.sqrt(k * (k + 1))
    return axes


def in_each(field: AnyArray, like: AnyArray) -> AnyArray:
    """Return a field that is common to the channels, as what is like it in shape has them.

    >>> in_each(np.zeros((3, 4)), np.zeros((3, 4, 3))).shape
    (3, 4, 1)
    """
    return field if np.ndim(field) == np.ndim(like) else field[..., None]


def hue_steps(logs: Float[AnyArray, "row col *channel"]) -> Float[AnyArray, "hue edge"]:
    """Return by how much the hue steps at each edge, along each axis; none of a grey image."""
    hues = logs.reshape(*logs.shape[:2], -1) @ hue_axes(channels(logs))
    found = [steps(hues[..., k]) for k in range(hues.shape[-1])]
    if not found:
        return np.zeros((0, edge_count(size_of(logs))))
    return np.stack(found) if isinstance(found[0], np.ndarray) else jnp.stack(found)


def hue_width(texture: AnyArray | float, wide: AnyArray | float) -> AnyArray:
    """Return the standard deviation of a step of hue, where labels make it `wide` textures."""
    return jnp.sqrt((texture * wide) ** 2 + GRAIN**2)


def hue_odds(
    logs: Float[AnyArray, "row col *channel"], texture: float, wide: Float[AnyArray, " label"]
) -> Float[np.ndarray, "edge label"]:
    """Return the log density of the steps of hue at each edge under each label's width."""
    found = hue_steps(logs)
    width = np.asarray(hue_width(texture, np.asarray(wide, float)), float)
    return -len(found) * np.log(width) - np.sum(found**2, 0)[:, None] / (2 * width**2)


def hue_texture(logs: Float[AnyArray, "row col channel"]) -> float:
    """Return the texture that the hue's steps show, those that are wide left out."""
    found = np.abs(hue_steps(logs))
    texture = np.median(found) / 0.6745 + GRAIN
    for _ in range(8):
        texture = np.sqrt(np.mean(found[found < 3 * texture] ** 2)) / 0.986 + GRAIN
    return float(texture)
