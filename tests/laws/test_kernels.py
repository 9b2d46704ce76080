"""Check that every kernel leaves known targets invariant, on bare functions.

Chains start from exact draws of the target, so after any number of transitions each is again
an exact draw. Chains are independent: averages over them have plain standard errors.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from finetti.distributions import Dirichlet, HalfNormal, MultivariateNormal, Normal, biject_to
from finetti.kernels.kernel import Tuning, evaluate
from finetti.kernels.metric import Dense, Diagonal
from finetti.kernels.metropolis import RandomWalk
from finetti.kernels.nuts import NoUTurn

pytestmark = pytest.mark.usefixtures("float64")

COVARIANCE = np.array([[1.0, 0.9, 0.0], [0.9, 2.0, -0.5], [0.0, -0.5, 0.5]])
CONCENTRATION = np.array([0.8, 2.0, 4.0])


@dataclass(frozen=True, eq=False)
class Law:
    """Hold a target on unconstrained space, its exact draws and its exact marginals.

    `constrain` maps a position to the quantities that `marginals` describe, each a scipy
    distribution; `covariance` is that of the quantities.
    """

    distribution: object
    marginals: tuple
    covariance: np.ndarray

    def constrain(self, position):
        return biject_to(self.distribution.support)(position)

    def log_density(self, position):
        transform = biject_to(self.distribution.support)
        value = transform(position)
        jacobian = transform.log_abs_det_jacobian(position, value)
        return self.distribution.log_prob(value).sum() + jacobian.sum()

    def draw(self, key, count):
        values = self.distribution.sample(key, (count,))
        return jax.vmap(biject_to(self.distribution.support).inv)(values)


def laws() -> dict[str, Law]:
    total = CONCENTRATION.sum()
    mean = CONCENTRATION / total
    return {
        "normal": Law(
            Normal(jnp.array([1.0, -2.0]), jnp.array([0.5, 3.0])),
            (stats.norm(1, 0.5), stats.norm(-2, 3)),
            np.diag([0.25, 9.0]),
        ),
        "correlated normal": Law(
            MultivariateNormal(jnp.zeros(3), jnp.asarray(COVARIANCE)),
            tuple(stats.norm(0, np.sqrt(v)) for v in np.diag(COVARIANCE)),
            COVARIANCE,
        ),
        "half-normal": Law(
            HalfNormal(jnp.array([2.0])),
            (stats.halfnorm(scale=2),),
            np.eye(1) * 4 * (1 - 2 / np.pi),
        ),
        "simplex": Law(
            Dirichlet(jnp.asarray(CONCENTRATION)),
            tuple(stats.beta(a, total - a) for a in CONCENTRATION),
            (np.diag(mean) - np.outer(mean, mean)) / (total + 1),
        ),
    }


LAWS = ("normal", "correlated normal", "half-normal", "simplex")
KERNELS = {
    "NUTS diagonal": NoUTurn(),
    "NUTS dense": NoUTurn(metric=Dense()),
    "random walk diagonal": RandomWalk(),
    "random walk dense": RandomWalk(metric=Dense()),
}
SHALLOW = {f"NUTS depth {n}": NoUTurn(max_depth=n) for n in (1, 2, 3)}


def tuned(kernel, dim: int, step_size: float) -> Tuning:
    """Return a tuning with an uneven scale that knows nothing of the target."""
    scale = jnp.linspace(0.7, 1.4, dim)
    if isinstance(kernel.metric, Dense):
        scale = jnp.diag(scale) + 0.2 * jnp.tril(jnp.ones((dim, dim)), -1)
    return Tuning(jnp.asarray(step_size), scale)


def transition(kernel, target: Callable, tuning: Tuning, key, state):
    """Step until a draw is complete; return the new state and the draw's info."""

    def one(carry):
        key, state, _ = carry
        key, here = jax.random.split(key)
        return key, *kernel.step(here, state, target, tuning)

    first = one((key, state, None))
    _, state, info = jax.lax.while_loop(lambda carry: ~carry[2].done, one, first)
    return state, info


@partial(jax.jit, static_argnames=("kernel", "law", "chains", "draws"))
def walk(kernel, law: Law, tuning: Tuning, chains: int, draws: int, seed: int = 0):
    """Return positions (draw, chain, dim) and infos (draw, chain), from exact starts."""
    start_key, walk_key = jax.random.split(jax.random.key(seed))
    starts = law.draw(start_key, chains)
    states = jax.vmap(lambda x: kernel.init(evaluate(law.log_density, x)))(starts)
    move = jax.vmap(partial(transition, kernel, law.log_density, tuning))

    def draw(states, key):
        states, info = move(jax.random.split(key, chains), states)
        return states, (states.draw.position, info)

    return jax.lax.scan(draw, states, jax.random.split(walk_key, draws))[1]


def misses(law: Law, positions: jax.Array) -> dict[str, float]:
    """Return how far chains' averages lie from the exact ones, in standard errors.

    The averages run over each chain's later draws; the chains are independent.
    """
    positions = positions[len(positions) // 2 :]
    values = np.asarray(jax.vmap(jax.vmap(law.constrain))(positions))
    found = {}

    def compare(name, quantity, exact):
        averages = quantity.mean(0)
        error = averages.std(ddof=1) / np.sqrt(len(averages))
        found[name] = (averages.mean() - exact) / error

    for i, marginal in enumerate(law.marginals):
        x = values[..., i]
        compare(f"mean {i}", x, marginal.mean())
        for p in (0.05, 0.5, 0.95):
            compare(f"P(x{i} < q{p})", x < marginal.ppf(p), p)
        for j in range(i + 1):
            centred = [values[..., k] - law.marginals[k].mean() for k in (i, j)]
            compare(f"covariance {i} {j}", centred[0] * centred[1], law.covariance[i, j])
    return found


def agreement(law: Law, positions: jax.Array) -> list[float]:
    """Return the p value of each marginal in the chains' last draws (Kolmogorov-Smirnov)."""
    last = np.asarray(jax.vmap(law.constrain)(positions[-1]))
    return [stats.kstest(last[:, i], m.cdf).pvalue for i, m in enumerate(law.marginals)]


def leaves_invariant(kernel, law: Law, effort: int = 1) -> bool:
    """Tell whether all comparisons hold; `effort` multiplies chains and draws."""
    dim = law.draw(jax.random.key(0), 1).shape[1]
    # large steps, so that the acceptance matters
    step_size, draws = (1.5, 200) if isinstance(kernel, RandomWalk) else (0.9, 30)
    tuning = tuned(kernel, dim, step_size)
    positions, _ = walk(kernel, law, tuning, 1000 * effort, draws * effort)
    scores = misses(law, positions)
    worst = max(scores, key=lambda name: abs(scores[name]))
    least = min(agreement(law, positions))
    print(f"worst {worst}: {scores[worst]:.2f} standard errors; least p value {least:.2g}")
    return abs(scores[worst]) < 4 and least > 6e-5


@pytest.fixture(scope="module")
def known() -> dict[str, Law]:
    with jax.enable_x64(True):
        return laws()


@pytest.mark.parametrize(
    ("kernel", "law"),
    [
        (kernel, law)
        if law == "correlated normal" or "diagonal" in kernel
        else pytest.param(kernel, law, marks=pytest.mark.slow)
        for kernel in KERNELS
        for law in LAWS
    ],
)
def test_a_kernel_leaves_the_target_invariant(known, kernel, law):
    assert leaves_invariant(KERNELS[kernel], known[law])


def test_a_shallow_tree_leaves_the_target_invariant(known):
    assert leaves_invariant(SHALLOW["NUTS depth 2"], known["correlated normal"])


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kernel", [*KERNELS, *SHALLOW])
def test_a_kernel_leaves_the_target_invariant_on_a_closer_look(known, kernel, law):
    assert leaves_invariant((KERNELS | SHALLOW)[kernel], known[law], effort=3)


@dataclass(frozen=True)
class AcceptAlways(RandomWalk):
    """A random walk that takes every proposal: it leaves nothing invariant."""

    def noise(self, key, dim, dtype):
        return super().noise(key, dim, dtype)._replace(log_uniform=jnp.array(-jnp.inf, dtype))


@dataclass(frozen=True)
class LatestAlways(NoUTurn):
    """A no-U-turn sampler that always proposes its latest leaf."""

    def noise(self, key, dim, dtype):
        return super().noise(key, dim, dtype)._replace(log_uniforms=jnp.full(2, -jnp.inf, dtype))


@dataclass(frozen=True)
class Warm(NoUTurn):
    """A no-U-turn sampler whose trajectories follow a flatter target."""

    def advance(self, noise, state, target, tuning):
        return super().advance(noise, state, lambda x: 0.8 * target(x), tuning)


BROKEN = [(AcceptAlways(), law) for law in LAWS]
BROKEN += [(LatestAlways(), "normal"), (LatestAlways(), "correlated normal")]
BROKEN += [(Warm(), "normal"), (Warm(), "half-normal")]


@pytest.mark.parametrize(
    ("kernel", "law"), BROKEN, ids=lambda x: x if x in LAWS else type(x).__name__
)
def test_a_broken_kernel_is_found_out(known, kernel, law):
    assert not leaves_invariant(kernel, known[law])


@pytest.mark.parametrize("kernel", [NoUTurn(), RandomWalk()])
def test_a_kernel_steps_on_a_bare_function(kernel):
    def target(x):
        return -0.5 * jnp.sum(x**2)

    state = kernel.init(evaluate(target, jnp.array([0.3, -0.2])))
    tuning = Tuning(jnp.asarray(0.5), jnp.ones(2))
    state, info = kernel.step(jax.random.key(1), state, target, tuning)
    assert state.draw.position.shape == (2,)
    np.testing.assert_allclose(state.draw.log_density, target(state.draw.position))
    assert info.done.shape == ()
    if isinstance(kernel, NoUTurn):
        assert int(info.gradients) == 1


@pytest.mark.parametrize("kernel", [NoUTurn(), RandomWalk()])
def test_a_step_gives_the_same_under_jit(kernel):
    def target(x):
        return -0.5 * jnp.sum(x**2)

    tuning = Tuning(jnp.asarray(0.5), jnp.ones(2))
    plain = jitted = kernel.init(evaluate(target, jnp.array([0.3, -0.2])))
    compiled = jax.jit(lambda key, state: kernel.step(key, state, target, tuning))
    for key in jax.random.split(jax.random.key(2), 20):
        plain, _ = kernel.step(key, plain, target, tuning)
        jitted, _ = compiled(key, jitted)
    np.testing.assert_allclose(plain.draw.position, jitted.draw.position, rtol=1e-12)


@pytest.mark.parametrize("max_depth", [1, 2, 4])
def test_trajectories_never_exceed_max_depth(known, max_depth):
    kernel = NoUTurn(max_depth=max_depth)
    positions, info = walk(kernel, known["normal"], tuned(kernel, 2, 0.01), 50, 10)
    assert info.depth.max() == max_depth
    assert info.gradients.max() == 2**max_depth - 1
    assert np.isfinite(positions).all()


def test_trajectories_stop_when_they_turn_back(known):
    """A normal's orbit of period 2 pi turns back after at most half of it."""
    unit = Law(Normal(jnp.zeros(2), 1.0), (), np.eye(2))
    # not at a resonance: with 0.1 the 64 leaves of a tree span one whole period
    kernel, step_size = NoUTurn(), 0.15
    _, info = walk(kernel, unit, Tuning(jnp.asarray(step_size), jnp.ones(2)), 100, 10)
    lengths = step_size * np.asarray(info.gradients)
    # the doubling that crosses the turning point at most doubles what went before
    assert lengths.max() <= 2 * np.pi + step_size
    assert lengths.mean() > 1


def test_an_info_tells_what_was_done(known):
    kernel = NoUTurn()
    _, info = walk(kernel, known["normal"], tuned(kernel, 2, 0.5), 200, 10)
    assert not info.diverging.any()
    assert ((info.acceptance > 0) & (info.acceptance <= 1)).all()
    assert (info.gradients <= 2 ** np.asarray(info.depth + 1) - 1).all()
    assert (info.gradients >= 2 ** np.asarray(info.depth) - 1).all()


def test_the_energy_of_stationary_draws_is_that_of_the_target(known):
    """The energy is minus the log density plus half a chi-squared with dim degrees."""
    kernel = NoUTurn()
    law = Law(Normal(jnp.zeros(5), 1.0), (), np.eye(5))
    _, info = walk(kernel, law, tuned(kernel, 5, 0.5), 2000, 3)
    energy = np.asarray(info.energy)[-1] - 2.5 * np.log(2 * np.pi)
    # E - const = (x'x + p'p) / 2, a gamma(5)
    assert stats.kstest(energy, stats.gamma(5).cdf).pvalue > 6e-5


def test_a_cliff_is_a_divergence():
    def target(x):
        return jnp.where(x[0] < 1.0, -0.5 * jnp.sum(x**2), -jnp.inf)

    kernel, tuning = NoUTurn(), Tuning(jnp.asarray(0.5), jnp.ones(1))
    state = kernel.init(evaluate(target, jnp.array([0.9])))
    keys = jax.random.split(jax.random.key(3), 100)

    def one(state, key):
        state, info = transition(kernel, target, tuning, key, state)
        return state, (state.draw.position, info.diverging)

    _, (positions, diverging) = jax.lax.scan(one, state, keys)
    assert diverging.any()
    assert (positions < 1.0).all()


def leapfrog_error(step_size: float, seed: int) -> float:
    """Return the energy error of the first leapfrog, as the kernel's acceptance reports it."""

    def target(x):
        return -jnp.sum(jnp.cosh(x))

    kernel, tuning = NoUTurn(), Tuning(jnp.asarray(step_size), jnp.ones(3))
    state = kernel.init(evaluate(target, jnp.array([1.0, -0.5, 0.2])))
    state, _ = kernel.step(jax.random.key(seed), state, target, tuning)
    tip = state.subtree.tip
    return float(0.5 * jnp.sum(tip.momentum**2) - target(tip.position) - state.energy)


def test_the_leapfrog_conserves_energy_to_third_order_a_step():
    """One step of size h errs by h^3; halving h divides the error by 8."""
    for seed in range(5):
        ratio = leapfrog_error(2e-3, seed) / leapfrog_error(1e-3, seed)
        assert ratio == pytest.approx(8, rel=0.1)


def test_the_leapfrog_runs_backwards():
    """Stepping forth, flipping the momentum and stepping again returns to the start."""

    def target(x):
        return -jnp.sum(jnp.cosh(x))

    kernel, step_size = NoUTurn(), jnp.asarray(0.3)
    noise = kernel.noise(jax.random.key(0), 2, jnp.float64)._replace(forward=jnp.array(True))

    def leap(position, momentum):
        state = kernel.init(evaluate(target, position))
        end = state.right._replace(momentum=momentum)
        state = state._replace(fresh=jnp.array(False), step_size=step_size, left=end, right=end)
        moved, _ = kernel.advance(noise, state, target, Tuning(step_size, jnp.array([0.5, 2.0])))
        return moved.subtree.tip

    position, momentum = jnp.array([1.0, -0.5]), jnp.array([0.7, -1.1])
    there = leap(position, momentum)
    back = leap(there.position, -there.momentum)
    assert (jnp.abs(there.position - position) > 0.01).all()
    np.testing.assert_allclose(back.position, position, atol=1e-14)
    np.testing.assert_allclose(back.momentum, -momentum, atol=1e-14)


@pytest.mark.parametrize("metric", [Diagonal(), Dense()])
def test_a_metric_learns_the_scale_of_a_normal(metric):
    rng = np.random.default_rng(0)
    draws = rng.multivariate_normal(np.zeros(3), COVARIANCE, 20_000).T
    gradients = -np.linalg.solve(COVARIANCE, draws)
    moments = metric.empty(3, jnp.float64)
    for some in np.array_split(np.arange(20_000), 7):
        mask = jnp.ones(len(some), bool)
        here = jnp.asarray(draws[:, some]), jnp.asarray(gradients[:, some])
        moments = metric.absorb(moments, *here, mask)
    scale = np.asarray(metric.estimate(moments, True))
    if isinstance(metric, Dense):
        expected = COVARIANCE
        scale = scale @ scale.T
    else:
        precision = np.linalg.inv(COVARIANCE)
        expected = np.sqrt(np.diag(COVARIANCE) / np.diag(precision))
        scale = scale**2
    # the variance of n draws errs by sqrt(2 / n) of itself
    largest = np.sqrt(np.outer(np.diag(COVARIANCE), np.diag(COVARIANCE)))
    tolerance = 4 * np.sqrt(2 / 20_000) * (largest if scale.ndim == 2 else expected) + 1e-3
    assert (np.abs(scale - expected) < tolerance).all()


@pytest.mark.parametrize("metric", [Diagonal(), Dense()])
def test_moments_do_not_depend_on_the_grouping(metric):
    rng = np.random.default_rng(1)
    draws, gradients = jnp.asarray(rng.normal(size=(2, 3, 12)))
    mask = jnp.asarray(rng.random(12) < 0.7)
    whole = metric.absorb(metric.empty(3, jnp.float64), draws, gradients, mask)
    parts = metric.empty(3, jnp.float64)
    for i in range(0, 12, 4):
        part = slice(i, i + 4)
        parts = metric.absorb(parts, draws[:, part], gradients[:, part], mask[part])
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12), whole, parts)


def test_settings_are_values():
    assert NoUTurn() == NoUTurn()
    assert hash(replace(NoUTurn(), max_depth=3)) != hash(NoUTurn())
