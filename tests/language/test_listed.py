"""Lists of numbers are taken where arrays are, by every distribution, in models alone."""

import jax
import numpy as np
import numpyro.distributions as borrowed
import pandas as pd
import pytest
import xarray as xr

import finetti as ft

ROOT = [[1.0, 0.0], [0.5, 1.0]]
MADE = {
    "Normal": lambda c: ft.Normal(c([0.0, 1.0]), c([1.0, 2.0])),
    "HalfNormal": lambda c: ft.HalfNormal(c([1.0, 2.0])),
    "StudentT": lambda c: ft.StudentT(c([3.0, 4.0]), c([0.0, 1.0]), 1.0),
    "Gamma": lambda c: ft.Gamma(c([1.0, 2.0]), c([1.0, 2.0])),
    "Beta": lambda c: ft.Beta(c([1.0, 2.0]), c([1.0, 2.0])),
    "BetaBinomial": lambda c: ft.BetaBinomial(c([1.0, 2.0]), c([1.0, 2.0]), 9),
    "Poisson": lambda c: ft.Poisson(c([1.0, 2.0])),
    "Bernoulli": lambda c: ft.Bernoulli(c([0.1, 0.2])),
    "Bernoulli, logits": lambda c: ft.Bernoulli(logits=c([0.1, 0.2])),
    "Binomial": lambda c: ft.Binomial(c([10, 3]), c([0.1, 0.2])),
    "Dirichlet": lambda c: ft.Dirichlet(c([1.0, 2.0])),
    "Categorical": lambda c: ft.Categorical(c([0.1, 0.9])),
    "Multinomial": lambda c: ft.Multinomial(5, c([0.1, 0.9])),
    "MultivariateNormal": lambda c: ft.MultivariateNormal(c([0.1, 0.9]), scale_tril=c(ROOT)),
    "Uniform": lambda c: ft.Uniform(c([0.0, 1.0]), c([1.0, 2.0])),
    "Exponential": lambda c: ft.Exponential(c([1.0, 2.0])),
    "LogNormal": lambda c: ft.LogNormal(c([1.0, 2.0]), 1.0),
    "TruncatedNormal": lambda c: ft.TruncatedNormal(c([1.0, 2.0]), 1.0, low=c([0.0, 0.0])),
    "NegativeBinomial2": lambda c: ft.NegativeBinomial2(c([1.0, 2.0]), c([1.0, 2.0])),
    "Pareto": lambda c: ft.Pareto(c([1.0, 2.0]), c([1.0, 2.0])),
    "OrderedLogistic": lambda c: ft.OrderedLogistic(0.3, c([1.0, 2.0])),
    "ZeroInflatedPoisson": lambda c: ft.ZeroInflatedPoisson(c([0.1, 0.2]), c([1.0, 2.0])),
    "nested": lambda c: ft.Normal(c([0.0, 1.0]), 1.0).mask(np.array([True, False])),
}


def deep(kind, values):
    return kind(deep(kind, v) if isinstance(v, list) else v for v in values)


def log_density(made, value):
    @ft.model
    def one():
        ft.sample("x", made())

    site = one().condition(x=value).trace()["x"]
    return float(site.distribution.log_prob(site.value).sum())


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("name", MADE)
@pytest.mark.usefixtures("float64")
def test_a_list_is_taken_as_the_array_of_its_numbers(name, kind):
    make = MADE[name]
    value = np.asarray(make(np.asarray).sample(jax.random.key(1)))
    expected = log_density(lambda: make(np.asarray), value)
    assert np.isfinite(expected)
    assert log_density(lambda: make(lambda v: deep(kind, v)), value) == expected


def test_a_list_may_hold_other_sites():
    @ft.model
    def pair():
        a = ft.sample("a", ft.Normal(0, 1))
        ft.sample("x", ft.StudentT([3.0, 4.0], [a, 2 * a], 1.0))

    sites = pair().trace(seed=0)
    a = float(sites["a"].value)
    np.testing.assert_allclose(sites["x"].distribution.loc, [a, 2 * a], rtol=1e-6)


def test_a_distribution_that_was_made_before_the_model_may_hold_lists():
    prior = ft.Normal([0.0, 1.0], [1.0, 2.0])

    @ft.model
    def one():
        ft.sample("x", prior)

    assert one().variables[0].shape == (2,)
    assert "Normal([0, 1], [1, 2])" in str(one().plan())


def test_elsewhere_numpyro_is_as_it_was():
    with pytest.raises(TypeError):
        borrowed.StudentT([3.0, 4.0])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ft.StudentT([3.0, 4.0], nothing=1.0), "StudentT takes df, loc, scale: .*nothing"),
        (lambda: ft.Normal(mu=0, sigma=1), "Normal takes loc, scale: got an unexpected .*'mu'"),
        (lambda: ft.Normal("b", 1.0), "ft.Normal has loc = 'b': give it numbers"),
        (lambda: ft.Normal(None, 1.0), "ft.Normal has loc = None"),
        (lambda: ft.Normal(ft.Normal(0, 1), 1.0), "loc = the distribution Normal: .*ft.sample"),
        (lambda: ft.Poisson(np.array(["3"])), "ft.Poisson has rate = .*give it numbers"),
        (lambda: ft.Bernoulli("p"), "ft.Bernoulli has probs = 'p'"),
        (lambda: ft.Dirichlet(1.0), "line .* of test_listed.py .*must be at least one-dim"),
        (lambda: ft.MultivariateNormal(np.zeros(2)), "line .* of test_listed.py .*scale_tril"),
    ],
)
def test_what_no_distribution_takes_is_refused_in_a_sentence(make, said):
    with pytest.raises(ft.ModelError, match=said):
        ft.Model(lambda: ft.sample("x", make()) is None, "one")().plan()


@pytest.mark.parametrize("column", [pd.Series([1.0, 2.0], [7, 9]), xr.DataArray([1.0, 2.0])])
def test_a_column_is_taken_as_an_array(column):
    made = ft.Model(lambda: ft.sample("x", ft.StudentT(3.0, column, 1)) is None, "one")()
    assert "StudentT(3, [1, 2], 1)" in str(made.plan())


@pytest.mark.parametrize(
    "values", [[[1.0, 2.0], [3.0]], ["a", "b"], [3.0, None]], ids=["ragged", "words", "nothing"]
)
@pytest.mark.parametrize("family", ["Normal", "StudentT"])
def test_a_list_of_anything_else_is_refused_by_the_argument(family, values):
    @ft.model
    def one():
        ft.sample("x", getattr(ft, family)(values, 1.0))

    argument = {"Normal": "loc", "StudentT": "df"}[family]
    with pytest.raises(ft.ModelError, match=f"ft.{family} has {argument} = .*must hold numbers"):
        one().plan()
