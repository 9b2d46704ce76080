"""Check what notebooks show: whole HTML that is escaped, tables with heads, reprs of one line."""

import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import finetti as ft
from finetti.criticism.checking.checked import Check
from finetti.hypertext.html import grid, is_number
from finetti.hypertext.table import Table
from finetti.inference.progress import Cell, Line, show
from finetti.posterior.finding import Advice, Finding
from reporting.made_runs import posterior as made

NASTY = "<script>alert('&')</script>"
EMPTY = {"br", "path", "rect", "ellipse"}


class Reader(HTMLParser):
    """Read HTML strictly: what is opened is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.words.append(text)


def accessible(text):
    """Read HTML, and hold it to what screen readers need."""
    found = Reader(text)
    assert "script" not in found.tags
    heads = [a for tag, a in found.attributes if tag == "th"]
    assert all(a.get("scope") in ("col", "row") for a in heads)
    assert found.tags.count("table") <= len([a for a in heads if a["scope"] == "col"])
    pictures = [a for tag, a in found.attributes if tag == "svg"]
    assert all(a["role"] == "img" and a["aria-label"] for a in pictures)
    return found


@ft.model
def apples(y, box):
    """Weigh apples in boxes."""
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfNormal(2))
    with ft.plate("box", box):
        true = ft.sample("true", ft.Normal(mu, tau))
    with ft.plate("apple", len(y)):
        ft.sample("y", ft.Normal(true[box], 1), obs=y)


@pytest.fixture(scope="module")
def posterior():
    random = np.random.default_rng(0)
    box = ft.groups([NASTY, "B", "C", "D"] * 6)
    y = random.normal(3, 1, 24) + np.arange(4)[np.asarray(box)]
    method = ft.NUTS(draws=300, warmup=300, chains=2)
    return ft.fit(apples(y, box), method, seed=1, progress=False)


@pytest.fixture(scope="module")
def results(posterior):
    """Hold what a user gets in hand, by name."""
    other = replace(posterior, model=posterior.model.named("others"))
    scores = ft.loo(posterior)
    return {
        "model": posterior.model,
        "model without data": apples,
        "plan": posterior.model.plan(),
        "graph": posterior.model.graph(),
        "posterior": posterior,
        "summary": posterior.table(rows=2),
        "advice": posterior.advice(),
        "bad advice": Advice((Finding("odd", ("mu",), f"{NASTY} is odd."),)),
        "check": ft.check(posterior, groups="box"),
        "scores": scores,
        "comparison": ft.compare(scores, ft.loo(other)),
        "sensitivity": ft.sensitivity(posterior),
        "ranking": ft.rank(posterior, "box"),
        "probability": posterior.probability("mu > tau"),
        "contrast": posterior.contrast("mu - tau", rope=1),
        "predictions": ft.Posterior(ft.predict(posterior, draws=20)),
    }


NAMES = (
    "model", "model without data", "plan", "graph", "posterior", "summary", "advice", "bad advice",
    "check", "scores", "comparison", "sensitivity", "ranking", "probability", "contrast",
    "predictions",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_is_whole_escaped_and_can_be_read_out(results, name):
    html = results[name]._repr_html_()
    accessible(html)
    assert "<script" not in html


@pytest.mark.parametrize("name", NAMES)
def test_a_repr_is_short_and_dumps_nothing(results, name):
    said = repr(results[name])
    assert len(said) <= 1000
    for dumped in ("array(", "lambda", "Dataset", "DataTree", "object at", "{ lambda", "jaxpr"):
        assert dumped not in said
    if name not in ("summary", "contrast"):
        assert "\n" not in said


def test_other_results_have_short_reprs_as_well(posterior, results):
    held = [posterior.learned, results["check"].outcomes[0], *results["check"].pits]
    assert all("array(" not in repr(found) and len(repr(found)) < 200 for found in held)
    assert len(repr(posterior.model.plan().program)) < 200


def test_a_plan_shows_the_graph_and_the_reasons(posterior):
    found = accessible(posterior.model.plan()._repr_html_())
    assert "svg" in found.tags
    assert {"mu", "tau", "true", "y", "integrate out"} <= set(found.words)
    assert any(a.get("stroke-dasharray") for _, a in found.attributes)


def test_the_drawn_graph_has_every_site_arrow_and_plate(posterior):
    graph = posterior.model.graph()
    found = accessible(graph._repr_html_())
    assert found.tags.count("ellipse") == 4
    arrows = [a for tag, a in found.attributes if tag == "path" and "marker-end" in a]
    assert len(arrows) == sum(map(len, graph.parents.values()))
    assert {"box(4)", "apple(24)"} <= set(found.words)
    label = next(a["aria-label"] for tag, a in found.attributes if tag == "svg")
    assert "true (Normal) from mu, tau" in label


def test_two_graphs_in_one_page_have_their_own_arrow_tips(posterior):
    graph = posterior.model.graph()
    ids = [a["id"] for tag, a in Reader(graph.svg() + graph.svg()).attributes if tag == "marker"]
    assert len(set(ids)) == 2


def test_a_model_that_cannot_be_run_says_why():
    @ft.model
    def broken():
        ft.sample("x", ft.Normal(0, -1))

    found = accessible(broken()._repr_html_())
    assert any("It cannot be drawn" in text for text in found.words)


def test_a_posterior_shows_its_illness_before_its_numbers():
    ill = made(chains=2, draws=100, mu=np.repeat([[0.0], [9.0]], 100, 1))
    html = ill._repr_html_()
    assert html.index("<li>") < html.index("<table>")


def test_many_numbers_are_named_and_not_computed():
    html = made([f"m{i}" for i in range(30_000)], draws=2, chains=1)._repr_html_()
    assert "<table" not in html
    assert "theta: school" in html


def test_a_passed_check_says_so():
    found = Check((), (), made().tree)
    assert "reproduces all 0 quantities" in found._repr_html_()
    assert repr(found) == "<check of 0 quantities: passed>"


@pytest.mark.parametrize(
    "cell", ["1", "-1.5", "1,200", "2.0  14.3", "1e-9", "", "nan", "> 0.99", "5%"]
)
def test_numbers_are_told_from_words(cell):
    assert is_number(cell)


@pytest.mark.parametrize("cell", ["mu", "1 apple", "2001-02-03", "a 1", "-", "1.5.2x"])
def test_words_are_told_from_numbers(cell):
    assert not is_number(cell)


def test_tables_of_no_rows_and_of_one_are_shown():
    assert not grid(("a",), [])
    assert str(Table(("", "x"), [])).strip() == "x"
    accessible(Table(("", "x"), [("a", "1")], "caption")._repr_html_())


class Handle:
    """Stand for what IPython's display returns: it remembers what it was told to show."""

    def __init__(self, shown):
        self.shown = [shown]

    def update(self, shown):
        self.shown.append(shown)


def displayed():
    """Return a display like IPython's, and the handles it made."""
    handles = []

    def display(shown, display_id):
        assert display_id is True
        handles.append(Handle(shown))
        return handles[-1]

    return display, handles


def test_progress_in_a_notebook_is_one_line_a_phase_that_is_written_anew(posterior):
    display, handles = displayed()
    method = ft.NUTS(draws=300, warmup=300, chains=2)
    with_bars = ft.fit(posterior.model, method, seed=1, progress=Cell(display, every=0.0))
    assert len(handles) == 2
    for handle in handles:
        assert len(handle.shown) > 1
        assert all("\n" not in repr(line) for line in handle.shown)
    last = repr(handles[1].shown[-1])
    assert last.startswith("sampling 600 draws, 0 divergences")
    assert "R-hat" in last
    accessible(handles[1].shown[-1]._repr_html_())
    np.testing.assert_array_equal(with_bars["mu"], posterior["mu"])


def test_progress_is_written_no_more_often_than_asked(posterior):
    display, handles = displayed()
    method = ft.NUTS(draws=300, warmup=300, chains=2)
    ft.fit(posterior.model, method, seed=1, progress=Cell(display, every=1e9))
    assert [len(handle.shown) for handle in handles] == [2, 2]


def test_a_notebook_is_known_where_it_is_one(monkeypatch):
    import rich.console

    display, _ = displayed()
    module = type(sys)("IPython.display")
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setitem(sys.modules, "IPython", type(sys)("IPython"))
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    with show(True) as found:
        assert isinstance(found, Cell)
    assert repr(Line("a < b")) == "a < b"


def test_showing_brings_in_no_picture():
    program = """
import sys
import finetti as ft
@ft.model
def coin():
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("heads", ft.Binomial(10, p), obs=7)
assert "svg" in coin()._repr_html_() and "svg" in coin().plan()._repr_html_()
assert not {"matplotlib", "pandas", "rich"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
