"""Tell why two equal greys are seen as two paints: a board of checks under a shadow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from finetti.inference.methods.trajectories import NUTS
from finetti.reporting.drawing import BLUE, VERMILION, canvas
from finetti.stories.telling import close, console, head, tell
from finetti.vision import Decomposition, Scene
from finetti.vision.scene.made import Made, checker_shadow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHOD = NUTS(draws=100, warmup=200, thin=1)


def main(out: Path = Path("runs/lightness"), seed: int = 0) -> Decomposition:
    """Take the board apart into paint and light, tell, and draw it under `out`."""
    screen = console()
    made, lit, shaded = checker_shadow(3)
    head(screen, "Two equal greys")
    tell(
        screen,
        f"A board of checks lies under a soft shadow (after Adelson 1995). Check A, in the light, "
        f"and check B, in the shadow, are equally grey in the image: {made.image[lit]:.3f} and "
        f"{made.image[shaded]:.3f}. People see a dark A and a light B, and are told that they are "
        f"deceived.",
    )
    found = Scene(made.image).fit(METHOD, seed=seed, progress=screen.is_terminal)
    tell(
        screen,
        f"They are not. Light is likely to change smoothly, paint to come in patches; given that, "
        f"the image says that B's paint is lighter, with a probability of "
        f"{found.brighter(shaded, lit):.3f}, and that it reflects "
        f"{found.reflectance[shaded] / found.reflectance[lit]:.2f} times as much as A's. In the "
        f"scene that the image was made of it is "
        f"{made.reflectance[shaded] / made.reflectance[lit]:.2f} times.",
    )
    tell(screen, f"{found}")
    figure = draw(made, found, {"A": lit, "B": shaded})
    close(screen, figure, out / "lightness.png", "the image, and the paint and light it is made of")
    return found


def draw(made: Made, found: Decomposition, places: dict[str, tuple[int, int]]) -> Figure:
    """Draw the image and its two parts, and both checks side by side."""
    panels = {"image": made.image, "paint": found.reflectance, "light": found.shading}
    with canvas(9.2, 3.0) as figure:
        axes = figure.subplots(1, 4, width_ratios=(3, 3, 3, 1))
        for panel, (title, values) in zip(axes, panels.items(), strict=False):
            panel.imshow(np.log(values), cmap="gray")
            panel.set_title(title)
            for (name, (row, col)), colour in zip(places.items(), (BLUE, VERMILION), strict=True):
                panel.text(
                    col, row, name, color=colour, ha="center", va="center", weight="bold"
                ).set_bbox({"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "none"})
        low, high = np.log(made.image.min()), np.log(made.image.max())
        both = np.log([[made.image[place]] for place in places.values()])
        axes[3].imshow(both, cmap="gray", vmin=low, vmax=high)
        axes[3].set_title("A over B")
        for panel in axes:
            panel.set_axis_off()
    return figure
