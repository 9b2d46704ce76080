"""Hold a model as a program, one jaxpr that everything else reads, and evaluate it.

A program is a pure function from unconstrained values of the latent variables to every site's value
and log density. Data are its constants, so that models of equal structure share compiled code.
`tracing` writes it down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.jaxprs import heads, is_literal, read
from finetti.structure.degrees import Degree, degrees
from finetti.structure.equations import compute, read_tag, variables
from finetti.structure.identity import Fingerprint
from finetti.types import Array, Atom, Equation, Jaxpr, Tree, Value


class Outcome(NamedTuple):
    """Hold what one evaluation of a program yields.

    `values` maps every site to its value, `log_terms` each sample or factor site to its log
    densities (one an independent element), `log_jacobians` each latent site to the log Jacobian
    of its transform, `arguments` each sample site to its distribution's arguments, `inside` each
    latent site to whether its value lies in its support.
    """

    values: dict[str, Array]
    log_terms: dict[str, Array]
    log_jacobians: dict[str, Array]
    arguments: dict[str, dict[str, Array]]
    inside: dict[str, Array]

    @property
    def log_joint(self) -> Array | float:
        """Return the log joint density, the sum of all terms."""
        return sum((jnp.sum(t) for t in self.log_terms.values()), 0.0)

    @property
    def log_jacobian(self) -> Array | float:
        """Return the sum of all log Jacobians."""
        return sum(self.log_jacobians.values(), 0.0)


Provide = Callable[["Reader"], tuple[Array, Array]]
Supply = Callable[["Reader"], Mapping[str, tuple[Array, Array]]]
Early = Callable[["Reader"], Mapping[str, Array]]
Evaluate = Callable[[Equation, list[Value]], list[Value]]


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """Hold a traced model; programs with the same fingerprint are equal and share compiled code.

    The fingerprint tells all of the program but the values of its constants. `jaxpr` has a constant
    variable for each of `constants`, an input for each latent variable of `latent` in order, and
    the outputs of an `Outcome` laid out by `tree`. The value of each site is tagged by its name.
    Other fits may have other numbers for the last `varying` constants.
    """

    jaxpr: Jaxpr
    constants: tuple[np.ndarray, ...]
    latent: tuple[str, ...]
    tree: Tree
    fingerprint: Fingerprint
    varying: int = 0

    def __call__(
        self,
        constants: Tree,
        free: Mapping[str, Array],
        provide: Mapping[str, Provide] | None = None,
    ) -> Outcome:
        """Evaluate the program, `free` mapping latent variables to unconstrained values.

        `provide` maps the names of sites to functions that give the site's value and log
        Jacobian instead; those sites need no free value.
        """
        return Reader(self, constants, free, provide).outcome()

    @property
    def data(self) -> list[Atom]:
        """Return the variables that hold the constants."""
        return heads(self.jaxpr)[: len(self.constants)]

    @property
    def inputs(self) -> dict[str, Atom]:
        """Return the variable that holds each latent variable's unconstrained value."""
        return dict(zip(self.latent, heads(self.jaxpr)[len(self.constants) :], strict=True))

    @cached_property
    def outputs(self) -> Outcome:
        """Return an `Outcome` that holds the jaxpr's output variables."""
        return jax.tree.unflatten(self.tree, self.jaxpr.outvars)

    @property
    def dtype(self) -> str:
        """Return the float type that the program computes in."""
        return next((v.aval.dtype.name for v in self.inputs.values()), "float64")

    @cached_property
    def tags(self) -> dict[str, Atom]:
        """Return the variable that holds each site's value.

        What the data alone determine may have been computed ahead: it has no equation.
        """
        found = {n: v for n, v in self.outputs.values.items() if not is_literal(v)}
        found |= {read_tag(e): e.outvars[0] for e in self.jaxpr.eqns if e.outvars}
        return {name: variable for name, variable in found.items() if name}

    def degrees(self, sites: Iterable[str]) -> Callable[[Atom], Degree]:
        """Return the function that gives each variable's degree in the sites' values."""
        chosen = frozenset(sites)
        if chosen not in self._degrees:
            self._degrees[chosen] = degrees(self.jaxpr, {self.tags[name]: 1 for name in chosen})
        return self._degrees[chosen]

    @cached_property
    def _degrees(self) -> dict[frozenset[str], Callable[[Atom], Degree]]:
        return {}

    def __eq__(self, other: object) -> bool:
        # Fingerprints of equal keys are one object.
        return isinstance(other, Program) and self.fingerprint is other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


class Reader:
    """Evaluate a program's variables as they are asked for.

    `provide` gives sites their values from outside. `supply` gives sites without a free value
    their unconstrained ones, with what that adds to their log Jacobian. `early` gives how far sites
    are from their priors' locations before the locations are known. `evaluate` returns an
    equation's outputs given its inputs, where the plain way is not wanted.
    """

    def __init__(  # noqa: PLR0913 - each is another way for a value to come in
        self,
        program: Program,
        constants: Tree,
        free: Mapping[str, Array],
        provide: Mapping[str, Provide] | None = None,
        supply: Mapping[str, Supply] | None = None,
        evaluate: Evaluate | None = None,
        early: Mapping[str, Early] | None = None,
    ) -> None:
        self.program, self.provide, self.supply = program, provide or {}, supply or {}
        self.early, self.deviations = early or {}, dict[str, Array]()
        self.evaluate = evaluate or compute
        self.jacobians: dict[str, Array] = {}
        # Inputs that no free value fills, until what supplies them is asked: it may give several at
        # once.
        self.waiting = {program.inputs[name]: name for name in self.supply}
        self.known: dict[Atom, Value] = dict(zip(program.data, constants, strict=True))
        self.known |= {v: free[name] for name, v in program.inputs.items() if name in free}
        self.makers = {v: e for e in program.jaxpr.eqns for v in e.outvars}

    def outcome(self) -> Outcome:
        """Return all outputs."""
        outputs = self.program.outputs
        found = jax.tree.map(self.read, outputs._replace(log_jacobians={}))
        return found._replace(
            log_jacobians={site: self.log_jacobian(site) for site in outputs.log_jacobians}
        )

    def log_jacobian(self, site: str) -> Array:
        """Return the log Jacobian from what is moved to the value of a latent site."""
        # Reading the value is what calls `provide` or `supply`, which fill in `jacobians`.
        self.read(self.program.tags[site])
        if site in self.provide:
            return self.jacobians[site]
        own = self.read(self.program.outputs.log_jacobians[site])
        return own + self.jacobians[site] if site in self.jacobians else own

    def argument(self, site: str, name: str) -> Value:
        """Return an argument of a site's distribution."""
        return self.read(self.program.outputs.arguments[site][name])

    def deviation(self, site: str) -> Array | None:
        """Return how far a site is from its prior's location, None where no move tells it early."""
        if site in self.early and site not in self.deviations:
            self.deviations |= self.early[site](self)
        return self.deviations.get(site)

    def read(self, atom: Atom) -> Value:
        """Return the value of a jaxpr's variable or literal.

        Equations wait on a list, not on Python's stack, however long the chain of them is.
        """
        if is_literal(atom):
            return atom.val
        waiting = [atom]
        while waiting:
            variable = waiting[-1]
            if variable in self.known:
                waiting.pop()
                continue
            if variable in self.waiting:
                self._receive(self.supply[self.waiting[variable]](self))
                continue
            equation = self.makers[variable]
            # The program is cut at a tag: what leads up to the site's value is never evaluated.
            site = read_tag(equation)
            if site in self.provide:
                value, jacobian = self.provide[site](self)
                self.known[variable], self.jacobians[site] = value, jacobian
                continue
            missing = [v for v in variables(equation.invars) if v not in self.known]
            if missing:
                waiting += missing
            else:
                self._evaluate(equation)
        return self.known[atom]

    def _receive(self, supplied: Mapping[str, tuple[Array, Array]]) -> None:
        inputs = self.program.inputs
        for name, (value, jacobian) in supplied.items():
            self.known[inputs[name]], self.jacobians[name] = value, jacobian

    def _evaluate(self, equation: Equation) -> None:
        inputs = [read(v, self.known) for v in equation.invars]
        # As JAX evaluates a jaxpr itself: the equation's own settings, of x64 and the like, hold.
        with equation.ctx.manager:
            outputs = self.evaluate(equation, inputs)
        self.known.update(zip(equation.outvars, outputs, strict=True))
