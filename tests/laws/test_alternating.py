"""Check that moving members by themselves, in turn with the rest, keeps a hierarchy's law."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from test_kernels import agreement, misses, walk

from finetti.kernels.alternating import Alternating
from finetti.kernels.kernel import Tuning, evaluate
from finetti.kernels.nuts import NoUTurn

pytestmark = pytest.mark.usefixtures("float64")

MEMBERS = 3
KERNEL = Alternating(NoUTurn(), ((1, 4), (5, 11)), MEMBERS)


@dataclass(frozen=True)
class Hierarchy:
    """Hold mu ~ N(0, 1), level_j ~ N(mu, 1), tau ~ N(0, 0.5^2) and pairs_j ~ N(tau, 1).

    The position is mu, the levels, tau, and the pairs member by member. `heat` multiplies what the
    members are told of their density: 1 for the truth.
    """

    heat: float = 1.0

    def __call__(self, x):
        rest = -0.5 * x[0] ** 2 - 2 * x[4] ** 2
        return rest + self.own(x).sum()

    def own(self, x):
        pairs = (x[5:].reshape(MEMBERS, 2) - x[4]) ** 2
        return -0.5 * (x[1:4] - x[0]) ** 2 - 0.5 * pairs.sum(-1)

    def by_member(self, x):
        return self.heat * self.own(x)


@dataclass(frozen=True, eq=False)
class Law:
    """Hold the hierarchy's exact draws and marginals, as the other kernels' laws do."""

    log_density: Hierarchy

    @property
    def covariance(self):
        load = np.zeros((11, 2))
        load[:4, 0], load[4:, 1] = 1, 0.5
        own = np.diag([0.0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1])
        return load @ load.T + own

    @property
    def marginals(self):
        return tuple(stats.norm(0, np.sqrt(v)) for v in np.diag(self.covariance))

    def constrain(self, position):
        return position

    def draw(self, key, count):
        load = jnp.linalg.cholesky(jnp.asarray(self.covariance))
        return jax.random.normal(key, (count, 11)) @ load.T


def keeps(kernel, law) -> bool:
    """Tell whether all comparisons hold: 77 within 4.5 standard errors, 11 p values."""
    tuning = Tuning(jnp.array([0.9, 1.1]), jnp.linspace(0.7, 1.4, 11))
    positions, infos = walk(kernel, law, tuning, 1000, 40)
    assert infos.acceptance.shape == (40, 1000, 2)
    scores = misses(law, positions)
    return max(map(abs, scores.values())) < 4.5 and min(agreement(law, positions)) > 6e-5


def test_alternation_leaves_a_hierarchy_invariant():
    assert keeps(KERNEL, Law(Hierarchy()))


def test_members_told_a_flatter_density_are_found_out():
    assert not keeps(KERNEL, Law(Hierarchy(heat=0.7)))


def test_a_refused_member_holds_no_other_up():
    """A member whose steps are far too long stays; the others move."""
    scale = jnp.ones(11).at[1].set(200.0)
    tuning = Tuning(jnp.array([0.9, 0.8]), scale)
    positions, _ = walk(KERNEL, Law(Hierarchy()), tuning, 50, 20)
    moved = np.asarray((positions[1:] != positions[:-1]).mean((0, 1)))
    assert moved[1] < 0.1
    assert (moved[[2, 3]] > 0.8).all()


@dataclass(frozen=True)
class Counts:
    """Hold logs of Poisson rates, 40 counted for each, and one number more."""

    def __call__(self, x):
        return -0.5 * x[0] ** 2 + self.by_member(x).sum()

    def by_member(self, x):
        return 40 * x[1:] - jnp.exp(x[1:])


def test_a_member_comes_back_from_where_its_density_bends_far_more():
    """Three above a log rate's mode it bends twenty times as much as where the scale is right."""
    kernel, members = Alternating(NoUTurn(), ((1, 201),), 200), 200
    start = jnp.full(members + 1, np.log(40) + 3.0).at[0].set(0.0)
    tuning = Tuning(jnp.array([0.9, 1.0]), jnp.full(members + 1, 40**-0.5).at[0].set(1.0))
    target = Counts()

    def step(state, key):
        state, _ = kernel.advance(key, state, target, tuning)
        return state, state.draw.position[1:]

    keys = jax.random.split(jax.random.key(5), 400)
    state = kernel.init(evaluate(target, start))
    _, logs = jax.jit(lambda keys: jax.lax.scan(step, state, keys))(keys)
    assert (abs(np.asarray(logs[-1]) - np.log(40)) < 6 * 40**-0.5).all()
