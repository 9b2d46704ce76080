"""Minimise losses of `tf.Variable`s step by step, as `tfp.math.minimize` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from finetti.dialects import tf
from finetti.dialects.tf.optimizers import Loss, Optimizer, read_by, slopes
from finetti.dialects.tf.tensors import settled
from finetti.dialects.tf.variables import Variable
from finetti.types import Array, Tree


class MinimizeTraceableQuantities(NamedTuple):
    """Hold what a step tells: its number, from 0, and the loss and all else before it."""

    step: Array
    loss: Array
    gradients: list[Array]
    parameters: list[Array]


def minimize(  # noqa: PLR0913 - TensorFlow Probability's own arguments
    loss_fn: Loss,
    num_steps: int,
    optimizer: Optimizer,
    convergence_criterion: None = None,
    trainable_variables: Sequence[Variable] | None = None,
    trace_fn: Callable[[MinimizeTraceableQuantities], Tree] = lambda told: told.loss,
    name: str = "",
) -> Tree:
    """Make steps of an optimiser along the gradient of a loss; return what each told, in order.

    `loss_fn` has no arguments and reads `tf.Variable`s, all of which are trained unless some are
    named; they are left where the steps end. What depends on them, but for distributions and
    bijectors, is computed inside. The loss is traced once; random numbers in it are
    drawn anew at each step. Raises `ValueError` where it does not read what it is to train.

    >>> x = tf.Variable(0.0)
    >>> losses = minimize(lambda: (x - 5.0) ** 2, 100, tf.optimizers.SGD(0.1))
    >>> losses.shape, round(float(x), 6)
    ((100,), 5.0)
    """
    if convergence_criterion is not None:
        raise ValueError("minimize makes num_steps steps: look at the trace for convergence")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is tf.optimizers.Adam(...) or SGD(...), not {optimizer!r}")
    if num_steps < 1:
        raise ValueError(f"minimize makes at least one step, not {num_steps}")
    variables = read_by(loss_fn, trainable_variables)

    def step(state: tuple[list[Array], list[Tree]], number: Array) -> tuple[Tree, Tree]:
        values, memories = state
        with tf.RANDOMNESS.turned(number):
            found, gradients = jax.value_and_grad(
                lambda v: slopes(loss_fn, variables, v), has_aux=True
            )(values)
        told = trace_fn(MinimizeTraceableQuantities(number, found[1], gradients, values))
        moves = [
            optimizer.moved(v, g, m, optimizer.iterations + number + 1)
            for v, g, m in zip(values, gradients, memories, strict=True)
        ]
        return ([v for v, _ in moves], [m for _, m in moves]), told

    with jax.enable_x64(True):
        begun = [jnp.asarray(v._value) for v in variables], optimizer.memories(variables)
        try:
            run = jax.jit(lambda state: jax.lax.scan(step, state, jnp.arange(num_steps)))
            (values, memories), told = run(begun)
        except jax.errors.JAXTypeError as error:
            raise TypeError(
                "the loss cannot be traced: compute it by tf's functions, without plain numbers "
                "or `if` of what depends on a tf.Variable"
            ) from error
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    optimizer.keep(variables, memories, num_steps)
    return jax.tree.map(settled, told)
