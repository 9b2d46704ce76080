"""Hold message passing to brute force: dilations, spanning trees, trees solved exactly."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from finetti.vision.rcn.loops import AWAY, BEND, place
from finetti.vision.rcn.matching import Bank, lay, match, match_each
from finetti.vision.rcn.messages import (
    ROOM,
    collect,
    decode,
    dilate,
    empty_of,
    inner,
    joined,
    pools,
    spanning_forest,
)
from finetti.vision.rcn.template import Template

SIDE = 3
RING = np.array([[0, 1], [1, 2], [2, 3], [0, 3]])


def filled(values):
    beliefs = pools(len(values), values.shape[1], values.dtype)
    inner(beliefs)[:] = values
    return beliefs


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
@pytest.mark.parametrize("radius", [0, 1, 2, 3, 7, 8, 16, 30])
def test_a_message_is_the_largest_belief_within_the_radius(radius, dtype):
    values = np.random.default_rng(radius).integers(-100, 100, (5, 25, 25)).astype(dtype)
    least = empty_of(np.dtype(dtype))
    expected = maximum_filter(
        values, (1, 2 * radius + 1, 2 * radius + 1), mode="constant", cval=least
    )
    dilated = dilate(filled(values), radius)
    np.testing.assert_array_equal(inner(dilated), expected)
    assert (dilated[:, :, -ROOM:] == least).all()


def best(beliefs, edges, radii, bend=0.0):
    """Return the best total belief of states within all bounds, trying every assignment."""
    n, side, _ = beliefs.shape
    states = list(product(range(side), repeat=2))
    found, where = -np.inf, None
    for chosen in product(states, repeat=n):
        apart = [np.abs(np.subtract(chosen[i], chosen[j])).max() for i, j in edges]
        if (np.array(apart) <= radii).all():
            total = sum(belief[s] for belief, s in zip(beliefs, chosen, strict=True)) - bend * sum(
                apart
            )
            if total > found:
                found, where = total, chosen
    return found, np.array(where)


@pytest.mark.parametrize("seed", range(6))
def test_a_tree_is_solved_exactly(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(-9, 9, (4, SIDE, SIDE)).astype(np.int8)
    edges = np.array([[rng.integers(i), i] for i in range(1, 4)])
    radii = rng.integers(0, 3, 3)
    forest = spanning_forest([4], edges, radii)
    beliefs = filled(values)
    collect(forest, beliefs)
    most = best(values.astype(int), edges, radii)[0]
    assert inner(beliefs[forest.roots]).max() == most
    states = decode(forest, beliefs)
    apart = np.abs(states[edges[:, 0]] - states[edges[:, 1]]).max(1)
    assert (apart <= radii).all()
    assert values[np.arange(4), states[:, 0], states[:, 1]].sum() == most


def test_forests_laid_end_to_end_are_the_forest_of_all():
    rng = np.random.default_rng(0)
    parts = [(n, np.array([[rng.integers(i), i] for i in range(1, n)])) for n in (3, 6, 2)]
    radii = [rng.integers(0, 4, n - 1) for n, _ in parts]
    first = np.cumsum([0, *(n for n, _ in parts)])
    edges = np.concatenate([e + f for (_, e), f in zip(parts, first, strict=False)])
    whole = spanning_forest([n for n, _ in parts], edges, np.concatenate(radii))
    laid = joined([spanning_forest([n], e, r) for (n, e), r in zip(parts, radii, strict=True)])
    values = rng.integers(-9, 9, (11, 5, 5)).astype(np.int16)
    one, other = filled(values), filled(values)
    collect(whole, one)
    collect(laid, other)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(laid.roots, whole.roots)


def test_the_tree_kept_has_the_least_radii_and_bounds_the_whole_graph_from_above():
    rng = np.random.default_rng(0)
    edges = np.array(list(combinations(range(6), 2)))
    radii = rng.permutation(len(edges)) + 1
    forest = spanning_forest([6], edges, radii)
    assert forest.inside.sum() == 5
    trees = (
        kept
        for kept in combinations(range(len(edges)), 5)
        if len(_reached(edges[list(kept)], 6)) == 6
    )
    assert radii[forest.inside].sum() == min(radii[list(kept)].sum() for kept in trees)


def _reached(edges, n):
    reached = {0}
    for _ in range(n):
        reached |= {int(b) for e in edges for a, b in (e, e[::-1]) if int(a) in reached}
    return reached


def test_a_graph_in_parts_is_refused():
    with pytest.raises(ValueError, match="4 features is in parts"):
        spanning_forest([4], np.array([[0, 1], [2, 3]]), np.array([1, 1]))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("edges", [RING, RING[:3]], ids=["one loop", "a tree"])
def test_placing_is_exact_on_trees_and_single_loops(edges, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(4, SIDE, SIDE)).astype(np.float32)
    radii = rng.integers(1, 3, len(edges))
    features = np.zeros((4, 3), int)
    placement = place(Template(features, edges, radii), filled(values))
    away = np.arange(SIDE) - 1
    beliefs = values - AWAY * (away[:, None] ** 2 + away**2)
    _, where = best(beliefs, edges, radii, BEND)
    assert placement.violated == 0
    if placement.converged or len(edges) == 3:
        np.testing.assert_array_equal(placement.shifts, where - 1)


def test_one_template_and_many_match_alike(templates):
    rng = np.random.default_rng(0)
    fields = [np.where(rng.random((16, 60, 60)) < 0.1, 1, -1).astype(np.int8) for _ in range(3)]
    together = lay(templates)
    assert [len(bank.sizes) for bank in together] == [2]
    for field in fields:
        apart = [match(Bank.of([t]), field, 9)[0] for t in templates]
        np.testing.assert_array_equal(match(together[0], field, 9), apart)
    for template in templates:
        one = [match(Bank.of([template]), field, 9)[0] for field in fields]
        np.testing.assert_array_equal(match_each(template, fields, 9), one)


@pytest.fixture
def templates():
    edges = np.array([[0, 1], [0, 2], [2, 3]])
    first = np.array([[0, 20, 20], [4, 25, 30], [8, 30, 21], [15, 35, 35]])
    return [
        Template(first, edges, np.array([2, 3, 1])),
        Template(first[:3] + np.array([1, 2, 2]), edges[:2], np.array([9, 1])),
    ]
