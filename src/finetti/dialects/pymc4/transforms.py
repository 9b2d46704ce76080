"""Map PyMC4's variables onto the real line, by the names that their transformed values have."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.tf.surroundings import lacking
from finetti.dialects.tfp import bijectors
from finetti.distributions import Distribution, biject_to
from finetti.types import AnyArray

NEAR = 1e-6  # of what a value moves by, and more: it is not mapped back to itself


class Transform:
    """Map a variable's values to other ones: `forward`, `inverse` and the log Jacobian of each.

    A transformation of one's own defines these four and has a `name`: the variable `x` is
    `__name_x` once transformed.
    """

    name: str = ""

    def forward(self, x: ArrayLike) -> AnyArray:
        """Return the transformed value."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def inverse(self, z: ArrayLike) -> AnyArray:
        """Return the variable's own value."""
        raise NotImplementedError(f"{type(self).__name__} has no inverse")

    def forward_log_det_jacobian(self, x: ArrayLike) -> AnyArray:
        """Return the log Jacobian of `forward`, element by element."""
        return -np.asarray(self.inverse_log_det_jacobian(self.forward(x)))

    def inverse_log_det_jacobian(self, z: ArrayLike) -> AnyArray:
        """Return the log Jacobian of `inverse`, element by element."""
        return -np.asarray(self.forward_log_det_jacobian(self.inverse(z)))


class BackwardTransform(Transform):
    """Map the values that a bijector takes the real numbers to back to the real numbers.

    >>> onto_positive = BackwardTransform(bijectors.Exp())
    >>> float(onto_positive.forward(1.0)), float(onto_positive.inverse(0.0))
    (0.0, 1.0)
    """

    def __init__(self, transform: bijectors.Bijector) -> None:
        """Take the bijector."""
        self._transform = transform

    def forward(self, x: ArrayLike) -> AnyArray:
        """Return the real numbers of a value."""
        return self._transform.inverse(x)

    def inverse(self, z: ArrayLike) -> AnyArray:
        """Return the value of real numbers."""
        return self._transform.forward(z)

    def inverse_log_det_jacobian(self, z: ArrayLike) -> AnyArray:
        """Return the log Jacobian of `inverse`, element by element."""
        return self._transform.forward_log_det_jacobian(z)


class Log(BackwardTransform):
    """Take the log of what is positive."""

    name = "log"

    def __init__(self) -> None:
        """Take nothing."""
        super().__init__(bijectors.Exp())


class Sigmoid(BackwardTransform):
    """Take the log odds of what is between 0 and 1."""

    name = "sigmoid"

    def __init__(self) -> None:
        """Take nothing."""
        super().__init__(bijectors.Sigmoid())


class LowerBound(BackwardTransform):
    """Take the log of what lies above a limit, less the limit."""

    name = "lowerbound"

    def __init__(self, lower_limit: ArrayLike) -> None:
        """Take the limit."""
        super().__init__(bijectors.Chain([bijectors.Shift(lower_limit), bijectors.Exp()]))


class UpperBound(BackwardTransform):
    """Take the log of a limit less what lies below it."""

    name = "upperbound"

    def __init__(self, upper_limit: ArrayLike) -> None:
        """Take the limit."""
        steps = [bijectors.Shift(upper_limit), bijectors.Scale(-1.0), bijectors.Exp()]
        super().__init__(bijectors.Chain(steps))


class Interval(BackwardTransform):
    """Take the log odds of where a value is between two limits."""

    name = "interval"

    def __init__(self, lower_limit: ArrayLike, upper_limit: ArrayLike) -> None:
        """Take the limits."""
        low, high = np.asarray(lower_limit, float), np.asarray(upper_limit, float)
        super().__init__(bijectors.Sigmoid(low, high))


class Invert(Transform):
    """Map the other way round."""

    def __init__(self, transform: Transform) -> None:
        """Take the transformation to turn."""
        self._transform = transform
        self.name = f"inverted_{transform.name}"

    def forward(self, x: ArrayLike) -> AnyArray:
        """Return what the inner one's inverse returns."""
        return self._transform.inverse(x)

    def inverse(self, z: ArrayLike) -> AnyArray:
        """Return what the inner one's `forward` returns."""
        return self._transform.forward(z)

    def forward_log_det_jacobian(self, x: ArrayLike) -> AnyArray:
        """Return the log Jacobian of the inner one's inverse."""
        return self._transform.inverse_log_det_jacobian(x)

    def inverse_log_det_jacobian(self, z: ArrayLike) -> AnyArray:
        """Return the log Jacobian of the inner one's `forward`."""
        return self._transform.forward_log_det_jacobian(z)


NAMES = {  # of the transformations that finetti itself moves on, by the supports of variables
    "positive": "log", "nonnegative": "log", "between 0 and 1": "sigmoid",
    "unit interval": "sigmoid",
}  # fmt: skip


def usual(law: Distribution, support: str) -> Transform | None:
    """Return the transformation of a variable that states none: finetti's own map of its support.

    >>> usual(ft.HalfNormal(1.0), "positive").name
    'log'
    >>> usual(ft.Normal(0.0, 1.0), "real") is None
    True
    """
    name = NAMES.get(support, "")
    words = {"between": "interval", "above": "lowerbound", "below": "upperbound"}
    name = name or words.get(support.partition(" ")[0], "")
    if not name:
        return None
    made = BackwardTransform(bijectors.Bijector((biject_to(law.support),)))
    made.name = name
    return made


def checked(given: object, name: str) -> Transform | None:
    """Return a `transform=`, or raise `TypeError` where it is none."""
    if given is None or isinstance(given, Transform):
        return given
    hint = f": write {given.__name__}()" if isinstance(given, type) else ""
    raise TypeError(f"`{name}`: transform= takes one of pymc4.distributions.transforms{hint}")


def fitting(transform: Transform, law: Distribution, name: str) -> Transform:
    """Return a transformation, or raise `ValueError` where it is none of a variable's values.

    Looked at are numbers on the whole real line, which it must take to values that the variable
    can have, and back; otherwise the transformed variable would be another one.
    """
    with jax.enable_x64(True):
        reals = jnp.linspace(-3.0, 3.0, 7).reshape((7, *(1,) * len(law.shape())))
        reals = jnp.broadcast_to(reals, (7, *law.shape()))
        values = jnp.asarray(transform.inverse(reals))
        inside = law.support is None or bool(jnp.all(law.support(values)))
        back = jnp.asarray(transform.forward(values))
        own = jnp.asarray(law.sample(jax.random.key(0), (7,)))
        again = jnp.asarray(transform.inverse(transform.forward(own)))
    if not (inside and _same(back, reals) and _same(again, own)):
        raise ValueError(
            f"`{name}`: transform={type(transform).__name__} does not map the values of the "
            f"variable, which are {law.support}, onto all real numbers: leave it out"
        )
    return transform


def _same(found: AnyArray, known: AnyArray) -> bool:
    return found.shape == known.shape and bool(
        jnp.all(jnp.abs(found - known) <= NEAR * (1 + jnp.abs(known)))
    )


__getattr__ = lacking("pymc4.distributions.transforms")
