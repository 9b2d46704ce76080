"""Check what of a PyMC2 graph counts, and what its functions never meet."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.dialects import pymc2 as pm
from finetti.dialects.pymc2.families import FAMILIES


def density_at(model, **values):
    for name, value in values.items():
        getattr(model, name).value = value
    with jax.enable_x64(True):
        return float(model.density.log_density(jnp.asarray(model.position())))


def error(draws):
    """Return the Monte Carlo error of a mean, by the means of 50 batches."""
    batches = draws[: len(draws) // 50 * 50].reshape(50, -1).mean(1)
    return batches.std() / np.sqrt(50)


def chain_of(count):
    """Return x and an observed y with some deterministics between."""
    x = pm.Normal("x", 0.0, 1.0, value=0.3)
    between = x
    for i in range(count):
        between = pm.Lambda(f"f{i}", lambda b=between: b + 1.0)
    return x, pm.Normal("y", between, 4.0, value=5.0, observed=True)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_children_left_out_of_the_list_count(count):
    x, y = chain_of(count)
    assert density_at(pm.MCMC([x])) == pytest.approx(x.logp + y.logp)
    assert x.extended_children == {y}
    assert y.extended_parents == {x}


def test_every_kind_of_child_left_out_counts():
    x = pm.Normal("x", 0.0, 1.0, value=0.3)
    held = pm.Normal("held", x, 2.0, value=1.5)
    far = pm.Normal("far", held, 1.0, value=9.0, observed=True)  # no child of x: it does not move

    @pm.potential
    def kept_small(x=x):
        return -3.0 * x**2

    model = pm.Model([x])
    assert x.extended_children == {held, kept_small}
    assert x.markov_blanket == {x, held}
    assert held.coparents == {held}
    assert density_at(model) == pytest.approx(x.logp + held.logp + kept_small.logp)
    held.value = -2.0
    assert density_at(model) == pytest.approx(x.logp + held.logp + kept_small.logp)
    assert held.logp + far.logp == pytest.approx(density_at(pm.Model([held])))


@pytest.mark.parametrize("run", [lambda m: pm.MCMC(m).sample(3), lambda m: pm.MAP(m).fit("fmin")])
def test_unknown_parents_that_are_left_out_are_named(run):
    spread = pm.Uniform("spread", 0.0, 9.0, value=2.0)
    precision = spread**-2
    x = pm.Normal("x", 0.0, precision, value=0.3)
    y = pm.Normal("y", x, 1.0, value=2.0, observed=True)
    with pytest.warns(UserWarning, match="held at their values.*: spread; list them"):
        run([x, precision, y])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run([x, precision, spread, y])
        run([x, precision, spread])  # a child left out is no parent


def test_a_child_left_out_may_have_the_name_of_another():
    x = pm.Normal("x", 0.0, 1.0, value=0.3)
    older, newer = (pm.Normal("y", x, 1.0, value=v, observed=True) for v in (1.0, 2.0))
    assert density_at(pm.Model([x, newer])) == pytest.approx(x.logp + older.logp + newer.logp)


def test_a_posterior_by_a_list_of_parents_is_that_of_all():
    np.random.seed(3)  # noqa: NPY002
    x, _ = chain_of(1)
    model = pm.MCMC([x])
    model.sample(6000, 1000)
    draws = model.trace("x")[:]
    assert draws.mean() == pytest.approx(4.0 * 4.0 / 5.0, abs=4 * error(draws))


def switched(values, run):
    """Return an index that may be proposed off its list, and data that depend on it."""
    index = pm.DiscreteUniform("index", 0, len(values) - 1, value=0)

    @pm.deterministic
    def rate(index=index):
        return run(index)

    data = pm.Poisson("data", rate, value=[4, 6, 5], observed=True)
    return index, rate, data


def on_the_host(values):
    return lambda i: values[int(i)] if i < 100 else 0.0


def traced(values):
    return lambda i: np.array(values)[i]


@pytest.mark.parametrize("way", [on_the_host, traced])
def test_functions_never_meet_values_off_the_support(way):
    np.random.seed(0)  # noqa: NPY002
    values = [3.0, 5.0]
    nodes = switched(values, way(values))
    model = pm.MCMC(nodes)
    model.use_step_method(pm.DiscreteMetropolis, nodes[0], proposal_sd=20)
    model.sample(2000, 200, tune_throughout=False)
    terms = [np.exp(sum(k * np.log(r) - r for k in (4, 6, 5))) for r in values]
    share = terms[1] / sum(terms)
    draws = model.trace("index")[:]
    assert draws.mean() == pytest.approx(share, abs=4 * error(draws))


def test_a_childs_own_density_on_the_host_never_meets_them_either():
    np.random.seed(0)  # noqa: NPY002
    index = pm.DiscreteUniform("index", 0, 1, value=0)

    @pm.stochastic(observed=True)
    def data(value=2.0, index=index):
        return -abs(value - (1.0, 3.0)[int(index)]) if index < 9 else 0.0

    model = pm.MCMC([index, data])
    model.use_step_method(pm.DiscreteMetropolis, index, proposal_sd=20)
    model.sample(1000)
    assert set(model.trace("index")[:]) == {0, 1}


def failing(start=-1.0):
    x = pm.Normal("x", 0.0, 1.0, value=start)

    @pm.deterministic
    def rate(x=x):
        return [0.0][int(x > 0)]

    return [x, rate, pm.Normal("y", rate, 1.0, value=1.0, observed=True)]


@pytest.mark.parametrize(
    "run",
    [
        lambda nodes: pm.MCMC(nodes).sample(500),
        lambda nodes: pm.MAP(nodes).fit("fmin"),
    ],
    ids=["MCMC", "MAP"],
)
def test_what_fails_on_the_host_is_one_sentence_with_the_users_line(run, caplog):
    np.random.seed(1)  # noqa: NPY002
    with pytest.raises(ft.ModelError) as caught:
        run(failing())
    said = str(caught.value)
    assert "IndexError" in said
    assert "test_pymc2_graph.py, line" in said
    assert "return [0.0][int(x > 0)]" in said
    assert "\n" not in said
    assert not caplog.records


WHOLE = sorted(name for name, family in FAMILIES.items() if family.dtype is int)
ARGUMENTS = {
    "Betabin": (2.0, 5.0, 9), "Binomial": (9, 0.3), "Categorical": ([0.2, 0.3, 0.5],),
    "DiscreteUniform": (0, 9),
    "Hypergeometric": (4, 5, 9), "Multinomial": (9, [0.2, 0.3, 0.5]),
    "NegativeBinomial": (3.0, 2.0), "Poisson": (3.0,), "TruncatedPoisson": (3.0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_no_family_of_whole_numbers_rounds_silently(name):
    value = [1.0, 3.5, 4.5] if name == "Multinomial" else 1.9
    make = getattr(pm, name)
    with pytest.raises(ValueError, match=r"whole numbers and is given"):
        make("x", *ARGUMENTS.get(name, (0.4,)), value=value, observed=True)


OFF = {
    "bernoulli": ((0.3,), 2), "beta": ((2.0, 5.0), 1.2), "binomial": ((9, 0.3), 10),
    "categorical": (([0.2, 0.8],), 2), "chi2": ((3.0,), -1.0), "discrete_uniform": ((0, 9), 10),
    "exponential": ((2.0,), -0.1), "exponweib": ((2.0, 3.0), -0.1), "gamma": ((2.0, 3.0), -0.1),
    "geometric": ((0.3,), 0), "half_cauchy": ((0.0, 1.0), -0.1), "half_normal": ((1.0,), -0.1),
    "hypergeometric": ((4, 5, 9), 5), "inverse_gamma": ((2.0, 3.0), -0.1),
    "lognormal": ((0.0, 1.0), -0.1), "negative_binomial": ((3.0, 2.0), -1),
    "pareto": ((2.0, 3.0), 2.9), "poisson": ((3.0,), -1), "truncated_poisson": ((3.0, 1), 0),
    "truncated_normal": ((0.0, 1.0, -1.0, 2.0), 2.1), "uniform": ((0.0, 1.0), 1.1),
    "weibull": ((2.0, 3.0), -0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", OFF)
def test_no_family_has_a_density_off_its_support(name):
    args, off = OFF[name]
    like = pm.distributions.LIKES[f"{name}_like"]
    assert like(off, *args) == -np.inf
    if isinstance(off, int):
        assert like(abs(off) - 0.5, *args) == -np.inf
