"""Put a program and its rewrites together: what the sampler moves, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from finetti.structure.program import Outcome, Program, Provide, Reader, Supply
from finetti.structure.rewrites.rewrite import Marginal, Move, Rewrite, Shortcut
from finetti.structure.rewrites.sum_out import SumOut
from finetti.types import Array, Constants, Key

Fixed = Mapping[Any, Array]  # variables of the program that are given, whatever they are made of


class Given(NamedTuple):
    """Hold what a form is given at run time: the data's constants, and each rewrite's by name."""

    data: Constants
    rewrites: dict[str, dict[str, Any]]

    def learned(self, constants: Mapping[str, dict[str, Any]]) -> Given:
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
        return tuple(r for r in self.rewrites if isinstance(r, Move))

    @property
    def marginals(self) -> tuple[Marginal, ...]:
        """Return the rewrites that take sites out of the sampler."""
        return tuple(r for r in self.rewrites if isinstance(r, Marginal))

    def unmoved(self) -> Form:
        """Return the form whose free values are the program's own."""
        return replace(self, rewrites=tuple(r for r in self.rewrites if not isinstance(r, Move)))

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
        absorbed = {term for m in self.marginals for term in m.terms}.union(without)
        names = [name for name in self.program.outputs.log_terms if name not in absorbed]
        parts = [self._log_term(name, reader, given) for name in names]
        parts += [reader.log_jacobian(name) for name in free if name not in without]
        parts += [
            m.log_marginal(self.terms(m, given, free, fixed), given.rewrites[m.name])
            for m in self.marginals
        ]
        return sum(parts, 0.0)  # pyright: ignore[reportReturnType]

    def reader(
        self,
        given: Given,
        free: Mapping[str, Array],
        fixed: Fixed | None = None,
        values: Mapping[str, Array] | None = None,
    ) -> Reader:
        """Return a reader of the program in which moved sites are where the free values say.

        `values` are those of sites taken out; without them they are held at zero, as no term
        that is left depends on them.
        """
        provide = {**self._hold(), **{site: _fixed(v) for site, v in (values or {}).items()}}
        supply: dict[str, Supply] = {
            site: partial(_supplied, move, free, given.rewrites[move.name])
            for move in self.moves
            for site in move.sites
        }
        still = {name: value for name, value in free.items() if name not in supply}
        reader = Reader(self.program, given.data, still, provide, supply)
        reader.known.update(fixed or {})
        return reader

    def recover(
        self,
        key: Key,
        given: Given,
        free: Mapping[str, Array],
        values: Mapping[str, Array] | None = None,
    ) -> Outcome:
        """Evaluate the program at the user's own variables, drawing what was taken out.

        `values` are those of sites that are moved as they are, without a free value.
        """
        drawn, fixed = dict(values or {}), self.fix(values or {})
        for i, m in enumerate(self.marginals):
            terms = self.terms(m, given, free, fixed)
            drawn |= m.draw(jax.random.fold_in(key, i), terms, given.rewrites[m.name])
        return self.reader(given, free, values=drawn).outcome()

    def probabilities(self, given: Given, free: Mapping[str, Array]) -> dict[str, Array]:
        """Return the state probabilities of each site summed out, given the free values."""
        found: dict[str, Array] = {}
        for m in self.marginals:
            if isinstance(m, SumOut):
                found |= m.probabilities(self.terms(m, given, free), given.rewrites[m.name])
        return found

    def release(self, given: Given, free: Mapping[str, Array]) -> dict[str, Array]:
        """Return the free values that stand for the same point when no site has been moved."""
        reader, inputs = self.reader(given, free), self.program.inputs
        return {name: reader.read(inputs[name]) for name in free}

    def adopt(self, given: Given, plain: Mapping[str, Array]) -> dict[str, Array]:
        """Return the free values of a point given by those without moves: `release` undone."""
        reader, moved = self.unmoved().reader(given, plain), {}
        for move in self.moves:
            moved |= move.recover(reader, plain, given.rewrites[move.name])
        return {**plain, **moved}

    def fix(self, values: Mapping[str, Array]) -> dict[Any, Array]:
        """Return the program's variables that stand for the sites' values, as what is given."""
        tags = self.program.tags()
        return {tags[name]: value for name, value in values.items()}

    def inside(self, given: Given, free: Mapping[str, Array], fixed: dict[Any, Array]) -> Array:
        """Tell whether the values given, and those that depend on them, lie in their supports."""
        reader = self.reader(given, free, fixed)
        names = [name for name, v in self.program.tags().items() if v in fixed]
        found = [reader.read(self.program.outputs.inside[name]) for name in names]
        return jnp.all(jnp.stack(found)) if found else jnp.array(True)

    def _hold(self) -> dict[str, Provide]:
        """Hold at zero the sites taken out: no term that is left depends on them."""
        tags = self.program.tags()
        sites = [s for m in self.marginals for s in m.sites]
        return {s: _fixed(jnp.zeros(tags[s].aval.shape, tags[s].aval.dtype)) for s in sites}

    def terms(
        self,
        marginal: Marginal,
        given: Given,
        free: Mapping[str, Array],
        fixed: Fixed | None = None,
    ) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        """Return the function from a marginal's sites to its terms, all else being given."""

        def terms(values: Mapping[str, Array]) -> dict[str, Array]:
            reader = self.reader(given, free, fixed, values)
            if marginal.by_element:
                log_terms = self.program.outputs.log_terms
                return {name: reader.read(log_terms[name]) for name in marginal.terms}
            return {name: self._log_term(name, reader, given) for name in marginal.terms}

        return terms

    def _log_term(self, name: str, reader: Reader, given: Given) -> Array:
        for r in self.rewrites:
            if isinstance(r, Shortcut) and r.sites == (name,):
                return r.log_term(reader, given.rewrites[r.name])
        return jnp.sum(reader.read(self.program.outputs.log_terms[name]))


def _fixed(value: Array) -> Provide:
    return lambda reader: (value, jnp.zeros(()))


def _supplied(
    move: Move, free: Mapping[str, Array], learned: Mapping[str, Any], reader: Reader
) -> Mapping[str, tuple[Array, Array]]:
    return move.supply(reader, free, learned)
