"""Models of every family are right on data simulated from their priors (Talts et al. 2018)."""

import pytest
from tests.formulas.table import table

import finetti as ft

D = table(30)
B, A = ft.Normal(0, 0.5), ft.Normal(0, 1)
COMMON = {"b": B, "Intercept": A}
SHAPE = {**COMMON, "shape": ft.Gamma(4, 1)}
PHI = {**COMMON, "phi": ft.Gamma(4, 0.5)}
SIGMA = {**COMMON, "sigma": ft.HalfNormal(1)}
EACH = {f"{c}_{n}": p for c in ("green", "red") for n, p in (("Intercept", A), ("b", B))}
THREE = {f"{c}_{n}": p for c in ("wins", "n") for n, p in (("Intercept", A), ("b", B))}
PARTS = "cbind(share_a, share_b)"

FAMILIES = {
    "gaussian": ("y ~ z", SIGMA),
    "student": ("y ~ z", {**SIGMA, "nu": ft.Gamma(4, 0.5)}),
    "skew_normal": ("y ~ z", {**SIGMA, "alpha": ft.Normal(0, 2)}),
    "lognormal": ("positive ~ z", SIGMA),
    "gamma": ("positive ~ z", SHAPE),
    "exponential": ("positive ~ z", COMMON),
    "weibull": ("positive ~ z", SHAPE),
    "inverse_gaussian": ("positive ~ z", SHAPE),
    "bernoulli": ("yes ~ z", COMMON),
    "binomial": ("p(wins, n) ~ z", COMMON),
    "beta_binomial": ("wins | trials(n) ~ z", PHI),
    "zero_inflated_binomial": ("wins | trials(n) ~ z", COMMON),
    "beta": ("share ~ z", PHI),
    "zero_one_inflated_beta": ("share ~ z", PHI),
    "zero_inflated_beta": ("share ~ z", PHI),
    "poisson": ("count ~ z", COMMON),
    "negbinomial": ("count ~ z", SHAPE),
    "geometric": ("count ~ z", COMMON),
    "zero_inflated_poisson": ("count ~ z", COMMON),
    "zero_inflated_negbinomial": ("count ~ z", SHAPE),
    "hurdle_poisson": ("count ~ z", COMMON),
    "hurdle_negbinomial": ("count ~ z", SHAPE),
    "hurdle_gamma": ("positive ~ z", SHAPE),
    "hurdle_lognormal": ("positive ~ z", SIGMA),
    "von_mises": ("angle ~ z", {**COMMON, "kappa": ft.Gamma(4, 1)}),
    "cumulative": ("grade ~ z", COMMON),
    "sequential": ("grade ~ z", COMMON),
    "adjacent": ("grade ~ z", COMMON),
    "categorical": ("colour ~ z", EACH),
    "multinomial": ("cbind(count, wins, n) ~ z", THREE),
    "dirichlet": (f"{PARTS} ~ z", {"phi": ft.Gamma(4, 0.5), "share_b_Intercept": A,
                                   "share_b_b": B}),
    "mixture(gaussian, gaussian)": ("y ~ z", {**COMMON, "sigma": ft.LogNormal(-1, 0.3)}),
    "mixture(poisson, negbinomial)": ("count ~ z", SHAPE),
}  # fmt: skip
FAST = ("geometric",)


@pytest.mark.parametrize(
    "family", [pytest.param(f, marks=[] if f in FAST else [pytest.mark.slow]) for f in FAMILIES]
)
def test_a_model_of_the_family_is_calibrated(family):
    text, priors = FAMILIES[family]
    table = D.assign(share_a=D.share, share_b=1 - D.share)
    model = ft.formula(text, table, family=family, priors=priors)
    found = ft.calibrate(model, simulations=60 if family in FAST else 150, draws=60, seed=1)
    # A verdict allows for one false alarm in a hundred models, and there are some thirty.
    sure = {v.name: v.p for v in found.verdicts if v.p * len(found.verdicts) < 0.01 / len(FAMILIES)}
    assert not sure, str(found)
