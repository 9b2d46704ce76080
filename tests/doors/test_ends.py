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
        ("IntervalCensoredDistribution cannot be drawn from", "ft.IntervalCensored"),
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
    *(
        Refused(
            f"{cls.__name__} of {limit}",
            lambda cls=cls, limit=limit: cls(REAL, high=limit),
            ft.ModelError,
            (f"ft.{cls.__name__} has high = NaN", where),
        )
        for cls in (ft.Censored, ft.Truncated)
        for limit, where in ((np.nan, "infinite"), (np.array([1.0, np.nan]), "in row 1"))
    ),
    *(
        Refused(
            f"cuts {cuts}",
            lambda cuts=cuts: ft.IntervalCensored(REAL, cuts),
            ft.ModelError,
            ("ft.IntervalCensored has ", words),
        )
        for cuts, words in (
            ([], "shape (0,)"),
            (3.0, "np.stack([lower, upper], axis=-1)"),
            ([1.0, 1.0], "they must ascend"),
            ([[1.0, 2.0], [3.0, 2.0]], "[3.0, 2.0] in row 1"),
            ([np.nan, 1.0], "may not be NaN"),
            (["a", "b"], "type <U1"),
        )
    ),
    *(
        Refused(
            f"an interval from {after}",
            lambda after=after: ft.Censored(REAL, low=np.array([1.0, 2.0]), after=after),
            ft.ModelError,
            ("ft.Censored has after = ", words),
        )
        for after, words in ((2.0, "low = 1 in row 0"), (np.array([0.0, np.nan]), "in row 1"))
    ),
    Refused(
        "an interval beyond the cuts",
        observed(lambda a: ft.IntervalCensored(ft.Normal(a, 1.0), [0.0, 1.0]), [0, 3]),
        ft.SupportError,
        ("site `y`", "3 at index (1,)", "IntervalCensored", "at most 2"),
    ),
    Refused(
        "a zero where there are none",
        observed(lambda a: ft.Truncated(ft.Poisson(a), low=1), [2, 0]),
        ft.SupportError,
        ("site `y`", "0 at index (1,)", "Truncated", "at least 1"),
    ),
    Refused(
        "a time beyond its limit",
        observed(lambda a: ft.Censored(ft.Weibull(a * np.ones(2), 1.0), high=2.0), [1.0, 2.5]),
        ft.SupportError,
        ("site `y`", "2.5 at index (1,)", "Censored", "2"),
    ),
    Refused(
        "a value below its limit",
        observed(lambda a: ft.Truncated(ft.Normal(a * np.ones(2), 1.0), low=0.0), [1.0, -0.5]),
        ft.SupportError,
        ("site `y`", "-0.5 at index (1,)", "Truncated", "above 0"),
    ),
    Refused(
        "limits the wrong way round",
        observed(lambda a: ft.Truncated(ft.Gamma(a, 1.0), low=3.0, high=2.0), [2.5]),
        ft.SupportError,
        ("site `y`", "wrong way round"),
    ),
    Refused(
        "a copula's draws",
        lambda: ft.GaussianCopulaBeta(np.ones(2), np.ones(2), np.eye(2)).sample(KEY),
        ft.ModelError,
        ("GaussianCopulaBeta of Beta cannot be drawn from", "inverse"),
    ),
    Refused(
        "counts without cdf",
        lambda: ft.Truncated(ft.BetaBinomial(1.0, 1.0, 5), low=1),
        ft.ModelError,
        ("BetaBinomial", "cumulative"),
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
