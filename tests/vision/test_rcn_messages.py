"""Hold templates' matching and placing to enumeration on small pools, and to one another."""

import numpy as np
import pytest

from finetti.vision.rcn.evidence import unaries
from finetti.vision.rcn.loops import AWAY, BEND, place
from finetti.vision.rcn.matching import (
    NEARBY,
    Bank,
    lay,
    locate,
    match,
    match_each,
    pooled,
    trace,
)
from finetti.vision.rcn.template import Template, learn

POOL = 5  # of five features, which have ten million joint shifts
RING = np.array([[0, 1], [1, 2], [2, 3], [0, 3]])


def enumerated(template, seen, edges, bend=0.0):
    """Return the agreement of every joint shift that some edges allow, an axis for each feature."""
    n, pool = len(seen), seen.shape[1]
    states, places = pool * pool, np.array(list(np.ndindex(pool, pool)))
    apart = np.abs(places[:, None] - places).max(-1)
    total = np.zeros([states] * n, np.float32)
    for i, own in enumerate(seen.reshape(n, states)):
        total += np.expand_dims(own, [a for a in range(n) if a != i])
    for (i, j), radius in zip(template.edges[edges], template.radii[edges], strict=True):
        bound = np.where(apart <= radius, -bend * apart, -np.inf)
        total += np.expand_dims(bound, [a for a in range(n) if a not in (i, j)])
    return total


@pytest.fixture(scope="module")
def learned():
    """Return the template learned from five points in a ring."""
    template = learn(np.array([[0, 20, 20], [4, 20, 24], [8, 24, 18], [12, 24, 26], [3, 27, 22]]))
    assert len(template.features) == len(template.edges) == 5
    assert (template.radii < POOL - 1).all()  # they bound something
    return template


@pytest.mark.parametrize("seed", range(3))
def test_a_learned_template_is_matched_as_enumeration_matches_its_tree(learned, seed):
    rng = np.random.default_rng(seed)
    field = np.where(rng.random((16, 50, 50)) < 0.3, 1, -1).astype(np.int8)
    bank = Bank.of([learned], POOL)
    seen = unaries(field, learned.features, POOL).astype(float)
    parents = bank.forest.parents
    kept = [parents[i] == j or parents[j] == i for i, j in learned.edges]
    scores = enumerated(learned, seen, kept)
    assert match(bank, field)[0] * 5 == scores.max()
    places, present = trace(bank, field)
    assert 2 * present.sum() - 5 == scores.max()
    shifts = places - learned.features[:, 1:] + POOL // 2
    assert scores[tuple(shifts @ (POOL, 1))] == scores.max()


@pytest.mark.parametrize("seed", range(3))
def test_a_learned_template_is_placed_as_enumeration_places_it(learned, seed):
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(5, POOL, POOL)).astype(np.float32)
    away = np.arange(POOL) - POOL // 2
    own = seen - AWAY * (away[:, None] ** 2 + away**2)
    scores = enumerated(learned, own, slice(None), BEND)
    found = place(learned, seen)
    assert found.violated == 0
    at = tuple((found.shifts + POOL // 2) @ (POOL, 1))
    assert scores[at] > -np.inf
    assert found.converged
    np.testing.assert_allclose(scores[at], scores.max(), atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("edges", [RING, RING[:3]], ids=["one loop", "a tree"])
def test_placing_is_exact_on_trees_and_single_loops(edges, seed):
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(4, 3, 3)).astype(np.float32)
    template = Template(np.zeros((4, 3), int), edges, rng.integers(1, 3, len(edges)))
    away = np.arange(3) - 1
    own = seen - AWAY * (away[:, None] ** 2 + away**2)
    scores = enumerated(template, own, slice(None), BEND)
    placement = place(template, seen)
    assert placement.violated == 0
    if placement.converged or len(edges) == 3:
        at = tuple((placement.shifts + 1) @ (3, 1))
        assert at == np.unravel_index(scores.argmax(), scores.shape)


def test_a_lone_feature_is_matched_where_it_is_seen():
    field = np.full((16, 20, 20), -1, np.int8)
    field[2, 9, 11] = 1
    bank = Bank.of([learn(np.array([[2, 10, 10]]))], 5)
    agreement, shift = locate(bank, field)
    assert agreement == [1]
    assert shift.tolist() == [[-1, 1]]
    assert trace(bank, field)[0].tolist() == [[9, 11]]


def test_a_template_in_parts_is_refused():
    features = np.array([[0, 9, 9], [0, 9, 14], [0, 14, 9], [0, 14, 14]])
    parts = Template(features, np.array([[0, 1], [2, 3]]), np.array([1, 1]))
    with pytest.raises(ValueError, match="1 templates have 2 trees: one is in parts"):
        Bank.of([parts], 5)


def test_one_template_and_many_match_alike(templates):
    rng = np.random.default_rng(0)
    fields = [np.where(rng.random((16, 60, 60)) < 0.1, 1, -1).astype(np.int8) for _ in range(3)]
    together = lay([Bank.of([t], 9) for t in templates])
    assert [len(bank.sizes) for bank in together] == [2]
    joined = Bank.joined([Bank.of([t], 9) for t in templates])
    for field in fields:
        apart = [match(Bank.of([t], 9), field)[0] for t in templates]
        np.testing.assert_array_equal(match(together[0], field), apart)
        np.testing.assert_array_equal(match(joined, field), apart)
    for template in templates:
        one = [match(Bank.of([template], 9), field)[0] for field in fields]
        np.testing.assert_array_equal(match_each(template, fields, 9), one)


def test_a_glance_is_never_less_than_the_match_within_its_reach(templates):
    rng, pool = np.random.default_rng(1), 2 * NEARBY + 1
    banks = lay([Bank.of([t], pool) for t in templates])
    below = 0
    for share in (0.001, 0.003, 0.01):
        field = np.where(rng.random((16, 60, 60)) < share, 1, -1).astype(np.int8)
        glance, found = pooled(banks, field), np.concatenate([match(b, field) for b in banks])
        assert (glance >= found).all()
        below += (glance > found).sum()
    assert below


@pytest.fixture
def templates():
    edges = np.array([[0, 1], [0, 2], [2, 3]])
    first = np.array([[0, 20, 20], [4, 25, 30], [8, 30, 21], [15, 35, 35]])
    return [
        Template(first, edges, np.array([2, 3, 1])),
        Template(first[:3] + np.array([1, 2, 2]), edges[:2], np.array([9, 1])),
    ]
