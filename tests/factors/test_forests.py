"""Hold what is found without compiling to enumeration, elimination and the general messages."""

from functools import reduce
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from finetti import factors as fg
from finetti.errors import Contradiction, ModelError, TooWide, UnknownSite
from finetti.factors.semiring import Max
from finetti.factors.windows import ROOM, empty_of, inner, spread, with_room

WINDOW, STATES = (3, 2), 6
RING = np.array([[0, 1], [1, 2], [2, 3], [0, 3]])


def graph_of(edges, reach, cost, window=WINDOW, nodes=None):
    """Return one array of variables, with a factor for each edge."""
    size = nodes or int(np.max(edges)) + 1
    x = fg.Variables("x", {"node": size}, states=int(np.prod(window)))
    return fg.Graph(
        *(
            fg.BoundedShift(x[int(i)], x[int(j)], r, window, c)
            for (i, j), r, c in zip(edges, reach, cost, strict=True)
        ),
        variables=[x],
    )


def scores_of(graph, evidence):
    """Return the log weight of every joint state of one array of variables, an axis for each."""
    (v,) = graph.variables
    axes = [
        np.asarray(row, float).reshape(-1, *[1] * (v.size - 1 - i))
        for i, row in enumerate(evidence)
    ]
    total = reduce(np.add, axes)
    for factor in graph.factors:
        table = np.asarray(factor.pieces("")[0].log_table)
        for i, j in np.stack([s.index.reshape(-1) for s in factor.scopes], 1):
            shape = [1] * v.size
            shape[i] = shape[j] = v.states
            total = total + (table if i < j else table.T).reshape(shape)
    return total


def random_tree(rng, nodes=4, whole=False):
    """Return a tree with bounds that differ by axis, with costs or whole numbers, and evidence."""
    edges = [(int(rng.integers(i)), i) for i in range(1, nodes)]
    reach = [tuple(rng.integers(0, 3, 2).tolist()) for _ in edges]
    cost = [None if whole else float(c) for c in rng.exponential(0.3, len(edges))]
    seen = rng.integers(-9, 9, (nodes, STATES)) if whole else rng.normal(size=(nodes, STATES))
    return graph_of(edges, reach, cost), seen


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
@pytest.mark.parametrize("reach", [(0, 0), (1, 1), (3, 0), (0, 7), (2, 8), (16, 16), (30, 30)])
def test_a_spread_is_the_largest_belief_within_reach(reach, dtype):
    values = np.random.default_rng(sum(reach)).integers(-100, 100, (5, 2, 25, 20)).astype(dtype)
    size = (1, 1, *(2 * r + 1 for r in reach))
    known = maximum_filter(values, size, mode="constant", cval=empty_of(np.dtype(dtype)))
    found = spread(with_room(values, np.dtype(dtype)), reach)
    np.testing.assert_array_equal(inner(found), known)
    assert (found[..., -ROOM:] == 0).all()


@pytest.mark.parametrize("window", [(9,), (5, 4), (3, 4, 2)])
@pytest.mark.parametrize("cost", [None, 0.3])
def test_a_spread_is_what_the_factor_sends(window, cost):
    rng = np.random.default_rng(len(window))
    states = int(np.prod(window))
    reach = tuple(rng.integers(0, 4, len(window)).tolist())
    left, right = (fg.Variables(name, {"i": 3}, states=states) for name in ("left", "right"))
    factor = fg.BoundedShift(left, right, reach, window, cost)
    values = rng.normal(size=(3, states))
    values[rng.random(values.shape) < 0.2] = -np.inf
    with jax.enable_x64(True):
        known = factor.send([jnp.zeros((states, 3)), jnp.asarray(values.T)], Max())[0]
    beliefs = with_room(values.reshape(3, 1, *window), values.dtype)
    found = inner(spread(beliefs, reach, cost or 0.0)).reshape(3, -1)
    np.testing.assert_allclose(found, np.asarray(known).T, atol=1e-12)


@pytest.mark.parametrize("whole", [False, True], ids=["costs", "whole numbers"])
@pytest.mark.parametrize("seed", range(6))
def test_a_tree_is_solved_exactly(seed, whole):
    graph, seen = random_tree(np.random.default_rng(seed), whole=whole)
    scores = scores_of(graph, seen)
    found = fg.Forest.of(graph).run({"x": seen})
    np.testing.assert_allclose(found.scores, [scores.max()], atol=0 if whole else 1e-12)
    states = found.decode()["x"]
    assert scores[tuple(states)] == pytest.approx(scores.max(), abs=1e-12)
    root = int(found.forest.roots[0])
    others = tuple(i for i in range(scores.ndim) if i != root)
    np.testing.assert_allclose(found.at_roots[0].reshape(-1), scores.max(others), atol=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_elimination_and_general_messages_say_the_same(seed):
    graph, seen = random_tree(np.random.default_rng(seed))
    found = fg.Forest.of(graph).run({"x": seen})
    general = fg.BeliefPropagation(temperature=0).run(graph, {"x": seen})
    np.testing.assert_allclose(found.scores[0], general.log_partition, atol=1e-9)
    root = int(found.forest.roots[0])
    at_root = found.at_roots[0].reshape(-1) - found.scores[0]
    np.testing.assert_allclose(at_root, general.log_beliefs["x"][root], atol=1e-9)
    with jax.enable_x64(True):  # where evidence is traced, tables are eliminated
        eliminated = jax.jit(lambda given: fg.Exact().best(graph, {"x": given}))(seen)
    np.testing.assert_array_equal(found.decode()["x"], eliminated["x"])


def test_the_best_state_of_a_tree_needs_no_tables():
    x = fg.Variables("x", {"node": 4}, states=41 * 41)
    rng = np.random.default_rng(0)
    shifts = fg.BoundedShift(x[:-1], x[1:], 3, (41, 41), 0.1)
    graph = fg.Graph(shifts, fg.Table(x, log_potentials=rng.normal(size=(4, 41 * 41))))
    with pytest.raises(TooWide):
        fg.Exact(memory=2**26).plan(graph)
    more = rng.normal(size=(4, 41 * 41))
    found = fg.Exact(memory=2**26).best(graph, {"x": more})
    general = fg.BeliefPropagation(temperature=0).run(graph, {"x": more})
    with jax.enable_x64(True):
        score = graph.score(found) + more[np.arange(4), found["x"]].sum()
    np.testing.assert_allclose(score, general.log_partition, atol=1e-9)
    np.testing.assert_array_equal(found["x"], general.decode()["x"])


def test_members_of_a_batch_are_what_they_are_alone():
    rng = np.random.default_rng(0)
    forest = fg.Forest.of(random_tree(rng)[0])
    seen = rng.integers(-5, 5, (2, 3, 4, STATES))
    together = forest.run({"x": seen})
    assert together.scores.shape == (2, 3, 1)
    for at in np.ndindex(2, 3):
        alone = forest.run({"x": seen[at]})
        np.testing.assert_array_equal(together.scores[at], alone.scores)
        np.testing.assert_array_equal(together.at_roots[at], alone.at_roots)
        np.testing.assert_array_equal(together.decode()["x"][at], alone.decode()["x"])


def test_whole_numbers_are_added_in_bits_that_hold_them():
    graph = graph_of([(0, 1), (1, 2)], [2, 2], [None, None])
    forest = fg.Forest.of(graph)
    for most, dtype in ((1, np.int8), (-42, np.int8), (43, np.int16), (2**14, np.int32)):
        found = forest.run({"x": np.full((3, STATES), most, np.int16)})
        assert found.scores.dtype == dtype
        assert found.scores == 3 * most


def test_forests_laid_end_to_end_are_the_forest_of_all():
    rng = np.random.default_rng(0)
    parts = [random_tree(rng, nodes, whole=True) for nodes in (3, 6, 2)]
    forests = [fg.Forest.of(graph) for graph, _ in parts]
    laid = fg.Forest.joined(forests)
    found = laid.run({"x": np.concatenate([seen for _, seen in parts])})
    alone = [f.run({"x": seen}) for f, (_, seen) in zip(forests, parts, strict=True)]
    np.testing.assert_array_equal(found.scores, np.concatenate([a.scores for a in alone]))
    states = np.concatenate([a.decode()["x"] for a in alone])
    np.testing.assert_array_equal(found.decode()["x"], states)
    with pytest.raises(ModelError, match="one array of variables with one dimension"):
        fg.Forest.joined([forests[0], fg.Forest.of(graph_of([(0, 1)], [1], [None], (6,)))])


def test_arrays_of_variables_are_told_apart():
    left, right = fg.Variables("left", {"i": 2}, states=6), fg.Variables("right", states=6)
    graph = fg.Graph(fg.BoundedShift(left[1], right, 0, WINDOW))
    seen = {"left": np.arange(12.0).reshape(2, 6), "right": -np.arange(6.0)}
    found = fg.Forest.of(graph).run(seen)
    np.testing.assert_array_equal(found.scores, [5.0, 6.0])  # left[0] is a tree of its own
    assert found.decode()["left"].tolist()[0] == 5
    assert found.decode()["left"][1] == found.decode()["right"]


def test_the_forest_kept_leaves_the_fewest_places_and_bounds_scores_from_above():
    rng = np.random.default_rng(0)
    edges = np.array(list(combinations(range(5), 2)))
    reach = rng.permutation(len(edges))
    tightest = np.minimum(reach, reach[::-1])  # every two are joined twice
    graph = graph_of([*edges, *edges], [*reach, *reach[::-1]], [0.1] * (2 * len(edges)), (12,))
    forest = fg.Forest.spanning(graph)
    assert forest.inside.sum() == 4
    widths = np.concatenate([f.reach * np.ones(f.batch, int) for f in graph.factors])
    trees = [t for t in combinations(range(len(edges)), 4) if _joins(edges[list(t)], 5)]
    assert widths[forest.inside].sum() == min(tightest[list(t)].sum() for t in trees)
    seen = rng.normal(size=(5, 12))
    best = scores_of(graph, seen).max()
    assert best <= forest.run({"x": seen}).scores[0] + 1e-12


def _joins(edges, n):
    reached = {0}
    for _ in range(n):
        reached |= {int(b) for e in edges for a, b in (e, e[::-1]) if int(a) in reached}
    return len(reached) == n


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("edges", [RING, RING[:3]], ids=["one loop", "a tree"])
def test_messages_in_turn_are_exact_on_trees_and_single_loops(edges, seed):
    rng = np.random.default_rng(seed)
    graph = graph_of(edges, rng.integers(1, 3, len(edges)), [0.05] * len(edges))
    seen = rng.normal(size=(4, STATES))
    scores = scores_of(graph, seen)
    found = fg.MaxProduct(sweeps=50).run(graph, {"x": seen})
    assert found.violated == 0
    if len(edges) == 3:
        assert found.converged
    if found.converged:
        assert scores[tuple(found.states["x"])] == pytest.approx(scores.max(), abs=1e-12)


def test_most_single_loops_settle():
    """Keep the test above from passing on nothing."""
    settled = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        graph = graph_of(RING, rng.integers(1, 3, 4), [0.05] * 4)
        settled.append(fg.MaxProduct(50).run(graph, {"x": rng.normal(size=(4, STATES))}).converged)
    assert np.mean(settled) > 0.5


def test_messages_in_turn_settle_where_general_ones_do():
    rng = np.random.default_rng(1)
    graph = graph_of(RING, [1, 2, 1, 1], [0.2] * 4)
    for _ in range(3):
        seen = rng.normal(size=(4, STATES))
        found = fg.MaxProduct(sweeps=200, tolerance=1e-10).run(graph, {"x": seen})
        general = fg.BeliefPropagation(temperature=0, tolerance=1e-10).run(graph, {"x": seen})
        assert found.converged == bool(general.converged)
        if found.converged:
            np.testing.assert_array_equal(found.states["x"], general.decode()["x"])


def test_impossible_places_are_never_taken():
    rng = np.random.default_rng(0)
    for edges in (RING, RING[:3]):
        graph = graph_of(edges, [1] * len(edges), [0.05] * len(edges))
        for _ in range(10):
            seen = np.where(rng.random((4, STATES)) < 0.4, -np.inf, rng.normal(size=(4, STATES)))
            scores = scores_of(graph, seen)
            tree = fg.Forest.spanning(graph)
            if np.isneginf(scores_of(graph_of(edges[:3], [1] * 3, [0.05] * 3), seen).max()):
                with pytest.raises(Contradiction):
                    tree.run({"x": seen})
                with pytest.raises(Contradiction):
                    fg.MaxProduct().run(graph, {"x": seen})
            elif scores.max() > -np.inf:
                found = fg.MaxProduct(sweeps=50).run(graph, {"x": seen})
                if found.converged and not found.violated:
                    assert scores[tuple(found.states["x"])] > -np.inf
                    if len(edges) == 3:
                        states = tree.run({"x": seen}).decode()["x"]
                        assert scores[tuple(states)] == pytest.approx(scores.max(), abs=1e-12)


LOOP = graph_of(RING, [1] * 4, [None] * 4)
PAIR = graph_of([(0, 1)], [1], [None])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: fg.Forest.of(LOOP), ModelError, "has loops; use MaxProduct"),
        (
            lambda: fg.Forest.of(
                fg.Graph(*PAIR.factors, fg.Table(PAIR["x"], log_potentials=np.zeros(6)))
            ),
            ModelError,
            "bounded shifts alone",
        ),
        (
            lambda: fg.Forest.of(fg.Graph(*PAIR.factors, variables=[fg.Variables("y")])),
            ModelError,
            "`y` has 2 states and the window",
        ),
        (lambda: fg.Forest.of(PAIR).run({"z": np.zeros((2, 6))}), UnknownSite, "z"),
        (lambda: fg.Forest.of(PAIR).run({"x": np.zeros((6, 2))}), ModelError, r"shape \(2, 6\)"),
        (lambda: fg.Forest.of(PAIR).run({"x": np.full((2, 6), np.nan)}), ModelError, "NaN"),
        (lambda: fg.MaxProduct().run(LOOP, {"x": np.zeros((5, 4, 6))}), ModelError, "one graph"),
        (lambda: fg.MaxProduct(sweeps=0), ModelError, "at least 1"),
        (
            lambda: jax.jit(lambda seen: fg.MaxProduct().run(LOOP, {"x": seen}))(np.zeros((4, 6))),
            ModelError,
            "traced by JAX",
        ),
        (lambda: graph_of([(0, 1)], [1], [-1.0]), ModelError, "cost -1.0"),
    ],
)
def test_refusals_say_what_to_do(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
