"""State the joint model of an image, its shading and its reflectance, in finetti's language.

    log image = log reflectance + log shading + noise

The reflectance is written as what the image leaves once shading and noise are taken off, a change
of variables whose Jacobian is 1. Its steps, and the bends of a surface that may crease, have normal
priors whose widths depend on the edge's label, and the labels are summed out. A product of such
priors over all edges, of which there are more than pixels, is not normalised; but in the scale,
texture or roughness, its constant is a known power, which the two factors put right.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

import finetti as ft
from finetti.types import AnyArray, Float
from finetti.vision.scene.edges import Evidence, Label, labelling
from finetti.vision.scene.grid import edge_count, size_of, steps
from finetti.vision.scene.paints import Patches
from finetti.vision.scene.shapes import Shape, Surface, bends, slopes, twists

TAIL = 2.0  # degrees of freedom of a facet's twist, where creases may run across it


@ft.model
def scene(
    log_image: Float[AnyArray, "row col"],
    shape: Shape,
    paint: Patches,
    noise: float,
    evidence: Evidence | None,
) -> None:
    """State what an image tells of the shape and the paint that made it."""
    size = size_of(log_image)
    edges = edge_count(size)
    texture, roughness = _scale("texture", paint.scale), _scale("roughness", shape.roughness)
    with ft.plate("wave", shape.waves(size)):
        waves = ft.sample("waves", ft.Flat() if shape.creased else ft.Normal(0, 1))
    field = shape.field(waves, size)
    shading = shape.log_shading(jnp.asarray(roughness * field))
    with ft.plate("row", size[0]), ft.plate("col", size[1]):
        ft.deterministic("log_shading", shading)
        left = log_image - shading
        if noise:
            left = left - noise * ft.sample("noise", ft.Normal(0, 1))
        ft.deterministic("log_reflectance", left)
    if isinstance(shape, Surface):
        ft.deterministic("height", roughness * (field - jnp.mean(field)))

    known = labelling(size, label_shares(shape, paint), evidence)
    wide_paint, wide_bend = (jnp.asarray(w) for w in known.widths(paint.contrast, shape.bend_width))
    with ft.plate("edge", edges):
        if len(known.labels) > 1:
            label = ft.sample("label", ft.Categorical(logits=known.logits))
            wide_paint, wide_bend = wide_paint[label], wide_bend[label]
        ft.sample("step", ft.Normal(steps(left), texture * wide_paint), obs=np.zeros(edges))
        if shape.creased and isinstance(shape, Surface):
            ft.sample("bend", ft.Normal(bends(field), wide_bend), obs=np.zeros(edges))
    ft.factor("texture_constant", (edges - np.prod(size) + 1) * jnp.log(texture))
    if shape.creased and isinstance(shape, Surface):
        twist = twists(field).ravel()
        with ft.plate("facet", len(twist)):
            ft.sample("twist", ft.StudentT(TAIL, twist, 1), obs=np.zeros(len(twist)))
        tilt = roughness * jnp.stack([jnp.mean(slope) for slope in slopes(field)])
        with ft.plate("slope", ["right", "down"]):
            ft.sample("tilt", ft.Normal(tilt, shape.slant), obs=np.zeros(2))
        ft.factor("roughness_constant", 2 * jnp.log(roughness))


def label_shares(shape: Shape, paint: Patches) -> dict[Label, float]:
    """Return which share of the edges has each abrupt change beforehand."""
    creases, boundaries = shape.shares
    return {Label.REFLECTANCE: paint.edges, Label.SHAPE: creases, Label.BOUNDARY: boundaries}


def _scale(name: str, known: float | ft.Distribution) -> AnyArray | float:
    return ft.sample(name, known) if isinstance(known, ft.Distribution) else known
