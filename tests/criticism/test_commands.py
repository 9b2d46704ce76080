"""Predict and check saved runs from the shell."""

import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import finetti as ft
from criticism import exact
from finetti.cli import check, predict  # noqa: F401 - they add their commands
from finetti.cli.commands import app
from finetti.cli.fitted import notes, remember
from finetti.cli.source import Source
from finetti.data import arguments
from finetti.reading.read import read

MODEL = """
import finetti as ft

@ft.model
def homes(county, floor, radon):
    mu = ft.sample("mu", ft.Normal(0, 5))
    with ft.plate("county", county):
        alpha = ft.sample("alpha", ft.Normal(mu, 1))
    with ft.plate("home", len(radon)):
        mean = ft.deterministic("mean", alpha[county] + floor)
        ft.sample("radon", ft.Normal(mean, 1), obs=radon)
"""
TABLE = "county,floor,radon\n" + "\n".join(
    f"{county},{floor},{level + shift}"
    for county, level in (("Pine", 2.0), ("Cook", 0.0))
    for floor, shift in ((0, 0.5), (1, 1.2), (0, -0.4), (1, 0.1), (0, 0.2))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save a run, with its model and data noted as `finetti fit` notes them."""
    folder = tmp_path_factory.mktemp("commands")
    for name, text in (("homes.py", MODEL), ("homes.csv", TABLE)):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "new.csv").write_text("county,floor\nPine,1\nOz,0\n", encoding="utf-8")
    path = list(sys.path)
    source = Source.parse(str(folder / "homes.py"))
    model = source.load()
    bound = model(**arguments(model, read(folder / "homes.csv")))
    random = np.random.default_rng(1)
    alpha = np.array([-0.2, 1.8]) + 0.4 * random.normal(size=(4, 100, 2))
    posterior = exact.posterior(bound, mu=random.normal(0.8, 0.7, (4, 100)), alpha=alpha)
    posterior.tree.attrs.update(notes(source, source.content(), folder / "homes.csv"))
    remember(source, source.content())
    posterior.save(folder / "run.nc")
    yield folder
    sys.path[:] = path


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_new_rows_are_predicted_and_saved(folder):
    command = ["predict", folder / "run.nc", "--newdata", folder / "new.csv"]
    refused = run(*command)
    assert isinstance(refused.exception, ft.DataError)
    assert "not seen 'Oz' of plate `county`" in str(refused.exception)

    out = folder / "out.csv"
    told = run(*command, "--new-groups", "sample", "--out", out)
    assert told.exit_code == 0, told.output
    assert "alpha[Oz]" in told.output
    assert "New, drawn from the population: 'Oz' of plate `county`." in told.output
    lines = out.read_text().splitlines()
    assert lines[0] == "site,members,mean,sd,low,high"
    assert len(lines) == 1 + 3 + 2 + 2  # Cook, Pine and Oz; a mean and radon for each new row

    told = run(*command, "--new-groups", "population", "--json", "--out", folder / "out.nc")
    found = json.loads(told.output)
    assert found["attributes"]["new_groups"] == "population"
    rows = {(r["site"], r["members"]): r for r in found["predictions"]}
    posterior = ft.open(folder / "run.nc")
    np.testing.assert_allclose(rows["alpha", "Oz"]["mean"], posterior["mu"].mean())
    pine = posterior["alpha"].sel(county="Pine") + 1
    np.testing.assert_allclose(rows["mean", "0"]["mean"], pine.mean())
    np.testing.assert_allclose(rows["mean", "0"]["low"], pine.quantile(0.055))
    saved = ft.open(folder / "out.nc").tree["predictions"]
    assert saved["radon"].shape == (4, 100, 2)


def test_the_plug_in_says_that_it_is_one(folder):
    told = run("predict", folder / "run.nc", "--at", "mean")
    assert told.exit_code == 0, told.output
    assert "These are plug-in, at the posterior means" in told.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--new-groups", "guess"], "--new-groups is refuse, sample, population, not 'guess'"),
        (["--at", "mode"], "--at is draws, mean, not 'mode'"),
        (["--out", "table.txt"], "ends in .csv, .zarr or .nc"),
    ],
)
def test_usage_is_checked_before_any_work(options, message):
    told = run("predict", "none.nc", *options)
    assert told.exit_code == 2
    assert message in " ".join(told.output.replace("│", "").split())


def test_a_run_is_checked(folder, monkeypatch):
    made = []

    def once(*arguments, **options):
        made[:] = made or [ft.check(*arguments, **options)]
        return made[0]

    monkeypatch.setattr(check, "compare_replicates", once)
    picture = folder / "check.png"
    command = ["check", folder / "run.nc", "--groups", "county"]
    told = run(*command, "--picture", picture)
    assert told.exit_code == 0, told.output
    assert "mean of radon[Pine]" in told.output
    assert "The model reproduces all" in told.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    found = json.loads(run(*command, "--json").output)
    assert found["passed"] is True
    assert {q["member"] for q in found["quantities"]} == {"", "Cook", "Pine"}
    assert "largest county mean" in {q["quantity"] for q in found["quantities"]}
    assert found["loo_pit"][0]["site"] == "radon"


@pytest.mark.parametrize("command", ["predict", "check"])
def test_help_has_an_example(command):
    told = run(command, "--help")
    assert f"  finetti {command} runs/radon.zarr" in told.output
