"""Draw an image beside the reflectance, the shading and the edges that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

import finetti as ft
from finetti.types import AnyArray, Float
from finetti.vision.scene.edges import Label
from finetti.vision.scene.grid import size_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    Label.REFLECTANCE: "#0072B2",
    Label.SHAPE: "#D55E00",
    Label.BOUNDARY: "#000000",
    Label.SHADOW: "#CC79A7",
    Label.SHADOWED_PAINT: "#E69F00",
}
GAMMA = 2.2  # a screen's


def picture(
    image: Float[AnyArray, "row col *channel"],
    reflectance: Float[AnyArray, "row col *channel"],
    shading: Float[AnyArray, "row col"],
    edges: Mapping[Label, tuple[AnyArray, AnyArray]],
    figure: Figure | None = None,
) -> Figure:
    """Draw four panels; an edge is as opaque as its label is probable."""
    try:
        from matplotlib.collections import LineCollection
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ft.MissingExtra.needed("matplotlib", "vision", "a picture") from error
    if figure is None:
        figure = Figure(figsize=(9, 2.6), dpi=120, layout="constrained")
    axes = figure.subplots(1, 4)
    panels = {"image": image, "reflectance": reflectance, "shading": shading}
    for ax, (title, values) in zip(axes, panels.items(), strict=False):
        ax.imshow(seen(values), cmap="gray")
        ax.set_title(title)
    rows, cols = size_of(image)
    for label, (right, down) in edges.items():
        colour = COLOURS[label]
        places = [((c + 0.5, r - 0.5), (c + 0.5, r + 0.5)) for r, c in np.ndindex(right.shape)]
        places += [((c - 0.5, r + 0.5), (c + 0.5, r + 0.5)) for r, c in np.ndindex(down.shape)]
        alpha = np.clip(np.concatenate([right.ravel(), down.ravel()]), 0, 1)
        axes[3].add_collection(LineCollection(places, colors=colour, alpha=alpha, lw=1.5))
        axes[3].plot([], [], color=colour, label=label.value)
    axes[3].set(xlim=(-0.5, cols - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    axes[3].set_title("edges")
    if axes[3].get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower right", frameon=False, ncols=3, fontsize="small")
    for ax in axes:
        ax.set_xticks([])
        ax.set_yticks([])
    return figure


def seen(values: Float[AnyArray, "row col *channel"]) -> Float[np.ndarray, "row col *channel"]:
    """Return what is shown of an image: its log in grey, red, green and blue in colour.

    Of two channels, or more than three, the mean of the logs is shown.
    """
    if values.ndim == 2 or values.shape[2] != 3:
        return np.log(values) if values.ndim == 2 else np.log(values).mean(-1)
    return np.clip(values / np.quantile(values, 0.98), 0, 1) ** (1 / GAMMA)
