"""Describe one site of a centred block: its prior's parameters, and the way to its effect."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import jax.numpy as jnp

from finetti.jaxprs import is_literal
from finetti.structure.program import Reader
from finetti.structure.rewrites.centre.paths import Path
from finetti.types import Array, Atom, Float, Value


@dataclass(frozen=True)
class Part:
    """Hold one site of a block: its prior's parameters in the program, and the way to its effect.

    Each of `count` members has `width` numbers. `root` names the argument that scales them:
    "scale", member by member, or "scale_tril", a matrix. `plain` says that the site's log density
    reads them as location and scale of its value and in no other way. The effect of a `net` part is
    what it is without its prior's location, whose coefficients are shifted by it.
    """

    site: str
    shape: tuple[int, ...]
    count: int
    width: int
    loc: str
    scale: str
    path: Path
    plain: bool = False
    net: bool = False

    @property
    def dense(self) -> bool:
        """Tell whether a matrix scales the member's numbers."""
        return self.scale.endswith("scale_tril")

    def flat(self, value: Value) -> Float[Array, "member k"]:
        """Return a value of the site's shape, or one that broadcasts to it, a row a member."""
        return jnp.broadcast_to(value, self.shape).reshape(self.count, self.width)

    def location(self, reader: Reader) -> Float[Array, "member k"]:
        """Return the location of the site's own prior."""
        dtype = reader.program.dtype  # arguments may be written as integers
        return self.flat(jnp.asarray(reader.argument(self.site, self.loc), dtype))

    def middle(self, reader: Reader) -> Float[Array, "member k"]:
        """Return the site's value about which its effect is measured, nothing if it is net."""
        return jnp.zeros((self.count, self.width)) if self.net else self.location(reader)

    def root(self, reader: Reader) -> Float[Array, "member k k"]:
        """Return the root of the site's own prior."""
        scale = jnp.asarray(reader.argument(self.site, self.scale), reader.program.dtype)
        if self.dense:
            batch = self.shape[: len(self.shape) - 1]
            full = jnp.broadcast_to(scale, (*batch, self.width, self.width))
            return full.reshape(self.count, self.width, self.width)
        return self.flat(scale)[..., None] * jnp.eye(self.width)

    def log_scale(self, reader: Reader) -> Float[Array, "member k"]:
        """Return the logs of the root's diagonal, each taken once where members share it."""
        scale = jnp.asarray(reader.argument(self.site, self.scale), reader.program.dtype)
        diagonal = jnp.diagonal(scale, axis1=-2, axis2=-1) if self.dense else scale
        return self.flat(jnp.log(jnp.abs(diagonal)))

    def log_standard(self, reader: Reader, e: Float[Array, "member k"]) -> Array:
        """Return the log densities of standardised values: the prior's at location 0 and scale 1.

        Its own, of location + root e, would take a difference of nearly equal numbers by the
        scale where that is small, and be nothing but rounding where it is below 1e-16.
        """
        program = reader.program
        arguments, tag = program.outputs.arguments[self.site], program.tags[self.site]
        standard = Reader(program, [reader.known[v] for v in program.data], {})
        known = {v: reader.read(v) for v in arguments.values() if not is_literal(v)}
        loc: Atom = arguments[self.loc]
        scale: Atom = arguments[self.scale]
        value = e.reshape(self.shape)
        if is_literal(loc):  # a number in the program stays as it is
            value = value + loc.val
        else:
            known[loc] = jnp.zeros(loc.aval.shape, loc.aval.dtype)
        unit = jnp.eye(self.width) if self.dense else jnp.ones(())
        known[scale] = jnp.broadcast_to(unit, scale.aval.shape).astype(scale.aval.dtype)
        standard.known.update({**known, tag: value.astype(tag.aval.dtype)})
        return standard.read(program.outputs.log_terms[self.site])

    def way(self, reader: Reader) -> tuple[Array, Array]:
        """Return offset and factor, both (member, k): the effect is offset + factor * u."""
        offset, factor = (jnp.asarray(x, reader.program.dtype) for x in self.path.read(reader))
        return self.flat(offset), self.flat(factor)

    def effect(self, reader: Reader) -> Float[Array, "member k"]:
        """Return the effect: before the coefficients in its location are known, if it is net."""
        early = reader.deviation(self.site)
        if early is None:
            whole = self.flat(reader.read(self.path.end(reader.program)))
            return whole - self._left_out(reader)
        offset, factor = self.way(reader)
        return offset + factor * (self.middle(reader) + self.flat(early))

    def fixed(self, reader: Reader, effect: Float[Array, "member k"]) -> dict[Atom, Array]:
        """Return the variable of the program that holds the effect, with the value it then has."""
        variable = self.path.end(reader.program)
        whole = effect + self._left_out(reader)
        return {variable: whole.reshape(variable.aval.shape)}

    def _left_out(self, reader: Reader) -> Array | float:
        """Return what the program's variable has beside the effect."""
        return self.way(reader)[1] * self.location(reader) if self.net else 0.0


def members(shape: tuple[int, ...], plates: int, dense: bool, widest: int) -> tuple[int, int]:
    """Return how many members a site's shape has, and the numbers each has."""
    event = shape[plates:]
    if dense:
        return prod(shape[:-1]), shape[-1]
    if plates and prod(event) <= widest:
        return prod(shape[:plates]), prod(event)
    return prod(shape), 1
