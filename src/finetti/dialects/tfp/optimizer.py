"""Minimise functions by TensorFlow Probability's interface, with scipy's optimisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from finetti.dialects import tf
from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tf.tensors import Tensor
from finetti.types import AnyArray

ValueAndGradient = Callable[[AnyArray], tuple[AnyArray, AnyArray]]
Point = tuple[np.ndarray, np.ndarray]  # a value, or one a search, and its gradient


class Found(NamedTuple):
    """Hold where a search ended, with an axis of searches before where there were many.

    `converged` tells whether the greatest entry of the gradient is within the tolerance, `failed`
    whether the search gave up before that and before its last iteration.
    """

    converged: Tensor
    failed: Tensor
    num_iterations: Tensor
    num_objective_evaluations: Tensor
    position: Tensor
    objective_value: Tensor
    objective_gradient: Tensor


class FoundWithHessian(NamedTuple):
    """Hold where a search ended that also learned the inverse of the second derivatives."""

    converged: Tensor
    failed: Tensor
    num_iterations: Tensor
    num_objective_evaluations: Tensor
    position: Tensor
    objective_value: Tensor
    objective_gradient: Tensor
    inverse_hessian_estimate: Tensor


class Simplex(NamedTuple):
    """Hold where a search without gradients ended."""

    converged: Tensor
    num_objective_evaluations: Tensor
    position: Tensor
    objective_value: Tensor
    final_simplex: Tensor
    final_objective_values: Tensor
    num_iterations: Tensor


def converged_all(converged: ArrayLike, failed: ArrayLike) -> AnyArray:
    """Tell whether all searches have converged or failed."""
    return tf.reduce_all(tf.logical_or(converged, failed))


def converged_any(converged: ArrayLike, failed: ArrayLike) -> AnyArray:
    """Tell whether one search has converged, or all have failed."""
    return tf.logical_or(tf.reduce_any(converged), tf.reduce_all(failed))


def bfgs_minimize(  # noqa: PLR0913 - TensorFlow Probability's own arguments
    value_and_gradients_function: ValueAndGradient,
    initial_position: ArrayLike,
    tolerance: float = 1e-8,
    max_iterations: int = 50,
    stopping_condition: Callable | None = None,
    parallel_iterations: int = 1,
    name: str = "",
) -> FoundWithHessian:
    """Return where the quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno ends.

    The function gives values and gradients at positions of shape (n,), or (searches, n): then each
    row is a search of its own, and all are made whatever `stopping_condition` says.
    """
    settings = {"gtol": tolerance, "maxiter": max_iterations}
    return FoundWithHessian._make(
        _searched("BFGS", value_and_gradients_function, initial_position, settings, tolerance)
    )


def lbfgs_minimize(  # noqa: PLR0913 - TensorFlow Probability's own arguments
    value_and_gradients_function: ValueAndGradient,
    initial_position: ArrayLike,
    num_correction_pairs: int = 10,
    tolerance: float = 1e-8,
    f_relative_tolerance: float = 0.0,
    max_iterations: int = 50,
    stopping_condition: Callable | None = None,
    parallel_iterations: int = 1,
    name: str = "",
) -> Found:
    """Return where BFGS of limited memory ends; arguments as of `bfgs_minimize`."""
    settings = {"maxcor": num_correction_pairs, "gtol": tolerance, "ftol": f_relative_tolerance,
                "maxiter": max_iterations}  # fmt: skip
    return Found._make(
        _searched("L-BFGS-B", value_and_gradients_function, initial_position, settings, tolerance)
    )


def _searched(
    method: str,
    function: ValueAndGradient,
    start: ArrayLike,
    settings: dict[str, float],
    tolerance: float,
) -> list[Tensor]:
    """Return the parts of where a search ended, or of where each of many did."""
    starts = np.asarray(tf.value_of(start), float)
    evaluate = _quick(function)
    if starts.ndim == 1:
        return [Tensor.of(p) for p in _search(method, evaluate, starts, settings, tolerance)]
    if starts.ndim != 2:
        raise ValueError(f"initial_position is (n,) or (searches, n), not {starts.shape}")
    found = []
    for i in range(len(starts)):

        def row(x: np.ndarray, i: int = i) -> Point:
            whole = starts.copy()  # the function may know of each search's own data
            whole[i] = x
            value, gradient = evaluate(whole)
            return value[i], gradient[i]

        found.append(_search(method, row, starts[i], settings, tolerance))
    return [Tensor.of(np.stack(parts)) for parts in zip(*found, strict=True)]


def _search(
    method: str,
    evaluate: Callable[[np.ndarray], Point],
    start: np.ndarray,
    settings: dict[str, float],
    tolerance: float,
) -> list[ArrayLike]:
    def numbers(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(x)
        if np.shape(value):
            raise ValueError(
                f"the objective has shape {np.shape(value)}: it is one number a search"
            )
        return float(value), np.asarray(gradient, float)

    iterations = evaluations = 0
    with jax.enable_x64(True):
        while True:
            left = settings | {"maxiter": settings["maxiter"] - iterations}
            end: Any = optimize.minimize(numbers, start, jac=True, method=method, options=left)
            iterations, evaluations = iterations + end.nit, evaluations + end.nfev
            # A search that ends where differences are below rounding goes on with its memory lost.
            stuck = not end.nit or not np.isfinite(end.fun) or np.array_equal(end.x, start)
            if stuck or iterations >= settings["maxiter"] or np.abs(end.jac).max() <= tolerance:
                break
            start = end.x
    converged = bool(np.isfinite(end.fun)) and bool(np.abs(end.jac).max() <= tolerance)
    failed = not converged and (iterations < settings["maxiter"] or not np.isfinite(end.fun))
    parts = [converged, failed, iterations, evaluations, end.x, end.fun, end.jac]
    return [*parts, end.hess_inv] if method == "BFGS" else parts


def _quick(function: ValueAndGradient) -> Callable[[np.ndarray], Point]:
    """Return a function compiled where it can be traced, else as it is, on tensors."""
    compiled, traceable = jax.jit(function), [True]

    def call(x: np.ndarray) -> Point:
        if traceable[0]:
            try:
                value, gradient = compiled(x)
                return np.asarray(value), np.asarray(gradient)
            except (jax.errors.JAXTypeError, TypeError):
                traceable[0] = False
        value, gradient = function(Tensor.of(x))
        return np.asarray(value), np.asarray(gradient)

    return call


def nelder_mead_minimize(  # noqa: PLR0913 - TensorFlow Probability's own arguments
    objective_function: Callable[[Tensor], ArrayLike],
    initial_simplex: ArrayLike | None = None,
    initial_vertex: ArrayLike | None = None,
    step_sizes: ArrayLike | None = None,
    func_tolerance: float = 1e-8,
    position_tolerance: float = 1e-8,
    max_iterations: int | None = None,
    name: str = "",
) -> Simplex:
    """Return where the simplex of Nelder and Mead ends, from a vertex or from a simplex.

    A simplex has shape (vertices, *shape of a position).
    """
    if (initial_simplex is None) == (initial_vertex is None):
        raise ValueError("pass one of initial_simplex and initial_vertex")
    if initial_simplex is None:
        vertex = np.asarray(tf.value_of(initial_vertex), float)
        steps = 1.0 if step_sizes is None else np.asarray(tf.value_of(step_sizes), float)
        shape, flat = vertex.shape, vertex.ravel()
        corners = flat + np.diag(np.broadcast_to(steps, shape).ravel())
        simplex = np.concatenate([flat[None], corners])
    else:
        given = np.asarray(tf.value_of(initial_simplex), float)
        shape, simplex = given.shape[1:], given.reshape(len(given), -1)

    def number(x: np.ndarray) -> float:
        return float(np.asarray(objective_function(Tensor.of(x.reshape(shape)))))

    settings = {"initial_simplex": simplex, "fatol": func_tolerance, "xatol": position_tolerance,
                "maxiter": max_iterations}  # fmt: skip
    with jax.enable_x64(True):
        end: Any = optimize.minimize(number, simplex[0], method="Nelder-Mead", options=settings)
    final, values = end.final_simplex
    parts = [end.success, end.nfev, end.x.reshape(shape), end.fun, final.reshape(-1, *shape),
             values, end.nit]  # fmt: skip
    return Simplex._make(map(Tensor.of, parts))


__getattr__ = lacking("tfp.optimizer")
