"""Check what the picture of a check shows: the data among the replicates."""

import numpy as np
import pytest
import xarray as xr

from finetti.criticism.checking.checked import Check, Outcome
from finetti.criticism.checking.pit import LooPit
from finetti.reporting import plots
from finetti.reporting.drawing import INK, VERMILION

RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.normal(size=(4, 250))


def outcome(quantity, observed, replicated=NORMAL, p=0.5, member=""):
    return Outcome(
        "y", quantity, member, np.asarray(observed), replicated, p, p - 0.001, p + 0.001, 0.005
    )


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_each_quantity_has_a_panel_with_the_data_as_a_line():
    found = Check(
        (
            outcome("mean", 0.3),
            outcome("max", 4.0, p=0.001),
            outcome("zeros", 2.0, RANDOM.poisson(2.0, (4, 250)).astype(float)),
            outcome("chi", np.full((4, 250), 1.5), NORMAL + 1.5),
        ),
        (LooPit("y", RANDOM.uniform(size=50), 0.4, 0),),
        xr.DataTree(),
    )
    figure = plots.checks(found)
    assert titles(figure) == ["mean of y", "max of y", "zeros of y", "chi of y", "LOO-PIT of y"]
    lines = [axes.lines[0] for axes in figure.axes[:4]]
    assert [line.get_xdata()[0] for line in lines] == [0.3, 4.0, 2.0, 0.0]
    assert [line.get_color() for line in lines] == [INK, VERMILION, INK, INK]
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == pytest.approx(1)
    assert len(figure.axes[2].patches) <= 12  # a bar a count
    assert figure.axes[4].lines[1].get_color() != VERMILION
    assert len(figure.axes[4].collections) == 1  # the band
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["replicated", "data", "data, which fail", "99% if calibrated"]


def test_the_most_extreme_members_are_drawn():
    members = tuple(
        outcome("mean", 0.0, p=0.01 * (i + 1), member=f"m{i}") for i in reversed(range(40))
    )
    figure = plots.checks(Check((outcome("sd", 1.0), *members), (), xr.DataTree()))
    assert titles(figure) == ["sd of y", *(f"mean of y[m{i}]" for i in range(23))]


def test_the_band_of_the_loo_pit_holds_uniform_samples_as_often_as_it_says():
    from finetti.reporting.checks import _band

    levels = np.linspace(0, 1, 101)
    low, high = _band(100, levels)
    inside = 0
    for _ in range(2000):
        sample = np.sort(RANDOM.uniform(size=100))
        line = np.searchsorted(sample, levels, side="right") / 100 - levels
        inside += bool(((line >= low - 1e-12) & (line <= high + 1e-12)).all())
    # The band was found by 1000 simulations: its own error counts as well as the test's.
    error = np.sqrt(0.99 * 0.01 * (1 / 2000 + 1 / 1000))
    assert inside / 2000 > 0.99 - 4 * error


def test_titles_never_reach_into_the_next_panel():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    names = ["smallest school_level mean of y", "largest school_level mean of y", "sd of a_b$c$d"]
    figure = plots.checks(
        Check(tuple(outcome(name, 1.0) for name in names * 2), (), xr.DataTree()),
        across=2,
        width=4.3,
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [a._left_title.get_window_extent() for a in figure.axes]
    for i, one in enumerate(boxes):
        assert one.x1 <= figure.bbox.x1 + 1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
