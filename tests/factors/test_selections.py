"""Check that selections read what numpy's indexing reads, and add up what is sent to them."""

import jax.numpy as jnp
import numpy as np
import pytest

from finetti import errors
from finetti import factors as fg

X = fg.Variables("x", {"row": 5, "col": 4}, states=3)
SELECTIONS = {
    "all": X.all,
    "rows": X[1:],
    "every other": X[::2, 1::2],
    "transposed": fg.Selection(X, X.all.index.T),
    "column": X[:, 2],
    "single": X[3, 1],
    "new axis": X[:, None, 0],
    "repeated": X[2, :, None].broadcast_to((4, 6)),
    "single repeated": X[3, 1].broadcast_to((7,)),
    "reversed": X[::-1],
    "diagonal": X[np.arange(4), np.arange(4)],
    "listed": X[np.array([0, 3, 3, 1])],
    "listed and repeated": X[np.array([0, 3, 1]), None, 1:3].broadcast_to((3, 5, 2)),
    "one of many": X[np.array([2] * 30 + [3]), 0],
    "none": X[:0],
}
REGULAR = {"all", "rows", "every other", "transposed", "column", "single", "new axis", "repeated"}


@pytest.mark.parametrize("name", SELECTIONS)
def test_reads_and_collects_as_numpy_indexes(name):
    selection, rng = SELECTIONS[name], np.random.default_rng(1)
    values, sent = rng.normal(size=(3, 5, 4)), rng.normal(size=(3, *selection.shape))
    read = np.broadcast_to(selection.read(jnp.asarray(values)), (3, *selection.shape))
    flat = values.reshape(3, -1)
    np.testing.assert_allclose(read, flat[:, selection.index], rtol=1e-6)
    known = np.zeros_like(flat)
    np.add.at(known, (slice(None), selection.index), sent)
    np.testing.assert_allclose(
        selection.collect(jnp.asarray(sent)).reshape(3, -1), known, atol=1e-5
    )
    degrees = np.bincount(selection.index.ravel(), minlength=20)
    np.testing.assert_array_equal(selection.degrees.ravel(), degrees)
    if name in REGULAR:
        assert selection.view is not None


def test_selections_are_equal_where_they_select_alike():
    assert X[1:3] == X[np.array([1, 2])]
    assert hash(X[1:3]) == hash(X[np.array([1, 2])])
    assert X[1:3] != X[2:4]
    assert X[np.array([1, 3, 4])] != X[np.array([1, 3, 2])]


def test_dimensions_select_by_name():
    assert X.isel(col=slice(1, None)) == X[:, 1:]
    with pytest.raises(errors.ModelError, match="no dimension `colour`"):
        X.isel(colour=1)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: fg.Variables("x", {"i": 0}), "dimension `i` has size 0"),
        (lambda: fg.Variables("x", states=0), "states=0"),
        (lambda: fg.Variables("x", {"i": 2}, states=[2, 2, 3]), r"\(2,\).*\(3,\)"),
        (lambda: X[7], "index 7"),
        (lambda: X.observe(3), r"observed in.*from 0 to 2"),
        (
            lambda: fg.Table(X[1:], X, log_potentials=np.zeros((3, 3))),
            r"`x` \(4, 4\).*`x` \(5, 4\)",
        ),
        (lambda: fg.Table(X, log_potentials=np.zeros(2)), r"shape \(2,\); give \(3,\)"),
        (lambda: fg.Table(X, log_potentials=np.full(3, np.nan)), "hold NaN"),
        (lambda: fg.Table(X[0], X[0], log_potentials=np.zeros((3, 3))), r"`x`\[0, 0\] twice"),
        (lambda: fg.Or(X[0], X[1, 0]), "needs two states; `x` has 3"),
        (lambda: fg.Or(fg.Variables("a"), fg.Variables("b")), "has no inputs"),
        (lambda: fg.BoundedShift(X[0], X[1], reach=1, window=(2, 2)), r"3 states.*\(2, 2\) 4"),
        (lambda: fg.BoundedShift(X[0], X[1], reach=-1, window=(3,)), "reach -1"),
        (lambda: fg.Graph(variables=[X, fg.Variables("x")]), "two arrays.*named `x`"),
        (lambda: fg.BeliefPropagation(damping=1.0), "damping is 1.0"),
        (lambda: fg.BeliefPropagation(temperature=-1), "temperature is -1"),
        (lambda: fg.Residual(0.0), "share=0.0"),
        (lambda: fg.Graph(variables=[X]).checked({"x": np.zeros(2)}), r"shape \(2,\).*\(5, 4, 3\)"),
        (lambda: fg.Graph(variables=[X]).checked({"y": np.zeros(2)}), "`y`"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(build, says):
    with pytest.raises(errors.ModelError, match=says):
        build()
