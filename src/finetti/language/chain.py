"""Define a Markov chain over few states, a distribution whose density falls apart into steps."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from finetti.distributions import Distribution, constraints
from finetti.errors import ShapeError
from finetti.types import Array, Key


class MarkovChain(Distribution):
    """Distribute a sequence of `length` states 0 .. K - 1, each depending on the one before.

    `initial` holds the first state's probabilities, shape (K,); `transition` those of the next
    state given the state before it, shape (K, K) with rows that sum to one, or (length - 1, K, K)
    for one matrix a step. A value has event shape (length,); in plates every member has its own
    sequence. A latent chain is summed out in time linear in its length.

    Raises `ShapeError` when the shapes do not fit.

    >>> chain = MarkovChain([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], length=3)
    >>> round(float(jnp.exp(chain.log_prob(jnp.array([0, 0, 1])))), 3)
    0.045
    """

    arg_constraints = {  # noqa: RUF012 (numpyro's own form)
        "initial": constraints.simplex,
        "transition": constraints.simplex,
    }
    pytree_data_fields = ("initial", "transition")
    pytree_aux_fields = ("length",)

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        length: int,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self.initial, self.transition = jnp.asarray(initial), jnp.asarray(transition)
        self.length = length
        count, shape = jnp.size(self.initial), self.transition.shape
        square = (count, count)
        if self.initial.ndim != 1 or length < 1 or shape not in (square, (length - 1, *square)):
            raise ShapeError(
                f"MarkovChain of length {length} takes initial of shape (K,) and transition of "
                f"shape (K, K) or ({length - 1}, K, K), not {self.initial.shape} and {shape}"
            )
        super().__init__((), (length,), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)  # pyright: ignore[reportArgumentType]
    def support(self) -> Any:
        """Return the constraint on its values."""
        return constraints.independent(constraints.integer_interval(0, self.initial.size - 1), 1)

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw sequences, shape (*sample_shape, length)."""
        first, later = jax.random.split(key)
        start = jax.random.categorical(first, _log(self.initial), shape=sample_shape)
        square = self.transition.shape[-2:]
        steps = jnp.broadcast_to(_log(self.transition), (self.length - 1, *square))

        def move(state: Array, given: tuple[Array, Array]) -> tuple[Array, Array]:
            key, step = given
            state = jax.random.categorical(key, step[state])
            return state, state

        keys = jax.random.split(later, max(self.length - 1, 0))
        _, states = jax.lax.scan(move, start, (keys, steps))
        return jnp.concatenate([start[..., None], jnp.moveaxis(states, 0, -1)], -1)

    def log_prob(self, value: Array, intermediates: object = None) -> Array:
        """Return the log probability of sequences, the last axis being the sequence."""
        return self.log_steps(value).sum(-1)

    def log_steps(self, value: Array) -> Array:
        """Return the log probability of each state given the one before, shaped as `value`."""
        value = jnp.asarray(value)
        states = value.astype(int)
        before, after = states[..., :-1], states[..., 1:]
        steps = _log(self.transition)
        table = steps if steps.ndim == 2 else steps.reshape(-1, steps.shape[-1])
        first = 0 if steps.ndim == 2 else jnp.arange(self.length - 1) * steps.shape[-1]
        moves = table[first + before, after]
        return jnp.concatenate([_log(self.initial)[states[..., :1]], moves], -1)


def log_terms(distribution: Distribution, value: Array) -> Array:
    """Return the log densities whose sum is a value's, one an element or a step of a chain.

    `to_event` changes what is one event, not what depends on what: its elements stay apart.
    """
    if type(distribution).__name__ == "Independent":
        return log_terms(vars(distribution)["base_dist"], value)
    chain = distribution
    while type(chain).__name__ == "ExpandedDistribution":
        chain = vars(chain)["base_dist"]
    if isinstance(chain, MarkovChain):
        return chain.log_steps(value)
    return jnp.asarray(distribution.log_prob(value))


def _log(probabilities: Array) -> Array:
    """Return logs, -inf with gradient 0 for what is impossible."""
    possible = probabilities > 0
    return jnp.where(possible, jnp.log(jnp.where(possible, probabilities, 1.0)), -jnp.inf)
