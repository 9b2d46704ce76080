"""What a table cannot tell of a formula is said when the model is made, and nothing else is."""

import warnings

import numpy as np
import pytest

import finetti as ft
from finetti.posterior.illnesses.separation import separating

RANDOM = np.random.default_rng(1)
N = 40
F = np.tile(["u", "v"], N // 2)
X = RANDOM.normal(size=N)
TABLE = {
    "x": X, "twice": 2 * X + 1, "same": np.full(N, 3.0), "f": F, "y": X + RANDOM.normal(size=N),
    "g": np.repeat(list("abcdefgh"), 5), "pair": np.repeat(np.arange(N // 2), 2),
    "row": np.arange(N), "h": np.where(F == "u", "p", np.repeat(["p", "q"], N // 2)),
    "above": (X > 0).astype(int), "no": np.zeros(N, int), "ones": np.ones(N),
    "yes": RANDOM.integers(0, 2, N), "some": np.where(F == "u", 0, RANDOM.integers(0, 2, N)),
    "k": RANDOM.poisson(3, N), "none": np.where(F == "u", 0, RANDOM.poisson(3, N)), "n": 9,
    "z": RANDOM.normal(size=N),
}  # fmt: skip
YES_OR_NO = {"family": "bernoulli"}
ADVISED = {
    "a covariate that is constant": ("y ~ same + x", {}, "same has one value in all rows"),
    "covariates that are one": ("y ~ x + z + twice", {}, "^twice is a sum of the predictors"),
    "cells without rows": ("y ~ f * h", {}, "no row has f 'u' and h 'q'"),
    "as many coefficients as rows": ("y ~ poly(x, 39)", {}, r"as many coefficients \(40\)"),
    "more coefficients": ("y ~ poly(x, 20) + poly(z, 20)", {}, r"more coefficients \(41\)"),
    "a number that separates": ("above ~ x", YES_OR_NO, "^x separates the noes from the yeses"),
    "names that separate some": ("some ~ z + f", YES_OR_NO, r"^f\[v\] separates the noes"),
    "counts whose zeros are apart": ("none ~ z + f", {"family": "poisson"}, r"f\[v\].*the 0s"),
    "successes whose zeros are apart": ("p(none, n) ~ f", {}, r"^f\[v\] separates"),
    "an outcome of one value": ("y ~ x", {"y": np.ones(N)}, "`y` is 1 in every row"),
    "an outcome of zeros": ("no ~ x", {"family": "poisson"}, "`no` is 0 in every row"),
    "a group for each row": ("y ~ (1 | row)", {}, r"40 effects and there are 40 rows.*sigma"),
    "slopes of groups of two": ("y ~ (x | pair)", {}, "40 effects and there are 40 rows"),
    "groups of each row and a shape": ("k ~ (1 | row)", {"family": "negbinomial"}, "shape"),
}  # fmt: skip
SILENT = {
    "numbers and names": ("y ~ x * f + z + (x | g)", {}),
    "cells with rows": ("y ~ f * g", {}),
    "yes or no": ("yes ~ x + f", YES_OR_NO),
    "counts": ("k ~ x + f", {"family": "poisson"}),
    "a constant without an intercept": ("y ~ 0 + same + x", {}),
    "a group for each row of counts": ("k ~ (1 | row)", {"family": "poisson"}),
    "a group for each row of known errors": ("y | se(ones) ~ (1 | row)", {}),
    "zeros that are inflated": ("none ~ f", {"family": "zero_inflated_poisson"}),
}


def made(text, settings):
    columns = {n: v for n, v in settings.items() if n in TABLE}
    return ft.formula(text, {**TABLE, **columns}, family=settings.get("family"))


@pytest.mark.parametrize("case", ADVISED)
def test_what_the_rows_do_not_tell_is_said(case):
    text, settings, said = ADVISED[case]
    with pytest.warns(UserWarning, match=said) as caught:
        made(text, settings)
    assert len(caught) == 1


@pytest.mark.parametrize("case", SILENT)
def test_nothing_is_said_of_what_they_tell(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(*SILENT[case])


def test_one_number_separates_where_its_values_do_not_overlap():
    found = []
    for seed in range(60):
        r = np.random.default_rng(seed)
        x = r.integers(0, 6, 5).astype(float)
        signs = r.choice([-1.0, 0.0, 1.0], 5, p=[0.4, 0.2, 0.4])
        if not np.ptp(x):
            continue
        low, high = x[signs < 0], x[signs > 0]
        level = x[signs == 0]
        # A function that is 0 at two different values is 0; else it turns at the only one.
        turns = [level[0]] if len(set(level)) == 1 else np.unique(x) if not len(level) else []
        apart = any(
            ((s * (high - c) >= 0).all() and (s * (low - c) <= 0).all())
            and (np.abs(high - c).any() or np.abs(low - c).any())
            for c in turns for s in (-1, 1)
        )  # fmt: skip
        found.append(apart)
        assert bool(separating(signs, {"x": x})) == apart, (x, signs)
    assert 5 < sum(found) < len(found) - 5
