"""Observations are condensed where an evaluation is then of fewer numbers, counted by equations."""

import jax
import numpy as np
import pytest

import finetti as ft
from finetti.inference.engine.price import numbers
from finetti.targets.density import density

# Few rows a group and many: correlated slopes, and effects that cross sparsely.
DESIGNS = {
    "slopes, 5 a group": ("y ~ x + (x | g)", 240, 5, True),
    "slopes apart, 3 a group": ("y ~ x + (x || g)", 400, 3, None),
    "crossed, 3 cells a member": ("y ~ x + (1 | g) + (1 | h)", 120, 10, None),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_what_is_condensed_takes_no_more_than_its_rows(name):
    formula, groups, each, condensed = DESIGNS[name]
    rng = np.random.default_rng(7)
    group = np.repeat(np.arange(groups), each)
    table = {
        "g": group,
        "h": rng.integers(0, groups // 3, len(group)),
        "x": rng.normal(size=len(group)),
    }
    table["y"] = rng.normal(size=groups)[group] + table["x"] + rng.normal(size=len(group))
    plan = ft.formula(formula, table).plan()
    rows = plan.without("condense y") if "condense y" in names(plan) else plan
    if condensed is not None:
        assert ("condense y" in names(plan)) == condensed
    with jax.enable_x64(True):
        model = ft.formula(formula, table)
        taken = [numbers(*density(model, p).target()) for p in (plan, rows)]
    assert taken[0] <= 1.05 * taken[1]


def names(plan):
    return [r.name for r in plan.rewrites]
