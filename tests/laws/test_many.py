"""Check that a fit among many is the fit that the model would have alone."""

import numpy as np
import pytest

import finetti as ft
from finetti.inference.many import batches
from finetti.structure.rewrites import alternate
from zoo.groups import shops

RANDOM = np.random.default_rng(7)
COUNTS = RANDOM.poisson(np.exp(RANDOM.normal(0.5, 0.7, 30)))


@pytest.mark.slow
def test_members_that_move_by_themselves_do_so_among_many_fits(monkeypatch):
    """The same kernel in the same coordinates: the draws of a seed are the same, but for rounding.

    Chaos takes rounding to the size of the posterior in long runs: these are short.
    """
    monkeypatch.setattr(alternate, "FEWEST", 10)
    model, method = shops(COUNTS), ft.NUTS(draws=40, warmup=30, chains=2, thin=1)
    plan = model.plan().without("pool").without("tally")
    alone = ft.fit(model, method, plan=plan, seed=3, progress=False)
    other = RANDOM.poisson(3.0, 30)
    fits = batches(model, {"y": np.stack([COUNTS, other])}, method, plan, 3).fit(np.arange(2))
    assert fits.target.layout.apart == ("a",)
    found = fits.values(("mu", "tau", "a"), 80)
    for name in found:
        drawn = alone[name].values.reshape(80, *found[name].shape[2:])
        np.testing.assert_allclose(found[name][0], drawn, rtol=1e-6, atol=1e-8, err_msg=name)
