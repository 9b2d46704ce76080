"""State a model: draw a variable, open a plate, name a quantity, add a factor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from finetti.distributions import Distribution, bare, demands, describe_support, know, name_family
from finetti.errors import MissingValue, ModelError, SeedError, ShapeError, SupportError
from finetti.language.columns import widened
from finetti.language.dims import Groups, Plate, as_dims, as_plate, refuse_foreign
from finetti.language.effects import Site, inside, perform, plates, require_name
from finetti.language.holes import REMEDIES, with_nan
from finetti.language.listed import as_arrays, broadened
from finetti.types import AnyArray, Array, Value


def sample(
    name: str, distribution: Distribution | Any, obs: Value = None, *, dims: Any = ()
) -> AnyArray:
    """Draw the random variable `name`, or observe it when `obs` is given.

    Inside plates the value has shape (outer plate, ..., inner plate, *event shape): the
    distribution's batch shape must be () or must broadcast dimension by dimension to the
    plates. `obs` must have the full shape; it may not hold NaN. Outside plates the value has
    the distribution's own shape, or that of `obs`.

    `dims` names the dimensions that the site has beside its plates, a mapping from names to labels
    (or None), outermost first: with dims={"coefficient": ["level", "slope"]} the summary has rows
    such as `effect[Pine][slope]`. A name that begins with an underscore keeps a site out of
    summaries, reports and pictures that do not ask for it.

    Raises `ShapeError`, `SupportError`, `MissingValue`, `DuplicateSite` (all `ModelError`s), and
    `SeedError` when a value is needed and no seed is in force.

    >>> with seed(0):
    ...     mu = sample("mu", Normal(0, 5))
    """
    require_name(name)
    refuse_foreign(name)
    if not isinstance(distribution, Distribution):
        raise ModelError(
            f"site `{name}` needs a distribution such as ft.Normal(0, 1), not {distribution!r}"
        )
    as_arrays(distribution)
    check_arguments(name, distribution)
    fitted = fit_plates(name, distribution, plates())
    site = Site("sample", name, fitted, obs, obs is not None, plates())
    site.dims = as_dims(name, dims)
    return perform(site, _settle_sample)


def deterministic(name: str, value: Value, *, dims: Any = ()) -> AnyArray:
    """Name the quantity `value` so that the posterior keeps it; return it unchanged.

    `value` has any shape; inside plates, leading dimensions that match the plates take their
    names; `dims` names the others, as those of `sample`.

    >>> with trace() as sites:
    ...     _ = deterministic("doubled", 2 * 3.0)
    >>> float(sites["doubled"].value)
    6.0
    """
    site = Site("deterministic", name, value=value, plates=plates(), dims=as_dims(name, dims))
    return perform(site, _settle_plain)


def factor(name: str, log_weight: Value) -> None:
    """Add `log_weight` (summed over all its elements, in nats) to the log joint density.

    >>> with trace() as sites:
    ...     factor("penalty", -0.5)
    >>> sites["penalty"].kind
    'factor'
    """
    perform(Site("factor", name, value=log_weight, plates=plates()), _settle_plain)


@contextmanager
def plate(name: str, members: Any) -> Iterator[np.ndarray]:
    """Open a plate: the sites inside have one exchangeable copy a member.

    `members` is a size, a sequence of distinct labels, or `Groups`. Yields the member indices,
    shape (size,). Plates nest: the outermost is the first dimension.

    >>> with seed(0), plate("school", ["A", "B", "C"]):
    ...     theta = sample("theta", Normal(0, 1))
    >>> theta.shape
    (3,)
    """
    opened = as_plate(name, members)
    if any(p.name == name for p in plates()):
        raise ModelError(f"plate `{name}` is opened inside itself")
    with inside(opened):
        yield np.arange(opened.size)


def _settle_plain(site: Site) -> None:
    if site.kind != "deterministic" or not hasattr(site.value, "shape"):
        site.value = jnp.asarray(site.value)


def _settle_sample(site: Site) -> None:
    """Give the site a value of the full shape, or check the one it was given."""
    if site.value is None:
        site.value = _draw(site)
        return
    if not isinstance(site.value, jax.Array):
        site.value = _as_data(site)
    elif site.observed:
        site.value = broadened(site.value)
    if not site.plates:
        site.distribution = fit_value(site)
    check_shape(site)
    if site.observed:
        check_observed(site)


def _as_data(site: Site) -> np.ndarray:
    if isinstance(site.value, Groups) and not site.distribution.support.is_discrete:
        listed = ", ".join(map(repr, site.value.labels[:3]))
        raise ModelError(
            f"site `{site.name}` is observed as groups ({listed}, ...) and "
            f"{name_family(site.distribution)} takes numbers: look for text in the column"
        )
    if isinstance(site.value, Groups):
        site.categories = site.value.labels
    data = np.asarray(with_nan(site.value))
    if data.dtype.kind not in "biuf":
        raise ModelError(f"site `{site.name}` is observed as {data.dtype} values, not numbers")
    return widened(data)


def _draw(site: Site) -> Array:
    if site.key is None:
        lacks = (
            "needs a value and no seed is in force: run the model `with ft.seed(0):`, or ft.fit it"
        )
        if site.hidden:
            lacks = "is hidden by block from what would give it a value: condition it before that"
        raise SeedError(f"site `{site.name}` {lacks}")
    try:
        return site.distribution.sample(site.key)
    except NotImplementedError as error:
        raise SeedError(
            f"site `{site.name}` has an improper prior, which cannot be drawn from: "
            f"condition or substitute it"
        ) from error


def fit_plates(name: str, distribution: Distribution, plates: tuple[Plate, ...]) -> Distribution:
    """Return the distribution expanded to its plates, or refuse with the shapes."""
    batch, sizes = distribution.batch_shape, tuple(p.size for p in plates)
    if batch[: len(sizes)] == sizes:
        return distribution
    if not batch or (len(batch) == len(sizes) and _broadcasts(batch, sizes)):
        return distribution.expand(sizes)
    raise ShapeError(_misfit(name, plates, batch, distribution.event_shape))


def fit_value(site: Site) -> Distribution:
    """Return the distribution expanded to the independent copies its given value holds."""
    distribution, batch = site.distribution, site.distribution.batch_shape
    ndim = np.ndim(site.value) - distribution.event_dim
    given = np.shape(site.value)[: max(ndim, 0)]
    trailing = given[max(len(given) - len(batch), 0) :]
    fits = len(given) >= len(batch) and _broadcasts(batch, trailing)
    return distribution.expand(given) if fits and given != batch else distribution


def fill(site: Site) -> Value:
    """Return the value of a site in plates repeated to the site's full shape, or refuse it."""
    shape = site.distribution.batch_shape + site.distribution.event_shape
    given = np.shape(site.value)
    if given == shape or not site.plates:
        return site.value
    try:
        return jnp.broadcast_to(jnp.asarray(site.value), shape)
    except ValueError:
        raise ShapeError(_misfit(site.name, site.plates, given)) from None


def _broadcasts(batch: tuple[int, ...], sizes: tuple[int, ...]) -> bool:
    return all(b in (1, n) for b, n in zip(batch, sizes, strict=True))


def _misfit(
    name: str, plates: tuple[Plate, ...], batch: tuple[int, ...], event: tuple[int, ...] = ()
) -> str:
    """Compose the sentence for a shape that does not fit its plates: the first plate it misses."""
    shape = batch + event
    if len(plates) == 1 or len(shape) == len(plates):
        pairs = zip(plates, shape, strict=False)
        bad = next((p for p, n in pairs if n not in (1, p.size)), plates[0])
        return (
            f"site `{name}` has shape {shape}, plate `{bad.name}` has {bad.size} members; "
            f"index by `{bad.name}` or pass its labels"
        )
    order = " x ".join(str(p) for p in plates)
    return (
        f"site `{name}` has shape {shape} inside plates {order}: give its distribution a "
        f"dimension for each plate, for instance mu[:, None] for the outer plate alone"
    )


def check_shape(site: Site) -> None:
    """Refuse a given value whose shape is not the site's."""
    expected = site.distribution.batch_shape + site.distribution.event_shape
    shape = np.shape(site.value)
    if shape == expected:
        return
    sizes = tuple(p.size for p in site.plates)
    if shape[: len(sizes)] != sizes:
        raise ShapeError(_misfit(site.name, site.plates, shape))
    inside = f" in {' x '.join(map(str, site.plates))}" if sizes else ""
    raise ShapeError(
        f"site `{site.name}` is given a value of shape {shape}{inside}, its distribution has "
        f"shape {expected}"
    )


def check_observed(site: Site) -> None:
    """Refuse NaN and values outside the support, naming the site and the first index."""
    if isinstance(site.value, Tracer):
        return
    data = np.asarray(site.value)
    if data.dtype.kind == "f" and np.isnan(data).any():
        where = _first(np.isnan(data))
        raise MissingValue(
            f"site `{site.name}` is observed and lacks {np.isnan(data).sum()} of its {data.size} "
            f"values (NaN, None or masked), the first at index {where}: {REMEDIES}"
        )
    check_support(site, "observed as")
    check_ends(site)


def check_support(site: Site, verb: str = "given") -> None:
    """Refuse a value outside its distribution's support, naming the site and the first index."""
    holds = _holds(site.distribution.support, site.value)
    if holds is None or holds.all():
        return
    where = _first(~holds)
    raise SupportError(
        f"site `{site.name}` is {verb} {np.asarray(site.value)[where]}{_at(where)}, outside the "
        f"support of {name_family(site.distribution)}: "
        f"{describe_support(site.distribution.support)}"
    )


def check_ends(site: Site) -> None:
    """Refuse an observed end of the support at which the family's density is 0 or infinite."""
    family, remedy = name_family(site.distribution), know(site.distribution).ends
    if not remedy:
        return
    data = np.asarray(site.value)
    ends = (data <= 0) | (data >= 1)
    if not ends.any() or _all_finite(site.distribution, data):
        return
    where = _first(ends)
    raise SupportError(
        f"site `{site.name}` is observed as {data[where]:g}{_at(where)} ({ends.sum()} such), "
        f"an end at which {family} has density 0 or infinity: {remedy}"
    )


def _all_finite(distribution: Distribution, data: np.ndarray) -> bool:
    """Tell whether the log density is finite, where it is known before the model is fitted."""
    distribution = bare(distribution)
    given = {n: vars(distribution).get(n) for n in type(distribution).arg_constraints}
    if any(x is None or isinstance(x, Tracer) for x in given.values()):
        return False
    with jax.ensure_compile_time_eval():
        found = type(distribution)(**given).log_prob(jnp.asarray(data))
    return not isinstance(found, Tracer) and bool(np.isfinite(np.asarray(found)).all())


def check_arguments(name: str, distribution: Distribution) -> None:
    """Refuse an argument that is empty or, where its value is known, outside its support."""
    for argument, constraint in demands(distribution).items():
        value = vars(distribution)[argument]
        if np.size(value) == 0:
            raise ShapeError(
                f"site `{name}`: {type(distribution).__name__} has {argument} of shape "
                f"{np.shape(value)}, which holds no number: give it one at least"
            )
        if np.iscomplexobj(value) or getattr(getattr(value, "dtype", None), "kind", "") == "c":
            raise SupportError(
                f"site `{name}`: {type(distribution).__name__} has a complex {argument}: give real "
                f"numbers, such as its real part or its absolute value"
            )
        holds = _holds(constraint, value)
        if holds is not None and not holds.all():
            raise SupportError(argument_outside(name, distribution, argument, holds))
    for inner in vars(distribution).values():
        if isinstance(inner, Distribution):
            check_arguments(name, inner)
    support = distribution.support
    bounds = [getattr(support, side, None) for side in ("lower_bound", "upper_bound")]
    if any(b is None or isinstance(b, Tracer) for b in bounds):
        return
    low, high = np.broadcast_arrays(np.asarray(bounds[0]), np.asarray(bounds[1]))
    if (low > high).any():
        where = _first(low > high)
        raise SupportError(
            f"site `{name}`: {type(distribution).__name__} runs from {low[where]} up to "
            f"{high[where]}{_at(where)}; its bounds are the wrong way round"
        )


def argument_outside(
    name: str, distribution: Distribution, argument: str, holds: np.ndarray
) -> str:
    """Compose the sentence for an argument outside its support."""
    value = np.asarray(vars(distribution)[argument])
    where = _first(~holds)
    return (
        f"site `{name}`: {type(distribution).__name__} has {argument} = {value[where]}"
        f"{_at(where)} (shape {value.shape}); it must be "
        f"{describe_support(demands(distribution)[argument])}"
    )


def _at(where: tuple[int, ...]) -> str:
    return f" at index {where}" if where else ""


def _holds(constraint: Callable[[Value], ArrayLike], value: Value) -> np.ndarray | None:
    """Evaluate a constraint on a known value; None where the value is being traced."""
    if isinstance(value, Tracer):
        return None
    try:
        with jax.ensure_compile_time_eval():
            holds = constraint(value)
    except jax.errors.TracerArrayConversionError:  # its bounds are being traced
        return None
    return None if isinstance(holds, Tracer) else np.asarray(holds)


def _first(mask: np.ndarray | np.bool_) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0]) if np.ndim(mask) else ()


__all__ = ["Plate", "deterministic", "factor", "plate", "sample"]
