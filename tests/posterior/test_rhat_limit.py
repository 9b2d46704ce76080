"""Warn of chains that disagree where they do, and not because there are many numbers."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

from finetti.posterior import diagnose
from finetti.posterior.evidence import Evidence
from finetti.posterior.illnesses.convergence import disagreeing

RUNS, CHANCE = 300, 1e-3  # of this test failing where the limit is what it says


def tree(draws: np.ndarray) -> xr.DataTree:
    sites = xr.Dataset({"x": (("chain", "draw", "k"), draws)}, {"k": range(draws.shape[2])})
    return xr.DataTree.from_dict({"posterior": sites})


def test_independent_draws_are_warned_of_once_in_a_hundred_runs():
    rng = np.random.default_rng(3)
    largest = np.array([
        diagnose.summary(tree(rng.normal(size=(4, 100, 8))))["r_hat"].max() for _ in range(RUNS)
    ])  # fmt: skip
    most = binom.isf(CHANCE, RUNS, 0.01)
    assert (largest > diagnose.rhat_limit(8, 4, 100)).sum() <= most
    assert (largest > 1.01).sum() > most  # what a limit that knows nothing of this would say


@pytest.mark.parametrize(("numbers", "draws"), [(8, 1000), (1000, 1000), (4000, 250)])
def test_a_chain_elsewhere_is_found_among_many(numbers, draws):
    apart = np.random.default_rng(4).normal(size=(4, draws, numbers))
    assert disagreeing(Evidence(tree(apart))) is None
    apart[0, :, 5] += 1.0
    found = disagreeing(Evidence(tree(apart)))
    assert found is not None
    assert found.sites == ("x[5]",)


@pytest.mark.parametrize(("chains", "draws"), [(1, 1000), (4, 4), (4, 3), (2, 1)])
def test_few_draws_or_one_chain_have_a_limit(chains, draws):
    assert diagnose.rhat_limit(10, chains, draws) >= 1.01
