"""Part a law of observations, some of which are missing: what is known, and the rest given that."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution, MaskedDistribution, MultivariateNormal
from numpyro.distributions.constraints import Constraint

from finetti.distributions.known import bare, known
from finetti.distributions.part_known import PartlyKnown, Unknown
from finetti.types import AnyArray, Array, Key, Value


@dataclass(frozen=True, eq=False)
class Parts:
    """Hold the parts of a law: of what is known, and of what is missing given that.

    `seen` is the law of the observations with something for a value where there is none, `filled`.
    `unseen` makes that of the values missing, one after another, given the values; `where` gives
    each observation of one the place of it among them, and `holes` has the shape of the values,
    True where missing.
    """

    seen: Distribution
    filled: np.ndarray
    unseen: Callable[[AnyArray], Distribution]
    holes: np.ndarray
    where: np.ndarray


def part(distribution: Distribution, values: np.ndarray) -> Parts | str:
    """Return the parts of a law of values, NaN where they are missing, or why there are none.

    `values` have the whole shape of the distribution. Numbers that are independent are parted one
    by one, multivariate normal vectors by their marginal and conditional laws, and vectors of
    other laws are to be missing whole.
    """
    if isinstance(distribution, MaskedDistribution):  # rows of vectors that are left out
        inner, mask = vars(distribution)["base_dist"], vars(distribution)["_mask"]
        found = part(inner, values) if isinstance(bare(inner), MultivariateNormal) else ""
        if isinstance(found, Parts):
            return replace(found, seen=found.seen.mask(mask))
    holes = np.isnan(values)
    whole: Any = distribution
    depth = 0
    while type(whole).__name__ == "Independent":
        depth += whole.reinterpreted_batch_ndims
        whole = whole.base_dist
    base = bare(whole)
    if isinstance(base, MultivariateNormal) and len(base.event_shape) == 1:
        return _part_normal(base, values, holes, depth)
    events = len(whole.event_shape)
    across = tuple(range(holes.ndim - events, holes.ndim))
    lost = np.asarray(holes.any(across))
    if not (lost == holes.all(across)).all():
        place = tuple(np.argwhere(lost != holes.all(across))[0].tolist())
        return (
            f"an observation of {type(base).__name__} at index {place} is missing in part, which "
            f"only multivariate normal ones may be: leave such an observation out as a whole"
        )
    filled = _filled(base, values, holes, lost)
    seen = whole.mask(~lost)
    seen = seen.to_event(depth) if depth else seen
    where = np.where(lost, np.cumsum(lost.ravel()).reshape(lost.shape) - 1, 0)
    return Parts(seen, filled, lambda _: take(whole, np.nonzero(lost)), holes, where)


def _filled(
    base: Distribution, values: np.ndarray, holes: np.ndarray, lost: np.ndarray
) -> np.ndarray:
    """Return values that the law may take, where they are missing."""
    if not base.event_shape and isinstance(low := _lowest(base), int):
        filled = np.where(holes, low, values)
    else:
        filled = np.where(holes, values[~lost][0], values)
    whole = base.is_discrete and (filled == np.round(filled)).all()
    return filled.astype(int) if whole else filled


def _lowest(base: Distribution) -> Value:
    states = known(type(base).__name__.removesuffix("Probs").removesuffix("Logits")).states
    return None if states is None else states.low


def take(distribution: Distribution, index: tuple[np.ndarray, ...]) -> Distribution:
    """Return the law of some elements of a batch: batch shape (element,).

    It is of the same family where its arguments tell all of it.

    >>> from numpyro.distributions import Normal
    >>> float(take(Normal(jnp.arange(3.0), 1.0), (np.array([2]),)).loc[0])
    2.0
    """
    given: Any = distribution
    batch = given.batch_shape
    if type(given).__name__ == "ExpandedDistribution":
        own = given.base_dist.batch_shape
        if not own:
            return given.base_dist.expand((len(index[0]),))
        # An expanded dimension of the base has one entry, which all elements of it share.
        inner = [
            i if n > 1 else np.zeros_like(i)
            for i, n in zip(index[len(index) - len(own) :], own, strict=True)
        ]
        return take(given.base_dist, tuple(inner))
    try:
        arguments = {
            name: _taken(vars(given)[name], constraint.event_dim, batch, index)
            for name, constraint in type(given).arg_constraints.items()
            if vars(given).get(name) is not None
        }
        found = type(given)(**arguments)
        fits = found.batch_shape == index[0].shape and found.event_shape == given.event_shape
        plain = not any(isinstance(v, Distribution) for v in vars(given).values())
    except (TypeError, ValueError, AttributeError, IndexError, NotImplementedError):
        return Taken(given, index)
    return found if fits and (plain or _is_scaled(given)) else Taken(given, index)


def _is_scaled(distribution: Distribution) -> bool:
    """Tell whether the arguments say all of a transformed law, such as that of LogNormal."""
    return bool(type(distribution).arg_constraints) and hasattr(distribution, "transforms")


def _taken(
    argument: Value, event: int, batch: tuple[int, ...], index: tuple[np.ndarray, ...]
) -> Value:
    shape = jnp.shape(argument)
    own = shape[len(shape) - event :] if event else ()
    return jnp.broadcast_to(argument, (*batch, *own))[index]


class Taken(Distribution):
    """Be some elements of a batch of a base law: those at `index`, one array a dimension."""

    arg_constraints = {}  # noqa: RUF012 - as numpyro has it
    pytree_data_fields = ("base_dist",)
    pytree_aux_fields = ("index",)

    def __init__(self, base: Distribution, index: tuple[np.ndarray, ...]):
        self.base_dist = base
        self.index = index
        super().__init__(np.shape(index[0]), base.event_shape, validate_args=False)

    @property
    def support(self) -> Constraint | None:
        """Return the base's, with the bounds that these elements have of their own."""
        found = copy(self.base_dist.support)
        for side in ("lower_bound", "upper_bound"):
            bound = getattr(found, side, None)
            if bound is not None and jnp.ndim(bound):
                taken = jnp.broadcast_to(bound, self.base_dist.batch_shape)[self.index]
                setattr(found, side, taken)
        return found

    @property
    def mean(self) -> Value:
        """Return the base's mean there."""
        return self.base_dist.mean[self.index]

    def sample(self, key: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw from the base and take the elements."""
        own = (slice(None),) * len(self.event_shape)
        return jnp.asarray(self.base_dist.sample(key, sample_shape))[(..., *self.index, *own)]

    def log_prob(self, value: AnyArray) -> Array:
        """Return the log density of each element; `value` has shape (element, ...)."""
        value = jnp.asarray(value)
        shape = self.base_dist.batch_shape + self.base_dist.event_shape
        # The base takes a whole batch: the elements left out have the value of one that is there.
        whole = jnp.broadcast_to(value[0], shape).at[self.index].set(value)
        return jnp.asarray(self.base_dist.log_prob(whole))[self.index]


def _part_normal(
    base: MultivariateNormal, values: np.ndarray, holes: np.ndarray, depth: int
) -> Parts:
    """Part multivariate normal vectors: the marginal of what is known, the conditional of holes."""
    filled = np.where(holes, 0.0, values)
    loc = jnp.broadcast_to(base.loc, values.shape)
    seen = PartlyKnown(loc, base.scale_tril, ~holes)
    seen = seen.to_event(depth) if depth else seen
    where = np.where(holes, np.cumsum(holes.ravel()).reshape(holes.shape) - 1, 0)
    unseen = partial(Unknown, loc, base.scale_tril, ~holes)
    return Parts(seen, filled, unseen, holes, where)
