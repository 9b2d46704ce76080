"""Run PyMC4 models of January 2020: generators that yield distributions and get their values."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import jax.numpy as jnp
import numpy as np

from finetti import distributions as ft
from finetti.dialects import tf
from finetti.language import sites
from finetti.models import Model as FinettiModel
from finetti.models import model as finetti_model


@dataclass(frozen=True, eq=False)
class Distribution:
    """Hold a named distribution to yield, with its copies and what is observed of it."""

    name: str
    make: Callable[[], Any]
    copies: tuple[int, ...] = ()
    observed: Any = None

    def built(self) -> Any:
        """Return the finetti distribution, its independent copies first."""
        made = self.make()
        return made.expand(self.copies + made.batch_shape) if self.copies else made

    def prior(self, name: str, **others: Any) -> Distribution:
        """Return the distribution under another name."""
        return replace(self, name=name)


@dataclass(frozen=True, eq=False)
class Deterministic:
    """Name a quantity to keep."""

    name: str
    value: Any


@dataclass(frozen=True, eq=False)
class Potential:
    """Add a term to the log density, `coef` times the value."""

    value: Any
    coef: float | int = 1.0


@dataclass(frozen=True, eq=False)
class Model:
    """Hold a generator of distributions, called with its arguments.

    `finetti` is the finetti Model: names are prefixed by the model's, and what the generator
    returns is a deterministic of the model's name, if `keep_return`.
    """

    generator: Callable[[], Any]
    name: str
    keep_return: bool = True

    @property
    def finetti(self) -> FinettiModel:
        """Return the finetti Model."""
        return self.observing({})

    def observing(self, observed: dict[str, Any]) -> FinettiModel:
        """Return the finetti Model with other data; None makes a variable unobserved."""

        def statements() -> Any:
            return _Play(observed).play(self, "")

        statements.__name__ = self.name
        return finetti_model(statements)()


def model(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    keep_return: bool = True,
    keep_auxiliary: bool = True,
) -> Any:
    """Make a generator function one of models: calling it gives a `Model`.

    >>> @model
    ... def coin():
    ...     return (yield Beta("p", 1, 1))
    >>> coin().name
    'coin'
    """
    if function is None:
        return lambda f: model(f, name=name, keep_return=keep_return)
    called = name or function.__name__

    @wraps(function)
    def make(*args: Any, **kwargs: Any) -> Model:
        own = kwargs.pop("name", called) if "name" not in _parameters(function) else called
        return Model(lambda: function(*args, **kwargs), own, keep_return)

    return make


def _parameters(function: Callable[..., Any]) -> Any:
    return inspect.signature(function).parameters


@dataclass(frozen=True, eq=False)
class _Play:
    """Play generators out as finetti's statements."""

    observed: dict[str, Any]

    def play(self, item: Model, prefix: str) -> Any:
        """Return what a model returns, its variables being sampled."""
        scope, flow = f"{prefix}{item.name}", item.generator()
        if not inspect.isgenerator(flow):
            raise TypeError(f"model `{item.name}` yields nothing: it must be a generator")
        value: Any = None
        potentials = 0
        while True:
            try:
                asked = flow.send(value)
            except StopIteration as end:
                return self._returned(item, scope, end.value)
            if isinstance(asked, Potential):
                sites.factor(
                    f"{scope}/potential {potentials}", asked.coef * tf.value_of(asked.value)
                )
                potentials += 1
            value = self._answer(asked, f"{scope}/")

    def _answer(self, asked: Any, prefix: str) -> Any:
        match asked:
            case Distribution():
                return self._sample(asked, f"{prefix}{asked.name}")
            case Deterministic():
                return sites.deterministic(f"{prefix}{asked.name}", jnp.asarray(asked.value))
            case Model():
                return self.play(asked, prefix)
            case Potential():
                return asked
        raise TypeError(
            f"a model yields distributions, deterministics, potentials and models, not {asked!r}"
        )

    def _sample(self, asked: Distribution, name: str) -> Any:
        obs = self.observed.get(name, asked.observed)
        return sites.sample(name, asked.built(), obs=None if obs is None else np.asarray(obs))

    def _returned(self, item: Model, scope: str, value: Any) -> Any:
        if value is not None and item.keep_return and not isinstance(value, tuple | list | dict):
            sites.deterministic(scope, jnp.asarray(value))
        return value


def distribution(parameters: tuple[str, ...], make: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that makes named distributions of a kind, by its parameters in order."""

    def named(
        name: str, *args: Any, plate: Any = None, batch_stack: Any = None, observed: Any = None,
        **kwargs: Any,
    ) -> Distribution:  # fmt: skip
        if len(args) > len(parameters) or kwargs.keys() - set(parameters):
            raise TypeError(f"`{name}` takes {', '.join(parameters)}, not {args} and {kwargs}")
        given = {**dict(zip(parameters, args, strict=False)), **kwargs}
        if given.keys() != set(parameters):
            raise TypeError(f"`{name}` needs {', '.join(p for p in parameters if p not in given)}")
        copies = batch_stack if plate is None else plate
        shape = () if copies is None else tuple(np.atleast_1d(copies).astype(int).tolist())
        values = {k: tf.value_of(v) for k, v in given.items()}
        return Distribution(name, lambda: make(**tf.precise(values)), shape, observed)

    return named


def _positive(made: Any) -> Any:
    return ft.LeftTruncatedDistribution(made, 0.0)


_TABLE: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
    "Bernoulli": (("probs",), lambda probs: ft.Bernoulli(probs=probs)),
    "Beta": (("concentration0", "concentration1"),
             lambda concentration0, concentration1: ft.Beta(concentration0, concentration1)),
    "Binomial": (("total_count", "probs"),
                 lambda total_count, probs: ft.Binomial(total_count, probs=probs)),
    "Categorical": (("probs",), lambda probs: ft.Categorical(probs)),
    "Cauchy": (("loc", "scale"), ft.Cauchy),
    "Dirichlet": (("concentration",), ft.Dirichlet),
    "DiscreteUniform": (("low", "high"), ft.DiscreteUniform),
    "Exponential": (("rate",), ft.Exponential),
    "Flat": ((), ft.Flat),
    "Gamma": (("concentration", "rate"), ft.Gamma),
    "HalfCauchy": (("scale",), ft.HalfCauchy),
    "HalfFlat": ((), ft.HalfFlat),
    "HalfNormal": (("scale",), ft.HalfNormal),
    "HalfStudentT": (("df", "scale"),
                     lambda df, scale: _positive(ft.StudentT(df, 0.0, scale))),
    "InverseGamma": (("concentration", "scale"),
                     lambda concentration, scale: ft.InverseGamma(concentration, scale)),
    "Laplace": (("loc", "scale"), ft.Laplace),
    "LogNormal": (("loc", "scale"), ft.LogNormal),
    "Logistic": (("loc", "scale"), ft.Logistic),
    "MvNormal": (("loc", "covariance_matrix"),
                 lambda loc, covariance_matrix: ft.MultivariateNormal(loc, covariance_matrix)),
    "MvNormalCholesky": (("loc", "scale_tril"),
                         lambda loc, scale_tril: ft.MultivariateNormal(loc, scale_tril=scale_tril)),
    "NegativeBinomial": (("total_count", "probs"),
                         lambda total_count, probs: ft.NegativeBinomial(total_count, probs=probs)),
    "Normal": (("loc", "scale"), ft.Normal),
    "Pareto": (("concentration", "scale"),
               lambda concentration, scale: ft.Pareto(scale, concentration)),
    "Poisson": (("rate",), ft.Poisson),
    "StudentT": (("df", "loc", "scale"), ft.StudentT),
    "TruncatedNormal": (("loc", "scale", "low", "high"),
                        ft.TruncatedNormal),
    "Uniform": (("low", "high"), ft.Uniform),
    "VonMises": (("loc", "concentration"), ft.VonMises),
    "Weibull": (("concentration", "scale"),
                lambda concentration, scale: ft.Weibull(scale, concentration)),
}  # fmt: skip

DISTRIBUTIONS = {name: distribution(*row) for name, row in _TABLE.items()}
globals().update(DISTRIBUTIONS)
