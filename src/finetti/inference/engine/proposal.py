"""Learn where to propose from, where a plan leaves few dimensions: modes, then a mixture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.inference.engine.batch import Own, alone, joined, spread
from finetti.inference.engine.climb import Look, asked, modes
from finetti.inference.engine.emulator import emulated
from finetti.inference.engine.heights import looking, together
from finetti.inference.engine.mixture import RARE, Fitted, beginning, fitted, reaching
from finetti.inference.engine.outskirts import lacking
from finetti.inference.engine.price import numbers
from finetti.inference.engine.start import DTYPE, RADIUS
from finetti.kernels.independence import Mixture
from finetti.kernels.kernel import Point, Tuning
from finetti.kernels.polynomial import Polynomial
from finetti.posterior.lost import lost
from finetti.structure.form import Given
from finetti.targets.density import Density, Target
from finetti.types import Array, Tree

TRIES = 8  # starts a chain, of which it takes the first that is not lost
FEWER = 2  # first, where a polynomial is to save evaluations
UNTRIED = 0.2  # nats, of a last step there: it only tells where to put the polynomial
ROUND = 1024, 128  # points of a round: as a rule, and at least where each takes much work
EVEN = 0.9, 0.7  # the share of their number that they are to be worth: as a rule, and of fewer
WORK = 2_000_000_000  # numbers that a round may take
MOST = 16  # starts to climb from, where as many are evaluated together
DEAR = 2_000_000  # numbers of an evaluation
CHEAP = 20_000  # numbers, up to which `SPARE` draws are made for one that is kept
SPARE = 3


@dataclass(frozen=True)
class Proposal:
    """Hold a fitted mixture as a kernel's tuning, points to start at and whether it is of use.

    `own` are the constants that were learned on the way. `thin` is how many draws to make for one
    that is kept, as cheap as they are. Where they are `emulated`, a polynomial stands for the
    density, and lies in the tuning beside the mixture.
    """

    tuning: Tuning
    own: Own
    points: Point
    useful: bool
    thin: int
    emulated: bool = False


def propose(
    built: Density, seed: int, chains: int, emulate: int = 0, alone: bool = False
) -> Proposal | None:
    """Return where to propose from; None where no start has a finite density.

    All it does depends on the model, its data and the seed alone. Where no dimension is left, each
    draw is that of what was integrated out. Asked to `emulate`, for so many draws, it has a
    polynomial stand for the density if one comes close, and where that is all that pays, `alone`,
    returns None otherwise.
    """
    target, given = built.placed
    own = Own(rewrites=spread(target.form.taught(given.rewrites), 1))
    size = numbers(target, given)
    look = looking(target, given, own)
    if not built.dim:
        return _nothing_left(look, own, chains)
    # numpy takes no negative seeds.
    generator = np.random.default_rng([int(seed) % 2**63, 1994])
    aside = int(np.clip(together(target, given) // asked(built.dim), 0, MOST))
    starts, heights = np.empty((0, built.dim)), np.empty(0)
    for tries in (FEWER, TRIES) if emulate else (TRIES,):
        starts, heights = _starts(look, generator, (chains, tries, built.dim), aside, emulate > 0)
        if len(starts):
            break
    else:
        return None
    if size > DEAR:  # to look for other modes as well
        starts = starts[[np.argmax(heights)]]
    points = int(np.clip(WORK // size, ROUND[1], ROUND[0]))
    even = EVEN[0] if points == ROUND[0] else EVEN[1]
    reached = modes(look, starts, UNTRIED if emulate else 0.0)
    own = taught(target, given, own, reached[0].position)
    look = looking(target, given, own)
    only = len(reached) == 1 or reached[1].evidence < reached[0].evidence + log(RARE)
    if emulate and only and (both := emulated(look, reached[0], generator, emulate)) is not None:
        return _placed(both[1], own, generator, chains, SPARE, both[0])
    if alone:
        return None
    own = own._replace(rewrites=target.form.lasting(own.rewrites))
    found = fitted(look, beginning(reached), generator, points, even)
    useful = found.useful
    if useful and len((tail := lacking(look, found)).places):
        useful = False
        if not tail.endless:
            found = fitted(look, reaching(found, tail.places), generator, points, even)
            useful = found.useful and not len(lacking(look, found).places)
    placed = _placed(found, own, generator, chains, SPARE if size <= CHEAP else 1)
    return replace(placed, useful=useful)


def _placed(
    found: Fitted,
    own: Own,
    generator: np.random.Generator,
    chains: int,
    thin: int,
    polynomial: Polynomial | None = None,
) -> Proposal:
    """Return the proposal of a fitted mixture, chains at points that it found."""
    placed, heights = found.resample(generator, chains)
    here: Any = (placed[None], heights[None], np.zeros_like(placed)[None])
    scale = found.mixture.packed()
    if polynomial is not None:
        scale = np.concatenate([scale, polynomial.packed()])
    tuning: Any = (np.asarray(1.0), scale)
    return Proposal(Tuning(*tuning), own, Point(*here), True, thin, polynomial is not None)


def taught(target: Target, given: Given, own: Own, position: np.ndarray) -> Own:
    """Return the constants that fits have for themselves with what a position teaches."""
    if not any(r.taught for r in target.form.rewrites):
        return own
    found = spread(_taught(target, given, own, position), 1)
    merged = {name: {**old, **found.get(name, {})} for name, old in own.rewrites.items()}
    return own._replace(rewrites=merged)


@compiled(ONCE, "target")
def _taught(target: Target, given: Given, own: Own, position: Array) -> Tree:
    here = joined(given, alone(own))
    return target.form.teach(here, target.layout.split(position))


def _nothing_left(look: Look, own: Own, chains: int) -> Proposal | None:
    """Return the proposal of positions without a dimension: there is one, which all chains have."""
    here = np.zeros((chains, 0))
    heights = np.repeat(look(here[:1]), chains)
    if not np.isfinite(heights).all():
        return None
    scale = Mixture().identity(0, DTYPE)
    start: Any = (here[None], heights[None], here[None])
    tuning: Any = (np.asarray(1.0), scale)
    return Proposal(Tuning(*tuning), own, Point(*start), useful=True, thin=1)


def _starts(
    look: Look,
    generator: np.random.Generator,
    shape: tuple[int, int, int],
    aside: int,
    middle: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each chain the first of its tries that is not lost beside the best, if any is.

    `shape` is (chains, tries, dim). As many more come after these as make `aside` in all: two modes
    alike are missed by four starts once in eight times. Beside the starts comes how high the
    density is there. `middle` has the first try be 0: no slope, and scales of 1.
    """
    chains, count, dim = shape
    tries = generator.uniform(-RADIUS, RADIUS, (chains * count, dim))
    if middle:
        tries[0] = 0.0
    heights = look(tries).reshape(chains, count)
    fair = np.isfinite(heights) & ~lost(heights, heights.max(), dim)
    chosen = np.flatnonzero(fair.any(1))
    places = chosen * count + fair.argmax(1)[chosen]
    others = np.setdiff1d(np.flatnonzero(fair), places)
    places = np.append(places, others[: max(aside - len(places), 0)])
    return tries[places], heights.ravel()[places]
