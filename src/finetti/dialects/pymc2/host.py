"""Call functions that cannot be traced on the host, from within the compiled program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from numpy.typing import ArrayLike

from finetti.errors import ModelError
from finetti.types import Array, DType, Tree

WIDE = 8  # bytes of a double-precision number

Possible = Callable[[], ArrayLike]  # it tells whether the values are possible
_possible: ContextVar[Possible] = ContextVar("possible", default=lambda: np.array(True))


class ZeroProbability(ValueError):
    """Say that a value is impossible, as functions of PyMC2 programs do."""


@contextmanager
def only_where(possible: Possible) -> Iterator[None]:
    """Call no function in the block, nor one that it makes, at arguments that are impossible.

    A step proposes values off a variable's support, such as an index that a list does not have;
    the variable refuses them, and what depends on it must not meet them. `possible` gives a traced
    truth value; it is asked only where a function has to run on the host.
    """
    token = _possible.set(possible)
    try:
        yield
    finally:
        _possible.reset(token)


def held() -> Possible:
    """Return what `only_where` holds now, for a function that is called later."""
    return _possible.get()


def _halve(array: Array) -> Array:
    wide = array.dtype.itemsize == WIDE
    return jax.lax.bitcast_convert_type(array, np.uint32) if wide else array


def _join(array: np.ndarray, kind: DType) -> np.ndarray:
    """Return on the host what `_halve` took apart."""
    if np.dtype(kind).itemsize != WIDE:
        return array
    return np.ascontiguousarray(array).view(kind)[..., 0]


def on_host(
    function: Callable[..., Tree], values: Mapping[str, Tree], example: np.ndarray
) -> Array:
    """Call a function on the host from within the compiled program; it has no gradient.

    It is not called where `only_where` says that its arguments are impossible.
    """
    name = getattr(function, "__name__", "a function")
    leaves, tree = jax.tree.flatten(dict(values))
    traced = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tracer)]
    dtype = jnp.result_type(float) if example.dtype.kind == "f" else example.dtype
    shape = jax.ShapeDtypeStruct(example.shape, dtype)

    kinds = [leaves[i].dtype for i in traced]

    def host(possible: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
        full = list(leaves)
        for i, array, kind in zip(traced, arrays, kinds, strict=True):
            full[i] = _join(np.asarray(array), kind)
        try:
            if not possible:
                raise ZeroProbability
            found = np.asarray(function(**jax.tree.unflatten(tree, full)), dtype)
        except ZeroProbability:
            found = np.full(example.shape, -np.inf if wide else 0, dtype)
        return found.reshape(*found.shape, 1).view(np.uint32) if wide else found

    # The host's thread does not know of the scoped double precision: wide numbers go as halves.
    wide = np.dtype(dtype).itemsize == WIDE
    halves = jax.ShapeDtypeStruct((*example.shape, 2), np.uint32) if wide else shape

    @jax.custom_jvp
    def call(possible: ArrayLike, *arrays: Array) -> Array:
        given = (possible, *map(_halve, arrays))
        found = jax.pure_callback(host, halves, *given, vmap_method="sequential")
        return jax.lax.bitcast_convert_type(found, dtype) if wide else found

    @call.defjvp
    def _(primals: tuple, tangents: tuple) -> NoReturn:
        raise ModelError(
            f"`{name}` cannot be traced, so it has no gradient: sample with MCMC's own steps, or "
            f"write it with numpy's functions and without `if` on its arguments"
        )

    return call(_possible.get()(), *(leaves[i] for i in traced))
