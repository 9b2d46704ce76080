"""How hard the compiler is to try follows what an evaluation takes, counted on its program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from finetti import compiling
from finetti.compiling import BY_SIZE, LARGE, LEVEL, OFTEN, ONCE, compiled
from finetti.jaxprs import made


@pytest.fixture
def efforts(monkeypatch):
    """Note what each program is compiled with."""
    noted = []

    class Noting(compiling.InTurn):
        def __init__(self, function, compiler_options, **settings):
            noted.append(compiler_options)
            super().__init__(function, compiler_options=compiler_options, **settings)

    monkeypatch.setattr(compiling, "InTurn", Noting)
    return noted


def level(effort):
    return compiling.EFFORT[effort][LEVEL]


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="options are those of a CPU")
@pytest.mark.parametrize(
    ("numbers", "evaluations", "effort"),
    [(10, 1, ONCE), (LARGE, 1, OFTEN), (LARGE, 4, ONCE), (4 * LARGE, 4, OFTEN)],
)
def test_an_effort_follows_the_numbers_of_an_evaluation(efforts, numbers, evaluations, effort):
    runs = []

    @compiled(BY_SIZE, evaluations=lambda x: (evaluations, 1))
    def grown(x):
        runs.append(x)
        return jnp.sum(jnp.broadcast_to(x, (numbers,)) * 2.0)

    assert float(grown(np.float32(1.5))) == 3.0 * numbers
    assert efforts[0][LEVEL] == level(effort)
    grown(np.float32(2.5))
    assert len(runs) == 1  # traced once, to be counted and to be compiled
    assert len(efforts) == 1


@pytest.mark.parametrize(("numbers", "effort"), [(10, ONCE), (LARGE, OFTEN)])
def test_what_is_made_before_a_loop_is_shared_out_among_its_turns(efforts, numbers, effort):
    @compiled(BY_SIZE, evaluations=lambda noise: (1, len(noise)))
    def walked(noise):
        noise = jnp.exp(jnp.sin(noise * 2.0) + 1.0)  # more numbers in all than LARGE

        def turn(at):
            i, x = at
            return i + 1, x + jnp.sum(jnp.broadcast_to(noise[i], (numbers,)))

        return jax.lax.while_loop(lambda at: at[0] < len(noise), turn, (0, 0.0))[1]

    walked(np.ones(LARGE, np.float32)[: LARGE if numbers < LARGE else 10])
    assert efforts[0][LEVEL] == level(effort)


def test_numbers_are_counted_in_what_a_program_calls_and_repeats():
    def body(x, _):
        return jax.jit(jnp.sin)(x), None

    def loop(x):
        return jax.lax.scan(body, x, length=7)[0]

    def choice(x):
        return jax.lax.cond(x[0] > 0, jnp.sin, lambda x: jnp.cos(jnp.exp(x)), x)

    x = np.ones(5, np.float32)
    assert made(jax.make_jaxpr(loop)(x).eqns) == 35
    outside = made(jax.make_jaxpr(lambda x: x[0] > 0)(x).eqns)
    assert made(jax.make_jaxpr(choice)(x).eqns) in range(15 + outside, 18 + outside)
