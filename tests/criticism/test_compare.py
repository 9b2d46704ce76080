"""Check that models are ranked as arviz-stats ranks them, and what is said of it."""

import inspect
import json
from dataclasses import replace
from functools import cache

import arviz_stats
import numpy as np
import pytest
import xarray as xr

import finetti as ft
from finetti.criticism.leaving_out.compare import stack

ROWS = 40
RNG = np.random.default_rng(1763)
X = RNG.normal(size=ROWS)
Y = RNG.normal(1 + 0.6 * X, 1)
NUMBERS = {"elpd": "elpd", "se": "se", "diff": "elpd_diff", "se_diff": "dse", "p": "p"}


@ft.model
def line(x):
    level = ft.sample("level", ft.Normal(0, 5))
    slope = ft.sample("slope", ft.Normal(0, 1))
    with ft.plate("row", len(x)):
        ft.sample("y", ft.Normal(level + slope * x, 1))


@cache
def fits() -> dict[str, ft.Posterior]:
    """Return models of the same rows with draws from their posteriors, which are known."""
    columns = {"other": RNG.normal(size=ROWS), "right": X, "none": np.zeros(ROWS)}
    found = {}
    for name, x in columns.items():
        design = np.stack([np.ones(ROWS), x], 1)
        covariance = np.linalg.inv(np.diag([1 / 25, 1]) + design.T @ design)
        draws = RNG.multivariate_normal(covariance @ design.T @ Y, covariance, (4, 500))
        held = xr.Dataset(
            {site: (("chain", "draw"), draws[..., i]) for i, site in enumerate(("level", "slope"))},
            {"chain": range(4), "draw": range(500)},
        )
        tree = xr.DataTree.from_dict({"posterior": held})
        found[name] = ft.Posterior(tree, line(x).condition(y=Y))
    return found


@cache
def compared() -> ft.Comparison:
    return ft.compare(fits())


def test_the_table_is_arviz_s():
    table = compared().table
    scores = {}
    for name, posterior in fits().items():
        tree = posterior.tree.copy()
        tree["log_likelihood"] = xr.DataTree(posterior.log_likelihood())
        scores[name] = arviz_stats.loo(tree, pointwise=True)
    plain = (
        {"round_to": "none"}
        if "round_to" in inspect.signature(arviz_stats.compare).parameters
        else {}
    )
    theirs = arviz_stats.compare(scores, **plain)
    assert list(table.index) == list(theirs.index)
    assert compared().best == "right"
    ours = np.stack([compared().elpds[name].pointwise for name in table.index])
    known = np.stack([scores[name].elpd_i.values for name in table.index])
    np.testing.assert_allclose(ours, known, atol=2e-3)  # another length of the tail
    known = {name: theirs[name].to_numpy(float) for name in theirs if name in NUMBERS.values()}
    for mine, other in NUMBERS.items():  # se: either divisor, n or n - 1
        close = 1 / ROWS if "se" in mine else 1e-9
        np.testing.assert_allclose(
            np.abs(table[mine]), np.abs(known[other]), rtol=close, atol=0.02, err_msg=mine
        )
    np.testing.assert_allclose(table["weight"], theirs["weight"].astype(float), atol=0.01)


def test_weights_make_the_mixture_that_predicts_best():
    scores = RNG.normal(size=(200, 3)) - 900  # densities that no float holds
    weights = stack(scores)
    assert weights.sum() == pytest.approx(1)

    def log_score(w):
        return np.log(np.exp(scores + 900) @ w).mean()

    for other in RNG.dirichlet(np.ones(3), 500):
        assert log_score(weights) >= log_score(other) - 1e-9
    assert stack(np.array([[-1.0, -2.0], [-1.5, -2.5]])) == pytest.approx([1, 0], abs=1e-6)


def elpd(scores: np.ndarray, discrete: bool = False, k: float = 0.1, first: float = 0) -> ft.Elpd:
    """Return scores as of a leave-one-out of normal numbers."""
    full = {"elpd": scores, "p": 0 * scores + 0.1, "mcse": 0 * scores, "pareto_k": 0 * scores + k}
    held = xr.Dataset({n: ("row", a) for n, a in full.items()}, attrs={"points": "y"})
    held = held.assign(refitted=("row", scores > np.inf), sole=("row", scores > np.inf))
    data = {"y": first + np.arange(float(len(scores)))}
    every = np.arange(len(scores))
    return ft.Elpd("m", "leave-one-out", every, held, data, {"y": every}, discrete, 0.7)


def said(**scores: np.ndarray) -> str:
    return " ".join(ft.compare({n: elpd(s) for n, s in scores.items()}).sentences())


def test_sentences_say_what_a_difference_means():
    base, noise = np.full(200, -1.0), np.random.default_rng(3).normal(size=200)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    small = said(a=base, b=base - 0.01)
    assert "a predicts better than b by 2.0" in small
    assert "less than 4, which is small" in small
    clear = said(a=base, b=base - 0.1 + 0.3 * noise)  # 20, standard error 0.3 sqrt(200)
    assert (
        "by 20.0 (standard error 4.2): more than 2 standard errors, so b clearly predicts worse"
        in clear
    )
    vague = said(a=base, b=base - 0.1 + noise)
    assert "by 20.0 (standard error 14.1): less than 2 standard errors" in vague
    assert "fewer than 100" not in clear
    assert "With 50 points, fewer than 100" in said(a=base[:50], b=base[:50] - 0.2)
    assert "fewer than 100" not in said(a=base[:50], b=base[:50] - 0.01)


def test_warnings_come_with_the_name_of_the_model():
    scores = np.full(30, -1.0)
    found = ft.compare({"a": elpd(scores), "b": elpd(scores - 1, k=0.9)})
    assert "b: The score of y[0], y[1]" in str(found)
    assert found.table["unreliable"].tolist() == [0, 30]
    mixed = ft.compare({"a": elpd(scores), "b": elpd(scores - 1, discrete=True)})
    assert "probabilities of whole numbers and others densities" in str(mixed)


def test_a_comparison_is_printed_and_written_as_json():
    found = compared()
    assert str(found).splitlines()[0].startswith("leave-one-out, 40 points")
    told = json.loads(json.dumps(found.as_dict()))
    assert list(told["models"]) == list(found.elpds)
    assert told["models"]["right"]["diff"] == 0
    assert told["sentences"] == found.sentences()


def test_models_of_one_name_are_told_apart():
    posterior = fits()["none"]
    assert list(ft.compare(posterior, posterior).elpds) == ["line", "line 2"]


def test_models_of_other_observations_are_refused_by_name():
    one = elpd(np.zeros(40))
    with pytest.raises(ft.ModelError, match=r"a and b observe other values: at \[0\] `y` is 0.0"):
        ft.compare({"a": one, "b": elpd(np.zeros(40), first=1)})
    with pytest.raises(ft.ModelError, match=r"a observes `y` of shape \(40,\) and b `y` of shape"):
        ft.compare({"a": one, "b": elpd(np.zeros(39))})
    both = replace(one, observed={**one.observed, "x": np.zeros(2)})
    with pytest.raises(ft.ModelError, match="a scores `y` and b `y`, `x`"):
        ft.compare({"a": one, "b": both})
    with pytest.raises(ft.ModelError, match="at least two"):
        ft.compare(one)


def test_scores_made_in_other_ways_are_refused():
    one = elpd(np.zeros(4))
    parted = replace(one, method="2-fold cross-validation", folds=np.array([0, 1, 0, 1]))
    again = replace(parted, folds=np.array([0, 0, 1, 1]))
    assert ft.compare(parted, parted).table["diff"].tolist() == [0, 0]
    with pytest.raises(ft.ModelError, match="not with the same left out"):
        ft.compare(parted, again)
    with pytest.raises(ft.ModelError, match=r"a was scored by 2-fold .* and b by leave-one"):
        ft.compare({"a": parted, "b": one})
    grouped = replace(one, codes={"y": np.array([0, 0, 1, 2])})
    with pytest.raises(ft.ModelError, match="not with the same left out"):
        ft.compare(one, grouped)
