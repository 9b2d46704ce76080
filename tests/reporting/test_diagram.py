"""Check the drawn graph: every site, arrow and plate is there, and nothing covers another."""

from functools import cache
from itertools import combinations

import numpy as np
import pytest
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch

import finetti as ft
import zoo
from finetti.hypertext.layers import Layers
from finetti.hypertext.layout import GAP, HEIGHT, Layout
from finetti.reporting import plots

SIGMA = np.arange(1.0, 9.0)


@ft.model
def schools():
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfCauchy(5))
    with ft.plate("school", 8):
        eta = ft.sample("eta", ft.Normal(0, 1))
        theta = ft.deterministic("theta", mu + tau * eta)
        ft.sample("y", ft.Normal(theta, SIGMA), obs=SIGMA)


@ft.model
def coin():
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("heads", ft.Binomial(10, p), obs=7)


@ft.model
def lone():
    ft.sample("x", ft.Normal(0, 1))


@ft.model
def levels():
    top = ft.sample("a_name_as_long_as_some_people_like_them", ft.Normal(0, 1))
    with ft.plate("state", 2):
        state = ft.sample("state_effect", ft.Normal(top, 1))
        with ft.plate("county", 3):
            county = ft.sample("county_effect", ft.Normal(state[:, None], 1))
    with ft.plate("home", 6):
        ft.sample("y", ft.Normal(county.reshape(6) + top, 1), obs=np.zeros(6))
    ft.factor("penalty", -(state.sum() ** 2))


MODELS = {"schools": schools(), "coin": coin(), "one site": lone(), "levels": levels()}


def patches(figure, kind=object):
    return {p.get_gid(): p for p in figure.axes[0].patches if isinstance(p, kind)}


@pytest.mark.parametrize("name", MODELS)
def test_every_site_arrow_and_plate_is_drawn_once(name):
    model = MODELS[name]
    found = model.graph()
    figure = plots.graph(model)
    edges = {f"{p} -> {c}" for c, parents in found.parents.items() for p in parents}
    titles = {f"plate {p}" for v in found.variables for p in v.plates}
    assert set(patches(figure)) == {v.name for v in found.variables} | edges | titles
    assert len(figure.axes[0].patches) == len(patches(figure))
    written = {text.get_text() for text in figure.axes[0].texts}
    assert written >= {v.name for v in found.variables}
    assert written >= {str(p) for v in found.variables for p in v.plates}


def test_a_graph_draws_as_its_model_does():
    assert patches(plots.graph(schools().graph())).keys() == patches(plots.graph(schools())).keys()


def test_kinds_of_sites_look_different():
    drawn = patches(plots.graph(schools().substitute(tau=1.0)))
    assert isinstance(drawn["mu"], Ellipse)
    assert isinstance(drawn["theta"], FancyBboxPatch)
    assert drawn["tau"].get_linestyle() == ":"
    white, shaded = drawn["mu"].get_facecolor(), drawn["y"].get_facecolor()
    assert white == (1, 1, 1, 1)
    assert 0.5 < shaded[0] < 0.95
    assert max(patches(plots.graph(levels()))["penalty"].get_facecolor()[:3]) < 0.2


def caption(figure):
    return figure.axes[0].texts[-1].get_text()


def test_what_a_plan_takes_out_is_dashed_and_what_it_centres_has_a_double_line():
    plan = zoo.MODELS["zero_inflated_groups"]().plan()
    figure = plots.graph(plan)
    drawn = patches(figure)
    dashed = {n for n, p in patches(figure, Ellipse).items() if p.get_linestyle() != "-"}
    assert dashed == {"z"}
    assert {name for name in drawn if name.endswith(" centred")} == {"level centred"}
    assert "dashed: sum out" in caption(figure)
    assert "double: centre" in caption(figure)


def test_a_plan_that_changes_nothing_is_drawn_as_its_model():
    plan = zoo.MODELS["schools"]().plan()
    drawn, plain = plots.graph(plan.as_written()), plots.graph(plan.graph)
    assert patches(drawn).keys() == patches(plain).keys()
    assert caption(drawn) == caption(plain)
    assert "dashed: integrate out" in caption(plots.graph(plan))


def test_the_language_of_graphviz_has_the_plans_marks():
    lines = zoo.MODELS["zero_inflated_groups"]().plan().dot().splitlines()
    assert [line.split('"')[1] for line in lines if "style=dashed" in line] == ["z"]
    assert [line.split('"')[1] for line in lines if "peripheries=2" in line] == ["level"]
    assert "dashed" not in zoo.MODELS["zero_inflated_groups"]().graph().dot()


def test_the_bends_of_long_edges_are_on_the_paper():
    figure = plots.graph(zoo.MODELS["hidden_chain"]().graph())
    (left, right), arrows = figure.axes[0].get_xlim(), patches(figure, FancyArrowPatch)
    places = np.concatenate([arrow._path_original.vertices[:, 0] for arrow in arrows.values()])
    assert left < places.min() < places.max() < right


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_clipped_and_names_fit_their_nodes(name):
    figure = plots.graph(MODELS[name])
    figure.draw_without_rendering()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1
        node = patches(figure).get(text.get_text())
        if node is not None:
            around = node.get_window_extent()
            assert around.x0 < box.x0 < box.x1 < around.x1


@pytest.mark.parametrize("name", MODELS)
def test_arrows_end_at_the_top_of_the_child(name):
    figure = plots.graph(MODELS[name])
    drawn = patches(figure)
    for gid, arrow in patches(figure, FancyArrowPatch).items():
        parent, child = (drawn[end].get_extents() for end in gid.split(" -> "))
        path = figure.axes[0].transData.transform(arrow._path_original.vertices)
        np.testing.assert_allclose(path[0], [(parent.x0 + parent.x1) / 2, parent.y0], atol=2)
        np.testing.assert_allclose(path[-1], [(child.x0 + child.x1) / 2, child.y1], atol=2)


@cache
def random_layout(seed):
    """Return the layout of a random graph of 12 sites in nested plates."""
    random = np.random.default_rng(seed)
    paths = [(), ("a",), ("a", "b"), ("c",), ("c", "b"), ("a", "b", "d")]
    names = [f"s{i}" for i in range(12)]
    plates = {name: paths[random.integers(len(paths))] for name in names}
    parents = {
        name: tuple(n for n in names[:i] if random.uniform() < 0.25) for i, name in enumerate(names)
    }
    widths = {name: random.uniform(0.8, 2.5) for name in names}
    widths |= {path: random.uniform(0.5, 1.5) for path in paths[1:]}
    return Layout(Layers(parents, plates), widths)


def apart(a, b):
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def within(a, b):
    return b[0] < a[0] and b[1] < a[1] and a[2] < b[2] and a[3] < b[3]


@pytest.mark.parametrize("seed", range(8))
def test_any_graph_is_laid_out_without_overlaps(seed):
    layout = random_layout(seed)
    layers, widths = layout.layers, layout.widths
    for child, parents in layers.parents.items():
        assert all(layers.row[parent] < layers.row[child] for parent in parents)
    nodes = {}
    for name in layers.parents:
        x, y = layout.x[name], layout.y[layers.row[name]]
        half = widths[name] / 2
        nodes[name] = (x - half, y - HEIGHT / 2, x + half, y + HEIGHT / 2)
    for a, b in combinations(nodes, 2):
        assert apart(nodes[a], nodes[b]), (a, b)
    boxes = {box: layout.rectangle(box) for box in layers.boxes}
    for box, corners in boxes.items():
        for name, node in nodes.items():
            inside = name in layers.members(box)
            assert within(node, corners) if inside else apart(node, corners), (box, name)
    for a, b in combinations(boxes, 2):
        if a == b[: len(a)]:
            assert within(boxes[b], boxes[a])
        else:
            assert apart(boxes[a], boxes[b]), (a, b)


@pytest.mark.parametrize("seed", range(8))
def test_bends_keep_clear_of_nodes(seed):
    layout = random_layout(seed)
    layers, widths = layout.layers, layout.widths
    for node, row in layers.row.items():
        if not isinstance(node, str):
            for name in layers.parents:
                if layers.row[name] == row:
                    away = abs(layout.x[node] - layout.x[name])
                    assert away >= widths[name] / 2 + GAP - 1e-9
