"""A formula of a table in place is the model of its rows: log density, names, priors and plan."""

import numpy as np
import pytest
from tests.scale.rows import described, log_densities, rows

import finetti as ft

CLOSE = 1e-9

CASES = {
    "a level for each group": ("y ~ x + (1 | g)", {}),
    "products of numbers and names": ("y ~ x * f * z + (x || h)", {}),
    "functions of columns": (
        "log(y + 10) ~ log(x) + scale(z) + center(log(x)) + I((x - 2) ** 2) + C(q) + `my x` + t"
        " + (log(x) | f) + (1 | f:q)", {}),
    "a spread with predictors": ("y ~ offset(log(e)) + x; sigma ~ f", {}),
    "weights and no intercept": ("y | weights(w) ~ 0 + f + x:f", {}),
    "yes or no": ("b ~ f + scale(q) + (1 | h)", {"family": "bernoulli"}),
    "truth values": ("t ~ f + q", {}),
    "counts": ("k ~ f + q + (1 | h)", {"family": "poisson"}),
    "counts of exposures": ("k ~ scale(q) + offset(log(e)) + (1 | f)", {"family": "poisson"}),
    "a rate and an offset": ("k | rate(e) ~ f + offset(z)", {"family": "poisson"}),
    "successes": ("p(m, 3) ~ f + (q | h)", {}),
    "any family whose rows repeat": ("k ~ f + mo(q)", {"family": "negbinomial"}),
    "ordered answers": ("q ~ f", {"family": "cumulative"}),
    "two outcomes": ("k ~ f; b ~ h", {"family": {"k": "poisson", "b": "bernoulli"}}),
    "nothing but a level": ("y ~ 1", {}),
}  # fmt: skip
FAST = ("a level for each group", "functions of columns", "yes or no", "counts of exposures")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    file = tmp_path_factory.mktemp("in place") / "rows.parquet"
    rows().write_parquet(file)
    return ft.table(file)


@pytest.mark.parametrize(
    "case", [c if c in FAST else pytest.param(c, marks=pytest.mark.slow) for c in CASES]
)
def test_log_densities_are_those_of_the_rows_constants_included(case, place):
    text, settings = CASES[case]
    of_rows, of_sums = (ft.formula(text, d, **settings) for d in (rows(), place))
    assert described(of_rows) == described(of_sums)
    expected, found = log_densities(of_rows, of_sums)
    np.testing.assert_allclose(found, expected, rtol=CLOSE)


@pytest.mark.parametrize(
    "case",
    ["a level for each group", *(pytest.param(c, marks=pytest.mark.slow) for c in FAST[1:])],
)
def test_the_plan_is_that_of_the_rows(case, place):
    text, settings = CASES[case]
    made = [ft.formula(text, d, **settings).plan() for d in (rows(), place)]
    assert [r.name for r in made[0].rewrites] == [r.name for r in made[1].rewrites]
    assert "SELECT" in str(made[1])
    assert "600 rows of" in str(made[1])


def test_few_rows_come():
    found = ft.formula("y ~ x + (1 | h)", rows().lazy())
    (y,) = [v for v in found.variables if v.kind == "observed"]
    assert y.shape == (2 * 3,)  # of each group the corners of a simplex in x and y
    assert y.weights is not None
    assert y.weights.sum() == pytest.approx(600, rel=1e-14)


@pytest.mark.slow
def test_posteriors_are_alike(place):
    text = "y ~ x + (1 | g)"
    fits = [ft.fit(ft.formula(text, d), seed=3, progress=False) for d in (rows(), place)]
    first, second = (fit.summary() for fit in fits)
    assert list(first.index) == list(second.index)
    error = np.hypot(first["mcse_mean"], second["mcse_mean"])
    assert (np.abs(first["mean"] - second["mean"]) < 5 * error).all()
    assert np.allclose(first["sd"], second["sd"], rtol=0.1)


@pytest.mark.slow
def test_what_is_asked_of_a_posterior_is_that_of_the_rows(place):
    text = "y ~ x + f + (1 | g)"
    fits = [ft.fit(ft.formula(text, d), seed=3, progress=False) for d in (rows(), place)]
    for ask in (ft.r_squared, ft.icc, lambda p: ft.effects(p, "f").table("predictions")):
        first, second = (ask(fit).frame for fit in fits)
        error = np.hypot(first["mcse_mean"], second["mcse_mean"])
        assert (np.abs(first["mean"] - second["mean"]) < 5 * error).all()
    grids = [ft.effects(fit, "x").predictions["x"].to_numpy() for fit in fits]
    np.testing.assert_allclose(*grids)
    new = rows().head(3)
    means = [ft.predict(fit, new)["predictions"]["y"].mean(("chain", "draw")) for fit in fits]
    assert (np.abs(means[0] - means[1]) < 5 * np.sqrt(2) * 1.2 / np.sqrt(3000)).all()
    for ask in (ft.loo, ft.kfold, ft.check, ft.predict):
        with pytest.raises(ft.ModelError, match="single rows"):
            ask(fits[1])
