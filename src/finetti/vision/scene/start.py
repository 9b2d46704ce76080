"""Find where to start: readings of an image, each near a mode of the posterior."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from finetti import Distribution
from finetti.types import AnyArray, Bool, Float
from finetti.vision.scene.colour import brightness, channels, hue_odds, hue_texture
from finetti.vision.scene.edges import Label, Labelling
from finetti.vision.scene.grid import cast_field, size_of, steps
from finetti.vision.scene.least import Parts, Scales, Shown, half_log_determinant, parts
from finetti.vision.scene.paints import Patches
from finetti.vision.scene.shadows import Shadows
from finetti.vision.scene.shapes import SPREAD, TAIL, Shape

ROUNDS, MOST = 8, 40
COARSE, FINE = 1.0, 0.02  # of an edge's usual step: below it a step counts by its square
CHEAPEST = 0.1  # nats
SCALES = (1.0, 4.0)  # times the usual roughness
RIDGE, SLIGHT = 1e-4, 1e-8  # holds waves of which neither steps nor bends speak; shadows' are held
HALVES = (1.0, 0.5, 0.25, 0.1)  # shares of a step that are tried
RISE = 0.05  # nats: a round that gains less is the last
SAME = 0.15  # of the image's deviation: shadings that differ by less are one reading


@dataclass(frozen=True)
class Start:
    """Hold a mode of the posterior: waves, scales, and `evidence`, the log mass about it.

    `pace` is how far each wave goes there, the others held: its conditional standard deviation.

    The evidence is Laplace's at the scales given: the log density there, labels summed out, less
    half the log determinant of the waves' precision with labels as likely as they are there.
    """

    waves: Float[np.ndarray, " wave"]
    roughness: float
    texture: float
    evidence: float
    log_shading: Float[np.ndarray, "row col"]
    pace: Float[np.ndarray, " wave"]


def likely_starts(
    log_image: Float[AnyArray, "row col *channel"],
    shape: Shape,
    paint: Patches,
    known: Labelling,
    shadows: Shadows | None = None,
) -> list[Start]:
    """Return modes of the posterior that differ in their shading, the one of most mass first.

    At each of a few scales several ways lead up: from one sheet without shading; from all that hue
    does not call paint as shading; and from the shading that leaves the smallest weighted sum of
    absolute steps, where a step counts by its size over that of an abrupt one, times what such an
    edge costs beforehand in nats, and bends of a surface count likewise. Then expectation and
    maximisation in turn give each edge its labels' probabilities, and the waves their best values.
    """
    size = size_of(log_image)
    texture = paint.texture or paint.usual
    if paint.texture is None and channels(log_image) > 1:
        texture = hue_texture(log_image)
    found: list[Start] = []
    own = shape.waves(size)
    for times in SCALES if isinstance(shape.roughness, Distribution) else (1.0,):
        rough = times * shape.usual_scale
        edges = Edges.of(log_image, shape, paint, known, (texture, rough), shadows)
        tops: list[np.ndarray] = []
        for waves in edges.begin():
            top = edges.climb(waves)
            if all(np.abs(top - other).max() > SAME for other in tops):
                tops.append(top)
        prior = -(np.log(times) ** 2) / (2 * SPREAD**2)
        for top in tops:
            with jax.enable_x64(True):
                shade = np.asarray(shape.log_shading(rough * shape.field(top[:own], size)))
                if shadows is not None:
                    shade = shade + shadows.fade * np.asarray(cast_field(top[own:], size))
            evidence = edges.evidence(top) + prior
            found.append(Start(top, rough, texture, evidence, shade, edges.pace(top)))
    found.sort(key=lambda start: -start.evidence)
    apart: list[Start] = []
    far = SAME * np.std(brightness(log_image))
    for start in found:
        if all(np.std(start.log_shading - other.log_shading) > far for other in apart):
            apart.append(start)
    return apart


@dataclass(frozen=True)
class Edges:
    """Hold what steps at the edges: of paint, in textures, and of a creased surface's slope.

    `wanted` (kind, edge) is what the image has of each kind, `widths` (kind, label) how wide labels
    make it, `price` (kind, edge) what an abrupt one costs, and `ridge` what holds the waves.
    """

    parts: Parts
    scales: Scales
    wanted: Shown
    widths: Float[np.ndarray, "kind label"]
    logits: Float[np.ndarray, "edge label"]
    price: Float[np.ndarray, "kind edge"]
    ridge: Float[np.ndarray, " wave"]

    @classmethod
    def of(
        cls,
        log_image: Float[AnyArray, "row col *channel"],
        shape: Shape,
        paint: Patches,
        known: Labelling,
        scales: tuple[float, float],
        shadows: Shadows | None = None,
    ) -> Edges:
        """Lay out an image's edges under priors of known scales, of texture and roughness."""
        texture, rough = scales
        size, per = size_of(log_image), np.sqrt(channels(log_image))
        shown = per * steps(brightness(log_image)) / texture
        odds = hue_odds(log_image, texture, known.widths(paint.contrast * paint.hue, 1.0)[0])
        logits = np.broadcast_to(known.logits, odds.shape) + odds
        wide_paint, wide_bend = known.widths(per * paint.contrast, shape.bend_width)
        widths = [wide_paint]
        abrupt = [(Label.REFLECTANCE, wide_paint.max())]
        if shape.creased:
            widths.append(wide_bend)
            abrupt.append((Label.SHAPE, shape.bend_width))
        if shadows is not None:
            widths.append(known.casts(shadows.depth / shadows.fade))
            abrupt.append((Label.SHADOW, shadows.depth / shadows.fade))
        ridge = np.full(parts(shape, size, shadows).waves, SLIGHT)
        ridge[: shape.waves(size)] = RIDGE if shape.creased else 1.0
        return cls(
            parts(shape, size, shadows),
            Scales(rough, per / texture),
            Shown(
                np.stack([shown, *np.zeros((len(widths) - 1, len(shown)))]),
                np.zeros(size[0] * size[1] + 2 if shape.creased else 0),
            ),
            np.stack(widths),
            logits,
            np.stack([_price(known, logits, *each) for each in abrupt]),
            ridge,
        )

    def begin(self) -> Iterator[Float[np.ndarray, " wave"]]:
        """Yield waves to begin at: of no shading, of least absolute steps, and as hue says."""
        flat = np.zeros(self.parts.waves)
        yield flat
        every = np.ones(len(self.price), bool)
        linear = self.least(flat, every)
        if self.creased:
            yield self.least(linear, every, bent=True)
            yield self.least(flat, np.arange(len(every)) > 0, bent=True)
        else:
            yield linear
            yield self.least(flat, ~every)
            if len(every) > 1:
                yield self.least(flat, np.arange(len(every)) > 0)

    def least(
        self, waves: Float[np.ndarray, " wave"], absolute: Bool[np.ndarray, " kind"], bent=False
    ) -> Float[np.ndarray, " wave"]:
        """Return waves of the least weighted absolute steps, of squares where hue says of none.

        `bent` takes the shading as it is, and otherwise as linear in the waves of flat ground.
        """
        about = np.zeros(len(waves))
        abrupt = self.widths.max(1, keepdims=True)
        painted = np.logaddexp.reduce(self.logits[:, self.widths[0] > 1], -1)
        plain = np.logaddexp.reduce(self.logits[:, self.widths[0] == 1], -1)
        share = 1 / (1 + np.exp(np.clip(painted - plain, -30, 30)))
        fixed = np.stack([share, *(share / wide**2 for wide in abrupt[1:])])
        if self.shadowed:
            fixed[-1] += 1 - share  # paint explains a step of its hue by itself
        even = np.ones(len(self.wanted.rest))
        for least in np.geomspace(COARSE, FINE, ROUNDS):
            left = self.left(waves, None if bent else about).edges
            apart = np.maximum(np.abs(left) / abrupt, least)
            edges = np.where(absolute[:, None], self.price / abrupt**2 / apart, fixed)
            weight = Shown(edges, even)
            if not bent:
                waves = self.best(weight, about)
                continue
            for _ in range(3):
                step = self.best(weight, waves) - waves
                tried = [(self.squares(weight, waves + a * step), a) for a in HALVES]
                waves = waves + min(tried)[1] * step
        return waves

    def squares(self, weight: Shown, waves: Float[np.ndarray, " wave"]) -> float:
        """Return the weighted squares of what waves leave, and their own."""
        left = self.left(waves)
        each = [np.sum(w * x**2) for w, x in zip(weight, left, strict=True)]
        return float(sum(each) + self.ridge * waves @ waves)

    def climb(self, waves: Float[np.ndarray, " wave"]) -> Float[np.ndarray, " wave"]:
        """Return the waves at the top of the mode, by expectation and maximisation in turn."""
        height = self.score(waves)
        for _ in range(MOST):
            step = self.best(self.weights(self.left(waves)), waves) - waves
            tried = [(self.score(waves + share * step), share) for share in HALVES]
            top, share = max(tried)
            if not top > height + RISE:
                break
            waves, height = waves + share * step, top
        return waves

    @property
    def shadowed(self) -> bool:
        """Tell whether there are hard shadows."""
        return len(self.price) > 1 + self.creased

    @property
    def creased(self) -> bool:
        """Tell whether the surface may crease."""
        return len(self.wanted.rest) > 0

    def score(self, waves: Float[np.ndarray, " wave"]) -> float:
        """Return the log density of the edges and the waves, but for constants."""
        left = self.left(waves)
        twists, tilt = np.split(left.rest, [-2]) if self.creased else (left.rest, left.rest)
        tails = -(TAIL + 1) / 2 * np.log1p(twists**2 / TAIL).sum() - tilt @ tilt / 2
        likely = np.logaddexp.reduce(self._log(left.edges), -1).sum()
        return float(likely + tails - self.ridge * waves @ waves / 2)

    def evidence(self, waves: Float[np.ndarray, " wave"]) -> float:
        """Return the log mass about a mode, by Laplace's approximation, but for constants."""
        weight = self.weights(self.left(waves))
        with jax.enable_x64(True):
            matrix = np.asarray(
                self.parts.normal(weight.joined(), self.ridge, jnp.asarray(waves), self.scales)
            )
        return self.score(waves) - half_log_determinant(matrix)

    def pace(self, waves: Float[np.ndarray, " wave"]) -> Float[np.ndarray, " wave"]:
        """Return the conditional standard deviation of each wave at a mode, about."""
        weight = self.weights(self.left(waves))
        with jax.enable_x64(True):
            found = self.parts.diagonal(
                weight.joined(), self.ridge, jnp.asarray(waves), self.scales
            )
        return np.asarray(found) ** -0.5

    def left(
        self, waves: Float[np.ndarray, " wave"], about: Float[np.ndarray, " wave"] | None = None
    ) -> Shown:
        """Return what waves leave of the steps to the priors; linear about others if they are."""
        with jax.enable_x64(True):
            if about is None:
                shown = self.parts.exact(waves, self.scales)
            else:
                shown = self.parts.linear(waves, about, self.scales)
        edges, rest = (a - np.asarray(b) for a, b in zip(self.wanted, shown, strict=True))
        return Shown(edges, rest)

    def weights(self, left: Shown) -> Shown:
        """Return the mean inverse squares of the widths, labels as likely as what is left says."""
        log = self._log(left.edges)
        share = np.exp(log - np.logaddexp.reduce(log, -1, keepdims=True))
        rest = np.ones(len(left.rest))
        rest[:-2] = (TAIL + 1) / (TAIL + left.rest[:-2] ** 2)
        return Shown(np.sum(share / self.widths[:, None] ** 2, -1), rest)

    def best(self, weight: Shown, about: Float[np.ndarray, " wave"]) -> Float[np.ndarray, " wave"]:
        """Return the waves of least weighted squares, shading linear about others."""
        with jax.enable_x64(True):
            return np.asarray(
                self.parts.best(
                    weight.joined(), self.wanted.joined(), self.ridge, about, self.scales
                )
            )

    def _log(self, left: Float[AnyArray, "kind edge"]) -> Float[np.ndarray, "edge label"]:
        widths = self.widths[:, None]
        return self.logits - np.sum(np.log(widths) + (left[..., None] / widths) ** 2 / 2, 0)


def _price(
    known: Labelling, logits: Float[AnyArray, "edge label"], label: Label, wide: float
) -> Float[np.ndarray, " edge"]:
    """Return what an abrupt change costs at each edge beforehand, in nats."""
    if label not in known.labels:
        return np.full(len(logits), np.log(wide))
    none = logits[:, known.labels.index(Label.NONE)]
    return np.maximum(none - logits[:, known.labels.index(label)] + np.log(wide), CHEAPEST)
