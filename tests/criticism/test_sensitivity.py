"""Check power-scaling sensitivities against those of posteriors known for every power."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import finetti as ft
from criticism.by_hand import posterior_of

SD, ERROR, DRAWS = 2.0, 1.5, 4000


@ft.model
def weights(y):
    mu = ft.sample("mu", ft.Normal(0, SD))
    with ft.plate("apple", len(y)):
        ft.sample("y", ft.Normal(mu, ERROR), obs=y)


def exact(y: np.ndarray, prior: float = 1.0, likelihood: float = 1.0) -> tuple[float, float]:
    """Return the mean and the standard deviation of mu under powers of prior and likelihood."""
    precision = prior / SD**2 + likelihood * len(y) / ERROR**2
    return likelihood * y.sum() / ERROR**2 / precision, precision**-0.5


def drawn(y: np.ndarray, seed: int) -> ft.Posterior:
    """Return independent draws from the exact posterior."""
    mean, sd = exact(y)
    mu = np.random.default_rng(seed).normal(mean, sd, (4, DRAWS // 4))
    held = xr.Dataset(
        {"mu": (("chain", "draw"), mu)}, {"chain": range(4), "draw": range(len(mu[0]))}
    )
    return ft.Posterior(xr.DataTree.from_dict({"posterior": held}), weights(y))


def distance(before: tuple[float, float], after: tuple[float, float], grid: np.ndarray) -> float:
    """Return the cumulative Jensen-Shannon distance of two normals on a range, made symmetric.

    Nguyen & Vreeken 2015; Kallioinen et al. 2023, equation 9.
    """

    def one(p: np.ndarray, q: np.ndarray) -> float:
        mixed = 0.5 * (p + q)

        def half(a: np.ndarray) -> np.ndarray:
            return np.where(a > 0, a * np.log2(np.where(a > 0, a, 1) / mixed), 0)

        return float(np.sqrt(np.sum(half(p) + half(q)) / np.sum(p + q)))

    p, q = (stats.norm(*known).cdf(grid) for known in (before, after))
    p_turned, q_turned = (stats.norm(-m, s).cdf(-grid[::-1]) for m, s in (before, after))
    return max(one(p, q), one(p_turned, q_turned))


def expected(y: np.ndarray, component: str, ends: tuple[float, float]) -> float:
    """Return the sensitivity to a component, as the draws' own range of mu shows it."""
    grid = np.linspace(*ends, 4001)
    lower, upper = (
        distance(exact(y), exact(y, **{component: power}), grid) for power in (0.99, 1.01)
    )
    return 0.5 * (-lower / np.log2(0.99) + upper / np.log2(1.01))


@pytest.mark.parametrize("shift", [0.5, 6.0])
@pytest.mark.parametrize("component", ["prior", "likelihood"])
def test_sensitivities_are_those_of_the_exact_posteriors(component, shift):
    y = shift + np.array([-1.0, 0.2, 0.8, 0.0, 1.1])
    misses = []
    for seed in range(10):
        posterior = drawn(y, seed)
        mu = posterior["mu"].to_numpy()
        found = ft.sensitivity(posterior).table.loc["mu", component]
        misses.append(found - expected(y, component, (mu.min(), mu.max())))
    misses = np.array(misses)
    assert abs(misses.mean()) < 4 * misses.std(ddof=1) / np.sqrt(len(misses))
    assert misses.std() < 0.1 * found


def test_a_prior_far_from_the_data_is_in_conflict_with_them():
    near, far = (shift + np.array([-1.0, 0.2, 0.8, 0.0, 1.1]) for shift in (0.0, 12.0))
    agreeing = ft.sensitivity(drawn(near, 1))
    assert agreeing.conflicts == []
    conflict = ft.sensitivity(drawn(far, 1))
    assert conflict.conflicts == ["mu"]
    assert "mu: prior and data may be in conflict" in str(conflict)


def test_much_data_outweigh_the_prior():
    y = 0.5 + np.random.default_rng(3).normal(0, ERROR, 400)
    found = ft.sensitivity(drawn(y, 1))
    assert found.conflicts == found.weak == []
    assert found.table.loc["mu", "likelihood"] > 0.05
    assert "No variable hangs on the priors of `mu`" in str(found)


@ft.model
def trees(y):
    mu = ft.sample("mu", ft.Normal(0, 5))
    idle = ft.sample("idle", ft.Normal(0, 1))
    ft.deterministic("twice", 2 * mu)
    with ft.plate("tree", len(y)):
        theta = ft.sample("theta", ft.Normal(mu, 1))
        ft.sample("y", ft.Normal(theta + 0.0 * idle, 1), obs=y)


@pytest.fixture(scope="module")
def grown() -> ft.Posterior:
    """Return draws from the exact posterior of the trees: mu, then theta given it."""
    rng, y = np.random.default_rng(1763), np.array([0.3, 1.9, -0.4, 1.1])
    precision = 1 / 25 + len(y) / 2
    mu = rng.normal(y.sum() / 2 / precision, precision**-0.5, (4, 1000))
    theta = rng.normal((mu[..., None] + y) / 2, 0.5**0.5)
    held = xr.Dataset(
        {
            "mu": (("chain", "draw"), mu),
            "idle": (("chain", "draw"), rng.normal(size=(4, 1000))),
            "theta": (("chain", "draw", "tree"), theta),
            "twice": (("chain", "draw"), 2 * mu),
        },
        {"chain": range(4), "draw": range(1000), "tree": range(4)},
    )
    return ft.Posterior(xr.DataTree.from_dict({"posterior": held}), trees(y))


def test_sites_are_named_and_priors_told_from_populations(grown):
    found = ft.sensitivity(grown)
    assert list(found.table.index) == ["mu", "idle", "twice"]
    assert list(found.table.columns) == ["prior", "likelihood", "mu", "idle", "theta"]
    assert found.scaled == ("mu", "idle")
    assert found.weak == ["idle"]
    assert "idle: the prior speaks and the data hardly do" in str(found)
    assert "mostly to that of `idle`" in str(found)
    np.testing.assert_allclose(found.table.loc["twice"], found.table.loc["mu"])
    one = ft.sensitivity(grown, priors=["mu"])
    np.testing.assert_allclose(one.table["prior"], one.table["mu"])


def test_groups_are_looked_at_when_asked_for(grown):
    found = ft.sensitivity(grown, ["theta"])
    assert list(found.table.index) == [f"theta[{i}]" for i in range(4)]


def test_what_is_hidden_is_called_by_what_is_made_of_it():
    table = {"y": np.arange(6.0) % 4, "x": np.arange(6.0) % 3, "g": list("aabbcc")}
    model = ft.formula("y ~ x + (x | g)", table)
    drawn = ft.prior(model, draws=200, seed=1)["prior"].dataset
    posterior = posterior_of(model, **{str(n): a.to_numpy() for n, a in drawn.items()})
    found = ft.sensitivity(posterior)
    assert found.scaled == ("Intercept", "x", "sd[g]", "cor[g]", "sigma")
    assert "_L[g]" not in str(found)
    for name in ("cor[g]", "_L[g]"):
        alone = ft.sensitivity(posterior, priors=[name])
        assert alone.scaled == ("cor[g]",)
        np.testing.assert_allclose(alone.table["prior"], found.table["cor[g]"])


def test_names_that_no_site_has_are_refused(grown):
    with pytest.raises(ft.UnknownSite, match="scale the prior of `y`"):
        ft.sensitivity(grown, priors=["y"])
    with pytest.raises(ft.UnknownSite, match="cannot read `tau`"):
        ft.sensitivity(grown, ["tau"])


@ft.model
def coin():
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("heads", ft.Binomial(10, p))


def test_nothing_hangs_on_a_uniform_prior():
    posterior = ft.fit(coin().condition(heads=7), ft.Automatic(draws=200), seed=1, progress=False)
    found = ft.sensitivity(posterior)
    assert found.table.loc["p", ["prior", "p"]].tolist() == [0.0, 0.0]
    assert found.table.loc["p", "likelihood"] > 0.05
    assert not found.conflicts
    assert not found.weak
