"""New rows get the columns that the fit's rows would have: transformations remember the fit."""

import numpy as np
import pytest
from tests.formulas.table import table
from tests.formulas.test_by_hand import CASES, MATRIX

import finetti as ft

D = table()
W = np.eye(5, k=1) + np.eye(5, k=-1)
TEXTS = [
    *(case.partition(" / ")[0] for case in CASES),
    "y ~ scale(x) + center(z) + poly(x, 3) + bs(z, df=5)",
    "y ~ s(x) + s(z, k=5, bs='cr')",
    "y ~ s(x, k=4, by=f)",
    "y ~ gp(x)",
    "y ~ C(f, Sum) + C(k, Helmert) + factor(k):x",
    "y ~ car(W, gr=g)",
    "y ~ I(x ** 2) + np.exp(z) + log(x) + `x`",
    "y | weights(w) ~ x",
]


def made(text):
    families = {c.partition(" / ")[0]: c.partition(" / ")[2] for c in CASES}
    family = families.get(text) or None
    return ft.formula(text, D, family=family, matrices={"A": MATRIX, "W": W})


@pytest.mark.parametrize("text", dict.fromkeys(TEXTS))
def test_rows_of_the_fit_alone_are_as_they_were_among_all(text):
    model = made(text)
    fitted = model.arguments[1]
    rows = np.array([3, 8, 21, 34])
    again, some = model.reader(D), model.reader(D.iloc[rows])
    assert set(again) == set(fitted)
    for name, value in fitted.items():
        np.testing.assert_allclose(np.asarray(again[name]), np.asarray(value), err_msg=name)
        if np.shape(value)[:1] == (len(D),) and not name.endswith(("_known", "_place")):
            np.testing.assert_allclose(
                np.asarray(some[name]), np.asarray(value)[rows], atol=1e-9, err_msg=name
            )


def test_groups_that_the_fit_has_not_seen_follow_its_own():
    model = made("y ~ x + (1 | g)")
    found = model.reader(D.iloc[:2].assign(g=["new", "q"]))["g"]
    assert found.labels == ("p", "q", "r", "s", "t", "new")
    assert found.codes.tolist() == [5, 1]


def test_outcomes_need_not_be_there_and_predictors_must():
    model = made("y ~ x + (1 | g)")
    assert "y" not in model.reader(D[["x", "g"]])
    with pytest.raises(ft.DataError, match="no column `x`"):
        model.reader(D[["g"]])


@pytest.fixture(scope="module")
def posterior():
    return ft.fit(
        made("y ~ x + (x | g)"), ft.Automatic(draws=200, chains=2), seed=1, progress=False
    )


def test_predictions_follow_the_coefficients(posterior):
    """Their mean lies within 5 standard errors of that of the linear predictor."""
    new = D.iloc[[0, 5]]
    found = ft.predict(posterior, new, seed=2)["predictions"]["y"]
    draws = posterior.draws
    for i, (_, row) in enumerate(new.iterrows()):
        own = draws["g"].sel(g_level=row.g)
        mean = (
            draws["Intercept"] + own.sel(g_term="Intercept")
            + (draws["x"] + own.sel(g_term="x")) * row.x
        )  # fmt: skip
        here = found.isel({found.dims[2]: i})
        noise = float((here - mean).std()) / np.sqrt(here.size)
        assert abs(float((here - mean).mean())) < 5 * noise


def test_new_groups_are_drawn_from_the_population(posterior):
    new = D.iloc[:2].assign(g=["q", "elsewhere"])
    with pytest.raises(ft.DataError, match="elsewhere"):
        ft.predict(posterior, new)
    found = ft.predict(posterior, new, new_groups="sample")["predictions"]
    assert "elsewhere" in found["g_level"].values
    assert found["y"].shape == (2, 200, 2)


def test_prior_predictive(posterior):
    tree = ft.prior(posterior.model, draws=5)
    assert tree["prior_predictive"]["y"].shape[-1] == len(D)


def test_the_code_runs_by_itself(posterior):
    space = {}
    exec(posterior.model.code(), space)
    (again,) = (v for v in space.values() if isinstance(v, ft.Model))
    same = again(**posterior.model.arguments[1])
    assert str(same.plan()) == str(posterior.model.plan())
