"""Check the log density: exact values, the sum of its parts, and every JAX transformation."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from jax.scipy.special import expit

import finetti as ft
from finetti.errors import SamplingError, UnknownSite

Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
SIGMA = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


@ft.model
def tfp(scale, y):
    """State the schools of TensorFlow Probability's tutorial (and of PyMC4 in 2019)."""
    mu = ft.sample("mu", ft.Normal(0, scale))
    log_tau = ft.sample("log_tau", ft.Normal(5, 1))
    with ft.plate("school", 8):
        z = ft.sample("z", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu + jnp.exp(log_tau) * z, SIGMA), obs=y)


@ft.model
def pymc4(y):
    """State the schools of PyMC4 in 2020."""
    with ft.plate("school", 8):
        eta = ft.sample("eta", ft.Normal(0, 1))
    mu = ft.sample("mu", ft.Normal(0, 1).expand([1]))
    tau = ft.sample("tau", ft.HalfNormal(2).expand([1]))
    with ft.plate("school", 8):
        ft.sample("obs", ft.Normal(mu + tau * eta, SIGMA), obs=y)


@ft.model
def mixed(x, y):
    """Meet a positive, a bounded, a simplex and a plated variable, and a factor."""
    tau = ft.sample("tau", ft.HalfCauchy(5))
    p = ft.sample("p", ft.Beta(2, 3))
    w = ft.sample("w", ft.Dirichlet(np.array([1.0, 2.0, 3.0])))
    with ft.plate("i", 2):
        theta = ft.sample("theta", ft.Normal(p, tau))
        twice = ft.deterministic("twice", 2 * theta)
    ft.factor("tilt", 0.1 * theta.sum())
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(x * twice[0] + w[1], tau), obs=y)


X, RESPONSE = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.0, -2.0])
POSITION = np.array([0.3, -0.4, 0.2, 0.9, -1.1, 0.7])  # tau, p, w (2), theta (2)


@pytest.fixture
def in_float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    ("scale", "mu", "log_tau", "z", "exact"),
    [
        (10, 0.0, 0.0, 1.0, -59.0141048),
        (10, 0.0, 0.0, 0.0, -55.4474817),
        (5, 0.5, 0.5, 0.5, -52.8233412),
        (5, 0.0, 0.0, 0.0, -54.7543345),
    ],
)
def test_the_founding_programs_log_joint_is_exact(scale, mu, log_tau, z, exact):
    density = ft.density(tfp(scale, Y))
    position = density.unconstrain({"mu": mu, "log_tau": log_tau, "z": np.full(8, z)})
    for log_density in (density.log_density, jax.jit(density.log_density)):
        assert float(log_density(position)) == pytest.approx(exact, abs=6e-8)


@pytest.mark.usefixtures("in_float64")
def test_the_transformed_log_joint_of_pymc4_is_exact():
    density = ft.density(pymc4(Y))
    position = density.unconstrain({"eta": np.zeros(8), "mu": [0.0], "tau": [np.e]})
    assert float(density.log_density(position)) == pytest.approx(-40.5685286, abs=6e-8)


@pytest.mark.usefixtures("in_float64")
def test_it_is_the_sum_of_numpyro_s_log_probs_and_the_log_jacobians():
    @jax.jit
    def expected(u):
        # Stick-breaking: a stick's Jacobian is b (1 - b) times what is left of the whole.
        b = expit(u[2:4] - jnp.log(jnp.array([2, 1])))
        w = jnp.array([b[0], (1 - b[0]) * b[1], (1 - b[0]) * (1 - b[1])])
        tau, p, theta = jnp.exp(u[0]), expit(u[1]), u[4:]
        log_joint = (
            dist.HalfCauchy(5.0).log_prob(tau)
            + dist.Beta(2.0, 3.0).log_prob(p)
            + dist.Dirichlet(jnp.array([1.0, 2.0, 3.0])).log_prob(w)
            + dist.Normal(p, tau).log_prob(theta).sum()
            + 0.1 * theta.sum()
            + dist.Normal(X * 2 * theta[0] + w[1], tau).log_prob(RESPONSE).sum()
        )
        sticks = jnp.log(b[0] * (1 - b[0])) + jnp.log(b[1] * (1 - b[1]) * (1 - b[0]))
        return log_joint + u[0] + jnp.log(p * (1 - p)) + sticks

    found = jax.jit(ft.density(mixed(X, RESPONSE)).log_density)(POSITION)
    assert float(found) == pytest.approx(float(expected(POSITION)), abs=1e-9)


@pytest.mark.usefixtures("in_float64")
def test_constrain_yields_latent_and_deterministic_values_by_name():
    density = ft.density(mixed(X, RESPONSE))
    values = jax.jit(density.constrain)(POSITION)
    assert set(values) == {"tau", "p", "w", "theta", "twice"}
    assert float(values["tau"]) == pytest.approx(np.exp(0.3))
    assert float(values["p"]) == pytest.approx(expit(-0.4))
    assert float(values["w"].sum()) == pytest.approx(1)
    np.testing.assert_array_equal(values["theta"], POSITION[4:])
    np.testing.assert_array_equal(values["twice"], 2 * POSITION[4:])


@pytest.mark.usefixtures("in_float64")
def test_unconstrain_takes_constrain_back():
    density = ft.density(mixed(X, RESPONSE))
    back = jax.jit(lambda u: density.unconstrain(density.constrain(u)))(POSITION)
    np.testing.assert_allclose(back, POSITION, rtol=0, atol=1e-12)


def test_unconstrain_asks_for_every_latent_value_by_name():
    with pytest.raises(UnknownSite, match=r"`tau`"):
        ft.density(mixed(X, RESPONSE)).unconstrain({"p": 0.5})


def test_unconstrain_refuses_a_value_of_the_wrong_shape():
    density = ft.density(tfp(5, Y))
    with pytest.raises(ft.ShapeError, match=r"`z` has shape \(3,\), plate `school` has 8 members"):
        density.unconstrain({"mu": 0.0, "log_tau": 0.0, "z": np.zeros(3)})


def test_a_position_of_the_wrong_length_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"\(3,\), the density has \(6,\)"):
        ft.density(mixed(X, RESPONSE)).log_density(jnp.zeros(3))


def test_every_scalar_has_a_label():
    labels = ft.density(mixed(X, RESPONSE)).labels()
    assert labels == (
        "tau", "p", "w[0]", "w[1]", "w[2]", "theta[0]", "theta[1]", "twice[0]", "twice[1]",
    )  # fmt: skip


def test_labels_of_nested_plates_are_their_members():
    @ft.model
    def nested():
        with ft.plate("state", ["MN", "WI"]), ft.plate("year", [2001, 2002]):
            ft.sample("a", ft.Normal(0, 1))

    expected = ("a[MN, 2001]", "a[MN, 2002]", "a[WI, 2001]", "a[WI, 2002]")
    assert ft.density(nested()).labels() == expected


def test_a_model_without_latent_variables_has_no_density():
    with pytest.raises(SamplingError, match="`nothing` has no latent variable"):
        ft.density(ft.Model(lambda: None, "nothing")())


@pytest.mark.usefixtures("in_float64")
def test_data_do_not_go_stale_between_two_densities():
    one, other = ft.density(tfp(5, Y)), ft.density(tfp(5, Y + 1))
    position = jnp.zeros(10)
    assert one.target()[0] == other.target()[0]
    assert float(one.log_density(position)) != float(other.log_density(position))


@pytest.mark.parametrize("x64", [False, True], ids=["float32", "float64"])
class TestTransformations:
    """Take the density through vmap and grad, under jit, in both float types."""

    @pytest.fixture(autouse=True)
    def _precision(self, x64):
        with jax.enable_x64(x64):
            self.dtype = np.float64 if x64 else np.float32
            self.exact = 1e-12 if x64 else 2e-5
            self.density = ft.density(mixed(X, RESPONSE))
            self.position = jnp.asarray(POSITION, self.dtype)
            self.batch = jnp.stack([self.position, -self.position, 0 * self.position])
            yield

    def test_the_density_has_the_type_of_its_position(self):
        density, position = self.density, self.position
        log_density = jax.eval_shape(density.log_density, position)
        assert (log_density.shape, log_density.dtype) == ((), self.dtype)
        assert jax.eval_shape(density.gradient, position).dtype == self.dtype
        values = jax.eval_shape(density.constrain, position)
        assert {a.dtype for a in values.values()} == {np.dtype(self.dtype)}

    @pytest.mark.parametrize("function", ["log_density", "gradient", "constrain"])
    def test_vmap_maps_each_position(self, function):
        f = getattr(self.density, function)
        one_by_one = [jax.jit(f)(position) for position in self.batch]
        stacked = jax.tree.map(lambda *rows: jnp.stack(rows), *one_by_one)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=self.exact, atol=self.exact),
            jax.jit(jax.vmap(f))(self.batch),
            stacked,
        )

    def test_the_gradient_is_that_of_finite_differences(self):
        step = 1e-5 if self.dtype == np.float64 else 1e-2
        f = jax.jit(jax.vmap(self.density.log_density))
        nudges = step * jnp.eye(self.density.dim, dtype=self.dtype)
        expected = (f(self.position + nudges) - f(self.position - nudges)) / (2 * step)
        tolerance = 1e-7 if self.dtype == np.float64 else 2e-2
        gradient = jax.jit(self.density.gradient)(self.position)
        np.testing.assert_allclose(gradient, expected, rtol=tolerance, atol=tolerance)

    def test_grad_passes_through_constrain(self):
        def log_tau(position):
            return jnp.log(self.density.constrain(position)["tau"])

        gradient = jax.jit(jax.grad(log_tau))(self.position)
        np.testing.assert_allclose(gradient, np.eye(self.density.dim)[0], atol=1e-6)

    def test_the_float_type_is_left_as_it_was(self, x64):
        jax.jit(self.density.gradient)(self.position)
        assert jax.config.jax_enable_x64 == x64


def test_both_float_types_agree_even_in_one_session():
    density = ft.density(mixed(X, RESPONSE))
    single = float(jax.jit(density.log_density)(POSITION.astype(np.float32)))
    with jax.enable_x64(True):
        double = float(jax.jit(density.log_density)(POSITION))
        mixed_in = jax.jit(density.log_density)(POSITION.astype(np.float32))
    assert single == pytest.approx(double, rel=1e-5)
    assert mixed_in.dtype == np.float32
    assert float(mixed_in) == pytest.approx(single, rel=1e-6)


EQUAL = """
import jax, jax.numpy as jnp, numpy as np
import finetti as ft

def made():
    table = {"x": np.arange(4.0), "y": np.array([0, 1, 2, 0])}
    return ft.density(ft.formula("y ~ x", table, family="hurdle_negbinomial"))

first = made()
with jax.enable_x64(True):
    double = float(first.log_density(jnp.zeros(first.dim)))
for make in (lambda: first, made):
    density = make()
    single = density.log_density(jnp.zeros(density.dim, jnp.float32))
    assert single.dtype == np.float32 and abs(single - double) < 1e-4, single - double
    target, given = density.target("float32")
    assert {c.dtype.itemsize for c in jax.tree.leaves(given)} == {4}
    assert target == first.target("float32")[0]
"""


@pytest.mark.slow
def test_single_precision_follows_double_in_equal_models():
    """JAX keeps arrays in the type that it saw first: their programs are traced apart.

    A process of its own sees no more than users' do: where types are checked it goes well anyway.
    """
    done = subprocess.run([sys.executable, "-c", EQUAL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
