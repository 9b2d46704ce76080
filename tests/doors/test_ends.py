"""Check that the ends of supports and bases that cannot be limited are refused in a sentence."""

import jax
import numpy as np
import pytest
from cases import Refused

import finetti as ft


def observed(family, data):
    def statements():
        a = ft.sample("a", ft.HalfNormal(1))
        ft.sample("y", family(a), obs=np.asarray(data))

    return lambda: ft.Model(statements, "m")().variables


HALF = [0.25, 0.5]
KEY = jax.random.key(0)
COUNT, REAL = ft.Poisson(1.0), ft.Normal(0.0, 1.0)
CASES = [
    *(
        Refused(
            f"{name} at {end}",
            observed(family, [*HALF, end]),
            ft.SupportError,
            ("site `y`", f"{end} at index (2,)", "ft.ZeroOneInflatedBeta"),
        )
        for end in (0, 1)
        for name, family in {
            "Beta": lambda a: ft.Beta(a, 2.0),
            "BetaProportion": lambda a: ft.BetaProportion(0.3, a),
            "Kumaraswamy": lambda a: ft.Kumaraswamy(a, 2.0),
        }.items()
    ),
    Refused(
        "Dirichlet at 0",
        observed(lambda a: ft.Dirichlet(a * np.ones(3)), [[0.2, 0.3, 0.5], [0.5, 0.5, 0.0]]),
        ft.SupportError,
        ("site `y`", "0 at index (1, 2)", "Dirichlet"),
    ),
    *(
        Refused(cls.__name__, lambda cls=cls: cls(COUNT), ft.ModelError, ("Poisson", "Hurdle"))
        for cls in (
            ft.LeftTruncatedDistribution,
            ft.RightTruncatedDistribution,
            ft.TwoSidedTruncatedDistribution,
            ft.TruncatedDistribution,
        )
    ),
    Refused(
        "a gamma truncated",
        lambda: ft.LeftTruncatedDistribution(ft.Gamma(1.0, 1.0)),
        ft.ModelError,
        ("not Gamma", "ft.Truncated"),
    ),
    *(
        Refused(
            cls.__name__, lambda cls=cls: cls(REAL, True).sample(KEY), ft.ModelError, ("Censored",)
        )
        for cls in (ft.LeftCensoredDistribution, ft.RightCensoredDistribution)
    ),
    Refused(
        "an interval's draws",
        lambda: ft.IntervalCensoredDistribution(REAL, True, False).sample(KEY),
        ft.ModelError,
        ("IntervalCensoredDistribution cannot be drawn from", "ft.Censored"),
    ),
    Refused(
        "no cdf", lambda: ft.Censored(ft.SkewNormal(), low=0), ft.ModelError, ("SkewNormal", "cum")
    ),
    Refused(
        "a vector",
        lambda: ft.Truncated(ft.Dirichlet(np.ones(2)), low=0),
        ft.ModelError,
        ("univariate",),
    ),
    Refused("a number", lambda: ft.Censored(3.0), ft.ModelError, ("univariate", "3.0")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_an_end_or_a_base_that_cannot_be_is_refused(case):
    case.check()


def test_an_end_of_finite_density_is_taken():
    (y,) = ft.Model(
        lambda: ft.sample("y", ft.Beta(1.0, 1.0), obs=np.array([0.0, 1.0])), "m"
    )().variables
    assert np.asarray(y.data).tolist() == [0.0, 1.0]


def test_zeros_and_ones_are_taken_by_the_inflated_beta():
    family = lambda a: ft.ZeroOneInflatedBeta(0.3, 0.5, a, 2.0)  # noqa: E731
    assert len(observed(family, [0.0, 0.5, 1.0])()) == 2
