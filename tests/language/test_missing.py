"""What observed variables lack is refused, dropped or imputed: exactly, by closed forms."""

import warnings
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm, poisson

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.posterior.evaluate import run_at

Y = np.array([1.0, np.nan, 3.0, 0.5, np.nan])
FORMS = {
    "NaN": Y,
    "None": [1.0, None, 3.0, 0.5, None],
    "masked": np.ma.masked_invalid(Y),
    "masked whole numbers": np.ma.masked_equal([1, -9, 3, 0, -9], -9),
    "objects": np.array([1.0, None, 3.0, 0.5, np.nan], object),
    "pandas": pd.Series(Y),
    "pandas NA": pd.Series([1, pd.NA, 3, 0, pd.NA], dtype="Int64"),
    "pandas NA among objects": pd.Series([1.0, pd.NA, 3.0, 0.5, None], dtype=object),
    "polars": pl.Series([1.0, None, 3.0, 0.5, float("nan")]),
    "jax": jnp.asarray(Y),
}
if find_spec("pyarrow"):
    import pyarrow as pa

    FORMS["arrow"] = pa.chunked_array([[1.0, None, 3.0], [0.5, None]])
each_form = pytest.mark.parametrize("form", FORMS)


@ft.model
def level(y):
    mu = ft.sample("mu", ft.Normal(0.0, 5.0))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(mu, 1.0), obs=y)


@ft.model
def around(y=None):
    mu = ft.sample("mu", ft.Normal(0.0, 5.0))
    with ft.plate("row", 5):
        ft.sample("y", ft.Normal(mu, 1.0), obs=y)


def evidence(model):
    """The log density of a model whose latent sites are all integrated or summed out."""
    with jax.enable_x64(True):
        found = ft.density(model, model.plan())
        assert found.dim == 0, str(model.plan())
        return float(found.log_density(jnp.zeros(0)))


def dropped(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model()


@each_form
def test_what_lacks_values_is_refused_with_their_number_and_both_remedies(form):
    data = FORMS[form]
    for refused in (
        lambda: level(data).plan(),
        lambda: around().condition(y=data).plan(),
        lambda: ft.model(lambda: ft.sample("y", ft.Normal(0.0, 1.0), obs=data))().plan(),
    ):
        with pytest.raises(ft.MissingValue, match=r'2 .*missing\("drop"\).*missing\("impute"\)'):
            refused()


@each_form
def test_what_is_imputed_counts_as_what_is_known_alone(form):
    data = FORMS[form]
    known = np.array([1, 3, 0]) if form in ("masked whole numbers", "pandas NA") else Y[[0, 2, 3]]
    expected = multivariate_normal(np.zeros(3), 25 + np.eye(3)).logpdf(known)
    given = level.missing("impute")(data)
    conditioned = around().missing("impute").condition(y=data)
    for model in (given, conditioned):
        assert evidence(model) == pytest.approx(expected, rel=1e-12)
        shown = next(v.shown for v in model.variables if v.name == "y")
        np.testing.assert_array_equal(np.isnan(shown), [False, True, False, False, True])


@each_form
def test_rows_that_lack_values_are_dropped_and_counted(form):
    data = FORMS[form]
    with pytest.warns(UserWarning, match=r"2 of 5 rows lack a value \(`y` 2\)"):
        model = level.missing("drop")(data)
    plain = np.asarray([1.0, 3.0, 0.5 if "whole" not in form and form != "pandas NA" else 0.0])
    assert evidence(model) == pytest.approx(evidence(level(plain)), rel=1e-12)


def test_what_has_as_many_rows_loses_the_same_ones_and_nothing_else_does():
    seen = {}

    @ft.model
    def of(x, table, group, names, y, other, number):
        seen.update(x=x, table=table, group=group, names=names, y=y, other=other)
        ft.sample("mu", ft.Normal(number, 1.0))

    x, table = np.array([1.0, 2.0, np.nan, 4.0]), np.arange(8.0).reshape(4, 2)
    with pytest.warns(UserWarning, match="`x` 1, `names` 1"):
        model = of.missing("drop")(
            x,
            table,
            group=ft.groups(["a", "b", "a", "c"]),
            names=pd.Series(["p", "q", "r", None]),
            y=[0, 1, 1, 0],
            other=np.zeros(3),
            number=2.0,
        )
    model.plan()
    assert seen["x"].tolist() == [1, 2]
    assert seen["table"].tolist() == [[0, 1], [2, 3]]
    assert seen["group"].names.tolist() == ["a", "b"]
    assert seen["names"].names.tolist() == ["p", "q"]
    assert list(seen["y"]) == [0, 1]
    assert len(seen["other"]) == 3


def test_dropping_reaches_arguments_from_what_is_conditioned_on():
    @ft.model
    def line(x):
        b = ft.sample("b", ft.Normal(0.0, 1.0))
        with ft.plate("row", len(x)):
            ft.sample("y", ft.Normal(b * x, 1.0))

    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    model = dropped(lambda: line.missing("drop")(x).condition(y=Y))
    whole = line(x[[0, 2, 3]]).condition(y=Y[[0, 2, 3]])
    assert evidence(model) == pytest.approx(evidence(whole), rel=1e-12)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": [1.0, None], "b": [1.0, None, 2.0]}, "2 and 3 rows"),
        ({"a": [None, 1.0], "b": [1.0, None]}, "every row lacks a value"),
    ],
)
def test_rows_that_cannot_be_dropped_are_refused(columns, said):
    of = ft.model(lambda a, b: ft.sample("mu", ft.Normal(0.0, 1.0)))
    with pytest.raises(ft.MissingValue, match=said):
        of.missing("drop")(**columns)


HOLED = np.array([[1.0, 2.0], [np.nan, 1.0], [0.5, np.nan], [2.0, 3.0], [np.nan, np.nan]])
S = np.array([[1.0, 0.6], [0.6, 2.0]])


@ft.model
def pairs(y):
    mu = ft.sample("mu", ft.Normal(0.0, 5.0).expand([2]).to_event(1))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.MultivariateNormal(mu, jnp.asarray(S)), obs=y, dims={"what": ["a", "b"]})


@pytest.mark.parametrize("apart", [False, True])
def test_normal_vectors_count_by_what_is_known_of_each(apart):
    """The known entries of all rows are one normal vector, mu being common to the rows."""
    known = ~np.isnan(HOLED.ravel())
    covariance = 25 * np.kron(np.ones((5, 5)), np.eye(2)) + np.kron(np.eye(5), S)
    one = multivariate_normal(np.zeros(known.sum()), covariance[np.ix_(known, known)])
    model = pairs.missing("impute")(HOLED)
    if apart:  # a covariance for each row
        model = ft.model(_by_row).missing("impute")(HOLED)
    assert evidence(model) == pytest.approx(one.logpdf(HOLED.ravel()[known]), rel=1e-10)


def _by_row(y):
    mu = ft.sample("mu", ft.Normal(0.0, 5.0).expand([2]).to_event(1))
    root = jnp.broadcast_to(jnp.linalg.cholesky(jnp.asarray(S)), (5, 2, 2))
    with ft.plate("row", 5):
        ft.sample("y", ft.MultivariateNormal(mu, scale_tril=root), obs=y)


OWN = ("y", "y_missing")


def test_what_is_missing_of_normal_vectors_has_the_conditional_law():
    def summed(y):
        mu = ft.sample("mu", ft.Normal(0.0, 5.0).expand([2]).to_event(1))
        with ft.plate("row", len(y)):
            y = ft.sample("y", ft.MultivariateNormal(mu, jnp.asarray(S)), obs=y)
        ft.deterministic("sum", y.sum(-1))

    mu, at = np.array([0.3, 0.2]), np.array([0.7, -1.0, 0.1, 0.4])
    model = ft.model(summed).missing("impute")(HOLED)
    whole = HOLED.copy()
    whole[np.isnan(HOLED)] = at

    @compiled(ONCE)
    def look():
        sites = run_at(model, {"mu": mu, "y_missing": at})
        terms = [jnp.sum(s.distribution.log_prob(s.value)) for s in map(sites.get, OWN)]
        return sum(terms), sites["sum"].value

    with jax.enable_x64(True):
        joint, total = map(np.asarray, look())
    assert joint == pytest.approx(multivariate_normal(mu, S).logpdf(whole).sum(), rel=1e-10)
    np.testing.assert_allclose(total, whole.sum(-1), rtol=1e-12)
    hole = next(v for v in model.variables if v.name == "y_missing").axes[0]
    assert list(hole.labels) == ["1, 0", "2, 1", "4, 0", "4, 1"]


def test_draws_of_what_is_missing_are_of_the_posterior_predictive():
    """Row 1 lacks its first entry: normal given its second and mu, whose posterior is normal."""
    known = ~np.isnan(HOLED.ravel())
    prior = 25 * np.kron(np.ones((5, 5)), np.eye(2)) + np.kron(np.eye(5), S)
    seen, holes = np.ix_(known, known), np.ix_(~known, known)
    gain = prior[holes] @ np.linalg.inv(prior[seen])
    mean = gain @ HOLED.ravel()[known]
    spread = np.sqrt(np.diag(prior[np.ix_(~known, ~known)] - gain @ prior[holes].T))
    posterior = ft.fit(
        pairs.missing("impute")(HOLED), ft.Automatic(draws=1000), seed=3, progress=False
    )
    assert "y_missing" not in posterior.tree["posterior"]
    tree = ft.predict(posterior, seed=4)
    found = tree["missing"]["y_missing"]
    assert found.y_hole.values.tolist() == ["1, a", "2, b", "4, a", "4, b"]
    count = found.sizes["chain"] * found.sizes["draw"]  # independent: everything is integrated out
    assert (np.abs(found.mean(("chain", "draw")) - mean) < 4 * spread / np.sqrt(count)).all()
    assert (np.abs(found.std(("chain", "draw")) / spread - 1) < 4 / np.sqrt(2 * count)).all()
    assert np.isnan(tree["observed_data"]["y"]).sum() == 4


def test_a_normal_predictor_is_integrated_out_given_the_rest():
    """A row that lacks x has y ~ N(a + b m, s^2 + b^2 t^2)."""
    x, y = np.array([1.0, np.nan, 2.0, 0.3]), np.array([1.0, 2.0, np.nan, 1.5])
    m, t, a, b, s = 0.4, 1.3, 0.2, -0.7, 0.9

    @ft.model
    def line(x, y):
        with ft.plate("row", len(x)):
            x = ft.sample("x", ft.Normal(m, t), obs=x)
            ft.sample("y", ft.Normal(a + b * x, s), obs=y)

    expected = norm(m, t).logpdf(x[[0, 2, 3]]).sum() + norm(a + b * x, s).logpdf(y)[[0, 3]].sum()
    expected += norm(a + b * m, np.hypot(s, b * t)).logpdf(y[1])
    assert evidence(line.missing("impute")(x, y)) == pytest.approx(expected, rel=1e-12)


def test_a_discrete_predictor_is_summed_out():
    x, y = np.array([1.0, np.nan, 0.0, np.nan]), np.array([1.0, 2.0, 0.5, 1.5])
    p, a, b = 0.3, 0.2, 1.7

    @ft.model
    def line(x, y):
        with ft.plate("row", len(x)):
            x = ft.sample("x", ft.Bernoulli(p), obs=x)
            ft.sample("y", ft.Normal(a + b * x, 1.0), obs=y)

    model = line.missing("impute")(x, y)
    each = np.log([1 - p, p]) + norm(a + b * np.array([0, 1]), 1).logpdf(y[:, None])
    chosen = [each[0, 1], logsumexp(each[1]), each[2, 0], logsumexp(each[3])]
    assert evidence(model) == pytest.approx(sum(chosen), rel=1e-12)


DISASTERS = np.ma.masked_equal(
    [4, 5, 4, 0, 1, 4, 3, 4, 0, 6, 3, 3, 4, 0, 2, 6, 3, 3, 5, 4, 5, 3, 1, 4, 4, 1, 5, 5, 3, 4, 2,
     5, 2, 2, 3, 4, 2, 1, 3, -9, 2, 1, 1, 1, 1, 3, 0, 0, 1, 0, 1, 1, 0, 0, 3, 1, 0, 3, 2, 2, 0,
     1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 1, 1, 0, 2, 3, 3, 1, -9, 2, 1, 1, 1, 1, 2, 4,
     2, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1], -9
)  # fmt: skip


def test_disasters_in_coal_mines_two_years_of_which_are_masked():
    """PyMC2's first example: rates early and late with a gamma prior, the year of the switch."""
    years = np.arange(len(DISASTERS))

    @ft.model
    def mines(count):
        switch = ft.sample("switch", ft.DiscreteUniform(0, 110))
        early, late = (ft.sample(n, ft.Exponential(1.0)) for n in ("early", "late"))
        with ft.plate("year", (1851 + years).tolist()):
            ft.sample("count", ft.Poisson(jnp.where(years < switch, early, late)), obs=count)

    model = mines.missing("impute")(DISASTERS)
    early, late = 3.1, 0.9
    fixed = model.substitute(early=early, late=late)
    rates = np.where(years < np.arange(111)[:, None], early, late)
    each = np.where(DISASTERS.mask, 0.0, poisson.logpmf(DISASTERS.filled(0), rates)).sum(1)
    expected = logsumexp(each) - np.log(111) - early - late
    assert evidence(fixed) == pytest.approx(expected, rel=1e-12)
    hole = next(v for v in model.whole().variables if v.name == "count_missing").plates[0]
    assert hole.labels == (1890, 1934)


LAWS = {
    "Binomial": lambda: ft.Binomial(jnp.array([4, 4, 3, 4, 1]), 0.3),
    "Poisson": lambda: ft.Poisson(jnp.arange(1.0, 6)),
    "Categorical": lambda: ft.Categorical(logits=jnp.arange(20.0).reshape(5, 4) / 9),
    "NegativeBinomial2": lambda: ft.NegativeBinomial2(jnp.arange(1.0, 6), 3.0),
    "ZeroInflatedPoisson": lambda: ft.ZeroInflatedPoisson(0.2, jnp.arange(1.0, 6)),
    "OrderedLogistic": lambda: ft.OrderedLogistic(jnp.arange(5.0), jnp.array([-1.0, 1.0])),
    "Gamma": lambda: ft.Gamma(2.0, jnp.arange(1.0, 6)),
    "LogNormal": lambda: ft.LogNormal(0.0, jnp.arange(1.0, 6)),
    "Beta": lambda: ft.Beta(2.0, jnp.arange(1.0, 6)),
    "StudentT": lambda: ft.StudentT(3.0, jnp.arange(5.0), 1.0),
    "Uniform": lambda: ft.Uniform(0.0, jnp.arange(1.0, 6)),
    "Truncated": lambda: ft.Truncated(ft.Normal(0.0, 1.0), low=jnp.linspace(0, 0.4, 5)),
    "Censored": lambda: ft.Censored(ft.Normal(0.0, 1.0), high=jnp.arange(1.0, 6)),
    "Weighted": lambda: ft.Weighted(ft.Normal(0.0, 1.0), jnp.arange(1.0, 6)),
    "masked": lambda: ft.Normal(jnp.arange(5.0), 1.0).mask(np.array([True] * 4 + [False])),
    "Mixture": lambda: ft.MixtureSameFamily(
        ft.Categorical(jnp.array([0.3, 0.7])), ft.Normal(jnp.array([0.0, 1.0]), jnp.ones((5, 2)))
    ),
    "Dirichlet": lambda: ft.Dirichlet(jnp.arange(1.0, 11).reshape(5, 2)),
    "Multinomial": lambda: ft.Multinomial(2, jnp.ones((5, 2)) / 2),
    "Independent": lambda: ft.Normal(jnp.arange(10.0).reshape(5, 2), 1.0).to_event(1),
}


FAST = ("Binomial", "Gamma", "Truncated", "Mixture", "Dirichlet", "Independent")


@pytest.mark.parametrize(
    "name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in LAWS]
)
def test_any_law_is_parted_into_what_is_known_and_the_rest(name):
    """What is known counts as before, what is missing as that row of the law."""
    with jax.enable_x64(True):
        law = LAWS[name]()
        whole = np.full((5, *law.event_shape), 1.0 if law.support.is_discrete else 0.5)
        holed = whole.copy()
        holed[[2, 4]] = np.nan

        def of():
            with ft.plate("row", 5):
                y = ft.sample("y", LAWS[name](), obs=holed)
            ft.deterministic("read", y * 1.0)

        model = ft.model(of).missing("impute")()

        @compiled(ONCE)
        def look():
            sites = run_at(model, {}, 1)
            y, missing = sites["y"], sites["y_missing"]
            drawn = (
                jnp.asarray(whole)
                .at[jnp.array([2, 4])]
                .set(missing.value.reshape(2, *law.event_shape))
            )
            asked = drawn.astype(int) if law.support.is_discrete else drawn
            each = LAWS[name]().log_prob(asked)
            rest = missing.distribution.log_prob(missing.value)
            seen = y.distribution.log_prob(jnp.asarray(y.value))
            return each, rest, seen, drawn, sites["read"].value

        each, rest, seen, drawn, read = map(np.asarray, look())
    np.testing.assert_allclose(seen[[0, 1, 3]], each[[0, 1, 3]], rtol=1e-12)
    np.testing.assert_allclose(seen[[2, 4]], 0.0)
    assert rest.sum() == pytest.approx(each[[2, 4]].sum(), rel=1e-10)
    np.testing.assert_allclose(read, drawn)


def test_members_of_plates_name_what_is_missing():
    @ft.model
    def grid(y):
        with ft.plate("school", ["A", "B"]), ft.plate("year", [2001, 2002, 2003]):
            y = ft.sample("y", ft.Normal(0.0, 1.0), obs=y)
        ft.deterministic("total", y.sum())

    y = np.array([[1.0, np.nan, 2.0], [np.nan, 1.0, 1.0]])
    model = grid.missing("impute")(y)
    hole = next(v for v in model.variables if v.name == "y_missing").plates[0]
    assert hole.labels == ("A, 2002", "B, 2001")


@ft.model
def raw(x, y):
    b = ft.sample("b", ft.Normal(0.0, 1.0))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(b * x, 1.0), obs=y)


REFUSED = {
    "a predictor without a law": (lambda: raw.missing("impute")(Y, [1.0] * 5), "`x`, of which"),
    "what jax has computed": (
        lambda: ft.model(
            lambda y: ft.sample("y", ft.Normal(ft.sample("m", ft.Normal(0, 1)), 1), obs=jnp.log(y))
        ).missing("impute")(Y),
        "computed by numpy",
    ),
    "a vector in part": (
        lambda: ft.model(
            lambda y: ft.sample("y", ft.Dirichlet(jnp.ones(2)), obs=y)
        ).missing("impute")(np.array([[0.5, 0.5], [np.nan, 0.5]])),
        r"index \(1,\) is missing in part",
    ),
    "no value at all": (lambda: level.missing("impute")([None, None]), "no value at all"),
    "a single number": (
        lambda: ft.model(lambda n: ft.sample("m", ft.Normal(n, 1))).missing("impute")(np.nan),
        "`n` is missing",
    ),
    "names": (lambda: level.missing("impute")(pd.Series(["a", None])), "`y` is missing"),
    "another word": (lambda: level.missing("guess"), "refuse, drop or impute, not 'guess'"),
    "another number of rows": (
        lambda: around().missing("impute").condition(y=Y[:3]),
        "plate `row` has 5 members",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_imputed_is_refused_in_a_sentence(case):
    make, said = REFUSED[case]
    with pytest.raises(ft.ModelError, match=said):
        make().plan()


def test_nested_models_impute_what_the_outer_one_is_given():
    @ft.model
    def inner(y):
        with ft.plate("row", len(y)):
            return ft.sample("y", ft.Normal(0.0, 1.0), obs=y)

    @ft.model
    def outer(y):
        read = inner.named("part").missing("impute")(y)
        ft.sample("z", ft.Normal(read.sum(), 1.0), obs=0.0)

    expected = norm(0, 1).logpdf(Y[[0, 2, 3]]).sum() + norm(4.5, np.sqrt(3)).logpdf(0.0)
    model = outer.missing("impute")(Y)
    assert [v.name for v in model.variables if v.kind == "latent"] == ["part/y_missing"]
    assert evidence(model) == pytest.approx(expected, rel=1e-12)


def test_counts_of_nested_models_that_nothing_reads_are_left_out():
    """A count has no bound to be summed to, and need not be where nothing depends on it."""

    @ft.model
    def inner(y):
        ft.sample("mu", ft.Normal(0.0, 1.0))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Poisson(2.0), obs=y)

    part = inner.named("part").missing("impute")
    model = ft.model(lambda y: part(y)).missing("impute")(FORMS["pandas NA"])
    assert [v.name for v in model.variables] == ["part/mu", "part/y"]
    assert evidence(model) == pytest.approx(poisson(2.0).logpmf([1, 3, 0]).sum(), rel=1e-12)


@pytest.fixture(scope="module")
def fitted():
    @ft.model
    def line(x, y):
        m, b = ft.sample("m", ft.Normal(0.0, 2.0)), ft.sample("b", ft.Normal(0.0, 2.0))
        with ft.plate("row", len(x)):
            x = ft.sample("x", ft.Normal(m, 1.0), obs=x)
            ft.sample("y", ft.Normal(b * x, 1.0), obs=y)

    x = np.array([1.0, np.nan, 2.0, 0.3, 1.2, -0.4, 0.7, 1.6, 0.2, 1.1])
    y = np.array([1.2, 2.0, np.nan, 0.1, 1.0, -0.2, 0.9, 2.2, 0.4, 0.8])
    return ft.fit(line.missing("impute")(x, y), ft.Automatic(draws=500), seed=1, progress=False)


def test_predictors_stay_as_they_are_where_their_outcomes_are_predicted(fitted):
    tree = ft.predict(fitted, seed=2)
    assert set(tree["posterior_predictive"].data_vars) == {"y"}
    assert set(tree["missing"].data_vars) == {"x_missing", "y_missing"}
    drawn = fitted["x_missing"]
    np.testing.assert_array_equal(tree["missing"]["x_missing"], drawn)
    new = ft.predict(fitted, {"x": [100.0, 0.0, None]}, seed=3)["predictions"]
    b = fitted["b"]
    y, count = new["y"], new["y"].sizes["chain"] * new["y"].sizes["draw"]
    noise = 1 / np.sqrt(count)
    assert abs(float((y - 100 * b).isel(row=0).mean())) < 4 * noise
    assert abs(float(y.isel(row=1).mean())) < 4 * noise
    apart = new["x"].isel(row=2) - fitted["m"]  # drawn anew from the law of x
    assert abs(float(apart.mean())) < 4 * noise
    assert abs(float(apart.std()) - 1) < 4 / np.sqrt(2 * count)


def test_checks_and_scores_are_of_what_is_known(fitted):
    found = ft.check(fitted, {"mean": np.mean, "count": np.size})
    known = np.array([1.2, 2.0, 0.1, 1.0, -0.2, 0.9, 2.2, 0.4, 0.8])
    assert {o.site for o in found.outcomes} == {"y"}
    assert float(found.outcomes[0].observed) == pytest.approx(known.mean())
    assert found.outcomes[1].observed == 9
    assert ft.loo(fitted, of="y").pointwise.size == 9


def test_a_run_from_a_file_takes_back_its_model(fitted, tmp_path):
    fitted.save(tmp_path / "run.zarr")
    again = ft.open(tmp_path / "run.zarr").of(fitted.model)
    assert again.model is fitted.model


def test_vectors_missing_in_part_may_be_left_out():
    """A row that is left out counts nothing, others by what is known of them."""
    values = np.array([[0.5, np.nan], [np.nan, 1.0], [0.2, 0.3]])
    root = np.array([[1.0, 0.0], [0.6, 0.8]])

    def of():
        with ft.plate("row", 3):
            ft.sample("y", ft.MultivariateNormal(jnp.zeros(2), scale_tril=root), obs=values)

    model = ft.model(of).missing("impute")().leave_out(y=np.array([True, False, False]))
    with jax.enable_x64(True):
        site = model.trace(0)["y"]
        found = np.asarray(site.distribution.log_prob(jnp.asarray(site.value)))
    both = multivariate_normal(np.zeros(2), root @ root.T).logpdf([0.2, 0.3])
    np.testing.assert_allclose(found, [0.0, norm.logpdf(1.0), both], rtol=1e-6)
