"""Check that step methods a PyMC2 program writes itself are run, to the exact posterior."""

# ruff: noqa: NPY002 - PyMC2 programs draw from numpy's global generator

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

from finetti.dialects import pymc2 as pm
from finetti.dialects.pymc2 import ZeroProbability
from finetti.dialects.pymc2.stepping import StepMethod as Registered


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)
    known = list(Registered.registered)
    yield
    Registered.registered[:] = known


def off(draws, mean, sd):
    """Return how many standard errors the mean and the standard deviation of draws are off."""
    error = float(array_stats.mcse(draws[None], chain_axis=0, draw_axis=1, method="mean"))
    spread = float(array_stats.mcse(draws[None], chain_axis=0, draw_axis=1, method="sd"))
    return abs(draws.mean() - mean) / error, abs(draws.std() - sd) / spread


def hold(draws, mean, sd):
    assert max(off(np.asarray(draws), mean, sd)) < 4


class Lognormal(pm.Metropolis):
    """Propose by a factor, which is not as likely back as there."""

    width = 0.7

    def propose(self):
        spread = self.adaptive_scale_factor * self.width
        self.stochastic.value = self.stochastic.value * np.exp(np.random.normal(0, spread))

    def hastings_factor(self):
        return np.log(self.stochastic.value) - np.log(self.stochastic.last_value)


def rate():
    """Give ten counts a rate whose posterior is gamma: of 40 counts in all, with prior 2, 1."""
    lam = pm.Gamma("lam", 2.0, 1.0, value=3.0)
    y = pm.Poisson("y", lam, value=np.full(10, 4), observed=True)
    return lam, [lam, y]


GAMMA = stats.gamma(42, scale=1 / 11)


def test_a_proposal_and_its_hastings_factor_are_run():
    class Narrow(Lognormal):
        width = 0.02

    lam, nodes = rate()
    model = pm.MCMC(nodes)
    model.use_step_method(Narrow, lam)
    model.sample(6000, 500, tune_interval=100)
    assert model.step_method_dict[lam][0].adaptive_scale_factor > 1
    hold(model.trace("lam")[:], GAMMA.mean(), GAMMA.std())


def test_without_its_hastings_factor_it_would_not_be_the_posterior():
    class Forgetful(Lognormal):
        def hastings_factor(self):
            return 0.0

    lam, nodes = rate()
    model = pm.MCMC(nodes)
    model.use_step_method(Forgetful, lam)
    model.sample(6000, 500)
    wrong = stats.gamma(41, scale=1 / 11)
    hold(model.trace("lam")[:], wrong.mean(), wrong.std())
    assert off(model.trace("lam")[:], GAMMA.mean(), GAMMA.std())[0] > 4


def normal_mean(count=20):
    data = np.random.default_rng(1).normal(2.0, 1.0, count)
    tau = pm.Gamma("tau", 2.0, 2.0, value=1.0)
    mu = pm.Normal("mu", 0.0, 0.01, value=0.0)
    y = pm.Normal("y", mu, tau, value=data, observed=True)
    return data, mu, tau, [mu, tau, y]


def exact_mean_and_precision(data):
    """Integrate the posterior of mu and tau on a grid."""
    mu, tau = np.linspace(-2, 6, 1201), np.linspace(0.01, 5, 1200)
    m, t = np.meshgrid(mu, tau, indexing="ij")
    logp = stats.norm(0, 10).logpdf(m) + stats.gamma(2, scale=0.5).logpdf(t)
    logp = logp + 0.5 * len(data) * np.log(t)
    logp = logp - 0.5 * t * (((data - data.mean()) ** 2).sum() + len(data) * (m - data.mean()) ** 2)
    p = np.exp(logp - logp.max())
    p /= p.sum()
    found = []
    for x in (m, t):
        mean = (p * x).sum()
        found.append((mean, np.sqrt((p * (x - mean) ** 2).sum())))
    return found


class GibbsMean(pm.StepMethod):
    """Draw a normal mean given the precision, by reading the values of other nodes."""

    def __init__(self, mu, tau, data):
        super().__init__(mu)
        self.mu, self.tau, self.data = mu, tau, data

    def step(self):
        precision = 0.01 + len(self.data) * self.tau.value
        mean = self.tau.value * self.data.sum() / precision
        self.mu.value = np.random.normal(mean, precision**-0.5)


def test_a_programs_own_step_takes_turns_with_a_kernel():
    data, mu, tau, nodes = normal_mean()
    model = pm.MCMC(nodes)
    model.use_step_method(GibbsMean, mu, tau, data)
    model.sample(8000, 1000, tune_interval=200)
    (exact_mu, exact_tau) = exact_mean_and_precision(data)
    hold(model.trace("mu")[:], *exact_mu)
    hold(model.trace("tau")[:], *exact_tau)
    assert model.mu.value == model.trace("mu")[-1]


class GibbsRate(pm.Gibbs):
    """Draw a rate from its gamma."""

    def propose(self):
        self.stochastic.value = np.random.gamma(42, 1 / 11)


class LikelihoodAlone(pm.Gibbs):
    """Propose by the likelihood, to be accepted by the prior."""

    conjugate = False

    def propose(self):
        self.stochastic.value = np.random.gamma(41, 1 / 10)


@pytest.mark.parametrize("kind", [GibbsRate, LikelihoodAlone])
def test_gibbs_steps_are_run(kind):
    lam, nodes = rate()
    model = pm.MCMC(nodes)
    model.use_step_method(kind, lam)
    model.sample(5000)
    hold(model.trace("lam")[:], GAMMA.mean(), GAMMA.std())


@pytest.mark.parametrize("settings", [{}, {"w": 0.1, "m": 20}, {"w": 0.3, "doubling": True}])
def test_slices_are_of_the_posterior(settings):
    """PyMC2's left the prior out; two standard deviations of it lie between the answers."""
    lam, nodes = rate()
    model = pm.MCMC(nodes)
    model.use_step_method(pm.Slicer, lam, **settings)
    model.sample(2500, 200, tune_interval=50)
    hold(model.trace("lam")[:], GAMMA.mean(), GAMMA.std())


def test_slices_of_a_vector_are_taken_element_by_element():
    x = pm.Normal("x", [0.0, 5.0], [1.0, 4.0], value=[0.0, 5.0])
    model = pm.MCMC([x])
    model.use_step_method(pm.Slicer, x)
    model.sample(2500)
    hold(model.trace("x")[:, 0], 0, 1)
    hold(model.trace("x")[:, 1], 5, 0.5)


def test_a_proposal_of_the_prior_is_accepted_by_the_likelihood():
    lam, nodes = rate()
    model = pm.MCMC(nodes)
    model.use_step_method(pm.Metropolis, lam, proposal_distribution="prior")
    model.sample(4000, 100)
    hold(model.trace("lam")[:], GAMMA.mean(), GAMMA.std())


class Preferred(pm.StepMethod):
    """Be assigned to variables of one name."""

    def __init__(self, stochastic):
        super().__init__(stochastic)

    @staticmethod
    def competence(s):
        return 3 if s.__name__ == "chosen" else 0

    def step(self):
        (stochastic,) = self.stochastics
        stochastic.value = np.random.normal()


def test_a_programs_own_method_is_assigned_by_its_competence():
    chosen, other = pm.Normal("chosen", 0, 1, value=0.0), pm.Normal("other", 0, 1, value=0.0)
    model = pm.MCMC([chosen, other])
    model.sample(500)
    assert isinstance(model.step_method_dict[chosen][0], Preferred)
    assert isinstance(model.step_method_dict[other][0], pm.Metropolis)
    hold(model.trace("chosen")[:], 0, 1)


def test_a_step_method_may_be_taken_away():
    lam, nodes = rate()
    model = pm.MCMC(nodes)
    model.use_step_method(pm.NoStepper, lam)
    model.remove_step_method(model.step_method_dict[lam][0])
    model.sample(200)
    assert isinstance(model.step_method_dict[lam][0], pm.Metropolis)
    assert len(np.unique(model.trace("lam")[:])) > 10


def test_burn_in_goes_on_until_steps_are_tuned():
    x = pm.Normal("x", 0, 1, value=0.0)
    model = pm.MCMC([x])
    model.use_step_method(pm.Metropolis, x, proposal_sd=1e-4)
    model.sample(3000, 10, tune_interval=100, burn_till_tuned=True)
    assert len(model.trace("x")[:]) == 2990
    moved = (np.diff(model.trace("x")[:]) != 0).mean()
    assert 0.2 - 4 * 0.01 < moved < 0.5 + 4 * 0.01  # the table's bounds, and 4 standard errors
    hold(model.trace("x")[:], 0, 1)


def test_what_is_held_stays():
    a, b = pm.Normal("a", 0, 1, value=0.7), pm.Normal("b", 0, 1, value=0.0)
    model = pm.MCMC([a, b])
    model.use_step_method(pm.NoStepper, a)
    model.sample(300)
    assert (model.trace("a")[:] == 0.7).all()
    assert len(np.unique(model.trace("b")[:])) > 10
    alone = pm.MCMC([a])
    alone.use_step_method(pm.NoStepper, a)
    alone.sample(3)
    assert (alone.trace("a")[:] == 0.7).all()


def test_log_densities_are_those_of_the_blanket():
    data, mu, tau, nodes = normal_mean()
    looked = []

    class Looking(pm.StepMethod):
        def step(self):
            looked.append((self.loglike, self.logp_plus_loglike, float(mu.value)))

    model = pm.MCMC(nodes)
    model.use_step_method(Looking, mu)
    model.use_step_method(pm.NoStepper, tau)
    model.sample(2)
    like = stats.norm(0.0, 1.0).logpdf(data).sum()
    assert looked[0][0] == pytest.approx(like)
    assert looked[0][1] == pytest.approx(like + stats.norm(0, 10).logpdf(0.0))
    method = model.step_method_dict[mu][0]
    assert method.loglike == pytest.approx(like)
    assert method.children == {nodes[2]}
    model.step_method_dict[mu][0].stochastics[0].value = 1.0
    assert method.logp_plus_loglike == pytest.approx(
        stats.norm(1.0, 1.0).logpdf(data).sum() + stats.norm(0, 10).logpdf(1.0)
    )


def test_the_same_seed_gives_the_same_draws():
    found = []
    for _ in range(2):
        np.random.seed(3)
        data, mu, tau, nodes = normal_mean()
        model = pm.MCMC(nodes)
        model.use_step_method(GibbsMean, mu, tau, data)
        model.sample(50)
        found.append(model.trace("tau")[:])
    np.testing.assert_array_equal(*found)


def test_an_adaptive_kernel_remembers_between_the_programs_steps():
    a, b = pm.Normal("a", 0, 1, value=0.0), pm.Normal("b", 0, 100.0, value=0.0)
    c = pm.Normal("c", 0, 1, value=0.0)
    model = pm.MCMC([a, b, c])
    model.use_step_method(pm.AdaptiveMetropolis, [a, b], delay=200, interval=100)
    model.use_step_method(pm.Slicer, c)
    model.sample(5000, 1000)
    hold(model.trace("a")[:], 0, 1)
    hold(model.trace("b")[:], 0, 0.1)
    assert len(np.unique(model.trace("b")[:])) > 500


REFUSED = {
    "no step": (lambda x: pm.StepMethod(x).step(), NotImplementedError, "has no step"),
    "no proposal": (lambda x: pm.Gibbs(x).step(), NotImplementedError, "has no propose"),
    "no stochastic": (lambda x: pm.StepMethod([]), ValueError, "given no stochastics"),
    "whole numbers": (lambda x: pm.Slicer(pm.Poisson("n", 3)), ValueError, "`n` is whole"),
    "another proposal": (
        lambda x: pm.Metropolis(x, proposal_distribution="cauchy"), ValueError, "not 'cauchy'"),
    "no competence": (
        lambda x: pm.MCMC([x]).use_step_method(pm.Slicer, pm.Normal("z", 0, 1)), ValueError,
        "z is not a stochastic of this model"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_move_says_so(name):
    attempt, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        attempt(pm.Normal("x", 0, 1))


def test_impossible_values_are_told_to_the_step():
    seen = []

    class Trying(pm.StepMethod):
        def step(self):
            (stochastic,) = self.stochastics
            stochastic.value = -1.0
            try:
                seen.append(self.logp_plus_loglike)
            except ZeroProbability:
                seen.append("impossible")
            stochastic.revert()

    lam, nodes = rate()
    model = pm.MCMC(nodes)
    model.use_step_method(Trying, lam)
    model.sample(2)
    assert seen == ["impossible"] * 2
