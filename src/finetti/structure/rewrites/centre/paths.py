"""Follow a site to the quantity through which alone the rest of a model sees it, its effect.

`mu + tau * eta` is seen where `eta` stands: as long as one equation alone uses a quantity, member
by member and linearly, the next one says the same. So effects written by hand, predictors added to
them and observations subtracted from them are recognised in the traced program.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from finetti.jaxprs import is_literal
from finetti.structure.equations import reached, read_tag
from finetti.structure.program import Program, Reader
from finetti.types import Array, Atom, Equation

ALIKE = {"name", "copy", "copy_p", "reshape", "broadcast_in_dim", "convert_element_type", "squeeze"}
BINARY = {"add", "add_any", "sub", "mul", "div"}


@dataclass(frozen=True)
class Step:
    """Point at an equation that takes a quantity as its operand number `operand`."""

    equation: int
    operand: int


@dataclass(frozen=True)
class Path:
    """Hold the steps from a site to its effect.

    `free` says that the path begins at the unconstrained value, not at the site's own.
    """

    site: str
    steps: tuple[Step, ...]
    free: bool = False

    def end(self, program: Program) -> Atom:
        """Return the variable that holds the effect."""
        if self.steps:
            return program.jaxpr.eqns[self.steps[-1].equation].outvars[0]
        return program.inputs[self.site] if self.free else program.tags[self.site]

    def read(self, reader: Reader) -> tuple[Array | float, Array | float]:
        """Return offset and factor: the effect is offset + factor * value, member by member."""
        offset: Array | float = 0.0
        factor: Array | float = 1.0
        for step in self.steps:
            equation = reader.program.jaxpr.eqns[step.equation]
            name = equation.primitive.name
            if name in ALIKE:
                continue
            if name == "neg":
                offset, factor = -offset, -factor
                continue
            other = reader.read(equation.invars[1 - step.operand])
            match name:
                case "mul":
                    offset, factor = offset * other, factor * other
                case "div":
                    offset, factor = offset / other, factor / other
                case "sub" if step.operand:
                    offset, factor = other - offset, -factor
                case "sub":
                    offset = offset - other
                case _:
                    offset = offset + other
        return offset, factor


def follow(
    program: Program, site: str, free: bool, allowed: Callable[[Atom], bool]
) -> tuple[Path, list[Atom]]:
    """Return the path to a site's effect, and the other operands met on the way.

    `allowed` tells of another operand whether the path may pass it.
    """
    if free:  # the site's value is a nonlinear transform of it
        return Path(site, (), True), []
    users = _users(program, site)
    steps: list[Step] = []
    met: list[Atom] = []
    here = program.tags[site]
    while len(users.get(here, ())) == 1:
        (step,) = users[here]
        equation = program.jaxpr.eqns[step.equation]
        others = [v for i, v in enumerate(equation.invars) if i != step.operand]
        if not _passes(equation, step, here) or not all(map(allowed, others)):
            break
        steps.append(step)
        met += others
        here = equation.outvars[0]
    return Path(site, tuple(steps)), met


def _passes(equation: Equation, step: Step, variable: Atom) -> bool:
    """Tell whether an equation takes a variable linearly, member by member."""
    name, (outcome, *more) = equation.primitive.name, equation.outvars
    if (
        more
        or outcome.aval.shape != variable.aval.shape
        or outcome.aval.dtype != variable.aval.dtype
    ):
        return False
    return (
        name in ALIKE or name == "neg" or (name in BINARY and not (name == "div" and step.operand))
    )


def _users(program: Program, site: str) -> dict[Atom, list[Step]]:
    """Return the steps out of each variable that lead to the density of other sites."""
    outputs: Any = program.outputs
    found = [*outputs.log_terms.items(), *outputs.log_jacobians.items()]
    wanted = {v for name, v in found if name != site and not is_literal(v)}
    users: dict[Atom, list[Step]] = {}
    # Backwards from the densities of other sites: what leads nowhere, or to the site's own, is no
    # user.
    for number in reversed(range(len(program.jaxpr.eqns))):
        equation = program.jaxpr.eqns[number]
        if not any(v in wanted for v in equation.outvars):
            continue
        for operand, v in enumerate(equation.invars):
            if not is_literal(v):
                wanted.add(v)
                users.setdefault(v, []).append(Step(number, operand))
    return users


def depends(program: Program, sources: Collection[str]) -> Callable[[Atom], bool]:
    """Return a function that tells whether a variable depends on any of the sites."""
    free = [program.inputs[s] for s in sources if s in program.inputs]
    tagged = [v for e in program.jaxpr.eqns if read_tag(e) in sources for v in e.outvars]
    known = reached(program.jaxpr, [*free, *tagged])
    return lambda atom: not is_literal(atom) and atom in known
