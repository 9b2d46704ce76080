"""What a verb cannot do with a posterior is refused with remedies that the verb takes."""

from functools import cache

import jax
import numpy as np
import pandas as pd
import polars as pl
import pytest

import finetti as ft
from doors.cases import Refused
from doors.remedies import untaken
from finetti.criticism.anew import added

ROWS = pd.DataFrame({"y": np.arange(8.0) % 3, "x": np.arange(8.0), "g": list("aabbccdd")})
HOLED = {
    name: ROWS[:3].assign(**{name: [ROWS[name][0], None, ROWS[name][2]]}) for name in ("x", "g")
}
NEW = ROWS[:2].assign(g=["a", "new"])


@ft.model
def line(g, x, y):
    b = ft.sample("b", ft.Normal(0.0, 1.0))
    with ft.plate("g", g):
        u = ft.sample("u", ft.Normal(0.0, 1.0))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Normal(b * x + u[g], 1.0), obs=y)


@cache
def fitted(kind):
    """Return a fit of a formula, of one whose table stays in place, or of a model by hand."""
    if kind == "by hand":
        model = line(ft.groups(ROWS.g), ROWS.x, ROWS.y)
    else:
        table = ROWS if kind == "formula" else ft.table(pl.from_pandas(ROWS).lazy())
        model = ft.formula("y ~ x + (1 | g)", table)
    return ft.fit(model, ft.Automatic(draws=50), seed=1, progress=False)


def refused(name, attempt, *words, kinds=("formula", "by hand"), error=ft.DataError):
    return [
        Refused(f"{name}, {kind}", lambda kind=kind: attempt(fitted(kind)), error, words)
        for kind in kinds
    ]


EVERY = ("formula", "by hand", "in place")
CASES = [
    case
    for cases in (
        *(refused(f"added rows without {name}", lambda p, t=table: ft.update(p, t), f"`{name}`",
                  "leave these rows out", kinds=EVERY) for name, table in HOLED.items()),
        refused("new rows without x", lambda p: ft.predict(p, HOLED["x"]), "`x`", "fill them in",
                kinds=EVERY),
        refused("new rows without g", lambda p: ft.predict(p, HOLED["g"]), "`g`"),
        refused("new groups", lambda p: ft.predict(p, NEW), 'new_groups="sample"'),
        refused("no such column", lambda p: ft.effects(p, "w"), "`w`"),
        refused("no such values", lambda p: ft.effects(p, "x", at={"w": 1}), "at="),
        refused("no such outcome", lambda p: ft.loo(p, of="w"), "w", error=ft.UnknownSite),
        refused("rows of a table", lambda p: ft.loo(p), "give a sample", kinds=("in place",),
                error=ft.ModelError),
    )
    for case in cases
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_what_a_verb_cannot_do_is_refused(case):
    case.check()


@pytest.mark.parametrize("kind", EVERY)
def test_rows_that_are_added_are_dropped_where_those_of_the_fit_were(kind):
    if kind == "by hand":
        model = line.missing("drop")(ft.groups(ROWS.g), ROWS.x, ROWS.y)
    else:
        table = ROWS if kind == "formula" else ft.table(pl.from_pandas(ROWS).lazy())
        model = ft.formula("y ~ x + (1 | g)", table, missing="drop")
    with pytest.warns(UserWarning, match="1 of 3 rows lack a value"):
        found = added(model, HOLED["x"])
    whole = added(model, ROWS.iloc[[0, 2]])
    for one, other in zip(*map(jax.tree.leaves, (found.arguments, whole.arguments)), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize(
    ("said", "verb", "untold"),
    [
        ('say missing="drop" to leave them out', ft.update, ["missing"]),
        ('say missing="drop" to leave them out', ft.formula, []),
        ("raise refits=, or use ft.kfold", ft.loo, []),
        ("take more draws, ft.NUTS(draws=2000)", ft.loo, []),
        ("give draws=, or leave on= out", ft.fit, []),
        ("give all rows to ft.formula, with priors=", ft.refit, []),
        ("`seperator=;` is not told", ft.formula, []),
    ],
)
def test_what_is_no_argument_of_the_verb_is_found(said, verb, untold):
    assert untaken(said, verb) == untold
