"""Check every constraint: round trip, support, log Jacobian against autodiff, total probability."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.distributions import biject_to, constraints

NO_COMPLEX = {type(constraints.complex)}  # a complex number has no density on the real line here


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def whole(x):
    return x


def without_last(x):
    return x[..., :-1]


def lower(x):
    return x[..., *jnp.tril_indices(x.shape[-1])]


def strictly_lower(x):
    return x[..., *jnp.tril_indices(x.shape[-1], -1)]


# A constraint, the shape of one event, and the coordinates in which its density is stated.
CASES = {
    "real": (constraints.real, (), whole),
    "real_vector": (constraints.real_vector, (3,), whole),
    "real_matrix": (constraints.real_matrix, (2, 3), whole),
    "positive": (constraints.positive, (), whole),
    "nonnegative": (constraints.nonnegative, (), whole),
    "softplus_positive": (constraints.softplus_positive, (), whole),
    "greater_than": (constraints.greater_than(2.0), (), whole),
    "greater_than_eq": (constraints.greater_than_eq(2.0), (), whole),
    "less_than": (constraints.less_than(-1.0), (), whole),
    "less_than_eq": (constraints.less_than_eq(-1.0), (), whole),
    "interval": (constraints.interval(-1.0, 3.0), (), whole),
    "open_interval": (constraints.open_interval(-1.0, 3.0), (), whole),
    "unit_interval": (constraints.unit_interval, (), whole),
    "circular": (constraints.circular, (), whole),
    "independent": (constraints.independent(constraints.positive, 1), (3,), whole),
    "independent_simplex": (constraints.independent(constraints.simplex, 1), (2, 3), without_last),
    "simplex": (constraints.simplex, (4,), without_last),
    "ordered_vector": (constraints.ordered_vector, (4,), whole),
    "positive_ordered_vector": (constraints.positive_ordered_vector, (4,), whole),
    "l1_ball": (constraints.l1_ball, (3,), whole),
    "lower_cholesky": (constraints.lower_cholesky, (3, 3), lower),
    "softplus_lower_cholesky": (constraints.softplus_lower_cholesky, (3, 3), lower),
    "scaled_unit_lower_cholesky": (constraints.scaled_unit_lower_cholesky, (3, 3), lower),
    "positive_definite": (constraints.positive_definite, (3, 3), lower),
    "positive_semidefinite": (constraints.positive_semidefinite, (3, 3), lower),
    "corr_cholesky": (constraints.corr_cholesky, (4, 4), strictly_lower),
    "corr_matrix": (constraints.corr_matrix, (4, 4), strictly_lower),
    "cat": (
        constraints.cat([constraints.positive, constraints.unit_interval], -1, [1, 2]),
        (3,),
        whole,
    ),
}
ZERO_SUM = {
    "zero_sum_1": (constraints.zero_sum(1), (4,)),
    "zero_sum_2": (constraints.zero_sum(2), (3, 4)),
}
ROUND_TRIPS = {name: case[:2] for name, case in CASES.items()} | ZERO_SUM


def uniform_on(constraint, shape):
    """Build the density of a model whose one variable is improper uniform on the constraint."""

    def statements():
        ft.sample("x", ft.ImproperUniform(constraint, (), shape))

    return ft.density(ft.Model(statements, "uniform")())


def positions(dim):
    return jnp.asarray(np.random.default_rng(dim).normal(size=(3, dim)))


def test_no_constraint_that_has_a_bijection_is_left_out():
    met = {type(case[0]) for case in ROUND_TRIPS.values()} | NO_COMPLEX
    theirs = {c for c in biject_to._registry if c.__module__.startswith("numpyro.")}
    assert met == theirs


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_constrain_stays_inside_the_support_and_unconstrain_takes_it_back(name):
    constraint, shape = ROUND_TRIPS[name]
    density = uniform_on(constraint, shape)

    @compiled(ONCE)
    @jax.vmap
    def there_and_back(position):
        values = density.constrain(position)
        return values["x"], constraint(values["x"]), density.unconstrain(values)

    x, inside, back = there_and_back(positions(density.dim))
    assert x.shape == (3, *shape)
    assert inside.all()
    np.testing.assert_allclose(back, positions(density.dim), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_the_log_jacobian_is_that_of_autodiff(name):
    constraint, shape, chart = CASES[name]
    density = uniform_on(constraint, shape)

    @compiled(ONCE)
    @jax.vmap
    def jacobian(position):
        return jax.jacfwd(lambda u: chart(density.constrain(u)["x"]).ravel())(position)

    found = np.asarray(jacobian(positions(density.dim)))
    assert found.shape == (3, density.dim, density.dim)
    expected = np.linalg.slogdet(found)[1]
    log_density = compiled(ONCE)(jax.vmap(density.log_density))(positions(density.dim))
    np.testing.assert_allclose(log_density, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ZERO_SUM)
def test_zero_sums_are_reached_by_a_rotation(name):
    density = uniform_on(*ZERO_SUM[name])
    (position, *_) = positions(density.dim)
    jacobian = compiled(ONCE)(jax.jacfwd(lambda u: density.constrain(u)["x"].ravel()))(position)
    np.testing.assert_allclose(jacobian.T @ jacobian, np.eye(density.dim), atol=1e-9)
    assert compiled(ONCE)(density.log_density)(position) == 0


def test_a_complex_variable_is_refused_by_name():
    with pytest.raises(ft.ModelError, match="`x`"):
        uniform_on(constraints.complex, ())


PROPER = {
    "normal": lambda: ft.Normal(1.0, 2.0),
    "half_cauchy": lambda: ft.HalfCauchy(2.0),
    "log_normal": lambda: ft.LogNormal(0.5, 0.7),
    "gamma": lambda: ft.Gamma(2.0, 3.0),
    "uniform": lambda: ft.Uniform(-1.0, 3.0),
    "beta": lambda: ft.Beta(2.0, 3.0),
    "von_mises": lambda: ft.VonMises(0.5, 2.0),
    "truncated_normal": lambda: ft.TruncatedNormal(0.0, 1.0, low=0.5, high=2.0),
    "left_truncated": lambda: ft.LeftTruncatedDistribution(ft.Normal(0.0, 1.0), low=0.5),
    "right_truncated": lambda: ft.RightTruncatedDistribution(ft.Normal(0.0, 1.0), high=0.5),
    "pareto": lambda: ft.Pareto(1.5, 4.0),
    "dirichlet": lambda: ft.Dirichlet(np.array([2.0, 3.0, 4.0])),
    "mvn": lambda: ft.MultivariateNormal(np.zeros(2), np.array([[2.0, 0.5], [0.5, 1.0]])),
    "zero_sum_normal": lambda: ft.ZeroSumNormal(1.3, (3,)),
    "lkj": lambda: ft.LKJ(2, 2.0),
    "lkj_cholesky": lambda: ft.LKJCholesky(2, 2.0),
    "ordered": lambda: ft.TransformedDistribution(
        ft.Normal(np.zeros(2), 1.0).to_event(1), ft.distributions.transforms.OrderedTransform()
    ),
}


@pytest.mark.parametrize("name", PROPER)
def test_the_unconstrained_density_of_a_proper_distribution_integrates_to_one(name):
    def statements():
        ft.sample("x", PROPER[name]())

    density = ft.density(ft.Model(statements, "proper")())
    reach, points = {1: (40, 1601), 2: (25, 501)}[density.dim]
    axis, step = np.linspace(-reach, reach, points, retstep=True)
    grid = np.stack(np.meshgrid(*[axis] * density.dim), -1).reshape(-1, density.dim)
    total = jnp.exp(compiled(ONCE)(jax.vmap(density.log_density))(grid)).sum() * step**density.dim
    assert float(total) == pytest.approx(1, abs=1e-8)
