"""Hold what a contradiction names to enumeration: it cannot hold, and none of it can be spared."""

import re
from itertools import pairwise, product

import numpy as np
import pytest

from finetti import factors as fg
from finetti.errors import Contradiction

SIZE, STATES = 5, 3
SOLVERS = [fg.BeliefPropagation().run, fg.Exact().run, fg.Exact().best]


def chain(rng):
    """Return variables in a chain with a random table, and how to tell what it allows."""
    x = fg.Variables("x", {"i": SIZE}, states=STATES)
    table = np.where(rng.random((STATES, STATES)) < 0.45, -np.inf, 0.0)
    return x, table, fg.Graph(fg.Table(x[:-1], x[1:], log_potentials=table))


def allowed(table, fixed):
    """Tell by enumeration whether some joint state has the fixed variables in their states."""
    for joint in product(range(STATES), repeat=SIZE):
        held = all(joint[i] == s for i, s in fixed.items())
        if held and all(np.isfinite(table[a, b]) for a, b in pairwise(joint)):
            return True
    return False


def named(error):
    return {int(i): int(s) for i, s in re.findall(r"`x`\[(\d)\] in (\d)", str(error.value))}


@pytest.mark.parametrize("solve", SOLVERS, ids=["messages", "exact", "best"])
def test_what_is_named_cannot_hold_and_none_of_it_can_be_spared(solve):
    clashes = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x, table, graph = chain(rng)
        states = rng.integers(-1, STATES, SIZE)
        fixed = {i: s for i, s in enumerate(states.tolist()) if s >= 0}
        if allowed(table, fixed):
            solve(graph, {"x": x.observe(states)})
            continue
        with pytest.raises(Contradiction) as error:
            solve(graph, {"x": x.observe(states)})
        found = named(error)
        if not allowed(table, {}):
            assert "by themselves" in str(error.value)
            continue
        clashes += 1
        assert found
        assert found.items() <= fixed.items()
        assert not allowed(table, found)
        for i in found:
            assert allowed(table, {k: v for k, v in found.items() if k != i})
    assert clashes >= 4


def test_the_words_for_one_piece_for_several_and_for_none():
    x = fg.Variables("x", {"i": 3})
    same = fg.Graph(fg.Table(x[:-1], x[1:], log_potentials=[[0.0, -np.inf], [-np.inf, 0.0]]))
    with pytest.raises(Contradiction, match=r"puts `x`\[0\] in 0 and `x`\[2\] in 1, which cannot"):
        fg.Exact().run(same, {"x": x.observe([0, -1, 1])})
    barred = fg.Graph(fg.Table(x[1], log_potentials=[-np.inf, 0.0]), variables=[x])
    with pytest.raises(Contradiction, match=r"puts `x`\[1\] in 0, which the factors rule out"):
        fg.Exact().run(barred, {"x": x.observe([1, 0, 1])})
    nothing = np.zeros((3, 2))
    nothing[2] = -np.inf
    with pytest.raises(Contradiction, match=r"`x`\[2\] in no state"):
        fg.BeliefPropagation().run(same, {"x": nothing})
