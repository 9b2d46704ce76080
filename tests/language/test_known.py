"""Check every claim of the table of families against the distribution that it speaks of."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import log_ndtr
from scipy import stats

import finetti as ft
from finetti.distributions import biject_to, constraints, know, known, name_family
from finetti.distributions.known import FAMILIES, NOTHING

VALUES = np.array([-2.3, -0.4, 0.1, 0.7, 3.9])
ROOT = np.array([[1.3, 0.0], [-0.6, 0.8]])

# One of each family. Where it has a location and a scale they are what it is made of.
SOME: dict[str, Callable] = {
    "Normal": ft.Normal,
    "StudentT": lambda loc=0.0, scale=1.0: ft.StudentT(3.5, loc, scale),
    "Laplace": ft.Laplace,
    "Logistic": ft.Logistic,
    "Cauchy": ft.Cauchy,
    "Gumbel": ft.Gumbel,
    "SoftLaplace": lambda loc=0.0, scale=1.0: ft.SoftLaplace(loc, scale),
    "MultivariateNormal": lambda loc=0.0, root=None: ft.MultivariateNormal(
        loc * jnp.ones(2), scale_tril=jnp.eye(2) if root is None else root
    ),
    "MultivariateStudentT": lambda loc=0.0, root=None: ft.MultivariateStudentT(
        4.0, loc * jnp.ones(2), jnp.eye(2) if root is None else root
    ),
    "LogNormal": ft.LogNormal,
    "AsymmetricLaplace": lambda loc=0.0, scale=1.0: ft.AsymmetricLaplace(loc, scale, 1.4),
    "AsymmetricLaplaceQuantile": lambda loc=0.0, scale=1.0: ft.AsymmetricLaplaceQuantile(
        loc, scale, 0.3
    ),
    "Flat": ft.Flat,
    "HalfFlat": ft.HalfFlat,
    "ImproperUniform": lambda: ft.ImproperUniform(constraints.unit_interval, (), ()),
    "Bernoulli": lambda eta=0.4: ft.Bernoulli(logits=eta),
    "Binomial": lambda: ft.Binomial(5, 0.3),
    "BetaBinomial": lambda: ft.BetaBinomial(2.0, 3.0, 5),
    "Poisson": lambda eta=1.7: ft.Poisson(eta),
    "DiscreteUniform": lambda: ft.DiscreteUniform(2, 6),
    "Categorical": lambda: ft.Categorical(probs=np.array([0.2, 0.5, 0.3])),
    "MarkovChain": lambda: ft.MarkovChain(np.array([0.2, 0.8]), np.full((2, 2), 0.5), 1),
    "OrderedLogistic": lambda: ft.OrderedLogistic(0.3, np.array([-1.0, 0.5])),
    "OrderedProbit": lambda: ft.OrderedProbit(0.3, np.array([-1.0, 0.5])),
    "Beta": lambda: ft.Beta(2.0, 3.0),
    "BetaProportion": lambda: ft.BetaProportion(0.4, 5.0),
    "Kumaraswamy": lambda: ft.Kumaraswamy(2.0, 3.0),
    "GaussianCopulaBeta": lambda: ft.GaussianCopulaBeta(
        np.full(2, 2.0), np.full(2, 3.0), correlation_matrix=np.eye(2)
    ),
    "Dirichlet": lambda: ft.Dirichlet(np.full(3, 2.0)),
}


def claiming(holds: Callable) -> list[str]:
    return [name for name, row in FAMILIES.items() if holds(row)]


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def test_each_row_speaks_of_a_family_that_bears_its_name():
    assert list(SOME) == list(FAMILIES)
    for name, make in SOME.items():
        assert name_family(make()) == name
        assert know(make()) is FAMILIES[name]


@pytest.mark.parametrize("name", claiming(lambda row: row.located))
def test_location_and_scale_move_and_stretch_the_density(name):
    if name.startswith("Multivariate"):
        e, root = np.stack([VALUES, VALUES[::-1]], -1), ROOT
        value, log_scale = 1.5 + e @ root.T, np.log(np.diag(root)).sum()
    else:
        e, root = VALUES, 0.6
        value, log_scale = 1.5 + e * root, np.log(root)
    free = SOME[FAMILIES[name].located]
    there, standard = free(1.5, root), free()
    np.testing.assert_allclose(
        there.log_prob(value) + log_scale, standard.log_prob(e), rtol=1e-12, atol=1e-12
    )
    # The site's own density is that one, on the scale where any real number is allowed.
    own = SOME[name](1.5, root)
    bijection = biject_to(own.support)
    jacobian = bijection.log_abs_det_jacobian(value, bijection(value))
    np.testing.assert_allclose(
        own.log_prob(bijection(value)) + jacobian, there.log_prob(value), rtol=1e-12
    )


@pytest.mark.parametrize("name", claiming(lambda row: row.symmetric))
def test_a_symmetric_density_is_alike_on_both_sides_of_its_location(name):
    e = np.stack([VALUES, VALUES[::-1]], -1) if name.startswith("Multivariate") else VALUES
    law = SOME[name](1.5)
    np.testing.assert_allclose(law.log_prob(1.5 + e), law.log_prob(1.5 - e), rtol=1e-12)


def test_of_the_located_families_the_others_are_not_symmetric():
    for name in claiming(lambda row: row.located and not row.symmetric):
        law = SOME[name](1.5)
        inside = np.array([0.2, 0.9])
        assert not np.allclose(law.log_prob(1.5 + inside), law.log_prob(1.5 - inside))


@pytest.mark.parametrize("name", claiming(lambda row: row.condensed))
def test_a_condensed_density_is_a_normal_one(name):
    found = SOME[name](1.5, 0.6).log_prob(VALUES)
    np.testing.assert_allclose(found, stats.norm(1.5, 0.6).logpdf(VALUES), rtol=1e-12)


def slopes(law, at: float) -> tuple[float, float]:
    """Return the slopes of a log density just left and right of a place."""
    near = 1e-6
    slope = jax.grad(lambda x: law.log_prob(x))
    return float(slope(at - near)), float(slope(at + near))


def test_just_the_kinked_densities_have_a_kink_at_their_location():
    shaped = [n for n in FAMILIES if FAMILIES[n].located or FAMILIES[n].kinked]
    scalar = [n for n in shaped if not n.startswith("Multivariate")]
    for name in scalar:
        at = 1.5 if name != "LogNormal" else float(np.exp(1.5))
        left, right = slopes(SOME[name](1.5, 0.6), at)
        assert (abs(left - right) > 0.1) == FAMILIES[name].kinked, name


@pytest.mark.parametrize("name", claiming(lambda row: row.improper))
def test_an_improper_density_is_one_everywhere_and_has_no_draws(name):
    law = SOME[name]()
    inside = np.array([0.1, 0.4, 0.9])
    np.testing.assert_array_equal(law.log_prob(inside), 0.0)
    with pytest.raises(NotImplementedError):
        law.sample(jax.random.key(0))


@pytest.mark.parametrize("name", claiming(lambda row: row.states))
def test_the_states_are_all_the_values_that_have_a_chance(name):
    law, states = SOME[name](), FAMILIES[name].states
    held = vars(law)
    low, high = (held[b] if isinstance(b, str) else b for b in (states.low, states.high))
    if states.weights:
        high = next(held[n] for n in states.weights if held.get(n) is not None).shape[-1] - 1
    values = np.arange(int(low), int(high) + 1)
    values = values[:, None] if law.event_shape else values
    np.testing.assert_allclose(np.exp(law.log_prob(values)).sum(), 1.0, rtol=1e-6)
    assert (np.exp(law.log_prob(values)) > 0).all()


def test_just_the_binary_families_take_zero_and_one_alone():
    assert claiming(lambda row: row.binary) == ["Bernoulli"]
    assert SOME["Bernoulli"]().support is constraints.boolean


@pytest.mark.parametrize("name", claiming(lambda row: row.pooled))
def test_values_enter_through_their_number_and_their_sum(name):
    pooled, y = FAMILIES[name].pooled, np.array([0, 1, 1, 0, 1])
    y = y if FAMILIES[name].binary else np.array([0, 3, 1, 7, 2])
    for eta in (0.3, 1.9):
        law = SOME[name](eta)
        assert pooled.parameter in law.arg_constraints
        expected = law.log_prob(y).sum()
        found = pooled.part(float(y.size), float(y.sum()), eta) + np.sum(
            np.ones(5) * pooled.base(y)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", claiming(lambda row: row.tells != "number"))
def test_what_a_value_tells_is_seen_in_its_support(name):
    law = SOME[name]()
    low, high = (
        int(getattr(law.support, f"{end}_bound", i)) for i, end in enumerate(("lower", "upper"))
    )
    tells = FAMILIES[name].tells
    assert (low, high) == {"yes or no": (0, 1), "successes": (0, 5), "category": (0, 2)}[tells]


@pytest.mark.parametrize("name", claiming(lambda row: row.ends))
def test_where_ends_need_a_remedy_the_density_is_nought_or_endless_there(name):
    law = SOME[name]()
    part = np.array([0.0, 0.6, 0.4]) if name == "Dirichlet" else np.zeros(law.event_shape)
    assert not np.isfinite(law.log_prob(part)).all()


def test_a_family_without_a_row_is_known_by_its_density_alone():
    assert known("Gamma") is NOTHING
    assert know(ft.Gamma(2.0, 1.0)) is NOTHING


class Tilted(ft.Distribution):
    """Have the density of a normal times a logistic curve: a user's own skew-normal of skew 1."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012
    support = constraints.real

    def __init__(self, loc=0.0, scale=1.0):
        self.loc, self.scale = loc, scale
        super().__init__(jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale)))

    def log_prob(self, value):
        z = (value - self.loc) / self.scale
        return np.log(2 / np.sqrt(2 * np.pi)) - z**2 / 2 - jnp.log(self.scale) + log_ndtr(z)

    def sample(self, key, sample_shape=()):
        shape = (*sample_shape, *self.batch_shape)
        a, b = jax.random.normal(key, (2, *shape))
        return self.loc + self.scale * (jnp.abs(a) + b) / np.sqrt(2)


def own_name(name: str) -> type[ft.Distribution]:
    """Return a user's family that bears the name of one of finetti's."""
    return type(name, (Tilted,), {})


def tilted(family: Callable) -> ft.Model:
    @ft.model
    def heights(y):
        mu = ft.sample("mu", family(0.0, 2.0))
        with ft.plate("row", len(y)):
            ft.sample("y", family(mu, 1.5), obs=y)

    return heights(np.array([1.2, 0.3, 2.8, 1.9, 0.4, 3.1]))


def test_the_plan_says_of_a_users_own_family_that_nothing_more_is_known():
    said = "finetti knows Tilted by its density alone"
    rows = {row.site: row.why for row in tilted(Tilted).plan().rows()}
    assert rows["mu"].endswith(f"; {said}")
    assert rows["y"] == f"observed: 6 values; {said}"
    assert "by its density alone" not in str(tilted(ft.SkewNormal).plan())


def test_a_users_family_is_not_taken_for_the_one_whose_name_it_bears():
    model = tilted(own_name("Normal"))
    assert {v.located for v in model.variables} == {""}
    assert model.plan().costs() == []


def test_a_users_own_family_is_fitted_rightly():
    model = tilted(Tilted)
    posterior = ft.fit(model, ft.Automatic(draws=500, warmup=500), seed=3, progress=False)
    grid = np.linspace(-8.0, 8.0, 4001)
    y = np.array([1.2, 0.3, 2.8, 1.9, 0.4, 3.1])
    log = stats.skewnorm(1, 0, 2).logpdf(grid)
    log = log + stats.skewnorm(1, grid[:, None], 1.5).logpdf(y).sum(-1)
    weight = np.exp(log - log.max())
    mean = (weight * grid).sum() / weight.sum()
    spread = np.sqrt((weight * (grid - mean) ** 2).sum() / weight.sum())
    (row,) = posterior.summary().itertuples()
    assert abs(row.mean - mean) < 4 * row.mcse_mean
    assert abs(posterior["mu"].std().item() / spread - 1) < 4 * np.sqrt(0.5 / row.ess_bulk)
