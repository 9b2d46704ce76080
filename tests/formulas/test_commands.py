"""A formula stands where a command takes a model's file."""

import pytest
from tests.formulas.table import table
from typer.testing import CliRunner

from finetti.cli import calibrate, check, compare, predict, report  # noqa: F401
from finetti.cli.commands import app
from finetti.cli.written import is_formula, parse

FORMULA = "y ~ x + (1 | g)"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formulas")
    table().to_csv(folder / "table.csv", index=False)
    return folder


def run(*arguments, **settings):
    return CliRunner().invoke(app, [str(a) for a in arguments], **settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("y ~ x", True), ("p(a, n) ~ 1", True), ("~/radon.py", False), ("radon.py", False),
        ("~/a~b.py:radon", False), ("C:\\models\\radon.py", False),
    ],
)  # fmt: skip
def test_formulas_are_told_from_files(text, told):
    assert is_formula(text) is told


def test_a_reference_is_read_again():
    written = parse("y ~ x")
    assert parse(str(written)) == written


def test_plan_prints_the_code_and_the_plan(place):
    found = run("plan", FORMULA, "--data", place / "table.csv")
    assert found.exit_code == 0, found.output
    assert "@ft.model" in found.output
    assert "dimensions to sample" in found.output


def test_fit_then_predict_from_what_the_run_notes(place, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    out = place / "run.zarr"
    text = "y ~ scale(x) + (1 | g)"  # whose argument has no column's name
    fitted = run(
        "fit", text, "--data", place / "table.csv", "--out", out, "--draws", 30, "--warmup", 60,
        "--chains", 2, "--prior", "b ~ Normal(0, 3)", "--prior", "sd[g] ~ HalfNormal(2)",
    )  # fmt: skip
    assert fitted.exit_code == 0, fitted.output
    assert "g[p][Intercept]" in fitted.output
    assert "ft.Normal(0, 3)" in fitted.output
    new = place / "new.csv"
    new.write_text("x,g\n4.0,p\n5.0,q\n")
    found = run("predict", out, "--newdata", new, "--out", place / "predictions.csv")
    assert found.exit_code == 0, found.output
    assert len((place / "predictions.csv").read_text().splitlines()) >= 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", FORMULA], "--data"),
        (["plan", "y ~ nothing", "--data", "TABLE"], "nothing"),
        (["plan", "examples/radon.py", "--data", "TABLE", "--family", "poisson"], "--family"),
        (["plan", FORMULA, "--data", "TABLE", "--missing", "guess"], "--missing"),
        (["plan", FORMULA, "--data", "TABLE", "--family", "gausian"], "gaussian"),
    ],
)
def test_what_is_wrong_is_refused(arguments, said, place):
    found = run(*(place / "table.csv" if a == "TABLE" else a for a in arguments))
    assert found.exit_code != 0
    assert said in found.output + str(found.exception)
