"""Hold annealed importance sampling and exchanged replicas to constants and moments that are known.

Means over independent chains are held to be within `ERRORS` of their standard errors.
"""

import numpy as np
import pytest

from finetti.dialects import tf, tfp

tfd, tfb, mcmc = tfp.distributions, tfp.bijectors, tfp.mcmc
CHAINS, MANY, ERRORS = 200, 4000, 4.5
INVERSE = np.array([1.0, 0.5, 0.25])


def hmc(target, size=0.3):
    return mcmc.HamiltonianMonteCarlo(target, size, 3)


def walk(target):
    return mcmc.RandomWalkMetropolis(target, mcmc.random_walk_normal_fn(0.5))


def positive(target):
    return mcmc.TransformedTransitionKernel(hmc(target), tfb.Exp())


def demand(by_chain, known):
    """Hold the mean of what each chain says to what is known."""
    by_chain = np.asarray(by_chain)
    error = by_chain.std(0, ddof=1) / np.sqrt(len(by_chain))
    assert (np.abs(by_chain.mean(0) - known) < ERRORS * error).all()


# The integral of exp(2 x - 3 exp(x)) is that of a gamma's density in logarithms, 1 / 9; of
# y exp(-3 y) over positive y as well.
CONSTANTS = {
    "trajectories": (hmc, tfd.Normal(0.0, 1.0), lambda x: 2 * x - 3 * tf.exp(x)),
    "random walks": (walk, tfd.Normal(0.0, 1.0), lambda x: 2 * x - 3 * tf.exp(x)),
    "bijectors": (positive, tfd.Exponential(2.0), lambda y: tf.log(y) - 3 * y),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_weights_have_the_constant_for_their_mean(name):
    make, proposal, target = CONSTANTS[name]
    # Few steps tell at which power each moves: with many all are nearly alike.
    state, weights, results = mcmc.sample_annealed_importance_chain(
        4, proposal.log_prob, target, proposal.sample(MANY, seed=1), make, seed=2
    )
    assert state.shape == weights.shape == results.inner_results.is_accepted.shape == (MANY,)
    demand(np.exp(weights), 1 / 9)
    # What is weighted is of the target, a gamma with the mean 2 / 3.
    y = state if name == "bijectors" else np.exp(state)
    demand(np.exp(weights) * (np.asarray(y) - 2 / 3), 0.0)


def test_a_single_step_weighs_the_states_that_it_starts_from():
    proposal, target = tfd.Normal(np.zeros(2), 1.0), tfd.Normal(np.ones(2), 0.5)
    summed = [lambda x, d=d: tf.reduce_sum(d.log_prob(x), axis=-1) for d in (proposal, target)]
    start = np.array([[0.3, -0.1], [1.2, 0.4], [0.0, 0.0]])
    _, weights, results = mcmc.sample_annealed_importance_chain(1, *summed, start, hmc, seed=0)
    np.testing.assert_allclose(weights, summed[1](start) - summed[0](start), rtol=1e-12)
    np.testing.assert_allclose(results.target_log_prob, summed[1](start), rtol=1e-12)


def test_states_in_parts_and_alone_are_annealed():
    # The two laws are one, so that all weights are 1.
    law = lambda a, b: tfd.Normal(0.0, 1.0).log_prob(a) + tfd.Normal(a, 1.0).log_prob(b)  # noqa: E731
    state, weights, _ = mcmc.sample_annealed_importance_chain(5, law, law, [0.1, 0.2], hmc, seed=0)
    assert [np.shape(x) for x in (*state, weights)] == [(), (), ()]
    assert float(weights) == 0.0


def exchanged(target, start, count=400, **settings):
    sizes = 1.2 / np.sqrt(INVERSE).reshape(-1, *[1] * np.ndim(start))
    kernel = mcmc.ReplicaExchangeMC(
        target, INVERSE, lambda f: mcmc.HamiltonianMonteCarlo(f, sizes, 3), **settings
    )
    return mcmc.sample_chain(count, start, kernel=kernel, num_burnin_steps=100, seed=4)


@pytest.mark.parametrize("swaps", [mcmc.default_swap_proposal_fn(1.0),
                                   mcmc.even_odd_swap_proposal_fn(0.5)])  # fmt: skip
def test_each_replica_is_of_its_temperature(swaps):
    states, results = exchanged(
        tfd.Normal(1.0, 2.0).log_prob, np.ones(CHAINS), swap_proposal_fn=swaps
    )
    (replicas,) = results.post_swap_replica_states
    assert states.shape == (400, CHAINS)
    np.testing.assert_array_equal(states, replicas[:, 0])
    off = np.asarray(replicas) - 1.0
    demand(off.mean(0).T, np.zeros(3))
    demand((off**2).mean(0).T, 4 / INVERSE)
    energy = -tfd.Normal(1.0, 2.0).log_prob(replicas)
    np.testing.assert_allclose(results.potential_energy, energy, rtol=1e-9)


def test_a_swap_is_accepted_as_often_as_its_law_says():
    """For a normal half the square is exponential at each temperature, so that the rate is known.

    With E = (x^2 + y^2) / 2 of rate b at each of b and b', a swap is accepted with probability
    2 min(b, b') / (b + b'), the chance that the colder has the greater energy, twice.
    """
    law = lambda x: -0.5 * tf.reduce_sum(tf.square(x), axis=-1)  # noqa: E731
    sizes = 1.2 / np.sqrt(INVERSE).reshape(3, 1, 1)
    kernel = mcmc.ReplicaExchangeMC(law, INVERSE, lambda f: mcmc.HamiltonianMonteCarlo(f, sizes, 3))
    proposed, accepted = mcmc.sample_chain(
        400, np.ones((CHAINS, 2)), kernel=kernel, num_burnin_steps=100, seed=4,
        trace_fn=lambda _, r: (r.is_swap_proposed_adjacent, r.is_swap_accepted_adjacent),
    ).trace  # fmt: skip
    rates = np.asarray(accepted).sum(0) / np.asarray(proposed).sum(0)
    demand(rates.T, 2 * INVERSE[1:] / (INVERSE[1:] + INVERSE[:-1]))


def test_a_tempered_likelihood_leaves_the_prior_whole():
    inverse, prior = np.array([1.0, 0.3, 0.0]), tfd.Normal(0.0, 1.0)
    kernel = mcmc.ReplicaExchangeMC(
        None, inverse, lambda f: mcmc.HamiltonianMonteCarlo(f, 0.5, 3),
        untempered_log_prob_fn=prior.log_prob,
        tempered_log_prob_fn=lambda x: tfd.Normal(x, 0.5).log_prob(2.0),
    )  # fmt: skip
    _, results = mcmc.sample_chain(
        400, np.zeros(CHAINS), kernel=kernel, num_burnin_steps=100, seed=5
    )
    replicas = np.asarray(results.post_swap_replica_states[0])
    precision = 1 + inverse / 0.25
    demand(replicas.mean(0).T, 2.0 * inverse / 0.25 / precision)
    centred = replicas - (2.0 * inverse / 0.25 / precision)[:, None]
    demand((centred**2).mean(0).T, 1 / precision)


def test_modes_far_apart_have_their_weights():
    law = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.25, 0.75]), tfd.Normal([-3.0, 3.0], 0.5))
    inverse = 0.4 ** np.arange(5)
    sizes = (0.4 / np.sqrt(inverse)).reshape(5, 1)
    kernel = mcmc.ReplicaExchangeMC(
        law.log_prob, inverse, lambda f: mcmc.HamiltonianMonteCarlo(f, sizes, 4)
    )
    states = mcmc.sample_chain(
        500, np.full(CHAINS, -3.0), kernel=kernel, num_burnin_steps=500, seed=6, trace_fn=None
    )
    demand((np.asarray(states) > 0).mean(0), 0.75)


def test_neighbours_are_paired_evenly_and_oddly():
    even, odd, none = [1, 0, 3, 2], [0, 2, 1, 3], [0, 1, 2, 3]
    key = tf.RANDOMNESS.key(0)
    every = mcmc.even_odd_swap_proposal_fn(1.0)
    assert [every(key, 4, i).tolist() for i in range(3)] == [even, odd, even]
    second = mcmc.even_odd_swap_proposal_fn(0.5)
    assert [second(key, 4, i).tolist() for i in range(4)] == [even, none, odd, none]
    assert [every(key, 2, i).tolist() for i in range(2)] == [[1, 0], [1, 0]]
    never = mcmc.default_swap_proposal_fn(0.0), mcmc.even_odd_swap_proposal_fn(0.0)
    assert [n(key, 4, 0).tolist() for n in never] == [none, none]
    drawn = {tuple(mcmc.default_swap_proposal_fn(1.0)(tf.RANDOMNESS.key(i), 4, 0).tolist())
             for i in range(20)}  # fmt: skip
    assert drawn == {tuple(even), tuple(odd)}
