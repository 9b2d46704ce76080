"""Fit models with discrete variables by moving them, natively, against exact answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
import zoo
from finetti.targets.density import density
from zoo.switches import coal_mining, many_zeros

COALS = ft.Compound(draws=8000, warmup=1000)
PAIR = ("early_mean", "late_mean")


@pytest.mark.parametrize(
    "method",
    [
        COALS,
        ft.Compound(
            blocks=(ft.Block(PAIR, ft.HMC(step_size=0.1, leapfrogs=5)),), draws=8000, warmup=1000
        ),
        ft.Compound(blocks=(ft.Block(PAIR, ft.AdaptiveMetropolis()),), draws=8000, warmup=1000),
    ],
    ids=["by kind", "Hamiltonian block", "adaptive block"],
)
def test_compound_steps_match_the_exact_switchpoint(method):
    case = coal_mining()
    posterior = ft.fit(case.build(), method, seed=1, progress=False)
    scores = zoo.misses(posterior, case.reference)
    assert max(map(abs, scores.values())) < 4, zoo.worst(scores)
    sizes = posterior.tree["sample_stats"]["step_size"]
    assert "switchpoint" in sizes.coords["block"].values


@pytest.mark.slow
def test_a_plan_given_is_kept():
    """A method that can move discrete sites sums them out when the plan says so."""
    model = coal_mining().build()
    built = ft.fit(model, COALS, plan=model.plan(), seed=1, progress=False)
    assert "switchpoint" not in built.tree["sample_stats"].coords["block"].values
    scores = zoo.misses(built, coal_mining().reference)
    assert max(map(abs, scores.values())) < 4, zoo.worst(scores)


def test_flips_agree_with_the_sum_over_all_states():
    """The posterior means of the indicators are those that summing out gives."""
    model = many_zeros()
    moved = ft.fit(model, COALS, seed=2, progress=False)
    summed = ft.fit(model, ft.NUTS(draws=4000), seed=3, progress=False)
    for name in ("rate", "empty", "z"):
        one, other = (np.asarray(p[name]) for p in (moved, summed))
        varied = other.std((0, 1)) > 0
        gap = one.mean((0, 1)) - other.mean((0, 1))
        error = np.hypot(standard_error(one), standard_error(other))
        assert (np.abs(gap)[varied] < 4 * error[varied]).all(), name


def standard_error(draws):
    """Return the Monte Carlo standard error of the mean of draws (chain, draw, ...)."""
    known = zoo.Reference(np.zeros(draws.shape[2:]), np.ones(draws.shape[2:]), {})
    misses = zoo.misses({"x": draws}, {"x": known})
    means = [z for label, z in misses.items() if label.startswith("mean")]
    return np.abs(draws.mean((0, 1)) / np.reshape(means, draws.shape[2:]))


def test_a_density_moves_sites_as_they_are():
    model = coal_mining().build()
    everything = frozenset({"switchpoint", *PAIR})
    plain = density(model, natural=everything)
    written = density(model, natural=frozenset({"switchpoint"}))
    values = {"switchpoint": 41, "early_mean": 3.0, "late_mean": 0.9}
    with jax.enable_x64(True):
        here, there = plain.unconstrain(values), written.unconstrain(values)
        np.testing.assert_allclose(here, [41, 3.0, 0.9])
        jacobian = np.log(3.0) + np.log(0.9)
        gap = written.log_density(there) - plain.log_density(here)
        np.testing.assert_allclose(gap, jacobian, rtol=1e-12)
        assert plain.constrain(here)["switchpoint"] == 41
        for bad in ([-1, 3.0, 0.9], [111, 3.0, 0.9], [41, -0.1, 0.9]):
            assert plain.log_density(jnp.array(bad)) == -np.inf


def test_gradient_methods_still_refuse_what_cannot_be_summed():
    @ft.model
    def counts():
        rate = ft.sample("rate", ft.Gamma(2, 1))
        n = ft.sample("n", ft.Poisson(rate))
        ft.sample("y", ft.Normal(n, 1.0), obs=np.array(2.0))

    with pytest.raises(ft.ModelError, match=r"site `n` is discrete .* ft\.Compound\(\)"):
        ft.fit(counts(), ft.HMC(), progress=False)


def test_unbounded_counts_are_moved():
    """With y ~ Normal(n, 1) and n ~ Poisson(3), the posterior of n is a sum of few terms."""

    @ft.model
    def counts():
        n = ft.sample("n", ft.Poisson(3.0))
        ft.sample("y", ft.Normal(n, 1.0), obs=np.array(4.2))

    from scipy import stats

    n = np.arange(60)
    weight = stats.poisson(3).pmf(n) * stats.norm(n, 1).pdf(4.2)
    weight /= weight.sum()
    mean = weight @ n
    exact = zoo.Reference(np.array(mean), np.array(np.sqrt(weight @ (n - mean) ** 2)), {})
    posterior = ft.fit(counts(), ft.DiscreteMetropolis(), seed=1, progress=False)
    assert posterior["n"].dtype.kind == "i"
    scores = zoo.misses(posterior, {"n": exact})
    assert max(map(abs, scores.values())) < 4, scores


def test_discrete_methods_refuse_what_they_cannot_move():
    with pytest.raises(ft.SamplingError, match=r"`early_mean` is continuous.*ft\.Compound"):
        ft.fit(coal_mining().build(), ft.DiscreteMetropolis(), progress=False)

    @ft.model
    def counts():
        ft.sample("n", ft.Poisson(3.0))

    with pytest.raises(ft.SamplingError, match=r"`n` is not binary"):
        ft.fit(counts(), ft.BinaryMetropolis(), progress=False)


def test_a_block_refuses_methods_and_names_it_cannot_use():
    with pytest.raises(ValueError, match="NUTS cannot move a block"):
        ft.Block(("mu",), ft.NUTS())
    with pytest.raises(ft.UnknownSite, match="cannot move `nobody`"):
        ft.fit(
            coal_mining().build(),
            ft.Compound(blocks=(ft.Block(("nobody",), ft.Metropolis()),)),
            progress=False,
        )


def test_a_fixed_step_is_kept():
    method = ft.HMC(step_size=0.4, leapfrogs=3, draws=50, warmup=50)
    case = zoo.schools("tfp_edward2")
    stats = ft.fit(case.build(), method, progress=False).tree["sample_stats"]
    assert (stats["step_size"] == 0.4).all()
    assert (stats["n_steps"] == 3).all()


@ft.model
def count_and_switch(y):
    share = ft.sample("share", ft.Beta(2, 2))
    count = ft.sample("count", ft.Poisson(4.0))
    on = ft.sample("on", ft.Bernoulli(share))
    ft.sample("y", ft.Normal(count + 2.0 * on, 1.0), obs=y)


def test_what_is_summed_out_is_read_given_what_is_moved_as_it_is():
    """Draws, moments and state probabilities all depend on the discrete site that is left."""
    model, counts = count_and_switch(5.0), np.arange(60)
    prior = np.cumsum(np.log(np.r_[1.0, 4.0 / counts[1:]]))
    weights = np.exp(prior[:, None] - 0.5 * (5 - counts[:, None] - 2 * np.arange(2)) ** 2)
    weights /= weights.sum()
    method = ft.Compound(draws=4000, warmup=500, thin=2)
    whole = ft.fit(model, method, plan=model.plan(), seed=1, progress=False)
    part = ft.fit(model, method, plan=model.plan(), keep=["share"], seed=1, progress=False)
    for name, exact in (("count", weights.sum(1) @ counts), ("on", weights[:, 1].sum())):
        draws = np.asarray(whole[name], float)
        error = float(standard_error(draws))
        assert abs(draws.mean() - exact) < 4 * error, name
        assert abs(float(part.moments[name].sel(moment="mean")) - exact) < 4 * error, name
        if name == "on":
            found = whole.probabilities(name).sel(on_state=1)
            assert abs(float(found) - exact) < 4 * error
    stats = whole.tree["sample_stats"].dataset
    assert stats["step_size"].shape == (4, 4000, 2)
    assert (stats["n_steps"] == 4).all()  # two blocks, two steps a draw kept


def test_trajectories_sample_a_model_whose_effects_are_centred():
    case = zoo.schools("stan_posteriordb")
    model = case.build()
    plan = model.plan().without("integrate out")
    assert plan.form.moves
    method = ft.HMC(draws=5000, warmup=500)
    posterior = ft.fit(model, method, plan=plan, seed=1, progress=False)
    scores = zoo.misses(posterior, case.reference)
    assert max(map(abs, scores.values())) < 4, zoo.worst(scores)


def test_a_step_size_is_kept_in_the_models_own_coordinates():
    model = zoo.schools("stan_posteriordb").build()
    method = ft.HMC(draws=20, warmup=20, step_size=0.2)
    assert not method.plan(model, None).form.moves
    posterior = ft.fit(model, method, seed=1, progress=False)
    assert (posterior.tree["sample_stats"]["step_size"] == 0.2).all()
