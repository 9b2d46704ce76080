"""lme4's estimates lie where a posterior under weak priors should put them."""

from pathlib import Path

import pytest

import finetti as ft

DATA = Path(__file__).parents[2] / "examples"

# By lme4 1.1-31: fixed effects with their standard errors, and standard deviations.
TABLES = {
    "sleepstudy": (
        "Reaction ~ Days + (Days | Subject)",
        {"Intercept": (251.405, 6.8246), "Days": (10.4673, 1.54579)},
        {"sd[Subject][Intercept]": 24.7407, "sd[Subject][Days]": 5.92214,
         "cor[Subject][Intercept, Days]": 0.0655512, "sigma": 25.5918},
    ),
    "sleepstudy, uncorrelated": (
        "Reaction ~ Days + (Days || Subject)",
        {"Intercept": (251.405, 6.88538), "Days": (10.4673, 1.55957)},
        {"sd[Subject][Intercept]": 25.0513, "sd[Subject][Days]": 5.98819, "sigma": 25.5653},
    ),
    "penicillin": (
        "diameter ~ 1 + (1 | plate) + (1 | sample)",
        {"Intercept": (22.9722, 0.808595)},
        {"sd[plate][Intercept]": 0.846703, "sd[sample][Intercept]": 1.93161, "sigma": 0.549923},
    ),
    "cbpp": (
        "p(incidence, size) ~ period + (1 | herd)",
        {"Intercept": (-1.39834, 0.231214), "period[2]": (-0.991925, 0.303151),
         "period[3]": (-1.12822, 0.32283), "period[4]": (-1.57975, 0.422049)},
        {"sd[herd][Intercept]": 0.64207},
    ),
}  # fmt: skip
SLOW = ("sleepstudy, uncorrelated", "penicillin")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in TABLES]
)
def test_estimates_lie_in_the_posterior(name):
    """Fixed effects within two of lme4's standard errors, the others in the 95% interval."""
    text, fixed, spreads = TABLES[name]
    model = ft.formula(text, DATA / f"{name.partition(',')[0]}.csv")
    posterior = ft.fit(model, seed=1, progress=False)
    table = posterior.summary()
    for row, (estimate, error) in fixed.items():
        assert abs(table.loc[row, "mean"] - estimate) < 2 * error
        # The posterior is wider than the normal law of the estimate, which takes sds for known.
        assert 0.9 * error < table.loc[row, "sd"] < 1.5 * error
    for row, estimate in spreads.items():
        low, high = posterior[row].quantile([0.025, 0.975]).values
        assert low < estimate < high
    assert table["r_hat"].max() < 1.01
