"""Find normal observations whose mean is linear in few numbers, and form their statistics."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.jaxprs import is_literal
from finetti.structure.degrees import outputs
from finetti.structure.equations import variables
from finetti.structure.program import Program, Reader
from finetti.structure.rewrites.condense.condense import Condense, Pair, Source
from finetti.structure.rewrites.condense.sums import Column, statistics
from finetti.structure.rewrites.rewrite import Found, Sight
from finetti.structure.variables import Variable
from finetti.types import Atom, Constants

PLENTY = 300  # observations: from so many on what an evaluation takes is told by its numbers,
EACH, GATHERED = 6, 3  # which a row makes, and more for each quantity that its mean has,
TAKEN = {"aligned": 3, "dense": 2, "sparse": 8}  # or an entry of a block; a gather counts double
FEWEST = 32  # observations: fewer are not worth condensing
COLUMNS = 16  # quantities of few numbers are taken apart into single ones
CLOSE = 1e-8


def find(sight: Sight) -> Found:
    """Return a rewrite for each observed site that can be condensed, with its statistics."""
    if sight.program.dtype != "float64":  # sums of squares need the digits
        return Found()
    barred = sight.refused | sight.absorbed
    found = [
        _condensed(sight.program, v.name, v.data, _counts(v))
        for v in sight.variables
        if v.known.condensed and v.name not in barred
        if v.data is not None
    ]
    return Found(tuple(f for f in found if f is not None))


def again(
    program: Program, rewrite: Condense, data: np.ndarray, weights: np.ndarray | None
) -> Constants:
    """Return the statistics that differ between many sets of data, (set, *site shape).

    Their arrays have a leading axis of sets; the others are those that `find` gave.
    """
    design = _designed(program, rewrite.sites[0], data.shape[1:])
    assert design is not None
    counts = 1.0 if weights is None else _spread(weights, data.shape[1:])
    each = [design.statistics(one, counts)[1] for one in data]
    chosen = [{name: found[name] for name in ("centres", "slopes", "rss")} for found in each]
    return jax.tree.map(lambda *rows: np.stack(rows), *chosen)


class _Design(NamedTuple):
    """Hold how normal observations depend on the few numbers: c, the columns of L, and sigma.

    `sigma` has shape (observation,) where it is known and `weighted`, else it is 1.
    """

    constant: np.ndarray
    columns: list[Column]
    sigma: np.ndarray
    weighted: bool

    def statistics(
        self, data: np.ndarray, counts: np.ndarray | float = 1.0
    ) -> tuple[tuple[Pair, ...], Constants]:
        """Form the statistics of observations, of the site's shape, that each count so often."""
        return statistics(self.columns, (data - self.constant).ravel(), counts / self.sigma**2)


def _designed(program: Program, site: str, shape: tuple[int, ...]) -> _Design | None:
    """Return how a site's mean depends on small quantities; None where it is no case."""
    known, count = _known(program), int(np.prod(shape))
    arguments = {k.rpartition(".")[2]: v for k, v in program.outputs.arguments[site].items()}
    scale = arguments["scale"]
    weighted = is_literal(scale) or scale in known
    if not weighted and np.prod(scale.aval.shape) != 1:
        return None
    variables = _sources(program, arguments["loc"], known, count)
    reach = _Reach(program, arguments["loc"], variables, shape)
    columns = reach.columns()
    if columns is None:
        return None
    reader = Reader(program, program.constants, {}, {})
    sigma = np.asarray(reader.read(scale)) if weighted else np.ones(())
    sigma = np.broadcast_to(sigma, shape).ravel() if weighted else np.ones(1)
    return _Design(reach.constant, columns, sigma, weighted)


def _condensed(
    program: Program, site: str, data: np.ndarray, counts: np.ndarray
) -> tuple[Condense, Constants] | None:
    """Form the statistics; what is worth it is told by the number of observations counted."""
    many = data.size if counts.size == 1 else int(max(data.size, counts.sum()))
    design = _designed(program, site, data.shape) if many >= FEWEST else None
    if design is None:
        return None
    columns = design.columns
    pairs, constants = design.statistics(data, counts)
    size = sum(e["values"].size for e in constants["entries"]) + sum(c.size for c in columns)
    stored = [(p.kind, e["values"].size) for p, e in zip(pairs, constants["entries"], strict=True)]
    if many < PLENTY:
        before, after = many, size
    else:
        before = (EACH + GATHERED * len(columns)) * many
        after = sum(TAKEN[kind] * entries for kind, entries in stored)
        after += 2 * sum(c.size for c in columns)
    # Condensed, an evaluation must have no more than two thirds of the numbers.
    if 3 * after > 2 * before:
        return None
    count = data.size if counts.size == 1 else _total(counts)
    if design.weighted:
        logs = np.sum(counts * np.log(design.sigma))
        constants = {**constants, "log_weights": -logs - 0.5 * count * np.log(2 * np.pi)}
    sources = tuple(c.source for c in columns)
    return Condense((site,), sources, pairs, count, size, design.weighted), constants


def _counts(v: Variable) -> np.ndarray:
    """Return how often each observation counts, an event as a whole; shape (1,) for once each."""
    return np.ones(1) if v.counts is None else _spread(v.counts, v.shape)


def _spread(counts: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    wide = counts.reshape(*counts.shape, *(1,) * (len(shape) - counts.ndim))
    return np.broadcast_to(wide, shape).ravel()


def _total(counts: np.ndarray) -> int | float:
    """Return the number of observations, whole where weights add up to a whole one."""
    total = float(counts.sum())
    return round(total) if abs(total - round(total)) <= 1e-12 * abs(total) else total


def _known(program: Program) -> set[Atom]:
    """Return the variables that the data alone determine."""
    known = set(program.data)
    for equation in program.jaxpr.eqns:
        inputs = variables(equation.invars)
        if all(v in known for v in inputs):
            known.update(equation.outvars)
    return known


def _sources(program: Program, variable: Atom, known: set[Atom], count: int) -> list[Atom]:
    """Follow linear equations up from a variable to the smaller quantities it is made of."""
    makers = {v: e for e in program.jaxpr.eqns for v in e.outvars}
    found: list[Atom] = []
    waiting, seen = [variable], set()
    while waiting:
        v = waiting.pop()
        if is_literal(v) or v in known or v in seen:
            continue
        seen.add(v)
        equation = makers.get(v)
        inputs = equation.invars if equation is not None else []
        unknown = [int(not is_literal(w) and w not in known) for w in inputs]
        # What is smaller than the observations is a source. So is what a nonlinear equation makes,
        # or what no equation does; `_Reach` tells whether there is use in it.
        small = np.prod(v.aval.shape) < count
        if small or equation is None or max(outputs(equation, unknown)) > 1:
            found.append(v)
        else:
            waiting += equation.invars
    return found


class _Reach:
    """Learn how a mean depends on its sources by evaluating it at chosen values of them."""

    def __init__(
        self, program: Program, mean: Atom, sources: list[Atom], shape: tuple[int, ...]
    ) -> None:
        """Compile how the mean changes with the sources, whatever else of the program is fixed."""
        places = {
            v: (i, j) for i, e in enumerate(program.jaxpr.eqns) for j, v in enumerate(e.outvars)
        }
        # A source is pointed at by the equation that makes it: so it is found again in an equal
        # program.
        self.places = [places.get(v) for v in sources]
        self.shapes = [v.aval.shape for v in sources]

        def means(data, values):
            reader = Reader(program, data, {}, {})
            reader.known |= dict(zip(sources, values, strict=True))
            return jax.numpy.broadcast_to(reader.read(mean), shape)

        @compiled(ONCE)
        def gains(data, values):
            """Return the constant, and what is linear: no difference loses digits to the former."""
            return jax.jvp(partial(means, data), (zeros,), (values,))

        zeros = [np.zeros(s) for s in self.shapes]
        self.zeros = zeros
        self.gain = lambda values: np.asarray(gains(program.constants, values)[1])
        self.constant = np.asarray(gains(program.constants, zeros)[0])

    def columns(self) -> list[Column] | None:
        """Return a column for each source, or for each of its columns; None where it has many."""
        if None in self.places:
            return None
        found: list[Column] = []
        for i, shape in enumerate(self.shapes):
            whole = self._column(i, None)
            if whole is not None:
                found.append(whole)
                continue
            if not shape or shape[-1] > COLUMNS:
                return None
            parts = [self._column(i, c) for c in range(shape[-1])]
            if any(p is None for p in parts):
                return None
            found += [p for p in parts if p is not None]
        return found

    def _column(self, i: int, column: int | None) -> Column | None:
        """Tell which member each observation takes and how often, if it takes one alone."""
        shape = self.shapes[i]
        members = np.zeros(shape)[..., 0].size if column is not None else int(np.prod(shape))
        # Ones give each observation's weight, the members' numbers the weight times its member's;
        # where several members enter, a generic vector tells.
        weight = self._apply(i, column, np.ones(members))
        place = self._apply(i, column, np.arange(members, dtype=float))
        member = np.rint(np.divide(place, weight, out=np.zeros_like(place), where=weight != 0))
        member = np.clip(member, 0, members - 1).astype(np.int32)
        generic = np.random.default_rng(1931).uniform(0.5, 1.5, members)
        expected, found = weight * generic[member], self._apply(i, column, generic)
        if not np.allclose(found, expected, rtol=CLOSE, atol=CLOSE * np.abs(found).max(initial=0)):
            return None
        (equation, output) = self.places[i] or (0, 0)
        return Column(Source(equation, output, column), members, member, weight)

    def _apply(self, i: int, column: int | None, values: np.ndarray) -> np.ndarray:
        """Return what the mean gains from values of one source, flat."""
        full = np.zeros(self.shapes[i])
        if column is None:
            full[...] = values.reshape(self.shapes[i])
        else:
            full[..., column] = values.reshape(full.shape[:-1])
        given = [full if k == i else z for k, z in enumerate(self.zeros)]
        return self.gain(given).ravel()
