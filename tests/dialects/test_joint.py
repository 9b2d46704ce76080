"""Check joint distributions by TensorFlow Probability's interface against scipy's densities."""

import collections
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

import finetti as ft
from finetti.dialects import tf, tfp

tfd, tfb = tfp.distributions, tfp.bijectors
Y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
SIGMA = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def schools_log_density(mu, log_tau, eta):
    terms = [
        stats.norm(0, 10).logpdf(mu),
        stats.norm(5, 1).logpdf(log_tau),
        stats.norm.logpdf(eta).sum(),
        stats.norm(mu + np.exp(log_tau) * eta, SIGMA).logpdf(Y).sum(),
    ]
    return sum(terms)


def by_list():
    return tfd.JointDistributionSequential([
        tfd.Normal(0.0, 10.0, name="mu"),
        tfd.Normal(5.0, 1.0, name="log_tau"),
        tfd.Independent(tfd.Normal(tf.zeros(8), tf.ones(8)), 1, name="eta"),
        lambda eta, log_tau, mu: tfd.Independent(
            tfd.Normal(mu[..., tf.newaxis] + tf.exp(log_tau[..., tf.newaxis]) * eta, SIGMA),
            reinterpreted_batch_ndims=1, name="y"),
    ])  # fmt: skip


def by_dict():
    return tfd.JointDistributionNamed({
        "y": lambda eta, mu, log_tau: tfd.Independent(
            tfd.Normal(mu[..., None] + tf.exp(log_tau[..., None]) * eta, SIGMA), 1),
        "eta": tfd.Sample(tfd.Normal(0.0, 1.0), 8),
        "log_tau": tfd.Normal(5.0, 1.0),
        "mu": tfd.Normal(0.0, 10.0),
    })  # fmt: skip


def by_list_of_one_draw():
    return tfd.JointDistributionSequentialAutoBatched([
        tfd.Normal(0.0, 10.0, name="mu"),
        tfd.Normal(5.0, 1.0),
        tfd.Normal(tf.zeros(8), 1.0),
        lambda eta, log_tau, mu: tfd.Normal(mu + tf.exp(log_tau) * eta, SIGMA, name="y"),
    ])  # fmt: skip


def by_dict_of_one_draw():
    return tfd.JointDistributionNamedAutoBatched({
        "mu": tfd.Normal(0.0, 10.0),
        "log_tau": tfd.Normal(5.0, 1.0),
        "eta": tfd.Normal(tf.zeros(8), 1.0),
        "y": lambda mu, log_tau, eta: tfd.Normal(mu + tf.exp(log_tau) * eta, SIGMA),
    })  # fmt: skip


def by_coroutine():
    Root = tfd.JointDistributionCoroutine.Root

    @tfd.JointDistributionCoroutine
    def joint():
        mu = yield Root(tfd.Normal(0.0, 10.0, name="mu"))
        log_tau = yield Root(tfd.Normal(5.0, 1.0, name="log_tau"))
        eta = yield Root(tfd.Sample(tfd.Normal(0.0, 1.0), 8, name="eta"))
        loc = mu[..., tf.newaxis] + tf.exp(log_tau[..., tf.newaxis]) * eta
        yield tfd.Independent(tfd.Normal(loc, SIGMA), 1, name="y")

    return joint


def by_coroutine_of_one_draw():
    @tfd.JointDistributionCoroutineAutoBatched
    def joint():
        mu = yield tfd.Normal(0.0, 10.0, name="mu")
        log_tau = yield tfd.Normal(5.0, 1.0, name="log_tau")
        eta = yield tfd.Normal(tf.zeros(8), 1.0, name="eta")
        yield tfd.Normal(mu + tf.exp(log_tau) * eta, SIGMA, name="y")

    return joint


WAYS = {f.__name__: f for f in (
    by_list, by_dict, by_list_of_one_draw, by_dict_of_one_draw, by_coroutine,
    by_coroutine_of_one_draw,
)}  # fmt: skip


def draws(*shape):
    rng = np.random.default_rng(0)
    return {"mu": rng.normal(size=shape), "log_tau": rng.normal(size=shape),
            "eta": rng.normal(size=(*shape, 8))}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_the_log_density_is_the_sum_of_the_parts(way):
    joint = WAYS[way]()
    assert set(joint.names) == {"mu", "log_tau", "eta", "y"}
    one = draws()
    known = schools_log_density(*one.values())
    assert float(joint.log_prob(**one, y=Y)) == pytest.approx(known, abs=1e-10)
    parts = [{**one, "y": Y}[name] for name in joint.names]
    structured = joint.gathered(parts)
    assert float(joint.log_prob(structured)) == pytest.approx(known, abs=1e-10)
    assert float(joint.log_prob(value=structured)) == pytest.approx(known, abs=1e-10)
    assert float(joint.prob(structured)) == pytest.approx(np.exp(known))
    assert float(sum(jax.tree.leaves(joint.log_prob_parts(structured)))) == pytest.approx(known)
    many = draws(3, 2)
    found = joint.log_prob(**many, y=Y)
    assert found.shape == (3, 2)
    for i in np.ndindex(3, 2):
        known = schools_log_density(*(v[i] for v in many.values()))
        assert found[i].numpy() == pytest.approx(known, abs=1e-10)


@pytest.mark.parametrize("way", WAYS)
def test_draws_have_the_models_structure_and_shapes(way):
    joint = WAYS[way]()
    for shape, lead in (((), ()), (4, (4,)), ([3, 2], (3, 2))):
        drawn = dict(zip(joint.names, joint.spread(joint.sample(shape, seed=1)), strict=True))
        assert {k: v.shape for k, v in drawn.items()} == {
            "mu": lead, "log_tau": lead, "eta": (*lead, 8), "y": (*lead, 8),
        }  # fmt: skip
        assert joint.log_prob(**drawn).shape == lead
    assert type(joint.sample()) is type(joint.gathered(list(joint.names)))


@pytest.mark.parametrize("way", WAYS)
def test_draws_are_of_the_density(way):
    """Given mu, log tau and eta, y is normal: 4 standard errors of 4,000 draws."""
    joint, count = WAYS[way](), 4000
    given = {"mu": 3.0, "log_tau": 0.5, "eta": np.linspace(-1, 1, 8)}
    wide = {k: np.broadcast_to(v, (count, *np.shape(v))) for k, v in given.items()}
    drawn = dict(zip(joint.names, joint.spread(joint.sample(seed=2, **wide)), strict=True))
    np.testing.assert_array_equal(drawn["mu"], wide["mu"])
    mean = 3.0 + np.exp(0.5) * given["eta"]
    assert (np.abs(drawn["y"].mean(0) - mean) < 4 * SIGMA / np.sqrt(count)).all()
    assert (np.abs(drawn["y"].std(0) / SIGMA - 1) < 4 / np.sqrt(2 * count)).all()
    free = dict(zip(joint.names, joint.spread(joint.sample(count, seed=3)), strict=True))
    assert abs(free["log_tau"].mean() - 5) < 4 / np.sqrt(count)
    assert abs(np.corrcoef(free["mu"], free["eta"][:, 0])[0, 1]) < 4 / np.sqrt(count)


@pytest.mark.parametrize("way", WAYS)
def test_a_joint_distribution_is_a_finetti_model(way):
    joint = WAYS[way]()
    density = ft.density(joint.experimental_pin(y=Y).finetti)
    one = draws()
    with jax.enable_x64(True):
        found = float(density.log_density(density.unconstrain(one)))
    assert found == pytest.approx(schools_log_density(*one.values()), abs=1e-9)
    assert not any(v.kind == "observed" for v in joint.finetti.variables)


def test_the_same_seed_gives_the_same_draws_and_parts_draw_apart():
    joint = by_list()
    a, b, c = (joint.sample(seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(a[3], b[3])
    assert a[0] != c[0]
    twins = tfd.JointDistributionSequential([tfd.Normal(0.0, 1.0), tfd.Normal(0.0, 1.0)])
    first, second = twins.sample(3, seed=0)
    assert (first != second).all()


def test_names_are_those_of_arguments_and_distributions():
    joint = tfd.JointDistributionSequential([
        tfd.Exponential(100.0),
        lambda e: tfd.Gamma(2.0, e),
        tfd.Normal(0.0, 2.0),
        tfd.Normal,
        lambda m: tfd.Sample(tfd.Bernoulli(logits=m), 12),
    ])  # fmt: skip
    assert joint.names == ("e", "scale", "loc", "m", "x")
    assert joint.resolve_graph()[3] == ("m", ("loc", "scale"))
    named = tfd.JointDistributionNamed({"b": lambda a: tfd.Normal(a, 1.0), "a": tfd.Normal(0, 1)})
    assert named.resolve_graph() == (("a", ()), ("b", ("a",)))


def test_structures_are_kept():
    Pair = collections.namedtuple("Pair", ["a", "b"])
    joint = tfd.JointDistributionNamed(Pair(tfd.Normal(0.0, 1.0), lambda a: tfd.Normal(a, 1.0)))
    assert isinstance(joint.sample(), Pair)
    assert joint.log_prob(Pair(0.0, 1.0)) == joint.log_prob(0.0, 1.0)
    assert isinstance(tfd.JointDistributionSequential((tfd.Normal(0.0, 1.0),)).sample(), tuple)


def test_parts_of_a_batch_are_added_as_they_are():
    """As in TensorFlow Probability, where a batch is forgotten; a Model refuses it."""
    joint = tfd.JointDistributionSequential(
        [tfd.Normal(0.0, 1.0), lambda m: tfd.Normal(m * np.arange(7), 1.0)]
    )
    y = np.ones(7)
    known = stats.norm.logpdf(0.5) + stats.norm(0.5 * np.arange(7), 1).logpdf(y)
    np.testing.assert_allclose(joint.log_prob([0.5, y]), known)
    assert joint.batch_shape == [(), (7,)]
    with pytest.raises(ValueError, match=r"`x` has batch shape \(7,\)"):
        _ = joint.finetti
    whole = tfd.JointDistributionSequentialAutoBatched(joint.model)
    assert whole.batch_shape == ()
    assert whole.event_shape == [(), (7,)]
    assert float(whole.log_prob([0.5, y])) == pytest.approx(
        stats.norm.logpdf(0.5) + stats.norm(0.5 * np.arange(7), 1).logpdf(y).sum()
    )


def test_copies_stand_right_of_a_batch():
    loc = np.array([0.0, 5.0])
    made = tfd.Sample(tfd.Normal(loc, 1.0), 3)
    assert (made.batch_shape, made.event_shape) == ((2,), (3,))
    x = np.random.default_rng(0).normal(size=(4, 2, 3))
    known = stats.norm(loc[:, None], 1).logpdf(x).sum(-1)
    np.testing.assert_allclose(made.log_prob(x), known)
    drawn = made.sample(4000, seed=0)
    assert drawn.shape == (4000, 2, 3)
    assert (np.abs(drawn.mean(0) - loc[:, None]) < 4 / np.sqrt(4000)).all()
    bounded = tfd.Sample(tfd.Uniform(0.0, [1.0, 9.0]), 2)
    assert np.isfinite(bounded.log_prob([[0.5, 0.5], [5.0, 8.0]])).all()
    assert bounded.log_prob([[0.5, 5.0], [5.0, 8.0]])[0] == -np.inf


def test_supports_that_depend_on_parts_are_mapped_onto():
    """The log Jacobian is autodiff's, and the map's inverse undoes it."""
    joint = tfd.JointDistributionNamedAutoBatched({
        "p": tfd.Dirichlet([1.0, 2.0, 3.0]),
        "s": tfd.HalfNormal(2.0),
        "u": lambda s: tfd.Uniform(-s, s),
        "y": lambda u, s: tfd.Normal(u * tf.ones(5), s),
    })  # fmt: skip
    pinned = joint.experimental_pin(y=np.arange(5.0))
    bijector = pinned.experimental_default_event_space_bijector()
    free = {"p": np.array([0.3, -0.2]), "s": 0.4, "u": -0.7}
    with jax.enable_x64(True):
        out = bijector.forward(free)
        back = bijector.inverse(out)
        jacobian = jax.jacobian(
            lambda v: jax.numpy.concatenate([jax.numpy.ravel(p) for p in (
                lambda o: (o["p"][:2], o["s"], o["u"]))(bijector.forward(
                    {"p": v[:2], "s": v[2], "u": v[3]}))])
        )(jax.numpy.array([0.3, -0.2, 0.4, -0.7]))  # fmt: skip
    assert abs(out["u"]) < out["s"]
    assert out["p"].sum() == pytest.approx(1)
    for name, value in free.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-9)
    found = float(bijector.forward_log_det_jacobian(free))
    assert found == pytest.approx(np.linalg.slogdet(np.asarray(jacobian))[1], abs=1e-9)


REFUSED = {
    "a part lacks": (lambda: by_list().log_prob([0.0, 1.0, np.zeros(8)]), "needs a value of y"),
    "an unknown name": (lambda: by_dict().log_prob(mu=0.0, tau=1.0), "not tau"),
    "a dict by position": (lambda: by_dict().log_prob(0.0, 1.0, Y, Y), "give .* by name"),
    "twice": (lambda: by_list().log_prob(0.0, mu=1.0), "mu is given twice"),
    "too many": (lambda: by_list().log_prob([0.0] * 5), "4 parts, and 5 values"),
    "no list": (lambda: tfd.JointDistributionSequential(tfd.Normal(0.0, 1.0)), "is a list"),
    "no distribution": (lambda: tfd.JointDistributionSequential([3.0]), "not 3.0"),
    "not returned": (lambda: tfd.JointDistributionSequential([lambda: 3.0]).sample(), "not 3.0"),
    "not before": (
        lambda: tfd.JointDistributionSequential([lambda a: tfd.Normal(a, 1.0)]), "there are 0"),
    "not a part": (
        lambda: tfd.JointDistributionNamed({"y": lambda a: tfd.Normal(a, 1.0)}), "`y` needs a"),
    "a circle": (
        lambda: tfd.JointDistributionNamed(
            {"a": lambda b: tfd.Normal(b, 1.0), "b": lambda a: tfd.Normal(a, 1.0)}),
        "need one another: a, b"),
    "no generator": (lambda: tfd.JointDistributionCoroutine(lambda: 3.0), "generator function"),
    "two names": (
        lambda: tfd.JointDistributionSequential(
            [tfd.Normal(0.0, 1.0, name="a"), lambda b: tfd.Normal(b, 1.0)]).names,
        "named `b` and `a`"),
    "unknown pins": (lambda: by_dict().experimental_pin(z=1.0), "not z"),
    "unpinned lack": (
        lambda: by_dict().experimental_pin(y=Y).unnormalized_log_prob(mu=0.0), "not given are"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(name):
    attempt, words = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=words):
        attempt()


def exact():
    path = Path(__file__).parents[1] / "data" / "eight_schools_exact.json"
    return json.loads(path.read_text())["models"]["tfp_edward2"]


def schools_to_sample():
    """Return the joint distribution of a chain's parts, tau being positive, given the data."""
    joint = tfd.JointDistributionNamedAutoBatched({
        "mu": tfd.Normal(0.0, 10.0),
        "tau": tfd.LogNormal(5.0, 1.0),
        "eta": tfd.Sample(tfd.Normal(0.0, 1.0), 8),
        "y": lambda mu, tau, eta: tfd.Normal(mu + tau * eta, SIGMA),
    })  # fmt: skip
    return joint.experimental_pin(y=Y)


@pytest.mark.parametrize("way", ["a list of bijectors", "the joint's own"])
def test_eight_schools_are_sampled_on_the_transformed_scale(way):
    pinned = schools_to_sample()
    names = ("mu", "tau", "eta")
    listed = [tfb.Identity(), tfb.Exp(), tfb.Identity()]
    own = pinned.experimental_default_event_space_bijector()
    start = [tf.zeros(4), tf.ones(4), tf.zeros([4, 8])]
    state = start if way == "a list of bijectors" else [
        dict(zip(names, start, strict=True))[n] for n in pinned.names
    ]  # fmt: skip
    order = names if way == "a list of bijectors" else pinned.names
    tf.random.set_seed(2)
    states, accepted = tfp.mcmc.sample_chain(
        num_results=1500,
        num_burnin_steps=500,
        current_state=state,
        kernel=tfp.mcmc.DualAveragingStepSizeAdaptation(
            tfp.mcmc.TransformedTransitionKernel(
                tfp.mcmc.HamiltonianMonteCarlo(
                    lambda *parts: pinned.unnormalized_log_prob(
                        **dict(zip(order, parts, strict=True))
                    ),
                    step_size=0.1,
                    num_leapfrog_steps=8,
                ),
                bijector=listed if way == "a list of bijectors" else own,
            ),
            num_adaptation_steps=400,
        ),
        trace_fn=lambda _, results: results.inner_results.inner_results.is_accepted,
    )
    assert accepted.shape == (1500, 4)
    found = dict(zip(order, states, strict=True))
    assert (found["tau"] > 0).all()
    theta = found["mu"][..., None] + found["tau"][..., None] * found["eta"]
    known = np.array(exact()["theta"]["mean"])
    for i in range(8):
        draws = np.asarray(theta[..., i]).T
        error = float(array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="mean"))
        assert abs(draws.mean() - known[i]) < 4 * error, i
