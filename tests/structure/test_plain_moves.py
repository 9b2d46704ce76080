"""What numpy moves in JAX's place is moved as JAX moves it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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
    for function in CASES[name]:
        closed = jax.make_jaxpr(function)(X)
        moves = []

        def evaluate(jaxpr, consts, *given, name=name, moves=moves):
            known = dict(zip(jaxpr.constvars, consts, strict=True))
            known |= dict(zip(jaxpr.invars, given, strict=True))
            for equation in jaxpr.eqns:
                inputs = [v.val if hasattr(v, "val") else known[v] for v in equation.invars]
                primitive = equation.primitive
                parameters = primitive.get_bind_params(equation.params)
                if primitive.name in ("jit", "pjit"):
                    inner = equation.params["jaxpr"]
                    found = evaluate(inner.jaxpr, inner.consts, *inputs)
                else:
                    found = primitive.bind(*inputs, **parameters)
                    found = found if primitive.multiple_results else [found]
                if primitive.name == name:
                    ours = PLAIN_MOVES[name](parameters, *map(np.asarray, inputs))
                    np.testing.assert_array_equal(ours, found[0])
                    moves.append(name)
                known.update(zip(equation.outvars, found, strict=True))
            return [known[v] for v in jaxpr.outvars]

        evaluate(closed.jaxpr, closed.consts, X)
        assert moves
