"""Run the gallery's programs, and check their numbers against closed forms and the references."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "examples" / "gallery"
PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
EXACT = json.loads((Path(__file__).parent / "data" / "eight_schools_exact.json").read_text())
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def gallery():
    """Return a function that imports one of the gallery's programs as if run in its folder."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(GALLERY)
        yield importlib.import_module
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or ".").parent == GALLERY:
            del sys.modules[name]


def given_tau(tau: float, y: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the effects' means and sds given tau, by equations 5.17 and 5.20 of BDA3."""
    weight = 1 / (sigma**2 + tau**2)
    mu, variance = (weight @ y) / weight.sum(), 1 / weight.sum()
    shrunk = sigma**2 * weight
    sd = np.sqrt((1 - shrunk) * sigma**2 + shrunk**2 * variance)
    return shrunk * mu + (1 - shrunk) * y, sd


def test_every_picture_of_the_page_is_there_and_every_program_on_it():
    pictures = re.findall(r"\(images/(\w+\.png)\)", PAGE)
    assert len(pictures) == 5
    for name in pictures:
        assert (ROOT / "docs" / "images" / name).read_bytes().startswith(PNG)
    for name in re.findall(r"`python (\w+\.py)`", PAGE):
        assert (GALLERY / name).exists()


@pytest.mark.slow
def test_pooling_is_that_of_the_book(gallery, tmp_path):
    pooling = gallery("pooling")
    found = pooling.main(tmp_path, draws=500)
    expected = [given_tau(tau, pooling.EFFECT, pooling.ERROR) for tau in pooling.TAUS]
    np.testing.assert_allclose(found.mean, [mean for mean, _ in expected], rtol=1e-5)
    np.testing.assert_allclose(found.sd, [sd for _, sd in expected], rtol=1e-5)
    assert found.pooled == pytest.approx((EXACT["pooled"]["mean"], EXACT["pooled"]["sd"]), rel=1e-6)
    theta = found.posterior["theta"].sel(school=list("ABCDEFGH"))
    rows = found.posterior.summary(["theta"])["mcse_mean"].to_numpy()[:8]
    answers = np.array(EXACT["models"]["bda3_flat"]["theta"]["mean"])
    assert (np.abs(theta.mean(("chain", "draw")).values - answers) < 4 * rows).all()
    for name in ("pooling", "shrinkage"):
        assert (tmp_path / f"gallery_{name}.png").read_bytes().startswith(PNG)


@pytest.mark.slow
def test_the_funnel_diverges_centred_and_not_as_planned(gallery, tmp_path):
    funnel = gallery("funnel")
    centred, _, planned = funnel.main(tmp_path, draws=500)
    assert centred.diverging.any()
    assert not planned.diverging.any()
    log_tau, exact = np.log(planned.posterior["tau"].values), funnel.joint().sum(1)
    mean = (exact * funnel.LOG_TAU).sum()
    mcse = log_tau.std() / np.sqrt(planned.posterior.summary(["tau"])["ess_bulk"].item())
    assert abs(log_tau.mean() - mean) < 4 * mcse
    assert (tmp_path / "gallery_funnel.png").read_bytes().startswith(PNG)


def test_convergence_is_seen_where_it_is_and_missed_where_it_is_not(gallery, tmp_path):
    regression, written, planned = gallery("convergence").main(tmp_path)
    for run in (regression, planned):
        assert run.rhat < 1.01
        assert run.ess > 400
    assert written.rhat > 1.05
    assert written.posterior.advice()
    assert (tmp_path / "gallery_convergence.png").read_bytes().startswith(PNG)


@pytest.mark.slow
def test_hmc_goes_further_and_is_stuck_between_modes(gallery, tmp_path):
    found = gallery("hmc_against_metropolis").main(tmp_path, seeds=10)
    far, near = (np.square(found.jumps[name]).mean() for name in ("HMC", "Metropolis"))
    assert far > 4 * near
    gained = np.divide(*(found.per_evaluation[name] for name in ("HMC", "Metropolis")))
    assert (np.diff(gained) > 0).all()  # the more dimensions, the more HMC is worth
    assert sum(seed.crossings for seed in found.seeds) == 0
    assert all(seed.warned or seed.one_sided for seed in found.seeds)
    assert (tmp_path / "gallery_hmc_against_metropolis.png").read_bytes().startswith(PNG)
