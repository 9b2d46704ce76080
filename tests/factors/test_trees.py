"""Check that beliefs on trees, and exact sums anywhere, are those of enumeration, to 1e-9."""

import enumerated
import jax
import numpy as np
import pytest

from finetti import factors as fg


def close(found, expected):
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=1e-9)


def each(names):
    """Return the graphs as parameters, slow but for those named."""
    marks = {name: () if name in names else (pytest.mark.slow,) for name in enumerated.TREES}
    return [pytest.param(name, marks=mark) for name, mark in marks.items()]


@pytest.fixture(scope="module", params=each(["irregular tree", "logical tree"]))
def tree(request):
    graph = enumerated.TREES[request.param](np.random.default_rng(1))
    with jax.enable_x64(True):
        return graph, {t: enumerated.exact(graph, temperature=t) for t in (1.0, 2.5)}


def check(graph, known, schedule=None):
    settings = {} if schedule is None else {"schedule": schedule}
    found = fg.BeliefPropagation(tolerance=0, **settings).run(graph)
    log_partition, marginals, *_ = known[1.0]
    assert found.converged
    close(found.log_partition, log_partition)
    for name, expected in marginals.items():
        close(found.marginals[name], expected)


def test_the_sum_over_a_tree_is_exact(tree):
    check(*tree)


@pytest.mark.parametrize("schedule", [fg.Sequential(), fg.Residual(0.3)])
@pytest.mark.parametrize("name", each(["irregular tree"]))
def test_every_schedule_ends_at_the_same_beliefs(name, schedule):
    graph = enumerated.TREES[name](np.random.default_rng(2))
    with jax.enable_x64(True):
        check(graph, {1.0: enumerated.exact(graph)}, schedule)


def test_temperature_divides_the_log_potentials(tree):
    graph, known = tree
    found = fg.BeliefPropagation(temperature=2.5, tolerance=0).run(graph)
    close(found.log_partition, known[2.5][0])
    close(found.free_energy, -2.5 * known[2.5][0])
    for name, expected in known[2.5][1].items():
        close(found.marginals[name], expected)


def test_the_best_state_of_a_tree_is_exact(tree):
    graph, known = tree
    *_, best, states, score = known[1.0]
    found = fg.BeliefPropagation(temperature=0, tolerance=0).run(graph)
    for name, expected in best.items():
        close(found.log_beliefs[name], expected)
    close(found.log_partition, score)
    for name, expected in enumerated.named(graph, states).items():
        np.testing.assert_array_equal(found.decode()[name], expected)


def test_elimination_is_exact(tree):
    graph, known = tree
    log_partition, marginals, _, states, _ = known[1.0]
    found = fg.Exact().run(graph)
    close(found.log_partition, log_partition)
    for name, expected in marginals.items():
        close(found.marginals[name], expected)
    for name, expected in enumerated.named(graph, states).items():
        np.testing.assert_array_equal(fg.Exact().best(graph)[name], expected)
