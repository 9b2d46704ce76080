"""Lay named unconstrained values out in one flat vector, and take them back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod

import jax.numpy as jnp
import numpy as np

from finetti.structure.rewrites.rewrite import Rewrite
from finetti.structure.variables import Variable
from finetti.types import Array, Position


@dataclass(frozen=True)
class Layout:
    """Hold where each latent variable's unconstrained value lies in the flat vector.

    The variables named in `natural` are moved as they are: the vector holds their own values,
    whole numbers among them as reals. `whole` tells of each variable whether it is discrete,
    `binary` whether it is zero or one. The variables named in `apart` have `members` that move by
    themselves, as many numbers for each in order.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    whole: tuple[bool, ...] = ()
    binary: tuple[bool, ...] = ()
    natural: frozenset[str] = frozenset()
    apart: tuple[str, ...] = ()
    members: int = 0

    @classmethod
    def of(
        cls,
        variables: tuple[Variable, ...],
        natural: frozenset[str] = frozenset(),
        apart: Rewrite | None = None,
    ) -> Layout:
        """Lay the variables out in the order given; `apart` moves some members by themselves."""
        return cls(
            tuple(v.name for v in variables),
            tuple(v.shape if v.name in natural else v.free_shape for v in variables),
            tuple(v.discrete for v in variables),
            tuple(v.known.binary for v in variables),
            natural.intersection(v.name for v in variables),
            apart.sites if apart else (),
            apart.members_apart if apart else 0,
        )

    @property
    def places(self) -> dict[str, tuple[int, ...]]:
        """Return the coordinates of each variable in the flat vector."""
        return {name: tuple(range(a, b)) for name, (a, b) in self._bounds.items()}

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Return where the variables whose members move by themselves begin and end."""
        return tuple(self._bounds[name] for name in self.apart)

    @property
    def _bounds(self) -> dict[str, tuple[int, int]]:
        """Return where each variable begins and ends."""
        ends = np.cumsum([prod(shape) for shape in self.shapes]).tolist()
        return dict(zip(self.names, zip([0, *ends], ends, strict=False), strict=True))

    def only(self, names: tuple[str, ...]) -> Layout:
        """Return the layout of the variables named alone, in the order given."""
        rows = [self.names.index(name) for name in names]
        return Layout(
            names,
            tuple(self.shapes[i] for i in rows),
            tuple(self.whole[i] for i in rows),
            tuple(self.binary[i] for i in rows),
            self.natural.intersection(names),
        )

    def name(self, place: tuple[int, ...]) -> str:
        """Name some coordinates by their variables, with the number within one if they are part."""
        owners = {i: n for n, places in self.places.items() for i in places}
        names = list(dict.fromkeys(owners[i] for i in place))
        if set(place) == {i for n in names for i in self.places[n]}:
            return ", ".join(names)
        return ", ".join(f"{owners[i]}[{i - self.places[owners[i]][0]}]" for i in place)

    @property
    def dim(self) -> int:
        """Return the length of the flat vector."""
        return sum(prod(shape) for shape in self.shapes)

    def mask(self, names: Collection[str]) -> np.ndarray:
        """Return which places of the flat vector belong to the variables named."""
        sizes = [prod(shape) for shape in self.shapes]
        return np.repeat([name in names for name in self.names], sizes).astype(bool)

    def split(self, position: Position) -> dict[str, Array]:
        """Take the flat vector, shape (dim,), apart into named arrays."""
        if position.shape != (self.dim,):
            raise ValueError(f"position has shape {position.shape}, the density has ({self.dim},)")
        parts = zip(self._bounds.items(), self.shapes, strict=True)
        return {name: position[a:b].reshape(shape) for (name, (a, b)), shape in parts}

    def join(self, values: Mapping[str, Array]) -> Position:
        """Put named arrays into the flat vector."""
        if not self.names:
            return jnp.zeros(0)
        return jnp.concatenate([jnp.ravel(values[name]) for name in self.names])
