"""Check what both designs of PyMC4 do beside the founding programs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

import finetti as ft
from finetti.dialects import edward2 as ed
from finetti.dialects import pymc4 as pm
from finetti.dialects import tf
from finetti.errors import DuplicateSite


def configured():
    model = pm.Model(n=3, scale=2.0)

    @model.define
    def process(cfg):
        mu = ed.Normal(loc=0.0, scale=cfg.scale, name="mu")
        return ed.Normal(loc=mu * tf.ones(cfg.n), scale=1.0, name="y")

    return model, process


def test_a_configuration_has_attributes():
    model, _ = configured()
    assert model.cfg.n == model.cfg["n"] == 3
    with pytest.raises(KeyError, match="`missing`"):
        _ = model.cfg.missing


def test_define_collects_the_variables_and_returns_the_function():
    model, process = configured()
    assert list(model.variables) == ["mu", "y"]
    assert model.variables["y"].shape == (3,)
    assert isinstance(process(pm.Config(n=2, scale=1.0)), ed.RandomVariable)


def test_two_variables_of_one_name_are_refused():
    model = pm.Model()
    with pytest.raises(KeyError, match="`x`"):

        @model.define
        def process(cfg):
            ed.Normal(loc=0.0, scale=1.0, name="x")
            ed.Normal(loc=0.0, scale=1.0, name="x")


def test_observing_replaces_and_reset_forgets():
    model, _ = configured()
    assert model.observe(y=np.zeros(3)) is model
    assert list(model.unobserved) == ["mu"]
    assert list(model.observe(mu=1.0).unobserved) == ["y"]
    assert list(model.reset().unobserved) == ["mu", "y"]
    assert model.configure(n=5, y=np.ones(5)).variables["y"].shape == (5,)
    assert list(model.unobserved) == ["mu"]
    assert "y" in pm.Model(y=1.0).observed


def test_a_test_point_has_the_unobserved():
    model, _ = configured()
    model.observe(y=np.zeros(3))
    point = model.test_point()
    assert list(point) == ["mu"]
    assert np.isfinite(point["mu"])
    assert model.test_point(sample=False)["mu"] == 0.0


def test_the_target_takes_states_in_order():
    model, _ = configured()
    model.observe(y=np.ones(3))
    known = stats.norm(0, 2).logpdf(0.5) + 3 * stats.norm(0.5, 1).logpdf(1.0)
    assert float(model.target_log_prob_fn()(0.5)) == pytest.approx(known)
    assert float(model.target_log_prob_fn(0.5)) == pytest.approx(known)


def test_inline_makes_a_model():
    @pm.inline(n=2)
    def made(cfg):
        return ed.Normal(loc=tf.zeros(cfg.n), scale=1.0, name="x")

    assert made.variables["x"].shape == (2,)


@pm.model
def inner(scale):
    x = yield pm.Normal("x", 0, scale)
    yield pm.Deterministic("double", 2 * x)
    return x


@pm.model
def outer():
    x = yield inner(2.0)
    rate = yield pm.Gamma("rate", 2.0, 3.0)
    yield pm.Potential(-0.5 * x**2)
    y = yield pm.Normal("y", x, rate, plate=3, observed=np.zeros(3))
    return y


def test_nested_models_prefix_their_names():
    names = [v.name for v in outer().finetti.variables]
    assert names == [
        "outer/inner/x",
        "outer/inner/double",
        "outer/inner",
        "outer/rate",
        "outer/potential 0",
        "outer/y",
        "outer",
    ]
    value, state = pm.evaluate_model(outer(), {"outer/inner/x": 1.0, "outer/rate": 0.5})
    known = stats.norm(0, 2).logpdf(1) + stats.gamma(2, scale=1 / 3).logpdf(0.5) - 0.5
    known += 3 * stats.norm(1, 0.5).logpdf(0)
    assert state.collect_log_prob() == pytest.approx(known)
    assert state.deterministics["outer/inner/double"] == 2.0
    np.testing.assert_array_equal(value, np.zeros(3))


def test_the_transformed_density_has_the_jacobian():
    values = {"outer/inner/x": 1.0, "outer/__log_rate": np.log(0.5)}
    _, state = pm.evaluate_model_transformed(outer(), values)
    _, plain = pm.evaluate_model(outer(), {"outer/inner/x": 1.0, "outer/rate": 0.5})
    assert state.collect_log_prob() == pytest.approx(plain.collect_log_prob() + np.log(0.5))
    assert state.all_values["outer/__log_rate"] == pytest.approx(np.log(0.5))
    with pytest.raises(ft.UnknownSite, match="nobody"):
        pm.evaluate_model_transformed(outer(), {"outer/nobody": 1.0})


def test_two_calls_of_one_model_need_names():
    @pm.model
    def twice():
        yield inner(1.0)
        yield inner(1.0)

    with pytest.raises(DuplicateSite):
        _ = twice().finetti.variables

    @pm.model
    def named():
        yield inner(1.0, name="a")
        yield inner(1.0, name="b")

    names = [v.name for v in named().finetti.variables if v.kind == "latent"]
    assert names == ["named/a/x", "named/b/x"]


def test_plates_are_independent_copies():
    @pm.model
    def plates():
        yield pm.Normal("one", 0, 1, plate=1)
        yield pm.Normal("many", 0, 1, plate=(2, 3))
        yield pm.Dirichlet("p", np.ones(4), plate=2)

    shapes = {v.name: v.shape for v in plates().finetti.variables}
    assert shapes == {"plates/one": (1,), "plates/many": (2, 3), "plates/p": (2, 4)}


def test_what_a_model_yields_is_checked():
    @pm.model
    def wrong():
        yield 3

    with pytest.raises(TypeError, match="yields distributions"):
        _ = wrong().finetti.variables
    with pytest.raises(TypeError, match="`x` takes loc, scale"):
        pm.Normal("x", 0, 1, 2)
    with pytest.raises(TypeError, match="sample takes a model"):
        pm.sample(outer)


@pytest.fixture(scope="module")
def drawn():
    tf.set_random_seed(1)
    return pm.sample(outer(), num_samples=300, num_chains=3, burn_in=200)


def test_a_sample_is_a_pair_and_arvizs_groups(drawn):
    trace, sample_stats = drawn
    assert trace["outer/inner/x"].shape == (300, 3)
    assert trace["outer/inner/double"] == pytest.approx(2 * trace["outer/inner/x"])
    np.testing.assert_allclose(np.exp(trace["outer/__log_rate"]), trace["outer/rate"])
    assert sample_stats["diverging"].shape == (300, 3)
    assert drawn.posterior["outer/inner/x"].dims == ("chain", "draw")
    assert drawn.tree["posterior"]["outer.inner.x"].shape == (3, 300)
    assert drawn.observed_data["outer.y"].shape == (3,)


def test_predictions_have_the_observed_variables(drawn):
    tf.set_random_seed(2)
    prior = pm.sample_prior_predictive(outer(), sample_shape=2000)
    assert prior["outer/y"].shape == (2000, 3)
    assert prior["outer/inner/x"].std() == pytest.approx(2, rel=4 / np.sqrt(2 * 2000))
    posterior = pm.sample_posterior_predictive(outer(), drawn)
    assert list(posterior) == ["outer/y"]
    assert posterior["outer/y"].shape == (300, 3, 3)
    trace = drawn.trace
    z = (posterior["outer/y"] - trace["outer/inner/x"][..., None]) / trace["outer/rate"][..., None]
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * z.size)
    tree = pm.trace_to_arviz(drawn.trace, posterior_predictive=posterior)
    assert tree["posterior_predictive"]["outer.y"].shape == (3, 300, 3)


def test_data_may_be_replaced():
    value, state = pm.evaluate_model(outer(), observed={"outer/y": np.ones(3)})
    np.testing.assert_array_equal(value, np.ones(3))
    np.testing.assert_array_equal(state.observed_values["outer/y"], np.ones(3))


def plain(scale, *shifts, **named):
    x = yield pm.Normal("x", 0, scale)
    y = yield pm.Normal("y", x + sum(shifts) + named["last"], 0.5, observed=1.0)
    return x + y


def test_plain_generators_are_evaluated_without_a_prefix():
    value, state = pm.flow.evaluate_model(plain(2.0, 0.1, 0.2, last=0.3), {"x": 0.5})
    known = stats.norm(0, 2).logpdf(0.5) + stats.norm(1.1, 0.5).logpdf(1.0)
    assert state.collect_log_prob() == pytest.approx(known)
    assert float(value) == 1.5
    outside = 2.0

    def closed():
        return (yield pm.HalfNormal("s", outside))

    state = pm.flow.evaluate_model_transformed(closed(), {"__log_s": 0.0})[1]
    assert state.untransformed_values["s"] == 1.0
    used = closed()
    next(used)
    with pytest.raises(TypeError, match="a fresh generator"):
        pm.evaluate_model(used)


def test_discrete_variables_are_sampled_beside_others():
    @pm.model
    def model():
        x = yield pm.Bernoulli("x", 0.3)
        yield pm.Normal("y", 2.0 * x, 1.0, observed=1.5)
        yield pm.Normal("z", 0.0, 1.0)

    tf.set_random_seed(4)
    found = pm.inference.sampling.sample(
        model(), num_samples=400, num_chains=4, burn_in=100, sampler_type="compound"
    ).trace
    odds = 0.3 * stats.norm(2, 1).pdf(1.5) / (0.7 * stats.norm(0, 1).pdf(1.5))
    share = odds / (1 + odds)
    draws = found["model/x"]  # a flip is proposed at every step: hardly dependent
    assert draws.mean() == pytest.approx(share, abs=4 * 2 * np.sqrt(0.25 / draws.size))
    assert found["model/z"].shape == (400, 4)
    with pytest.raises(TypeError, match="sample takes no stepsize"):
        pm.sample(model(), stepsize=1.0)


def test_predictions_are_dicts_and_arvizs_groups(drawn):
    prior = pm.sample_prior_predictive(outer(), 7, var_names="outer/y")
    assert list(prior) == ["outer/y"]
    assert prior.prior_predictive["outer/y"].shape == (1, 7, 3)
    kept = pm.sample_prior_predictive(outer(), 7, False)
    assert "outer/y" not in kept
    np.testing.assert_array_equal(kept["outer"], np.zeros((7, 3)))
    found = pm.sample_posterior_predictive(outer(), drawn).posterior_predictive
    assert found["outer/y"].dims[:2] == ("chain", "draw")
    with pytest.raises(ft.UnknownSite, match="nobody"):
        pm.sample_posterior_predictive(outer(), drawn, var_names="nobody")
    with pytest.raises(ft.UnknownSite, match="outer/rate"):
        pm.sample_posterior_predictive(outer(), {"outer/inner/x": np.zeros((2, 2))})


def test_nothing_global_changes():
    assert not jax.config.jax_enable_x64


@pm.model
def counted():
    rate = yield pm.Gamma("rate", 2.0, 1.0)
    yield pm.Poisson("y", rate, observed=np.full(10, 4))


@pm.model
def chosen():
    which = yield pm.Bernoulli("which", 0.5)
    x = yield pm.Normal("x", 0.0, 1.0)
    yield pm.Normal("y", x + which, 1.0, observed=1.2)


@pytest.mark.parametrize("kind", ["hmc", "rwm", "nuts_simple"])
def test_samplers_are_those_of_their_names(kind):
    tf.set_random_seed(1)
    trace = pm.sample(counted(), sampler_type=kind, num_samples=1500, num_chains=4, burn_in=500)
    draws = np.swapaxes(trace.trace["counted/rate"], 0, 1)
    error = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="mean")
    assert abs(draws.mean() - 42 / 11) < 4 * error
    used = trace.run.tree.attrs["method"]
    assert {"hmc": "HMC", "rwm": "Metropolis", "nuts_simple": "NUTS"}[kind] in str(used)


transforms, RandomWalkM = pm.distributions.transforms, pm.mcmc.samplers.RandomWalkM


@pm.model
def mixed():
    k = yield pm.Poisson("k", 3.0)
    switch = yield pm.Bernoulli("switch", 0.5)
    x = yield pm.Normal("x", 0.0, 1.0)
    yield pm.Normal("y", k + switch + x, 1.0, observed=6.0)


def stepped(*step, kind="compound"):
    tf.set_random_seed(7)
    return pm.sample(
        mixed(), sampler_type=kind, num_samples=1500, num_chains=4, burn_in=300,
        sampler_methods=[step, ("switch", RandomWalkM, {"new_state_fn": pm.bernoulli_fn()})],
    )  # fmt: skip


def test_variables_move_by_the_samplers_that_they_are_given():
    gaussian = {"new_state_fn": pm.distributions.state_functions.gaussian_round_fn(2.0)}
    found = stepped(["k"], RandomWalkM, gaussian)
    told = str(found.run.tree.attrs["method"])
    assert all(told.count(kind) for kind in ("DiscreteMetropolis", "BinaryMetropolis", "HMC"))
    k, switch = np.arange(60.0)[:, None], np.array([0.0, 1.0])
    shares = stats.poisson(3).pmf(k) * stats.norm(k + switch, np.sqrt(2)).pdf(6.0)
    shares /= shares.sum()
    for name, known in (("k", (shares * k).sum()), ("switch", (shares * switch).sum())):
        draws = np.swapaxes(found.trace[f"mixed/{name}"], 0, 1).astype(float)
        error = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="mean")
        assert abs(draws.mean() - known) < 4 * error


def rescaled(transform):
    return pm.model(
        lambda: (yield pm.Uniform("x", -1.0, 3.0, transform=transform)), name="rescaled"
    )()


TRANSFORMS = {
    "log": (transforms.Log(), 0.7), "sigmoid": (transforms.Sigmoid(), 0.3),
    "lowerbound": (transforms.LowerBound(-2.0), -1.5),
    "upperbound": (transforms.UpperBound(2.0), 1.0),
    "interval": (transforms.Interval(-2.0, 5), 1.5),
    "inverted_log": (transforms.Invert(transforms.Log()), 0.4),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transformations_go_back_and_have_their_jacobian(name, float64):
    transform, x = TRANSFORMS[name]
    z = transform.forward(jnp.asarray(float(x)))
    assert transform.name == name
    assert float(transform.inverse(z)) == pytest.approx(x)
    slope = np.log(abs(jax.grad(lambda x: jnp.asarray(transform.forward(x)))(float(x))))
    assert float(transform.forward_log_det_jacobian(jnp.asarray(float(x)))) == pytest.approx(slope)
    assert float(transform.inverse_log_det_jacobian(z)) == pytest.approx(-slope)


class Tailed(transforms.Interval):
    """Take the log odds of where a value is between -1 and 3, and stretch them."""

    name = "tailed"

    def __init__(self):
        super().__init__(-1.0, 3.0)

    def forward(self, x):
        odds = super().forward(x)
        return jnp.sinh(odds)

    def inverse(self, z):
        return super().inverse(jnp.arcsinh(z))

    def inverse_log_det_jacobian(self, z):
        return super().inverse_log_det_jacobian(jnp.arcsinh(z)) - 0.5 * jnp.log1p(z**2)


def test_a_stated_transformation_names_the_scale_of_draws_and_of_the_density():
    usual, state = pm.evaluate_model_transformed(rescaled(None), {"rescaled/__interval_x": 0.4})
    assert float(usual) == pytest.approx(-1 + 4 / (1 + np.exp(-0.4)))
    z = np.sinh(0.4)
    own, moved = pm.evaluate_model_transformed(rescaled(Tailed()), {"rescaled/__tailed_x": z})
    assert float(own) == pytest.approx(float(usual))
    difference = moved.collect_log_prob() - state.collect_log_prob()
    assert difference == pytest.approx(-np.log(np.cosh(0.4)))
    found = pm.sample(rescaled(Tailed()), num_samples=40, num_chains=2, seed=1)
    assert found.trace.keys() == {"rescaled/x", "rescaled/__tailed_x", "rescaled"}
    x, z = found.trace["rescaled/x"], found.trace["rescaled/__tailed_x"]
    np.testing.assert_allclose(np.arcsinh(z), np.log((x + 1) / (3 - x)), rtol=1e-9)


def test_bounds_that_are_drawn_bound_the_scale():
    @pm.model
    def nested():
        top = yield pm.HalfNormal("top", 1.0)
        yield pm.Uniform("x", 0.0, top)

    given = {"nested/__log_top": np.log(2.0), "nested/__interval_x": 0.0}
    state = pm.evaluate_model_transformed(nested(), given)[1]
    assert state.untransformed_values == {"nested/top": pytest.approx(2.0), "nested/x": 1.0}
    known = stats.halfnorm.logpdf(2.0) + np.log(2.0) - np.log(2.0) + np.log(2.0 / 4)
    assert state.collect_log_prob() == pytest.approx(known)
    found = pm.sample(nested(), num_samples=30, num_chains=2, seed=2).trace
    x, top = found["nested/x"], found["nested/top"]
    np.testing.assert_allclose(found["nested/__interval_x"], np.log(x / (top - x)), rtol=1e-6)


REFUSED = {
    "an unknown sampler": (
        lambda: pm.sample(counted(), sampler_type="slice"), ValueError,
        "one of nuts, .* not 'slice'"),
    "whole numbers": (
        lambda: pm.sample(chosen(), sampler_type="nuts"), ValueError, "cannot move chosen/which"),
    "an unknown setting": (
        lambda: pm.sample(counted(), draws=3), TypeError, "sample takes no draws"),
    "no model": (lambda: pm.sample(counted), TypeError, "call it first"),
    "a variational fit": (lambda: pm.fit, AttributeError, "no variational fits"),
    "a process": (lambda: pm.gp.GP, AttributeError, "no Gaussian processes"),
    "a proposal of one's own": (
        lambda: stepped("k", RandomWalkM, {"new_state_fn": lambda parts, seed: parts}), TypeError,
        "new_state_fn of mixed/k is .*: proposals of one's own are not imitated"),
    "a walk among whole numbers for others": (
        lambda: stepped("x", RandomWalkM, {"new_state_fn": pm.gaussian_round_fn()}), ValueError,
        "jumps among whole numbers, not mixed/x's"),
    "trajectories of whole numbers": (
        lambda: stepped("k", pm.mcmc.samplers.NUTS), ValueError, "NUTS cannot move mixed/k"),
    "a sampler that is none": (
        lambda: stepped("x", "rwm"), TypeError, "takes HMC, .*RandomWalkM, not 'rwm'"),
    "a sampler for nobody": (
        lambda: stepped("nobody", RandomWalkM), ft.UnknownSite, "nobody"),
    "a step without sampler": (lambda: stepped("x"), ValueError, r"\(name, sampler\) or"),
    "steps of one sampler": (
        lambda: stepped("x", RandomWalkM, kind="nuts"), ValueError, "steps of 'compound'"),
    "a setting of no sampler": (
        lambda: stepped("x", RandomWalkM, {"step_size": 1}), TypeError, "takes no step_size here"),
    "a made sampler": (lambda: RandomWalkM(mixed()), TypeError, "named, not made"),
    "a transformation's class": (
        lambda: pm.Gamma("x", 1, 1, transform=transforms.Log), TypeError, r"write Log\(\)"),
    "a transformation of others": (
        lambda: pm.evaluate_model_transformed(rescaled(transforms.Log())), ValueError,
        "`rescaled/x`: transform=Log does not map the values of the variable"),
    "an unknown parameter": (lambda: pm.Normal("x", 0, sigma=1), TypeError, "takes loc, scale"),
    "a lacking parameter": (lambda: pm.Normal("x", 0), TypeError, "needs scale"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused(name):
    attempt, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        attempt()
