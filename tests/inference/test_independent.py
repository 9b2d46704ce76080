"""Check draws proposed from a fitted mixture: on known targets, and when it is chosen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import finetti as ft
import zoo
from finetti.inference.engine import ahead, climb, mixture, outskirts, price, proposal
from finetti.inference.methods import independent
from finetti.kernels.independence import Component, Independence, propose
from finetti.kernels.kernel import Point, Tuning
from finetti.targets.density import density
from zoo.eight_schools import schools as known
from zoo.groups import shops
from zoo.reference import misses

Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SIGMA = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


@ft.model
def schools(sigma):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfCauchy(5))
    with ft.plate("school", 8):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, sigma))


@ft.model
def clumps(high, low):
    """Hold a number about which two sorts of observations disagree in sign alone."""
    x = ft.sample("x", ft.Normal(0, 10))
    weights, locations = jnp.array([0.3, 0.7]), jnp.array([high, low])
    terms = jnp.log(weights) - 0.5 * ((x - locations) / 0.5) ** 2
    ft.factor("clumps", jax.nn.logsumexp(terms))


def bound():
    return schools(SIGMA).condition(y=Y)


@pytest.fixture(scope="module")
def fitted():
    return ft.fit(bound(), seed=3, progress=False)


def quadratic(mean, covariance):
    def look(points):
        return stats.multivariate_normal(mean, covariance).logpdf(points).reshape(len(points))

    return look


class TestClimbing:
    @pytest.mark.parametrize("size", [1e-6, 1.0, 1e3])
    def test_a_normal_density_is_known_by_its_mode(self, size):
        covariance = size * np.array([[1.0, 0.95], [0.95, 2.0]])
        (found,) = climb.modes(quadratic([1.0, -1.5], covariance), np.array([[-1.0, 1.0]]))
        gap = found.position - [1.0, -1.5]
        assert gap @ np.linalg.solve(covariance, gap) < 0.1
        if size <= 1:  # a wider one is said to be no wider than `WIDEST`
            assert np.allclose(found.covariance, covariance, rtol=1e-3)

    def test_each_mode_is_found_once(self):
        def look(points):
            ends = [stats.norm(m, 0.1).logpdf(points[:, 0]) for m in (-2.0, 1.0)]
            return np.logaddexp(*ends)

        found = climb.modes(look, np.array([[-1.9], [-1.0], [0.9], [2.0]]))
        assert sorted(round(float(mode.position[0]), 2) for mode in found) == [-2.0, 1.0]

    def test_an_edge_is_not_stepped_over(self):
        def look(points):
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.where(points[:, 0] > 0, 2 * np.log(points[:, 0]) - points[:, 0], -np.inf)

        (found,) = climb.modes(look, np.array([[0.05]]))
        assert found.position[0] == pytest.approx(2.0, abs=0.2)


class TestMixture:
    def test_its_density_is_that_of_its_draws(self):
        """Integrate the density over the line, and compare draws with it."""
        factor = np.array([[[0.5]], [[2.0]]])
        one = Component(np.array([[-1.0], [2.0]]), factor, 1 / factor, np.log([0.3, 0.7]))
        grid = np.linspace(-400, 400, 400_001)
        heights = np.exp(mixture.log_density(one, grid[:, None]))
        below = np.cumsum(heights) * (grid[1] - grid[0])
        assert below[-1] == pytest.approx(1, abs=1e-4)
        drawn = mixture.draw(one, np.random.default_rng(1), 4000)[:, 0]
        assert stats.kstest(drawn, lambda x: np.interp(x, grid, below)).pvalue > 1e-4
        with jax.enable_x64(True):
            kernel = Independence()
            keys = jax.random.split(jax.random.key(1), 4000)
            noises = jax.vmap(lambda key: kernel.noise(key, 1, "float64"))(keys)
            placed = jax.vmap(lambda noise: propose(one, noise))(noises)
            inside = jax.vmap(one.log_density)(placed)
        assert np.allclose(inside, mixture.log_density(one, np.asarray(placed)), atol=1e-10)
        assert stats.kstest(placed[:, 0], lambda x: np.interp(x, grid, below)).pvalue > 1e-4

    def test_packing_keeps_all(self):
        rng = np.random.default_rng(4)
        factor = np.tril(rng.uniform(0.5, 1, (3, 2, 2)))
        one = Component(
            rng.normal(size=(3, 2)), factor, np.linalg.inv(factor), np.log([0.5, 0.3, 0.2])
        )
        for before, after in zip(one, Component.unpacked(one.packed()), strict=True):
            assert np.array_equal(before, after)

    def test_weights_have_the_mean_of_the_density(self):
        look = quadratic([0.5, -0.5], np.array([[1.0, 0.8], [0.8, 1.0]]))
        begun = mixture.beginning(climb.modes(look, np.zeros((1, 2))))
        found = mixture.fitted(look, begun, np.random.default_rng(2), 2000, 0.7)
        assert found.useful
        assert found.share > 0.7
        weights = np.exp(found.sample.log_weight)
        ratio = weights / weights.sum()
        mean = ratio @ found.sample.points
        error = 1 / np.sqrt(2000 * found.share)
        assert np.abs(mean - [0.5, -0.5]).max() < 4 * error

    @pytest.mark.parametrize(("points", "even"), [(128, 0.7), (1024, 0.9)])
    def test_whether_it_is_of_use_does_not_hang_on_the_size_of_a_round(self, points, even):
        """A mixture fits the logs of scales that a plan leaves, and no funnel as steep as Neal's.

        Of 60 seeds all were told, with as few points as where each takes much work.
        """

        def scales(points):
            return sum(stats.loggamma(c).logpdf(points[:, i]) for i, c in enumerate((2, 5, 20)))

        def funnel(points):
            neck = stats.norm(0, 3).logpdf(points[:, 0])
            return neck + stats.norm(0, np.exp(points[:, :1])).logpdf(points[:, 1:]).sum(1)

        for look, dim, fits in ((scales, 3, True), (funnel, 5, False)):
            begun = mixture.beginning(climb.modes(look, np.zeros((1, dim))))
            each = (np.random.default_rng(seed) for seed in range(10))
            told = [mixture.fitted(look, begun, rng, points, even).useful for rng in each]
            assert told == [fits] * 10


def test_weight_on_points_that_span_no_volume_makes_no_mixture():
    def look(points):  # nothing beside the first point of a round counts
        return np.where(np.arange(len(points)) == 0, 0.0, -np.inf)

    begun = mixture.beginning([climb.Mode(np.zeros(2), 0.0, np.eye(2))])
    assert not mixture.fitted(look, begun, np.random.default_rng(0), 64, 0.7).useful


def test_few_dimensions_are_drawn_without_gradients(fitted):
    assert fitted.attributes["method"].startswith("IndependentMetropolis(draws=1000")
    assert "diverging" not in fitted.tree["sample_stats"]
    assert float(fitted.tree["sample_stats"]["acceptance_rate"].mean()) > 0.7


def test_the_exact_posterior_is_found(fitted):
    exact = {n: r for n, r in known("stan_posteriordb").reference.items() if n in ("mu", "theta")}
    found = misses(fitted, exact)  # but for far quantiles, whose errors are not well known
    found = {name: z for name, z in found.items() if not name.startswith(("q0.0", "q0.9"))}
    assert len(found) > 30
    assert max(map(abs, found.values())) < 4.5


def test_the_same_seed_gives_the_same_draws(fitted):
    again, other = (ft.fit(bound(), seed=seed, progress=False) for seed in (3, 4))
    assert np.array_equal(again["tau"], fitted["tau"])
    assert not np.array_equal(other["tau"], fitted["tau"])


def test_both_modes_have_their_weight():
    """Where trajectories would stay in the mode they started in."""
    posterior = ft.fit(clumps(8.0, -8.0), seed=1, progress=False)
    draws = np.asarray(posterior["x"])
    prior = stats.norm(0, 10)
    heights = 0.3 * prior.pdf(8.0), 0.7 * prior.pdf(-8.0)  # as good as equal
    share = heights[0] / sum(heights)
    effective = float(posterior.summary().loc["x", "ess_bulk"])
    assert effective > 1000
    assert abs((draws > 0).mean() - share) < 4 * np.sqrt(share * (1 - share) / effective)


def test_what_was_learned_can_be_used_again(fitted):
    again = ft.fit(bound(), tuning=fitted.learned, seed=5, progress=False)
    assert again.attributes["method"].startswith("IndependentMetropolis")
    assert again["tau"].mean() == pytest.approx(float(fitted["tau"].mean()), abs=0.4)
    with pytest.raises(ft.ModelError, match="metric of shape"):
        ft.fit(bound(), ft.NUTS(), tuning=fitted.learned, progress=False)


def test_starting_values_and_hard_posteriors_go_to_the_no_u_turn_sampler(monkeypatch):
    method = ft.Automatic(draws=20, warmup=20)
    started = ft.fit(
        bound(), method, init={"mu": 1.0, "tau": 1.0, "theta": np.zeros(8)}, progress=False
    )
    assert started.attributes["method"].startswith("NUTS(draws=20, warmup=20")
    monkeypatch.setattr(mixture, "LEAST", (1.1, 1.1))
    hard = ft.fit(bound(), method, progress=False)
    assert hard.attributes["method"].startswith("NUTS(draws=20, warmup=20")
    more = ft.fit(bound(), method, plan=bound().plan().as_written(), progress=False)
    assert more.attributes["method"].startswith("NUTS(draws=20, warmup=20")


def test_chosen_by_name_it_starts_where_it_is_told():
    method = ft.IndependentMetropolis(draws=50, thin=1)
    posterior = ft.fit(clumps(1.0, -1.0), method, init={"x": 0.5}, progress=False)
    assert posterior["x"].shape == (4, 50)
    assert posterior.learned.scale.ndim == 3


def test_many_fits_at_once_ask_for_another_method():
    with pytest.raises(TypeError, match="one set of data at a time"):
        ft.calibrate(bound(), ft.IndependentMetropolis(), simulations=20)


def test_a_density_without_a_start_is_refused_by_name():
    @ft.model
    def impossible():
        x = ft.sample("x", ft.Normal(0, 1))
        ft.factor("never", jnp.where(x > 50, 0.0, -jnp.inf))

    with pytest.raises(ft.SamplingError, match="never"):
        ft.fit(impossible(), progress=False)


@ft.model
def solved():
    mu = ft.sample("mu", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(mu, 1), obs=1.0)


class TestWhereNothingIsLeftToPropose:
    @pytest.mark.parametrize("method", [None, ft.IndependentMetropolis(draws=30)])
    def test_draws_are_those_of_what_was_integrated_out(self, method):
        posterior = ft.fit(solved(), method, progress=False)
        draws = posterior["mu"].to_numpy().ravel()
        assert posterior.attributes["method"].startswith("IndependentMetropolis(")
        error = 0.5**0.5 / np.sqrt(draws.size)
        assert abs(draws.mean() - 0.5) < 4 * error
        assert abs(draws.std() - 0.5**0.5) < 4 * error / 2**0.5
        assert len(np.unique(draws)) == draws.size

    def test_a_run_goes_on_and_what_was_learned_can_be_used_again(self, tmp_path):
        short, whole = ft.IndependentMetropolis(draws=20), ft.IndependentMetropolis(draws=40)
        ft.fit(solved(), short, out=tmp_path / "run.zarr", seed=2, progress=False)
        resumed = ft.resume(tmp_path / "run.zarr", model=solved(), draws=40, progress=False)
        straight = ft.fit(solved(), whole, seed=2, progress=False)
        np.testing.assert_array_equal(resumed["mu"], straight["mu"])
        again = ft.fit(solved(), whole, tuning=straight.learned, seed=2, progress=False)
        np.testing.assert_array_equal(again["mu"], straight["mu"])

    def test_a_density_that_is_nothing_is_refused_by_name(self):
        @ft.model
        def impossible():
            mu = ft.sample("mu", ft.Normal(0, 1))
            ft.sample("y", ft.Normal(mu, 1), obs=1.0)
            ft.factor("never", -jnp.inf)

        with pytest.raises(ft.SamplingError, match="never"):
            ft.fit(impossible(), progress=False)


def test_a_mixture_that_does_not_fit_is_named_and_nothing_else_is_blamed():
    @ft.model
    def many(y):
        mu = ft.sample("mu", ft.Normal(0, 2))
        with ft.plate("place", len(y)):
            effect = ft.sample("effect", ft.StudentT(2, mu, 1))
            ft.sample("y", ft.Poisson(jnp.exp(effect)), obs=y)

    bound = many(np.random.default_rng(5).poisson(3, 25))
    unfit = ft.fit(bound, ft.IndependentMetropolis(draws=200), progress=False)
    problems = [finding.problem for finding in unfit.advice()]
    assert problems[0] == "proposal"
    assert set(problems[1:]) <= {"stuck chains", "chains disagree", "too few effective draws"}
    assert "ft.NUTS()" in str(unfit.advice())


class TestDearDraws:
    """Where an evaluation is dear, a run that nobody gave a length ends when it is enough."""

    def test_only_a_length_that_nobody_asked_for_is_cut(self):
        found, dear = ft.NUTS(), lambda: independent.DEAR + 1
        cut, enough = ft.Automatic().sparing(found, dear), ft.ESS(400, tails=True)
        assert (cut.draws, cut.until) == (10, enough)  # at most a hundred times as many
        # A trajectory takes many evaluations, a proposal of a mixture's half as many.
        for method, many in ((found, independent.TRAJECTORY),
                             (ft.IndependentMetropolis(), independent.PROPOSAL)):  # fmt: skip
            few = independent.DEAR // many
            assert ft.Automatic().sparing(method, lambda few=few: few) is method
            assert ft.Automatic().sparing(method, lambda few=few: few + 1).until == enough
        assert ft.Automatic(draws=1000).sparing(found, dear) is found
        assert ft.Automatic(until=ft.ESS(50)).sparing(found, dear) is found

    def test_a_fit_ends_with_four_hundred_effective_draws_of_each_number(self, monkeypatch):
        monkeypatch.setattr(independent, "DEAR", 0)
        found = ft.fit(shops(np.array([3, 0, 4, 1, 7])), seed=1, progress=False)
        assert found.attributes["ended"] == "precision"
        assert 100 <= found.tree["posterior"].sizes["draw"] < 1000
        table = found.summary()
        assert min(table["ess_bulk"].min(), table["ess_tail"].min()) >= 400
        assert "too few effective draws" not in [finding.problem for finding in found.advice()]
        longer = ft.fit(
            shops(np.array([3, 0, 4, 1, 7])), ft.Automatic(draws=1000), seed=1, progress=False
        )
        assert longer.tree["posterior"].sizes["draw"] == 1000

    @pytest.mark.parametrize("n", [30, 60])
    def test_a_cholesky_factor_is_counted(self, n):
        @ft.model
        def process(x):
            reach = ft.sample("reach", ft.HalfNormal(1.0))
            far = jnp.exp(-(((x[:, None] - x) / reach) ** 2)) + 0.1 * jnp.eye(len(x))
            ft.sample("y", ft.MultivariateNormal(jnp.zeros(len(x)), far))

        with jax.enable_x64(True):
            model = process(np.linspace(0, 1, n)).condition(y=np.zeros(n))
            target, given = density(model, model.plan()).target()
            told, made = price.products(target, given), price.numbers(target, given)
        assert n**3 / 3 < told - made < 3 * n**3


@pytest.mark.usefixtures("float64")
def test_steps_made_ahead_are_those_made_one_by_one():
    """Where proposals are evaluated first, each is settled as the kernel itself settles it."""
    kernel = Independence()
    one = Component(np.array([[0.5]]), np.ones((1, 1, 1)), np.ones((1, 1, 1)), np.zeros(1))
    tuning = Tuning(np.asarray(1.0), one.packed())
    keys = jax.random.split(jax.random.key(3), 2)

    def target(position):  # nothing is allowed beyond 2, nor told below -2
        far = jnp.where(position[0] > 2, -jnp.inf, jnp.where(position[0] < -2, jnp.nan, 0.0))
        return far - jnp.sum(position**2)

    positions, log_uniforms = ahead.proposals(kernel, 60, 1, keys, 1, np.int32(0), one)
    looked = jax.vmap(jax.vmap(target, -1), 0)(positions)
    for chain, key in enumerate(keys):
        start = Point(jnp.zeros(1), jnp.zeros(()), jnp.zeros(1))
        places = np.concatenate([np.zeros((1, 1)), positions[:, :, chain]])
        worth = np.append(0.0, looked[:, chain]) - mixture.log_density(one, places)
        ratios, taken = ahead.settled(worth[:, None], np.asarray(log_uniforms)[:, [chain]])
        state, plain = kernel.init(start), jax.random.fold_in(key, 1)
        for step in range(60):
            noise = kernel.noise(jax.random.fold_in(plain, step), 1, "float64")
            state, info = kernel.advance(noise, state, target, tuning)
            assert float(state.draw.position[0]) == pytest.approx(places[taken[step, 0], 0])
            acceptance = np.exp(min(ratios[step, 0], 0.0))
            assert float(info.acceptance) == pytest.approx(acceptance, abs=1e-12)
    assert not np.isfinite(looked).all()


@ft.model
def answered(priors, rows):
    """Hold logits of answers that are all yes."""
    terms = [ft.sample(f"x{i}", prior) for i, prior in enumerate(priors)]
    for i, x in enumerate(terms):
        with ft.plate(f"row{i}", rows):
            ft.sample(f"y{i}", ft.Bernoulli(logits=x), obs=np.ones(rows, int))


TAILS = {  # priors of logits that answers bound on one side alone, and whether a mixture reaches
    "normal": ((ft.Normal(0, 2.5),), True),
    "Laplace": ((ft.Laplace(0, 2.5),), True),
    "t of 4 degrees": ((ft.StudentT(4, 0, 2.5),), True),
    "half-Cauchy": ((ft.HalfCauchy(2.5),), True),  # on the log scale that it is moved on
    "wide lognormal": ((ft.LogNormal(0, 3),), True),
    "Cauchy": ((ft.Cauchy(0, 2.5),), False),
    "narrow Cauchy": ((ft.Cauchy(0, 0.2),), False),
    "t of 1.5 degrees": ((ft.StudentT(1.5, 0, 2.5),), False),
    "Cauchy beside normal": ((ft.Normal(0, 1), ft.Cauchy(0, 2.5)), False),
    "two Cauchys": ((ft.Cauchy(0, 2.5), ft.Cauchy(0, 2.5)), False),
    "flat": ((ft.Flat(),), False),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "name", zoo.shortened(TAILS, "t of 4 degrees", "half-Cauchy", "Cauchy", "two Cauchys", "flat")
)
def test_a_mixture_is_of_no_use_where_much_lies_beyond_it(name):
    priors, reached = TAILS[name]
    model = answered(priors, 6)
    found = [proposal.propose(density(model, model.plan()), seed, 4).useful for seed in range(3)]
    assert found == [reached] * 3


def test_a_mixture_is_stretched_to_tails_that_rounds_see_too_little_of():
    law, stretched = stats.t(2), 0

    def look(points):
        return law.logpdf(points[:, 0])

    begun = mixture.beginning(climb.modes(look, np.zeros((1, 1))))
    for seed in range(10):
        random = np.random.default_rng(seed)
        found = mixture.fitted(look, begun, random, 1024, 0.9)
        tail = outskirts.lacking(look, found)
        assert not tail.endless
        if len(tail.places):
            stretched += 1
            found = mixture.fitted(look, mixture.reaching(found, tail.places), random, 1024, 0.9)
            assert not len(outskirts.lacking(look, found).places)
            drawn = mixture.draw(found.mixture, random, 20_000)
            weights = np.exp(look(drawn) - mixture.log_density(found.mixture, drawn))
            far = weights * (np.abs(drawn[:, 0]) > 20)
            error = far.std() / np.sqrt(len(far))
            assert far.mean() == pytest.approx(2 * law.sf(20), abs=4 * error)
            assert error < np.sqrt(far.mean() / len(far))  # that of draws of the density itself
    assert stretched >= 5


def test_numbers_after_one_that_has_too_few_are_not_looked_at(monkeypatch):
    draws = np.random.default_rng(3).normal(size=(4, 100, 5000))
    looked = []

    def few(self, numbers):
        looked.append(len(numbers))
        return original(self, numbers)

    original = ft.ESS.each
    monkeypatch.setattr(ft.ESS, "each", few)
    wish = ft.ESS(80)  # of 400 independent draws
    assert wish.enough(draws.reshape(4, 100, 50, 100))
    assert sum(looked) == 5000
    assert len(looked) > 3
    looked.clear()
    draws[:, :, 0] = np.arange(100)  # one that moves slowly
    assert not wish.enough(draws)
    assert len(looked) == 1
    draws[:, :, 0] = 2.5  # nothing to be estimated
    assert wish.enough(draws)
    binary = np.random.default_rng(3).integers(0, 2, (4, 200, 1))  # no draw lies beyond its ends
    assert ft.ESS(400, tails=True).enough(binary.astype(float))
    wide = np.repeat(np.where(np.arange(20) % 2, 2.0, 0.3), 50)  # far draws come one after another
    calm = np.random.default_rng(4).normal(size=(4, 1000)) * wide
    assert ft.ESS(2000).enough(calm[..., None])
    assert not ft.ESS(2000, tails=True).enough(calm[..., None])
    assert not ft.MCSE("theta", 0.01).enough(draws)
    assert ft.MCSE("theta", 0.2).enough(draws)
