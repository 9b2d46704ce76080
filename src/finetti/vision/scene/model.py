"""State the joint model of an image, its shading and its reflectance, in finetti's language.

    log image = log reflectance + log shading + noise

with the shading common to all channels of a colour image.

The reflectance is written as what the image leaves once shading and noise are taken off, a change
of variables whose Jacobian is 1. Its steps, and the bends of a surface that may crease, have normal
priors whose widths depend on the edge's label, and the labels are summed out. A product of such
priors over all edges, of which there are more than pixels, is not normalised; but in the scale,
texture or roughness, its constant is a known power, which the factors put right. Of the channels'
steps, the mean's and those of hue are stated, which no shading changes (`colour`).
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import finetti as ft
from finetti.types import AnyArray, Float
from finetti.vision.scene.colour import brightness, channels, hue_steps, hue_width
from finetti.vision.scene.edges import Evidence, Label, labelling
from finetti.vision.scene.grid import cast_field, edge_count, size_of, steps
from finetti.vision.scene.paints import Patches
from finetti.vision.scene.shadows import Shadows
from finetti.vision.scene.shapes import SPREAD, TAIL, Shape, Surface, bends, slopes, twists


class Known(NamedTuple):
    """Hold about where a scale is, and the standard deviation of its log there."""

    value: float
    sd: float


class Pace(NamedTuple):
    """Hold coordinates in which all is known about equally well near a mode of the posterior.

    Logs of scales and waves are counted in their conditional standard deviations; of a wave the
    share `told` that the image tells, and its prior does not, is counted in shading instead, which
    does not change with the roughness (Papaspiliopoulos, Roberts & Sköld 2007).
    """

    waves: Float[AnyArray, " wave"]
    told: Float[AnyArray, " wave"]
    texture: Known
    roughness: Known
    cast: Float[AnyArray, " wave"] | None = None

    def turned(self, roughness: AnyArray | float) -> AnyArray:
        """Return by what the waves that are sampled are multiplied."""
        return self.waves * (roughness / self.roughness.value) ** -self.told


class Beside(NamedTuple):
    """Hold hard shadows, where they are a cause, and the coordinates that are sampled."""

    shadows: Shadows | None = None
    pace: Pace | None = None


@ft.model
def scene(
    log_image: Float[AnyArray, "row col *channel"],
    shape: Shape,
    paint: Patches,
    noise: float,
    evidence: Evidence | None,
    beside: Beside | None = None,
) -> None:
    """State what an image tells of the shape and the paint that made it.

    A pace `beside` changes the coordinates that are sampled, and nothing else.
    """
    shadows, pace = beside or Beside()
    size, count = size_of(log_image), channels(log_image)
    edges = edge_count(size)
    texture = _scale("texture", paint.scale, pace and pace.texture)
    roughness = _scale("roughness", shape.roughness, pace and pace.roughness)
    turned = 1.0 if pace is None else pace.turned(roughness)
    with ft.plate("wave", shape.waves(size)):
        prior = ft.Flat() if shape.creased else ft.Normal(0, 1 / turned)
        waves = turned * ft.sample("waves", prior)
    if pace is not None and shape.creased:
        ft.factor("waves_turned", jnp.sum(jnp.log(turned)))
    field = shape.field(waves, size)
    shading = shape.log_shading(jnp.asarray(roughness * field))
    cast = jnp.zeros(size)
    if shadows is not None:
        each = 1.0 if pace is None or pace.cast is None else jnp.asarray(pace.cast)
        with ft.plate("cast_wave", shadows.waves(size)):
            lets = each * ft.sample("cast_waves", ft.Flat())
        cast = cast_field(lets, size)
        shading = shading + shadows.fade * (cast - jnp.mean(cast))
    with ft.plate("row", size[0]), ft.plate("col", size[1]):
        ft.deterministic("log_shading", shading)
        if shadows is not None:
            ft.deterministic("log_cast", shadows.fade * (cast - jnp.mean(cast)))
        if count == 1:
            left = _left("noise", log_image, shading, noise)
            ft.deterministic("log_reflectance", left)
        else:
            with ft.plate("channel", count):
                left = _left("noise", log_image, shading[..., None], noise)
                ft.deterministic("log_reflectance", left)
    if isinstance(shape, Surface):
        ft.deterministic("height", roughness * (field - jnp.mean(field)))

    known = labelling(size, label_shares(shape, paint, shadows), evidence)
    per = np.sqrt(count)  # the mean of so many channels has less texture than one
    wide_paint, wide_bend = known.widths(per * paint.contrast, shape.bend_width)
    wide_hue = known.widths(paint.contrast * paint.hue, 1.0)[0]
    wide_cast = known.casts(1.0 if shadows is None else shadows.depth / shadows.fade)
    wide_paint, wide_bend, wide_hue, wide_cast = (
        jnp.asarray(w) for w in (wide_paint, wide_bend, wide_hue, wide_cast)
    )
    shown = steps(left) if count == 1 else per * steps(brightness(left))
    hues = hue_steps(left if noise else log_image)
    with ft.plate("edge", edges):
        if len(known.labels) > 1:
            label = ft.sample("label", ft.Categorical(logits=known.logits))
            wide_paint, wide_bend, wide_hue, wide_cast = (
                wide[label] for wide in (wide_paint, wide_bend, wide_hue, wide_cast)
            )
        ft.sample("step", ft.Normal(shown, texture * wide_paint), obs=np.zeros(edges))
        for axis, hue in enumerate(hues):
            width = hue_width(texture, wide_hue)
            ft.sample(f"hue_{axis}", ft.Normal(hue, width), obs=np.zeros(edges))
        if shadows is not None:
            ft.sample("cast_step", ft.Normal(steps(cast), wide_cast), obs=np.zeros(edges))
        if shape.creased and isinstance(shape, Surface):
            ft.sample("bend", ft.Normal(bends(field), wide_bend), obs=np.zeros(edges))
    more = count * (edges - np.prod(size) + 1)  # factors than directions of paint
    ft.factor("texture_constant", more * jnp.log(texture))
    if shape.creased and isinstance(shape, Surface):
        twist = twists(field).ravel()
        with ft.plate("facet", len(twist)):
            ft.sample("twist", ft.StudentT(TAIL, twist, 1), obs=np.zeros(len(twist)))
        tilt = roughness * jnp.stack([jnp.mean(slope) for slope in slopes(field)])
        with ft.plate("slope", ["right", "down"]):
            ft.sample("tilt", ft.Normal(tilt, shape.slant), obs=np.zeros(2))
        ft.factor("roughness_constant", 2 * jnp.log(roughness))


def _left(name: str, log_image: AnyArray, shading: AnyArray, noise: float) -> AnyArray:
    """Return what the image leaves once shading and noise, if there is any, are taken off."""
    left = log_image - shading
    return left - noise * ft.sample(name, ft.Normal(0, 1)) if noise else left


def label_shares(
    shape: Shape, paint: Patches, shadows: Shadows | None = None
) -> dict[Label, float]:
    """Return which share of the edges has each abrupt change beforehand."""
    creases, boundaries = shape.shares
    cast = 0.0 if shadows is None else shadows.edges
    return {
        Label.REFLECTANCE: paint.edges,
        Label.SHAPE: creases,
        Label.BOUNDARY: boundaries,
        Label.SHADOW: cast,
        Label.SHADOWED_PAINT: cast * paint.edges,
    }


def _scale(
    name: str, known: float | ft.Distribution, about: Known | None = None
) -> AnyArray | float:
    if not isinstance(known, ft.Distribution):
        return known
    if about is None:
        return ft.sample(name, known)
    usual = (known.loc - np.log(about.value)) / about.sd  # type: ignore[attr-defined]
    log = ft.sample(f"log_{name}", ft.Normal(usual, SPREAD / about.sd))
    return ft.deterministic(name, about.value * jnp.exp(about.sd * log))
