"""Check ranks against those sorted by hand, and that they are probabilities."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import rankdata

import finetti as ft

HERDS = ("A", "B", "C", "D")


def run(**sites):
    dims = {2: (), 3: ("herd",), 4: ("herd", "year")}
    found = {n: (("chain", "draw", *dims[np.ndim(a)]), a) for n, a in sites.items()}
    sizes = {"herd": list(HERDS), "year": [1, 2]} if any(np.ndim(a) == 4 for a in sites.values()) \
        else {"herd": list(HERDS)}  # fmt: skip
    draws = xr.Dataset(found, {**sizes, "chain": range(4), "draw": range(300)})
    return ft.Posterior(xr.DataTree.from_dict({"posterior": draws}))


@pytest.fixture(scope="module")
def milk():
    return np.random.default_rng(1).normal([0, 1, 2, 1.5], 1, (4, 300, 4))


def test_ranks_are_those_of_each_draw(milk):
    found = ft.rank(run(milk=milk), "herd").ranks
    ranks = rankdata(-milk, axis=-1)
    np.testing.assert_allclose(found["expected"], ranks.mean((0, 1)))
    np.testing.assert_allclose(found["best"], (ranks == 1).mean((0, 1)))
    for k in range(1, 5):
        np.testing.assert_allclose(found["probability"].sel(rank=k), (ranks == k).mean((0, 1)))
    np.testing.assert_array_equal(found["low"], np.quantile(ranks, 0.055, (0, 1), method="lower"))
    assert (found["mcse_expected"] > 0).all()


def test_probabilities_sum_over_ranks_and_over_members(milk):
    found = ft.rank(run(milk=milk), "milk").ranks["probability"]
    np.testing.assert_allclose(found.sum("rank"), 1)
    np.testing.assert_allclose(found.sum("herd"), 1)


def test_the_smallest_is_first_where_asked(milk):
    up, down = (ft.rank(run(milk=milk), "milk", descending=d).ranks for d in (True, False))
    np.testing.assert_allclose(up["expected"] + down["expected"], len(HERDS) + 1)


def test_members_that_are_always_equal_share_the_ranks():
    found = ft.rank(run(milk=np.zeros((4, 300, 4))), "milk").ranks
    np.testing.assert_allclose(found["probability"], 0.25, atol=5 * np.sqrt(3 / 16 / 1200))


def test_other_dimensions_are_ranked_each_by_itself(milk):
    both = np.stack([milk, -milk], -1)
    posterior = run(yields=both)
    found = ft.rank(posterior, "herd").ranks
    assert found["probability"].dims == ("year", "herd", "rank")
    np.testing.assert_allclose(found["expected"].sel(year=1) + found["expected"].sel(year=2), 5)
    same = ft.rank(posterior, "yields", over="herd").ranks
    xr.testing.assert_equal(found, same)
    assert ft.rank(posterior, "yields", over="year").ranks["expected"].dims == ("herd", "year")


def test_a_sure_order_is_told_as_such():
    sure = np.broadcast_to(np.arange(4.0), (4, 300, 4)) + 0.0
    found = ft.rank(run(milk=sure), "milk")
    assert found.ranks["best"].values.tolist() == [0, 0, 0, 1]
    assert found.frame().index[0] == "D"
    assert str(found).splitlines()[3].split() == ["D", "1.0", "1", "1", "1.000"]
    assert repr(found) == "<ranking of 4 of herd by milk>"


def test_what_cannot_be_ranked_is_refused(milk):
    posterior = run(mu=milk[..., 0], milk=milk, fat=milk, table=np.stack([milk, milk], -1))
    with pytest.raises(ft.ModelError, match=r"several sites stand in `herd`.*'milk'.*'fat'"):
        ft.rank(posterior, "herd")
    with pytest.raises(ft.UnknownSite, match="did you mean `herd`"):
        ft.rank(posterior, "herds")
    with pytest.raises(ft.ShapeError, match="`mu` is one number"):
        ft.rank(posterior, "mu")
    with pytest.raises(ft.ModelError, match=r"over='herd' or over='year'"):
        ft.rank(posterior, "table")
    with pytest.raises(ft.UnknownSite, match="rank over"):
        ft.rank(posterior, "milk", over="year")
    with pytest.raises(ft.ModelError, match="takes a posterior"):
        ft.rank(milk, "milk")
