"""Put a program and its rewrites together: what the sampler moves, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, cast

import jax.numpy as jnp
import numpy as np

from finetti.structure.program import Early, Evaluate, Program, Provide, Reader, Supply
from finetti.structure.rewrites.rewrite import Around, Marginal, Move, Rewrite
from finetti.types import Array, Atom, Constants, Key, Tree

Fixed = Mapping[Atom, Array]  # variables of the program that are given, whatever they are made of


class Given(NamedTuple):
    """Hold what a form is given at run time: the data's constants, and each rewrite's by name."""

    data: Tree
    rewrites: dict[str, Constants]

    def learned(self, constants: Mapping[str, Constants]) -> Given:
        """Return the same with other constants of some rewrites."""
        return Given(self.data, {**self.rewrites, **constants})


@dataclass(frozen=True)
class Form:
    """Hold a program under rewrites; forms of equal structure are equal and share compiled code."""

    program: Program
    rewrites: tuple[Rewrite, ...]

    @property
    def moves(self) -> tuple[Move, ...]:
        """Return the rewrites that give sites other coordinates."""
        return tuple(cast(Move, r) for r in self.rewrites if r.moves)

    @property
    def settling(self) -> tuple[Move, ...]:
        """Return the moves whose sites may begin at the mode that they look for."""
        return tuple(m for m in self.moves if m.settles)

    @property
    def marginals(self) -> tuple[Marginal, ...]:
        """Return the rewrites that take sites out of the sampler."""
        return tuple(cast(Marginal, r) for r in self.rewrites if r.takes_out)

    @property
    def alternating(self) -> Any:
        """Return the rewrite that moves a block's members by themselves, if there is one."""
        return next((r for r in self.rewrites if r.members_apart), None)

    def taught(self, constants: Mapping[str, Constants]) -> dict[str, Constants]:
        """Return by rewrite those of its constants that a run learns."""
        found = {m.name: constants[m.name] for m in self.moves}
        for r in (r for r in self.rewrites if r.taught):
            found[r.name] = {name: constants[r.name][name] for name in r.taught}
        return found

    def teach(self, given: Given, free: Mapping[str, Array]) -> dict[str, Constants]:
        """Return what a point teaches of the constants that are not moves'."""
        return {
            m.name: m.teach(self.terms(m, given, free), given.rewrites[m.name])
            for m in self.marginals
            if m.taught
        }

    def lasting(self, learned: Mapping[str, Constants]) -> dict[str, Constants]:
        """Return what was learned without what holds only about the point that taught it."""
        passing = {r.name: r.passing for r in self.rewrites}
        return {
            name: {c: np.zeros_like(a) if c in passing[name] else a for c, a in own.items()}
            for name, own in learned.items()
        }

    def unmoved(self) -> Form:
        """Return the form whose free values are the program's own."""
        return replace(self, rewrites=tuple(r for r in self.rewrites if not r.moves))

    def log_density(
        self,
        given: Given,
        free: Mapping[str, Array],
        fixed: Fixed | None = None,
        without: Collection[str] = (),
    ) -> Array:
        """Return the log density of the free values, all else integrated or summed out.

        `fixed` holds variables of the program that are given; the prior terms of the sites
        `without` are left out.
        """
        reader = self.reader(given, free, fixed)
        absorbed = {term for r in self.rewrites for term in r.absorbed}.union(without)
        names = [name for name in self.program.outputs.log_terms if name not in absorbed]
        parts = [self._log_term(name, reader, given, free) for name in names]
        parts += [reader.log_jacobian(name) for name in free if name not in without]
        parts += [self.log_marginal(m, given, free, fixed) for m in self.marginals]
        return sum(parts, 0.0)  # pyright: ignore[reportReturnType]

    def by_member(self, given: Given, free: Mapping[str, Array]) -> Array:
        """Return the log density of each member that moves by itself, given all the rest.

        That is up to what does not depend on the member.
        """
        alternate = self.alternating
        reader = self.reader(given, free)
        elements = {t: self._elements(t, reader, given, free)[0] for t in alternate.terms}
        return alternate.collect(elements, given.rewrites[alternate.name])

    def log_marginal(
        self,
        marginal: Marginal,
        given: Given,
        free: Mapping[str, Array],
        fixed: Fixed | None = None,
    ) -> Array:
        """Return the log of one marginal's integral or sum, all else being given."""
        stand = self.stand_in(marginal)
        if stand is not None:
            read = self.read_few(stand, given, free, fixed)
            return stand.log_marginal(read, given.rewrites[stand.name])
        terms = self.terms(marginal, given, free, fixed)
        return marginal.log_marginal(terms, given.rewrites[marginal.name])

    def stand_in(self, marginal: Marginal) -> Any:
        """Return the rewrite that evaluates a marginal in its place, if there is one."""
        return next((r for r in self.rewrites if r.whole == marginal), None)

    def read_few(
        self, stand: Any, given: Given, free: Mapping[str, Array], fixed: Fixed | None = None
    ) -> Callable[[Mapping[str, Array]], Reader]:
        """Return the function from values of a few representatives to a reader of the program."""
        return lambda values: self.reader(given, free, fixed, values, stand.evaluate)

    def reader(
        self,
        given: Given,
        free: Mapping[str, Array],
        fixed: Fixed | None = None,
        values: Mapping[str, Array] | None = None,
        evaluate: Evaluate | None = None,
    ) -> Reader:
        """Return a reader of the program in which moved sites are where the free values say.

        `values` are those of sites taken out; without them they are held at zero, as no term
        that is left depends on them.
        """
        # A site taken out by its unconstrained value comes in as an input, so that its transform
        # and Jacobian are computed; the others cut the program at their values.
        values = dict(values or {})
        loose = {site: values.pop(site, zero) for site, zero in self._loose().items()}
        provide = {**self._hold(), **{site: _fixed(v) for site, v in values.items()}}
        supply: dict[str, Supply] = {
            site: partial(move.supply, free=free, learned=given.rewrites[move.name])
            for move in self.moves
            for site in move.sites
        }
        early: dict[str, Early] = {
            site: partial(move.early, free=free, learned=given.rewrites[move.name])
            for move in self.moves
            for site in move.told_early
        }
        still = {name: value for name, value in free.items() if name not in supply}
        free_values = {**still, **loose}
        reader = Reader(self.program, given.data, free_values, provide, supply, evaluate, early)
        reader.known.update(fixed or {})
        return reader

    def look(self, given: Given, plain: Mapping[str, Array], key: Key) -> dict[str, Constants]:
        """Return the constants that moves learn at a point given by unmoved free values."""
        beneath = tuple(move for m in self.moves for move in m.beneath)
        still = replace(self, rewrites=(*self.unmoved().rewrites, *beneath))
        given = given.learned({move.name: {} for move in beneath})
        plain = still.adopt(given, plain)
        at = partial(still.reader, given, plain)
        around = Around(at({}), at, partial(still.log_density, given, plain))
        found = {m.name: m.look(around, key) for m in self.moves}
        return {name: constants for name, constants in found.items() if constants}

    def release(self, given: Given, free: Mapping[str, Array]) -> dict[str, Array]:
        """Return the free values that stand for the same point when no site has been moved."""
        reader, inputs = self.reader(given, free), self.program.inputs
        return {name: reader.read(inputs[name]) for name in free}

    def adopt(self, given: Given, plain: Mapping[str, Array]) -> dict[str, Array]:
        """Return the free values of a point given by those without moves: `release` undone."""
        # All moves are undone at the same point: none needs to know the others.
        reader, moved = self.unmoved().reader(given, plain), {}
        for move in self.moves:
            moved |= move.recover(reader, plain, given.rewrites[move.name])
        return {**plain, **moved}

    def fix(self, values: Mapping[str, Array]) -> dict[Atom, Array]:
        """Return the program's variables that stand for the sites' values, as what is given."""
        tags = self.program.tags
        return {tags[name]: value for name, value in values.items()}

    def inside(self, given: Given, free: Mapping[str, Array], fixed: dict[Atom, Array]) -> Array:
        """Tell whether the values given, and those that depend on them, lie in their supports."""
        reader = self.reader(given, free, fixed)
        names = [name for name, v in self.program.tags.items() if v in fixed]
        found = [reader.read(self.program.outputs.inside[name]) for name in names]
        return jnp.all(jnp.stack(found)) if found else jnp.array(True)

    def _hold(self) -> dict[str, Provide]:
        """Hold at zero the sites taken out: no term that is left depends on them."""
        tags = self.program.tags
        sites = [s for m in self.marginals if not m.by_free for s in m.sites]
        return {s: _fixed(jnp.zeros(tags[s].aval.shape, tags[s].aval.dtype)) for s in sites}

    def _loose(self) -> dict[str, Array]:
        """Return zeros for the sites taken out by their unconstrained values."""
        inputs = self.program.inputs
        sites = [s for m in self.marginals if m.by_free for s in m.sites]
        return {s: jnp.zeros(inputs[s].aval.shape, inputs[s].aval.dtype) for s in sites}

    def terms(
        self,
        marginal: Marginal,
        given: Given,
        free: Mapping[str, Array],
        fixed: Fixed | None = None,
        evaluate: Evaluate | None = None,
    ) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        """Return the function from a marginal's sites to its terms, all else being given.

        `evaluate` returns an equation's outputs where the plain way is not wanted.
        """

        def terms(values: Mapping[str, Array]) -> dict[str, Array]:
            reader = self.reader(given, free, fixed, values, evaluate)
            if marginal.by_element:
                log_terms = self.program.outputs.log_terms
                return {name: reader.read(log_terms[name]) for name in marginal.terms}
            if marginal.by_sums:
                both = {name: self._elements(name, reader, given, free) for name in marginal.terms}
                lacking = {f"beside {name}": jnp.asarray(rest) for name, (_, rest) in both.items()}
                return {name: each for name, (each, _) in both.items()} | lacking
            found = {name: self._log_term(name, reader, given, free) for name in marginal.terms}
            if marginal.by_free:
                found |= {f"into {s}": reader.log_jacobian(s) for s in marginal.sites}
            return found

        return terms

    def _log_term(
        self, name: str, reader: Reader, given: Given, free: Mapping[str, Array]
    ) -> Array:
        """Return the sum of a site's log densities, by the rewrite that has a better way to it."""
        for r in self.rewrites:
            found = r.log_term(name, reader, given.rewrites[r.name])
            if found is not None:
                return found
        each, constant = self._elements(name, reader, given, free)
        return jnp.sum(each) + constant

    def _elements(
        self, name: str, reader: Reader, given: Given, free: Mapping[str, Array]
    ) -> tuple[Array, Array | float]:
        """Return a site's log densities, or their sums, and what their sum lacks."""
        for r in self.rewrites:
            found = r.elements(name, reader, free, given.rewrites[r.name])
            if found is not None:
                return found
        return reader.read(self.program.outputs.log_terms[name]), 0.0


def _fixed(value: Array) -> Provide:
    return lambda reader: (value, jnp.zeros(()))
