"""Check that unequal models never share compiled code, wherever they hide what tells them apart.

Each way below closes over an array `w` and computes w x (or a function of it): in the model's own
lines, inside a transformation of JAX, in a derivative alone, or in a function on the host.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.ode import odeint

import finetti as ft
from finetti.dialects import pymc2
from finetti.inference.engine.batch import Own
from finetti.inference.engine.start import points_at
from finetti.store.identity import identity
from finetti.structure.identity import fingerprint
from finetti.structure.tracing import write_program
from zoo import MODELS

FEW = ft.NUTS(draws=200, warmup=200, chains=2)


def plainly(w):
    return lambda x: w * x


def number(w):
    first = float(w[0])
    return lambda x: jnp.full(3, first) * x


def jitted(w):
    return jax.jit(lambda x: w * x)


def jitted_twice(w):
    inner = jax.jit(lambda x: x * w)
    return jax.jit(lambda x: inner(x) + inner(x))


def scanned(w):
    return lambda x: jax.lax.scan(lambda c, _: (c + w * x, None), jnp.zeros(3), length=3)[0]


def scanned_jit(w):
    step = jax.jit(lambda c, x: c + w * x)
    return lambda x: jax.lax.scan(lambda c, _: (step(c, x), None), jnp.zeros(3), length=3)[0]


def branched(w):
    return lambda x: jax.lax.cond(x < 100, lambda: w * x, lambda: x * jnp.ones(3))


def branched_jit(w):
    taken = jax.jit(lambda x: w * x)
    return lambda x: jax.lax.cond(x < 100, taken, lambda x: x * jnp.ones(3), x)


def looped(w):
    def run(x):
        step = jax.jit(lambda c: c + w * x)
        return jax.lax.fori_loop(0, 3, lambda _, c: step(c), jnp.zeros(3))

    return run


def mapped(w):
    return lambda x: jax.vmap(lambda i: jnp.asarray(w)[i] * x)(jnp.arange(3))


def mapped_jit(w):
    one = jax.jit(lambda i, x: jnp.asarray(w)[i] * x)
    return lambda x: jax.vmap(one, (0, None))(jnp.arange(3), x)


def with_jvp(w):
    @jax.custom_jvp
    def times(x):
        return w * x

    times.defjvp(lambda x, dx: (times(*x), w * dx[0]))
    return times


def with_other_jvp(w):
    """The derivative alone holds the array."""

    @jax.custom_jvp
    def times(x):
        return 2.0 * x * jnp.ones(3)

    times.defjvp(lambda x, dx: (times(*x), w * dx[0]))
    return times


def with_vjp(w):
    @jax.custom_vjp
    def times(x):
        return w * x

    times.defvjp(lambda x: (w * x, None), lambda _, g: ((w * g).sum(),))
    return times


def with_other_vjp(w):
    """The derivative alone holds the array."""

    @jax.custom_vjp
    def times(x):
        return 2.0 * x * jnp.ones(3)

    times.defvjp(lambda x: (2.0 * x * jnp.ones(3), None), lambda _, g: ((w * g).sum(),))
    return times


def with_a_setting(w):
    """A derivative is given the array as an argument that is not differentiated."""

    class Held:
        def __init__(self, array):
            self.array = array

    def times(held, x):
        return 2.0 * x * jnp.ones(3)

    return lambda x: _told(times, Held(w), x)


def _told(times, held, x):
    rule = jax.custom_jvp(times, nondiff_argnums=(0,))
    rule.defjvp(lambda held, x, dx: (times(held, *x), held.array * dx[0]))
    return rule(held, x)


def checkpointed(w):
    return jax.checkpoint(lambda x: w * x)


def checkpointed_jit(w):
    return jax.checkpoint(jax.jit(lambda x: w * x))


def solved(w):
    return lambda x: odeint(lambda y, t: w * x, jnp.zeros(3), np.array([0.0, 1.0]))[-1]


def rooted(w):
    def find(x):
        return jax.lax.custom_root(
            lambda y: y - w * x,
            jnp.zeros(3),
            lambda f, start: start - f(start),
            lambda g, y: y / g(jnp.ones(3)),
        )

    return find


def on_the_host(w):
    shape = jax.ShapeDtypeStruct((3,), "float64")
    call = jax.custom_jvp(
        lambda x: jax.pure_callback(lambda x: w * x, shape, x, vmap_method="sequential")
    )
    call.defjvp(lambda x, dx: (call(*x), jnp.ones(3) * dx[0]))
    return call


def called_back(w):
    """The callback is an object that is called."""

    @dataclass(frozen=True, eq=False)
    class Table:
        w: np.ndarray

        def __call__(self, x):
            return self.w * x

    shape = jax.ShapeDtypeStruct((3,), "float64")
    call = jax.custom_jvp(lambda x: jax.pure_callback(Table(w), shape, x, vmap_method="sequential"))
    call.defjvp(lambda x, dx: (call(*x), jnp.ones(3) * dx[0]))
    return call


WAYS = [
    plainly, number, jitted, jitted_twice, scanned, scanned_jit, branched, branched_jit, looped,
    mapped, mapped_jit, with_jvp, with_other_jvp, with_vjp, with_other_vjp, with_a_setting,
    checkpointed, checkpointed_jit, solved, rooted, on_the_host, called_back,
]  # fmt: skip


def named(way):
    return way.__name__


every_way = pytest.mark.parametrize("way", WAYS, ids=named)


def line(way, slope):
    """Return a model of y = slope x by a way to hide the slope, whose x is 1 / slope."""
    times = way(np.full(3, slope))

    def hidden():
        x = ft.sample("x", ft.Normal(0, 100))
        with ft.plate("row", 3):
            ft.sample("y", ft.Normal(times(x), 0.1), obs=np.ones(3))

    return ft.Model(hidden, "hidden", ((), {}))


def values(model):
    """Return the log density and its gradient at a point, by the compiled code that fits share."""
    with jax.enable_x64(True):
        target, constants = ft.density(model, model.plan().as_written()).target("float64")
        point = points_at(target, constants, Own(), np.array([[[0.3]]]))
        fresh = jax.jit(jax.value_and_grad(lambda x: target.log_density(constants, x)))
        value, slope = fresh(np.array([0.3]))
    return np.append(np.asarray(point.log_density), point.gradient), np.append(value, slope)


@every_way
def test_unequal_models_do_not_share_compiled_code(way):
    """What is shared answers as what is compiled for a model alone does."""
    first, second = (line(way, slope) for slope in (2.0, 5.0))
    found, alone = zip(values(first), values(second), strict=True)
    np.testing.assert_allclose(found, alone, rtol=1e-9)
    assert not np.allclose(alone[0], alone[1], rtol=1e-3), "the ways differ by nothing"


@every_way
def test_a_run_on_disk_is_told_from_that_of_an_unequal_model(way):
    """What a printed program leaves out is told as well, and an equal model's is the same."""
    first, other, again = (identity(ft.density(line(way, slope))) for slope in (2.0, 5.0, 2.0))
    assert first == again
    assert first["program"] != other["program"]


@pytest.mark.parametrize("way", [plainly, jitted, scanned_jit, checkpointed], ids=named)
def test_an_array_that_tells_models_apart_is_data_where_it_can_be(way):
    """Constants of inner calls are lifted out: other ones need no compiling."""
    first, second = (line(way, slope).plan().program for slope in (2.0, 5.0))
    lifted = way is not scanned_jit  # what a scan's body calls is compared by its content
    assert (first == second) == lifted


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_traced_again_is_the_same_program(name):
    """Compiled code is shared by refits: nothing made in passing tells a model from itself."""
    model = MODELS[name]()
    with jax.enable_x64(True):
        one, two = (write_program(model.run, model.variables, "float64")[0] for _ in range(2))
    assert one == two


def test_numbers_are_told_apart_to_the_bit():
    def key(number):
        return fingerprint(jax.make_jaxpr(lambda x: x * number)(1.0).jaxpr)

    assert key(1.0) is key(1.0)
    assert len({key(n) for n in (0.0, -0.0, 1.0, 1, np.nextafter(np.float32(1), 2))}) == 5


@pytest.mark.parametrize(
    "way", [jitted, pytest.param(solved, marks=pytest.mark.slow), with_vjp], ids=named
)
def test_a_second_fit_answers_with_its_own_data(way):
    for slope in (2.0, 5.0):
        posterior = ft.fit(line(way, slope), FEW, seed=1, progress=False)
        error = abs(posterior["x"].mean().item() - 1 / slope)
        assert error < 5 * posterior["x"].std().item()
        assert error < 0.2 / slope


def test_predictions_and_comparisons_are_of_their_own_model():
    found = []
    for slope in (2.0, 5.0):
        posterior = ft.fit(line(jitted, slope), FEW, seed=1, progress=False)
        drawn = ft.predict(posterior, seed=1)["posterior_predictive"].dataset["y"]
        assert abs(drawn.mean().item() - 1) < 0.1
        found.append(posterior.log_likelihood()["y"].mean().item())
        density = ft.loo(posterior).elpd / 3
        assert abs(density - found[-1]) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("way", [jitted, scanned_jit, with_jvp], ids=named)
def test_calibration_is_of_its_own_model(way):
    """The data of the second model would be ranked wrongly by the first one's compiled fits."""
    few = ft.NUTS(draws=100, warmup=200, chains=2)
    for slope in (2.0, 0.1):
        found = ft.calibrate(line(way, slope), few, simulations=60, draws=50, seed=1)
        assert found.passed, str(found)


def test_programs_of_pymc2_that_differ_in_a_host_function_differ():
    def program(shift):
        x = pymc2.Normal("x", 0.0, 1.0, value=0.3)

        @pymc2.deterministic
        def hosted(x=x):
            return float(str(float(x))) + shift  # str() cannot be traced

        y = pymc2.Normal("y", mu=hosted, tau=1.0, value=1.0, observed=True)
        return pymc2.MCMC([x, hosted, y])

    first, second = (program(shift).finetti.plan().as_written().program for shift in (0.0, 5.0))
    assert first != second
