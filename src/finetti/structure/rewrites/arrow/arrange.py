"""Arrange sites as an arrow: the members of a plate as its blocks, all others as its border."""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from typing import Any, NamedTuple

import numpy as np

from finetti.structure.program import Program
from finetti.structure.rewrites.arrow.arrow import Arrow, Pairs, Vector
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.structure.variables import Variable

WIDEST = 1000  # border rows: beyond it the dense corner costs more than sampling
SPARSE = 0.05  # of all products of couplings: so few of them are made one by one


def terms_of(program: Program, sites: Collection[str]) -> tuple[str, ...]:
    """Return the terms that depend on the sites."""
    read = program.degrees(sites)
    return tuple(t for t, v in program.outputs.log_terms.items() if read(v))


def closed(program: Program, chosen: set[str], latent: dict[str, Variable]) -> set[str]:
    """Drop sites on which the density of a variable that stays in the sampler depends.

    Integrated out, they would tie its members together and hide their prior from the plan.
    """
    while True:
        dropped = {name for name in chosen if _stays(program, name, chosen, latent)}
        if not dropped:
            return chosen
        chosen = chosen - dropped


def _stays(
    program: Program, name: str, chosen: Collection[str], latent: dict[str, Variable]
) -> bool:
    read, outputs = program.degrees({name}), program.outputs
    others = [site for site in latent if site not in chosen]
    hidden = [outputs.log_jacobians[s] for s in others if s in outputs.log_jacobians]
    own = [outputs.log_terms[site] for site in others]
    if any(read(v) for v in (*hidden, *own)):
        return True
    discrete = {v.name for v in latent.values() if v.discrete}
    return bool(set(terms_of(program, {name})) & set(terms_of(program, discrete)))


class Way(NamedTuple):
    """Hold a way to arrange the sites: about how many multiplications it takes, its plate.

    `size` is that of the terms, which the precision's columns are read from.
    """

    price: float
    plate: str
    frame: Frame
    size: int

    def priced(self, products: int) -> float:
        """Return what it takes where so many products with the terms tell all columns."""
        # The price has a product with the terms for every column; shared colours spare some.
        spared = max(self.frame.width + self.frame.breadth - products, 0)
        return self.price - spared * self.size

    def sparse(self, pairs: int) -> Way:
        """Return the way where so few pairs of couplings meet in the border."""
        dense = self.frame.count * self.frame.width * self.frame.breadth**2
        return self._replace(price=self.price - dense + pairs * self.frame.width)


def ways(
    sites: list[Variable],
    terms: tuple[str, ...],
    variables: tuple[Variable, ...],
    widest: int = WIDEST,
) -> list[Way]:
    """Return the ways to arrange the sites, the border at most so wide, cheapest first."""
    size = sum(prod(v.shape) for v in variables if v.name in terms)
    found = [Way(_price(_arrange(sites, ()), size), "", _arrange(sites, ()), size)]
    # Along no plate all is border: one dense matrix.
    for plates in {v.plates for v in sites if v.plates}:
        frame = _arrange(sites, plates)
        found.append(Way(_price(frame, size), " x ".join(p.name for p in plates), frame, size))
    return [way for way in sorted(found, key=lambda w: w[:2]) if way.frame.breadth <= widest]


def compare(found: list[Way], chosen: int, products: int) -> str:
    """Say what a way takes, what others would have, and which cheaper ones do not fit.

    So many products with the terms tell the precision's columns.
    """
    said = [f"about {_rounded(found[chosen].priced(products))} multiplications"]
    for number, way in enumerate(found):
        name = way.frame.describe(way.plate).partition(",")[0]
        if number < chosen:
            said.append(
                f"{name} would take {_rounded(way.priced(products))}, but depend on one another"
            )
        elif number > chosen:
            said.append(f"{name} would take {_rounded(way.priced(products))}")
    return "; ".join(said)


def _rounded(price: float) -> str:
    return f"{float(f'{price:.2g}'):,.0f}"


def _arrange(sites: list[Variable], plates: tuple) -> Frame:
    inside = [v for v in sites if plates and v.plates == plates]
    border = [v for v in sites if v not in inside]
    shapes = (
        tuple((v.name, v.free_shape) for v in inside),
        tuple((v.name, v.free_shape) for v in border),
    )
    return Frame(prod(p.size for p in plates) if plates else 0, *shapes)


def _price(frame: Frame, size: int) -> float:
    """Return about how many multiplications one evaluation takes; `size` is that of the terms."""
    j, k, m = frame.count, frame.width, frame.breadth
    return (k + m + 2) * size + j * (k**3 / 3 + k**2 * m + k * m**2) + m**3 / 3


def multiply(arrow: Arrow, vector: Vector) -> Vector:
    """Return the arrow times a vector, on the host."""
    groups = np.einsum("jab,jb->ja", arrow.blocks, vector.groups)
    groups = groups + np.einsum("jam,m->ja", arrow.couplings, vector.border)
    border = np.einsum("jam,ja->m", arrow.couplings, vector.groups) + arrow.corner @ vector.border
    return Vector(groups, border)


def colour(arrow: Arrow) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Let columns of the border that share no row share a product.

    Returns each column's colour and, where some are shared, the pattern of what is not zero.
    """
    couplings, corner = arrow.couplings != 0, arrow.corner != 0
    # Columns are coloured greedily: two of them may be read by one product if no row has both. The
    # empty slice of the corner gives the shape where there are no groups.
    rows = np.concatenate([np.concatenate([corner[:0], *couplings]), corner])
    taken: list[np.ndarray] = []
    colours = []
    for column in rows.T:
        found = next((i for i, used in enumerate(taken) if not (used & column).any()), None)
        if found is None:
            found = len(taken)
            taken.append(np.zeros_like(column))
        taken[found] |= column
        colours.append(found)
    shared = len(taken) < len(colours)
    return tuple(colours), {"couplings": couplings, "corner": corner} if shared else {}


def paired(couplings: np.ndarray) -> Pairs | None:
    """Return which couplings meet in the border, None where they are not sparse.

    `couplings` has shape (group, k, m).
    """
    known = (couplings != 0).any(1)
    counts = known.sum(1)
    if not known.size or (counts**2).sum() > SPARSE * known.shape[0] * known.shape[1] ** 2:
        return None
    groups, columns = np.nonzero(known)  # by group, and by column within each
    ends = np.repeat(np.cumsum(counts), counts)
    numbers = np.arange(len(groups))
    reach = ends - numbers  # each meets itself and those after it in its group
    first = np.repeat(numbers, reach)
    starts = np.repeat(np.cumsum(reach) - reach, reach)
    second = first + np.arange(len(first)) - starts
    place = columns[second] * known.shape[1] + columns[first]  # the later column is the row
    order = np.argsort(place, kind="stable")
    found = (groups, columns, first[order], second[order], place[order])
    return Pairs(*(a.astype(np.int32) for a in found))  # pyright: ignore[reportArgumentType]
