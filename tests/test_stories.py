"""Tell every story, and hold what it says to references and to its own picture."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from finetti.cli.commands import app
from finetti.stories import STORIES, captcha, coal
from finetti.stories.telling import TABLES

ROOT = Path(__file__).parents[1]
EXACT = json.loads((ROOT / "tests" / "data" / "examples_exact.json").read_text())["disasters"]


def told(story, out, *options):
    shown = CliRunner().invoke(app, ["demo", story, "--out", str(out), *options])
    assert shown.exit_code == 0, shown.output
    assert (out / f"{story}.png").read_bytes().startswith(b"\x89PNG")
    assert not re.search(r"\bnan\b|\[/?bold|\[/\]", shown.output)
    return " ".join(shown.output.split())


def test_the_stories_are_listed_and_others_refused():
    listed = CliRunner().invoke(app, ["demo", "--list"]).output.splitlines()
    assert [line.split()[0] for line in listed] == list(STORIES)
    refused = CliRunner().invoke(app, ["demo", "tides"])
    assert refused.exit_code == 2
    assert "STORY is one of eight_schools, radon" in " ".join(refused.output.split())


@pytest.mark.parametrize("table", sorted(path.name for path in TABLES.iterdir()))
def test_the_tables_are_those_of_the_examples(table):
    assert (TABLES / table).read_bytes() == (ROOT / "examples" / table).read_bytes()


def test_the_accidents_are_those_of_the_reference():
    assert coal.ACCIDENTS.tolist() == EXACT["data"]


def test_digits_are_drawn_and_read(tmp_path):
    words = told("captcha", tmp_path, "--seed", "0")
    text, picture = captcha.written(captcha._font(), np.random.default_rng(0))
    assert f"It reads {text!r}, that is right" in words
    assert picture.max() == 255


@pytest.mark.slow
def test_the_year_and_the_rates_are_the_exact_ones(tmp_path):
    posterior = coal.main(tmp_path, seed=1)
    rows = posterior.summary(["before", "after"])
    for (_, row), name in zip(rows.iterrows(), ("early_mean", "late_mean"), strict=True):
        assert abs(row["mean"] - EXACT["sites"][name]["mean"]) < 4 * row["mcse_mean"]
    draws = posterior["year"].to_numpy()
    known = EXACT["sites"]["switchpoint"]
    error = known["sd"] / np.sqrt(draws.size / 4)  # drawn given rates whose draws are correlated
    assert abs(draws.mean() - known["mean"]) < 4 * error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("story", "words"),
    [
        ("radon", ("46 counties have five homes or fewer, 3 have one", "No warnings")),
        ("sleepstudy", ("slopes from -2.9 to 21.8 ms a day", "No warnings")),
        ("lightness", ("0.302 and 0.302", "B's paint is lighter, with a probability of 1.000")),
    ],
)
def test_a_story_says_what_its_data_say(story, words, tmp_path):
    text = told(story, tmp_path)
    assert all(said in text for said in words)
