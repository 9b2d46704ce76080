"""Find where each chain starts, or say which site has no finite density anywhere tried."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.distributions import describe_support
from finetti.errors import SamplingError, SupportError
from finetti.inference.engine.batch import Own, by_fit, joined
from finetti.inference.engine.guess import guess
from finetti.inference.engine.sweep import to_numpy
from finetti.kernels.kernel import Point, evaluate
from finetti.posterior.lost import lost
from finetti.structure.form import Given
from finetti.targets.density import Density, Target
from finetti.types import Array, Key, Value, Values

DTYPE = "float64"
TRIES = 8
ROUNDS = 8
RADIUS = 2.0  # on the unconstrained scale, as in Stan
PATIENT = 4  # rounds of tries so far out; those after them come ever nearer to 0


@compiled(ONCE, "target", "dim")
def random_positions(
    target: Target, dim: int, shared: Given, own: Own, keys: Key, attempt: Value
) -> Array:
    """Return random positions, `TRIES` of so many dimensions for each chain of each fit."""

    def of_fit(own: Own, keys: Key) -> Array:
        def one(key: Key) -> Array:
            reach = RADIUS * 0.25 ** jnp.maximum(attempt - PATIENT + 1, 0)
            plain = jax.random.uniform(key, (dim,), DTYPE, -1, 1) * reach
            return target.adopt(joined(shared, own), plain)

        return jax.vmap(jax.vmap(one))(_tries(keys, attempt))

    return by_fit(of_fit)(own, keys)


def _tries(keys: Key, attempt: Value) -> Key:
    """Return `TRIES` keys for each."""
    # The phases of a run, which are folded in likewise, are below 1000.
    return jax.vmap(lambda k: jax.random.split(jax.random.fold_in(k, 1000 + attempt), TRIES))(keys)


@compiled(ONCE, "target")
def points_at(target: Target, shared: Given, own: Own, positions: Array) -> Point:
    """Evaluate positions, (fit, chain, dim): every caller has that many, and shares the program."""

    def of_fit(own: Own, positions: Array) -> Point:
        log_density = partial(target.log_density, joined(shared, own))
        return jax.vmap(partial(evaluate, log_density))(positions)

    return by_fit(of_fit)(own, positions)


@compiled(ONCE, "chains")
def chain_keys(seed: Value, chains: int, first: Value = 0) -> Key:
    """Return a key a chain, which depends on the seed and the chain's number alone."""
    fold = partial(jax.random.fold_in, jax.random.key(seed))
    return jax.vmap(fold)(first + jnp.arange(chains))


def random_tries(target: Target, built: Density, shared: Given, own: Own, keys: Key) -> Point:
    """Return the points tried as starts, (fit, chain, try) leading.

    They are uniform within 2 of 0 on the model's own unconstrained scale, or nearer where nothing
    else will do. Sites that are discrete are drawn from their prior in the `built` density's model.
    `keys` has shape (fit, chain).
    """
    rows: list[Point] = []
    for attempt in range(ROUNDS):
        if target.layout.natural:
            positions = guess(built, DTYPE, _tries(keys.ravel(), attempt).ravel(), RADIUS)
            positions = np.reshape(positions, (*keys.shape, TRIES, target.layout.dim))
        else:
            number, dim = np.int32(attempt), target.layout.dim
            positions = random_positions(target, dim, shared, own, keys, number)
        rows += [
            to_numpy(points_at(target, shared, own, tried))
            for tried in np.moveaxis(np.asarray(positions), 2, 0)
        ]
        tries: Point = jax.tree.map(lambda *points: np.stack(points, 2), *rows)
        if chosen(tries)[1].all():
            break
    return tries


def taken(tries: Point) -> tuple[Point, np.ndarray]:
    """Return a point for each chain, (fit, chain) leading, and which fits have one for all.

    A chain takes the first of its tries that is not lost beside the best of all its fit's tries
    (`lost`), so that starts stay as spread as they fall.
    """
    places, _ = chosen(tries)
    points: Point = jax.tree.map(lambda a: _take(a, places[..., None]), tries)
    return points, np.asarray(_finite(points).all(-1))


def _take(a: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.take_along_axis(a, places.reshape(*places.shape, *[1] * (a.ndim - 3)), 2)[:, :, 0]


def chosen(tries: Point) -> tuple[np.ndarray, np.ndarray]:
    """Return which of its tries each chain takes, and whether it is a start to be content with.

    `tries` have leading axes (..., chain, try). A chain all of whose tries are lost takes its best.
    """
    fine, dim = _finite(tries), tries.position.shape[-1]
    heights = np.where(fine, tries.log_density, -np.inf)
    fair = fine & ~lost(heights, heights.max((-2, -1), keepdims=True), dim)
    places = np.where(fair.any(-1), fair.argmax(-1), heights.argmax(-1))
    return places, fair.any(-1)


def one_start(built: Density, shared: Given, own: Own, keys: Key, values: Values | None) -> Point:
    """Return the points that one fit's chains start at, (fit, chain) leading, `keys` of that shape.

    They are random, or, where `values` of the latent variables are given, those for all chains.
    Raises `SupportError` or `SamplingError`, naming the site at fault, where the density is not
    finite.
    """
    target, _ = built.target(DTYPE)
    if values is None:
        tries = random_tries(target, built, shared, own, keys)
        points, _ = taken(tries)
        tried = tries.position[0, 0, -TRIES:]
    else:
        position = np.asarray(built.unconstrain(values), DTYPE)
        points = to_numpy(points_at(target, shared, own, np.tile(position, (*keys.shape, 1))))
        tried = points.position[0]
    if not _finite(points).all():
        raise explain(built, np.asarray(tried))
    return points


def _finite(points: Point) -> np.ndarray:
    return np.isfinite(points.log_density) & np.isfinite(points.gradient).all(-1)


def explain(density: Density, positions: np.ndarray) -> SamplingError | SupportError:
    """Find the site that spoils the density at all the positions, and say how."""
    target, constants = density.target(DTYPE)
    key = jax.random.key(0)
    outcomes = [target.outcome(key, constants, jnp.asarray(x, DTYPE)) for x in positions]
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
        terms = [float(np.sum(o.log_terms[v.name])) for o in outcomes]
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
