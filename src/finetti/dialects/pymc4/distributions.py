"""Offer PyMC4's distributions to yield, with its own parameters in their order, and its copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti import distributions as ft
from finetti.dialects import tf
from finetti.dialects.pymc4 import transforms
from finetti.dialects.pymc4.families import FAMILIES, Family
from finetti.dialects.pymc4.samplers import STATE_FUNCTIONS
from finetti.dialects.tf.surroundings import lacking
from finetti.types import Array

SETTINGS = ("conditionally_independent", "dtype", "validate_args", "allow_nan_stats")
COUNTS = ("dimension", "num_timesteps")  # parameters that shapes depend on


@dataclass(frozen=True)
class Copies:
    """Hold the shapes of independent copies of a distribution, around its own batch.

    `left` stands before the batch (`batch_stack`), `right` between the batch and the event
    (`event_stack`, and `plate` before), where the last `within` axes of the batch are event too
    (`reinterpreted_batch_ndims`).
    """

    left: tuple[int, ...] = ()
    right: tuple[int, ...] = ()
    within: int = 0


@dataclass(frozen=True, eq=False)
class Distribution:
    """Hold a named distribution to yield, with its copies and what is observed of it.

    `Normal.dist(0, 1)` has no name; `prior(name)` gives it one.
    """

    name: str | None
    family: Family
    values: dict[str, Parameter]
    copies: Copies = field(default_factory=Copies)
    observed: ArrayLike | None = None
    transform: transforms.Transform | None = None

    def built(self) -> ft.Distribution:
        """Return the finetti distribution, its independent copies in their places."""
        values = {k: v if k in COUNTS else _unwrapped(v) for k, v in self.values.items()}
        made = self.family.distribute(values)
        right, within = self.copies.right, self.copies.within
        if right:
            batch = made.batch_shape
            cut = len(batch) - within
            outer, inner = batch[:cut], batch[cut:]
            if batch:
                gap = (1,) * len(right)
                made = self.family.distribute(
                    {
                        k: self._spaced(k, v, batch, (*outer, *gap, *inner))
                        for k, v in values.items()
                    }
                )
            made = made.expand(outer + right + inner)
        return made.expand(self.copies.left + made.batch_shape) if self.copies.left else made

    def _spaced(
        self, name: str, value: Parameter | Made, batch: tuple[int, ...], spaced: tuple[int, ...]
    ) -> Parameter | Made:
        """Return a parameter with room for copies between its batch and its event."""
        if name in COUNTS:
            return value
        rank = self.family.ranks.get(name, 0)
        if rank is None:
            raise ValueError(
                f"`{self.name}` has a batch of shape {batch} and cannot be copied beside it: use "
                f"batch_stack="
            )
        value = jnp.asarray(value)
        core = value.shape[value.ndim - rank :]
        return jnp.broadcast_to(value, batch + core).reshape(spaced + core)

    def prior(
        self, name: str, *, transform: object = None, observed: ArrayLike | None = None
    ) -> Distribution:
        """Return the distribution under a name, with a transformation and observed if so wished."""
        return replace(
            self, name=name, observed=observed, transform=transforms.checked(transform, name)
        )


Parameter = ArrayLike | Distribution | Sequence[Distribution]
Made = Array | ft.Distribution | list["Made"]  # what a family is given for a parameter


def _unwrapped(value: Parameter) -> Made:
    if isinstance(value, Distribution):
        return value.built()
    if isinstance(value, list | tuple) and any(isinstance(v, Distribution) for v in value):
        return [_unwrapped(v) for v in value]
    if isinstance(value, str):
        raise TypeError(f"a distribution's parameters are numbers or arrays, not {value!r}")
    return tf.precise({"": tf.value_of(value)})[""]


def _shape(copies: ArrayLike | None) -> tuple[int, ...]:
    return () if copies is None else tuple(np.atleast_1d(copies).astype(int).tolist())


def constructor(title: str, family: Family) -> Callable[..., Distribution]:
    """Return the function that makes named distributions of a family: `Normal("x", 0, 1)`.

    By `transform=transforms.Log()` the variable has a second value, `__log_x`, in draws and in the
    transformed density. Samplers move on finetti's own scale, and the posterior is the same.
    """

    def make(  # noqa: PLR0913 - PyMC4's own arguments
        name: str | None, *args: Parameter, plate: ArrayLike | None = None,
        event_stack: ArrayLike | None = None, batch_stack: ArrayLike | None = None,
        reinterpreted_batch_ndims: int = 0, observed: ArrayLike | None = None,
        transform: object = None, **kwargs: Any,
    ) -> Distribution:  # fmt: skip
        if name is not None and not isinstance(name, str):
            raise TypeError(f"{title} takes its name first, a text, not {name!r}")
        lacking = [k for k, v in kwargs.items() if v is None and k in family.defaults]
        given = {k: v for k, v in kwargs.items() if k not in (*SETTINGS, *lacking)}
        parameters = family.parameters
        if len(args) > len(parameters) or given.keys() - set(parameters):
            raise TypeError(f"`{name}` takes {', '.join(parameters)}, not {args} and {given}")
        values = {**family.defaults, **dict(zip(parameters, args, strict=False)), **given}
        if values.keys() != set(parameters):
            missing = ", ".join(p for p in parameters if p not in values)
            raise TypeError(f"`{name}` needs {missing}: {title} takes {', '.join(parameters)}")
        right = _shape(event_stack if plate is None else plate)
        copies = Copies(_shape(batch_stack), right, reinterpreted_batch_ndims)
        scale = transforms.checked(transform, str(name))
        return Distribution(
            name, family, {p: values[p] for p in parameters}, copies, observed, scale
        )

    make.__name__ = make.__qualname__ = title
    make.__doc__ = f"Be {title}({', '.join(family.parameters)}), to yield."
    make.dist = lambda *args, **kwargs: make(None, *args, **kwargs)  # pyright: ignore[reportFunctionMemberAccess]
    return make


DISTRIBUTIONS = {title: constructor(title, family) for title, family in FAMILIES.items()}
globals().update(DISTRIBUTIONS)

state_functions = SimpleNamespace(**STATE_FUNCTIONS)
__getattr__ = lacking("pymc4.distributions")
