"""Check what the pictures of chains show: each chain's draws, and whether ranks are even."""

import numpy as np
import pytest
from made_runs import posterior

import finetti as ft
from finetti.reporting import plots


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()] if figure.legends else []


def steps(axes):
    """Return the density of each chain's ranks, of shape (chain, bin)."""
    from matplotlib.patches import StepPatch

    return np.array([p.get_data().values for p in axes.patches if isinstance(p, StepPatch)])


def band(axes):
    from matplotlib.patches import Rectangle

    (found,) = [p for p in axes.patches if isinstance(p, Rectangle)]
    return found.get_y(), found.get_y() + found.get_height()


def test_trace_draws_every_chain_of_every_number():
    run = posterior()
    figure = plots.trace(run, ["mu", "theta[C]"])
    assert titles(figure) == ["mu", "theta[C]"]
    assert legend(figure) == [f"chain {i}" for i in range(4)]
    for axes, draws in zip(figure.axes, (run["mu"], run["theta"][..., 2]), strict=True):
        drawn = np.array([line.get_ydata() for line in axes.lines])
        np.testing.assert_array_equal(drawn, draws.values)


def test_a_site_stands_for_all_its_members_as_in_the_summary():
    run = posterior()
    assert titles(plots.trace(run, ["theta"])) == list(run.summary(["theta"]).index)
    assert titles(plots.ranks(run, "theta")) == list(run.summary(["theta"]).index)


def test_long_chains_are_thinned_over_their_whole_length():
    run = posterior(draws=3500)
    line = plots.trace(run, ["mu"]).axes[0].lines[1]
    assert 500 < len(line.get_xdata()) <= 1000
    assert line.get_xdata()[-1] >= 3490
    np.testing.assert_array_equal(line.get_ydata(), run["mu"].values[1, line.get_xdata()])


def test_divergent_draws_are_marked_where_they_are():
    figure = plots.trace(posterior(diverging=(7, 300)), ["mu"])
    (marks,) = figure.axes[0].collections
    assert [segment[0, 0] for segment in marks.get_segments()] == [7, 300]
    assert "diverged" in legend(figure)


def test_chains_that_agree_stay_in_the_band():
    figure = plots.ranks(posterior(draws=2000), ["mu", "theta[A]"])
    for axes in figure.axes:
        low, high = band(axes)
        assert 0 < low < 1 < high
        assert steps(axes).shape == (4, 20)
        np.testing.assert_allclose(steps(axes).mean(1), 1)
        assert (low <= steps(axes)).all()
        assert (steps(axes) <= high).all()


def test_a_chain_elsewhere_leaves_the_band():
    draws = np.random.default_rng(2).normal(size=(4, 2000))
    draws[0] += 0.5
    (axes,) = plots.ranks(posterior(draws=2000, mu=draws), ["mu"]).axes
    low, high = band(axes)
    astray = ((steps(axes) < low) | (steps(axes) > high)).sum(1)
    assert astray[0] == astray.max() > 2


def test_the_band_allows_for_draws_that_are_not_independent():
    random = np.random.default_rng(1)
    draws = np.zeros((4, 4000))
    for i in range(1, 4000):
        draws[:, i] = 0.9 * draws[:, i - 1] + random.normal(size=4)
    (axes,) = plots.ranks(posterior(draws=4000, mu=draws), ["mu"]).axes
    low, high = band(axes)
    (independent,) = plots.ranks(posterior(draws=4000), ["mu"]).axes
    assert high > band(independent)[1] + 0.2
    assert (low <= steps(axes)).all()
    assert (steps(axes) <= high).all()


@pytest.mark.parametrize("draw", [plots.trace, plots.ranks])
@pytest.mark.parametrize(("draws", "chains"), [(1, 1), (3, 2), (200, 12)])
def test_runs_of_any_shape_are_drawn(draw, draws, chains):
    figure = draw(posterior(draws=draws, chains=chains), ["mu", "theta[A]"])
    figure.draw_without_rendering()
    named = [text for text in legend(figure) if text.startswith("chain")]
    assert len(named) == (chains if chains <= 7 else 0)


@pytest.mark.parametrize("draw", [plots.trace, plots.ranks])
@pytest.mark.parametrize("names", [["mu"], ["mu", "theta"]])
@pytest.mark.parametrize("chains", [1, 4, 7])
def test_the_legend_fits_above_the_panels(draw, names, chains):
    figure = draw(posterior(chains=chains, diverging=(3,)), names)
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1
    assert all(box.y0 > axes.get_window_extent().y1 for axes in figure.axes)


@pytest.mark.parametrize("draw", [plots.trace, plots.ranks])
def test_a_number_that_never_moves_is_drawn(draw):
    draw(posterior(mu=np.ones((4, 400))), ["mu"]).draw_without_rendering()


@pytest.mark.parametrize("draw", [plots.trace, plots.ranks])
@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["tau"], ft.UnknownSite, "cannot read `tau`: no such site"),
        (["theta[Z]"], ft.UnknownSite, r"run from `theta\[A\]` to `theta\[H\]`"),
        ([], ft.DataError, "0 panels asked for"),
    ],
)
def test_names_that_do_not_fit_are_refused(draw, names, error, message):
    with pytest.raises(error, match=message):
        draw(posterior(), names)


def test_more_panels_than_a_picture_holds_are_refused_with_a_way_out():
    with pytest.raises(ft.DataError, match=r"300 panels .* such as `theta\[0\]`"):
        plots.trace(posterior(range(300), draws=5), ["theta"])
