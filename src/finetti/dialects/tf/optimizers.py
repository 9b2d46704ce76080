"""Offer TensorFlow's optimisers that follow gradients: `tf.optimizers.Adam` and `SGD`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tf.variables import Variable, holding, reading
from finetti.types import AnyArray, Array, Tree

Loss = Callable[[], AnyArray]


class Optimizer(ABC):
    """Change variables step by step along the gradient of a loss.

    What it remembers of a variable is kept from one call to the next.
    """

    def __init__(self, learning_rate: float) -> None:
        """Take the size of steps, a number."""
        if not isinstance(learning_rate, int | float):
            raise TypeError(f"learning_rate is a number here, not {learning_rate!r}")
        self.learning_rate, self.iterations = float(learning_rate), 0
        self._memories: dict[int, tuple[Variable, Tree]] = {}  # held, so that ids stay theirs

    @abstractmethod
    def begun(self, value: Array) -> Tree:
        """Return what is remembered of a variable before the first step."""

    @abstractmethod
    def moved(self, value: Array, gradient: Array, memory: Tree, step: Array) -> tuple[Array, Tree]:
        """Return the value and the memory after a step, the first of which is 1."""

    def memories(self, variables: Sequence[Variable]) -> list[Tree]:
        """Return what is remembered of variables."""
        known = [self._memories.get(id(v)) for v in variables]
        return [
            self.begun(jnp.asarray(v._value)) if found is None else found[1]
            for v, found in zip(variables, known, strict=True)
        ]

    def keep(self, variables: Sequence[Variable], memories: Sequence[Tree], steps: int) -> None:
        """Remember what some steps have left."""
        self.iterations += steps
        pairs = zip(variables, memories, strict=True)
        self._memories.update({id(v): (v, memory) for v, memory in pairs})

    def apply_gradients(self, grads_and_vars: Iterable[tuple[ArrayLike, Variable]]) -> None:
        """Make a step with gradients that are known."""
        pairs = list(grads_and_vars)
        variables = [v for _, v in pairs]
        with jax.enable_x64(True):
            step, kept = jnp.asarray(self.iterations + 1), []
            for (gradient, v), memory in zip(pairs, self.memories(variables), strict=True):
                slope = jnp.asarray(gradient)
                value, memory = self.moved(jnp.asarray(v._value), slope, memory, step)
                v.assign(value)
                kept.append(memory)
        self.keep(variables, kept, 1)

    def minimize(self, loss: Loss, var_list: Sequence[Variable]) -> None:
        """Make a step along the gradient of a loss, a function without arguments."""
        variables = read_by(loss, var_list)
        with jax.enable_x64(True):
            slope = jax.grad(lambda values: slopes(loss, variables, values)[0])
            gradients = slope([jnp.asarray(v._value) for v in variables])
        self.apply_gradients(zip(gradients, variables, strict=True))


def slopes(loss: Loss, variables: list[Variable], values: list[Array]) -> tuple[Array, Array]:
    """Return the sum of a loss, and the loss, as functions of variables' values."""
    with holding(variables, list(values)):
        found = jnp.asarray(loss())
    return found.sum(), found


def read_by(loss: Loss, variables: Sequence[Variable] | None) -> list[Variable]:
    """Return the variables to train; raise `ValueError` where the loss does not read them."""
    if not callable(loss):
        raise TypeError(
            f"the loss is a function without arguments, so that it can be differentiated: "
            f"lambda: ..., not {loss!r}"
        )
    with reading() as read:
        loss()
    chosen = [v for v in read if v.trainable] if variables is None else list(variables)
    if not chosen or any(all(v is not r for r in read) for v in chosen):
        raise ValueError(
            "the loss does not read each tf.Variable that it is to train: compute what depends on "
            "them, but for distributions, inside the loss"
        )
    return chosen


class SGD(Optimizer):
    """Step against the gradient, with a momentum if so wished."""

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.0, name: str = "") -> None:
        """Take the size of steps and the share of the last one that is kept."""
        super().__init__(learning_rate)
        self.momentum = momentum

    def begun(self, value: Array) -> Array:
        """Return no movement."""
        return jnp.zeros_like(value)

    def moved(
        self, value: Array, gradient: Array, memory: Array, step: Array
    ) -> tuple[Array, Array]:
        """Return the value and its movement."""
        movement = self.momentum * memory - self.learning_rate * gradient
        return value + movement, movement


class Adam(Optimizer):
    """Step by the mean of gradients over the root of the mean of their squares.

    Kingma & Ba 2015, section 2: epsilon stands beside the root before its bias is corrected.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "",
    ) -> None:
        """Take the size of steps and how long means last."""
        super().__init__(learning_rate)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def begun(self, value: Array) -> tuple[Array, Array]:
        """Return means of nothing."""
        return jnp.zeros_like(value), jnp.zeros_like(value)

    def moved(
        self, value: Array, gradient: Array, memory: tuple[Array, Array], step: Array
    ) -> tuple[Array, tuple[Array, Array]]:
        """Return the value, and the means of gradients and of their squares."""
        mean = self.beta_1 * memory[0] + (1 - self.beta_1) * gradient
        square = self.beta_2 * memory[1] + (1 - self.beta_2) * gradient**2
        rate = self.learning_rate * jnp.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        rate = rate.astype(value.dtype)
        return value - rate * mean / (jnp.sqrt(square) + self.epsilon), (mean, square)


__all__ = ["SGD", "Adam", "Optimizer"]

__getattr__ = lacking("tf.optimizers")
