"""Check that a model is answered as it stands, whatever has changed around it since it was read."""

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

FEW = ft.NUTS(draws=100, warmup=50, chains=2)
SLOPE = 2.0
TABLE = np.array([1.0, 2.0])
SETTINGS = {"scale": [1.0, 2.0]}


def times(x):
    return SLOPE * x


@ft.model
def direct(y):
    mu = ft.sample("mu", ft.Normal(0, 10))
    ft.sample("y", ft.Normal(SLOPE * mu, 1), obs=y)


@ft.model
def through_a_function(y):
    mu = ft.sample("mu", ft.Normal(0, 10))
    ft.sample("y", ft.Normal(times(mu), 1), obs=y)


@ft.model
def in_a_lambda(y):
    mu = ft.sample("mu", ft.Normal(0, 10))
    ft.sample("y", ft.Normal((lambda x: SLOPE * x)(mu), 1), obs=y)


@ft.model
def inner():
    return SLOPE * ft.sample("mu", ft.Normal(0, 10))


@ft.model
def nested(y):
    ft.sample("y", ft.Normal(inner(), 1), obs=y)


MODELS = [direct, through_a_function, in_a_lambda, nested]


def centre(posterior):
    name = "inner/mu" if "inner.mu" in posterior.tree["posterior"] else "mu"
    return posterior[name].mean().item()


@pytest.fixture
def steeper(monkeypatch):
    """Return a function that changes what the models read."""
    return lambda: monkeypatch.setitem(globals(), "SLOPE", 5.0)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_a_number_changed_around_a_model_is_read_anew(model, steeper):
    bound = model(10.0)
    before = ft.density(bound).log_density(jnp.array([1.5]))
    steeper()
    fresh = model(10.0)
    values = [ft.density(m).log_density(jnp.array([1.5])) for m in (bound, fresh)]
    assert values[0] == values[1]
    assert values[0] != before


def test_a_fit_answers_with_what_is_there_now(steeper):
    bound = direct(10.0)
    assert abs(centre(ft.fit(bound, FEW, progress=False)) - 5) < 0.5
    steeper()
    assert abs(centre(ft.fit(bound, FEW, progress=False)) - 2) < 0.2


def test_what_is_asked_of_an_older_fit_is_refused_by_name(steeper):
    posterior = ft.fit(direct(10.0), FEW, progress=False)
    ft.predict(posterior, draws=10)
    steeper()
    for verb in (ft.predict, ft.check, ft.loo, lambda p: p.log_likelihood()):
        with pytest.raises(ft.ModelError, match="reads `SLOPE` from around it, changed since"):
            verb(posterior)


@pytest.mark.parametrize("name", ["TABLE", "SETTINGS"])
def test_what_is_changed_in_place_is_seen(name):
    @ft.model
    def reading(y):
        mu = ft.sample("mu", ft.Normal(0, 10))
        ft.sample("y", ft.Normal(TABLE[0] * mu, SETTINGS["scale"][1]), obs=y)

    bound = reading(10.0)
    before = ft.density(bound).log_density(jnp.array([1.5]))
    held = TABLE if name == "TABLE" else SETTINGS["scale"]
    kept = list(held)
    try:
        held[0], held[1] = 7.0, 9.0
        assert bound.plan() is not None
        assert ft.density(bound).log_density(jnp.array([1.5])) != before
    finally:
        held[:] = kept


def test_a_function_written_again_is_no_other():
    """A notebook's cell run twice changes nothing."""

    def made():
        def helper(x):
            return 2 * x

        @ft.model
        def reading(y):
            mu = ft.sample("mu", ft.Normal(0, 10))
            ft.sample("y", ft.Normal(helper(mu), 1), obs=y)

        return reading, helper

    reading, _ = made()
    bound = reading(10.0)
    assert bound.variables
    cell = reading.function.__closure__[0]
    cell.cell_contents = made()[1]
    assert not bound.changed()
    cell.cell_contents = lambda x: 3 * x
    assert bound.changed() == ["helper"]


def test_data_are_those_that_a_model_was_given():
    """Arrays that are changed afterwards change no model: it has copies."""
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])

    @ft.model
    def line(x):
        mu = ft.sample("mu", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu * x, 1))

    bound, fresh = line(x).condition(y=y), line(x.copy()).condition(y=y.copy())
    x[:], y[:] = 100.0, 200.0
    values = [ft.density(m).log_density(jnp.array([0.5])) for m in (bound, fresh)]
    assert values[0] == values[1]


def test_a_model_that_changes_its_data_is_refused():
    @ft.model
    def centring(x):
        x -= x.mean()
        mu = ft.sample("mu", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu * x, 1), obs=np.zeros(2))

    with pytest.raises(ft.ModelError, match=r"model `centring` changes its data in place"):
        centring(np.array([1.0, 2.0])).plan()


def test_what_a_model_changes_itself_tells_nothing():
    calls = []

    @ft.model
    def counting(y):
        calls.append(1)
        mu = ft.sample("mu", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu, 1), obs=y)

    bound = counting(1.0)
    assert bound.plan().program is bound.plan().program
    assert len(calls) == 2
    assert not bound.changed()
