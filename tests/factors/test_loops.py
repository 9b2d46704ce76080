"""Check belief propagation on graphs with cycles against what is known of its fixed points."""

import enumerated
import jax
import numpy as np
import pytest

from finetti import factors as fg

SIGN = np.array([[1.0, -1.0], [-1.0, 1.0]])


def ring(sites, coupling, field=0.0):
    spin = fg.Variables("spin", {"site": sites})
    after = np.roll(np.arange(sites), -1)
    return fg.Graph(
        fg.Table(spin, log_potentials=[field, -field]),
        fg.Table(spin, spin[after], log_potentials=coupling * SIGN),
    )


def torus(size, coupling, field):
    """Return the Ising model on a square lattice with four neighbours for each spin."""
    spin = fg.Variables("spin", {"row": size, "col": size})
    after = np.roll(np.arange(size), -1)
    return fg.Graph(
        fg.Table(spin, log_potentials=[field, -field]),
        fg.Table(spin, spin[after], log_potentials=coupling * SIGN),
        fg.Table(spin, spin[:, after], log_potentials=coupling * SIGN),
    )


def bethe_magnetisation(coupling, field, neighbours=4):
    """Return the magnetisation of Bethe's lattice (Baxter 1982, section 4.2)."""
    cavity = 1.0
    for _ in range(10_000):
        pull = np.arctanh(np.tanh(coupling) * np.tanh(cavity))
        cavity = field + (neighbours - 1) * pull
    return np.tanh(field + neighbours * pull)


@pytest.mark.parametrize("coupling", [0.25, 0.45])
def test_regular_ferromagnets_have_the_magnetisation_of_bethes_lattice(coupling):
    # Its critical coupling is atanh(1/3) = 0.347: the upper one orders by itself.
    field = 1e-3
    found = fg.BeliefPropagation(tolerance=1e-12, iterations=5000).run(torus(6, coupling, field))
    up, down = np.moveaxis(found.marginals["spin"], -1, 0)
    known = bethe_magnetisation(coupling, field)
    assert (known > 0.5) == (coupling > np.arctanh(1 / 3))
    np.testing.assert_allclose(up - down, known, atol=1e-9)


def test_a_ring_misses_the_one_loop_that_bethe_leaves_out():
    # Without a field Z = Z_Bethe (1 + tanh(J)^n) on a ring of n (Chertkov & Chernyak 2006).
    sites, coupling = 5, 0.7
    graph = ring(sites, coupling)
    bethe = fg.BeliefPropagation(tolerance=1e-13).run(graph).log_partition
    missed = np.log1p(np.tanh(coupling) ** sites)
    np.testing.assert_allclose(fg.Exact().run(graph).log_partition - bethe, missed, atol=1e-9)


def test_the_beliefs_on_a_ring_are_those_of_the_transfer_matrix():
    # Messages around a ring settle at the transfer matrix's first singular pair (Weiss 2000).
    coupling, field = 0.6, 0.2
    graph = ring(7, coupling, field)
    found = fg.BeliefPropagation(tolerance=1e-13).run(graph)
    half = np.exp(np.array([field, -field]) / 2)
    transfer = half[:, None] * np.exp(coupling * SIGN) * half
    first = np.linalg.eigh(transfer)[1][:, -1]
    np.testing.assert_allclose(found.marginals["spin"], np.tile(first**2, (7, 1)), atol=1e-9)


def rbm(weight):
    rng = np.random.default_rng(3)
    hidden, visible = fg.Variables("hidden", {"h": 4}), fg.Variables("visible", {"v": 5})
    table = np.zeros((4, 5, 2, 2))
    table[..., 1, 1] = weight * rng.normal(size=(4, 5))
    return fg.Graph(
        fg.Table(hidden, log_potentials=rng.normal(size=(4, 2))),
        fg.Table(visible, log_potentials=rng.normal(size=(5, 2))),
        fg.Table(hidden[:, None], visible, log_potentials=table),
    )


def weak_grid(strength):
    return enumerated.grid(np.random.default_rng(4), 3, 3, strength)


@pytest.mark.parametrize("build", [rbm, pytest.param(weak_grid, marks=pytest.mark.slow)])
def test_errors_vanish_as_the_fourth_power_of_weak_couplings(build):
    # The shortest cycles have four edges: halving all couplings divides the error by about 16.
    strengths, errors = (0.2, 0.1, 0.05), []
    for strength in strengths:
        graph = build(strength)
        found = fg.BeliefPropagation(tolerance=1e-13).run(graph)
        with jax.enable_x64(True):
            log_partition, marginals, *_ = enumerated.exact(graph)
        wrong = [abs(found.marginals[n] - p).max() for n, p in marginals.items()]
        errors.append([abs(found.log_partition - log_partition), max(wrong)])
    errors = np.array(errors)
    assert (errors[0] < [1e-3, 1e-3]).all()
    assert (errors[:-1] / errors[1:] > 12).all()
    assert (errors[:-1] / errors[1:] < 20).all()


def test_a_ferromagnets_best_state_is_found():
    found = fg.BeliefPropagation(temperature=0).run(torus(4, 0.5, 0.1))
    assert (found.decode()["spin"] == 0).all()


def test_runs_that_end_before_they_settle_say_so():
    found = fg.BeliefPropagation(iterations=3).run(torus(4, 0.5, 0.1))
    assert not found.converged
    assert found.state.iteration == 3
    assert found.state.residual > 1e-6


@pytest.mark.slow
def test_damping_and_schedules_keep_the_fixed_point():
    graph = enumerated.grid(np.random.default_rng(5), 4, 4, 0.6)
    plain = fg.BeliefPropagation(tolerance=1e-12, iterations=5000).run(graph)
    for settings in (
        fg.BeliefPropagation(damping=0.5, tolerance=1e-12),
        fg.BeliefPropagation(schedule=fg.Sequential(), tolerance=1e-12),
        fg.BeliefPropagation(schedule=fg.Residual(0.2), tolerance=1e-12, iterations=5000),
    ):
        found = settings.run(graph)
        assert found.converged
        np.testing.assert_allclose(found.log_partition, plain.log_partition, atol=1e-9)
        np.testing.assert_allclose(found.marginals["spin"], plain.marginals["spin"], atol=1e-9)
