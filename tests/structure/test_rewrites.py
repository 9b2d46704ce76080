"""Check the laws of every rewrite on every model that it fits: nothing is changed but the work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import jax
import numpy as np
import pytest
from dense import Dense, Marginal

import zoo
from finetti.compiling import ONCE, compiled
from finetti.structure import recovery
from finetti.structure.plan import Plan
from finetti.structure.program import Reader
from finetti.structure.rewrites.integrate.integrate import Integrate
from finetti.structure.rewrites.rewrite import Shortcut
from finetti.targets.layout import Layout

POINTS = 3
DRAWS = 2000

INTEGRATED = (
    "schools", "radon_correlated", "crossed", "weighted_rows", "horseshoe", "radon_mn",
)  # fmt: skip
INTEGRATED_TOO = (
    "noncentred_schools", "multivariate_group", "gaussian_process", "arK",
    "radon_slopes", "radon_noncentred_slopes", "nested", "heteroscedastic", "meta_analysis",
    "known_scale", "radon_mn_centred", "rats", "kidiq", "pilots", "radon_noncentred_correlated",
    "nested_noncentred", "crossed_noncentred", "horseshoe_noncentred",
)  # fmt: skip
CONDENSED = (
    "radon_correlated", "heavy_tailed", "weighted_rows", "known_scale", "radon_mn", "arK",
)  # fmt: skip
CONDENSED_TOO = (
    "radon_slopes", "radon_noncentred_slopes", "nested", "radon_mn_centred", "kidiq",
    "radon_noncentred_correlated", "nested_noncentred",
)  # fmt: skip


def slow(names: tuple[str, ...]) -> list:
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


every_integrated = pytest.mark.parametrize("name", [*INTEGRATED, *slow(INTEGRATED_TOO)])
every_condensed = pytest.mark.parametrize("name", [*CONDENSED, *slow(CONDENSED_TOO)])


@dataclass(frozen=True)
class Rewritten:
    """Hold what a plan's form yields at some points phi, one a row.

    At the first point there are draws of what was taken out, with their log joint density, and
    the affine map from white noise that makes them: its offset and its matrix.
    """

    points: np.ndarray
    values: np.ndarray
    gradients: np.ndarray
    draws: np.ndarray
    log_joints: np.ndarray
    offset: np.ndarray
    matrix: np.ndarray


def points(plan: Plan) -> np.ndarray:
    """Return random points of what is left to sample."""
    return np.random.default_rng(1812).normal(0, 0.5, (POINTS, Layout.of(plan.latent).dim))


@cache
def plan(name: str) -> Plan:
    return zoo.MODELS[name]().plan()


@cache
def dense(name: str) -> tuple[Marginal, ...]:
    with jax.enable_x64(True):
        exact = Dense(plan(name))
        return tuple(exact.marginal(phi) for phi in points(plan(name)))


@cache
def rewritten(name: str) -> Rewritten:
    """Evaluate a model's form, in one compiled program."""
    form, given, layout = plan(name).form, plan(name).given, Layout.of(plan(name).latent)
    (marginal,) = form.marginals
    assert isinstance(marginal, Integrate)
    gone = Layout(
        tuple(marginal.sites),
        tuple(shape for _, shape in (*marginal.frame.groups, *marginal.frame.border)),
    )

    def density(given, phi):
        return form.log_density(given, layout.split(phi))

    def draw(key, given, phi):
        found = recovery.recover(form, key, given, layout.split(phi))
        return gone.join(found.values), found.log_joint + found.log_jacobian

    def makes(given, phi):
        terms = form.terms(marginal, given, layout.split(phi))
        expansion = marginal.expand(terms, given.rewrites[marginal.name])
        none = marginal.frame.zeros(np.dtype(marginal.dtype))

        def back(noise):
            return gone.join(marginal.frame.split(expansion.factor.back(noise)))

        return gone.join(marginal.frame.split(expansion.mean)), jax.jacobian(back)(none)

    @compiled(ONCE)
    def everything(given, phis, keys):
        both = jax.vmap(jax.value_and_grad(density, 1), (None, 0))(given, phis)
        return both, jax.vmap(draw, (0, None, None))(keys, given, phis[0]), makes(given, phis[0])

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(1812), DRAWS)
        (values, gradients), (draws, log_joints), (offset, matrix) = everything(
            given, points(plan(name)), keys
        )
    matrix = np.concatenate([np.reshape(m, (gone.dim, -1)) for m in matrix], 1)
    rest = (points(plan(name)), values, gradients, draws, log_joints, offset)
    return Rewritten(*map(np.asarray, rest), matrix)


@every_integrated
def test_the_density_is_the_exact_marginal(name):
    exact = [m.value for m in dense(name)]
    np.testing.assert_allclose(rewritten(name).values, exact, rtol=1e-9)


@every_integrated
def test_the_gradient_is_that_of_the_exact_marginal(name):
    for found, exact in zip(rewritten(name).gradients, dense(name), strict=True):
        scale = np.abs(exact.gradient).max(initial=1)
        np.testing.assert_allclose(found, exact.gradient, rtol=1e-7, atol=1e-7 * scale)


@every_integrated
def test_draws_come_from_the_exact_conditional(name):
    exact, found = dense(name)[0], rewritten(name)
    np.testing.assert_allclose(found.offset, exact.mean, rtol=1e-7, atol=1e-7)
    scale = np.abs(exact.covariance).max()
    ours = found.matrix @ found.matrix.T
    np.testing.assert_allclose(ours, exact.covariance, rtol=1e-7, atol=1e-9 * scale)


@every_integrated
def test_draws_have_the_exact_mean_and_covariance(name):
    exact, draws = dense(name)[0], rewritten(name).draws
    root = np.linalg.cholesky(exact.covariance)
    white = np.linalg.solve(root, (draws - exact.mean).T)
    d, n = white.shape
    # sums of squares of standard errors, chi-squared with as many degrees of freedom as terms
    mean = n * np.sum(white.mean(1) ** 2)
    assert abs(mean - d) / np.sqrt(2 * d) < 4
    upper = np.triu_indices(d, 1)
    product = white @ white.T / n
    terms = np.r_[n * product[upper] ** 2, n / 2 * (np.diag(product) - 1) ** 2]
    assert abs(terms.sum() - len(terms)) / np.sqrt(2 * len(terms)) < 4


@every_integrated
def test_the_joint_over_the_draws_density_is_the_marginal(name):
    found = rewritten(name)
    white = np.linalg.solve(found.matrix, (found.draws - found.offset).T)
    log_determinant = np.linalg.slogdet(found.matrix)[1]
    log_q = -0.5 * np.sum(white**2 + np.log(2 * np.pi), 0) - log_determinant
    np.testing.assert_allclose(found.log_joints - log_q, found.values[0], rtol=1e-9)


@every_condensed
def test_a_shortcut_is_the_sum_of_the_programs_own_terms(name):
    form, given = plan(name).form, plan(name).given
    shortcuts = [r for r in form.rewrites if isinstance(r, Shortcut)]
    assert shortcuts
    program, rng = plan(name).program, np.random.default_rng(1812)

    @compiled(ONCE)
    def both(given, free):
        reader = Reader(program, given.data, free, {})
        ours = {r.name: r.total(reader, given.rewrites[r.name]) for r in shortcuts}
        terms = program.outputs.log_terms
        return ours, {r.name: reader.read(terms[r.sites[0]]).sum() for r in shortcuts}

    for _ in range(POINTS):
        free = {n: rng.normal(0, 0.5, v.aval.shape) for n, v in program.inputs.items()}
        with jax.enable_x64(True):
            ours, exact = both(given, free)
        for r in shortcuts:
            np.testing.assert_allclose(ours[r.name], exact[r.name], rtol=1e-9)
