"""Whatever is asked of a fit, rows that are missing, masked or weigh nothing count as if absent."""

import warnings
from functools import cache

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import finetti as ft
from criticism.by_hand import posterior_of
from finetti.criticism.calibrating import simulate
from finetti.inference.many import batches
from finetti.posterior.evaluate import log_likelihood

TREE = np.repeat(list("abcdef"), 4)
RANDOM = np.random.default_rng(5)
SIZE = RANDOM.normal(size=24)
WHOLE = 0.5 * SIZE + np.repeat(RANDOM.normal(size=6), 4) + RANDOM.normal(size=24)
GONE = np.zeros(24, bool)
GONE[[2, 7, 9, 17, 18, 19, 20, 21, 22, 23]] = True  # one apple of e is left, none of f
WEIGHED = np.where(GONE, np.nan, WHOLE)
EVERY = ft.groups(TREE, list("abcdef"))
FEW = ft.Automatic(draws=150, warmup=50, chains=2)


@ft.model
def orchard(tree, size, weight, times=1.0):
    """All is normal with known spreads, so that draws are independent and alike for equal data."""
    b = ft.sample("b", ft.Normal(0.0, 2.0))
    with ft.plate("tree", tree):
        u = ft.sample("u", ft.Normal(0.0, 1.0))
    with ft.plate("apple", len(size)):
        law = ft.Normal(b * size + u[tree], 1.0)
        ft.sample("weight", law if np.ndim(times) == 0 else ft.Weighted(law, times), obs=weight)


MODELS = {
    "imputed": lambda: orchard.missing("impute")(EVERY, SIZE, WEIGHED),
    "masked": lambda: orchard(EVERY, SIZE, WHOLE).leave_out(weight=GONE),
    "weightless": lambda: orchard(EVERY, SIZE, WHOLE, 1.0 - GONE),
    "absent": lambda: orchard(EVERY[~GONE], SIZE[~GONE], WHOLE[~GONE]),
}


@cache
def fitted(way: str) -> ft.Posterior:
    return ft.fit(MODELS[way](), FEW, seed=3, progress=False)


def scored(found: ft.Elpd) -> list:
    return [found.pointwise, found.se, found.p, len(found.refitted), len(found.unreliable)]


def checked(found) -> list:
    """The data's quantities; replicates are other draws. A row gone has no part in them."""
    return [[o.observed for o in found.outcomes], len(found.pits[0].values)]


VERBS = {
    "draws": lambda p: [p["b"], p["u"]],
    "log_likelihood": lambda p: [p.log_likelihood()["weight"].to_numpy()],
    "loo": lambda p: scored(ft.loo(p, refits=1)),
    "kfold": lambda p: scored(ft.kfold(p, 2, seed=1)),
    "kfold by a plate": lambda p: scored(ft.kfold(p, 2, by="tree", seed=1)),
    "sensitivity": lambda p: [ft.sensitivity(p).table.to_numpy()],
    "r_squared": lambda p: list(ft.r_squared(p).draws.values()),
    "variance_shares": lambda p: list(ft.variance_shares(p).draws.values()),
    "icc": lambda p: list(ft.icc(p).draws.values()),
    "shrinkage": lambda p: [ft.shrinkage(p)["u"]],
    "rank": lambda p: [ft.rank(p, "tree").ranks[n] for n in ("expected", "best")],
    "summary": lambda p: [p.summary().to_numpy()],
    "advice": lambda p: [len(p.advice())],
}
QUICK = ("log_likelihood", "loo", "kfold by a plate")
CASES = [
    pytest.param(v, w, marks=() if v in QUICK and w == "imputed" else pytest.mark.slow)
    for v in VERBS
    for w in MODELS
    if w != "absent"
]


@pytest.mark.parametrize(("verb", "way"), CASES)
def test_rows_that_are_gone_change_no_answer(verb, way):
    ask = VERBS[verb]
    for found, expected in zip(ask(fitted(way)), ask(fitted("absent")), strict=True):
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6, atol=1e-9)


def test_a_check_looks_at_what_is_known():
    found, expected = (checked(ft.check(fitted(w), groups="tree")) for w in ("imputed", "absent"))
    assert found[1] == expected[1] == 14
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    by_row = ft.check(fitted("imputed"), groups=TREE)  # a column with a value for each row
    assert {o.member for o in by_row.outcomes} == {"", *"abcde"}


def test_models_with_and_without_the_rows_are_compared():
    found = ft.compare({w: ft.loo(fitted(w), refits=0) for w in ("imputed", "absent", "masked")})
    np.testing.assert_allclose(found.table["diff"], 0.0, atol=1e-9)


def test_folds_by_a_column_are_of_what_is_known():
    column = np.where(np.arange(24) % 2, "odd", "even")
    column[GONE] = np.where(np.arange(GONE.sum()) % 2, "none left", column[GONE])
    found = ft.kfold(fitted("imputed"), by=column, seed=2)
    expected = ft.kfold(fitted("absent"), by=column[~GONE], seed=2)
    assert found.labels == expected.labels == ["group[even]", "group[odd]"]
    np.testing.assert_allclose(found.pointwise, expected.pointwise, rtol=1e-6)


# sites of several dimensions

TABLE = WHOLE.reshape(6, 4)
HOLES = GONE.reshape(6, 4)


@ft.model
def table(y):
    mu = ft.sample("mu", ft.Normal(0.0, 2.0))
    with ft.plate("tree", list("abcdef")):
        u = ft.sample("u", ft.Normal(0.0, 1.0))
        with ft.plate("branch", 4):
            ft.sample("y", ft.Normal(mu + u[:, None], 1.0), obs=y)


def test_tables_with_holes_are_scored_as_their_rows():
    model = table.missing("impute")(np.where(HOLES, np.nan, TABLE))
    posterior = ft.fit(model, FEW, seed=3, progress=False)
    found = ft.loo(posterior, refits=0)
    assert found.pointwise.size == 14
    assert found.labels[:3] == ["y[a, 0]", "y[a, 1]", "y[a, 3]"]
    terms = log_likelihood(model, posterior.tree)["y"].to_numpy()[:, :, ~HOLES]
    np.testing.assert_array_equal(posterior.log_likelihood()["y"], terms)
    assert "y[e, 0]" in found.unreliable  # all there is of e
    assert ft.kfold(posterior, 2, seed=1).pointwise.size == 14
    assert ft.kfold(posterior, 2, by="tree", seed=1).labels == [f"tree[{t}]" for t in "abcde"]
    assert len(ft.check(posterior).pits[0].values) == 14


# what is simulated, and what is left of groups


@pytest.mark.slow
def test_models_that_impute_are_calibrated_with_the_holes_of_their_data():
    """A mean of 14 numbers of 24 is known to 1 / sqrt(14 + 1/4), and predictors are sites."""

    @ft.model
    def level(y):
        mu = ft.sample("mu", ft.Normal(0.0, 2.0))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Normal(mu, 1.0), obs=y)

    model = level.missing("impute")(WEIGHED)
    drawn = simulate.from_prior(model, 20, 0)
    job = batches(model, drawn.observed, ft.NUTS(draws=500, chains=2), model.plan(), 1)
    fits = job.fit(np.arange(20))
    assert fits is not None
    spread = fits.values(("mu",), 1000)["mu"].std(1)
    error = 1 / np.sqrt(2 * 20 * 1000)
    assert abs(spread.mean() * np.sqrt(14.25) - 1) < 4 * error


def regression(x, y):
    m, b = ft.sample("m", ft.Normal(0.0, 2.0)), ft.sample("b", ft.Normal(0.0, 2.0))
    with ft.plate("row", len(x)):
        x = ft.sample("x", ft.Normal(m, 1.0), obs=x)
        ft.sample("y", ft.Normal(b * x, 1.0), obs=y)


def pairs(y):
    m = ft.sample("m", ft.Normal(0.0, 2.0).expand([2]).to_event(1))
    with ft.plate("row", len(y)):
        y = ft.sample("y", ft.MultivariateNormal(m, jnp.array([[1.0, 0.6], [0.6, 1.0]])), obs=y)
        ft.sample("z", ft.Normal(y.sum(-1), 1.0), obs=np.zeros(len(y)))


X = np.array([1.0, np.nan, 2.0, 0.3, 1.2, -0.4, 0.7, 1.6, 0.2, np.nan])


def test_values_that_are_missing_are_simulated_as_what_others_read():
    model = ft.model(regression).missing("impute")(X, np.zeros(10))
    drawn = simulate.from_prior(model, 400, 1)
    assert drawn.latent["x_missing"].shape == (400, 2)
    x = drawn.observed["x"].copy()
    x[:, np.isnan(X)] = drawn.latent["x_missing"]
    away = drawn.observed["y"] - drawn.latent["b"][:, None] * x
    assert abs(np.square(away).mean() - 1) < 4 * np.sqrt(2 / away.size)


@pytest.mark.parametrize("x", [[np.nan, np.nan], [np.nan, 1.0]])
def test_rows_are_predicted_whether_one_or_all_lack_a_predictor(x):
    """It is drawn as its law says: with m = 3 and b = 2 the outcome has mean 6 and variance 5."""
    model = ft.model(regression).missing("impute")(X, np.zeros(10))
    draws = {"m": np.full((2, 1000), 3.0), "b": np.full((2, 1000), 2.0)}
    posterior = posterior_of(model, **draws, x_missing=np.zeros((2, 1000, 2)))
    found = ft.predict(posterior, {"x": np.array(x)})["predictions"]["y"].to_numpy()[..., 0]
    assert abs(found.mean() - 6) < 4 * np.sqrt(5 / 2000)
    assert abs(found.var() - 5) < 4 * 5 * np.sqrt(2 / 2000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "data"),
    [(regression, (X, np.where(np.isnan(X[::-1]), 0.4, X[::-1]))), (pairs, (X.reshape(5, 2),))],
)
def test_values_of_predictors_that_are_missing_are_calibrated_as_sites(function, data):
    model = ft.model(function).missing("impute")(*data)
    found = ft.calibrate(model, ft.NUTS(draws=100, warmup=50, chains=2), simulations=60, seed=2)
    assert {n for n in found.ranks if str(n).endswith("_missing")}
    assert found.passed, str(found)


def dropping(model, *data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.missing("drop")(*data)


def test_a_group_that_loses_all_rows_is_lost():
    model = dropping(orchard, EVERY, SIZE, WEIGHED)
    assert next(p for v in model.variables for p in v.plates).labels == tuple("abcde")
    given = (ft.groups(TREE, list("xabcdef")), SIZE, WEIGHED)  # x never had any
    assert next(p for v in dropping(orchard, *given).variables for p in v.plates).size == 6
    ordered = pd.Series(pd.Categorical(TREE, list("fedcba")))
    model = dropping(orchard, ordered, SIZE, WEIGHED)
    assert next(p for v in model.variables for p in v.plates).labels == tuple("edcba")


def test_a_group_stays_where_others_share_its_labels_or_something_has_a_value_for_each():
    @ft.model
    def games(home, away, y, height=None):
        with ft.plate("team", home):
            skill = ft.sample("skill", ft.Normal(0.0, 1.0))
        level = skill if height is None else skill + height
        with ft.plate("game", len(y)):
            ft.sample("y", ft.Normal(level[home] - level[away], 1.0), obs=y)

    def teams(away, *more):
        columns = (ft.groups(list(column), list("abc")) for column in ("aabbc", away))
        model = dropping(games, *columns, np.array([1.0, 2.0, 3.0, 4.0, np.nan]), *more)
        return next(p for v in model.variables for p in v.plates).labels

    assert teams("bbaaa") == ("a", "b")  # the only game of c is gone
    assert teams("bccca") == ("a", "b", "c")  # c has others, away
    assert teams("bbaaa", np.arange(3.0)) == ("a", "b", "c")  # each has a height
