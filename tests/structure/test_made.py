"""Check laws of every rewrite on models made at random: nothing is changed but the work.

`made(seed)` is the model of a failing seed; print its `source` to read it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exactly import Exactly
from scipy import stats

from finetti.compiling import ONCE, compiled
from finetti.structure import recovery
from finetti.targets.density import density
from zoo import shortened
from zoo.made import made
from zoo.made.reference import evaluated
from zoo.moving import constants

QUICK = (2, 3, 6, 38)  # small ones, every exact rewrite among them but tally
ALL = 300
DRAWS = 400
STEPS = 1e-3 * np.arange(-2.0, 3.0)[[2, 0, 1, 3, 4]]
SLOPE = np.array([0, 1, -8, 8, -1]) / 12e-3  # of the values at these steps, to the fourth order
ROUGH = np.array([0, 0, -1, 1, 0]) / 2e-3
UNLIKELY = 1e-8  # the chance of a failure by chance, of some thousand comparisons in all


@pytest.fixture(scope="module", params=shortened(range(ALL), *QUICK))
def seed(request):
    """Have the tests of a seed run one after another: what they look at is compiled once."""
    return request.param


@cache
def looked(seed: int) -> dict[str, Any]:
    """Evaluate a model under its plan and as it is written, at a random point."""
    made_up = made(seed)
    model = made_up.model()
    plan = model.plan()
    rng = np.random.default_rng(seed)
    exactly = Exactly(plan, made_up.states)
    target, given = density(model, plan).target()
    form, layout = target.form, exactly.rest
    moved_by = given.learned({move.name: constants(rng, move, 1.0) for move in form.moves})
    way = rng.normal(size=layout.dim)
    z, g = rng.normal(0, 0.6, layout.dim), rng.normal(0, 1.0, exactly.gone.dim)

    def everything(given, learned, z, g):
        plain = form.unmoved()

        def at(z):
            return plain.log_density(given, layout.split(z))

        def release(z):
            return layout.join(form.release(learned, layout.split(z)))

        phi = release(z)
        back = layout.join(form.adopt(learned, layout.split(phi)))
        along = jax.lax.map(lambda step: exactly.marginal(given.data, z + step * way), STEPS)
        taken = jax.tree.map(lambda x: x[0], along)
        found = {
            "as written": along.value, "taken": taken,
            "remainder": exactly.remainder(given.data, z, g, taken),
            "planned": jax.lax.map(at, z + STEPS[:, None] * way), "slope": jax.grad(at)(z),
            "phi": phi, "back": back,
            "moved": form.log_density(learned, layout.split(z)), "unmoved": at(phi),
            "determinant": jnp.linalg.slogdet(jax.jacfwd(release)(z))[1],
        }  # fmt: skip
        zero = jnp.zeros(exactly.gone.dim)
        free = {**layout.split(z), **exactly.gone.split(zero)}
        fixed = {v.name: jnp.zeros(v.shape, int) for v in exactly.discrete}
        provide = {n: lambda r, x=x: (x, jnp.zeros(())) for n, x in fixed.items()}
        found["outcome"] = exactly.program(given.data, free, provide)
        return found

    with jax.enable_x64(True):
        found = compiled(ONCE)(everything)(given, moved_by, z, g)
    asked = {"made": made_up, "plan": plan, "exactly": exactly, "z": z, "way": way}
    return asked | jax.tree.map(np.asarray, found)


@cache
def drawn_back(seed: int) -> dict[str, Any]:
    """Draw what a plan takes out, and have its moments, at the point of `looked`."""
    plan, layout, z = (looked(seed)[name] for name in ("plan", "exactly", "z"))
    form = plan.form.unmoved()

    def everything(given, z, keys):
        free = layout.rest.split(z)
        terms = [(m, form.terms(m, given, free), given.rewrites[m.name]) for m in form.marginals]
        return {
            "moments": [m.moments(t, c) for m, t, c in terms],
            "chances": [m.probabilities(t, c) for m, t, c in terms],
            "drawn": jax.vmap(lambda key: recovery.recover(form, key, given, free).values)(keys),
        }

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(seed), DRAWS)
        return jax.tree.map(np.asarray, compiled(ONCE)(everything)(plan.given, z, keys))


def test_each_density_is_that_of_its_definition(seed):
    found = looked(seed)
    outcome = found["outcome"]
    ours = evaluated(found["made"], outcome.values)
    for name, terms in outcome.log_terms.items():
        # JAX's betaln, two of them a term, is wrong by 1e-6 where its second argument exceeds 8
        beta = name in outcome.arguments and "BetaBinomial" in found["made"].source
        rough = 2e-6 * terms.size if beta else 0
        close = {"rtol": 1e-8, "atol": 1e-8 + rough, "err_msg": name}
        np.testing.assert_allclose(np.sum(terms), ours.log_densities[name], **close)
    for name, value in ours.told.items():
        np.testing.assert_allclose(outcome.values[name], value, rtol=1e-9, err_msg=name)


def test_the_planned_density_and_its_slope_are_the_exact_marginals(seed):
    found = looked(seed)
    size = 1 + np.abs(found["as written"]).max()
    np.testing.assert_allclose(found["planned"], found["as written"], rtol=0, atol=1e-9 * size)
    assert abs(found["remainder"]) < 1e-7 * size
    scale = 1 + np.abs(found["slope"]).max(initial=0)
    expected, roughly = found["as written"] @ SLOPE, found["as written"] @ ROUGH
    if abs(expected - roughly) > 1e-4 * max(scale, 1e-3 * size):
        return  # a kink or a step lies among the points
    assert abs(found["slope"] @ found["way"] - expected) < 1e-6 * max(scale, 1e-3 * size)


def test_a_move_changes_the_density_by_its_jacobian_alone(seed):
    found = looked(seed)
    scale = 1 + np.abs(found["phi"]).max(initial=0)
    np.testing.assert_allclose(found["back"], found["z"], rtol=0, atol=1e-8 * scale)
    expected = found["unmoved"] + found["determinant"]
    np.testing.assert_allclose(found["moved"], expected, rtol=1e-8, atol=1e-8)


def test_what_was_taken_out_is_drawn_back_from_its_conditional(seed):
    exactly, taken = looked(seed)["exactly"], looked(seed)["taken"]
    if not looked(seed)["plan"].form.marginals:
        return
    found = drawn_back(seed)
    drawn = found["drawn"]
    if exactly.gone.dim:
        flat = [drawn[n].reshape(DRAWS, -1) for n in exactly.gone.names]
        covariance = np.linalg.inv(taken.precision)
        root = np.linalg.cholesky((covariance + covariance.T) / 2)
        white = np.linalg.solve(root, (np.concatenate(flat, 1) - taken.mean).T)
        assert chance_of_squares(white.mean(1) * np.sqrt(DRAWS)) > UNLIKELY
        among = np.corrcoef(white)[np.triu_indices(len(white), 1)] if len(white) > 1 else []
        assert chance_of_squares(np.arctanh(among) * np.sqrt(DRAWS - 3)) > UNLIKELY
        squares = np.sum(white**2, 1)
        for end in stats.chi2(DRAWS).cdf(squares), stats.chi2(DRAWS).sf(squares):
            assert end.min() > UNLIKELY
        told = {n: m for moments in found["moments"] for n, m in moments.items()}
        ours = [np.concatenate([told[n][i].ravel() for n in exactly.gone.names]) for i in (0, 1)]
        np.testing.assert_allclose(ours[0], taken.mean, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(ours[1], np.diagonal(covariance), rtol=1e-6)
    for v in exactly.discrete:
        each = np.exp(taken.chances)
        values = exactly.split(exactly.states)[v.name].reshape(len(each), -1)
        states = exactly.states.max() + 1
        exact = np.einsum("s,smk->mk", each, values[:, :, None] == np.arange(states))
        told = {n: p for chances in found["chances"] for n, p in chances.items()}[v.name]
        ours = told.reshape(-1, told.shape[-1])
        np.testing.assert_allclose(ours, exact[:, : ours.shape[-1]], atol=1e-9)
        counts = (drawn[v.name].reshape(DRAWS, -1, 1) == np.arange(states)).sum(0)
        exact = exact.clip(0, 1)  # rounding may leave a little more
        low, high = stats.binom(DRAWS, exact).cdf(counts), stats.binom(DRAWS, exact).sf(counts - 1)
        assert min(low.min(), high.min()) > UNLIKELY


def chance_of_squares(normal: Any) -> float:
    """Return how likely a sum of squares of standard normal numbers is to be so large."""
    return float(stats.chi2(max(len(normal), 1)).sf(np.sum(np.square(normal))))
