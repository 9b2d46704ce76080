"""Check that a program's statements are written as a book would write them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
import zoo
from finetti.structure.notation import LONGEST, Notation

X = np.linspace(-1, 1, 12)
GROUP = ft.groups(np.repeat(np.arange(3), 4))


@ft.model
def statements():
    a = ft.sample("a", ft.Normal(0, 5))
    b = ft.sample("b", ft.StudentT(4, a, 2.5).expand([2]))
    s = ft.sample("s", ft.Uniform(0.5, 3))
    ft.sample("p", ft.Beta(2, 3))
    ft.sample("w", ft.Dirichlet(jnp.array([1.0, 2.0, 3.0])))
    with ft.plate("group", GROUP):
        g = ft.sample("g", ft.Normal(a, s))
        z = ft.sample("z", ft.Bernoulli(0.3))
    ft.deterministic("sum", a + s)
    ft.deterministic("order", a - (s - a) - 2 * (a + s) / s)
    ft.deterministic("power", -jnp.exp(a) * s**2 + jnp.log(s))
    ft.deterministic("inverse", jax.nn.sigmoid(a))
    ft.deterministic("element", b[1] * a)
    ft.deterministic("long", sum(jnp.sin(a * i + s) for i in range(1, 9)))
    ft.deterministic("folded", jnp.sum(g**2) + a)
    ft.deterministic("product", X.reshape(6, 2) @ b)
    with ft.plate("row", 12):
        ft.sample("y", ft.Normal(a + s * g[GROUP] + b[0] * X, s))
        ft.sample("n", ft.Binomial(10, logits=g[GROUP]))
        ft.sample("c", ft.Poisson(jnp.exp(b[z[GROUP]])))
    ft.factor("penalty", -s * a)


MODEL = statements().condition(y=X, n=np.ones(12, int), c=np.ones(12, int))


@pytest.mark.parametrize(
    ("site", "written"),
    [
        ("a", "Normal(0, 5)"),
        ("b", "StudentT(4, a, 2.5)"),
        ("s", "Uniform(0.5, 3)"),
        ("p", "Beta(2, 3)"),
        ("w", "Dirichlet([1, 2, 3])"),
        ("g", "Normal(a, s)"),
        ("z", "Bernoulli(0.3)"),
        ("sum", "a + s"),
        ("order", "a - (s - a) - 2 * (a + s) / s"),
        ("power", "-exp(a) * s^2 + log(s)"),
        ("inverse", "sigmoid(a)"),
        ("element", "b[1] * a"),
        ("long", "f(a, s)"),
        ("folded", "f(g) + a"),
        ("product", "data @ b"),
        ("y", "Normal(a + s * g[group] + b[0] * data, s)"),
        ("n", "Binomial(10, logits=g[group])"),
        ("c", "Poisson(exp(b[z]))"),
        ("penalty", "-s * a"),
    ],
)
def test_a_statement_is_written_as_it_was_meant(site, written):
    plan = MODEL.plan()
    (variable,) = [v for v in plan.variables if v.name == site]
    assert Notation(plan.program, plan.variables).of(variable) == written


@pytest.mark.parametrize("name", ["low_dim_gauss_mix", "hmm_example", "growth", "raters"])
def test_every_statement_mentions_no_more_than_its_parents(name):
    plan = zoo.MODELS[name]().plan()
    notation = Notation(plan.program, plan.variables)
    for v in plan.variables:
        text = notation.of(v)
        assert len(text) <= len(v.family) + 2 + 4 * LONGEST
        for other in plan.variables:
            if other.name in text.replace("(", " ").replace(")", " ").replace(",", " ").split():
                assert other.name in plan.graph.parents[v.name]
