"""Run `finetti compare` on saved runs, as a user does."""

import json
import sys

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import finetti as ft
from finetti.cli import compare, main
from finetti.cli.commands import app
from finetti.cli.fitted import notes, remember
from finetti.cli.source import Source
from finetti.posterior.given import constants

LINE = """
import finetti as ft

@ft.model
def line(y=None, slope={slope}):
    level = ft.sample("level", ft.Normal(0, 5))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(level + slope * y.mean(), 1), obs=y)
"""
Y = np.array([0.3, 1.9, -0.4, 1.1, 0.8, 0.9])


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Save draws from the exact posteriors of two models that note their files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "rows.csv").write_text("y\n" + "\n".join(map(str, Y)) + "\n")
    for name, slope in (("near", 0.0), ("far", 5.0)):
        file = tmp_path / f"{name}.py"
        file.write_text(LINE.format(slope=slope), encoding="utf-8")
        source = Source.parse(str(file))
        model = source.load()(y=Y)
        precision = 1 / 25 + len(Y)
        mean = (Y - slope * Y.mean()).sum() / precision
        draws = np.random.default_rng(1763).normal(mean, precision**-0.5, (4, 250))
        held = xr.Dataset({"level": (("chain", "draw"), draws + 2 * slope)})
        tree = xr.DataTree.from_dict(
            {
                "posterior": held.assign_coords(chain=range(4), draw=range(250)),
                "observed_data": xr.Dataset({"y": ("row", Y)}, {"row": range(len(Y))}),
                "constant_data": constants(model),
            }
        )
        found = ft.Posterior(tree)
        found.tree.attrs.update(notes(source, source.content(), tmp_path / "rows.csv"))
        remember(source, source.content())
        found.save(tmp_path / f"{name}.nc")
    return ["near.nc", "far.nc"]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code or 0, *capsys.readouterr()


def test_runs_are_compared_by_name(capsys, runs):
    code, out, _ = run(capsys, "compare", *reversed(runs), "--refits", "0")
    assert code == 0
    assert out.startswith("leave-one-out, 6 points")
    assert out.index("near ") < out.index("far ")
    assert "near predicts better than far by" in out


def test_machines_get_json(capsys, runs):
    code, out, _ = run(capsys, "compare", *runs, "--json", "--refits", "0")
    told = json.loads(out)
    assert code == 0
    assert list(told["models"]) == ["near", "far"]
    assert told["models"]["far"]["diff"] < -4


def test_one_run_alone_is_refused(capsys, runs):
    code, _, err = run(capsys, "compare", runs[0])
    assert code == 2
    assert "at least two RUNS" in err


def test_help_has_an_example():
    assert compare.compare is not None
    shown = CliRunner().invoke(app, ["compare", "--help"])
    assert shown.exit_code == 0
    assert "finetti compare runs/pooled.zarr runs/radon.zarr" in shown.output
