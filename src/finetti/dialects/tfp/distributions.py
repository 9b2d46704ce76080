"""Offer finetti's distributions by the names and parameters of TensorFlow Probability."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from finetti import distributions as ft
from finetti.dialects import tf
from finetti.dialects.tfp import laws
from finetti.dialects.written import log_density
from finetti.types import DType, Value

SETTINGS = ("name", "dtype", "validate_args", "allow_nan_stats")


class Distribution:
    """Hold a distribution: `sample(sample_shape, seed)`, `log_prob(value)`, `mean()` and so on.

    `dtype` is that of the parameters together, double precision for Python's own numbers.
    """

    def __init__(
        self, made: Any, parameters: dict[str, Any], dtype: DType, name: str | None
    ) -> None:
        """Wrap a finetti distribution."""
        self.made, self.parameters, self.dtype, self.name = made, parameters, dtype, name

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

    def sample(self, sample_shape: Any = (), seed: int | None = None, name: str = "") -> Value:
        """Return draws of shape (*sample_shape, *batch shape, *event shape)."""
        shape = tuple(np.atleast_1d(np.asarray(sample_shape, int)).tolist())
        with jax.enable_x64(True):
            drawn = self.made.sample(tf.RANDOMNESS.key(seed), shape).astype(self.dtype)
        return settled(drawn)

    def log_prob(self, value: Value, name: str = "") -> Value:
        """Return the log density, one a batch element; minus infinity off the support."""
        with jax.enable_x64(True):
            return settled(log_density(self.made, tf.value_of(value)))

    def prob(self, value: Value, name: str = "") -> Value:
        """Return the density."""
        return tf.exp(self.log_prob(value))

    def mean(self) -> Value:
        """Return the mean."""
        with jax.enable_x64(True):
            return settled(jnp.broadcast_to(self.made.mean, self.made.shape()))

    def variance(self) -> Value:
        """Return the variance."""
        with jax.enable_x64(True):
            return settled(jnp.broadcast_to(self.made.variance, self.made.shape()))

    def stddev(self) -> Value:
        """Return the standard deviation."""
        return tf.sqrt(self.variance())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} batch_shape={self.batch_shape} name={self.name!r}>"


def settled(value: Value) -> Value:
    """Return a value as a numpy array unless it is traced."""
    return value if isinstance(value, Tracer) else np.asarray(value)


def distribution(
    name: str,
    parameters: tuple[str, ...],
    make: Callable[..., Any],
    kind: type = float,
    **defaults: Any,
) -> type[Distribution]:
    """Return the class of a distribution, its parameters in order; those in `defaults` may lack."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        settings = {k: kwargs.pop(k) for k in SETTINGS if k in kwargs}
        given = {**defaults, **dict(zip(parameters, args, strict=False)), **kwargs}
        if len(args) > len(parameters) or given.keys() - set(parameters):
            raise TypeError(f"{name} takes {', '.join(parameters)}, not {args} and {kwargs}")
        missing = [p for p in parameters if p not in given]
        if missing:
            raise TypeError(f"{name} needs {', '.join(missing)}")
        plain = {k: tf.value_of(v) for k, v in given.items()}
        known = [
            np.asarray(v) if not hasattr(v, "dtype") else v for v in plain.values() if v is not None
        ]
        dtype = settings.get("dtype") or _dtype(kind, known)
        with jax.enable_x64(True), ft.unchecked():
            arrays = {
                k: None if v is None else _real(jnp.asarray(v), dtype) for k, v in plain.items()
            }
            Distribution.__init__(self, make(**arrays), plain, dtype, settings.get("name", name))

    doc = f"Distribute as {name}({', '.join(parameters)}), in TensorFlow Probability's parameters."
    return type(name, (Distribution,), {"__init__": __init__, "__doc__": doc})


def _real(array: Value, dtype: DType) -> Value:
    """Return real parameters in the distribution's own precision."""
    real = array.dtype.kind == "f" and np.dtype(dtype).kind == "f"
    return array.astype(jnp.result_type(dtype, array.dtype)) if real else array


def _dtype(kind: type, known: list[Any]) -> Any:
    if kind is int:
        return np.int32
    floats = [v.dtype for v in known if v.dtype.kind == "f"]
    return np.result_type(*floats) if floats else np.float64


def _odds(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that makes a distribution of probabilities or of log odds."""

    def either(logits: Value = None, probs: Value = None, **others: Any) -> Any:
        if (logits is None) == (probs is None):
            raise ValueError("pass one of logits and probs")
        chosen = {"probs": probs} if logits is None else {"logits": logits}
        return make(**others, **chosen)

    return either


def _binomial(total_count: Value, **odds: Any) -> ft.Distribution:
    return ft.Binomial(total_count.astype(int), **odds)


EITHER = {"logits": None, "probs": None}
_TABLE: list[tuple[Any, ...]] = [
    ("Bernoulli", ("logits", "probs"), _odds(ft.Bernoulli), int, EITHER),
    ("Beta", ("concentration1", "concentration0"),
     lambda concentration1, concentration0: ft.Beta(concentration1, concentration0)),
    ("Binomial", ("total_count", "logits", "probs"), _odds(_binomial), int, EITHER),
    ("Categorical", ("logits", "probs"), _odds(ft.Categorical), int, EITHER),
    ("Cauchy", ("loc", "scale"), ft.Cauchy),
    ("Chi2", ("df",), lambda df: ft.Gamma(df / 2, 0.5)),
    ("Deterministic", ("loc",), lambda loc: ft.Delta(loc)),
    ("Dirichlet", ("concentration",), ft.Dirichlet),
    ("Exponential", ("rate",), ft.Exponential),
    ("Gamma", ("concentration", "rate"), ft.Gamma),
    ("Geometric", ("logits", "probs"), _odds(ft.Geometric), int, EITHER),
    ("Gumbel", ("loc", "scale"), ft.Gumbel),
    ("HalfCauchy", ("loc", "scale"), lambda loc, scale: _half_cauchy(loc, scale)),
    ("HalfNormal", ("scale",), ft.HalfNormal),
    ("InverseGamma", ("concentration", "scale"),
     lambda concentration, scale: ft.InverseGamma(concentration, scale)),
    ("Laplace", ("loc", "scale"), ft.Laplace),
    ("Logistic", ("loc", "scale"), ft.Logistic),
    ("LogNormal", ("loc", "scale"), ft.LogNormal),
    ("Multinomial", ("total_count", "logits", "probs"), _odds(ft.Multinomial), int, EITHER),
    ("MultivariateNormalDiag", ("loc", "scale_diag"),
     lambda loc, scale_diag: ft.Normal(loc, scale_diag).to_event(1)),
    ("MultivariateNormalTriL", ("loc", "scale_tril"),
     lambda loc, scale_tril: ft.MultivariateNormal(loc, scale_tril=scale_tril)),
    ("MultivariateNormalFullCovariance", ("loc", "covariance_matrix"),
     lambda loc, covariance_matrix: ft.MultivariateNormal(loc, covariance_matrix)),
    ("NegativeBinomial", ("total_count", "logits", "probs"),
     _odds(lambda total_count, **odds: _negative_binomial(total_count, **odds)), int, EITHER),
    ("Normal", ("loc", "scale"), ft.Normal),
    ("Pareto", ("concentration", "scale"),
     lambda concentration, scale: ft.Pareto(scale, concentration)),
    ("Poisson", ("rate", "log_rate"),
     lambda rate, log_rate: ft.Poisson(jnp.exp(log_rate) if rate is None else rate), int,
     {"rate": None, "log_rate": None}),
    ("StudentT", ("df", "loc", "scale"), ft.StudentT),
    ("TruncatedNormal", ("loc", "scale", "low", "high"), ft.TruncatedNormal),
    ("Uniform", ("low", "high"), ft.Uniform, float, {"low": 0.0, "high": 1.0}),
    ("VonMises", ("loc", "concentration"), ft.VonMises),
    ("Weibull", ("concentration", "scale"),
     lambda concentration, scale: ft.Weibull(scale, concentration)),
]  # fmt: skip


def _half_cauchy(loc: Value, scale: Value) -> ft.Distribution:
    shifted = ft.transforms.AffineTransform(loc, 1.0, domain=ft.constraints.positive)
    at_zero = not isinstance(loc, Tracer) and np.all(np.asarray(loc) == 0)
    return (
        ft.HalfCauchy(scale)
        if at_zero
        else ft.TransformedDistribution(ft.HalfCauchy(scale), shifted)
    )


def _negative_binomial(
    total_count: Value, probs: Value = None, logits: Value = None
) -> ft.Distribution:
    return ft.NegativeBinomial(total_count, probs=probs, logits=logits)


_TABLE += [
    ("BetaBinomial", ("total_count", "concentration1", "concentration0"), laws.beta_binomial, int),
    ("Chi", ("df",), lambda df: ft.TransformedDistribution(
        ft.Gamma(df / 2, 0.5), ft.transforms.PowerTransform(0.5))),
    ("GeneralizedNormal", ("loc", "scale", "power"), laws.generalized_normal),
    ("HalfStudentT", ("df", "loc", "scale"), lambda df, loc, scale:
        ft.LeftTruncatedDistribution(ft.StudentT(df, loc, scale), loc)),
    ("InverseGaussian", ("loc", "concentration"),
     lambda loc, concentration: ft.InverseGaussian(loc, concentration)),
    ("Kumaraswamy", ("concentration1", "concentration0"),
     lambda concentration1, concentration0: ft.Kumaraswamy(concentration1, concentration0)),
    ("LogitNormal", ("loc", "scale"), laws.logit_normal),
    ("Moyal", ("loc", "scale"), laws.moyal),
    ("OneHotCategorical", ("logits", "probs"), _odds(laws.one_hot), int, EITHER),
    ("OrderedLogistic", ("cutpoints", "loc"),
     lambda cutpoints, loc: ft.OrderedLogistic(loc, cutpoints), int),
    ("Triangular", ("low", "high", "peak"), laws.triangular, float,
     {"low": 0.0, "high": 1.0, "peak": 0.5}),
    ("WishartTriL", ("df", "scale_tril"),
     lambda df, scale_tril: ft.Wishart(df, scale_tril=scale_tril)),
    ("Zipf", ("power",), laws.zipf, int),
]  # fmt: skip
CLASSES = {
    row[0]: distribution(*row[:3], *row[3:4], **(row[4] if len(row) > 4 else {})) for row in _TABLE
}


def _law(part: Any) -> Any:
    """Return the finetti distribution of a distribution or of a random variable."""
    return (part.distribution if _is_variable(part) else part).made


def _is_variable(part: Any) -> bool:
    return hasattr(type(part), "is_random_variable")


def composite(name: str, doc: str, make: Callable[..., Any], *whole: str) -> type[Distribution]:
    """Return the class of a distribution made of others; `whole` are parts that set no dtype."""
    order = tuple(inspect.signature(make).parameters)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        settings = {k: kwargs.pop(k) for k in SETTINGS if k in kwargs}
        if len(args) > len(order) or kwargs.keys() - set(order):
            raise TypeError(f"{name} takes {', '.join(order)}, not {args} and {kwargs}")
        given = {**dict(zip(order, args, strict=False)), **kwargs}
        parts = jax.tree.leaves([p for k, p in given.items() if k not in whole])
        first = next(p for p in parts if isinstance(p, Distribution) or _is_variable(p))
        with jax.enable_x64(True), ft.unchecked():
            made = make(**given)
        Distribution.__init__(self, made, given, first.dtype, settings.get("name", name))

    return type(name, (Distribution,), {"__init__": __init__, "__doc__": doc})


def _independent(
    distribution: Any, reinterpreted_batch_ndims: int | None = None
) -> ft.Distribution:
    made = _law(distribution)
    count = reinterpreted_batch_ndims
    return made.to_event(len(made.batch_shape) - 1 if count is None else int(count))


def _transformed(distribution: Any, bijector: Any) -> ft.Distribution:
    return ft.TransformedDistribution(_law(distribution), bijector.transform)


def _same_family(mixture_distribution: Any, components_distribution: Any) -> ft.Distribution:
    return ft.MixtureSameFamily(_law(mixture_distribution), _law(components_distribution))


def _mixture(cat: Any, components: Any) -> ft.Distribution:
    return ft.MixtureGeneral(_law(cat), [_law(part) for part in components])


def _sample(distribution: Any, sample_shape: Any = ()) -> ft.Distribution:
    made, shape = _law(distribution), tuple(np.atleast_1d(np.asarray(sample_shape, int)).tolist())
    if made.batch_shape:
        raise ValueError(
            f"Sample of a distribution with batch shape {made.batch_shape}: make the batch an "
            f"event first, by Independent"
        )
    return made.expand(shape).to_event(len(shape))


CLASSES |= {
    "Independent": composite(
        "Independent", "Take axes of the batch into the event.", _independent),
    "TransformedDistribution": composite(
        "TransformedDistribution", "Distribute what a bijector makes of draws.", _transformed),
    "MixtureSameFamily": composite(
        "MixtureSameFamily", "Mix over the last axis of a batch.", _same_family,
        "mixture_distribution"),
    "Mixture": composite("Mixture", "Mix a list of distributions.", _mixture, "cat"),
    "Sample": composite("Sample", "Take independent copies as one event.", _sample),
}  # fmt: skip
globals().update(CLASSES)

__all__ = ["Distribution"]
__all__ += list(CLASSES)
