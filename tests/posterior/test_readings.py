"""Check summaries, storage and advice on draws whose properties are known."""

import json

import arviz_base
import numpy as np
import pytest
import xarray as xr
from arviz_stats.base.array import array_stats

import finetti as ft
from finetti.posterior import diagnose

CHAINS, DRAWS = 4, 1000


def white(seed: int = 0, shape: tuple[int, ...] = ()) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(CHAINS, DRAWS, *shape))


def synthetic(draws: dict[str, np.ndarray] | None = None, **stats: np.ndarray) -> ft.Posterior:
    """Return a posterior of healthy draws, changed as told."""
    draws = {"mu": white(1), "tau": np.exp(white(2)), "theta": white(3, (2,))} | (draws or {})
    index = {"chain": np.arange(CHAINS), "draw": np.arange(DRAWS)}
    labelled = {
        name: (("chain", "draw", "school")[: values.ndim], values) for name, values in draws.items()
    }
    statistics = {
        "diverging": np.zeros((CHAINS, DRAWS), bool),
        "energy": white(4),
        "tree_depth": np.full((CHAINS, DRAWS), 3),
        "reached_max_treedepth": np.zeros((CHAINS, DRAWS), bool),
    } | stats
    groups = {
        "posterior": xr.Dataset(labelled, index | {"school": ["A", "B"]}),
        "sample_stats": xr.Dataset(
            {name: (("chain", "draw"), values) for name, values in statistics.items()}, index
        ),
    }
    return ft.Posterior(xr.DataTree.from_dict(groups))


def the_finding(posterior: ft.Posterior, problem: str):
    (found,) = [f for f in posterior.advice() if f.problem == problem]
    return found


# summary


def test_a_summary_has_a_row_a_scalar_labelled_by_its_plates():
    table = synthetic().summary()
    assert list(table.index) == ["mu", "tau", "theta[A]", "theta[B]"]
    columns = {"mean", "sd", "eti89_lb", "eti89_ub", "ess_bulk", "ess_tail", "r_hat"}
    assert columns | {"mcse_mean", "mcse_sd"} <= set(table.columns)


def test_a_summary_says_what_numpy_says():
    posterior = synthetic()
    row, draws = posterior.summary().loc["theta[B]"], posterior["theta"].sel(school="B").values
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["sd"] == pytest.approx(draws.std(), rel=1 / draws.size)  # either divisor
    low, high = np.quantile(draws, [0.055, 0.945])
    assert row["eti89_lb"] == pytest.approx(low, abs=1e-3)
    assert row["eti89_ub"] == pytest.approx(high, abs=1e-3)
    assert row["r_hat"] == pytest.approx(1, abs=0.01)
    axes = {"chain_axis": 0, "draw_axis": 1}
    assert row["ess_bulk"] == pytest.approx(float(array_stats.ess(draws, **axes)), abs=1)
    assert row["mcse_mean"] == pytest.approx(float(array_stats.mcse(draws, **axes)))


def test_a_summary_of_some_names_holds_those():
    assert list(synthetic().summary(["theta"]).index) == ["theta[A]", "theta[B]"]


def test_the_energy_fraction_of_white_noise_is_two():
    assert diagnose.bfmi(white()) == pytest.approx(2, abs=0.2)


# storage


@pytest.mark.parametrize("name", ["run.nc", "run.zarr", "deep/er/run.zarr"])
def test_a_saved_run_opens_as_it_was(tmp_path, name):
    posterior = synthetic()
    path = posterior.save(tmp_path / name)
    assert path == tmp_path / name
    opened = ft.open(path)
    assert opened.names == posterior.names
    for group in posterior.tree.children:
        xr.testing.assert_identical(opened.tree[group].dataset, posterior.tree[group].dataset)


@pytest.fixture(scope="module")
def fitted() -> ft.Posterior:
    import zoo

    method = ft.Automatic(draws=50, warmup=50)
    return ft.fit(zoo.schools("stan_posteriordb").build(), method, progress=False)


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_a_fit_survives_storage_with_its_description(tmp_path, fitted, suffix):
    opened = ft.open(fitted.save(tmp_path / f"run.{suffix}"))
    assert opened.attributes == fitted.attributes
    assert set(opened.tree.children) == set(fitted.tree.children)
    for group in fitted.tree.children:
        xr.testing.assert_equal(opened.tree[group].dataset, fitted.tree[group].dataset)


def test_arviz_reads_a_saved_run(tmp_path, fitted):
    netcdf = xr.open_datatree(fitted.save(tmp_path / "run.nc"), engine="h5netcdf")
    zarr = xr.open_datatree(fitted.save(tmp_path / "run.zarr"), engine="zarr")
    for tree in (netcdf, zarr):
        assert arviz_base.extract(tree)["theta"].sizes == {"school": 8, "sample": 200}
        np.testing.assert_array_equal(tree["posterior"]["theta"], fitted["theta"])
        assert tree["posterior"]["school"].values.tolist() == list("ABCDEFGH")


def test_saving_again_replaces_the_run(tmp_path):
    for suffix in ("nc", "zarr"):
        path = tmp_path / f"run.{suffix}"
        synthetic().save(path)
        synthetic({"nu": white(9)}).save(path)
        assert "nu" in ft.open(path).names


def test_a_run_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ft.DataError, match=r"there is no run at .*nowhere\.zarr"):
        ft.open(tmp_path / "nowhere.zarr")


# advice


def test_healthy_draws_need_no_advice():
    advice = synthetic().advice()
    assert not advice
    assert len(advice) == 0
    assert str(advice).startswith("No warnings")


def test_chains_in_different_places_are_named():
    shifted = white(5) + np.arange(CHAINS)[:, None]
    found = the_finding(synthetic({"nu": shifted}), "chains disagree")
    assert found.sites == ("nu",)
    assert "nu" in found.sentence
    assert "R-hat" in found.sentence


def test_a_plates_bad_member_is_named_by_its_label():
    theta = white(3, (2,))
    theta[:, :, 1] += np.arange(CHAINS)[:, None]
    found = the_finding(synthetic({"theta": theta}), "chains disagree")
    assert found.sites == ("theta[B]",)


def slow_walk(memory: float) -> np.ndarray:
    noise = white(6) * np.sqrt(1 - memory**2)
    for i in range(1, DRAWS):
        noise[:, i] += memory * noise[:, i - 1]
    return noise


def test_too_few_effective_draws_are_named():
    found = the_finding(synthetic({"nu": slow_walk(0.98)}), "too few effective draws")
    assert found.sites == ("nu",)
    assert "400" in found.sentence
    assert "times the draws" in found.sentence


def test_divergences_are_placed_at_small_scales():
    tau = np.exp(white(2))
    found = the_finding(synthetic({"tau": tau}, diverging=tau < 0.1), "divergences")
    assert found.sites == ("tau",)
    count = int((tau < 0.1).sum())
    assert found.sentence.startswith(f"{count} of {CHAINS * DRAWS} draws diverged")
    assert "tau is small" in found.sentence
    assert "non-centred" in found.sentence


def test_non_centring_is_not_advised_where_the_plan_has_seen_to_it():
    tau = np.exp(white(2))
    posterior = synthetic({"tau": tau}, diverging=tau < 0.1)
    posterior.tree.attrs["plan"] = json.dumps({"rewrites": [["integrate out theta", "cheap"]]})
    found = the_finding(posterior, "divergences")
    assert "tau is small" in found.sentence
    assert "non-centred" not in found.sentence


def test_few_divergences_have_no_place():
    """One draw always lies somewhere; three lie together as far by chance too often."""
    tau = np.exp(white(2))
    found = the_finding(synthetic({"tau": tau}, diverging=tau == tau.min()), "divergences")
    assert found.sites == ()
    assert "mostly" not in found.sentence
    assert "non-centred" not in found.sentence


def test_divergences_elsewhere_are_placed_there():
    mu = white(1)
    found = the_finding(synthetic({"mu": mu}, diverging=mu > 2), "divergences")
    assert "mu is large" in found.sentence
    assert "non-centred" not in found.sentence


def test_divergences_all_over_have_no_place():
    anywhere = np.random.default_rng(8).random((CHAINS, DRAWS)) < 0.05
    found = the_finding(synthetic(diverging=anywhere), "divergences")
    assert found.sites == ()
    assert "mostly" not in found.sentence


def test_long_trajectories_are_told():
    reached = np.random.default_rng(7).random((CHAINS, DRAWS)) < 0.2
    found = the_finding(synthetic(reached_max_treedepth=reached), "tree depth")
    assert "20%" in found.sentence
    assert "max_depth" in found.sentence


def test_stuck_chains_are_numbered():
    mu = white(1)
    mu[2] = 0.3
    found = the_finding(synthetic({"mu": mu}), "stuck chains")
    assert found.sites == ("mu",)
    assert "Chain 2 never moved in mu" in found.sentence
    assert "init=" in found.sentence


def test_all_chains_stuck_in_different_places_are_told():
    mu = np.repeat(white(1)[:, :1], DRAWS, 1)
    found = the_finding(synthetic({"mu": mu}), "stuck chains")
    assert "0, 1, 2, 3" in found.sentence


def test_all_chains_stuck_at_one_place_are_told():
    """Started at one init=, chains that never move are all alike."""
    stuck = {"mu": np.zeros((CHAINS, DRAWS)), "tau": np.ones((CHAINS, DRAWS))}
    stuck["theta"] = np.zeros((CHAINS, DRAWS, 2))
    found = the_finding(synthetic(stuck), "stuck chains")
    assert "0, 1, 2, 3" in found.sentence


def test_a_constant_is_not_stuck():
    """A deterministic site that is the same everywhere is no finding."""
    advice = synthetic({"limit": np.full((CHAINS, DRAWS), 2.5)}).advice()
    assert not advice, str(advice)


def test_a_slow_energy_is_told():
    found = the_finding(synthetic(energy=slow_walk(0.98)), "energy")
    assert "E-BFMI" in found.sentence


def test_advice_is_worst_first_and_prints_a_line_a_finding():
    mu, tau = white(1), np.exp(white(2))
    mu[2] = 0.3
    advice = synthetic({"mu": mu, "tau": tau}, diverging=tau < 0.1).advice()
    problems = [f.problem for f in advice]
    assert problems[:2] == ["stuck chains", "divergences"]
    assert len(str(advice).splitlines()) == len(advice)


def test_advice_does_without_nuts_statistics():
    bare = synthetic().tree
    stats = xr.Dataset({"lp": (("chain", "draw"), white())})
    bare["sample_stats"] = xr.DataTree(stats)
    assert not ft.Posterior(bare).advice()


@pytest.mark.parametrize("shape", [0.3, 0.9])
def test_k_hat_is_the_shape_of_the_large_weights(shape):
    # The exponential of such a log weight is a Pareto variable of this very shape; the standard
    # error of k-hat from m tail values is about (1 + k) / sqrt(m), m = 3 sqrt(draws).
    log_ratios = shape * np.random.default_rng(11).exponential(size=(4, 10_000))
    error = (1 + shape) / np.sqrt(3 * 200)
    assert diagnose.pareto_k(log_ratios) == pytest.approx(shape, abs=4 * error)
    assert diagnose.pareto_k(-log_ratios) < 0
