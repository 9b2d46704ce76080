"""Check exact elimination against transfer matrices and enumeration, its draws and its bound."""

import enumerated
import jax
import numpy as np
import pytest

from finetti import errors
from finetti import factors as fg

SIGN = np.array([[1.0, -1.0], [-1.0, 1.0]])


def test_an_ising_strip_has_the_partition_function_of_its_transfer_matrix():
    rows, cols, coupling, field = 4, 9, 0.44, 0.1
    spin = fg.Variables("spin", {"row": rows, "col": cols})
    graph = fg.Graph(
        fg.Table(spin, log_potentials=[field, -field]),
        fg.Table(spin[:-1], spin[1:], log_potentials=coupling * SIGN),
        fg.Table(spin[:, :-1], spin[:, 1:], log_potentials=coupling * SIGN),
    )
    column = 1 - 2 * ((np.arange(2**rows)[:, None] >> np.arange(rows)) & 1)
    within = coupling * (column[:, 1:] * column[:, :-1]).sum(1) + field * column.sum(1)
    log_weights = within
    for _ in range(cols - 1):
        steps = log_weights[:, None] + coupling * column @ column.T
        log_weights = within + np.logaddexp.reduce(steps, 0)
    found = fg.Exact().run(graph)
    np.testing.assert_allclose(found.log_partition, np.logaddexp.reduce(log_weights), rtol=1e-12)
    first = np.exp(log_weights - np.logaddexp.reduce(log_weights))  # of the last column
    np.testing.assert_allclose(found.marginals["spin"][:, -1, 0], first @ (column > 0), atol=1e-9)


@pytest.fixture(scope="module")
def loopy():
    """Return a graph with cycles, zeros, and all kinds of factors, and what is known of it."""
    rng = np.random.default_rng(5)
    x, out = fg.Variables("x", {"i": 5}), fg.Variables("out", {"o": 3})
    place = fg.Variables("place", {"part": 2}, states=6)
    graph = fg.Graph(
        fg.Or(x[:4], out[0]),
        fg.And(x[1:], out[1]),
        fg.Pool(x[np.array([0, 2, 4])], out[2]),
        fg.Table(x[:-1], x[1:], log_potentials=rng.normal(size=(4, 2, 2))),
        fg.BoundedShift(place[0], place[1], reach=1, window=(3, 2)),
        fg.Table(out[1], place, log_potentials=rng.normal(size=(2, 2, 6))),
        fg.Table(x, log_potentials=rng.normal(size=(5, 2))),
    )
    with jax.enable_x64(True):
        return graph, enumerated.exact(graph)


@pytest.fixture(scope="module")
def edges():
    """Return a tree, and what is known of it."""
    graph = enumerated.random_edges(np.random.default_rng(7))
    with jax.enable_x64(True):
        return graph, enumerated.exact(graph)


def test_cycles_of_all_kinds_are_summed_exactly(loopy):
    graph, (log_partition, marginals, _, states, _) = loopy
    found = fg.solve(graph)
    assert found.exact
    np.testing.assert_allclose(found.log_partition, log_partition, atol=1e-9)
    for name, expected in marginals.items():
        np.testing.assert_allclose(found.marginals[name], expected, atol=1e-9)
    best = fg.Exact().best(graph)
    for name, expected in enumerated.named(graph, states).items():
        np.testing.assert_array_equal(best[name], expected)


@pytest.mark.parametrize("name", ["edges", pytest.param("loopy", marks=pytest.mark.slow)])
def test_draws_have_the_marginals(name, request):
    graph, (_, marginals, *_) = request.getfixturevalue(name)
    keys = jax.random.split(jax.random.key(0), 2000)
    draws = jax.vmap(lambda key: fg.Exact().draw(key, graph))(keys)
    for name, expected in marginals.items():
        found = (np.asarray(draws[name])[..., None] == np.arange(expected.shape[-1])).mean(0)
        error = np.sqrt(np.clip(expected * (1 - expected), 0, None) / len(keys))
        assert (abs(found - expected) <= 4 * error + 1e-12).all()
    scores = jax.vmap(graph.score)(draws)
    assert np.isfinite(scores).all()


def test_what_is_too_wide_is_refused_before_it_starts():
    graph = enumerated.grid(np.random.default_rng(6), 25, 25)
    with pytest.raises(errors.TooWide, match=r"needs more than 1\.0 MB and may take 1\.0 MB"):
        fg.Exact(memory=10**6).run(graph)
    narrow = fg.Exact().plan(enumerated.grid(np.random.default_rng(6), 4, 25))
    assert narrow.bytes < 10**7
    assert repr(narrow).startswith(f"exact elimination: {narrow.entries:,} table entries")


def test_many_causes_are_narrow():
    causes = fg.Variables("cause", {"cause": 40})
    graph = fg.Graph(fg.Or(causes, fg.Variables("effect")))
    found = fg.Exact().run(graph, {"cause": np.log([0.99, 0.01])})
    np.testing.assert_allclose(found.marginals["effect"][0], 0.99**40, rtol=1e-9)
