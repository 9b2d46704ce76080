"""Check the graph that is read off a model: parents, children, the printed and the drawn form."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft

SIGMA = np.arange(1.0, 9.0)
COUNTY = ft.groups(["Pine", "Cook", "Pine"])


@ft.model
def centred(y):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfCauchy(5))
    with ft.plate("school", 8):
        theta = ft.sample("theta", ft.Normal(mu, tau))
        ft.sample("y", ft.Normal(theta, SIGMA), obs=y)


@ft.model
def non_centred(y):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfCauchy(5))
    with ft.plate("school", 8):
        z = ft.sample("z", ft.Normal(0, 1))
        theta = ft.deterministic("theta", mu + tau * z)
        ft.sample("y", ft.Normal(theta, SIGMA), obs=y)


@ft.model
def radon(county, floor, y):
    mu = ft.sample("mu", ft.Normal(0, 10))
    sd = ft.sample("sd", ft.HalfNormal(1))
    slope = ft.sample("slope", ft.Normal(0, 10))
    noise = ft.sample("noise", ft.HalfNormal(1))
    with ft.plate("county", county):
        alpha = ft.sample("alpha", ft.Normal(mu, sd))
    with ft.plate("home", len(y)):
        ft.sample("y", ft.Normal(alpha[county] + slope * floor, noise), obs=y)


@ft.model
def three_levels(y):
    top = ft.sample("top", ft.Normal(0, 1))
    with ft.plate("state", 2):
        state = ft.sample("state_effect", ft.Normal(top, 1))
        with ft.plate("county", 3):
            county = ft.sample("county_effect", ft.Normal(state[:, None], 1))
            with ft.plate("home", 4):
                ft.sample("y", ft.Normal(county[..., None], 1), obs=y)


@ft.model
def inner(scale):
    return ft.sample("x", ft.Normal(0, scale))


@ft.model
def nested(y):
    scale = ft.sample("scale", ft.HalfNormal(1))
    x = inner(scale)
    ft.factor("penalty", -jnp.abs(x))
    ft.sample("y", ft.Normal(x, 1), obs=y)


MODELS = {
    "centred": (
        centred(np.zeros(8)),
        {"mu": (), "tau": (), "theta": ("mu", "tau"), "y": ("theta",)},
    ),
    "non-centred": (
        non_centred(np.zeros(8)),
        {"mu": (), "tau": (), "z": (), "theta": ("mu", "tau", "z"), "y": ("theta",)},
    ),
    "radon": (
        radon(COUNTY, np.ones(3), np.zeros(3)),
        {
            "mu": (),
            "sd": (),
            "slope": (),
            "noise": (),
            "alpha": ("mu", "sd"),
            "y": ("alpha", "noise", "slope"),
        },
    ),
    "three levels": (
        three_levels(np.zeros((2, 3, 4))),
        {
            "top": (),
            "state_effect": ("top",),
            "county_effect": ("state_effect",),
            "y": ("county_effect",),
        },
    ),
    "nested": (
        nested(0.0),
        {"scale": (), "inner/x": ("scale",), "penalty": ("inner/x",), "y": ("inner/x",)},
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_parents_are_the_sites_that_a_definition_mentions(name):
    model, parents = MODELS[name]
    assert dict(model.graph().parents) == parents


@pytest.mark.parametrize("name", MODELS)
def test_children_are_the_converse_of_parents(name):
    graph = MODELS[name][0].graph()
    for parent in graph.parents:
        for child in graph.parents:
            assert (child in graph.children(parent)) == (parent in graph.parents[child])


def test_parents_are_found_through_functions_that_jax_compiles_apart():
    @ft.model
    def model():
        a = ft.sample("a", ft.Normal(0, 1))
        b = ft.sample("b", ft.Normal(0, 1))
        either = jnp.where(a > 0, jnp.sort(jnp.stack([a, b]))[0], jnp.linalg.norm(b[None]))
        ft.sample("y", ft.Normal(either, 1), obs=0.0)

    assert model().graph().parents["y"] == ("a", "b")


def test_a_site_that_mentions_no_other_has_no_parents():
    @ft.model
    def model():
        ft.sample("a", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(0, 1), obs=0.0)

    assert model().graph().parents["y"] == ()


@pytest.mark.parametrize("handler", ["condition", "substitute", "intervene"])
def test_a_site_whose_value_is_given_remains_a_parent(handler):
    @ft.model
    def model():
        ft.sample("a", ft.Normal(0, 1))
        x = ft.sample("x", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(x, 1), obs=0.0)

    assert getattr(model(), handler)(x=1.0).graph().parents["y"] == ("x",)


def test_a_model_with_a_factor_prints_its_graph():
    assert "penalty: factor(inner/x)" in str(nested(0.0).graph())


def test_the_printed_graph_indents_sites_by_their_plates():
    assert str(centred(np.zeros(8)).graph()) == (
        "mu ~ Normal\n"
        "tau ~ HalfCauchy\n"
        "plate school(8)\n"
        "  theta ~ Normal(mu, tau)\n"
        "  y ~ Normal(theta) [observed]"
    )


def test_the_printed_graph_nests_plates_and_tells_every_kind_apart():
    printed = str(three_levels(np.zeros((2, 3, 4))).graph())
    assert "plate state(2)\n  state_effect ~ Normal(top)\n  plate county(3)\n" in printed
    assert printed.endswith("    plate home(4)\n      y ~ Normal(county_effect) [observed]")
    fixed = str(non_centred(np.zeros(8)).substitute(mu=0.0).graph())
    assert fixed.startswith("mu ~ Normal [fixed]\n")
    assert "  theta = f(mu, tau, z)" in fixed.splitlines()


def test_a_plate_opened_again_is_printed_again():
    @ft.model
    def model():
        with ft.plate("i", 2):
            x = ft.sample("x", ft.Normal(0, 1))
        total = ft.deterministic("total", x.sum())
        with ft.plate("i", 2):
            ft.sample("y", ft.Normal(total, 1), obs=np.zeros(2))

    assert str(model().graph()).splitlines().count("plate i(2)") == 2


@pytest.mark.parametrize("name", MODELS)
def test_the_drawn_graph_has_every_node_edge_and_plate_once(name):
    model, parents = MODELS[name]
    dot = model.graph().dot()
    assert dot.startswith("digraph {")
    assert dot.count("{") == dot.count("}")
    assert dot.count('"') % 2 == 0
    assert sorted(re.findall(r'^ *"([^"]+)" \[', dot, re.M)) == sorted(parents)
    edges = {(p, c) for c, found in model.graph().parents.items() for p in found}
    assert set(re.findall(r'"([^"]+)" -> "([^"]+)";', dot)) == edges
    plates = {v.plates[: i + 1] for v in model.variables for i in range(len(v.plates))}
    assert len(re.findall(r'subgraph "cluster_', dot)) == len(plates)


def test_the_drawn_graph_shades_what_is_observed():
    dot = centred(np.zeros(8)).graph().dot()
    (line,) = [line for line in dot.splitlines() if line.strip().startswith('"y" [')]
    assert "filled" in line
