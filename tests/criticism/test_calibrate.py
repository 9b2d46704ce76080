"""Check that right fits are found right and broken ones wrong, and that verdicts say how."""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import finetti as ft
from finetti.inference.many import batches
from finetti.inference.methods.method import Chains
from finetti.kernels.hmc import Hamiltonian
from finetti.kernels.kernel import Info, Kernel, Point
from finetti.kernels.metric import Diagonal
from finetti.posterior.diagnose import ess

GROUPS, EACH = 4, 3
GROUP = np.repeat(np.arange(GROUPS), EACH)
NOTHING = np.zeros(GROUPS * EACH)
COUNTS = NOTHING.astype(int)
QUICK = ft.HMC(draws=150, warmup=200, chains=2, leapfrogs=6)
long = pytest.mark.slow


@ft.model
def grouped(scale, y=NOTHING):
    """State groups about a mean, seen through noise of a scale."""
    mu = ft.sample("mu", ft.Normal(0, 1))
    tau = ft.sample("tau", ft.LogNormal(0, 0.5))
    with ft.plate("group", list("ABCD")):
        theta = ft.sample("theta", ft.Normal(mu, tau))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(theta[GROUP], scale), obs=y)


@ft.model
def spread(y=NOTHING):
    """State a scale alone: one dimension."""
    tau = ft.sample("tau", ft.LogNormal(0, 1))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(0, tau), obs=y)


@dataclass(frozen=True)
class Distorted(Kernel):
    """Follow Hamiltonian trajectories on a density that lacks a Jacobian or never refuse one."""

    jacobian: bool = True
    refuses: bool = True
    target_acceptance: float = 0.8
    metric: Diagonal = field(default_factory=Diagonal)
    uses_gradient = True

    @property
    def inner(self):
        return Hamiltonian(4, self.target_acceptance, self.metric)

    def noise(self, key, dim, dtype):
        noise = self.inner.noise(key, dim, dtype)
        return noise if self.refuses else noise._replace(log_uniform=-jnp.inf + noise.log_uniform)

    def init(self, point):
        return self.inner.init(point)

    def restart(self, state, when):
        return state

    def advance(self, noise, state, target, tuning):
        def distorted(x):
            return target(x) - (0.0 if self.jacobian else x[0])

        old = state.draw
        point = Point(old.position, distorted(old.position), old.gradient)
        if not self.jacobian:
            point = point._replace(gradient=old.gradient.at[0].add(-1.0))
        state, info = self.inner.advance(noise, state._replace(draw=point), distorted, tuning)
        found = state.draw
        if not self.jacobian:  # the gradient is kept as that of the target
            found = found._replace(gradient=found.gradient.at[0].add(1.0))
        return state._replace(draw=found), info


@dataclass(frozen=True)
class Broken(Chains):
    """Hold the settings of the distorted kernel."""

    jacobian: bool = True
    refuses: bool = True
    keeps_step = True
    draws: int = 150
    warmup: int = 200
    chains: int = 2
    step_size: float | None = None

    def plan(self, model, given):
        return given or model.plan().as_written()

    def kernel(self, layout):
        return Distorted(self.jacobian, self.refuses)


class Drawn(NamedTuple):
    draw: Point


@dataclass(frozen=True)
class Prior(Kernel):
    """Draw from the standard normal whatever the data are."""

    target_acceptance: float = 0.8
    metric: Diagonal = field(default_factory=Diagonal)
    uses_gradient = False

    def noise(self, key, dim, dtype):
        return Hamiltonian(1).noise(key, dim, dtype).momentum

    def init(self, point):
        return Drawn(point)

    def restart(self, state, when):
        return state

    def advance(self, noise, state, target, tuning):
        none, zero = jnp.zeros((), jnp.int32), jnp.zeros(())
        info = Info(jnp.array(True), jnp.ones(()), jnp.array(False), zero, none, none)
        return Drawn(Point(noise, zero, jnp.zeros_like(noise))), info


@dataclass(frozen=True)
class OnlyPrior(Broken):
    def kernel(self, layout):
        return Prior()


@pytest.mark.slow
def test_every_fit_of_many_is_the_exact_posterior_of_its_own_data():
    @ft.model
    def normal(y):
        mu = ft.sample("mu", ft.Normal(0, 2))
        ft.sample("y", ft.Normal(mu, 1), obs=y)

    data = np.random.default_rng(0).normal(3, 2, (30, 5))
    bound = normal(np.zeros(5))
    plan = bound.plan().as_written()
    method = ft.HMC(draws=500, warmup=200, chains=2, leapfrogs=1)
    fits = batches(bound, {"y": data}, method, plan, seed=1).fit(np.arange(30))
    drawn = fits.values(("mu",), 1000)["mu"]
    precision = 1 / 4 + 5
    mean, sd = data.sum(1) / precision, precision**-0.5
    errors = [one.std() / np.sqrt(ess(one.reshape(2, 500))) for one in drawn]
    assert (np.abs(drawn.mean(1) - mean) / errors).max() < 4
    assert np.abs(drawn.std(1).mean() - sd) < 4 * np.mean(errors) / np.sqrt(2 * 30)
    assert max(errors) < 0.1 * sd
    assert fits.found.tolist() == list(range(30))


def test_many_fits_that_leave_nothing_to_sample_are_made():
    """Where all is integrated out a chain's position is empty."""

    @ft.model
    def known(y):
        mu = ft.sample("mu", ft.Normal(0, 1))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Normal(mu, 1), obs=y)

    method = ft.NUTS(draws=20, warmup=10, chains=2)
    data = {"y": np.random.default_rng(1).normal(size=(3, 4))}
    fits = batches(known(np.zeros(4)), data, method, known(np.zeros(4)).plan(), seed=1).fit(
        np.arange(3)
    )
    means = fits.values(("mu",), 40)["mu"].mean(1)
    exact, sd = data["y"].sum(1) / 5, np.sqrt(1 / 5)
    np.testing.assert_allclose(means, exact, atol=5 * sd / np.sqrt(40))


def test_hidden_sites_are_ranked_by_what_is_made_of_them():
    @ft.model
    def hidden(y):
        z = ft.sample("_z", ft.Normal(0.0, 1.0))
        ft.deterministic("level", 2.0 * z)
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Normal(z, 1.0), obs=y)

    found = ft.calibrate(hidden(np.zeros(3)), simulations=20, draws=20, seed=1)
    assert [v.name for v in found.verdicts] == ["level", "log_likelihood"]


def test_a_right_hierarchical_fit_passes():
    found = ft.calibrate(
        grouped(0.7), simulations=120, seed=2,
        quantities={"gap": lambda at: jnp.ptp(at["theta"]), "top": lambda at: at["y"].max()},
    )  # fmt: skip
    assert found.passed, str(found)
    assert list(found.ranks) == ["mu", "tau", "theta", "gap", "top", "log_likelihood"]
    assert found.ranks["theta"].dims == ("simulation", "group")
    assert found.ranks["theta"]["group"].values.tolist() == list("ABCD")
    assert found.ranks["theta"].min() >= 0
    assert found.ranks["theta"].max() <= 100
    assert "`theta` is right as far as 120 simulations can tell" in str(found)
    assert np.abs(found.neighbours["tau"]) < 0.15


@long
@pytest.mark.parametrize(
    "method",
    [
        QUICK,
        ft.NUTS(draws=200, warmup=300, chains=2, metric=ft.Dense()),
        ft.Metropolis(draws=4000, warmup=1000, chains=1),
        ft.AdaptiveMetropolis(draws=4000, warmup=1000, chains=1),
    ],
    ids=lambda method: type(method).__name__,
)
def test_every_method_passes_where_groups_are_centred(method):
    plan = grouped(0.7).plan().without("integrate out")
    found = ft.calibrate(grouped(0.7), method, simulations=120, seed=2, plan=plan)
    assert found.passed, str(found)


@long
def test_blocks_of_discrete_and_continuous_sites_pass():
    @ft.model
    def switched(y=NOTHING):
        z = ft.sample("z", ft.Bernoulli(0.4))
        mu = ft.sample("mu", ft.Normal(z, 1))
        ft.sample("y", ft.Normal(mu, 1), obs=y)

    method = ft.Compound(draws=2000, warmup=500, chains=1)
    found = ft.calibrate(switched(), method, simulations=120, seed=2)
    assert found.passed, str(found)


def test_a_likelihood_of_the_wrong_scale_fails():
    found = ft.calibrate(grouped(0.5), simulations=120, seed=3, simulator=grouped(1.5))
    assert not found.passed
    assert "too high" in found["tau"].problem
    assert "too narrow" in found["theta"].problem
    assert "simulations (p < 0.000001)" in found["log_likelihood"].sentence
    table = found.table()
    assert table.loc["theta[A]", "coverage_80"] < 0.7
    assert not table["problem"].eq("").all()


@long
def test_a_right_method_of_the_broken_kind_passes():
    found = ft.calibrate(spread(), Broken(), simulations=120, seed=4)
    assert found.passed, str(found)


def test_a_wrong_jacobian_fails():
    found = ft.calibrate(spread(NOTHING[:2]), Broken(jacobian=False), simulations=200, seed=5)
    assert "too low" in found["tau"].problem
    assert "the value drawn lay above its median" in found["tau"].sentence


@long
def test_trajectories_that_are_never_refused_fail_at_a_large_step():
    method = Broken(refuses=False, step_size=0.35)
    found = ft.calibrate(spread(), method, simulations=120, seed=6)
    assert found["tau"].problem


@pytest.mark.slow
def test_a_sampler_that_forgets_the_data_is_caught_by_the_log_likelihood_alone():
    @ft.model
    def normal(y=NOTHING):
        mu = ft.sample("mu", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu, 1), obs=y)

    found = ft.calibrate(normal(), OnlyPrior(), simulations=120, seed=7)
    assert not found["mu"].problem
    assert "too low" in found["log_likelihood"].problem


@long
def test_posterior_calibration_passes_near_the_data_and_fails_for_broken_methods():
    y = np.array([0.8, -0.3])
    posterior = ft.fit(spread(y), ft.HMC(draws=200, warmup=200, leapfrogs=4), progress=False)
    right = ft.calibrate(spread(y), Broken(), simulations=120, seed=8, posterior=posterior)
    wrong = ft.calibrate(
        spread(y), Broken(jacobian=False), simulations=200, seed=9, posterior=posterior
    )
    assert right.passed, str(right)
    assert "too low" in wrong["tau"].problem


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_both_data_are_seen_in_posterior_calibration():
    from finetti.criticism.calibrating.simulate import doubled

    rng = np.random.default_rng(3)
    y, again = rng.normal(size=(2, len(NOTHING)))
    both = ft.density(doubled(grouped(1.0, y)).condition(**{"again/y": again}))
    (once, twice, prior) = (
        ft.density(m) for m in (grouped(1.0, y), grouped(1.0, again), grouped(1.0, y))
    )
    x = jnp.asarray(rng.normal(size=6))
    at = prior.constrain(x)
    with np.errstate(all="ignore"):
        likelihood = ft.Normal(at["theta"][GROUP], 1.0).log_prob(y).sum()
    expected = once.log_density(x) + twice.log_density(x) - (prior.log_density(x) - likelihood)
    assert both.dim == 6
    np.testing.assert_allclose(both.log_density(x), expected, rtol=1e-12)


def made(pits, neighbours=0.0):
    """Return a calibration with the pits of one variable, (simulation, member)."""
    pits = np.asarray(pits)
    dims = ("simulation", "group")[: pits.ndim]
    whole = xr.Dataset({"tau": (dims, pits)})
    ranks = xr.Dataset({"tau": (dims, np.floor(pits * 101).astype(int))})
    near = xr.Dataset({"tau": (dims[1:], np.full(pits.shape[1:], neighbours))})
    return ft.Calibration(ranks, whole, near, 100, "made")


U = np.linspace(0.0025, 0.9975, 200)


@pytest.mark.parametrize(
    ("pits", "problem"),
    [
        (U, ""),
        (np.where(U < 0.5, U**2 * 2, 1 - (1 - U) ** 2 * 2), "too narrow"),
        (0.5 + (U - 0.5) * 0.5, "too wide"),
        (U**0.5, "too low"),
        (U**2, "too high"),
        (np.where(U < 0.5, 0.21, 0.79) + (U % 0.5 - 0.25) * 0.04, "of the wrong shape"),
    ],
)
def test_a_verdict_names_what_is_wrong(pits, problem):
    verdict = made(pits)["tau"]
    assert problem in verdict.problem
    assert bool(verdict.problem) == bool(problem)
    assert verdict.sentence.endswith(".")


def test_members_are_allowed_for_and_named():
    pits = np.random.default_rng(4).permuted(np.repeat(U[:, None], 5, 1), axis=0)
    assert made(pits).passed
    pits[:, 3] = U**2.5
    found = made(pits)
    assert found["tau"].members == ("tau[3]",)
    assert "in 1 of 5 numbers" in found["tau"].sentence
    assert found.table()["problem"].tolist() == ["", "", "", "too high and too narrow", ""]


def test_correlated_draws_are_said_to_be_so():
    assert "neighbouring draws are correlated by 0.40" in made(U**2, 0.4)["tau"].sentence


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"method": ft.MAP()}, TypeError, "give a method such as ft.NUTS"),
        ({"simulations": 5}, ValueError, "simulations must be at least 20"),
        ({"draws": 500}, ValueError, "2 chains of 150 draws are too few to rank values among 500"),
        ({"quantities": {"tau": jnp.sum}}, ft.UnknownSite, "`tau` has the name of something"),
        ({"simulator": spread(np.zeros(24))}, ft.ModelError, "`y` is simulated with shape"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        ft.calibrate(spread(), **{"method": QUICK, "simulations": 20, **arguments})


@ft.model
def improper(y=NOTHING):
    ft.sample("y", ft.Normal(ft.sample("mu", ft.Flat()), 1), obs=y)


@ft.model
def weighed(y=NOTHING):
    ft.factor("weight", -(ft.sample("mu", ft.Normal(0, 1)) ** 4))
    ft.sample("y", ft.Normal(0, 1), obs=y)


@ft.model
def unseen():
    ft.sample("y", ft.Normal(ft.sample("mu", ft.Normal(0, 1)), 1))


@ft.model
def exploding(y=COUNTS):
    eta = ft.sample("eta", ft.Normal(0, 200))
    ft.sample("y", ft.Poisson(jnp.exp(eta)), obs=y)


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (improper, ft.SeedError, "improper prior.*posterior="),
        (weighed, ft.ModelError, "factor `weight`"),
        (unseen, ft.ModelError, "no observed site to simulate"),
        (exploding, ft.ModelError, "only .* of 40 simulations .* finite"),
    ],
)
def test_models_that_cannot_be_simulated_are_refused(model, error, words):
    with pytest.raises(error, match=words):
        ft.calibrate(model(), QUICK, simulations=40)
