"""Count what an evaluation of a density takes, by the equations of its program."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from math import prod
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from finetti.dividing import Divided
from finetti.inference.engine.start import DTYPE
from finetti.jaxprs import made, yielded
from finetti.structure.form import Given
from finetti.targets.density import Target
from finetti.turns import shared_out
from finetti.types import DType, Equation, LogDensity, Tree


def numbers(target: Target, given: Given) -> int:
    """Return about how many numbers an evaluation makes."""
    return _counted(target, given, yielded)


def equations(target: Target, given: Given) -> int:
    """Return how many equations an evaluation's program has."""
    return _counted(target, given, _one)


def products(target: Target, given: Given) -> int:
    """Return about how many multiplications an evaluation takes.

    A Cholesky factor of n rows takes n^3 / 3, a triangular system n^2 for each right-hand side; any
    other number that is made counts as one.
    """
    return _counted(target, given, _taken)


def shares_out(target: Target, given: Given) -> bool:
    """Tell whether an evaluation calls LAPACK, which may share its work out among threads."""
    program = _traced(target, *_kind(given))
    return any(True for _ in shared_out(program.jaxpr.eqns))


def _counted(target: Target, given: Given, each: Callable[[Equation], int]) -> int:
    tree, leaves = _kind(given)
    return _count(target, tree, leaves, each)


def evaluated(target: Target, given: Given) -> LogDensity:
    """Return the log density as a function of position, traced no more than once."""
    run, leaves = jaxpr_as_fun(_traced(target, *_kind(given))), jax.tree.leaves(given)
    return lambda position: run(*leaves, position)[0]


def _kind(given: Given) -> tuple[Hashable, tuple[Any, ...]]:
    """Return what a program depends on of constants: their places, shapes and dtypes."""
    leaves, tree = jax.tree.flatten(given, is_leaf=lambda x: isinstance(x, Divided))
    return tree, tuple(map(_like, leaves))


def _like(leaf: Tree) -> tuple[tuple[int, ...], DType]:
    """Return an array's shape and dtype, as a whole."""
    if isinstance(leaf, Divided):
        shape = list(leaf.parts.shape)
        shape[leaf.axis] = leaf.length
        return tuple(shape), leaf.parts.dtype
    if isinstance(leaf, np.ndarray | jax.Array):
        return leaf.shape, leaf.dtype
    return np.shape(leaf), jax.dtypes.result_type(leaf)


@lru_cache(maxsize=64)
def _count(
    target: Target, tree: Hashable, leaves: tuple[Any, ...], each: Callable[[Equation], int]
) -> int:
    return made(_traced(target, tree, leaves).jaxpr.eqns, each)


@lru_cache(maxsize=4)
def _traced(target: Target, tree: Hashable, leaves: tuple[Any, ...]) -> ClosedJaxpr:
    """Return the program of a target's log density, given constants of some shapes."""
    given: Any = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(*leaf) for leaf in leaves])
    position = jax.ShapeDtypeStruct((target.layout.dim,), DTYPE)
    return jax.make_jaxpr(target.log_density)(given, position)


def _one(equation: Equation) -> int:
    return 1


def _taken(equation: Equation) -> int:
    """Return about how many multiplications an equation takes."""
    name, own = equation.primitive.name, yielded(equation)
    if name == "cholesky":
        return own * equation.outvars[0].aval.shape[-1] // 3
    if name == "triangular_solve":
        return own * equation.invars[0].aval.shape[-1]
    if name == "dot_general":
        (summed, _), _ = equation.params["dimension_numbers"]
        return own * prod(equation.invars[0].aval.shape[axis] for axis in summed)
    return own
