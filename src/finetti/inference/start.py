"""Find where each chain starts, or say which site has no finite density anywhere tried."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.distributions import describe_support
from finetti.errors import SamplingError, SupportError
from finetti.inference.guess import guess
from finetti.kernels.kernel import Point, evaluate
from finetti.posterior.lost import lost
from finetti.targets.density import Density, Target
from finetti.types import Array, Constants, Key

TRIES = 8
ROUNDS = 8
RADIUS = 2.0  # on the unconstrained scale, as in Stan


@compiled(ONCE, "target", "shape", "dtype")
def random_positions(
    target: Target,
    shape: tuple[int, int],
    dtype: str,
    constants: Constants,
    keys: Key,
    attempt: Any,
) -> Array:
    """Return random positions, `shape` = (tries, dim) for each chain."""

    def one(key: Key) -> Array:
        plain = jax.random.uniform(key, shape[1:], dtype, -RADIUS, RADIUS)
        return target.adopt(constants, plain)

    def tries(key: Key) -> Key:
        return jax.random.split(jax.random.fold_in(key, 1000 + attempt), shape[0])

    return jax.vmap(jax.vmap(one))(jax.vmap(tries)(keys))


@compiled(ONCE, "target")
def points_at(target: Target, constants: Constants, positions: Array) -> Point:
    """Evaluate positions, one a chain: every caller has that many, and shares the compiled code."""
    return jax.vmap(lambda x: evaluate(partial(target.log_density, constants), x))(positions)


@compiled(ONCE, "chains")
def chain_keys(seed: Any, chains: int) -> Key:
    """Return a key a chain, which depends on the seed and the chain's number alone."""
    fold = partial(jax.random.fold_in, jax.random.key(seed))
    return jax.vmap(fold)(jnp.arange(chains))


def random_points(density: Density, dtype: str, keys: Key) -> Point:
    """Return a `Point` a chain, chains last, with finite log density and gradient.

    They are uniform within 2 of 0 on the model's own unconstrained scale, and drawn from the prior
    where sites are discrete. A chain takes the first of its tries that is not lost beside the best
    of all chains' tries (`lost`), so that starts stay as spread as they fall. Raises `SupportError`
    or `SamplingError`, naming the site at fault.
    """
    target, constants = density.target(dtype)
    rows: list[Point] = []
    for attempt in range(ROUNDS):
        if density.layout.natural:
            positions = _guesses(density, dtype, keys, attempt)
        else:
            shape = (TRIES, density.dim)
            positions = random_positions(target, shape, dtype, constants, keys, np.int32(attempt))
        rows += [
            jax.tree.map(np.asarray, points_at(target, constants, tried))
            for tried in np.moveaxis(np.asarray(positions), 1, 0)
        ]
        tries: Point = jax.tree.map(lambda *points: np.stack(points, 1), *rows)
        places, settled = chosen(tries)
        if settled.all():
            break
    if not _finite(tries).any(1).all():
        raise explain(density, dtype, np.asarray(positions)[0])
    taken = (np.arange(len(places)), places)
    return jax.tree.map(lambda a: np.moveaxis(a[taken], 0, -1), tries)


def chosen(tries: Point) -> tuple[np.ndarray, np.ndarray]:
    """Return which of its tries each chain takes, and whether it is a start to be content with.

    `tries` have leading axes (..., chain, try). A chain all of whose tries are lost takes its best.
    """
    fine, dim = _finite(tries), tries.position.shape[-1]
    heights = np.where(fine, tries.log_density, -np.inf)
    fair = fine & ~lost(heights, heights.max((-2, -1), keepdims=True), dim)
    places = np.where(fair.any(-1), fair.argmax(-1), heights.argmax(-1))
    return places, fair.any(-1)


def _guesses(density: Density, dtype: str, keys: Key, attempt: int) -> Array:
    """Return positions some of whose sites are discrete, shape (chain, try, dim)."""
    tries = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, 1000 + attempt), TRIES))
    positions = guess(density, dtype, tries(keys).reshape(-1), RADIUS)
    return positions.reshape(len(keys), TRIES, density.dim)


def given_points(density: Density, dtype: str, values: Any, chains: int) -> Point:
    """Return the points at user-given values of the latent variables, one for all chains."""
    position = np.asarray(density.unconstrain(values), dtype)
    target, constants = density.target(dtype)
    points = jax.tree.map(np.asarray, points_at(target, constants, np.stack([position] * chains)))
    if not _finite(points).all():
        raise explain(density, dtype, points.position)
    return jax.tree.map(lambda a: np.moveaxis(a, 0, -1), points)


def _finite(points: Point) -> np.ndarray:
    return np.isfinite(points.log_density) & np.isfinite(points.gradient).all(-1)


def explain(density: Density, dtype: str, positions: np.ndarray) -> SamplingError | SupportError:
    """Find the site that spoils the density at all the positions, and say how."""
    target, constants = density.target(dtype)
    key = jax.random.key(0)
    outcomes = [target.outcome(key, constants, jnp.asarray(x, dtype)) for x in positions]
    for v in density.model.variables:
        for argument, constraint in v.constraints.items():
            values = [np.asarray(o.arguments[v.name][argument]) for o in outcomes]
            if all(not np.all(constraint(x)) for x in values):
                return SupportError(
                    f"site `{v.name}`: {v.family} has {argument} = {values[0].ravel()[:3]} at a "
                    f"random start (shape {values[0].shape}); it must be "
                    f"{describe_support(constraint)} "
                    f"at every value of the latent variables"
                )
    for v in density.model.variables:
        if v.kind == "deterministic":
            continue
        terms = [float(o.log_terms[v.name].sum()) for o in outcomes]
        if not np.isfinite(terms).any():
            return SamplingError(
                f"site `{v.name}` ({v.family or v.kind}, shape {v.shape}) has log density "
                f"{terms[0]} at every start tried: check its arguments and its data, or pass "
                f"init={{...}} with values of positive density"
            )
    return SamplingError(
        f"no start with a finite gradient among {len(positions)} tried for model "
        f"`{density.model.name}`: look for a 0/0, log(0) or sqrt(0), or pass init={{...}}"
    )
