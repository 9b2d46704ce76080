"""Check that structured factors say what the tables they stand for would say."""

import enumerated
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import grey_dilation

from finetti import factors as fg
from finetti.factors.semiring import Max, Sum
from finetti.factors.shift import dilate

INPUTS = fg.Variables("input", {"input": 5})
OUTPUT = fg.Variables("output")
LEFT, RIGHT = (fg.Variables(name, states=20) for name in ("left", "right"))
FACTORS = {
    "or": fg.Or(INPUTS, OUTPUT),
    "and": fg.And(INPUTS, OUTPUT),
    "pool": fg.Pool(INPUTS, OUTPUT),
    "one input": fg.Or(fg.Variables("only", {"input": 1}), OUTPUT),
    "shift": fg.BoundedShift(LEFT, RIGHT, reach=(1, 3), window=(4, 5)),
    "no shift": fg.BoundedShift(LEFT, RIGHT, reach=0, window=(4, 5)),
    "priced shift": fg.BoundedShift(LEFT, RIGHT, reach=(1, 3), window=(4, 5), cost=0.3),
    "any shift": fg.BoundedShift(LEFT, RIGHT, reach=9, window=(4, 5)),
}


def cases():
    """Return every kind with both ways to combine, slow but for some."""
    quick = {("or", Sum()), ("or", Max()), ("and", Sum()), ("pool", Sum()), ("shift", Sum())}
    quick |= {("priced shift", Sum()), ("priced shift", Max())}
    for kind in FACTORS:
        for semiring in (Sum(), Max()):
            marks = () if (kind, semiring) in quick else (pytest.mark.slow,)
            name = f"{kind}, {type(semiring).__name__.lower()}"
            yield pytest.param(kind, semiring, marks=marks, id=name)


@pytest.mark.parametrize(("kind", "semiring"), list(cases()))
def test_messages_are_those_of_enumeration(kind, semiring):
    factor, rng = FACTORS[kind], np.random.default_rng(1)
    graph = fg.Graph(factor)
    with jax.enable_x64(True):
        incoming = [rng.normal(size=(s.states, *s.shape)) for s in factor.scopes]
        incoming[1][0, ...] = np.where(rng.random(incoming[1][0].shape) < 0.3, -np.inf, 0.0)
        sent = factor.send([jnp.asarray(weights) for weights in incoming], semiring)
        states, logs = enumerated.joint(graph)
    combine = np.logaddexp.reduce if isinstance(semiring, Sum) else np.max
    named = enumerated.columns(graph, states)
    said = [
        weights[named[s.name][:, s.index.ravel()], ..., np.arange(s.index.size)]
        if s.shape
        else weights[named[s.name][:, 0]][:, None]
        for s, weights in zip(factor.scopes, incoming, strict=True)
    ]
    for i, scope in enumerate(factor.scopes):
        for place in range(scope.index.size):
            own = named[scope.name][:, scope.index.ravel()[place]]
            others = [part.copy() for part in said]
            others[i][:, place] = 0.0
            without = logs + sum(part.reshape(len(states), -1).sum(1) for part in others)
            for state in range(scope.states):
                known = combine(without[own == state])
                found = np.asarray(sent[i]).reshape(scope.states, -1)[state, place]
                np.testing.assert_allclose(found, known, atol=1e-9)


@pytest.mark.parametrize("reach", [0, 2, 30])
def test_dilation_is_that_of_scipy(reach):
    image = np.random.default_rng(2).normal(size=(25, 3)).astype(np.float32)
    known = grey_dilation(image, size=(2 * reach + 1, 1), mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(dilate(jnp.asarray(image), reach, 0, Max()), known)
    total = [np.logaddexp.reduce(image[max(0, i - reach) : i + reach + 1]) for i in range(25)]
    np.testing.assert_allclose(dilate(jnp.asarray(image), reach, 0, Sum()), total, atol=1e-5)


def test_rare_causes_lose_no_precision():
    # Of many inputs that are almost surely off, P(output on) is the sum of their odds.
    graph = fg.Graph(fg.Or(fg.Variables("cause", {"cause": 100}), OUTPUT))
    odds = np.log(1e-18)
    found = fg.BeliefPropagation().run(graph, {"cause": np.array([0.0, odds])})
    np.testing.assert_allclose(found.log_beliefs["output"][1], np.log(100) + odds, atol=1e-9)


def test_named_scores():
    x = jnp.array([0, 1, 1, 0, 0])
    one = jnp.array(1)
    assert FACTORS["or"].score([one, x]) == 0
    assert FACTORS["and"].score([one, x]) == -jnp.inf
    assert FACTORS["pool"].score([one, x]) == -jnp.inf
    assert FACTORS["pool"].score([one, x.at[1].set(0)]) == 0
    shift = FACTORS["shift"]  # places (0, 0), (1, 3), (2, 0) of a window of (4, 5)
    assert shift.score([jnp.array(0), jnp.array(8)]) == 0
    assert shift.score([jnp.array(0), jnp.array(9)]) == -jnp.inf
    assert shift.score([jnp.array(0), jnp.array(10)]) == -jnp.inf
