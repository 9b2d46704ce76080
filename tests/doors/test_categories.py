"""Check that a category is nowhere taken for a number, and keeps its names and their order."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pytest
from cases import Refused

import finetti as ft

GRADE = ft.groups(["low", "high", "mid", "low"])
ALPHA, TABLE = np.array([10.0, 20.0, 30.0]), np.arange(6.0).reshape(3, 2)
WORDS = ("'high', 'low', 'mid'", "a group is a name, not a number", "group.codes", "alpha[group]")

ARITHMETIC = {
    "a slope": lambda b: b * GRADE,
    "a slope, turned": lambda b: GRADE * b,
    "a sum": lambda b: b + GRADE,
    "a difference": lambda b: GRADE - b,
    "a quotient": lambda b: GRADE / b,
    "a power": lambda b: b**GRADE,
    "a remainder": lambda b: GRADE % b,
    "a sign": lambda b: -GRADE + b,
    "one row": lambda b: GRADE[0] * b,
    "some rows": lambda b: GRADE[1:] * b,
    "as float": lambda b: GRADE.astype(float) * b,
    "matrix product": lambda b: GRADE @ (b * np.ones(4)),
    "its mean": lambda b: GRADE.mean() * b,
    "numpy's mean": lambda b: np.mean(GRADE) * b,
    "its largest": lambda b: GRADE.max() * b,
    "its running sum": lambda b: GRADE.cumsum() * b,
    "Python's sum": lambda b: sum(GRADE) * b,
    "a float": lambda b: float(GRADE[0]) * b,
    "numpy's exponential": lambda b: np.exp(GRADE) * b,
    "columns of a design": lambda b: np.column_stack([GRADE, GRADE]) * b,
    "a product of numpy": lambda b: np.einsum("i,i", GRADE, np.ones(4)) * b,
    "a dot product": lambda b: GRADE.dot(np.ones(4)) * b,
    "jax's stack": lambda b: jnp.stack([GRADE, GRADE]) * b,
    "jax's einsum": lambda b: jnp.einsum("i,i", GRADE, jnp.ones(4)) * b,
    "a code": lambda b: jnp.where(GRADE == 0, b, 0.0),
    "a code before": lambda b: b * np.asarray(GRADE < 1),
    "an order with numbers": lambda b: b < GRADE,
    "a mean of a normal": lambda b: ft.Normal(GRADE, 1.0).log_prob(b),
    "concatenated": lambda b: np.concatenate([GRADE, GRADE]) * b,
}


def traced(line):
    return jax.make_jaxpr(line)(2.0)


@pytest.mark.parametrize("how", [lambda f: f(2.0), lambda f: f(jnp.array(2.0)), traced])
@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_on_groups_is_refused_with_what_to_write(name, how):
    Refused(name, lambda: how(ARITHMETIC[name]), ft.ModelError, WORDS[:2]).check()


CASES = [
    Refused("arithmetic", lambda: 2 * GRADE, ft.ModelError, WORDS),
    Refused("missing", lambda: ft.groups(["a", None, "b"]), ft.ModelError, ("row 1", "missing")),
    Refused("NaN in a list", lambda: ft.groups(["a", float("nan")]), ft.ModelError, ("row 1",)),
    Refused("NaN as text", lambda: ft.groups(np.array(["a", np.nan])), ft.ModelError, ("row 1",)),
    Refused("blank", lambda: ft.groups(["a", " ", "b"]), ft.ModelError, ("row 1", "missing")),
    Refused("empty", lambda: ft.groups(["a", ""]), ft.ModelError, ("row 1", "missing")),
    Refused("pandas' NA", lambda: ft.groups(pd.Series(["a", pd.NA])), ft.ModelError, ("row 1",)),
    Refused("NaT", lambda: ft.groups(pd.Series([pd.NaT, "a"])), ft.ModelError, ("row 0",)),
    Refused(
        "a category that lacks a value",
        lambda: ft.groups(pd.Categorical(["a", None])),
        ft.ModelError,
        ("row 1", "missing"),
    ),
    Refused("polars' null", lambda: ft.groups(pl.Series(["a", None])), ft.ModelError, ("row 1",)),
    Refused("mixed kinds", lambda: ft.groups([1, 2, "1"]), ft.ModelError, ("row 2", "'1'", "kind")),
    Refused("no rows", lambda: ft.groups([]), ft.ModelError, ("at least one row",)),
    Refused("text alone", lambda: ft.groups("Pine"), ft.ModelError, ("shape (n,)",)),
    Refused("pairs", lambda: ft.groups([["a"], ["b"]]), ft.ModelError, ("shape (2, 1)",)),
    Refused(
        "a label twice", lambda: ft.groups(["a"], ["a", "a"]), ft.ModelError, ("each group once",)
    ),
    Refused("unknown", lambda: ft.groups(["a"], ["b"]), ft.ModelError, ("'a'", "row 0", "labels")),
    Refused(
        "an order with none of them", lambda: GRADE < "best", ft.ModelError, ("'best'", "order")
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_groups_that_are_none_are_refused_with_their_row(case):
    case.check()


INDEXED = {
    "numpy": lambda a: a[GRADE],
    "traced": lambda a: jax.jit(lambda a: a[GRADE])(a),
    "a row": lambda a: jax.jit(lambda a: jnp.stack([a[c] for c in GRADE]))(a),
    "a slice": lambda a: jnp.append(jnp.asarray(a)[GRADE[:3]], a[GRADE[3]]),
    "clipped": lambda a: jnp.asarray(a).at[GRADE].get(mode="clip"),
    "two indices": lambda a: jax.jit(lambda t: t[GRADE, GRADE])(np.diag(a)),
    "a column": lambda a: jnp.asarray(np.diag(a))[:, GRADE].sum(0),
    "a new axis": lambda a: jnp.asarray(a)[GRADE, None][:, 0],
}


@pytest.mark.parametrize("name", INDEXED)
def test_indexing_by_groups_gathers(name):
    assert INDEXED[name](ALPHA).tolist() == [20.0, 10.0, 30.0, 20.0]


def test_the_codes_are_constants_of_a_traced_program():
    closed = jax.make_jaxpr(lambda a: a[GRADE])(ALPHA)
    assert any(np.array_equal(np.asarray(c), GRADE.codes) for c in closed.consts)


def test_negative_names_are_neither_negative_codes_nor_hidden_from_comparison():
    side = ft.groups([-1, 1, -1])
    assert (side < 0).tolist() == [True, False, True]
    assert jax.jit(lambda a: a[side])(ALPHA).tolist() == [10.0, 20.0, 10.0]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda: GRADE == "low", [True, False, False, True]),
        (lambda: GRADE == "absent", [False] * 4),
        (lambda: GRADE != "low", [False, True, True, False]),
        (lambda: np.equal("low", GRADE), [True, False, False, True]),
        (lambda: GRADE == ["low", "low", "mid", "mid"], [True, False, True, False]),
        (lambda: GRADE[::-1] == GRADE, [True, False, False, True]),
        (lambda: ft.groups(["low", "high", "low", "high"]) == GRADE, [True, True, False, False]),
        (lambda: ft.groups(GRADE, ["low", "mid", "high"]) < "high", [True, False, True, True]),
        (lambda: ft.groups([2001, 2004, 2001]) > 2003, [False, True, False]),
        (lambda: np.isin(GRADE, ["mid", "low"]), [True, False, True, True]),
        (lambda: np.bincount(GRADE), [1, 2, 1]),
        (lambda: GRADE[GRADE == "low"].names, ["low", "low"]),
        (lambda: np.repeat(GRADE, 2).names[:3], ["low", "low", "high"]),
        (lambda: GRADE.codes, [1, 0, 2, 1]),
        (lambda: np.array(["low" in GRADE, "best" in GRADE]), [True, False]),
    ],
)
def test_groups_answer_by_name(answer, expected):
    assert answer().tolist() == expected


ORDER = ["low", "mid", "high"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical(["high", "low"], ORDER, ordered=True),
        pd.Series(pd.Categorical(["high", "low"], ORDER)),
        pl.Series(["high", "low"], dtype=pl.Enum(ORDER)),
    ],
    ids=["pandas", "pandas, unordered", "polars"],
)
def test_a_category_keeps_its_own_order(column):
    assert ft.groups(column).labels == tuple(ORDER)
    assert ft.groups(column).tolist() == [2, 0]


def test_groups_of_one_row_each_stand_in_the_order_of_the_rows():
    """So that a plate of them needs no index: member i is that of row i."""
    assert ft.groups(["C", "A", "B"]).labels == ("C", "A", "B")
    assert ft.groups(np.array([7, 3, 5])).tolist() == [0, 1, 2]


def test_groups_coded_again_by_other_labels_keep_their_names():
    again = ft.groups(GRADE, ["low", "mid", "high"])
    assert again.names.tolist() == GRADE.names.tolist()
    assert again.tolist() == [0, 2, 1, 0]


def test_days_are_named_as_text():
    days = np.array(["2024-03-02", "2024-03-01", "2024-03-02"], "datetime64[D]")
    assert ft.groups(days).labels == ("2024-03-01", "2024-03-02")


def test_groups_are_outcomes_of_a_discrete_likelihood():
    def statements(grade):
        ft.sample("y", ft.Categorical(probs=np.ones(3) / 3), obs=grade)

    (y,) = ft.Model(statements, "m")(GRADE).variables
    assert np.asarray(y.data).tolist() == [1, 0, 2, 1]
