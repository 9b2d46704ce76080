"""Check what pictures of prior outcomes show: the shares of draws and data, and where they end."""

import numpy as np
import pytest

import finetti as ft
from finetti.reporting import plots

RANDOM = np.random.default_rng(0)
TABLE = {"y": RANDOM.normal(5, 1, 60), "x": RANDOM.normal(size=60), "n": RANDOM.poisson(3, 60)}


def drawn(text="y ~ x", **said):
    return ft.prior(ft.formula(text, TABLE, **said), draws=200, seed=1)


def bars(axes):
    """Return the heights and edges of the prior's bars and of the data's."""
    return [(p.get_data().values, p.get_data().edges) for p in axes.patches]


def test_a_picture_has_the_shares_of_the_draws_and_of_the_data():
    tree = drawn()
    (axes,) = plots.outcomes(tree).axes
    (prior, edges), (data, _) = bars(axes)
    values = tree["prior_predictive"]["y"].to_numpy().ravel()
    expected = np.histogram(values, edges)[0] / values.size
    np.testing.assert_allclose(prior, expected, atol=2 / values.size)
    assert prior.sum() == pytest.approx(0.98, abs=0.005)
    assert data.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(data, np.histogram(TABLE["y"], edges)[0] / 60)
    assert axes.get_title(loc="left") == "y"
    assert "2.0% outside" in axes.get_xlabel()
    assert axes.get_xscale() == "linear"


def test_counts_with_a_long_tail_are_drawn_by_their_logarithm():
    (axes,) = plots.outcomes(drawn("n ~ x", family="poisson")).axes
    assert axes.get_xscale() == "symlog"
    (prior, edges), (data, _) = bars(axes)
    np.testing.assert_array_equal(edges, np.round(edges))
    assert edges[0] == 0
    assert data.sum() == pytest.approx(1.0)
    assert prior.sum() > 0.98


def test_each_outcome_has_a_panel_and_values_that_are_missing_are_no_data():
    figure = plots.outcomes(drawn(["y ~ x", "n ~ x"]))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["y", "n"]
    holed = {**TABLE, "y": np.where(TABLE["y"] > 5, np.nan, TABLE["y"])}
    tree = ft.prior(ft.formula("y ~ x", holed, missing="impute"), draws=50)
    assert bars(plots.outcomes(tree).axes[0])[1][0].sum() == pytest.approx(1.0)


def test_what_holds_no_prior_draws_is_refused():
    with pytest.raises(ft.DataError, match=r"give what ft\.prior returns"):
        plots.outcomes(drawn()["prior"])
    with pytest.raises(ft.DataError, match=r"give what ft\.prior returns"):
        plots.outcomes(3)
