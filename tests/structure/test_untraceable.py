"""Check that a model's line that cannot be traced is named, with what to write instead."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pandas as pd
import pytest

import finetti as ft

PROBS = np.array([0.2, 0.8])


@ft.model
def numpy_table():
    z = ft.sample("z", ft.Categorical(probs=jnp.full(2, 0.5)))
    ft.sample("y", ft.Bernoulli(PROBS[z]), obs=1)


@ft.model
def numpy_function():
    x = ft.sample("x", ft.Normal(0, 1))
    ft.sample("y", ft.Poisson(np.exp(x)), obs=1)


@ft.model
def listed_table():
    z = ft.sample("z", ft.Categorical(probs=jnp.full(2, 0.5)))
    ft.sample("y", ft.Bernoulli([0.2, 0.8][z]), obs=1)


@ft.model
def branch():
    x = ft.sample("x", ft.Normal(0, 1))
    ft.sample("y", ft.Bernoulli(0.2 if x > 0 else 0.8), obs=1)


@ft.model
def mask():
    with ft.plate("row", 3):
        x = ft.sample("x", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(x[x > 0].sum(), 1), obs=1)


@ft.model
def plain_number():
    x = ft.sample("x", ft.Normal(0, 1))
    ft.sample("y", ft.Normal(float(x), 1), obs=1)


@ft.model
def filled_array():
    x = ft.sample("x", ft.Normal(0, 1))
    both = np.zeros(2)
    both[0] = x
    ft.sample("y", ft.Normal(both, 1), obs=[1, 2])


@ft.model
def changed_array():
    x = ft.sample("x", ft.Normal(0, 1).expand([2]))
    x[0] = 3.0


@ft.model
def text():
    x = ft.sample("x", ft.Normal(0, 1))
    ft.sample(f"y{x:.1f}", ft.Normal(0, 1))


@ft.model
def column():
    ft.sample("x", ft.Normal(0, 1)).fillna(0)


@ft.model
def broadcast():
    ft.deterministic("z", ft.sample("x", ft.Normal(0, 1).expand([3])) + np.ones(4))


@ft.model
def stranger():
    ft.sample("y", ft.Normal(numpyro.sample("x", ft.Normal(0, 1)), 1), obs=1)


class InNumpy(ft.Distribution):
    """Have a density that numpy computes."""

    support = ft.constraints.real

    def log_prob(self, value):
        """Return the log density."""
        return -np.square(np.exp(value))


@ft.model
def own_law():
    ft.sample("x", InNumpy())


@ft.model
def table():
    z = ft.sample("z", ft.Categorical(probs=jnp.full(2, 0.5)))
    ft.sample("y", ft.Bernoulli(jnp.asarray(PROBS)[z]), obs=1)


@pytest.mark.parametrize(
    ("model", "written", "remedy"),
    [
        (numpy_table, "PROBS[z]", "jnp.asarray(table)[z]"),
        (numpy_function, "np.exp(x)", "jnp.exp instead of np.exp"),
        (listed_table, "[0.2, 0.8][z]", "jnp.asarray(table)[z]"),
        (branch, "0.2 if x > 0 else 0.8", "jnp.where(condition, a, b)"),
        (mask, "x[x > 0]", "jnp.where(mask, x, 0)"),
        (plain_number, "float(x)", "leave it an array"),
        (filled_array, "both[0] = x", "jnp.zeros(n).at[i].set(a)"),
        (changed_array, "x[0] = 3.0", "x.at[i].set(a)"),
        (text, 'f"y{x:.1f}"', "what is known"),
        (column, ".fillna(0)", "compute with jax.numpy"),
        (broadcast, "+ np.ones(4)", "incompatible shapes for broadcasting: (3,), (4,)"),
        (stranger, "numpyro.sample(", "write ft.sample"),
        (own_law, "np.exp(value)", "jnp.exp instead of np.exp"),
    ],
    ids=lambda part: getattr(part, "name", None),
)
def test_the_line_is_named_with_what_to_do(model, written, remedy):
    with pytest.raises(ft.ModelError) as refused:
        model().plan()
    said = str(refused.value)
    assert "of test_untraceable.py" in said
    assert written in said
    assert remedy in said
    assert refused.value.__cause__ is not None


def test_an_error_of_the_model_itself_is_left_alone():
    def failing(x):
        raise ValueError("of my own")

    for run in (failing, jax.vmap(failing)):
        with pytest.raises(ValueError, match="of my own") as raised:
            ft.Model(lambda run=run: run(jnp.ones(2)), "failing")().plan()
        assert type(raised.value) is ValueError


def test_a_distribution_without_a_density_is_named():
    @ft.model
    def one():
        ft.sample("x", type("Bare", (ft.Distribution,), {"support": ft.constraints.real})())

    with pytest.raises(ft.ModelError, match=r"`x`: Bare has no density.*log_prob"):
        one().plan()


def test_statements_of_numpyro_are_refused():
    @ft.model
    def in_plate():
        with numpyro.plate("row", 3):
            ft.sample("x", ft.Normal(0, 1))

    @ft.model
    def with_factor():
        numpyro.factor("far", -(ft.sample("x", ft.Normal(0, 1)) ** 2))

    with pytest.raises(ft.ModelError, match="`x` stands in numpyro's plate `row`"):
        in_plate().plan()
    with pytest.raises(ft.ModelError, match=r"write ft\.factor"):
        with_factor().plan()


def test_a_table_that_is_read_by_names_is_refused_by_its_argument():
    rows = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 2.0]})
    made = ft.Model(lambda rows: ft.deterministic("z", rows["x"]) is None, "named")
    with pytest.raises(ft.ModelError, match=r"argument `rows` is a table of numbers.*as a dict"):
        made(rows).plan()


def test_arguments_are_checked_in_finettis_words_where_a_model_just_runs():
    @ft.model
    def flat():
        ft.sample("y", ft.Normal(0, jnp.exp(-1000.0)))

    with pytest.raises(ft.SupportError, match="`y`: Normal has scale = 0"):
        flat().trace(0)


def test_what_the_remedy_says_is_understood():
    assert [v.name for v in table().variables] == ["z", "y"]
