"""How hard the compiler is to try follows what an evaluation takes, counted on its program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from finetti import compiling
from finetti.compiling import BY_SIZE, LARGE, OFTEN, ONCE, SOME, compiled
from finetti.host import program
from finetti.jaxprs import made

MANY = 10**9  # calls, for which any program is worth compiling


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


def options(effort):
    return compiling._options(effort)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="options are those of a CPU")
@pytest.mark.parametrize(
    ("numbers", "evaluations", "effort"),
    [(10, 1, SOME), (LARGE, 1, OFTEN), (LARGE, 4, SOME), (4 * LARGE, 4, OFTEN)],
)
def test_an_effort_follows_the_numbers_of_an_evaluation(efforts, numbers, evaluations, effort):
    runs = []

    @compiled(BY_SIZE, evaluations=lambda x: (evaluations, 1), calls=MANY)
    def grown(x):
        runs.append(x)
        return jnp.sum(jnp.broadcast_to(x, (numbers,)) * 2.0)

    assert float(grown(np.float32(1.5))) == 3.0 * numbers
    assert efforts[0] == options(effort)
    grown(np.float32(2.5))
    assert len(runs) == 1  # traced once, to be counted and to be compiled
    assert len(efforts) == 1


@pytest.mark.parametrize(("numbers", "effort"), [(10, SOME), (LARGE, OFTEN)])
def test_what_is_made_before_a_loop_is_shared_out_among_its_turns(efforts, numbers, effort):
    @compiled(BY_SIZE, evaluations=lambda noise: (1, len(noise)))
    def walked(noise):
        noise = jnp.exp(jnp.sin(noise * 2.0) + 1.0)  # more numbers in all than LARGE

        def turn(at):
            i, x = at
            return i + 1, x + jnp.sum(jnp.broadcast_to(noise[i], (numbers,)))

        return jax.lax.while_loop(lambda at: at[0] < len(noise), turn, (0, 0.0))[1]

    walked(np.ones(LARGE, np.float32)[: LARGE if numbers < LARGE else 10])
    assert efforts[0] == options(effort)


def paired(x, key):
    """Return a pytree: what is computed, and what is random."""
    return {"sum": x.sum(), "noise": x + jax.random.normal(key, x.shape), "key": key}


class TestWhatIsNotWorthCompiling:
    """Numpy runs a program that it ends before XLA had compiled it."""

    def yields(self, effort, calls=4):
        found = compiled(effort, calls=calls)(paired)(np.arange(3.0), jax.random.key(2))
        assert found["key"] == jax.random.key(2)
        return found

    @pytest.mark.parametrize("effort", [ONCE, BY_SIZE])
    def test_it_yields_what_xla_would_and_nothing_is_compiled(self, efforts, effort):
        with jax.enable_x64(True):
            found = self.yields(effort)
            assert not efforts
            assert isinstance(found["sum"], np.ndarray)
            expected = self.yields(effort, MANY)
            assert len(efforts) == 1
        assert isinstance(expected["sum"], jax.Array)
        assert found["noise"].dtype == np.float64
        np.testing.assert_allclose(found["noise"], expected["noise"], rtol=1e-14)

    def test_a_program_that_runs_often_is_compiled(self, efforts):
        self.yields(OFTEN)
        assert len(efforts) == 1

    def test_a_loop_of_unknown_length_is_compiled(self, efforts):
        @compiled(ONCE)
        def halved(x):
            return jax.lax.while_loop(lambda x: x > 1, lambda x: x / 2, x)

        assert float(halved(np.float32(12))) == 0.75
        assert len(efforts) == 1

    def test_what_takes_longer_than_to_compile_is_compiled(self, efforts):
        def made(x):
            return jnp.sin(jnp.broadcast_to(x, (size,))).sum()

        size = 1000
        compiled(ONCE)(made)(np.float32(1))
        assert not efforts
        size = 10**7
        compiled(ONCE)(made)(np.float32(1))
        assert len(efforts) == 1

    def test_integers_and_single_numbers_keep_their_kind(self):
        @compiled(ONCE)
        def kinds(x, n, truth):
            return x * 2, n // 2, ~truth, 3

        found = kinds(np.float32(1.5), np.int32(7), np.bool_(True))
        expected = jax.jit(lambda x, n, t: (x * 2, n // 2, ~t, 3))(
            np.float32(1.5), np.int32(7), np.bool_(True)
        )
        assert [(a.dtype, a.shape, a.item()) for a in found] == [
            (a.dtype, a.shape, a.item()) for a in expected
        ]

    def test_what_another_version_of_jax_writes_otherwise_is_compiled(self, efforts, monkeypatch):
        monkeypatch.setitem(program.RULES, "sin", lambda equation: equation.params["another"])
        assert float(compiled(ONCE)(jnp.sin)(np.float32(0))) == 0
        assert len(efforts) == 1

    def test_what_comes_out_is_no_part_of_what_went_in(self):
        """Neither of the caller's arrays nor of the program's own, which another call returns."""

        @compiled(ONCE)
        def passed(x):
            return x, x.T, jnp.broadcast_to(x[0], (4, 2)), jnp.array([1.0, 2.0]), x * 1.0

        given = np.ones((3, 2))
        with jax.enable_x64(True):
            first = passed(given)
            for array in first:
                array += 5
            second = passed(given)
        assert all((array == 1).all() for array in (given, *second[:3], second[4]))
        assert second[3].tolist() == [1.0, 2.0]

    def test_those_who_look_for_nan_are_told_by_xla(self):
        with jax.debug_nans(True), pytest.raises(FloatingPointError):
            compiled(ONCE)(jnp.log)(np.float32(-1))


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
