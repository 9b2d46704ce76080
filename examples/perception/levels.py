"""Let three levels of seeing settle: at each, what comes from below times what comes from above.

    python examples/perception/levels.py

An object is made of parts, a part shows features, and a feature is seen dimly. After Lee & Mumford
(2003), Journal of the Optical Society of America A 20(7), 1434-1448: the belief at every level is
in proportion to the likelihood of what lies below and the prior from what lies above, and messages
between neighbours are enough to find it.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np

from finetti import factors as fg
from finetti.reporting.drawing import BLUE, PALE, SKY, canvas, tidy

OBJECTS, PARTS, FEATURES = ("face", "house"), ("eye", "window", "door"), ("arc", "line", "corner")
PRIOR = np.array([0.6, 0.4])
PART = np.array([[0.8, 0.1, 0.1], [0.05, 0.55, 0.4]])  # given the object
FEATURE = np.array([[0.7, 0.2, 0.1], [0.1, 0.4, 0.5], [0.1, 0.7, 0.2]])  # given the part
SEEN = np.array([0.3, 0.3, 0.4])  # how likely what is seen is, given each feature


def graph() -> fg.Graph:
    """Return the chain from object to feature."""
    thing = fg.Variables("object", {"one": 1}, states=2)
    part = fg.Variables("part", {"one": 1}, states=3)
    feature = fg.Variables("feature", {"one": 1}, states=3)
    return fg.Graph(
        fg.Table(thing, log_potentials=np.log(PRIOR)),
        fg.Table(thing, part, log_potentials=np.log(PART)),
        fg.Table(part, feature, log_potentials=np.log(FEATURE)),
    )


def messages(seen: np.ndarray = SEEN) -> dict[str, np.ndarray]:
    """Return the belief at each level by passing messages."""
    found = fg.BeliefPropagation().run(graph(), {"feature": np.log(seen)[None]})
    return {name: np.asarray(found.marginals[name])[0] for name in ("object", "part", "feature")}


def enumerated(seen: np.ndarray = SEEN) -> dict[str, np.ndarray]:
    """Return the same by adding up all eighteen joint states."""
    joint = np.zeros((2, 3, 3))
    for o, p, f in product(range(2), range(3), range(3)):
        joint[o, p, f] = PRIOR[o] * PART[o, p] * FEATURE[p, f] * seen[f]
    joint /= joint.sum()
    return {"object": joint.sum((1, 2)), "part": joint.sum((0, 2)), "feature": joint.sum((0, 1))}


def by_level(seen: np.ndarray = SEEN) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return what comes from below and what from above, at each level."""
    below = {"feature": seen, "part": FEATURE @ seen, "object": PART @ FEATURE @ seen}
    above = {"object": PRIOR, "part": PRIOR @ PART, "feature": PRIOR @ PART @ FEATURE}
    return {name: (below[name], above[name]) for name in ("object", "part", "feature")}


def main(out: Path = Path("runs/perception")) -> dict[str, np.ndarray]:
    """Compute, print, and draw the picture under `out`."""
    found = messages()
    names = {"object": OBJECTS, "part": PARTS, "feature": FEATURES}
    with canvas(8.4, 3.0) as figure:
        panels = figure.subplots(1, 3, sharey=True)
        for axes, (level, (below, above)) in zip(panels, by_level().items(), strict=True):
            x = np.arange(len(names[level]))
            shown = {"from below": below / below.sum(), "from above": above, "belief": found[level]}
            bars = zip(shown.items(), (SKY, PALE, BLUE), strict=True)
            for place, ((words, values), colour) in enumerate(bars):
                axes.bar(x + 0.27 * (place - 1), values, 0.25, color=colour, label=words)
            axes.set_title(level)
            tidy(axes)
            axes.set_xticks(x, names[level])
            print(level, dict(zip(names[level], found[level].round(3).tolist(), strict=True)))
        panels[0].set_ylabel("probability")
        panels[-1].legend()
        out.mkdir(parents=True, exist_ok=True)
        figure.savefig(out / "perception_levels.png")
    return found


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
