"""Columns and matrices that go by one name in two places of a formula are each their own."""

import jax
import numpy as np
import pandas as pd
import pytest
from tests.formulas.test_by_hand import joint

import finetti as ft

ROWS = 48
RANDOM = np.random.default_rng(4)
D = pd.DataFrame(
    {
        "y": RANDOM.normal(size=ROWS),
        "f": RANDOM.choice(["u", "v"], ROWS),
        "h": RANDOM.choice(["p", "q"], ROWS),
        "animal": np.resize(list("abcdef"), ROWS),
        "dam": np.resize(list("cdefgh"), ROWS),
        "v": RANDOM.uniform(1, 2, ROWS),
        "w": RANDOM.uniform(2, 9, ROWS),
    }
).assign(f2=lambda d: d.f, h2=lambda d: d.h)
ROOT = RANDOM.normal(size=(8, 8))
COVARIANCE = pd.DataFrame(ROOT @ ROOT.T + np.eye(8), list("abcdefgh"), list("abcdefgh"))
NEAR = pd.DataFrame(
    [[float(0 < abs(i - j) < 2 + (i + j < 7)) for i in range(8)] for j in range(8)],
    list("abcdefgh"),
    list("abcdefgh"),
)
MATRICES = {"A": COVARIANCE, "B": COVARIANCE, "W": NEAR, "V": NEAR}
CASES = {  # beside each the same with another name in one of the places
    "y ~ f + f:h; sigma ~ h + f:h": "y ~ f + f:h; sigma ~ h2 + f2:h2",
    "y ~ f + f:h + (h + f:h || animal)": "y ~ f + f:h + (h2 + f2:h2 || animal)",
    "y ~ (1 | gr(animal, cov=A)) + (1 | gr(dam, cov=A))": (
        "y ~ (1 | gr(animal, cov=A)) + (1 | gr(dam, cov=B))"
    ),
    "y ~ (1 | mm(animal, dam)); sigma ~ (1 | mm(animal, dam, weights=c(v, w)))": (
        "y ~ (1 | mm(animal, dam)); sigma ~ (1 | mm(dam, animal, weights=c(w, v)))"
    ),
    "y ~ car(W, gr=animal) + car(W, gr=dam)": "y ~ car(W, gr=animal) + car(V, gr=dam)",
}


def drawn(sites):
    return {n: s.value for n, s in sites.items() if s.kind == "sample" and not s.observed}


@pytest.mark.parametrize("text", CASES)
def test_a_name_in_two_places_stands_for_what_each_has(text):
    one, two = (ft.formula(t, D, matrices=MATRICES) for t in (text, CASES[text]))
    first, values = one.trace(3), list(drawn(one.trace(3)).values())
    names = list(drawn(two.trace(3)))
    second = two.substitute(**dict(zip(names, values, strict=True))).trace(0)
    with jax.enable_x64(True):
        assert joint(first) == pytest.approx(joint(second), rel=1e-9)
