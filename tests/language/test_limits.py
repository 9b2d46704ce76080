"""Check the probabilities between limits against the density, far out, and by their slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

import finetti as ft
from finetti.distributions.cumulative import incomplete, log_between

BASES = {  # values of which some lie within and some beyond the support
    "AsymmetricLaplace": (lambda: ft.AsymmetricLaplace(0.5, 1.5, 1.2), (-1.0, 2.0)),
    "Beta": (lambda: ft.Beta(2.0, 3.0), (0.3, 0.9)),
    "Cauchy": (lambda: ft.Cauchy(0.5, 1.0), (-1.0, 3.0)),
    "Exponential": (lambda: ft.Exponential(0.7), (0.5, 2.0)),
    "Gamma": (lambda: ft.Gamma(2.0, 1.5), (0.5, 2.0)),
    "Gompertz": (lambda: ft.Gompertz(0.5, 1.5), (0.5, 1.0)),
    "Gumbel": (lambda: ft.Gumbel(0.5, 1.5), (-1.0, 2.0)),
    "HalfCauchy": (lambda: ft.HalfCauchy(1.5), (0.5, 2.0)),
    "HalfNormal": (lambda: ft.HalfNormal(1.5), (0.5, 2.0)),
    "InverseGamma": (lambda: ft.InverseGamma(3.0, 2.0), (0.5, 2.0)),
    "Laplace": (lambda: ft.Laplace(0.5, 1.5), (-1.0, 2.0)),
    "LogNormal": (lambda: ft.LogNormal(0.2, 0.7), (0.5, 2.0)),
    "Logistic": (lambda: ft.Logistic(0.5, 1.5), (-1.0, 2.0)),
    "Normal": (lambda: ft.Normal(0.5, 1.5), (-1.0, 2.0)),
    "SoftLaplace": (lambda: ft.SoftLaplace(0.5, 1.5), (-1.0, 2.0)),
    "StudentT": (lambda: ft.StudentT(4.0, 0.5, 1.5), (-1.0, 2.0)),
    "Uniform": (lambda: ft.Uniform(-1.0, 2.0), (0.0, 1.5)),
    "Weibull": (lambda: ft.Weibull(1.5, 2.0), (0.5, 2.0)),
}
COUNTS = {
    "Binomial": lambda: ft.Binomial(6, 0.3),
    "Geometric": lambda: ft.Geometric(0.3),
    "NegativeBinomial2": lambda: ft.NegativeBinomial2(3.0, 2.0),
    "Poisson": lambda: ft.Poisson(2.0),
}
SLOW = {
    "Beta",
    "Gumbel",
    "Cauchy",
    "Exponential",
    "HalfNormal",
    "Laplace",
    "Uniform",
    "AsymmetricLaplace",
    "Gompertz",
    "HalfCauchy",
    "InverseGamma",
    "Logistic",
    "SoftLaplace",
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in BASES]
)
def test_what_lies_between_limits_is_the_density_s_integral(name):
    make, (low, high) = BASES[name]
    with jax.enable_x64(True):
        d = make()
        x, w = np.polynomial.legendre.leggauss(64)
        at = [(e - s) / 2 * x + (e + s) / 2 for s, e in ((low, 0.5), (0.5, high))]
        halves = [
            np.sum(w * np.exp(np.asarray(d.log_prob(jnp.asarray(a))))) * (e - s) / 2
            for a, (s, e) in zip(at, ((low, 0.5), (0.5, high)), strict=True)
        ]
        ends = (
            np.array([-np.inf, -np.inf, low, low, high]),
            np.array([np.inf, low, high, np.inf, np.inf]),
        )
        whole, below, between, above, beyond = np.exp(np.asarray(log_between(d, *ends)))
        slope = jax.grad(lambda v: log_between(d, jnp.asarray(low), v))(high)
    assert whole == 1
    assert between == pytest.approx(sum(halves), rel=1e-7)
    assert below + above == pytest.approx(1, abs=1e-12)
    assert below + between + beyond == pytest.approx(1, abs=1e-12)
    assert slope == pytest.approx(float(np.exp(d.log_prob(high))) / between, rel=1e-5)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_between_limits_are_the_sum_of_their_probabilities(name):
    with jax.enable_x64(True):
        d = COUNTS[name]()
        p = np.exp(np.asarray(d.log_prob(jnp.arange(4))))
        found = np.exp(
            np.asarray(log_between(d, np.array([-np.inf, 0, -1]), np.array([1, 3, np.inf])))
        )
    assert found == pytest.approx([p[:2].sum(), p[1:4].sum(), 1], rel=1e-10)


FAR = {  # log density of a value, by hand
    "normal": (lambda: ft.Truncated(ft.Normal(0.0, 1.0), low=40.0), 40.0,
               lambda: -np.log(np.sqrt(np.pi / 2) * special.erfcx(40 / np.sqrt(2)))),
    "TruncatedNormal": (lambda: ft.TruncatedNormal(0.0, 1.0, high=-40.0), -40.0,
                        lambda: -np.log(np.sqrt(np.pi / 2) * special.erfcx(40 / np.sqrt(2)))),
    "left": (lambda: ft.LeftTruncatedDistribution(ft.Normal(0.0, 1.0), 40.0), 40.0,
             lambda: -np.log(np.sqrt(np.pi / 2) * special.erfcx(40 / np.sqrt(2)))),
    "exponential": (lambda: ft.Truncated(ft.Exponential(1.0), low=800.0), 801.0, lambda: -1.0),
    "laplace": (lambda: ft.Truncated(ft.Laplace(0.0, 1.0), low=900.0), 901.0, lambda: -1.0),
    "a rare count": (lambda: ft.Truncated(ft.Poisson(1e-12), low=1), 1, lambda: -5e-13),
}  # fmt: skip


@pytest.mark.parametrize("name", FAR)
def test_a_far_tail_is_not_rounded_away(name):
    make, value, exact = FAR[name]
    with jax.enable_x64(True):
        d = make()
        drawn = np.asarray(d.sample(jax.random.key(0), (100,)))
        assert float(d.log_prob(value)) == pytest.approx(exact(), rel=1e-9, abs=1e-12)
        assert np.isfinite(np.asarray(d.log_prob(drawn))).all()


def test_the_incomplete_beta_has_slopes_in_its_parameters():
    def density(t, a, b):
        return t ** (a - 1) * (1 - t) ** (b - 1) / special.beta(a, b)

    a, b, x = 2.5, 1.5, 0.3
    with jax.enable_x64(True):
        found = jax.grad(incomplete, argnums=(0, 1, 2))(a, b, x)
    mean = special.digamma(a) - special.digamma(a + b), special.digamma(b) - special.digamma(a + b)
    in_a = integrate.quad(lambda t: (np.log(t) - mean[0]) * density(t, a, b), 0, x)[0]
    in_b = integrate.quad(lambda t: (np.log1p(-t) - mean[1]) * density(t, a, b), 0, x)[0]
    assert found == pytest.approx((in_a, in_b, density(x, a, b)), rel=1e-7)


C, I = ft.Censored, ft.IntervalCensored  # noqa: E741
SLOPES = {
    "below no limit of a log normal": lambda a: C(ft.LogNormal(a, 1.0), 0.0, 5.0).log_prob(2.0),
    "student's df": lambda a: C(ft.StudentT(a, 0.0, 1.0), high=1.0).log_prob(1.0),
    "student's df at its middle": lambda a: C(ft.StudentT(a, 0.1, 1.0), high=0.0).log_prob(0.0),
    "overdispersion": lambda a: ft.Truncated(ft.NegativeBinomial2(3.0, a), low=1).log_prob(2),
    "an open interval": lambda a: I(ft.Gamma(a, 1.0), [2.0, np.inf]).log_prob(1),
    "an empty beginning": lambda a: I(ft.LogNormal(a, 1.0), [0.0, 1.0]).log_prob(1),
    "no limits of some rows": lambda a: C(
        ft.Weibull(a, 1.5), high=np.array([2.0, np.inf])
    ).log_prob(jnp.array([2.0, 1.0])).sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_are_finite_and_those_of_the_log_density(name):
    with jax.enable_x64(True):
        f = SLOPES[name]
        h = 1e-5
        numeric = (float(f(1.5 + h)) - float(f(1.5 - h))) / (2 * h)
        assert float(jax.grad(f)(1.5)) == pytest.approx(numeric, rel=1e-5)
