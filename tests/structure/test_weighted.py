"""Rows with weights are condensed and pooled as the rows that they stand for."""

import jax
import numpy as np
import pytest

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.criticism.explaining.moved import Moved

RNG = np.random.default_rng(11)
GROUP = RNG.integers(0, 6, 80)
COUNTS = RNG.integers(1, 4, 80)
VALUES = {
    "Normal": RNG.normal(GROUP * 0.3, 1.0).round(1),
    "Poisson": RNG.poisson(2.0, 80),
    "Bernoulli": RNG.integers(0, 2, 80),
}
VERBS = {"Normal": "condense y", "Poisson": "pool y", "Bernoulli": "pool y"}


@ft.model
def grouped(family, group, counts, y):
    mu = ft.sample("mu", ft.Normal(0, 1))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("group", 6):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    eta = theta[group]
    law = {
        "Normal": lambda: ft.Normal(eta, ft.sample("sigma", ft.HalfNormal(1))),
        "Poisson": lambda: ft.Poisson(jax.numpy.exp(eta)),
        "Bernoulli": lambda: ft.Bernoulli(logits=eta),
    }[family]()
    law = law if counts is None else ft.Weighted(law, counts)
    with ft.plate("row", len(group)):
        ft.sample("y", law, obs=y)


@pytest.mark.parametrize("family", VALUES)
@pytest.mark.parametrize("left_out", [False, True])
def test_weights_make_the_plan_and_the_density_of_the_rows(family, left_out):
    y, whole = VALUES[family], np.repeat(np.arange(80), COUNTS)
    models = [
        grouped(family, GROUP[whole], None, y[whole]),
        grouped(family, GROUP, COUNTS.astype(float), y),
    ]
    if left_out:
        gone = np.arange(80) % 7 == 0
        models = [models[0].leave_out(y=gone[whole]), models[1].leave_out(y=gone)]
    plans = [m.plan().unmoved() for m in models]
    names = [[r.name for r in plan.rewrites] for plan in plans]
    assert names[0] == names[1]
    assert VERBS[family] in names[0]
    densities = [ft.density(m, plan) for m, plan in zip(models, plans, strict=True)]
    points = np.random.default_rng(1).normal(size=(3, densities[0].dim)) * 0.5
    with jax.enable_x64(True):
        found = [compiled(ONCE)(jax.vmap(d.log_density))(points) for d in densities]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)


def test_the_plan_says_what_weights_stand_for():
    model = grouped("Normal", GROUP, COUNTS.astype(float), VALUES["Normal"])
    (row,) = [row for row in model.plan().rows() if row.site == "y"]
    assert "weighted in row(80)" in row.seen
    assert f"{COUNTS.sum()} values" in row.why
    assert "weight" not in row.seen.replace("weighted", "")


def test_means_over_rows_count_weights():
    model = grouped("Normal", GROUP, COUNTS.astype(float), VALUES["Normal"])
    (site,) = [v for v in model.variables if v.name == "y"]
    whole = Moved(model, site, {}, {}, (), {})
    rows = np.repeat(VALUES["Normal"], COUNTS)
    with jax.enable_x64(True):
        assert float(whole.mean(VALUES["Normal"])) == pytest.approx(rows.mean(), rel=1e-12)
        assert float(whole.variance(VALUES["Normal"])) == pytest.approx(rows.var(ddof=1), rel=1e-12)
