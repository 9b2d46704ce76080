"""Check Laplace's method against its formula, against quadrature and against exact integration."""

from __future__ import annotations

from functools import cache
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import finetti as ft
import zoo
from finetti.compiling import ONCE, compiled
from finetti.structure import recovery
from finetti.structure.rewrites.approximate.approximate import Approximate
from finetti.targets.density import Density, density
from finetti.targets.layout import Layout

GROUPS = 6
TRIALS = np.array([5, 8, 3, 12, 6, 9])


@ft.model
def one_a_group(likelihood, y):
    mu = ft.sample("mu", ft.Normal(0, 2))
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("group", GROUPS):
        b = ft.sample("b", ft.Normal(mu, tau))
        ft.sample("y", likelihood(b), obs=y)


# Each likelihood twice, ours and scipy's, with data, and how far (nats, all six groups together)
# Laplace's formula may be from the exact marginal: a property of the approximation, which scipy's
# formula below shares (0.014, 0.060, 0.082 and 0.479 nats were seen of it).
LIKELIHOODS = {
    "Poisson": (
        lambda b: ft.Poisson(jnp.exp(b)),
        lambda y, b: stats.poisson.logpmf(y, np.exp(b)),
        np.array([3, 0, 7, 2, 15, 1]),
        0.02,
    ),
    "Bernoulli": (
        lambda b: ft.Bernoulli(logits=b),
        lambda y, b: stats.bernoulli.logpmf(y, 1 / (1 + np.exp(-b))),
        np.array([1, 0, 1, 1, 0, 1]),
        0.1,
    ),
    "Binomial": (
        lambda b: ft.Binomial(TRIALS, logits=b),
        lambda y, b: stats.binom.logpmf(y, TRIALS, 1 / (1 + np.exp(-b))),
        np.array([1, 6, 0, 9, 3, 4]),
        0.1,
    ),
    "StudentT": (
        lambda b: ft.StudentT(4.0, b, 0.5),
        lambda y, b: stats.t.logpdf(y, 4, b, 0.5),
        np.array([-0.5, 0.3, 1.9, 4.0, 0.1, -2.0]),
        0.6,
    ),
}
PHI = np.array([[0.3, -0.5], [-0.2, 0.1], [0.8, -1.2]])  # mu and log tau
each_likelihood = pytest.mark.parametrize("name", LIKELIHOODS)


@cache
def evaluated(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the log density without the effects, and its gradient, at the points PHI."""
    likelihood, _, y, _ = LIKELIHOODS[name]
    model = one_a_group(likelihood, y)
    built = density(model, model.plan().approximate())
    with jax.enable_x64(True):
        found = compiled(ONCE)(jax.vmap(jax.value_and_grad(built.log_density)))(PHI)
    return tuple(map(np.asarray, found))


def height(name: str, phi: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return by scipy the log joint density of each group's effect and data, (..., group)."""
    _, logpmf, y, _ = LIKELIHOODS[name]
    return stats.norm.logpdf(b, phi[0], np.exp(phi[1])) + logpmf(y, b)


def hyper(phi: np.ndarray) -> float:
    """Return the log density of mu and log tau themselves."""
    tau = np.exp(phi[1])
    return stats.norm.logpdf(phi[0], 0, 2) + stats.halfnorm.logpdf(tau) + phi[1]


def formula(name: str, phi: np.ndarray) -> float:
    """Compute Laplace's formula by group, by fourth-order differences of scipy's densities."""
    b, h = np.full(GROUPS, phi[0]), 1e-3

    def derivatives(b):
        at = [height(name, phi, b + k * h) for k in (-2, -1, 0, 1, 2)]
        slope = (at[0] - 8 * at[1] + 8 * at[3] - at[4]) / (12 * h)
        bend = (-at[0] + 16 * at[1] - 30 * at[2] + 16 * at[3] - at[4]) / (12 * h**2)
        return slope, bend

    for _ in range(200):
        slope, bend = derivatives(b)
        b = b + np.clip(slope / np.maximum(np.abs(bend), 0.5), -0.5, 0.5)
    _, bend = derivatives(b)
    return hyper(phi) + np.sum(height(name, phi, b) + 0.5 * np.log(2 * np.pi / -bend))


def quadrature(name: str, phi: np.ndarray) -> float:
    grid = np.linspace(phi[0] - 12 * np.exp(phi[1]), phi[0] + 12 * np.exp(phi[1]), 20_001)
    values = np.exp(height(name, phi, grid[:, None]))
    return hyper(phi) + np.log(values.sum(0) * (grid[1] - grid[0])).sum()


@each_likelihood
def test_the_density_is_laplaces_formula(name):
    # 1e-6: the accuracy of second differences; the laws below hold the formula to 1e-9
    exact = [formula(name, phi) for phi in PHI]
    np.testing.assert_allclose(evaluated(name)[0], exact, atol=1e-6)


@each_likelihood
def test_the_density_is_near_the_exact_marginal(name):
    exact = [quadrature(name, phi) for phi in PHI]
    np.testing.assert_allclose(evaluated(name)[0], exact, atol=LIKELIHOODS[name][3])


@each_likelihood
def test_the_approximation_is_not_the_exact_marginal(name):
    exact = [quadrature(name, phi) for phi in PHI]
    assert np.abs(evaluated(name)[0] - exact).max() > 1e-3


# The formula computed densely, from the program as it is written


@ft.model
def crossed_counts(row, column, y):
    mu = ft.sample("mu", ft.Normal(0, 1))
    tau = ft.sample("tau", ft.HalfNormal(1).expand([2]))
    with ft.plate("row", row):
        a = ft.sample("a", ft.Normal(mu, tau[0]))
    with ft.plate("column", column):
        b = ft.sample("b", ft.StudentT(4.0, 0, tau[1]))
    with ft.plate("cell", len(y)):
        ft.sample("y", ft.Poisson(jnp.exp(a[row] + b[column])), obs=y)


@ft.model
def rates(y, exposure):
    shape = ft.sample("shape", ft.Gamma(2, 1))
    with ft.plate("machine", len(y)):
        rate = ft.sample("rate", ft.Gamma(shape, 1.0))
        ft.sample("y", ft.Poisson(rate * exposure), obs=y)


def cells() -> ft.Model:
    rng = np.random.default_rng(1763)
    row, column = (m.ravel() for m in np.mgrid[:5, :3])
    y = rng.poisson(np.exp(0.5 + rng.normal(0, 0.5, 5)[row]))
    return crossed_counts(ft.groups(row), ft.groups(column), y)


FITTING = {
    "surgical": zoo.MODELS["surgical"],
    "seeds": zoo.MODELS["seeds"],
    "count_process": zoo.MODELS["count_process"],
    "crossed_counts": cells,
    "rates": lambda: rates(np.array([3, 0, 8, 4, 1]), np.array([1.0, 2.0, 3.0, 1.0, 0.5])),
}
SLOW = (
    "crossed_counts",
    "seeds",
    "surgical",
    "count_process",
    "crossed",
    "nested",
    "gaussian_process",
)


def some(*names: str) -> list:
    return [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in names]


each_fitting = pytest.mark.parametrize("name", some(*FITTING))


@cache
def approximated(name: str) -> Density:
    model = FITTING[name]()
    return density(model, model.plan().approximate())


def taken_out(built: Density) -> Approximate:
    return next(m for m in built.plan().form.marginals if isinstance(m, Approximate))


def place(built: Density) -> np.ndarray:
    return np.random.default_rng(1812).normal(0, 0.4, built.dim)


@cache
def dense(name: str) -> dict[str, np.ndarray]:
    """Compute the formula with dense matrices, and differentiate it through a Newton step.

    One step from the mode, differentiated, moves as the mode does: to first order.
    """
    built = approximated(name)
    plan, phi = built.plan(), place(built)
    marginal = taken_out(built)
    latent = {v.name: v for v in plan.variables}
    gone = Layout.of(tuple(latent[site] for site in marginal.sites))

    def joint(phi, g):
        found = plan.program(plan.given.data, {**built.layout.split(phi), **gone.split(g)})
        return found.log_joint + found.log_jacobian

    def laplace(phi, start):
        step = jnp.linalg.solve(jax.hessian(joint, 1)(phi, start), jax.grad(joint, 1)(phi, start))
        g = start - step
        precision = -jax.hessian(joint, 1)(phi, g)
        half = 0.5 * jnp.linalg.slogdet(precision)[1]
        value = joint(phi, g) + 0.5 * gone.dim * jnp.log(2 * jnp.pi) - half
        return value, (g, precision)

    @compiled(ONCE)
    def start(phi):
        terms = plan.form.terms(marginal, plan.given, built.layout.split(phi))
        return gone.join(marginal.mode(terms, plan.given.rewrites[marginal.name]))

    with jax.enable_x64(True):
        found = compiled(ONCE)(jax.value_and_grad(laplace, has_aux=True))(phi, start(phi))
        (value, (mode, precision)), gradient = jax.tree.map(np.asarray, found)
    return {"value": value, "gradient": gradient, "mode": mode, "precision": precision}


@cache
def ours(name: str) -> dict[str, np.ndarray]:
    """Evaluate the rewrite at the same place, with some draws and their log joint densities."""
    built = approximated(name)
    plan, phi, marginal = built.plan(), place(built), taken_out(built)
    latent = {v.name: v for v in plan.variables}
    gone = Layout.of(tuple(latent[site] for site in marginal.sites))

    def draw(key, phi):
        free = built.layout.split(phi)
        terms = plan.form.terms(marginal, plan.given, free)
        i = plan.form.marginals.index(marginal)
        inner = jax.random.fold_in(key, i)
        g = gone.join(marginal.draw(inner, terms, plan.given.rewrites[marginal.name]))
        outcome = recovery.recover(plan.form, key, plan.given, free)
        joint = outcome.log_joint + outcome.log_jacobian
        return g, joint, recovery.log_ratio(plan.form, key, plan.given, free)

    @compiled(ONCE)
    def everything(phi, keys):
        value, gradient = jax.value_and_grad(built.log_density)(phi)
        return value, gradient, jax.vmap(draw, (0, None))(keys, phi)

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(1812), 500)
        value, gradient, (draws, joints, ratios) = everything(phi, keys)
    found = {"value": value, "gradient": gradient, "draws": draws, "joints": joints}
    return {k: np.asarray(v) for k, v in (found | {"ratios": ratios}).items()}


@each_fitting
def test_the_density_is_the_formula_computed_densely(name):
    np.testing.assert_allclose(ours(name)["value"], dense(name)["value"], rtol=1e-9)


@each_fitting
def test_the_gradient_is_that_of_the_dense_formula(name):
    exact = dense(name)["gradient"]
    scale = np.abs(exact).max(initial=1)
    np.testing.assert_allclose(ours(name)["gradient"], exact, rtol=1e-7, atol=1e-7 * scale)


@each_fitting
def test_the_log_ratio_is_the_joint_over_the_approximation(name):
    found, exact = ours(name), dense(name)
    left = found["draws"] - exact["mode"]
    log_q = -0.5 * np.einsum("ni,ij,nj->n", left, exact["precision"], left)
    log_q += 0.5 * np.linalg.slogdet(exact["precision"])[1] - 0.5 * left.shape[1] * np.log(
        2 * np.pi
    )
    expected = found["joints"] - (exact["value"] + log_q)
    np.testing.assert_allclose(found["ratios"], expected, atol=1e-6)


@each_fitting
def test_draws_come_from_the_gaussian_at_the_mode(name):
    found, exact = ours(name), dense(name)
    root = np.linalg.cholesky(exact["precision"])
    white = (found["draws"] - exact["mode"]) @ root
    n, d = white.shape
    mean = n * np.sum(white.mean(0) ** 2)  # chi-squared with d degrees of freedom
    squares = np.sum(white**2)  # with n d
    assert abs(mean - d) / np.sqrt(2 * d) < 4
    assert abs(squares - n * d) / np.sqrt(2 * n * d) < 4


@pytest.mark.parametrize("name", ["surgical"])
def test_gradient_and_hessian_are_those_of_finite_differences(name):
    built, h = approximated(name), 1e-5
    phi = place(built)
    with jax.enable_x64(True):
        both = compiled(ONCE)(jax.value_and_grad(built.log_density))
        hessian = np.asarray(compiled(ONCE)(jax.hessian(built.log_density))(phi))
        gradient = np.asarray(both(phi)[1])
        steps = [[both(phi + s * h * e) for s in (-1, 1)] for e in np.eye(built.dim)]
        ends = jax.tree.map(np.asarray, steps)
    slopes = [(up[0] - down[0]) / (2 * h) for down, up in ends]
    bends = [(up[1] - down[1]) / (2 * h) for down, up in ends]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(hessian, bends, rtol=1e-6, atol=1e-6 * np.abs(hessian).max())


# Where exact integration is possible


@pytest.mark.parametrize("name", some("schools", "crossed", "nested", "gaussian_process"))
def test_on_gaussian_models_it_is_exact_integration(name):
    model = zoo.MODELS[name]()
    exact = model.plan().without("centre", "condense")
    (integrate,) = exact.form.marginals
    ours = model.plan().without("centre", "condense", "integrate out")
    ours = ours.approximate(*integrate.sites)
    one, other = density(model, exact), density(model, ours)
    assert one.layout == other.layout
    with jax.enable_x64(True):
        points = np.random.default_rng(1812).normal(0, 0.5, (3, one.dim))
        (a, da), (b, db) = (
            compiled(ONCE)(jax.vmap(jax.value_and_grad(d.log_density)))(points)
            for d in (one, other)
        )
    np.testing.assert_allclose(b, a, rtol=1e-9)
    np.testing.assert_allclose(db, da, rtol=1e-7, atol=1e-7 * np.abs(da).max())


# The climb


@each_likelihood
def test_the_mode_is_found_from_poor_starts(name):
    likelihood, _, y, _ = LIKELIHOODS[name]
    model = one_a_group(likelihood, y)
    built = density(model, model.plan().approximate())
    plan, marginal = built.plan(), taken_out(built)
    constants = plan.given.rewrites[marginal.name]

    @compiled(ONCE)
    def climbed(phi, groups):
        terms = plan.form.terms(marginal, plan.given, built.layout.split(phi))
        peak = marginal.expand(terms, {**constants, "groups": groups})
        return peak.found, peak.mode, marginal.look(terms, peak.mode, constants)

    for phi, start in product(PHI, (-40.0, 40.0)):
        with jax.enable_x64(True):
            groups = np.full_like(constants["groups"], start)
            found, mode, (slope, precision) = climbed(phi, groups)
        assert found
        assert np.abs(slope.groups).max() < 1e-7
        assert np.all(np.asarray(precision.blocks) > 0)
        if name != "StudentT":  # the others have one mode
            b = np.asarray(mode.groups)[:, 0]
            slopes = height(name, phi, b + 1e-5) - height(name, phi, b - 1e-5)
            assert np.abs(slopes).max() < 1e-8


def test_a_place_without_a_mode_has_no_density():
    @ft.model
    def bowl():
        s = ft.sample("s", ft.Normal(0, 1))
        with ft.plate("i", 3):
            x = ft.sample("x", ft.Normal(0, 1))
            ft.factor("up", jnp.exp(s - 2) * x**2)  # wins over the prior where s > 1.3
            ft.factor("bent", -1e-3 * x**2 * jnp.tanh(x) ** 2)

    built = density(bowl(), bowl().plan().approximate("x"))
    with jax.enable_x64(True):
        low, high = (float(built.log_density(jnp.array([s]))) for s in (-3.0, 3.0))
    assert np.isfinite(low)
    assert high == -np.inf


# What a plan says and refuses


def test_nothing_is_approximated_unless_asked():
    model = zoo.MODELS["seeds"]()
    assert not model.plan().form.marginals
    assert "approximate" not in str(model.plan())


def test_the_plan_says_that_it_is_not_exact():
    plan = approximated("seeds").plan()
    (row,) = [r for r in plan.rows() if r.site == "b_raw"]
    assert row.done == "approximate by Laplace's method"
    assert dict(plan.costs())["approximate b_raw"].startswith("21 blocks of 1 along plate")
    assert "5 of 26 dimensions to sample; NOT exact" in str(plan)


def test_crossed_effects_make_a_bordered_arrow():
    costs = dict(approximated("crossed_counts").plan().costs())
    assert "5 blocks of 1 along row, bordered by b (3 numbers)" in costs["approximate a, b"]


def test_a_parameter_is_taken_out_when_it_is_named():
    model = zoo.MODELS["surgical"]()
    plan = model.plan().approximate("b", "mu")
    assert set(plan.form.marginals[0].sites) == {"b", "mu"}
    assert [v.name for v in plan.latent] == ["sigmasq"]


def test_the_wish_can_be_refused_again():
    plan = zoo.MODELS["surgical"]().plan().approximate()
    assert not plan.without("approximate").form.marginals
    assert not plan.as_written().choices.asked


def test_what_is_integrated_out_exactly_stays_so():
    with pytest.raises(ft.ModelError, match=r"`theta`: the plan takes it out exactly"):
        zoo.MODELS["schools"]().plan().approximate()


def test_what_meets_an_exact_rewrite_is_refused_with_the_way_out():
    model = zoo.MODELS["heteroscedastic"]()
    with pytest.raises(ft.ModelError, match=r"`sigma`: in `y` it meets .*without\('integrate out'"):
        model.plan().approximate("sigma")


def test_a_kink_is_refused():
    @ft.model
    def kinked(y):
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("i", len(y)):
            b = ft.sample("b", ft.Laplace(0, tau))
            ft.sample("y", ft.Poisson(jnp.exp(b)), obs=y)

    with pytest.raises(ft.ModelError, match=r"Laplace density of `b` has a kink"):
        kinked(np.arange(4)).plan().approximate()


def test_an_unknown_site_is_named():
    with pytest.raises(ft.UnknownSite, match="did you mean `b_raw`"):
        zoo.MODELS["seeds"]().plan().approximate("b_row")


def test_a_model_without_groups_is_refused():
    with pytest.raises(ft.ModelError, match=r"`alpha`: it is a parameter of its own.*ft\.NUTS"):
        zoo.MODELS["logistic_regression"]().plan().approximate()
