"""Run `finetti calibrate` as a user does, and look at its picture."""

import json
import sys
from io import StringIO

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import finetti as ft
import finetti.cli.calibrate
from finetti.cli.commands import app
from finetti.reporting import plots
from finetti.reporting.calibrated import calibration_table

COIN = """
import finetti as ft

@ft.model
def coin(tosses=10, heads=7):
    p = ft.sample("p", ft.Beta(2, 2))
    ft.sample("seen", ft.Binomial(tosses, p), obs=heads)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder that has a model, and leave the path as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "coin.py").write_text(COIN, encoding="utf-8")
    return tmp_path


def run(*arguments):
    shown = CliRunner().invoke(app, ["calibrate", *map(str, arguments)])
    return shown.exit_code, shown.output


def test_a_model_is_calibrated_in_words_and_as_json(folder):
    code, out = run("coin.py", "--simulations", 60, "--seed", 1, "--plot", "ranks.png")
    assert code == 0
    assert "`p` is right as far as 60 simulations can tell" in out
    assert "80% held" in out
    assert (folder / "ranks.png").stat().st_size > 5000
    code, out = run("coin.py", "--simulations", 60, "--seed", 1, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["passed"]
    assert [v["name"] for v in found["verdicts"]] == ["p", "log_likelihood"]
    assert found["simulations"] == 60
    assert set(found["numbers"]["p"]) >= {"p", "mean_rank", "coverage_80", "problem"}


def test_help_has_an_example():
    code, out = run("--help")
    assert code == 0
    assert "  finetti calibrate " in out


@pytest.mark.slow
def test_a_saved_run_is_calibrated_near_its_data(folder):
    from finetti.cli.source import Source

    posterior = ft.fit(Source.parse("coin.py").load()(), progress=False)
    posterior.save("coin.zarr")
    code, out = run("coin.py", "--posterior", "coin.zarr", "--simulations", 60)
    assert code == 0, out
    assert "`p` is right as far as 60 simulations can tell" in out


def made():
    """Return a calibration of a variable that is right and of a plate with a wrong member."""
    pits = np.linspace(0.0025, 0.9975, 200)
    theta = np.stack([pits[::-1], pits**2.5], 1)
    data = {"mu": ("simulation", pits), "theta": (("simulation", "school"), theta)}
    whole = xr.Dataset(data, {"school": ["A", "B"]})
    near = xr.Dataset({"mu": 0.0, "theta": ("school", [0.0, 0.0])})
    return ft.Calibration(np.floor(whole * 101).astype(int), whole, near, 100, "made")


def test_the_picture_shows_the_worst_number_of_each_variable():
    figure = plots.calibration(made())
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["mu", "", "theta[B]", "too high and too narrow"]
    single = plots.calibration(made(), "theta[A]")
    assert [axes.get_title(loc="left") for axes in single.axes] == ["theta[A]", ""]
    (line,) = [line for line in figure.axes[3].lines if len(line.get_xdata()) > 2]
    assert line.get_ydata().max() > 0.3  # the share of ranks below 0.2 is far above 0.2


def test_the_picture_refuses_what_it_cannot_hold():
    with pytest.raises(ft.UnknownSite, match="tau"):
        plots.calibration(made(), "tau")
    with pytest.raises(ft.DataError, match="a picture holds 1 to 12"):
        plots.calibration(made(), ["mu"] * 13)


def test_the_table_marks_what_is_wrong():
    from rich.console import Console

    console = Console(width=100, record=True, file=StringIO())
    console.print(calibration_table(made()))
    lines = console.export_text().splitlines()
    assert any("theta[B]" in line and "too high" in line for line in lines)
    assert not any("mu" in line and "too" in line for line in lines)
