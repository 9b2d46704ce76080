"""What numpy moves in JAX's place is moved as JAX moves it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from finetti.jaxprs import bind, called, run
from finetti.structure.scopes import PLAIN_MOVES

X = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
CASES = {
    "broadcast_in_dim": [lambda x: jax.lax.broadcast_in_dim(x, (5, 2, 3, 4), (1, 2, 3)),
                         lambda x: jax.lax.broadcast_in_dim(x[:, :1, 0], (2, 7, 3), (0, 2))],
    "concatenate": [lambda x: jnp.concatenate([x, x + 1], 1)],
    "reshape": [lambda x: x.reshape(4, 6), lambda x: jnp.ravel(x)],
    "slice": [lambda x: jax.lax.slice(x, (0, 1, 0), (2, 3, 4), (1, 1, 2)), lambda x: x[1:, :2]],
    "squeeze": [lambda x: jnp.squeeze(x[:1], 0)],
    "transpose": [lambda x: jnp.transpose(x, (2, 0, 1))],
}  # fmt: skip


def test_every_move_is_tried():
    assert set(CASES) == set(PLAIN_MOVES)


@pytest.mark.parametrize("name", CASES)
def test_numpy_moves_as_jax_does(name):
    moves = []

    def evaluate(equation, inputs):
        call = called(equation)
        if call is not None:
            inner, constants = call
            return run(inner, [*constants, *inputs], evaluate)
        found = bind(equation, inputs)
        if equation.primitive.name == name:
            parameters = equation.primitive.get_bind_params(equation.params)
            ours = PLAIN_MOVES[name](parameters, *map(np.asarray, inputs))
            np.testing.assert_array_equal(ours, found[0])
            moves.append(name)
        return found

    for function in CASES[name]:
        before, closed = len(moves), jax.make_jaxpr(function)(X)
        run(closed.jaxpr, [*closed.consts, X], evaluate)
        assert len(moves) > before
