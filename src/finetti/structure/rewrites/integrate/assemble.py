"""Put precisions together from single observations, where the border has too many columns to read.

An observation's log density bends along few directions: one member of each site has a part in it.
Which one, and how much it bends, second derivatives along a direction a site tell for all
observations at once, so that the precision takes as many of them as there are pairs of sites.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.structure.form import Form, Given
from finetti.structure.rewrites.arrow.arrow import Arrow
from finetti.structure.rewrites.arrow.frame import Frame
from finetti.structure.rewrites.branches import every_branch
from finetti.structure.variables import Variable
from finetti.types import Array, Scalar, Values

MOST = 40  # fields: pairs of them are looked at
WHOLE = 1e-6  # how far from a whole number a member's number may come out

Along = dict[str, np.ndarray]


class Field(NamedTuple):
    """Name scalars of a site of which an observation sees one: a number for each, -1 elsewhere.

    `first` is the row of the border of the first, or, of the groups' blocks (`inside`), the column.
    """

    site: str
    members: np.ndarray
    inside: bool
    first: int

    def along(self, sites: Mapping[str, tuple[int, ...]], numbered: bool = False) -> Along:
        """Return the direction of all its scalars, or the one that tells them apart."""
        found = {name: np.zeros(shape) for name, shape in sites.items()}
        own = self.members + 1.0 if numbered else (self.members >= 0).astype(float)
        found[self.site] = np.where(self.members >= 0, own, 0.0)
        return found


Bends = Callable[[Along, Along], dict[str, np.ndarray]]


def assembler(
    form: Form, given: Given, frame: Frame, terms: tuple[str, ...], sites: list[Variable]
) -> Callable[[Mapping[str, np.ndarray], float], dict[str, Arrow] | None]:
    """Return the function from free values, and a salt of the branches, to each term's precision.

    It returns None where an observation sees several members of a site, or members of a plate meet
    that the frame keeps apart.
    """
    fields = _fields(frame, {v.name: v for v in sites})
    shapes = dict((*frame.groups, *frame.border))
    log_terms = form.program.outputs.log_terms

    @compiled(ONCE)
    def bends(
        given: Given, free: Values, salt: Scalar, one: Values, other: Values
    ) -> dict[str, Array]:
        evaluate = every_branch(form.program, salt)

        def elements(values: Values) -> dict[str, Array]:
            reader = form.reader(given, free, None, values, evaluate)
            return {name: jnp.ravel(reader.read(log_terms[name])) for name in terms}

        def slope(values: Values) -> dict[str, Array]:
            return jax.jvp(elements, (values,), (one,))[1]

        # The terms are quadratic in the sites: second derivatives are the same at any point.
        origin = jax.tree.map(jnp.zeros_like, one)
        return jax.tree.map(jnp.negative, jax.jvp(slope, (origin,), (other,))[1])

    def assemble(free: Mapping[str, np.ndarray], salt: float) -> dict[str, Arrow] | None:
        if len(fields) > MOST:
            return None

        def read(one: Along, other: Along) -> dict[str, np.ndarray]:
            return jax.tree.map(np.asarray, bends(given, free, salt, one, other))

        return _assembled(read, frame, terms, fields, shapes)

    return assemble


def _fields(frame: Frame, sites: Mapping[str, Variable]) -> list[Field]:
    """Return the fields of a frame's sites: one for each entry of a member of their plates."""
    found, column, row = [], 0, 0
    for inside, placed in ((True, frame.groups), (False, frame.border)):
        for name, shape in placed:
            count = prod(p.size for p in sites[name].plates)
            each = prod(shape) // count
            numbers = np.arange(prod(shape)).reshape(count, each)
            for entry in range(each):
                members = np.full((count, each), -1)
                members[:, entry] = np.arange(count) if inside else numbers[:, entry]
                first = column + entry if inside else row
                found.append(Field(name, members.reshape(shape), inside, first))
            column, row = (column + each, row) if inside else (column, row + prod(shape))
    return found


def _assembled(
    read: Bends,
    frame: Frame,
    terms: tuple[str, ...],
    fields: list[Field],
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, Arrow] | None:
    """Return the precision of each term."""
    plain = [field.along(shapes) for field in fields]
    own = [read(along, along) for along in plain]
    # If an observation sees member m alone, bending it by all members' ones gives b, and by their
    # numbers m b: the ratio is the member's number. Of several members it is none of them.
    told = [read(plain[i], f.along(shapes, numbered=True)) for i, f in enumerate(fields)]
    members: list[dict[str, np.ndarray]] = []
    for field, bent, numbered in zip(fields, own, told, strict=True):
        seen = {name: _members(field, bent[name], numbered[name]) for name in terms}
        if any(found is None for found in seen.values()):
            return None
        members.append(seen)  # pyright: ignore[reportArgumentType]
    sums = {name: _Sums.of(frame) for name in terms}
    for i, first in enumerate(fields):
        for j, second in enumerate(fields[: i + 1]):
            bent = own[i] if i == j else read(plain[i], plain[j])
            for name in terms:
                places = members[i][name], members[j][name]
                if not sums[name].add((first, second), places, bent[name]):
                    return None
    return {name: found.arrow() for name, found in sums.items()}


def _members(field: Field, bent: np.ndarray, numbered: np.ndarray) -> np.ndarray | None:
    """Return which member each observation sees, -1 for none; None if some see several."""
    seen = bent != 0
    ratio = np.divide(numbered, bent, out=np.zeros_like(bent), where=seen)
    number = np.round(ratio).astype(int)
    whole = np.abs(ratio - number) <= WHOLE * np.maximum(number, 1)
    known = (number >= 1) & (number <= field.members.max() + 1)
    if not (whole & known)[seen].all() or (numbered != 0)[~seen].any():
        return None
    return np.where(seen, number - 1, -1)


class _Sums(NamedTuple):
    """Hold an arrow that observations are added to."""

    blocks: np.ndarray
    couplings: np.ndarray
    corner: np.ndarray

    @classmethod
    def of(cls, frame: Frame) -> _Sums:
        j, k, m = frame.count, frame.width, frame.breadth
        return cls(np.zeros((j, k, k)), np.zeros((j, k, m)), np.zeros((m, m)))

    def add(
        self, fields: tuple[Field, Field], places: tuple[np.ndarray, np.ndarray], bent: np.ndarray
    ) -> bool:
        """Add what two fields' members share; tell whether the arrow has room for it."""
        met = (places[0] >= 0) & (places[1] >= 0) & (bent != 0)
        a, b, value = places[0][met], places[1][met], bent[met]
        first, second = fields
        if first.inside and second.inside:
            if (a != b).any():
                return False
            np.add.at(self.blocks[:, first.first, second.first], a, value)
            if first is not second:
                np.add.at(self.blocks[:, second.first, first.first], a, value)
            return True
        if second.inside:
            # Only the couplings of groups to the border are stored, not their transposes.
            first, second, a, b = second, first, b, a
        if first.inside:
            np.add.at(self.couplings[:, first.first], (a, second.first + b), value)
            return True
        rows, columns = first.first + a, second.first + b
        np.add.at(self.corner, (rows, columns), value)
        if first is not second:
            np.add.at(self.corner, (columns, rows), value)
        return True

    def arrow(self) -> Arrow:
        """Return the arrow."""
        found: Any = (self.blocks, self.couplings, self.corner)
        return Arrow(*found)
