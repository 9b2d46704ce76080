"""Move a positive site on a scale that is logarithmic near zero and linear where it is large.

On the log scale a scale's density falls off exponentially towards large values, a wall that only
small steps get up to without error. A site with value v is moved instead as x,

    v = c log(1 + exp(x - log c)),

nearly log v below the level c, and v / c above it. It is exact for any c, and c without end is the
log scale. Warm-up learns the c at which the draws of x are most nearly normal, by the likelihood
with which Box & Cox (1964, section 3) choose a power.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from finetti.structure.evaluated import larger
from finetti.structure.program import Reader
from finetti.structure.rewrites.rewrite import Found, Move, Sight
from finetti.structure.words import counted
from finetti.types import Array, Constants

NEVER = 50.0  # log level: the log scale itself
LEVELS = np.array([*np.arange(-1.0, 4.1, 0.25), NEVER])  # tried, about the median on the log scale
LOW = -30.0  # below it, softplus and exp are one


@dataclass(frozen=True)
class Straighten(Move):
    """Give a positive site a scale on which its draws are most nearly normal.

    Its constant `level` is log c, of the site's shape.
    """

    site: str
    shape: tuple[int, ...]
    verb = "straighten"

    @property
    def sites(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the name of the site."""
        return (self.site,)

    def done(self, site: str) -> str:
        """Say what is done to the site."""
        return "straighten its log"

    def reason(self, site: str) -> str:
        """Say why."""
        return "positive: log near zero, linear where large"

    def cost(self) -> str:
        """Say what an evaluation does."""
        each = "its level" if prod(self.shape) == 1 else "their levels"
        return f"{counted(prod(self.shape), 'logarithm')}; {each} learned in warm-up"

    def start(self, dtype: str) -> Constants:
        """Return the constants before anything is learned: the log scale."""
        return {"level": np.full(self.shape, NEVER, dtype)}

    def supply(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, tuple[Array, Array]]:
        """Return the log of the site's value, and the log of its slope in what is moved."""
        log_value, slope = bent(free[self.site], jnp.asarray(learned["level"]))
        return {self.site: (log_value, jnp.sum(slope))}

    def recover(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, Array]:
        """Return what is moved, at the log of the site's value."""
        return {self.site: straight(free[self.site], jnp.asarray(learned["level"]))[0]}

    def learn(self, draws: Mapping[str, Array]) -> Constants:
        """Return the level at which draws of the log of the site are nearest to normal."""
        return learn(draws[self.site])


def find(sight: Sight) -> Found:
    """Return a rewrite for each positive site that nothing else moves or takes out."""
    moved = {site for r, _ in sight.made if r.moves for site in r.sites}
    barred = moved | sight.refused
    left = (v for v in sight.left if v.support == "positive" and v.name not in barred)
    made = [Straighten(v.name, v.shape) for v in left]
    return Found(tuple((move, move.start(sight.program.dtype)) for move in made))


def bent(x: Array, level: Array) -> tuple[Array, Array]:
    """Return the log of the value that x stands for, and the log of its slope in x."""
    x = x - level
    # The derivative of the branch that is not taken must be finite too, hence the maximum.
    log_value = jnp.where(x < LOW, x, jnp.log(jax.nn.softplus(larger(x, LOW))))
    return level + log_value, -jax.nn.softplus(-x) - log_value


def straight(log_value: Array, level: Array) -> tuple[Array, Array]:
    """Return the x that stands for the log of a value, and the log of its slope in that."""
    shifted = log_value - level
    value = jnp.exp(larger(shifted, LOW))
    rest = jnp.log(-jnp.expm1(-value))
    low = shifted < LOW
    moved = jnp.where(low, shifted, value + rest)
    return level + moved, jnp.where(low, 0.0, shifted - rest)


def learn(log_values: Array) -> dict[str, Array]:
    """Return the constants at which draws, one a row, of the log of a site are nearest to normal.

    >>> draws = jnp.log(jnp.abs(jax.random.normal(jax.random.key(1), 1000)))
    >>> bool(abs(learn(draws)["level"] - jnp.median(draws)) < 1)  # half-normal
    True
    >>> draws = jax.random.normal(jax.random.key(1), 1000)
    >>> bool(learn(draws)["level"] > 2)  # lognormal: the log scale is best
    True
    """
    middle = jnp.median(log_values, 0)
    levels = middle + jnp.asarray(LEVELS, middle.dtype).reshape(-1, *[1] * middle.ndim)

    def fit(level: Array) -> Array:
        x, slope = straight(log_values, level)
        # The profile likelihood of a normal distribution of x, with the Jacobian.
        return jnp.mean(slope, 0) - jnp.log(jnp.std(x, 0))

    fits = jax.lax.map(fit, levels)
    best = jnp.take_along_axis(levels, jnp.argmax(fits, 0)[None], 0)[0]
    return {"level": jnp.where(jnp.isfinite(fits).all(0), best, NEVER)}
