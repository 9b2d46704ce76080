"""Check Hamiltonian, adaptive, discrete and compound kernels against laws they must keep."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from test_kernels import LAWS, laws, leaves_invariant, misses, tuned, walk

from finetti.kernels.adaptive import AdaptiveWalk
from finetti.kernels.blockwise import BlockKernel, Blockwise
from finetti.kernels.discrete import BinaryFlip, DiscreteWalk
from finetti.kernels.hmc import Hamiltonian
from finetti.kernels.kernel import Tuning, evaluate
from finetti.kernels.metric import Dense
from finetti.kernels.metropolis import RandomWalk

pytestmark = pytest.mark.usefixtures("float64")

HMC = {
    "HMC diagonal": Hamiltonian(leapfrogs=3),
    "HMC dense": Hamiltonian(leapfrogs=3, metric=Dense()),
}


@pytest.fixture(scope="module")
def known():
    with jax.enable_x64(True):
        return laws()


QUICK = [("HMC diagonal", "half-normal"), ("HMC dense", "correlated normal")]


@pytest.mark.parametrize(
    ("kernel", "law"),
    [
        pytest.param(k, law, marks=() if (k, law) in QUICK else pytest.mark.slow)
        for k in HMC
        for law in LAWS
    ],
)
def test_hamiltonian_monte_carlo_leaves_the_target_invariant(known, kernel, law):
    assert leaves_invariant(HMC[kernel], known[law])


@dataclass(frozen=True)
class Warm(Hamiltonian):
    """A Hamiltonian kernel whose trajectories and decisions follow a flatter target."""

    def advance(self, noise, state, target, tuning):
        return super().advance(noise, state, lambda x: 0.8 * target(x), tuning)


@dataclass(frozen=True)
class NeverRefuse(Hamiltonian):
    """A Hamiltonian kernel that takes every proposal."""

    def noise(self, key, dim, dtype):
        return super().noise(key, dim, dtype)._replace(log_uniform=jnp.array(-jnp.inf, dtype))


@pytest.mark.parametrize("kernel", [Warm(leapfrogs=3), NeverRefuse(leapfrogs=3)])
def test_a_broken_hamiltonian_kernel_is_found_out(known, kernel):
    assert not leaves_invariant(kernel, known["half-normal"])


def test_hamiltonian_energy_is_conserved_to_second_order():
    """Halving the step at equal length divides the energy's error by four."""

    def target(x):
        return -jnp.sum(jnp.cosh(x))

    def error(step, leapfrogs):
        kernel = Hamiltonian(leapfrogs=leapfrogs)
        state = kernel.init(evaluate(target, jnp.zeros(2)))  # the energy can only rise
        noise = kernel.noise(jax.random.key(3), 2, jnp.float64)
        tuning = Tuning(jnp.asarray(step), jnp.ones(2))
        _, info = kernel.advance(noise._replace(log_uniform=jnp.array(-1e9)), state, target, tuning)
        return 1 - float(info.acceptance)

    ratio = error(2e-2, 20) / error(1e-2, 40)
    assert ratio == pytest.approx(4, rel=0.05)


BLOCKS = Blockwise(
    (
        BlockKernel(RandomWalk(), ((0,), (2,))),
        BlockKernel(Hamiltonian(leapfrogs=2), ((1, 2),)),
        BlockKernel(RandomWalk(), ((1, 0),), step_size=1.3),
    )
)


def compound_tuning(kernel: Blockwise, dim: int, step_size: float = 1.2) -> Tuning:
    sizes = jnp.full(len(kernel.target_acceptance), step_size)
    return Tuning(sizes, jnp.linspace(0.7, 1.4, dim))


def test_compound_steps_leave_a_correlated_target_invariant(known):
    law = known["correlated normal"]
    positions, info = walk(BLOCKS, law, compound_tuning(BLOCKS, 3), 1000, 40)
    scores = misses(law, positions)
    assert max(map(abs, scores.values())) < 4, scores
    assert info.acceptance.shape == (40, 1000, 4)
    assert (info.gradients == 5).all()


@dataclass(frozen=True)
class Stale(Blockwise):
    """A compound whose blocks forget what the others did to the log density."""

    def advance(self, noise, state, target, tuning):
        new, info = super().advance(noise, state, target, tuning)
        stale = new.draw._replace(log_density=state.draw.log_density)
        return new._replace(draw=stale), info


def test_a_compound_with_stale_densities_is_found_out(known):
    law, broken = known["correlated normal"], Stale(BLOCKS.blocks[:1])
    positions, _ = walk(broken, law, compound_tuning(broken, 3), 1000, 40)
    assert max(map(abs, misses(law, positions).values())) > 4


def test_adaptive_metropolis_averages_converge(known):
    """Adaptation depends on the past, so the law is about averages, not about each draw."""
    law, kernel = known["correlated normal"], AdaptiveWalk(delay=50, interval=10)
    positions, _ = walk(kernel, law, tuned(kernel, 3, 1.0), 300, 2000)
    scores = misses(law, positions)
    assert max(map(abs, scores.values())) < 4, scores


def test_adaptive_metropolis_learns_the_covariance(known):
    law, kernel = known["correlated normal"], AdaptiveWalk()
    state = kernel.init(evaluate(law.log_density, jnp.zeros(3)))
    step = jax.jit(lambda key, s: kernel.step(key, s, law.log_density, tuned(kernel, 3, 1.0))[0])
    state, _ = jax.lax.scan(
        lambda s, key: (step(key, s), None), state, jax.random.split(jax.random.key(1), 20_000)
    )
    found = np.asarray(state.factor @ state.factor.T)
    np.testing.assert_allclose(found, law.covariance, atol=0.25)
    broken = np.asarray(jnp.eye(3))
    assert np.abs(broken - law.covariance).max() > 0.25


@dataclass(frozen=True)
class Counted:
    """A target on whole numbers with a finite table of probabilities."""

    table: np.ndarray

    def log_density(self, x):
        at = jnp.round(x).astype(int)
        inside = jnp.all((at >= 0) & (at < jnp.array(self.table.shape)))
        safe = jnp.clip(at, 0, jnp.array(self.table.shape) - 1)
        return jnp.where(inside, jnp.log(jnp.asarray(self.table))[tuple(safe)], -jnp.inf)

    def frequencies(self, kernel, chains=4000, steps=30, step_size=1.0):
        """Start chains from exact draws and return the p value of where they end."""
        flat = self.table.ravel()
        rng = np.random.default_rng(0)
        starts = rng.choice(len(flat), chains, p=flat)
        starts = np.array(np.unravel_index(starts, self.table.shape), float).T
        dim = starts.shape[1]
        sizes = jnp.full(np.shape(kernel.target_acceptance), step_size)
        tuning = Tuning(sizes, jnp.ones(dim))

        def run(start, key):
            state = kernel.init(evaluate(self.log_density, start))
            move = lambda s, k: (kernel.step(k, s, self.log_density, tuning)[0], None)  # noqa: E731
            return jax.lax.scan(move, state, jax.random.split(key, steps))[0].draw.position

        ends = jax.jit(jax.vmap(run))(
            jnp.asarray(starts), jax.random.split(jax.random.key(2), chains)
        )
        ends = np.ravel_multi_index(np.asarray(ends, int).T, self.table.shape)
        counts = np.bincount(ends, minlength=len(flat))
        return stats.chisquare(counts, chains * flat).pvalue


def table(*shape):
    weights = np.random.default_rng(7).gamma(1.0, size=shape) + 0.05
    return Counted(weights / weights.sum())


WHOLE = {
    "jumps": (DiscreteWalk(), table(7)),
    "jumps in two dimensions": (DiscreteWalk(), table(3, 5)),
    "flips": (BinaryFlip(), table(2)),
    "flips in three dimensions": (BinaryFlip(), table(2, 2, 2)),
    "compound": (
        Blockwise((BlockKernel(BinaryFlip(), ((1,),)), BlockKernel(DiscreteWalk(), ((0,), (2,))))),
        table(4, 2, 3),
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_discrete_kernels_leave_a_table_invariant(name):
    kernel, target = WHOLE[name]
    assert target.frequencies(kernel) > 1e-4


@pytest.mark.parametrize("name", WHOLE)
def test_discrete_kernels_find_the_table_from_anywhere(name):
    """From one corner the chains spread over the whole table: the chain is irreducible."""
    kernel, target = WHOLE[name]
    corner = jnp.zeros(target.table.ndim)
    sizes = jnp.ones(np.shape(kernel.target_acceptance))
    tuning = Tuning(sizes, jnp.ones(target.table.ndim))

    def run(key):
        state = kernel.init(evaluate(target.log_density, corner))
        move = lambda s, k: (kernel.step(k, s, target.log_density, tuning)[0], None)  # noqa: E731
        return jax.lax.scan(move, state, jax.random.split(key, 400))[0].draw.position

    ends = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(5), 4000))
    ends = np.ravel_multi_index(np.asarray(ends, int).T, target.table.shape)
    counts = np.bincount(ends, minlength=target.table.size)
    assert stats.chisquare(counts, 4000 * target.table.ravel()).pvalue > 1e-4


@dataclass(frozen=True)
class OnlyUp(DiscreteWalk):
    """A walk that jumps up more often than down and does not correct for it."""

    def noise(self, key, dim, dtype):
        noise = super().noise(key, dim, dtype)
        return noise._replace(jump=jnp.where(noise.place < 0.6, jnp.abs(noise.jump), noise.jump))


@dataclass(frozen=True)
class EagerFlip(BinaryFlip):
    """A flip that is accepted too easily."""

    def noise(self, key, dim, dtype):
        noise = super().noise(key, dim, dtype)
        return noise._replace(log_uniform=2 * noise.log_uniform)


@pytest.mark.parametrize(("kernel", "shape"), [(OnlyUp(), (7,)), (EagerFlip(), (2,))])
def test_a_broken_discrete_kernel_is_found_out(kernel, shape):
    assert not table(*shape).frequencies(kernel) > 1e-4


def test_a_jump_never_stays():
    kernel = DiscreteWalk()
    state = kernel.init(evaluate(lambda x: jnp.zeros(()), jnp.array([3.0])))
    tuning = Tuning(jnp.asarray(1e-3), jnp.ones(1))
    move = partial(kernel.step, target=lambda x: jnp.zeros(()), tuning=tuning)
    keys = jax.random.split(jax.random.key(0), 200)
    ends = jax.vmap(lambda key: move(key, state)[0].draw.position)(keys)
    assert (np.abs(np.asarray(ends) - 3) >= 1).all()
