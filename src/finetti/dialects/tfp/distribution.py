"""Hold a distribution by the interface of TensorFlow Probability, and make classes of such."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Protocol, TypeGuard, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti import distributions as ft
from finetti.dialects import tf
from finetti.dialects.tf.randomness import Seed
from finetti.dialects.tf.tensors import extents, settled
from finetti.dialects.tf.variables import followed
from finetti.dialects.tfp.bijector import Bijector, onto
from finetti.dialects.written import log_density
from finetti.types import AnyArray, Array, DType

COUNTS = ("dimension",)  # parameters that shapes depend on
SETTINGS = ("name", "dtype", "validate_args", "allow_nan_stats")
Arg = TypeVar("Arg")


class Distribution:
    """Hold a distribution: `sample(sample_shape, seed)`, `log_prob(value)`, `mean()` and so on.

    `dtype` is that of the parameters together, double precision for Python's own numbers. What is
    made of a `tf.Variable` has the value that the variable has when it is asked.
    """

    def __init__(
        self,
        make: Callable[[], ft.Distribution],
        parameters: dict[str, Any],
        dtype: DType,
        name: str | None,
    ) -> None:
        """Take the function that makes the finetti distribution, and call it."""
        self._made, self._again = followed(make)
        self.parameters, self.dtype, self.name = parameters, dtype, name

    @property
    def made(self) -> ft.Distribution:
        """Return the finetti distribution."""
        return self._made if self._again is None else self._again()

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("parameters", {}):
            return self.parameters[name]
        raise AttributeError(f"{type(self).__name__} has no attribute `{name}`")

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Return the shape of independent copies."""
        return self.made.batch_shape

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Return the shape of one draw."""
        return self.made.event_shape

    def sample(self, sample_shape: ArrayLike = (), seed: Seed = None, name: str = "") -> AnyArray:
        """Return draws of shape (*sample_shape, *batch shape, *event shape)."""
        with jax.enable_x64(True):
            drawn = self.made.sample(tf.RANDOMNESS.key(seed), extents(sample_shape))
            return settled(jnp.asarray(drawn).astype(self.dtype))

    def log_prob(self, value: ArrayLike, name: str = "") -> AnyArray:
        """Return the log density, one a batch element; minus infinity off the support."""
        try:
            value = tf.convert_to_tensor(value)
        except TypeError as error:
            raise TypeError(f"{self.name}.log_prob: {error}") from error
        own = self.batch_shape + self.event_shape
        try:
            np.broadcast_shapes(value.shape, own)
        except ValueError as error:
            label = f" `{self.name}`" if self.name not in (None, type(self).__name__) else ""
            raise ValueError(
                f"{type(self).__name__}{label} has shape {own}, and its value {value.shape}"
            ) from error
        with jax.enable_x64(True):
            return settled(log_density(self.made, value))

    def prob(self, value: ArrayLike, name: str = "") -> AnyArray:
        """Return the density."""
        return tf.exp(self.log_prob(value))

    def cdf(self, value: ArrayLike, name: str = "") -> AnyArray:
        """Return the probability of what is at most a value."""
        with jax.enable_x64(True):
            return settled(self._known("cdf")(jnp.asarray(tf.value_of(value))))

    def quantile(self, value: ArrayLike, name: str = "") -> AnyArray:
        """Return the value below which a probability lies."""
        with jax.enable_x64(True):
            return settled(self._known("icdf")(jnp.asarray(tf.value_of(value))))

    def mean(self, name: str = "") -> AnyArray:
        """Return the mean."""
        with jax.enable_x64(True):
            return settled(jnp.broadcast_to(self.made.mean, self.made.shape()))

    def variance(self, name: str = "") -> AnyArray:
        """Return the variance."""
        with jax.enable_x64(True):
            return settled(jnp.broadcast_to(self.made.variance, self.made.shape()))

    def stddev(self, name: str = "") -> AnyArray:
        """Return the standard deviation."""
        return tf.sqrt(self.variance())

    def transformed(self, bijector: Bijector) -> Distribution:
        """Return the distribution of what a bijector makes of draws."""

        def make() -> ft.Distribution:
            with jax.enable_x64(True):
                return ft.TransformedDistribution(self.made, bijector.transform)

        parts = {"distribution": self, "bijector": bijector}
        return Distribution(make, parts, self.dtype, self.name)

    def experimental_default_event_space_bijector(self) -> Bijector:
        """Return the map of the real numbers onto the support."""
        return onto(self.made.support)

    def _known(self, what: str) -> Callable[[Array], Array]:
        """Return a method of the distribution, which says in one sentence where it has none."""

        def call(value: Array) -> Array:
            try:
                return getattr(self.made, what)(value)
            except (NotImplementedError, AttributeError) as error:
                name = {"cdf": "cdf", "icdf": "quantile"}[what]
                raise NotImplementedError(f"{type(self).__name__} has no {name} here") from error

        return call

    def __repr__(self) -> str:
        return f"<{type(self).__name__} batch_shape={self.batch_shape} name={self.name!r}>"


class Variable(Protocol):
    """Be a random variable of Edward2, as far as distributions know one."""

    @property
    def distribution(self) -> Distribution:
        """Return its distribution."""
        ...

    @property
    def dtype(self) -> DType:
        """Return the type of its value."""
        ...


Part = Distribution | Variable


def bound(
    name: str, order: tuple[str, ...], args: tuple[Arg, ...], kwargs: dict[str, Arg]
) -> tuple[dict[str, Arg], dict[str, Arg]]:
    """Return a call's parameters by name, and its settings; raise `TypeError` for others."""
    settings = {k: v for k, v in kwargs.items() if k in SETTINGS}
    named = {k: v for k, v in kwargs.items() if k not in SETTINGS}
    given = dict(zip(order, args, strict=False))
    if len(args) > len(order):
        raise TypeError(f"{name} takes {', '.join(order)}, not {len(args)} parameters")
    if unknown := sorted(named.keys() - set(order)):
        raise TypeError(f"{name} takes {', '.join(order)}, not {', '.join(unknown)}")
    if twice := sorted(given.keys() & named.keys()):
        raise TypeError(f"{name} is given {', '.join(twice)} twice")
    return given | named, settings


def distribution(
    name: str,
    parameters: tuple[str, ...],
    make: Callable[..., ft.Distribution],
    kind: type = float,
    **defaults: object,
) -> type[Distribution]:
    """Return the class of a distribution, its parameters in order; those in `defaults` may lack."""

    def __init__(self: Distribution, *args: Any, **kwargs: Any) -> None:
        given, settings = bound(name, parameters, args, kwargs)
        given = {**defaults, **given}
        missing = [p for p in parameters if given.get(p) is None and p not in defaults]
        if missing:
            raise TypeError(f"{name} needs {', '.join(missing)}")
        plain, again = followed(lambda: _plainly(name, given))
        typed = [v for k, v in plain.items() if hasattr(v, "dtype") and k not in COUNTS]
        dtype = settings.get("dtype") or _dtype(kind, typed)
        checked = bool(settings.get("validate_args"))

        def build() -> ft.Distribution:
            now = plain if again is None else again()
            arrays = {k: v for k, v in now.items() if hasattr(v, "dtype") and k not in COUNTS}
            with jax.enable_x64(True), nullcontext() if checked else ft.unchecked():
                arrays = {k: _real(jnp.asarray(v), dtype) for k, v in arrays.items()}
                try:
                    return make(**{**now, **arrays})
                except (ValueError, TypeError) as error:
                    shapes = ", ".join(f"{k} {np.shape(v)}" for k, v in arrays.items())
                    said = str(error).partition("\n")[0]
                    of = f" of {shapes}" if shapes else ""
                    raise type(error)(f"{name} cannot be made{of}: {said}") from error

        changing = {k: v for k, v in given.items() if hasattr(type(v), "is_variable")}
        Distribution.__init__(self, build, plain | changing, dtype, settings.get("name", name))

    doc = f"Distribute as {name}({', '.join(parameters)}), in TensorFlow Probability's parameters."
    body = {"__init__": __init__, "__doc__": doc, "__signature__": _signature(parameters, defaults)}
    return type(name, (Distribution,), body)


def _signature(parameters: tuple[str, ...], defaults: dict[str, object]) -> inspect.Signature:
    """Return the signature of a class: joint distributions ask which parameters it needs."""
    kind, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    return inspect.Signature(
        [inspect.Parameter(p, kind, default=defaults.get(p, empty)) for p in parameters]
    )


def _plainly(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as arrays, flags and None."""
    return {k: None if v is None else _plain(name, k, v) for k, v in given.items()}


def _plain(name: str, parameter: str, value: ArrayLike) -> AnyArray | bool:
    """Return a parameter as an array; one that has a type keeps it."""
    found = tf.value_of(value)
    if isinstance(found, bool):
        return found
    refusal = TypeError(f"{name}'s {parameter} is a number or an array of such, not {value!r:.80}")
    if isinstance(found, Distribution):
        raise refusal
    try:
        found = found if hasattr(found, "dtype") else tf.convert_to_tensor(found)
    except TypeError as error:
        raise refusal from error
    if not jnp.issubdtype(found.dtype, np.number) and found.dtype != bool:
        raise refusal
    return found


def _real(array: Array, dtype: DType) -> Array:
    """Return real parameters in the distribution's own precision."""
    real = array.dtype.kind == "f" and np.dtype(dtype).kind == "f"
    return array.astype(jnp.result_type(dtype, array.dtype)) if real else array


def _dtype(kind: type, known: list[Array]) -> DType:
    if kind is int:
        return np.int32
    floats = [v.dtype for v in known if v.dtype.kind == "f"]
    return np.result_type(*floats) if floats else np.float64


def law(part: Part) -> ft.Distribution:
    """Return the finetti distribution of a distribution or of a random variable."""
    found = part.distribution if _is_variable(part) else part
    if not isinstance(found, Distribution):
        raise TypeError(f"expected a distribution of tfp.distributions, not {part!r}")
    return found.made


def _is_variable(part: object) -> TypeGuard[Variable]:
    return hasattr(type(part), "is_random_variable")


def site_law(made: Distribution, name: str) -> ft.Distribution:
    """Return the finetti distribution of a site, whose density must be that of its draws."""
    for part in (made, *made.parameters.values()):
        if isinstance(part, Distribution) and part.parameters.get("input_output_cholesky"):
            raise ValueError(
                f"`{name}` is drawn as Cholesky factors with the density of their matrices "
                f"(input_output_cholesky=True), which no Model can hold: draw the matrices"
            )
    return made.made


def composite(
    name: str, doc: str, make: Callable[..., ft.Distribution], *whole: str
) -> type[Distribution]:
    """Return the class of a distribution made of others; `whole` are parts that set no dtype."""
    order = tuple(inspect.signature(make).parameters)

    def __init__(self: Distribution, *args: Any, **kwargs: Any) -> None:
        given, settings = bound(name, order, args, kwargs)
        parts = jax.tree.leaves([p for k, p in given.items() if k not in whole])
        typed = [p for p in parts if isinstance(p, Distribution) or _is_variable(p)]
        if not typed:
            raise TypeError(
                f"{name} is made of distributions of tfp.distributions: {', '.join(order)}"
            )

        def build() -> ft.Distribution:
            with jax.enable_x64(True), ft.unchecked():
                return make(**given)

        Distribution.__init__(self, build, given, typed[0].dtype, settings.get("name", name))

    body = {"__init__": __init__, "__doc__": doc, "__signature__": inspect.signature(make)}
    return type(name, (Distribution,), body)
