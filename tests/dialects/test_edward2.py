"""Check Edward2's random variables, interceptors and log joints, and the chains of its library."""

import threading

import jax
import numpy as np
import pytest
from scipy import stats

import finetti as ft
from finetti.dialects import edward2 as ed
from finetti.dialects import tf, tfp


def model(sigma=1.0):
    loc = ed.Normal(loc=0.0, scale=2.0, name="loc")
    return ed.Normal(loc=loc, scale=sigma, name="x")


def test_a_value_is_drawn_once_and_kept():
    x = ed.Normal(loc=0.0, scale=1.0, name="x", sample_shape=3)
    first = x.value
    assert first.shape == x.shape == (3,)
    np.testing.assert_array_equal(x.value, first)
    np.testing.assert_array_equal(np.asarray(x), first)


def test_a_given_value_takes_the_distributions_type():
    x = ed.Normal(loc=0.0, scale=1.0, name="x", value=2)
    assert x.value.dtype == x.dtype == np.float64
    single = ed.Normal(loc=np.float32(0), scale=np.float32(1), name="x", value=2)
    assert single.value.dtype == np.float32
    assert ed.Poisson(rate=3.0, name="n", value=2.0).value.dtype.kind == "i"


def test_a_value_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\); expected \(3,\)"):
        ed.Normal(loc=tf.zeros(3), scale=1.0, name="x", value=np.zeros(2))


def test_operators_work_on_the_value():
    x = ed.Normal(loc=0.0, scale=1.0, name="x", value=2.0)
    y = ed.Normal(loc=0.0, scale=1.0, name="y", value=np.array(3.0))
    results = [x + 1, 1 - x, x * y, y / x, -x, x**2, abs(-x), tf.exp(x), x < y]
    np.testing.assert_allclose(np.array(results, float), [3, -1, 6, 1.5, -2, 4, 2, np.exp(2), 1])
    z = ed.Normal(loc=tf.zeros(3), scale=1.0, name="z", value=np.arange(3.0))
    assert z[1] == 1.0
    np.testing.assert_array_equal(np.ones(3) + z, [1, 2, 3])


def test_the_log_joint_is_the_sum_of_log_densities():
    log_joint = ed.make_log_joint_fn(model)
    found = log_joint(sigma=3.0, loc=0.5, x=1.0)
    known = stats.norm(0, 2).logpdf(0.5) + stats.norm(0.5, 3).logpdf(1.0)
    assert float(found) == pytest.approx(known, abs=1e-12)
    assert float(log_joint(3.0, loc=0.5, x=1.0)) == pytest.approx(known, abs=1e-12)


def test_a_missing_value_is_a_lookup_error():
    with pytest.raises(LookupError, match="`x`"):
        ed.make_log_joint_fn(model)(loc=0.5)


def test_a_variable_without_a_name_is_a_key_error():
    with pytest.raises(KeyError, match="without name="):
        ed.make_log_joint_fn(lambda: ed.Normal(loc=0.0, scale=1.0))()


def test_a_variables_own_value_is_the_default():
    log_joint = ed.make_log_joint_fn(lambda: ed.Normal(loc=0.0, scale=1.0, name="x", value=0.3))
    assert float(log_joint()) == pytest.approx(stats.norm.logpdf(0.3))
    assert float(log_joint(x=0.5)) == pytest.approx(stats.norm.logpdf(0.5))


def test_interceptors_change_what_is_made():
    def shift(make, *args, **kwargs):
        if kwargs["name"] == "loc":
            kwargs["value"] = 7.0
        return make(*args, **kwargs)

    with ed.interception(shift):
        x = model()
    assert float(np.asarray(x.distribution.loc)) == 7.0
    assert abs(float(np.asarray(model().distribution.loc))) < 7.0


def test_a_tape_records_names_in_order():
    with ed.tape() as recorded:
        x = model()
        ed.Normal(loc=0.0, scale=1.0)
    assert list(recorded) == ["loc", "x"]
    assert recorded["x"] is x


def note(seen, label, forward):
    def interceptor(make, *args, **kwargs):
        seen.append(label)
        made = ed.interceptable(make) if forward else make
        return made(*args, **kwargs)

    return interceptor


@pytest.mark.parametrize(("forward", "expected"), [(True, ["inner", "outer"]), (False, ["inner"])])
def test_forwarding_is_explicit(forward, expected):
    seen = []
    with ed.interception(note(seen, "outer", True)), ed.interception(note(seen, "inner", forward)):
        ed.Normal(loc=0.0, scale=1.0, name="x")
    assert seen == expected


def test_a_tape_outside_sees_what_a_forwarding_interceptor_made():
    def give(make, *args, **kwargs):
        kwargs["value"] = 5.0
        return ed.interceptable(make)(*args, **kwargs)

    with ed.tape() as recorded, ed.interception(give):
        ed.Normal(loc=0.0, scale=1.0, name="x")
    assert recorded["x"].value == 5.0


def test_an_exception_restores_the_stack():
    def fail(make, *args, **kwargs):
        raise RuntimeError("no")

    def outer(make, *args, **kwargs):
        kwargs["value"] = 1.0
        return make(*args, **kwargs)

    with ed.interception(outer):
        with pytest.raises(RuntimeError, match="no"), ed.interception(fail):
            ed.Normal(loc=0.0, scale=1.0, name="x")
        assert ed.Normal(loc=0.0, scale=1.0, name="x").value == 1.0
    with pytest.raises(ValueError, match="expected"), ed.tape():
        ed.Normal(loc=0.0, scale=1.0, name="x", value=np.zeros(3))
    with ed.tape() as recorded:
        ed.Normal(loc=0.0, scale=1.0, name="y")
    assert list(recorded) == ["y"]


def test_the_stack_belongs_to_the_thread():
    seen, made = [], []

    def elsewhere():
        made.append(ed.Normal(loc=0.0, scale=1.0, name="x"))

    with ed.interception(note(seen, "here", True)):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert made
    assert not seen


def test_a_value_setter_is_an_interceptor():
    with ed.tape() as tape, ed.interception(ed.make_value_setter(x=0.25)):
        ed.Normal(0.0, 1.0, name="x")
        ed.Normal(0.0, 1.0, name="y")
    assert tape["x"].value == 0.25
    assert list(tape) == ["x", "y"]


def test_tensorflows_names_are_numpys_functions():
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(tf.rsqrt(a + 1), (a + 1) ** -0.5)
    assert tf.shape(a).tolist() == [2, 3]
    np.testing.assert_allclose(tf.tensordot(a, a, [[1], [1]]), a @ a.T)
    np.testing.assert_allclose(tf.gather(a, [2, 0], axis=1), a[:, [2, 0]])
    np.testing.assert_allclose(tf.math.reduce_std(a, axis=0), a.std(0))
    assert tf.reduce_sum(a, axis=[0, 1]) == 15
    np.testing.assert_allclose(tf.linalg.matvec(a, np.ones(3)), a.sum(1))
    np.testing.assert_array_equal(tf.equal(a, 2.0), a == 2)
    np.testing.assert_array_equal(tf.one_hot([2, 0], 3), np.eye(3)[[2, 0]])
    tf.set_random_seed(0)
    draws = tf.random_normal([4000], mean=2.0)
    assert draws.mean() == pytest.approx(2.0, abs=4 / np.sqrt(4000))
    assert jax.jit(lambda x: tf.transpose(tf.tile(x, [2, 1])))(a).shape == (3, 4)


def test_the_later_names_do_the_same():
    assert ed.trace is ed.interception
    assert ed.traceable is ed.interceptable
    with ed.condition(loc=3.0), ed.tape() as recorded:
        model()
    assert recorded["loc"].value == 3.0


def test_names_may_be_dropped_outside_a_log_joint():
    def nameless(make, *args, **kwargs):
        kwargs.pop("name")
        return make(*args, **kwargs)

    with ed.interception(nameless):
        assert np.isfinite(model().value)


CASES = [
    (ed.Bernoulli(probs=0.3, name="d"), 1, stats.bernoulli(0.3).logpmf),
    (ed.Bernoulli(logits=0.4, name="d"), 1, lambda k: -np.log1p(np.exp(-0.4))),
    (ed.Beta(2.0, 3.0, name="d"), 0.4, stats.beta(2, 3).logpdf),
    (ed.Binomial(5.0, probs=0.3, name="d"), 2, stats.binom(5, 0.3).logpmf),
    (ed.Gamma(2.0, 3.0, name="d"), 0.6, stats.gamma(2, scale=1 / 3).logpdf),
    (ed.HalfCauchy(loc=0.0, scale=2.0, name="d"), 1.0, stats.halfcauchy(scale=2).logpdf),
    (ed.HalfCauchy(loc=1.0, scale=2.0, name="d"), 1.5, stats.halfcauchy(1, 2).logpdf),
    (ed.InverseGamma(3.0, 2.0, name="d"), 0.8, stats.invgamma(3, scale=2).logpdf),
    (ed.LogNormal(1.0, 0.5, name="d"), 2.0, stats.lognorm(0.5, scale=np.e).logpdf),
    (ed.Pareto(3.0, 2.0, name="d"), 2.5, stats.pareto(3, scale=2).logpdf),
    (ed.Poisson(3.0, name="d"), 2, stats.poisson(3).logpmf),
    (ed.Poisson(log_rate=1.0, name="d"), 2, stats.poisson(np.e).logpmf),
    (ed.StudentT(5.0, 1.0, 0.5, name="d"), 0.3, stats.t(5, 1, 0.5).logpdf),
    (ed.Uniform(name="d"), 0.3, lambda x: 0.0),
    (ed.Weibull(1.5, 2.0, name="d"), 0.9, stats.weibull_min(1.5, scale=2).logpdf),
    (
        ed.MultivariateNormalDiag(np.zeros(2), np.array([1.0, 2.0]), name="d"),
        np.array([0.3, -0.2]),
        lambda x: stats.norm(0, [1, 2]).logpdf(x).sum(),
    ),
]


tfd, tfb = tfp.distributions, tfp.bijectors
TWO = tfd.Normal([1.0, -1.0], [2.0, 0.5])
CASES += [
    (ed.BetaBinomial(9, 2.0, 5.0, name="d"), 4, stats.betabinom(9, 2, 5).logpmf),
    (ed.Chi(3.0, name="d"), 1.5, stats.chi(3).logpdf),
    (ed.GeneralizedNormal(1.0, 2.0, 3.0, name="d"), 0.3, stats.gennorm(3, 1, 2).logpdf),
    (ed.HalfStudentT(3.0, 1.0, 2.0, name="d"), 1.5,
     lambda x: np.log(2) + stats.t(3, 1, 2).logpdf(x)),
    (ed.InverseGaussian(2.0, 3.0, name="d"), 0.4, stats.invgauss(2 / 3, scale=3).logpdf),
    (ed.Kumaraswamy(5.0, 2.0, name="d"), 0.3, lambda x: np.log(10 * x**4 * (1 - x**5))),
    (ed.Triangular(1.0, 5.0, 2.0, name="d"), 3.0, stats.triang(1 / 4, 1, 4).logpdf),
    (ed.OneHotCategorical(probs=[0.2, 0.3, 0.5], name="d"), np.array([0, 1, 0]),
     lambda x: np.log(0.3)),
    (ed.WishartTriL(4.0, np.diag([2.0, 1.0]), name="d"), np.array([[3.0, 0.5], [0.5, 2.0]]),
     lambda x: stats.wishart(4, np.diag([4.0, 1.0])).logpdf(x)),
    (ed.Independent(TWO, 1, name="d"), np.array([0.3, 0.4]),
     lambda x: stats.norm([1, -1], [2, 0.5]).logpdf(x).sum()),
    (ed.Sample(tfd.Normal(1.0, 2.0), 3, name="d"), np.array([0.3, 0.4, 1.0]),
     lambda x: stats.norm(1, 2).logpdf(x).sum()),
    (ed.TransformedDistribution(tfd.Normal(1.0, 2.0), tfb.Exp(), name="d"), 0.7,
     stats.lognorm(2, scale=np.e).logpdf),
    (ed.MixtureSameFamily(tfd.Categorical(probs=[0.3, 0.7]), TWO, name="d"), 0.3,
     lambda x: np.log(stats.norm([1, -1], [2, 0.5]).pdf(x) @ [0.3, 0.7])),
    (ed.Mixture(tfd.Categorical(probs=[0.3, 0.7]), [tfd.Normal(1.0, 2.0), tfd.Cauchy(0.0, 1.0)],
                name="d"), 0.3,
     lambda x: np.log(0.3 * stats.norm(1, 2).pdf(x) + 0.7 * stats.cauchy.pdf(x))),
]  # fmt: skip

BIJECTORS = {
    "Identity": tfb.Identity(), "Exp": tfb.Exp(), "Softplus": tfb.Softplus(),
    "Sigmoid": tfb.Sigmoid(-1.0, 3.0), "Shift": tfb.Shift(2.0), "Scale": tfb.Scale(-0.5),
    "AffineScalar": tfb.AffineScalar(1.0, 2.0), "Chain": tfb.Chain([tfb.Exp(), tfb.Scale(0.5)]),
    "Invert": tfb.Invert(tfb.AffineScalar(1.0, 2.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", BIJECTORS)
def test_a_bijector_has_its_inverse_and_its_jacobian(name):
    bijector = BIJECTORS[name]
    with jax.enable_x64(True):
        x = jax.numpy.asarray([0.3, -1.2])
        y = bijector.forward(x)
        np.testing.assert_allclose(bijector.inverse(y), x, rtol=1e-9)
        slopes = np.log(np.abs(np.diag(jax.jacobian(bijector.forward)(x))))
        np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 0), slopes, atol=1e-9)
        total = bijector.inverse_log_det_jacobian(y, 1)
        assert float(total) == pytest.approx(-slopes.sum())
    assert float(tfb.Chain([tfb.Exp(), tfb.Scale(2.0)]).forward(1.0)) == pytest.approx(np.exp(2.0))


@pytest.mark.parametrize(("variable", "value", "log_density"), CASES)
def test_distributions_have_tensorflow_probabilitys_parameters(variable, value, log_density):
    assert float(variable.distribution.log_prob(value)) == pytest.approx(float(log_density(value)))
    assert np.isfinite(variable.distribution.log_prob(variable.value)).all()


def test_values_outside_the_support_have_no_density():
    assert ed.Uniform(0.0, 1.0, name="d").distribution.log_prob(2.0) == -np.inf
    assert tfp.distributions.Gamma(1.0, 1.0).log_prob(-1.0) == -np.inf


WHOLE = {
    "Bernoulli": {"probs": 0.3}, "Binomial": {"total_count": 5.0, "probs": 0.3},
    "Categorical": {"probs": [0.2, 0.3, 0.5]}, "Geometric": {"probs": 0.3},
    "NegativeBinomial": {"total_count": 5.0, "probs": 0.3}, "Poisson": {"rate": 3.0},
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_values_are_not_rounded_into_the_support(name):
    def model():
        return getattr(ed, name)(**WHOLE[name], name="x")

    log_joint = ed.make_log_joint_fn(model)
    assert log_joint(x=0.9) == log_joint(x=np.float32(1.5)) == -np.inf
    assert np.isfinite(log_joint(x=1.0))
    with ed.condition(x=1.0):
        assert model().value.dtype == np.int32


def target(x, y):
    return -0.5 * tf.reduce_sum(tf.square(x)) - 0.5 * tf.square(y - 1.0) / 4.0


def chain(kernel, **settings):
    tf.set_random_seed(3)
    return tfp.mcmc.sample_chain(
        num_results=4000,
        num_burnin_steps=500,
        current_state=[tf.zeros(2), tf.zeros([])],
        kernel=kernel,
        **settings,
    )


KERNELS = {
    "HMC": tfp.mcmc.HamiltonianMonteCarlo(target, step_size=0.5, num_leapfrog_steps=4),
    "HMC, a step size a part": tfp.mcmc.HamiltonianMonteCarlo(
        target, step_size=[0.5, 1.0], num_leapfrog_steps=4
    ),
    "NUTS": tfp.mcmc.NoUTurnSampler(target, step_size=0.5),
    "random walk": tfp.mcmc.RandomWalkMetropolis(
        target, new_state_fn=tfp.mcmc.random_walk_normal_fn(scale=[1.0, 2.0])
    ),
    "adapted": tfp.mcmc.DualAveragingStepSizeAdaptation(
        tfp.mcmc.HamiltonianMonteCarlo(target, step_size=0.01, num_leapfrog_steps=4), 400
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_sample_their_target(name):
    (x, y), results = chain(KERNELS[name])
    assert x.shape == (4000, 2)
    assert y.shape == results.is_accepted.shape == (4000,)
    for draws, mean, sd in ((x[:, 0], 0, 1), (x[:, 1], 0, 1), (y, 1, 2)):
        ess = float(tfp.mcmc.effective_sample_size(draws))
        assert abs(draws.mean() - mean) < 4 * sd / np.sqrt(ess)
        spread = float(tfp.mcmc.effective_sample_size((draws - mean) ** 2))
        assert abs(draws.var() / sd**2 - 1) < 4 * np.sqrt(2 / spread)
    assert np.isfinite(results.accepted_results.target_log_prob).all()


def test_an_adapted_step_size_aims_at_the_rate():
    _, results = chain(KERNELS["adapted"])
    assert len(np.unique(results.new_step_size)) == 1
    assert np.exp(results.log_accept_ratio).mean() == pytest.approx(0.75, abs=0.1)


def test_transformed_kernels_keep_the_support():
    def positive(x):
        return tfp.distributions.Gamma(3.0, 2.0).log_prob(x)

    kernel = tfp.mcmc.TransformedTransitionKernel(
        tfp.mcmc.HamiltonianMonteCarlo(positive, step_size=0.5, num_leapfrog_steps=4),
        bijector=tfp.bijectors.Exp(),
    )
    tf.set_random_seed(4)
    draws, results = tfp.mcmc.sample_chain(
        4000, current_state=tf.ones([]), kernel=kernel, num_burnin_steps=200
    )
    assert (draws > 0).all()
    ess = float(tfp.mcmc.effective_sample_size(draws))
    assert abs(draws.mean() - 1.5) < 4 * np.sqrt(0.75 / ess)
    assert results.inner_results.is_accepted.shape == (4000,)


def test_results_may_be_thinned_and_traced():
    kernel = KERNELS["HMC"]
    every = chain(kernel).all_states[0]
    tf.set_random_seed(3)
    states, traced = tfp.mcmc.sample_chain(
        num_results=100,
        num_burnin_steps=500,
        num_steps_between_results=3,
        current_state=[tf.zeros(2), tf.zeros([])],
        kernel=kernel,
        trace_fn=lambda state, results: (results.is_accepted, state[1] + 1),
    )
    np.testing.assert_allclose(states[0], every[:400:4], rtol=1e-9)
    np.testing.assert_allclose(traced[1], states[1] + 1)
    assert traced[0].dtype == bool
    only = chain(kernel, trace_fn=None)
    assert len(only) == 2


def test_one_call_may_hold_many_chains():
    def many(x):
        return -0.5 * tf.reduce_sum(tf.square(x), axis=-1)

    tf.set_random_seed(5)
    draws, results = tfp.mcmc.sample_chain(
        1000,
        current_state=np.zeros((4, 2)),
        kernel=tfp.mcmc.HamiltonianMonteCarlo(many, step_size=0.7, num_leapfrog_steps=3),
        num_burnin_steps=100,
    )
    assert draws.shape == (1000, 4, 2)
    assert results.is_accepted.shape == (1000, 4)
    assert (np.abs(tfp.mcmc.potential_scale_reduction(draws) - 1) < 0.05).all()
    apart = draws + np.arange(4)[:, None]
    assert (tfp.mcmc.potential_scale_reduction(apart) > 1.5).all()


def test_a_program_is_a_finetti_model():
    posterior = ft.fit(
        ed.as_model(model)(1.0).condition(x=2.0), ft.NUTS(draws=1000), progress=False
    )
    mean, sd = 2 * 4 / 5, np.sqrt(4 / 5)
    assert abs(float(posterior["loc"].mean()) - mean) < 4 * sd / np.sqrt(1000)
