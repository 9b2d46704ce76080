"""Check the worked example: its numbers against the exact ones, its story, its files."""

import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

import finetti as ft
from finetti import demo
from finetti.inference.methods.trajectories import NUTS

EXACT = json.loads((Path(__file__).parent / "data" / "eight_schools_exact.json").read_text())
SHORT = NUTS(draws=500, target_acceptance=0.95)
VARIANTS = {"bda3_flat": demo.BDA3, "stan_posteriordb": demo.WEAK}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Run the whole demo once, with short fits; return what it printed and where it wrote."""
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "METHOD", SHORT)
        patch.setenv("COLUMNS", "80")
        with redirect_stdout(StringIO()) as printed:
            demo.main(out, seed=1)
    return printed.getvalue(), out


def test_the_data_are_those_of_the_reference():
    assert demo.EFFECT.tolist() == EXACT["data"]["y"]
    assert demo.ERROR.tolist() == EXACT["data"]["sigma"]


@pytest.mark.parametrize("name", VARIANTS)
def test_the_exact_means_are_those_of_the_reference(name):
    answers = EXACT["models"][name]
    known = [*answers["theta"]["mean"], answers["mu"]["mean"], answers["theta_sd"]["mean"]]
    np.testing.assert_allclose(VARIANTS[name].exact, known, atol=5e-6)


def test_the_pooled_estimate_and_its_test_are_computed_right():
    pooled, known = demo.Pooled.of(demo.EFFECT, demo.ERROR), EXACT["pooled"]
    assert pooled.estimate == pytest.approx(known["mean"], rel=1e-12)
    assert pooled.error == pytest.approx(known["sd"], rel=1e-12)
    assert pooled.statistic == pytest.approx(known["chi2_7dof"], rel=1e-12)
    assert pooled.p_value == pytest.approx(known["p"], rel=1e-9)


def test_equal_effects_pass_the_test_as_often_as_they_should():
    standard_error = (0.95 * 0.05 / 10_000) ** 0.5
    assert abs(demo.overlooked(spread=0.0, seed=3) - 0.95) < 4 * standard_error
    assert demo.overlooked(spread=100.0, seed=3) < 0.01


@pytest.mark.parametrize("name", VARIANTS)
def test_the_hierarchical_answers_agree_with_the_exact_ones(name):
    variant = VARIANTS[name]
    model = demo.hierarchical(variant.mu, variant.tau)
    posterior = ft.fit(model, demo.METHOD, seed=1, progress=False)
    found = demo.scores(posterior.summary(["theta", "mu", "tau"]), variant)
    assert found.shape == (10,)
    assert np.abs(found).max() < 4, found


def test_scores_tell_a_wrong_answer():
    posterior = ft.fit(demo.hierarchical(ft.Normal(0, 5), ft.HalfCauchy(5)), SHORT, progress=False)
    table = posterior.summary(["theta", "mu", "tau"])
    assert np.abs(demo.scores(table, demo.BDA3)).max() > 10


def test_the_story_says_what_the_data_say(shown):
    text = " ".join(shown[0].split())
    for words in (
        "7.69 ± 4.07 points, 95% interval [-0.30, 15.67]",
        "4.71 on 7 degrees of freedom, p = 0.70",
        "all eight 95% intervals share the values from -1 to 17",
        "one in 3.3 million",
        "theta = f(eta, mu, tau)",
        "Advice, flat priors:",
    ):
        assert words in text
    assert not re.search(r"\bnan\b|\[/?bold|\[/\]", text)


def test_the_table_has_every_answer_side_by_side(shown):
    rows = {words[0]: words for words in map(str.split, shown[0].splitlines()) if "±" in words}
    assert set("ABCDEFGH") | {"mu", "tau"} <= set(rows)
    assert rows["A"][1:7] == ["28", "±", "15", "7.7", "±", "4.1"]
    assert rows["tau"][1:3] == ["infinity", "0"]
    for row in (*"ABCDEFGH", "mu", "tau"):
        z = [word for word in rows[row] if re.fullmatch(r"[+-]\d+\.\d", word)]
        assert len(z) == 2
    assert abs(float(rows["A"][7]) - 11.4) < 1.5


def test_what_is_printed_fits_the_screen_when_piped(shown):
    assert max(map(len, shown[0].splitlines())) <= 80


def test_pictures_and_runs_are_where_the_story_says(shown):
    text, out = shown
    pictures = {"effects.png", "shrinkage.png", "trace.png", "ranks.png", "graph.png"}
    runs = {"flat_priors.zarr", "weak_priors.zarr"}
    assert {path.name for path in out.iterdir()} == pictures | runs
    assert all(f"  {name} " in text for name in pictures | runs)
    assert f"In {out}:" in " ".join(text.split())
    for name in pictures:
        content = (out / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert 5_000 < len(content) < 500_000
    posterior = ft.open(out / "flat_priors.zarr")
    assert posterior["theta"].shape == (4, 500, 8)
    assert posterior["theta"]["school"].values.tolist() == list("ABCDEFGH")


def test_the_age_of_the_process_counts_from_its_start():
    code = "import time; time.sleep(.5); from finetti.demo import *; print(seconds_since_start())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.5 < float(done.stdout) < 60


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system has no /proc")
def test_without_a_system_that_says_so_the_age_counts_from_the_import(monkeypatch):
    def refuse(path):
        raise FileNotFoundError(path)

    told = demo.seconds_since_start()
    monkeypatch.setattr(Path, "read_text", refuse)
    assert 0 < demo.seconds_since_start() <= told
