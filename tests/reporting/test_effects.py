"""Check what the pictures of estimates show: the places of their dots, lines and labels."""

import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from made_runs import EFFECT, ERROR, SCHOOLS, posterior

import finetti as ft
from finetti.criticism.separate import separate
from finetti.reporting import plots


def dots(figure):
    """Return the x of every series of dots, in order of drawing."""
    (axes,) = figure.axes
    return [line.get_xdata() for line in axes.lines if line.get_marker() == "o"]


def bars(figure):
    """Return the ends of every series of bars, each of shape (row, 2), top row first."""
    (axes,) = figure.axes
    return [np.array([p[:, 0] for p in c.get_segments()]) for c in axes.collections]


def labels(figure):
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_effects_shows_estimates_their_errors_and_the_pooled_one():
    figure = plots.effects(EFFECT, ERROR, SCHOOLS, "effect (points)")
    assert figure.axes[0].get_xlabel() == "effect (points)"
    assert labels(figure) == list(SCHOOLS)
    np.testing.assert_array_equal(dots(figure)[0], EFFECT)
    wide, narrow = bars(figure)
    np.testing.assert_allclose(wide, np.stack([EFFECT - 1.96 * ERROR, EFFECT + 1.96 * ERROR], 1))
    np.testing.assert_allclose(narrow, np.stack([EFFECT - ERROR, EFFECT + ERROR], 1))
    assert words(figure) == ["pooled estimate 7.69"]  # 7.685617, tests/data


def test_effects_of_one_group_has_nothing_to_pool():
    figure = plots.effects([1.0], [0.5])
    assert labels(figure) == ["0"]
    assert not words(figure)


def test_shrinkage_moves_separate_estimates_to_posterior_means():
    run = posterior()
    figure = plots.shrinkage(run, "theta", EFFECT, "mu", "effect (points)")
    order = np.argsort(EFFECT)[::-1]
    together = run["theta"].values.mean((0, 1))
    assert labels(figure) == [SCHOOLS[i] for i in order]
    apart, pooled = dots(figure)
    np.testing.assert_array_equal(apart, EFFECT[order])
    np.testing.assert_allclose(pooled, together[order])
    interval, moved = bars(figure)
    np.testing.assert_allclose(moved, np.stack([EFFECT, together], 1)[order])
    summary = run.summary(["theta"])
    np.testing.assert_allclose(interval, summary[["eti89_lb", "eti89_ub"]].to_numpy(float)[order])
    assert words(figure) == [f"group mean {run['mu'].values.mean():.3g}"]


def test_without_a_site_of_the_mean_the_average_is_drawn():
    run = posterior()
    average = run["theta"].values.mean()
    assert words(plots.shrinkage(run, "theta", EFFECT)) == [f"average {average:.3g}"]


def test_a_group_without_an_estimate_stands_where_its_posterior_mean_puts_it():
    estimate = EFFECT.copy()
    estimate[2] = np.nan
    run = posterior()
    figure = plots.shrinkage(run, "theta", estimate)
    apart, pooled = dots(figure)
    row = labels(figure).index("C")
    assert np.isnan(apart[row])
    assert pooled[row] == pytest.approx(run["theta"].values[..., 2].mean())
    places = np.where(np.isnan(apart), pooled, apart)
    assert (np.diff(places) <= 0).all()


@pytest.mark.parametrize("count", [1, 2, 8, 85, 300, 500])
def test_any_number_of_groups_is_legible(count):
    run = posterior([f"county {i}" for i in range(count)], draws=20)
    figure = plots.shrinkage(run, "theta", np.arange(count, dtype=float))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [len(d) for d in dots(figure)] == [count, count]
    boxes = [t.get_window_extent() for t in axes.get_yticklabels()]
    assert all(a.y0 > b.y1 for a, b in pairwise(boxes)), "labels overlap"
    assert all(figure.bbox.x0 <= b.x0 and b.y1 <= figure.bbox.y1 for b in boxes), "labels clipped"
    assert figure.get_figheight() <= 11
    assert len(boxes) == count or f"{count} groups" in axes.get_ylabel()


def test_long_labels_keep_both_ends_and_leave_room_for_the_data():
    names = [f"the county of a very long name indeed, number {i}" for i in range(4)]
    figure = plots.shrinkage(posterior(names), "theta", np.arange(4.0))
    figure.draw_without_rendering()
    assert all(len(text) <= 28 and text.startswith("the county") for text in labels(figure))
    assert [text[-1] for text in labels(figure)] == ["3", "2", "1", "0"]
    assert figure.axes[0].get_window_extent().width > figure.bbox.width / 2


def test_labels_are_shown_as_they_are_whatever_their_signs():
    names = ["$5 to $10", "50% [of]", "a_b^c", "Göteborg"]
    figure = plots.shrinkage(posterior(names), "theta", [4.0, 3.0, 2.0, 1.0])
    figure.draw_without_rendering()
    assert labels(figure) == names
    assert not any(text.get_parse_math() for text in figure.axes[0].get_yticklabels())


def test_an_unknown_site_is_refused_by_name():
    with pytest.raises(ft.UnknownSite, match="did you mean `theta`"):
        plots.shrinkage(posterior(), "thetta", EFFECT)
    with pytest.raises(ft.UnknownSite, match="`m`"):
        plots.shrinkage(posterior(), "theta", EFFECT, "m")


@pytest.mark.parametrize(
    ("site", "separate", "mean", "message"),
    [
        ("theta", EFFECT[:7], None, "7 separate estimates, but site `theta` has 8 members"),
        ("mu", EFFECT, None, "site `mu` stands in 0 dimensions"),
        ("theta", EFFECT, "theta", "site `theta` has 8 members: the mean is one number"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(site, separate, mean, message):
    with pytest.raises(ft.ShapeError, match=message):
        plots.shrinkage(posterior(), site, separate, mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((EFFECT, ERROR[:3]), "8 estimates but 3 standard errors"),
        ((EFFECT, ERROR, "AB"), "8 estimates but 2 labels"),
        ((EFFECT, ERROR - 9), "standard error 0 is not above zero"),
        (([], []), "one at least"),
        ((3.0, 1.0), r"need shape \(group,\)"),
    ],
)
def test_estimates_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ft.DataError, match=message):
        plots.effects(*arguments)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ft.MissingExtra, match=r"pip install 'finetti\[plots\]'"):
        plots.effects(EFFECT, ERROR)


def test_drawing_leaves_the_users_settings_alone():
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 31, "axes.facecolor": "black"}):
        before = dict(mpl.rcParams)
        figure = plots.effects(EFFECT, ERROR)
        assert dict(mpl.rcParams) == before
        figure.draw_without_rendering()
    assert figure.axes[0].get_facecolor() == (1, 1, 1, 1)
    assert max(t.get_fontsize() for t in figure.axes[0].get_yticklabels()) < 12


@pytest.fixture(scope="module")
def with_terms():
    """Return a run of a formula whose members have an intercept and a slope."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(5), 4)
    x = rng.normal(size=20)
    table = pd.DataFrame(
        {
            "y": x + rng.normal(size=5)[g] + rng.normal(size=20),
            "x": x,
            "g": np.array(list("abcde"))[g],
        }
    )
    model = ft.formula("y ~ x + (x | g)", table)
    return ft.fit(model, ft.Automatic(draws=50, warmup=50, chains=2), seed=1, progress=False)


class TestOfAFormula:
    """Draw what the hierarchy did to members that have terms."""

    def test_a_term_that_is_alone_needs_no_name(self):
        draws = np.random.default_rng(0).normal(size=(2, 9, 3, 1))
        sites = xr.Dataset({"h": (("chain", "draw", "h_level", "h_term"), draws)},
                           {"h_level": list("abc"), "h_term": ["Intercept"]})  # fmt: skip
        alone = ft.Posterior(xr.DataTree.from_dict({"posterior": sites}))
        for figure in (plots.shrinkage(alone, "h", [1, 2, np.nan]), plots.forest(alone, "h")):
            assert figure.axes[0].get_xlabel() == "h"
        (said,) = [text.get_text() for text in plots.shrinkage(alone, "h", [1, 2, 3]).axes[0].texts]
        assert "e-" not in said

    def test_of_several_one_is_named(self, with_terms):
        for draw in (plots.shrinkage, plots.forest):
            assert draw(with_terms, "g", term="x").axes[0].get_xlabel() == "g[·][x]"
            with pytest.raises(ft.ShapeError, match=r"Intercept(, | and )x"):
                draw(with_terms, "g")
            with pytest.raises(ft.UnknownSite, match="no term `z`"):
                draw(with_terms, "g", term="z")
            with pytest.raises(ft.ShapeError, match="stands in 0 dimensions"):
                draw(with_terms, "sigma")

    def test_separate_estimates_are_each_members_own(self, with_terms):
        own = separate(with_terms, "g")[:, 1]
        drawn = plots.shrinkage(with_terms, "g", term="x")
        given = plots.shrinkage(with_terms, "g", own, term="x")
        dots = [line.get_xdata() for line in drawn.axes[0].lines if len(line.get_xdata()) == 5]
        assert np.sort(dots[0]) == pytest.approx(np.sort(own))
        for one, other in zip(drawn.axes[0].lines, given.axes[0].lines, strict=True):
            np.testing.assert_array_equal(one.get_xdata(), other.get_xdata())
