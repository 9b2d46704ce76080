"""Check the posterior probabilities of discrete sites that were summed out."""

from functools import cache

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from scipy.special import gammaln, softmax

import finetti as ft
import zoo

COUNTS = np.array(zoo.read("examples_exact.json")["disasters"]["data"])
QUICK = ft.Automatic(draws=200, warmup=200, chains=2)


@cache
def fitted(name: str) -> ft.Posterior:
    return ft.fit(zoo.MODELS[name](), QUICK, seed=1, progress=False)


def exact_switchpoint() -> np.ndarray:
    """Return P(switchpoint | y): the two rates, exponential a priori, are integrated out."""
    before = np.concatenate([[0], np.cumsum(COUNTS)[:-1]])
    after, years = COUNTS.sum() - before, np.arange(len(COUNTS))
    evidence = [gammaln(a + 1) - (a + 1) * np.log(n + 1)
                for a, n in ((before, years), (after, len(COUNTS) - years))]  # fmt: skip
    return softmax(sum(evidence))


def given_draws(posterior: ft.Posterior) -> np.ndarray:
    """Return P(switchpoint | rates, y) of each draw, shape (chain, draw, year)."""
    early, late = (np.asarray(posterior[n])[..., None] for n in ("early_mean", "late_mean"))
    gain = COUNTS * (np.log(early) - np.log(late)) - (early - late)
    return softmax(np.concatenate([0 * early, np.cumsum(gain, -1)[..., :-1]], -1), -1)


def test_the_exact_answer_has_the_known_moments():
    known = zoo.read("examples_exact.json")["disasters"]["sites"]["switchpoint"]
    p, years = exact_switchpoint(), np.arange(len(COUNTS))
    mean = p @ years
    assert mean == pytest.approx(known["mean"], rel=1e-9)
    assert np.sqrt(p @ (years - mean) ** 2) == pytest.approx(known["sd"], rel=1e-9)


def test_they_are_the_mean_over_draws_of_those_given_each_draw():
    posterior = fitted("disasters")
    expected = given_draws(posterior).mean((0, 1))
    np.testing.assert_allclose(posterior.probabilities("switchpoint"), expected, atol=1e-12)


def test_they_are_the_exact_ones_within_their_error():
    posterior, exact = fitted("disasters"), exact_switchpoint()
    found, each = np.asarray(posterior.probabilities("switchpoint")), given_draws(posterior)
    for year in np.flatnonzero(exact > 1e-3):
        error = array_stats.mcse(each[..., year], chain_axis=0, draw_axis=1, method="mean")
        assert abs(found[year] - exact[year]) < 4 * error


def test_the_coordinate_holds_the_values():
    found = fitted("disasters").probabilities("switchpoint")
    assert found.dims == ("switchpoint_state",)
    assert found["switchpoint_state"].values.tolist() == list(range(len(COUNTS)))
    assert float(found.sum()) == pytest.approx(1)
    assert abs(int(found.idxmax()) - 41) <= 1


@pytest.mark.parametrize(
    ("name", "site", "dims", "values"),
    [
        ("raters", "z", ("item", "z_state"), [0, 1, 2]),
        ("two_switches", "times", ("times_dim_0", "times_state"), list(range(1, 15))),
    ],
)
def test_a_site_keeps_its_dims_and_its_probabilities_agree_with_its_draws(name, site, dims, values):
    posterior = fitted(name)
    found = posterior.probabilities(site)
    assert found.dims == dims
    assert found[dims[-1]].values.tolist() == values
    np.testing.assert_allclose(found.sum(dims[-1]), 1, rtol=1e-9)
    drawn = np.asarray(posterior[site])[..., None] == np.array(values)
    error = array_stats.mcse(drawn.astype(float), chain_axis=0, draw_axis=1, method="mean")
    frequent = (drawn.sum((0, 1)) > 20) & (drawn.sum((0, 1)) < drawn[..., 0].size - 20)
    off = np.abs(drawn.mean((0, 1)) - np.asarray(found))
    assert np.all((off < 4 * error)[frequent & np.isfinite(error)])


def test_members_of_different_ranges_share_a_coordinate():
    @ft.model
    def ranges():
        p = ft.sample("p", ft.Beta(2, 2))
        with ft.plate("i", 3):
            low, high = np.array([1, 3, 2]), np.array([2, 6, 2])
            n = ft.sample("n", ft.DiscreteUniform(low, high))
            ft.sample("y", ft.Bernoulli(p ** (n / 6)), obs=np.array([1, 0, 1]))

    found = ft.fit(ranges(), QUICK, seed=1, progress=False).probabilities("n")
    assert found["n_state"].values.tolist() == [1, 2, 3, 4, 5, 6]
    taken = [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1], [0, 1, 0, 0, 0, 0]]
    assert np.array_equal(np.asarray(found) > 0, np.array(taken, bool))
    np.testing.assert_allclose(found.sum("n_state"), 1, rtol=1e-9)


@pytest.mark.parametrize("ending", ["nc", "zarr"])
def test_they_are_saved_and_read_again(tmp_path, ending):
    posterior = fitted("raters")
    again = ft.open(posterior.save(tmp_path / f"run.{ending}"))
    np.testing.assert_array_equal(again.probabilities("z"), posterior.probabilities("z"))
    assert again.probabilities("z").dims == ("item", "z_state")


def test_a_site_that_was_not_summed_out_has_none():
    with pytest.raises(ft.UnknownSite, match=r"state probabilities of `share`.*sites: `z`"):
        fitted("raters").probabilities("share")
