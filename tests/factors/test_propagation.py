"""Check that runs resume, batch, have derivatives, and refuse what cannot be."""

import enumerated
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from finetti import errors
from finetti import factors as fg

SIGN = np.array([[1.0, -1.0], [-1.0, 1.0]])


@pytest.fixture(scope="module")
def grid():
    return enumerated.grid(np.random.default_rng(6), 3, 4, 0.5)


def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(grid):
    whole = fg.BeliefPropagation(iterations=12, damping=0.3).run(grid)
    part = fg.BeliefPropagation(iterations=6, damping=0.3)
    saved = [np.array(leaf) for leaf in jax.tree.leaves(part.run(grid).state)]
    state = jax.tree.unflatten(jax.tree.structure(part.init(grid)), saved)
    resumed = part.run(grid, state=state)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_watching_a_run_changes_nothing(grid):
    bp = fg.BeliefPropagation(iterations=200)
    *_, last = bp.watch(grid, every=7)
    whole = bp.run(grid)
    assert last.converged
    assert last.state.iteration - whole.state.iteration < 7
    np.testing.assert_allclose(last.marginals["spin"], whole.marginals["spin"], atol=1e-6)


def test_a_batch_of_graphs_is_each_of_them(grid):
    bp = fg.BeliefPropagation(tolerance=1e-10)
    evidence = np.random.default_rng(7).normal(size=(3, 3, 4, 2)) * [
        [[[0.0]]],
        [[[1.0]]],
        [[[9.0]]],
    ]
    with jax.enable_x64(True):
        batch = jax.vmap(bp.run, in_axes=(None, 0))(grid, {"spin": evidence})
    for i, given in enumerate(evidence):
        alone = bp.run(grid, {"spin": given})
        assert batch.state.iteration[i] == alone.state.iteration
        np.testing.assert_allclose(batch.log_partition[i], alone.log_partition, atol=1e-10)
        np.testing.assert_allclose(batch.marginals["spin"][i], alone.marginals["spin"], atol=1e-10)


@pytest.mark.parametrize("method", [fg.BeliefPropagation(tolerance=1e-13), fg.Exact()])
def test_log_partition_has_the_derivatives_of_finite_differences(method):
    edges = np.random.default_rng(8).normal(size=(4, 1, 1)) * SIGN
    spin = fg.Variables("spin", {"site": 4})
    after = np.array([1, 2, 3, 0])

    def log_partition(coupling, field):
        graph = fg.Graph(
            fg.Table(spin, spin[after], log_potentials=coupling * edges),
            fg.Table(spin, log_potentials=jnp.stack([field, -field], -1)),
        )
        return method.run(graph).log_partition

    with jax.enable_x64(True):
        at = jnp.asarray(0.4), jnp.array([0.1, -0.2, 0.3, 0.0])
        slope, slopes = jax.grad(log_partition, (0, 1))(*at)
        step = 1e-5
        ends = [log_partition(at[0] + s, at[1]) for s in (step, -step)]
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), atol=1e-8)
        move = jnp.zeros(4).at[1].set(step)
        ends = [log_partition(at[0], at[1] + s * move) for s in (1, -1)]
        np.testing.assert_allclose(slopes[1], (ends[0] - ends[1]) / (2 * step), atol=1e-8)


@pytest.mark.slow
def test_derivatives_in_the_evidence_are_the_marginals(grid):
    bp = fg.BeliefPropagation(tolerance=1e-12)
    given = np.random.default_rng(9).normal(size=(3, 4, 2))
    with jax.enable_x64(True):
        slopes = jax.grad(lambda e: bp.run(grid, {"spin": e}).log_partition)(jnp.asarray(given))
    np.testing.assert_allclose(slopes, bp.run(grid, {"spin": given}).marginals["spin"], atol=1e-9)


def test_evidence_is_kept_and_what_it_bars_has_probability_zero():
    graph = enumerated.logical_tree(np.random.default_rng(10))
    given = {"whole": graph["whole"].observe(1), "choice": np.zeros((2, 3, 2))}
    given["choice"][0, :, 1] = -np.inf
    with jax.enable_x64(True):
        log_partition, marginals, *_ = enumerated.exact(graph, given)
    found = fg.BeliefPropagation(tolerance=0).run(graph, given)
    np.testing.assert_allclose(found.log_partition, log_partition, atol=1e-9)
    for name, expected in marginals.items():
        np.testing.assert_allclose(found.marginals[name], expected, atol=1e-9)
    assert found.marginals["pool"].tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_contradictory_evidence_is_refused():
    x = fg.Variables("x", {"i": 3})
    same = fg.Graph(fg.Table(x[:-1], x[1:], log_potentials=[[0.0, -np.inf], [-np.inf, 0.0]]))
    apart = {"x": x.observe([0, -1, 1])}
    for solve in (fg.BeliefPropagation().run, fg.Exact().run, fg.Exact().best):
        with pytest.raises(errors.Contradiction, match=r"no joint state is possible.*`x`\["):
            solve(same, apart)
    with jax.enable_x64(True):
        both = {"x": jnp.stack([apart["x"], x.observe([0, -1, 0])])}
        found = jax.vmap(fg.BeliefPropagation().run, in_axes=(None, 0))(same, both)
    assert found.possible.tolist() == [False, True]
    assert found.log_partition.tolist() == [-np.inf, 0.0]


def test_parts_that_do_not_meet_add_up(grid):
    x, y = (fg.Variables(name, states=3) for name in "xy")
    lonely = fg.Graph(
        *grid.unary, *grid.factors, fg.Table(x, y, log_potentials=np.eye(3)), variables=[
            fg.Variables("alone", {"i": 5}, states=4)
        ]
    )  # fmt: skip
    bp = fg.BeliefPropagation(tolerance=1e-12)
    extra = np.log(np.exp(np.eye(3)).sum()) + 5 * np.log(4)
    expected = bp.run(grid).log_partition + extra
    np.testing.assert_allclose(bp.run(lonely).log_partition, expected, atol=1e-9)
    assert (bp.run(lonely).marginals["alone"] == 0.25).all()


def test_factors_stated_one_by_one_are_one_batch():
    rng = np.random.default_rng(11)
    x = fg.Variables("x", {"i": 9}, states=2)
    tables, field = rng.normal(size=(8, 2, 2)), rng.normal(size=(9, 2))
    one_by_one = [fg.Table(x[i], x[i + 1], log_potentials=tables[i]) for i in range(8)]
    one_by_one += [fg.Table(x[i], log_potentials=field[i]) for i in range(9)]
    graph = fg.Graph(*one_by_one)
    assert len(graph.factors) == len(graph.unary) == 1
    together = fg.Graph(
        fg.Table(x[:-1], x[1:], log_potentials=tables), fg.Table(x, log_potentials=field)
    )
    found, known = (fg.BeliefPropagation().run(g) for g in (graph, together))
    np.testing.assert_allclose(found.log_partition, known.log_partition, atol=1e-9)
    states = {"x": rng.integers(0, 2, 9)}
    np.testing.assert_allclose(graph.score(states), together.score(states), rtol=1e-6)


@pytest.mark.slow
def test_single_precision_is_kept_when_asked_for(grid):
    single = fg.BeliefPropagation(dtype=np.float32).run(grid)
    double = fg.BeliefPropagation().run(grid)
    assert single.log_partition.dtype == single.state.messages[0][0].dtype == np.float32
    assert double.log_partition.dtype == double.state.messages[0][0].dtype == np.float64
    np.testing.assert_allclose(single.marginals["spin"], double.marginals["spin"], atol=1e-4)
