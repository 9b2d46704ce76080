"""Check how often a model is called and its density traced: a small, fixed number of times."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.targets.density import Target

SIGMA = np.arange(5.0, 13.0)
Y = np.arange(8.0)
SHORT = ft.NUTS(draws=20, warmup=20, chains=2)


def counting(calls):
    """Return a model that lengthens `calls` with every call of its function."""

    @ft.model
    def schools(sigma, y):
        calls.append(1)
        mu = ft.sample("mu", ft.Normal(0, 5))
        tau = ft.sample("tau", ft.HalfCauchy(5))
        with ft.plate("school", len(y)):
            z = ft.sample("z", ft.Normal(0, 1))
            ft.sample("y", ft.Normal(mu + tau * z, sigma), obs=y)

    return schools


@pytest.fixture(scope="module")
def fits():
    """Fit one model to three data sets of one shape; count calls and traces after each."""
    calls, traces, counts, plain = [], [], [], Target.log_density
    schools = counting(calls)

    def traced(self, constants, position):
        traces.append(1)
        return plain(self, constants, position)

    jax.clear_caches()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Target, "log_density", traced)
        for sigma, y in ((SIGMA, Y), (SIGMA, Y + 1), (SIGMA + 1, Y)):
            posterior = ft.fit(schools(sigma, y), SHORT, progress=False)
            counts.append((len(calls), len(traces), float(posterior["mu"].mean())))
    return counts


def test_the_function_is_called_twice_for_plan_and_density():
    calls = []
    model = counting(calls)(SIGMA, Y)
    model.plan()
    model.graph()
    density = ft.density(model)
    with jax.enable_x64(True):
        for _ in range(3):
            jax.jit(density.gradient)(np.zeros(10))
            density.labels()
    assert len(calls) == 2


def test_binding_and_handlers_call_nothing():
    calls = []
    model = counting(calls)(SIGMA, Y)
    model.intervene(mu=1.0).substitute(tau=1.0).condition(z=Y).block(["z"]).named("other")
    assert calls == []


def test_a_whole_fit_calls_the_function_twice(fits):
    assert [calls for calls, _, _ in fits] == [2, 4, 6]


def test_a_whole_fit_traces_the_density_at_most_twice(fits):
    assert 1 <= fits[0][1] <= 2


def test_a_fit_to_other_data_of_the_same_shape_traces_nothing(fits):
    assert len({traces for _, traces, _ in fits}) == 1
    assert len({mean for _, _, mean in fits}) == 3


def test_programs_are_equal_when_their_structure_is_whatever_their_data():
    schools = counting([])
    one, same = (schools(SIGMA, y).plan().program for y in (Y, Y + 1))
    other = schools(SIGMA[:3], Y[:3]).plan().program
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


@pytest.mark.usefixtures("float64")
def test_a_density_is_zero_where_a_site_that_is_observed_as_another_leaves_its_support():
    @ft.model
    def shared():
        x = ft.sample("x", ft.Normal(0, 1))
        ft.sample("y", ft.Exponential(1.0), obs=x)

    built = ft.density(shared())
    assert np.isfinite(built.log_density(jnp.array([1.0])))
    assert built.log_density(jnp.array([-1.0])) == -np.inf
