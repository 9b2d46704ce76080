"""Offer finetti's distributions by the names and parameters of TensorFlow Probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti import distributions as ft
from finetti.dialects.tf.tensors import extents, traced
from finetti.dialects.tfp import laws
from finetti.dialects.tfp.bijector import Bijector
from finetti.dialects.tfp.directions import von_mises_fisher
from finetti.dialects.tfp.distribution import Distribution, Part, composite, distribution, law
from finetti.types import Array

Made = TypeVar("Made")


def _odds(make: Callable[..., Made]) -> Callable[..., Made]:
    """Return a function that makes a distribution of probabilities or of log odds."""

    def either(logits: Array | None = None, probs: Array | None = None, **others: Array) -> Made:
        if (logits is None) == (probs is None):
            raise ValueError("pass one of logits and probs")
        chosen = {"probs": probs} if logits is None else {"logits": logits}
        return make(**others, **chosen)

    return either


def _binomial(
    total_count: Array, probs: Array | None = None, logits: Array | None = None
) -> ft.Distribution:
    return ft.Binomial(total_count.astype(int), probs=probs, logits=logits)


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
    ("MultivariateNormalDiag", ("loc", "scale_diag", "scale_identity_multiplier"),
     lambda **parts: _normal_diag(**parts), float,
     {"loc": None, "scale_diag": None, "scale_identity_multiplier": None}),
    ("MultivariateNormalTriL", ("loc", "scale_tril"),
     lambda loc, scale_tril: ft.MultivariateNormal(_centre(loc), scale_tril=scale_tril), float,
     {"loc": None}),
    ("MultivariateNormalFullCovariance", ("loc", "covariance_matrix"),
     lambda loc, covariance_matrix: ft.MultivariateNormal(_centre(loc), covariance_matrix), float,
     {"loc": None}),
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


def _centre(loc: Array | None) -> Array | float:
    return 0.0 if loc is None else loc


def _normal_diag(
    loc: Array | None, scale_diag: Array | None, scale_identity_multiplier: Array | None
) -> ft.Distribution:
    """Distribute vectors normally; a multiplier alone has one standard deviation a vector."""
    scale: Array | float = 0.0
    if scale_diag is not None:
        scale = scale_diag
    if scale_identity_multiplier is not None:
        scale = scale + scale_identity_multiplier[..., None]
    elif scale_diag is None:
        scale = jnp.ones(1)
    made = ft.Normal(_centre(loc), scale)
    if not made.batch_shape:
        raise ValueError("MultivariateNormalDiag needs vectors: loc= or scale_diag=")
    return made.to_event(1)


def _half_cauchy(loc: Array, scale: Array) -> ft.Distribution:
    shifted = ft.transforms.AffineTransform(loc, 1.0, domain=ft.constraints.positive)
    at_zero = not traced(loc) and np.all(np.asarray(loc) == 0)
    return (
        ft.HalfCauchy(scale)
        if at_zero
        else ft.TransformedDistribution(ft.HalfCauchy(scale), shifted)
    )


def _negative_binomial(
    total_count: Array, probs: Array | None = None, logits: Array | None = None
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
    ("CholeskyLKJ", ("dimension", "concentration"),
     lambda dimension, concentration: ft.LKJCholesky(int(dimension), concentration)),
    ("LKJ", ("dimension", "concentration"),
     lambda dimension, concentration: ft.LKJ(int(dimension), concentration)),
    ("LogitNormal", ("loc", "scale"), laws.logit_normal),
    ("Moyal", ("loc", "scale"), laws.moyal),
    ("OneHotCategorical", ("logits", "probs"), _odds(laws.one_hot), int, EITHER),
    ("OrderedLogistic", ("cutpoints", "loc"),
     lambda cutpoints, loc: ft.OrderedLogistic(loc, cutpoints), int),
    ("Triangular", ("low", "high", "peak"), laws.triangular, float,
     {"low": 0.0, "high": 1.0, "peak": 0.5}),
    ("VonMisesFisher", ("mean_direction", "concentration"), von_mises_fisher),
    ("WishartTriL", ("df", "scale_tril", "input_output_cholesky"), laws.wishart, float,
     {"input_output_cholesky": False}),
    ("Zipf", ("power",), laws.zipf, int),
]  # fmt: skip
CLASSES = {
    row[0]: distribution(*row[:3], *row[3:4], **(row[4] if len(row) > 4 else {})) for row in _TABLE
}


def _independent(
    distribution: Part, reinterpreted_batch_ndims: int | None = None
) -> ft.Distribution:
    made = law(distribution)
    count = reinterpreted_batch_ndims
    return made.to_event(max(len(made.batch_shape) - 1, 0) if count is None else int(count))


def _transformed(distribution: Part, bijector: Bijector) -> ft.Distribution:
    return ft.TransformedDistribution(law(distribution), bijector.transform)


def _same_family(mixture_distribution: Part, components_distribution: Part) -> ft.Distribution:
    return ft.MixtureSameFamily(law(mixture_distribution), law(components_distribution))


def _mixture(cat: Part, components: Sequence[Part]) -> ft.Distribution:
    return ft.MixtureGeneral(law(cat), [law(part) for part in components])


def _sample(distribution: Part, sample_shape: ArrayLike = ()) -> ft.Distribution:
    made, shape = law(distribution), extents(sample_shape)
    if not made.batch_shape:
        return made.expand(shape).to_event(len(shape))
    return laws.copies(made, shape)


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

__all__ = ["CLASSES", "Distribution"]
