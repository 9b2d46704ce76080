"""Check that many numbers summarised at once get what ArviZ gives each by itself."""

import subprocess
import sys
import warnings

import arviz_base
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from arviz_stats.base.array import array_stats
from arviz_stats.summary import summary as summarize

import finetti as ft
from finetti.posterior import diagnose
from finetti.posterior.tabulate import BLOCK

ROUNDING = 1e-12  # relative: both sum some thousand numbers in double precision
CHAINS, DRAWS = 4, 1000
RNG = np.random.default_rng(20210718)


def correlated(phi: float, *shape: int, chains: int = CHAINS, draws: int = DRAWS) -> np.ndarray:
    """Return chains of standard normal draws, each correlated with the one before."""
    found = RNG.normal(size=(chains, draws, *shape))
    for t in range(1, draws):
        found[:, t] = phi * found[:, t - 1] + np.sqrt(1 - phi**2) * found[:, t]
    return found


def with_some(value: float, share: float = 0.05) -> np.ndarray:
    """Return normal draws of which a share is another value."""
    draws = RNG.normal(size=(CHAINS, 100, 5))
    return np.where(RNG.random(draws.shape) < share, value, draws)


CASES = {
    "independent": correlated(0, 9),
    "correlated": correlated(0.6, 9),
    "slow": correlated(0.99, 9),
    "antithetic": correlated(-0.6, 9),
    "heavy tails": RNG.standard_cauchy((CHAINS, DRAWS, 9)),
    "far from zero": 100 + correlated(0.3, 9),
    "chains apart": correlated(0.3, 9) + np.arange(CHAINS)[:, None, None],
    "one chain stuck": np.where(np.arange(CHAINS) == 1, 0.3, correlated(0, 9).T).T,
    "every chain stuck": np.repeat(RNG.normal(size=(CHAINS, 1, 3)), 100, axis=1),
    "constant": np.full((CHAINS, 100), 3.5),
    "zero": np.zeros((CHAINS, 100)),
    "zeros of either sign": np.where(RNG.random((CHAINS, 100)) < 0.4, -0.0, with_some(0.0).T[0].T),
    "neighbouring floats": np.nextafter(1 + correlated(0.2, 9).round(2), RNG.integers(0, 3, 9)),
    "a missing value": with_some(np.nan, 0.003),
    "all missing": np.full((CHAINS, 100), np.nan),
    "infinities": with_some(np.inf),
    "minus infinities": with_some(-np.inf),
    "mostly infinite": with_some(np.inf, 0.7),
    "integers": RNG.integers(-3, 4, (CHAINS, 500, 9)),
    "small integers": RNG.integers(0, 9, (CHAINS, 500, 9)).astype(np.int8),
    "large integers": RNG.integers(-(10**12), 10**12, (CHAINS, 500, 9)),
    "rare ones": (RNG.random((CHAINS, 500, 9)) < 0.03).astype(int),
    "one chain": correlated(0.5, 9, chains=1),
    "two chains": correlated(0.5, 9, chains=2),
    "an odd number of draws": correlated(0.5, 9, draws=501),
    "many draws": correlated(0.5, 2, draws=6000),
} | {
    f"{draws} draws of {chains}": correlated(0, 9, chains=chains, draws=draws)
    for draws in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 25)
    for chains in (1, 4)
}  # fmt: skip


def run(**draws: np.ndarray) -> ft.Posterior:
    dims = "chain", "draw", "member", "part"
    sites = {name: (dims[: values.ndim], values) for name, values in draws.items()}
    return ft.Posterior(xr.DataTree.from_dict({"posterior": xr.Dataset(sites)}))


def by_arviz(posterior: ft.Posterior, names: list[str] | None = None) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = pd.DataFrame(summarize(posterior.tree, var_names=names, round_to="none"))
    return table.astype({"ess_bulk": int, "ess_tail": int}, errors="ignore")


def agree(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, rtol=ROUNDING, atol=0)


@pytest.mark.parametrize("draws", CASES.values(), ids=CASES)
def test_a_summary_is_that_of_arviz(draws):
    posterior = run(x=draws)
    agree(posterior.summary(), by_arviz(posterior))


@pytest.mark.parametrize("draws", CASES.values(), ids=CASES)
def test_what_is_told_of_one_number_is_what_arviz_tells(draws):
    draws = draws.reshape(*draws.shape[:2], -1)[..., 0]

    def by_arviz(read, **settings):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = float(read(draws, chain_axis=0, draw_axis=1, **settings))
        return pytest.approx(found, rel=ROUNDING, nan_ok=True)

    assert diagnose.ess(draws) == by_arviz(array_stats.ess)
    assert diagnose.rhat(draws) == by_arviz(array_stats.rhat)
    for q in (0.01, 0.5, 0.9):
        (found,) = diagnose.each_quantile_ess([draws], q)
        assert found == by_arviz(array_stats.ess, method="quantile", prob=q)


def test_truths_are_summarised_as_zeros_and_ones():
    draws = RNG.random((CHAINS, 500, 9)) < 0.2
    found = run(x=draws).summary()
    agree(found, by_arviz(run(x=draws.astype(int))))
    ess = array_stats.ess(draws, chain_axis=0, draw_axis=1)
    assert list(found["ess_bulk"]) == list(ess.astype(int))


def test_single_precision_is_compared_as_arviz_does_and_summed_in_double():
    draws = (3 + correlated(0.4, 30)).astype(np.float32)
    columns = ["ess_bulk", "ess_tail", "eti89_lb", "eti89_ub"]
    agree(run(x=draws).summary()[columns], by_arviz(run(x=draws))[columns])
    draws = (1024 * draws).round() / 1024  # whose distances from the median are exact
    found = run(x=draws).summary()
    assert draws.dtype == np.float32
    agree(found, by_arviz(run(x=draws.astype(float))))


def test_a_summary_of_many_sites_has_the_rows_of_arviz_in_order():
    members = 2 * BLOCK // (CHAINS * 50) + 3  # more than one block holds
    posterior = run(
        single=correlated(0, draws=50),
        counts=RNG.integers(0, 9, (CHAINS, 50, 3)),
        matrix=correlated(0, 3, 2, draws=50),
        last=correlated(0.5, draws=50),
    )
    many = correlated(0.3, members, draws=50)
    named = posterior.draws.assign_coords(member=["A", "B", "C"], part=[0.5, 1.5])
    named = named.assign(many=(("chain", "draw", "group"), many))
    posterior = ft.Posterior(xr.DataTree.from_dict({"posterior": named}))
    rows = [0, 1, 4, 9, 10, -1]
    agree(posterior.summary(), by_arviz(posterior))
    assert [posterior.summary().index[i] for i in rows] == [
        "single", "counts[A]", "matrix[A, 0.5]", "matrix[C, 1.5]", "last", f"many[{members - 1}]",
    ]  # fmt: skip
    names = ["last", "matrix"]
    agree(posterior.summary(names), by_arviz(posterior, names))


def test_the_order_of_dimensions_does_not_matter():
    posterior = run(x=correlated(0.3, 3))
    turned = posterior.draws.transpose("member", "draw", "chain")
    agree(ft.Posterior(xr.DataTree.from_dict({"posterior": turned})).summary(), posterior.summary())


def test_settings_of_arviz_hold():
    posterior = run(x=correlated(0.3, 3))
    with arviz_base.rc_context({"stats.ci_prob": 0.5}):
        agree(posterior.summary(), by_arviz(posterior))
        assert "eti50_lb" in posterior.summary(["x"])
    with arviz_base.rc_context({"stats.ci_kind": "hdi"}):
        agree(posterior.summary(["x"]), by_arviz(posterior))


def test_a_summary_needs_neither_arviz_nor_a_picture():
    program = """
import sys
import numpy as np, xarray as xr, finetti as ft
sites = {"x": (("chain", "draw"), np.random.default_rng(0).normal(size=(4, 100)))}
table = ft.Posterior(xr.DataTree.from_dict({"posterior": xr.Dataset(sites)})).summary()
assert table["ess_bulk"].item() > 100
assert not {"arviz_base", "arviz_stats", "scipy.stats", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
