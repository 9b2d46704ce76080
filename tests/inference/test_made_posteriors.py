"""Check that a planned fit and one as written have one posterior, on models made at random.

Of each scalar the means of its rank and of its square's rank are compared, which exist however
heavy its tails. Over 1,200 comparisons 5.5 standard errors are passed by chance with probability
5e-5. Where the fit as written is unsound (R-hat, divergences), nothing can be told.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import finetti as ft
from finetti.posterior.diagnose import ess, rhat
from zoo import shortened
from zoo.made import made

FAR = 5.5  # standard errors
SETTINGS = ft.NUTS(draws=1000, warmup=700, chains=4)
SMALL = 14  # dimensions
SEEDS = range(90)


def numbers(posterior: ft.Posterior, rows: list[str]) -> list[np.ndarray]:
    """Return the draws of some scalars, (chain, draw) each."""
    return [posterior[row].to_numpy() for row in rows]


@pytest.mark.parametrize("seed", shortened(SEEDS, 60))
def test_a_plan_leaves_the_posterior_as_it_is(seed):
    model = made(seed).model()
    plan, plain = model.plan(), model.plan().as_written()
    size = sum(int(np.prod(v.free_shape)) for v in plan.variables if v.kind == "latent")
    if size > SMALL or any(v.discrete for v in plain.left) or not plan.rewrites:
        pytest.skip("too large, nothing to compare with, or nothing to compare")
    one, other = (ft.fit(model, SETTINGS, plan=p, seed=seed, progress=False) for p in (plan, plain))
    sites = [v for v in plan.variables if v.kind == "latent"]
    for v in sites:
        ours, theirs = one[v.name].to_numpy(), other[v.name].to_numpy()
        rows = [a.reshape(*a.shape[:2], -1).transpose(2, 0, 1) for a in (ours, theirs)]
        for i, (a, b) in enumerate(zip(*rows, strict=True)):
            if np.ptp(b) == 0:  # the fixed corner of a Cholesky factor
                continue
            ranks = stats.rankdata(np.concatenate([a, b]), axis=None).reshape(2, *a.shape)
            ranks = ranks / ranks.max() - 0.5
            if max(rhat(b), rhat(a)) > 1.02 or other_is_unsound(other):
                pytest.skip("the chains have not converged")
            for part in (ranks, ranks**2):
                sd = part.std()
                error = sd * np.sqrt(1 / ess(part[0]) + 1 / ess(part[1]))
                away = (part[0].mean() - part[1].mean()) / error
                assert abs(away) < FAR, f"{v.name} {i}: {away:.1f} standard errors"


def other_is_unsound(posterior: ft.Posterior) -> bool:
    """Tell whether a fit has divergences: it may have left out what it cannot enter."""
    found = posterior.tree["sample_stats"]["diverging"].to_numpy()
    return bool(found.mean() > 1e-3)


def test_the_standard_errors_are_those_of_independent_draws():
    """Two runs of one plan differ by about a standard error, as the comparison supposes."""
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(2, 400, 4, 250))
    away = [
        (a.mean() - b.mean()) / np.sqrt(a.var() / ess(a) + b.var() / ess(b))
        for a, b in zip(*draws, strict=True)
    ]
    assert 0.85 < np.std(away) < 1.15
