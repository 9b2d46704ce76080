"""Check that what is left out adds nothing to the density, however a plan computes it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.structure.choices import AS_WRITTEN, Choices
from finetti.structure.rewrites.condense.condense import Condense
from finetti.structure.rewrites.pool.pool import Pool

ROWS, GROUPS = 150, 12
RNG = np.random.default_rng(1837)
GROUP = ft.groups(RNG.integers(0, GROUPS, ROWS), range(GROUPS))
COUNTS, ERROR = RNG.poisson(2, ROWS), RNG.uniform(0.5, 2, ROWS)
LEFT = RNG.uniform(size=ROWS) < 0.3


def grouped(observe) -> ft.Model:
    @ft.model
    def rows(group):
        mu = ft.sample("mu", ft.Normal(0, 2))
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", group):
            theta = ft.sample("theta", ft.Normal(mu, tau))
        with ft.plate("row", len(group)):
            ft.sample("y", observe(theta[group], tau))

    return rows(GROUP)


OBSERVED = {
    "normal": (lambda x, tau: ft.Normal(x, 2 * tau), COUNTS - 2.5),
    "weighted": (lambda x, tau: ft.Normal(x, ERROR), COUNTS - 2.5),
    "heavy-tailed": (lambda x, tau: ft.StudentT(4, x, tau), COUNTS - 2.5),
    "pairs": (
        lambda x, tau: ft.Normal(jnp.broadcast_to(x[:, None], (ROWS, 2)), tau).to_event(1),
        np.stack([COUNTS, COUNTS**2], -1) * 1.0,
    ),
    "counts": (lambda x, tau: ft.Poisson(jnp.exp(x)), COUNTS),
    "yes or no": (lambda x, tau: ft.Bernoulli(logits=x), COUNTS > 1),
}


@pytest.mark.parametrize("name", OBSERVED)
def test_the_density_loses_the_terms_left_out(name):
    observe, y = OBSERVED[name]
    whole = grouped(observe).condition(y=y)
    part = whole.leave_out(y=LEFT)
    rng = np.random.default_rng(7)
    with jax.enable_x64(True):
        position = jnp.asarray(rng.normal(size=ft.density(whole).dim))
        with ft.trace() as sites, ft.substitute(ft.density(whole).constrain(position)):
            whole.run()
        terms = np.asarray(sites["y"].distribution.log_prob(sites["y"].value))
        expected = float(ft.density(whole).log_density(position)) - terms[LEFT].sum()
        keep = Choices(AS_WRITTEN.refused - {Condense.verb, Pool.verb})
        for choices in (AS_WRITTEN, keep):
            target, given = ft.density(part, part.plan(choices=choices)).target()
            found = jax.jit(target.log_density)(given, position)
            assert float(found) == pytest.approx(expected, rel=1e-10)
    if name not in ("heavy-tailed", "pairs"):
        assert part.plan(choices=keep).rewrites  # the sums are of what is left


def test_plans_say_what_is_left_out_and_share_their_code():
    observe, y = OBSERVED["normal"]
    whole = grouped(observe).condition(y=y)
    part, other = whole.leave_out(y=LEFT), whole.leave_out(y=LEFT[::-1])
    assert f"{LEFT.sum()} of 150 left out" in str(part.plan().as_written())
    assert part.plan().program == other.plan().program


def test_leaving_out_needs_observations_and_their_shape():
    observe, y = OBSERVED["normal"]
    whole = grouped(observe).condition(y=y)
    with pytest.raises(ft.ShapeError, match=r"`y` has observations of shape \(150,\)"):
        _ = whole.leave_out(y=LEFT[1:]).variables
    with pytest.raises(ft.UnknownSite, match="leave out observations of `theta`"):
        _ = whole.leave_out(theta=np.zeros(GROUPS, bool)).variables


def test_a_value_without_a_plate_is_left_out_too():
    @ft.model
    def coin():
        p = ft.sample("p", ft.Beta(2, 2))
        ft.sample("toss", ft.Bernoulli(p), obs=np.array([1, 1, 1, 0]))

    left = coin().leave_out(toss=[True, True, True, False])
    with jax.enable_x64(True):
        sites = left.substitute(p=0.25).trace()
        found = sites["toss"].distribution.log_prob(sites["toss"].value)
    np.testing.assert_allclose(found, [0, 0, 0, np.log(0.75)])
