"""Check PyMC2's common deterministics, numpy's functions of nodes, and the graph it writes."""

import jax
import numpy as np
import pytest
from scipy import stats

from finetti.dialects import pymc2 as pm


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)  # noqa: NPY002 - what PyMC2 programs seed


def test_a_dirichlet_is_completed():
    p = pm.Dirichlet("p", theta=np.ones(3), value=[0.2, 0.3])
    whole = pm.CompletedDirichlet("whole", p)
    np.testing.assert_allclose(whole.value, [[0.2, 0.3, 0.5]])
    model = pm.MCMC([p, whole, pm.Multinomial("n", 4, whole, value=[[1, 1, 2]], observed=True)])
    known = stats.dirichlet([1, 1, 1]).logpdf([0.2, 0.3, 0.5])
    known += stats.multinomial(4, [0.2, 0.3, 0.5]).logpmf([1, 1, 2])
    assert model.logp == pytest.approx(known)
    with jax.enable_x64(True):
        position = jax.numpy.asarray(model.position())
        assert float(model.density.log_density(position)) == pytest.approx(known)
    model.sample(50)
    assert model.trace("whole")[:].shape == (50, 1, 3)
    np.testing.assert_allclose(model.trace("whole")[:].sum(-1), 1)


def test_combinations_follow_their_parents():
    a, b = pm.Normal("a", 0, 1, value=2.0), pm.Normal("b", [0, 0], 1, value=[1.0, 3.0])
    z = pm.LinearCombination("z", [a, b], [3.0, np.array([1.0, 2.0])])
    assert float(z.value) == 13.0
    k = pm.DiscreteUniform("k", 0, 1, value=1)
    chosen = pm.Index("chosen", [a, 7.0], k)
    assert float(chosen.value) == 7.0
    k.value = 0
    assert float(chosen.value) == 2.0
    y = pm.Normal("y", z + chosen, 1.0, value=0.0, observed=True)
    model = pm.Model([a, b, z, k, chosen, y])
    with jax.enable_x64(True):
        found = float(model.density.log_density(jax.numpy.asarray(model.position())))
    assert found == pytest.approx(model.logp)
    assert y.logp == pytest.approx(stats.norm.logpdf(0, 15, 1))
    with pytest.raises(ValueError, match="1 elements in x and 2 in y"):
        pm.LinearCombination("z", [a], [1.0, 2.0])


def test_numpys_functions_make_deterministics_of_nodes_alone():
    x = pm.Normal("x", [0.0, 0.0], 1.0, value=[1.0, 2.0])
    made = pm.exp(x)
    assert isinstance(made, pm.Deterministic)
    np.testing.assert_allclose(made.value, np.exp([1, 2]))
    assert pm.sum(x).value == 3
    assert pm.sum(i for i in range(4)) == 6
    assert not isinstance(pm.log(2.0), pm.Deterministic)
    assert pm.arctan2(x, 1.0).__name__ == "arctan2(x, 1.0)"
    y = pm.Normal("y", pm.exp(x), 1.0, value=[0.0, 0.0], observed=True)
    assert y.logp == pytest.approx(stats.norm(np.exp([1, 2]), 1).logpdf(0).sum())


def test_odds_are_turned_round():
    p = pm.Beta("p", 1, 1, value=0.3)
    odds = pm.Logit("odds", p)
    assert float(odds.value) == pytest.approx(np.log(0.3 / 0.7))
    assert float(pm.InvLogit("back", odds).value) == pytest.approx(0.3)


def test_everything_that_a_star_brings_is_there():
    brought = {}
    exec("from finetti.dialects.pymc2 import *", brought)
    assert brought["Inf"] == brought["inf"] == np.inf
    assert {"Slicer", "Gibbs", "CompletedDirichlet", "rbetabin", "truncated_pareto_like"} <= set(
        brought
    )


@pytest.mark.parametrize(
    ("name", "parameters", "value", "known"),
    [
        ("Betabin", (2.0, 5.0, 9), 4, stats.betabinom(9, 2, 5).logpmf(4)),
        ("TruncatedPareto", (3.0, 2.0, 5.0), 2.5,
         np.log(3 * 2**3 / 2.5**4 / (1 - (2 / 5) ** 3))),
    ],
)  # fmt: skip
def test_further_distributions_have_pymc2s_density(name, parameters, value, known):
    node = getattr(pm, name)("x", *parameters, value=value, observed=True)
    assert node.logp == pytest.approx(float(known))
    drawn = getattr(pm, name)("z", *parameters)
    for _ in range(3):
        drawn.random()
        assert np.isfinite(drawn.logp)


def test_draws_are_of_the_distribution_also_where_they_are_compiled():
    many = pm.rtruncnorm(1.0, 4.0, 0.0, 2.0, size=4000)
    law = stats.truncnorm(-2, 2, 1, 0.5)
    assert abs(many.mean() - law.mean()) < 4 * law.std() / np.sqrt(4000)
    assert pm.rhypergeometric(5, 6, 20) in range(6)
    assert pm.rmultinomial(4, [0.2, 0.3, 0.5]).sum() == 4


def graphed():
    mu = pm.Normal("mu", 0, 1, value=0.0)
    twice = pm.Lambda("twice", lambda mu=mu: 2 * mu)
    other = pm.Normal("other", 0, 1, value=0.0)
    y = pm.Normal("y", twice, 1.0, value=1.0, observed=True)

    @pm.potential
    def near(mu=mu, other=other):
        return -((mu - other) ** 2)

    return pm.Model([mu, twice, other, y, near], name="small")


def test_a_graph_is_written_for_graphviz(tmp_path):
    text = pm.graph.dag(graphed(), path=tmp_path)
    assert (tmp_path / "small.dot").read_text() == text
    for line in (
        '"mu" [shape=ellipse];', '"twice" [shape=invtriangle];', '"near" [shape=box];',
        '"y" [shape=ellipse, style=filled];', '"mu" -> "twice" [label="mu"];',
        '"twice" -> "y" [label="mu"];',
    ):  # fmt: skip
        assert line in text
    plain = pm.graph.graph(
        graphed(), path=tmp_path, name="other", collapse_deterministics=True,
        collapse_potentials=True,
    )  # fmt: skip
    assert "twice" not in plain
    assert '"mu" -> "y";' in plain
    assert '"mu" -> "other" [arrowhead=none];' in plain
    assert '"1.0" -> "y"' in pm.graph.dag(graphed(), path=tmp_path, consts=True)
    moral = pm.graph.moral_graph(graphed(), path=tmp_path)
    assert '"mu" -> "y" [arrowhead=none];' in moral
    with pytest.raises(ValueError, match=r"dot -Tpdf small\.dot"):
        pm.graph.dag(graphed(), format="pdf", path=tmp_path)


JOINED = {
    "concatenate": lambda a, b: np.concatenate([a, b]),
    "a number after": lambda a, b: np.concatenate([a, b[:1]]),
    "a sum after": lambda a, b: np.concatenate([a, np.reshape(1 - np.sum(b), (1,))]),
    "hstack": lambda a, b: np.hstack((a, b[:1])),
    "vstack": lambda a, b: np.vstack([a, b]),
    "append": lambda a, b: np.append(a, b[0]),
    "stack": lambda a, b: np.stack([a, b], axis=1),
    "column_stack": lambda a, b: np.column_stack([a, b]),
    "array": lambda a, b: np.array([a[0], b[1], 3.0]),
    "array of rows": lambda a, b: np.array([a, b]),
    "select": lambda a, b: np.select([a > 1, b > 1], [a, b], 0.0),
    "sum of a list": lambda a, b: np.sum([a, b], axis=0),
    "where": lambda a, b: np.where(a > 1, a, b),
    "a list of unequal parts": lambda a, b: np.concatenate([np.ravel(x) for x in (a, b[0])]),
}  # fmt: skip


@pytest.mark.parametrize("name", JOINED)
def test_arrays_are_joined_as_numpy_joins_them(name):
    """What a function gives inside the compiled density is what it gives outside."""
    a, b = pm.Normal("a", [0, 0], 1, value=[1.5, -0.5]), pm.Normal("b", [0, 0], 1, value=[0.3, 2.0])
    made = pm.Deterministic(JOINED[name], "made", {"a": a, "b": b})
    model = pm.MCMC([a, b, made])
    model.use_step_method(pm.NoStepper, [a, b])
    model.sample(1)
    np.testing.assert_allclose(model.trace("made")[0], made.value)


def test_a_list_of_parts_of_different_shapes_keeps_them():
    a, b = pm.Normal("a", 0, 1, value=1.5), pm.Normal("b", [0, 0], 1, value=[0.3, 2.0])
    both = pm.Deterministic(lambda a, b: [2 * a, b], "both", {"a": a, "b": b}, trace=False)
    total = pm.Lambda("total", lambda both=both: both[0] + both[1].sum())
    model = pm.MCMC([a, b, both, total])
    model.use_step_method(pm.NoStepper, [a, b])
    model.sample(1)
    assert float(model.trace("total")[0]) == pytest.approx(5.3)
    nodes = np.empty(2, object)
    nodes[:] = [a, b]
    value = pm.Container(nodes).value
    assert float(value[0]) == 1.5
    np.testing.assert_array_equal(value[1], [0.3, 2.0])
