"""Write a model's statements as mathematics, `Normal(mu, tau)`, read off the traced program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from finetti.jaxprs import is_literal
from finetti.structure.equations import read_tag, variables
from finetti.structure.program import Program
from finetti.structure.variables import Variable
from finetti.types import Atom, Equation, Value

LONGEST = 64  # characters of one argument; what is longer is written f(its sites)
DEEPEST = 16  # operations within one another
FEW = 3  # numbers of a constant that are written out
KEYWORDS = ("logits", "scale_tril")  # arguments that a family's name alone does not suggest
FIRST = ("df", "mean", "total_count", "low", "concentration1")
LATER = ("loc", "scale", "scale_tril")

SAME = {
    "broadcast_in_dim", "convert_element_type", "copy", "copy_p", "expand_dims", "reshape",
    "squeeze", "stop_gradient",
}  # fmt: skip
SUMS, PRODUCTS = {"add": "+", "add_any": "+", "sub": "-"}, {"mul": "*", "div": "/"}
CALLS = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "logistic": "sigmoid", "tanh": "tanh",
    "log1p": "log1p", "abs": "abs", "sin": "sin", "cos": "cos",
}  # fmt: skip
SUM, PRODUCT, POWER, WHOLE = range(4)  # how tightly a written term holds together

Written = tuple[str, int]
Pick = Callable[[tuple[str, ...]], str]  # from the names of a site's plates to an index


@dataclass(frozen=True, eq=False)
class Notation:
    """Write what a program says of each site; what is too long is written f(its parents)."""

    program: Program
    variables: tuple[Variable, ...]

    def of(self, v: Variable) -> str:
        """Return a site's distribution with its arguments, or how it is computed.

        A known array is written `data`, an element picked for each row `theta[school]`.
        """
        if v.kind in ("deterministic", "factor"):
            return self._short(self._computed(v))
        shown = [self._argument(key, atom) for key, atom in self._arguments(v).items()]
        return f"{v.family}({', '.join(shown)})" if shown else v.family

    def _computed(self, v: Variable) -> Atom:
        if v.kind == "factor":
            return self.program.outputs.arguments[v.name]["log_weight"]
        value = self.program.tags[v.name]
        made = self._makers.get(value)
        return value if made is None else made.invars[0]

    def _arguments(self, v: Variable) -> dict[str, Atom]:
        """Return the arguments of a site's own family, without those numpyro derives of them."""
        if v.known.improper:
            return {}
        found: dict[str, Atom] = {}
        for key, atom in self.program.outputs.arguments[v.name].items():
            *path, name = key.split(".")
            weight = v.weights is not None and key.rpartition("_mask.")[2] == "weight"
            if not weight and not any(part.startswith("_") for part in path):
                found.setdefault(name, atom)
        # numpyro makes it of whichever matrix is given.
        if "scale_tril" in found:
            found = {k: a for k, a in found.items() if not k.endswith("_matrix")}
        order = [*FIRST, *(k for k in found if k not in (*FIRST, *LATER)), *LATER]
        return {key: found[key] for key in order if key in found}

    def _argument(self, name: str, atom: Atom) -> str:
        return f"{name}={self._short(atom)}" if name in KEYWORDS else self._short(atom)

    def _short(self, atom: Atom) -> str:
        text, _ = self._write(atom, 0)
        return text if len(text) <= LONGEST else self._function(atom)[0]

    def _function(self, atom: Atom) -> Written:
        sites = self._sources.get(atom, frozenset())
        ordered = [v.name for v in self.variables if v.name in sites]
        return f"f({', '.join(ordered)})" if ordered else "data", WHOLE

    def _write(self, atom: Atom, depth: int, pick: Pick | None = None) -> Written:
        """Write a value, its parts in turn; `pick` writes the index of what was picked of it."""
        if is_literal(atom):
            return _constant(atom.val)
        if atom in self._constants:
            return _constant(self._constants[atom])
        equation = self._makers.get(atom)
        if equation is None:
            return self._function(atom)
        site = read_tag(equation)
        if site:
            picked = f"[{pick(self._plates[site])}]" if pick and atom.aval.shape else ""
            return f"{site}{picked}", WHOLE
        if not self._sources[atom] and equation.primitive.name not in SAME:
            return "data", WHOLE
        write = self._rule(equation.primitive.name)
        found = write(equation, depth + 1, pick) if write and depth < DEEPEST else None
        return found or self._function(atom)

    def _rule(self, name: str) -> Callable[[Equation, int, Pick | None], Written | None] | None:
        if name in SAME:
            return lambda equation, depth, pick: self._write(equation.invars[0], depth, pick)
        if name in SUMS or name in PRODUCTS or name in CALLS:
            return self._operation
        return {
            "neg": self._negative,
            "integer_pow": self._power,
            "dot_general": self._dot,
            "gather": self._gather,
            "dynamic_slice": self._gather,
            "slice": self._slice,
        }.get(name)

    def _operation(self, equation: Equation, depth: int, pick: Pick | None) -> Written:
        name = equation.primitive.name
        parts = [self._write(atom, depth, pick) for atom in equation.invars]
        if name in CALLS:
            return f"{CALLS[name]}({parts[0][0]})", WHOLE
        level, sign = (SUM, SUMS[name]) if name in SUMS else (PRODUCT, PRODUCTS[name])
        # x + 0, x - 0 and x / 1 are written x.
        if parts[1][0] == ("0" if level == SUM else "1") and sign != "*":
            return parts[0]
        left = _within(parts[0], level)
        # The right side of - and / must hold together more tightly: a - (b - c).
        return f"{left} {sign} {_within(parts[1], level + (sign in '-/'))}", level

    def _negative(self, equation: Equation, depth: int, pick: Pick | None) -> Written:
        return f"-{_within(self._write(equation.invars[0], depth, pick), PRODUCT)}", PRODUCT

    def _power(self, equation: Equation, depth: int, pick: Pick | None) -> Written:
        base = _within(self._write(equation.invars[0], depth, pick), WHOLE)
        return f"{base}^{equation.params['y']}", POWER

    def _dot(self, equation: Equation, depth: int, pick: Pick | None) -> Written | None:
        if pick:
            return None
        left, right = (_within(self._write(atom, depth), PRODUCT) for atom in equation.invars)
        return f"{left} @ {right}", PRODUCT

    def _gather(self, equation: Equation, depth: int, pick: Pick | None) -> Written | None:
        """Write an index of sites with their plate: which member is data, or another site."""
        starts = variables(equation.invars[1:])
        index = frozenset[str]().union(*(self._sources.get(v, frozenset()) for v in starts))
        if len(index) > 1:
            return None

        def here(plates: tuple[str, ...]) -> str:
            return next(iter(index), "") or ", ".join(self._axes(equation, plates))

        return self._write(equation.invars[0], depth, here)

    def _axes(self, equation: Equation, plates: tuple[str, ...]) -> Iterator[str]:
        """Yield what an index picks along each axis: a member of a plate, or a known number."""
        numbers = equation.params.get("dimension_numbers")
        axes = numbers.start_index_map if numbers else (0,)
        known = np.asarray(self._constants.get(equation.invars[1], 0))
        for column, axis in enumerate(axes):
            picked = known[..., column] if known.ndim and known.shape[-1] == len(axes) else known
            if axis < len(plates):
                yield plates[axis]
            else:
                yield str(picked.flat[0]) if known.ndim and np.ptp(picked) == 0 else "..."

    def _slice(self, equation: Equation, depth: int, pick: Pick | None) -> Written | None:
        """Write a site's element of which the program knows the number."""
        start, limit = equation.params["start_indices"], equation.params["limit_indices"]
        if pick or len(start) != 1 or limit[0] - start[0] != 1:
            return None
        return self._write(equation.invars[0], depth, lambda plates: str(start[0]))

    @cached_property
    def _constants(self) -> dict[Atom, np.ndarray]:
        return dict(zip(self.program.data, self.program.constants, strict=True))

    @cached_property
    def _makers(self) -> dict[Atom, Equation]:
        return {v: equation for equation in self.program.jaxpr.eqns for v in equation.outvars}

    @cached_property
    def _plates(self) -> Mapping[str, tuple[str, ...]]:
        return {v.name: tuple(p.name for p in v.plates) for v in self.variables}

    @cached_property
    def _sources(self) -> dict[Atom, frozenset[str]]:
        """Map each variable to the sites that it is directly made of."""
        found: dict[Atom, frozenset[str]] = {}
        for equation in self.program.jaxpr.eqns:
            inputs = (v for v in equation.invars if not is_literal(v))
            site = read_tag(equation)
            reached = frozenset([site]) if site else frozenset[str]().union(
                *(found.get(v, frozenset()) for v in inputs)
            )  # fmt: skip
            found.update(dict.fromkeys(equation.outvars, reached))
        return found


def _within(written: Written, level: int) -> str:
    text, own = written
    return f"({text})" if own < level else text


def _constant(value: Value) -> Written:
    """Write a number; an array whose entries differ only where they are few."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or not array.size:
        return "data", WHOLE
    first = array.flat[0]
    if (array == first).all():
        return f"{first:g}" if array.dtype.kind == "f" else str(first), WHOLE
    if array.ndim == 1 and array.size <= FEW:
        return "[" + ", ".join(f"{x:g}" for x in array) + "]", WHOLE
    return "data", WHOLE


__all__ = ["Notation"]
