"""See two equal greys as a dark check in the light and a light one in the shadow.

    python examples/perception/reflectance.py

A board of checks under a soft shadow, after Adelson (1995): two pixels have one value in the image,
and people see two paints. Shading is likely to be smooth and paint to come in patches; given that,
the image says so too. The program takes it apart, prints how sure that is, and draws it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import finetti as ft
from finetti.vision import Decomposition, Scene
from finetti.vision.scene.made import Made, checker_shadow

BLUE, ORANGE = "#0072B2", "#D55E00"


def draw(made: Made, found: Decomposition, places: dict[str, tuple[int, int]], path: Path) -> None:
    """Draw the image and its two parts, and what is known of the two paints."""
    figure = Figure(figsize=(9.2, 2.6), dpi=120, layout="constrained")
    axes = figure.subplots(1, 4)
    panels = {"image": made.image, "reflectance": found.reflectance, "shading": found.shading}
    for ax, (title, values) in zip(axes, panels.items(), strict=False):
        ax.imshow(np.log(values), cmap="gray")
        ax.set_title(title, loc="left")
        ax.set_xticks([])
        ax.set_yticks([])
        for (name, (row, col)), colour in zip(places.items(), (BLUE, ORANGE), strict=True):
            ax.text(
                col, row, name, color=colour, ha="center", va="center", size=9, weight="bold"
            ).set_bbox({"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "none"})
    draws = found.posterior["log_reflectance"].to_numpy()
    true = {name: made.reflectance[place] for name, place in places.items()}
    for (name, place), colour in zip(places.items(), (BLUE, ORANGE), strict=True):
        values = np.exp(draws[:, :, *place]).ravel()
        axes[3].hist(values, bins=25, density=True, color=colour, alpha=0.6, label=name)
        axes[3].axvline(true[name], color=colour, lw=1, ls="--")
    axes[3].set_title("reflectance, draws", loc="left")
    axes[3].set_xlabel("dashed: the true ones", fontsize="small")
    axes[3].set_yticks([])
    axes[3].spines[["top", "right", "left"]].set_visible(False)
    axes[3].legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main(out: Path = Path("runs/perception"), check: int = 4, draws: int = 150) -> Decomposition:
    """Take the board apart, print, and draw under `out`; `check` is a check's side in pixels."""
    made, lit, shaded = checker_shadow(check)
    method = ft.NUTS(draws=draws, warmup=250, thin=1)
    found = Scene(made.image).fit(method, progress=False)
    print(found)
    print(
        f"A and B are {made.image[lit]:.3f} and {made.image[shaded]:.3f} in the image; "
        f"P(B's paint is lighter | image) is {found.brighter(shaded, lit):.3f}, and its "
        f"reflectance is {found.reflectance[shaded] / found.reflectance[lit]:.2f} times A's "
        f"(truly {made.reflectance[shaded] / made.reflectance[lit]:.2f})."
    )
    draw(made, found, {"A": lit, "B": shaded}, out / "scene_checks.png")
    return found


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
