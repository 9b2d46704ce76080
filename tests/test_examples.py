"""Fit the example models as their README says, and compare with what is known."""

from pathlib import Path

import numpy as np
import pytest

import finetti as ft
import zoo
from finetti.cli.source import Source
from finetti.data import arguments
from finetti.reading.read import read

EXAMPLES = Path(__file__).parents[1] / "examples"
SLOPES = ("level", "uranium", "upstairs")


@pytest.fixture(scope="module")
def homes():
    """Read the radon table as the radon model takes it."""
    return arguments(Source(EXAMPLES / "radon.py").load(), read(EXAMPLES / "radon.csv"))


@pytest.fixture(scope="module")
def posterior(homes):
    """Fit the radon model to its table."""
    model = Source(EXAMPLES / "radon.py").load()
    return ft.fit(model(**homes), ft.NUTS(draws=2500), seed=1, progress=False)


def exact_radon(homes):
    """Return the exact means and sds of the sites, by quadrature over the two spreads.

    Given the spreads between and within counties all else is Gaussian: the effects are a known
    linear map of the slopes and the deviations of the counties.
    """
    y, county = homes["log_radon"], np.asarray(homes["county"])
    counties = len(homes["county"].labels)
    slopes = np.column_stack([np.ones(len(y)), homes["log_uppm"], homes["floor"]])
    design = np.hstack([slopes, np.eye(counties)[county]])
    square, cross = design.T @ design, design.T @ y
    shown = np.eye(3 + counties)  # the slopes, then each county's level and deviation
    shown[3:, 0] = 1
    log_weight, means, variances, spreads = [], [], [], []
    for between, a in quadrature(1e-4, 0.6, 40):
        for within, b in quadrature(0.64, 0.84, 20):
            prior = np.r_[np.full(3, 100.0), np.full(counties, between**2)]
            root = np.linalg.cholesky(np.diag(1 / prior) + square / within**2)
            white = np.linalg.solve(root, cross / within**2)
            log_weight.append(
                np.log(a * b) - len(y) * np.log(within) - np.log(prior).sum() / 2
                - np.log(np.diag(root)).sum() + white @ white / 2 - y @ y / within**2 / 2
                - (between**2 + within**2) / 2
            )  # fmt: skip
            seen = np.linalg.solve(root, shown.T)
            means.append(np.r_[white @ seen, between, within])
            variances.append(np.r_[(seen**2).sum(0), 0, 0])
            spreads.append((between, within))
    weight = np.exp(log_weight - np.max(log_weight))
    weight /= weight.sum()
    mean = weight @ means
    sd = np.sqrt(weight @ (np.array(variances) + (np.array(means) - mean) ** 2))
    places = {name: np.array(i) for i, name in enumerate(SLOPES)}
    places |= {"effect": np.arange(counties) + 3, "between": np.array(-2), "within": np.array(-1)}
    return {name: zoo.Reference(mean[i], sd[i], {}) for name, i in places.items()}


def quadrature(low, high, nodes):
    """Return the nodes and weights of Gauss-Legendre quadrature on an interval."""
    node, weight = np.polynomial.legendre.leggauss(nodes)
    return zip((low + high) / 2 + (high - low) / 2 * node, (high - low) / 2 * weight, strict=True)


def test_radon_matches_the_exact_means_and_sds(homes, posterior):
    found = zoo.misses(posterior, exact_radon(homes))
    assert max(map(abs, found.values())) < 4, zoo.worst(found)


def test_radon_matches_the_means_of_the_reference(posterior):
    # The means alone: this reference's sds err by more than its effective sample size says,
    # up to 5.7 standard errors from the exact ones above.
    known = zoo.posteriordb("radon_mn").reference
    names = {"level": "mu_alpha", "between": "sigma_alpha", "within": "sigma_y", "effect": "alpha"}
    found = zoo.misses(posterior, {name: known[theirs] for name, theirs in names.items()})
    means = {label: z for label, z in found.items() if label.startswith("mean ")}
    assert len(means) == 88
    assert max(map(abs, means.values())) < 4, zoo.worst(means)


def test_the_table_is_that_of_the_reference(homes):
    data = zoo.json.loads((zoo.DATA / "posteriordb" / "radon_mn" / "data.json").read_text())
    np.testing.assert_array_equal(np.asarray(homes["county"]) + 1, data["county_idx"])
    np.testing.assert_array_equal(homes["floor"], data["floor_measure"])
    np.testing.assert_allclose(homes["log_uppm"], data["log_uppm"], rtol=1e-12)
    np.testing.assert_allclose(homes["log_radon"], data["log_radon"], rtol=1e-12)
