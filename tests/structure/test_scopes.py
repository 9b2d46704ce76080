"""Check which members a term's elements are said to depend on, by moving each member."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.structure.rewrites.sum_out.find import follow

MEMBERS, STATES = 5, 3
TABLE = jnp.asarray(np.random.default_rng(3).normal(size=(STATES, STATES)))
LOOKUPS = {  # what looks latent things up, and how many members each element may name
    "one of each row": (lambda z: jnp.take_along_axis(TABLE[z], z[:, None], -1)[:, 0], 1),
    "of the next row": (lambda z: jnp.take_along_axis(TABLE[z], jnp.roll(z, 1)[:, None], -1), 2),
    "a row of a table of the first": (lambda z: (TABLE * z[0])[z], 2),
    "some of all members": (lambda z: jax.lax.dynamic_slice(1.0 * z, (z[0],), (2,)), MEMBERS),
    "columns, two by two": (
        lambda z: jax.vmap(lambda row, i: row[i], (1, 0), 1)(
            jnp.stack([TABLE[z].T, 2 * TABLE[z].T], -1), z
        ),
        1,
    ),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_an_element_names_all_members_that_move_it_and_few_others(name):
    function, most = LOOKUPS[name]

    @ft.model
    def looked_up():
        with ft.plate("member", MEMBERS):
            z = ft.sample("z", ft.Categorical(probs=jnp.full(STATES, 1 / STATES)))
        ft.factor("found", function(z))

    program = looked_up().plan().program
    scopes, outputs = follow(program, {"z": np.arange(MEMBERS, dtype=np.int32)})
    ids = scopes.read(outputs.log_terms["found"])
    said = (ids[..., None] == np.arange(MEMBERS)).any(-2)
    joint = np.indices((STATES,) * MEMBERS).reshape(MEMBERS, -1).T
    found = np.asarray(jax.vmap(function)(jnp.asarray(joint)))
    grid = found.reshape(*(STATES,) * MEMBERS, *found.shape[1:])
    others = tuple(range(MEMBERS - 1))
    moved = np.stack([np.ptp(grid, member).max(others) > 0 for member in range(MEMBERS)], -1)
    assert (said | ~moved).all()
    assert said.sum(-1).max() <= most
