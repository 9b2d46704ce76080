"""The table of one analysis in four systems says how many lines finetti takes, and is right."""

import ast
from pathlib import Path

import numpy as np
import pytest
from tests.formulas.table import table

import finetti as ft

DOCS = Path(__file__).parents[2] / "docs" / "formulas.md"
HOLED = table().assign(z=lambda d: d.z.where(d.index > 2))
SAID = {
    "repeated measures": "'y ~ x + (x | g)', table",
    "crossed groups": "'y ~ (1 | g) + (1 | h)', table",
    "successes of trials": "'p(wins, n) ~ x + (1 | g)', table",
    "counts with too many zeros": "'count ~ x', table, family='zero_inflated_poisson'",
    "ordered answers": "'grade ~ x', table, family='cumulative'",
    "meta-analysis": "'y | se(se) ~ (1 | g)', table",
    "censored times": "'positive | cens(late) ~ x', table, family='weibull'",
    "a smooth": "'y ~ s(x) + (1 | g)', table",
    "a spread with predictors": "'y ~ x; sigma ~ x', table",
    "two outcomes with correlated groups": "['y ~ x + (1 |p| g)', 'z ~ x + (1 |p| g)'], table",
    "relatives": "'y ~ (1 | gr(g, cov=A))', table, matrices={'A': A}",
    "predictors with holes": "'y ~ x + z', holed, missing='impute'",
}
CODE = "model = ft.formula({})\nposterior = ft.fit(model)\nprint(posterior.summary())"


def rows():
    """Return the last cell of each analysis of the table, by its words before any formula."""
    part = DOCS.read_text().partition("## The same analysis")[2].partition("\n\nbrms says")[0]
    cells = [[c.strip() for c in line.strip("| ").replace("\\|", "/").split("|")]
             for line in part.splitlines() if line.startswith("|")][2:]  # fmt: skip
    return {row[0].partition(",")[0]: row[-1] for row in cells}


def test_the_table_has_these_analyses_and_their_lines():
    assert {name: int(count) for name, count in rows().items()} == {
        name: len(ast.parse(CODE.format(said)).body) for name, said in SAID.items()
    }


@pytest.mark.parametrize("name", SAID)
def test_the_formula_of_each_makes_a_model_of_its_outcome(name):
    first = CODE.format(SAID[name]).splitlines()[0]
    space = {"ft": ft, "table": table(), "holed": HOLED, "A": 0.3 + np.eye(5)}
    exec(first, space)
    assert any(v.kind == "observed" for v in space["model"].variables)
