"""Lay named unconstrained values out in one flat vector, and take them back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod

import jax.numpy as jnp
import numpy as np

from finetti.structure.variables import Variable
from finetti.types import Array, Position


@dataclass(frozen=True)
class Layout:
    """Hold where each latent variable's unconstrained value lies in the flat vector."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, variables: tuple[Variable, ...]) -> Layout:
        """Lay the variables out in the order given."""
        return cls(tuple(v.name for v in variables), tuple(v.free_shape for v in variables))

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
        ends = np.cumsum([prod(shape) for shape in self.shapes]).tolist()
        parts = zip(self.names, self.shapes, [0, *ends], ends, strict=False)
        return {name: position[a:b].reshape(shape) for name, shape, a, b in parts}

    def join(self, values: Mapping[str, Array]) -> Position:
        """Put named arrays into the flat vector."""
        if not self.names:
            return jnp.zeros(0)
        return jnp.concatenate([jnp.ravel(values[name]) for name in self.names])
