"""Parse an image of many shapes: seek them, choose those that explain it together, order them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from finetti.types import AnyArray, Float
from finetti.vision.rcn.checking import as_image
from finetti.vision.rcn.explanation import CLAIM, Sight
from finetti.vision.rcn.gathering import SETTLED, Crowd, Gathering, Settling
from finetti.vision.rcn.ordering import ordered
from finetti.vision.rcn.scenery import Parse, Part
from finetti.vision.rcn.seeking import Canvas, Hypothesis, Seeker, claims

Chance = Callable[[Float[AnyArray, " shape"]], float]


def parsed(image: AnyArray, seeker: Seeker, chance: Chance) -> Parse:
    """Return the parse that explains most of an image, of any size; one without parts if none does.

    `chance` gives the best label's probability from how well every learned shape agrees.
    """
    image = as_image(image)
    canvas = seeker.look(image)
    best, *others = _gathered(seeker, canvas) or [Gathering(0.0, ())]
    order = ordered(canvas, best.shapes)
    parts = _parts(seeker, canvas, best.shapes, order, chance)
    points = canvas.evidence.points
    explained = np.full(len(points), -1)
    for i in reversed(range(len(parts))):
        shape = best.shapes[i]
        explained[claims(points, shape.features[shape.present], CLAIM)] = i
    names = tuple((_labels(seeker, other.shapes), other.worth) for other in others)
    return Parse(image, parts, order, canvas.in_pixels(points[:, 1:]), explained, best.worth, names)


def _gathered(seeker: Seeker, canvas: Canvas) -> list[Gathering]:
    """Return the best sets of unlike labels, settled, the best first."""
    hypotheses = seeker.seek(canvas) if len(canvas.sparse) else []
    if not hypotheses:
        return []
    settling = Settling(seeker, canvas)
    sets = ([hypotheses[i] for i in chosen] for chosen in Crowd.of(hypotheses, canvas).sets())
    tried = list(_unlike(sets, seeker))[:SETTLED]
    found = sorted((settling.settle(some) for some in tried), key=lambda g: -g.worth)
    kept = {_key(seeker, g.shapes): g for g in reversed(found) if g.shapes}
    return sorted(kept.values(), key=lambda g: -g.worth)


def _unlike(sets: Iterable[Sequence[Hypothesis]], seeker: Seeker) -> Iterable[Sequence[Hypothesis]]:
    """Yield sets whose labels none before them has."""
    met = set()
    for some in sets:
        if (key := _key(seeker, some)) not in met:
            met.add(key)
            yield some


def _labels(seeker: Seeker, shapes: Sequence[Hypothesis]) -> tuple[object, ...]:
    return tuple(np.asarray(seeker.shapes[s.index].label).item() for s in shapes)


def _key(seeker: Seeker, shapes: Sequence[Hypothesis]) -> tuple[str, ...]:
    return tuple(sorted(map(repr, _labels(seeker, shapes))))


def _parts(
    seeker: Seeker,
    canvas: Canvas,
    shapes: Sequence[Hypothesis],
    order: dict[tuple[int, int], bool | None],
    chance: Chance,
) -> tuple[Part, ...]:
    """Say what is present, absent and hidden of each shape; what lies behind hides nothing."""
    parts = []
    for i, (shape, label) in enumerate(zip(shapes, _labels(seeker, shapes), strict=True)):
        places, behind = canvas.in_pixels(shape.features[:, 1:]), np.full(len(shape.features), -1)
        for j, other in enumerate(shapes):
            front = order.get((min(i, j), max(i, j)))
            if i != j and front is not (i < j):
                behind[other.hides(places) & ~shape.present & (behind < 0)] = j
        sights = tuple(
            Sight.PRESENT if seen else Sight.HIDDEN if j >= 0 else Sight.ABSENT
            for seen, j in zip(shape.present, behind, strict=True)
        )
        row, col = (shape.corner / seeker.upsampling).tolist()
        sure = 0.0 if shape.agreements is None else chance(shape.agreements)
        parts.append(
            Part(
                label, sure, (row, col), shape.features[:, 0], places, sights, behind,
                shape.ink, shape.at,
            )
        )  # fmt: skip
    return tuple(parts)
