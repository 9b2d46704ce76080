"""Check draws by a polynomial in a density's place: how near it is, and when it is refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import finetti as ft
import finetti.inference.fit as fits
from finetti.inference.engine import climb, emulator, proposal
from finetti.inference.engine.climb import Mode
from finetti.inference.methods.recorded import SETTINGS, read
from finetti.kernels.polynomial import Polynomial, powers, products


def scales(dim, count):
    """Return the posterior of the logs of `dim` variances, `count` observations each, mixed."""

    def look(points):
        logs = points.copy()
        logs[:, 1:] += 0.5 * points[:, :1]
        return -0.5 * count * (logs + np.exp(-logs)).sum(1)

    def draws(rng, many):
        logs = -np.log(rng.gamma(count / 2, 2 / count, size=(many, dim)))
        logs[:, 1:] -= 0.5 * logs[:, :1]
        return logs

    return look, draws


def found(look, dim, seed=0, draws=400):
    mode = climb.modes(look, np.full((1, dim), 0.3), proposal.UNTRIED)[0]
    return emulator.emulated(look, mode, np.random.default_rng(seed), draws)


class TestPolynomial:
    def test_products_are_orthonormal_under_a_normal_density(self):
        points, weights = np.polynomial.hermite_e.hermegauss(6)
        both = np.stack(np.meshgrid(points, points), -1).reshape(-1, 2)
        weigh = np.outer(weights, weights).ravel() / weights.sum() ** 2
        told = products(both, 4)
        assert told.shape == (36, 15)
        assert np.allclose(told.T @ (weigh[:, None] * told), np.eye(15))

    @pytest.mark.parametrize("dim", range(1, 9))
    def test_packing_keeps_all(self, dim):
        rng = np.random.default_rng(dim)
        terms = rng.normal(size=len(powers(dim, 4)))
        one = Polynomial(rng.normal(size=dim), rng.normal(size=(dim, dim)), terms, 4.0, 0.01)
        for before, after in zip(one, Polynomial.unpacked(one.packed()), strict=True):
            assert np.array_equal(before, after)


class TestNearness:
    @pytest.mark.parametrize("many", [400, 4000])
    @pytest.mark.parametrize(("dim", "count"), [(1, 1000), (2, 300), (3, 300), (5, 1000), (8, 1e5)])
    def test_it_is_as_near_as_it_says(self, dim, count, many):
        look, draws = scales(dim, count)
        for seed in range(5):
            said, _ = found(look, dim, seed, many)
            points = draws(np.random.default_rng(seed + 100), 4000)
            off = look(points) - said(points)
            inside = np.isfinite(off)
            assert inside.mean() > 1 - 3 * emulator.BEYOND - 4 / 4000
            assert off[inside].std() < emulator.CLOSE / np.sqrt(many)
            assert off[inside].std() < 2 * said.error

    @pytest.mark.parametrize("seed", range(5))
    def test_draws_are_those_of_the_density(self, seed):
        look, draws = scales(3, 100)
        _, mixture = found(look, 3, seed)
        drawn, _ = mixture.resample(np.random.default_rng(seed), 300)
        exact = draws(np.random.default_rng(1), 20_000)
        for mine, theirs in zip(drawn.T, exact.T, strict=True):
            assert stats.ks_2samp(mine, theirs).pvalue > 1e-4

    @pytest.mark.parametrize(
        "look",
        [
            lambda x: stats.t(3).logpdf(x).sum(1),
            lambda x: stats.t(8).logpdf(x).sum(1),
            lambda x: np.logaddexp(-0.5 * ((x + 2) ** 2).sum(1), -0.5 * ((x - 2) ** 2).sum(1)),
            lambda x: np.where(x[:, 0] > -1.5, -0.5 * (x**2).sum(1), -np.inf),
            lambda x: -np.abs(x).sum(1),
            lambda x: stats.loggamma(2).logpdf(x).sum(1),
            lambda x: -0.5 * (x**2).sum(1) + np.where(x[:, 0] > 2.0, np.nan, 0.0),
            lambda x: -0.5 * (x**2).sum(1) + 0.2 * np.sin(5 * x[:, 0]),
            lambda x: -0.5 * x[:, 0] ** 2 / 9 - x[:, 0] - 0.5 * x[:, 1] ** 2 * np.exp(-2 * x[:, 0]),
        ],
        ids=["t3", "t8", "modes", "edge", "Laplace", "log gamma", "NaN", "waves", "funnel"],
    )
    def test_what_no_polynomial_tells_is_refused(self, look):
        for seed in range(5):
            mode = Mode(np.zeros(2), float(look(np.zeros((1, 2)))[0]), np.eye(2))
            assert emulator.emulated(look, mode, np.random.default_rng(seed), 400) is None

    def test_no_more_points_are_asked_than_a_mixture_needs(self):
        asked = []

        def look(points):
            asked.append(len(points))
            return stats.loggamma(0.5).logpdf(points).sum(1)

        mode = Mode(np.zeros(8), 0.0, np.eye(8))
        emulator.emulated(look, mode, np.random.default_rng(0), 400)
        assert sum(asked) <= emulator.MOST + emulator.FRESH


RATES = np.random.default_rng(8).gamma(20.0, 0.1, 400)
Y = np.random.default_rng(9).poisson(RATES)


@ft.model
def shared(y):
    """Hold a rate whose posterior is a gamma distribution."""
    rate = ft.sample("rate", ft.Gamma(2.0, 1.0))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Poisson(rate), obs=y)


def groups():
    """Return a model whose groups are integrated out, and three numbers left."""
    rng = np.random.default_rng(10)

    @ft.model
    def schools(y):
        mu = ft.sample("mu", ft.Normal(0, 10))
        tau = ft.sample("tau", ft.HalfNormal(5))
        sigma = ft.sample("sigma", ft.HalfNormal(5))
        with ft.plate("school", 300):
            theta = ft.sample("theta", ft.Normal(mu, tau))
            with ft.plate("pupil", 4):
                ft.sample("y", ft.Normal(theta[:, None], sigma), obs=y)

    return schools(rng.normal(2, 1.5, (300, 1)) + rng.normal(0, 1, (300, 4)))


class TestFits:
    def test_a_dear_draw_has_the_exact_posterior(self, monkeypatch):
        monkeypatch.setattr(fits, "EMULATED", 0)
        method = ft.Automatic(draws=1000)
        posterior = ft.fit(shared(Y), method, seed=1, progress=False)
        assert "emulated=True" in posterior.attributes["method"]
        draws = posterior["rate"].to_numpy().ravel()
        exact = stats.gamma(2 + Y.sum(), scale=1 / (1 + len(Y)))
        assert posterior.summary()["ess_bulk"].min() > 3000
        assert stats.kstest(draws, exact.cdf).pvalue > 1e-4

    def test_effects_are_drawn_back_as_without_it(self):
        model, both = groups(), []
        for emulated in (True, False):
            method = ft.IndependentMetropolis(draws=1000, emulated=emulated)
            posterior = ft.fit(model, method, seed=2, progress=False)
            assert read(posterior.attributes[SETTINGS]).emulated is emulated
            both.append(posterior.summary())
        one, other = both
        error = np.hypot(one["mcse_mean"], other["mcse_mean"])
        assert (np.abs(one["mean"] - other["mean"]) / error).max() < 4.5  # of 303 numbers
        assert np.allclose(one["sd"], other["sd"], rtol=0.1)

    def test_a_posterior_that_no_polynomial_tells_is_drawn_exactly(self):
        y, sigma = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.full(8, 12.0)

        @ft.model
        def eight():
            mu = ft.sample("mu", ft.Normal(0, 5))
            tau = ft.sample("tau", ft.HalfCauchy(5))
            with ft.plate("school", 8):
                theta = ft.sample("theta", ft.Normal(mu, tau))
                ft.sample("y", ft.Normal(theta, sigma), obs=y)

        method = ft.IndependentMetropolis(draws=50, emulated=True)
        posterior = ft.fit(eight(), method, seed=2, progress=False)
        assert "emulated=False" in posterior.attributes["method"]

    def test_what_it_learned_leaves_the_polynomial_out(self):
        """Of other data it would say nothing."""
        method = ft.IndependentMetropolis(draws=500, emulated=True)
        first = ft.fit(shared(Y), method, seed=3, progress=False)
        assert "emulated=True" in first.attributes["method"]
        fewer = Y[:390] + 0
        for again in (method, None):
            second = ft.fit(shared(fewer), again, tuning=first.learned, seed=3, progress=False)
            assert "emulated=False" in second.attributes["method"]
            exact = stats.gamma(2 + fewer.sum(), scale=1 / (1 + len(fewer)))
            error = exact.std() / np.sqrt(second.summary()["ess_bulk"].min())
            assert abs(float(second["rate"].mean()) - exact.mean()) < 4 * error

    def test_a_run_goes_on_bit_for_bit(self, tmp_path):
        short, whole = (ft.IndependentMetropolis(draws=n, emulated=True) for n in (20, 60))
        ft.fit(shared(Y), short, out=tmp_path / "run.zarr", seed=4, progress=False)
        resumed = ft.resume(tmp_path / "run.zarr", model=shared(Y), draws=60, progress=False)
        straight = ft.fit(shared(Y), whole, seed=4, progress=False)
        np.testing.assert_array_equal(resumed["rate"], straight["rate"])

    def test_starts_that_are_given_are_kept(self):
        method = ft.IndependentMetropolis(draws=30, emulated=True, thin=1)
        posterior = ft.fit(shared(Y), method, init={"rate": 2.0}, seed=5, progress=False)
        assert "emulated=True" in posterior.attributes["method"]
        assert abs(float(posterior["rate"].mean()) - Y.mean()) < 0.1


def test_members_are_drawn_back_as_their_own_means_say():
    """Draws of 600 members against their means and variances given what is left, averaged."""
    rng = np.random.default_rng(12)
    g, x = np.repeat(np.arange(600), 8), rng.normal(size=4800)
    y = rng.poisson(np.exp(0.2 + 0.4 * x + rng.normal(0, 0.8, 600)[g]))
    model = ft.formula("y ~ x + (1 | g)", {"y": y, "x": x, "g": g}, family="poisson")
    method = ft.Automatic(draws=1000)
    drawn = ft.fit(model, method, seed=1, progress=False)
    assert "emulated=True" in drawn.attributes["method"]
    assert any(r.verb == "quadrature" for r in model.plan().rewrites)
    averaged = ft.fit(model, method, seed=2, keep=["Intercept", "sd[g]"], progress=False)
    mean, sd = (averaged.moments["g"].sel(moment=m).to_numpy().ravel() for m in ("mean", "sd"))
    draws = drawn["g"].to_numpy().reshape(4000, -1)
    z = (draws.mean(0) - mean) / (sd / np.sqrt(4000))
    # The averages have errors of their own, of what the rest moves a member by: a few hundredths.
    assert np.abs(z).max() < 5
    assert np.mean(z**2) < 1.35
    spread = draws.std(0) / sd
    assert np.abs(spread - 1).max() < 5 / np.sqrt(2 * 4000)
    assert abs(spread.mean() - 1) < 0.002


def test_flags_that_are_neither_true_nor_false_are_refused():
    for made in (lambda: ft.IndependentMetropolis(emulated="yes"), lambda: ft.ESS(400, tails="no")):
        with pytest.raises(ValueError, match="is True or False, not"):
            made()


def test_two_modes_are_not_one_polynomial():
    @ft.model
    def either():
        x = ft.sample("x", ft.Normal(0, 10))
        ft.factor("ends", jnp.logaddexp(-0.5 * (x - 6) ** 2, -0.5 * (x + 6) ** 2 + 1.0))

    method = ft.IndependentMetropolis(draws=1000, emulated=True)
    posterior = ft.fit(either(), method, seed=1, progress=False)
    assert "emulated=False" in posterior.attributes["method"]
    share, due = float((posterior["x"] < 0).mean()), 1 / (1 + np.exp(-1))
    effective = posterior.summary()["ess_bulk"].min()
    assert abs(share - due) < 4 * np.sqrt(due * (1 - due) / effective)
