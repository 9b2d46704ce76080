"""On the command line a formula's table stays in place where it is asked to."""

from pathlib import Path

import pytest
from tests.scale.rows import rows
from typer.testing import CliRunner

from finetti.cli import resume  # noqa: F401
from finetti.cli.commands import app
from finetti.cli.written import Written, noted_as, parse


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_plan_prints_the_query_and_how_many_rows_come(tmp_path):
    rows(60)[:30].write_parquet(tmp_path / "a.parquet")
    rows(60)[30:].write_parquet(tmp_path / "b.parquet")
    found = run("plan", "y ~ x + (1 | h)", "--data", tmp_path / "*.parquet", "--in-place")
    assert found.exit_code == 0, found.output
    said = " ".join(found.output.split())
    assert "60 rows of" in said
    assert "enter as 6 that stand for them" in said
    assert 'FROM "rows"' in found.output


def test_a_pattern_without_the_option_says_what_to_do(tmp_path):
    rows(60).write_parquet(tmp_path / "a.parquet")
    found = run("plan", "y ~ x", "--data", tmp_path / "*.parquet")
    assert isinstance(found.exception, Exception)
    assert "--in-place" in str(found.exception)


def test_a_file_of_a_model_stays_not_in_place(tmp_path):
    found = run("plan", tmp_path / "model.py", "--in-place")
    assert found.exit_code == 2
    assert "--in-place is for formulas" in found.output


def test_a_run_notes_the_option_and_no_password():
    written = Written("y ~ x", in_place=True)
    assert parse(str(written)) == written
    assert noted_as(Path("postgres://me:secret@host/name?t")) == "postgres://me@host/name?t"


@pytest.mark.slow
def test_a_run_goes_on_from_its_sums(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    rows().write_parquet(tmp_path / "a.parquet")
    out = tmp_path / "run.zarr"
    made = run("fit", "y ~ x + (1 | h)", "--data", tmp_path / "a.parquet", "--in-place",
               "--draws", 100, "--warmup", 200, "--chains", 2, "--out", out)  # fmt: skip
    assert made.exit_code == 0, made.output
    more = run("resume", out, "--draws", 200)
    assert more.exit_code == 0, more.output
