"""Find where to start: a shading that leaves reflectance few and small steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from finetti import Distribution
from finetti.types import AnyArray, Float
from finetti.vision.scene.edges import Label, Labelling
from finetti.vision.scene.grid import size_of, steps
from finetti.vision.scene.paints import Patches
from finetti.vision.scene.shapes import Shape, Surface, bends

ROUNDS = 8
COARSE, FINE = 1.0, 0.02  # of an edge's usual step: below it a step counts by its square
CHEAPEST = 0.1  # nats
SCALES = (1.0, 4.0)  # times the usual roughness
RIDGE = 1e-2  # holds waves of which neither steps nor bends speak


def slope(
    quantity: Callable[[AnyArray], AnyArray], waves: int
) -> Float[np.ndarray, "quantity wave"]:
    """Return the derivatives of a quantity by the waves of flat ground."""
    with jax.enable_x64(True):
        return np.asarray(jax.jit(jax.jacfwd(quantity))(jnp.zeros(waves, float)))


def likely_start(
    log_image: Float[AnyArray, "row col"], shape: Shape, paint: Patches, known: Labelling
) -> tuple[Float[np.ndarray, " wave"], float]:
    """Return waves near a mode of the posterior and the field's scale, shading taken as linear.

    At each of a few scales the waves are found whose shading leaves the smallest weighted sum of
    absolute steps: a step counts by its size over that of an abrupt one, times what such an edge
    costs beforehand, in nats. Half the waves' squares are added or, for a surface that creases, its
    bends in the same way. That has one minimum. From there expectation and maximisation in turn
    give each edge its labels' probabilities, and the waves their best values. The likeliest of what
    is found on the way is returned. It is a start, not an answer.
    """
    size = size_of(log_image)
    waves = shape.waves(size)
    creased = isinstance(shape, Surface) and shape.creased
    texture = paint.texture or paint.usual

    def shaded(white: AnyArray) -> AnyArray:
        return steps(shape.log_shading(shape.usual_scale * shape.field(white, size))) / texture

    lean, wanted = slope(shaded, waves), np.asarray(steps(log_image), float) / texture
    bent = None
    if creased:
        bent = slope(lambda white: bends(shape.field(white, size)), waves)
    found = []
    for times in SCALES if isinstance(shape.roughness, Distribution) else (1.0,):
        edges = _Edges(times * lean, bent, wanted, known, paint.contrast, shape.bend_width)
        found += [(edges.score(w), w, times * shape.usual_scale) for w in edges.climb()]
    best = max(found, key=lambda candidate: candidate[0])
    return best[1], best[2]


@dataclass(frozen=True)
class _Edges:
    """Hold the steps of paint and bends of shape at the edges, linear in the waves.

    `steps` (edge, wave) and `wanted` (edge,) are in units of the texture, `bends` (edge, wave) of
    the roughness, None for a smooth shape.
    """

    steps: Float[np.ndarray, "edge wave"]
    bends: Float[np.ndarray, "edge wave"] | None
    wanted: Float[np.ndarray, " edge"]
    known: Labelling
    contrast: float
    bend: float

    def climb(self) -> Iterator[Float[np.ndarray, " wave"]]:
        """Yield the waves after the sum of absolute steps is least, and after EM."""
        edges = len(self.wanted)
        price = [_price(self.known, Label.REFLECTANCE, self.contrast, edges)]
        price += [_price(self.known, Label.SHAPE, self.bend, edges)]
        abrupt = np.array([self.contrast, self.bend])[:, None]
        waves = np.zeros(self.steps.shape[1])
        for least in np.geomspace(COARSE, FINE, ROUNDS):
            apart = np.maximum(np.abs(self._left(waves)) / abrupt, least)
            waves = self._best(np.stack(price) / abrupt**2 / apart)
        yield waves
        widths = np.stack(self.known.widths(self.contrast, self.bend))[:, None]
        for _ in range(ROUNDS):
            log = self._log(waves)
            share = np.exp(log - np.logaddexp.reduce(log, -1, keepdims=True))
            waves = self._best(np.sum(share / widths**2, -1))
        yield waves

    def score(self, waves: Float[np.ndarray, " wave"]) -> float:
        """Return the log density of the edges and the waves, but for constants."""
        ridge = RIDGE if self.bends is not None else 1.0
        return float(np.sum(np.logaddexp.reduce(self._log(waves), -1)) - ridge * waves @ waves / 2)

    def _log(self, waves: Float[np.ndarray, " wave"]) -> Float[np.ndarray, "edge label"]:
        widths = np.stack(self.known.widths(self.contrast, self.bend))[:, None]
        each = np.log(widths) + (self._left(waves)[..., None] / widths) ** 2 / 2
        return self.known.logits - np.sum(each[: 1 if self.bends is None else 2], 0)

    def _left(self, waves: Float[np.ndarray, " wave"]) -> Float[np.ndarray, "2 edge"]:
        bends = np.zeros(len(self.wanted)) if self.bends is None else self.bends @ waves
        return np.stack([self.wanted - self.steps @ waves, bends])

    def _best(self, weight: Float[np.ndarray, "2 edge"]) -> Float[np.ndarray, " wave"]:
        weighed = self.steps.T * weight[0]
        normal, towards = weighed @ self.steps, weighed @ self.wanted
        if self.bends is None:
            normal += np.eye(len(normal))
        else:
            normal += (self.bends.T * weight[1]) @ self.bends + RIDGE * np.eye(len(normal))
        return np.linalg.solve(normal, towards)


def _price(known: Labelling, label: Label, wide: float, edges: int) -> Float[np.ndarray, " edge"]:
    """Return what an abrupt change costs at each edge beforehand, in nats."""
    logits = np.broadcast_to(known.logits, (edges, len(known.labels)))
    if label not in known.labels:
        return np.full(edges, np.log(wide))
    none = logits[:, known.labels.index(Label.NONE)]
    return np.maximum(none - logits[:, known.labels.index(label)] + np.log(wide), CHEAPEST)
