"""State PyMC4's distributions in its own parameters, which are TensorFlow Probability's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from finetti import distributions as ft
from finetti.dialects.pymc4.series import autoregressive
from finetti.dialects.tfp import laws
from finetti.dialects.tfp.directions import von_mises_fisher


@dataclass(frozen=True)
class Family:
    """Hold a distribution's parameters in PyMC4's order and how it is made of them.

    `ranks` counts the axes of a parameter that belong to one draw, where there are any; None is
    said of what cannot be given more axes.
    """

    parameters: tuple[str, ...]
    make: Callable[..., Any]
    ranks: dict[str, int | None] = field(default_factory=dict)
    defaults: dict[str, float] = field(default_factory=dict)

    def distribute(self, values: Mapping[str, object]) -> ft.Distribution:
        """Return the distribution with the parameters' values."""
        return self.make(**values)


_SCALARS: dict[str, tuple[str, Callable[..., ft.Distribution]]] = {
    "Bernoulli": ("probs", lambda probs: ft.Bernoulli(probs=probs)),
    "Beta": ("concentration0 concentration1",
             lambda concentration0, concentration1: ft.Beta(concentration1, concentration0)),
    "BetaBinomial": ("total_count concentration0 concentration1", laws.beta_binomial),
    "Binomial": ("total_count probs",
                 lambda total_count, probs: ft.Binomial(laws.whole(total_count), probs=probs)),
    "Cauchy": ("loc scale", ft.Cauchy),
    "Chi2": ("df", lambda df: ft.Gamma(df / 2, 0.5)),
    "DiscreteUniform": ("low high",
                        lambda low, high: ft.DiscreteUniform(laws.whole(low), laws.whole(high))),
    "Exponential": ("rate", ft.Exponential),
    "Flat": ("", ft.Flat),
    "Gamma": ("concentration rate", ft.Gamma),
    "GeneralizedNormal": ("loc scale power", laws.generalized_normal),
    "Geometric": ("probs", lambda probs: ft.Geometric(probs=probs)),
    "Gumbel": ("loc scale", ft.Gumbel),
    "HalfCauchy": ("scale", ft.HalfCauchy),
    "HalfFlat": ("", ft.HalfFlat),
    "HalfNormal": ("scale", ft.HalfNormal),
    "HalfStudentT": ("df scale", lambda df, scale: laws.positive(ft.StudentT(df, 0.0, scale))),
    "InverseGamma": ("concentration scale",
                     lambda concentration, scale: ft.InverseGamma(concentration, scale)),
    "InverseGaussian": ("loc concentration",
                        lambda loc, concentration: ft.InverseGaussian(loc, concentration)),
    "Kumaraswamy": ("concentration0 concentration1",
                    lambda concentration0, concentration1:
                        ft.Kumaraswamy(concentration1, concentration0)),
    "Laplace": ("loc scale", ft.Laplace),
    "LogitNormal": ("loc scale", laws.logit_normal),
    "LogNormal": ("loc scale", ft.LogNormal),
    "Logistic": ("loc scale", ft.Logistic),
    "Moyal": ("loc scale", laws.moyal),
    "NegativeBinomial": ("total_count probs",
                         lambda total_count, probs: ft.NegativeBinomial(total_count, probs=probs)),
    "Normal": ("loc scale", ft.Normal),
    "Pareto": ("concentration scale",
               lambda concentration, scale: ft.Pareto(scale, concentration)),
    "Poisson": ("rate", ft.Poisson),
    "StudentT": ("loc scale df", lambda loc, scale, df: ft.StudentT(df, loc, scale)),
    "Triangular": ("low peak high", laws.triangular),
    "TruncatedNormal": ("loc scale low high", ft.TruncatedNormal),
    "Uniform": ("low high", ft.Uniform),
    "VonMises": ("loc concentration", ft.VonMises),
    "Weibull": ("concentration scale",
                lambda concentration, scale: ft.Weibull(scale, concentration)),
    "ZeroInflatedBinomial": ("psi n p",
                             lambda psi, n, p:
                                 laws.inflated(psi, ft.Binomial(laws.whole(n), probs=p))),
    "ZeroInflatedNegativeBinomial": ("psi mu alpha",
                                     lambda psi, mu, alpha:
                                         laws.inflated(psi, ft.NegativeBinomial2(mu, alpha))),
    "ZeroInflatedPoisson": ("psi theta", lambda psi, theta: laws.inflated(psi, ft.Poisson(theta))),
    "Zipf": ("power", laws.zipf),
}  # fmt: skip

_VECTORS = {
    "AR": Family(
        ("num_timesteps", "coefficients", "level_scale", "initial_state", "initial_step"),
        autoregressive,
        {"coefficients": 1, "initial_state": 1},
        {"initial_state": 0.0, "initial_step": 0},
    ),
    "Categorical": Family(("probs",), ft.Categorical, {"probs": 1}),
    "Dirichlet": Family(("concentration",), ft.Dirichlet, {"concentration": 1}),
    "LKJ": Family(
        ("dimension", "concentration"),
        lambda dimension, concentration: ft.LKJ(int(dimension), concentration),
    ),
    "LKJCholesky": Family(
        ("dimension", "concentration"),
        lambda dimension, concentration: ft.LKJCholesky(int(dimension), concentration),
    ),
    "Mixture": Family(("p", "distributions"), laws.mixture, {"p": None, "distributions": None}),
    "Multinomial": Family(
        ("total_count", "probs"),
        lambda total_count, probs: ft.Multinomial(laws.whole(total_count), probs),
        {"probs": 1},
    ),
    "MvNormal": Family(
        ("loc", "covariance_matrix"),
        lambda loc, covariance_matrix: ft.MultivariateNormal(loc, covariance_matrix),
        {"loc": 1, "covariance_matrix": 2},
    ),
    "MvNormalCholesky": Family(
        ("loc", "scale_tril"),
        lambda loc, scale_tril: ft.MultivariateNormal(loc, scale_tril=scale_tril),
        {"loc": 1, "scale_tril": 2},
    ),
    "OrderedLogistic": Family(
        ("loc", "cutpoints"),
        lambda loc, cutpoints: ft.OrderedLogistic(loc, cutpoints),
        {"cutpoints": 1},
    ),
    "VonMisesFisher": Family(
        ("mean_direction", "concentration"), von_mises_fisher, {"mean_direction": 1}
    ),
    "Wishart": Family(
        ("df", "scale"), lambda df, scale: ft.Wishart(df, scale_tril=scale), {"scale": 2}
    ),
}

FAMILIES = {k: Family(tuple(names.split()), make) for k, (names, make) in _SCALARS.items()}
FAMILIES |= _VECTORS
