"""Make a model of a formula and a table: the formula becomes code, and the code the model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from finetti.errors import ModelError
from finetti.formulas.families import Family, family
from finetti.formulas.frames import Missing, as_frame, need, require, whole_rows
from finetti.formulas.law import write_law
from finetti.formulas.outcome import Outcome, family_of, reach, read_outcome
from finetti.formulas.priors import Priors, wishes
from finetti.formulas.script import Script
from finetti.formulas.text import Formula, parse
from finetti.formulas.writing import Writing
from finetti.models import Model

if TYPE_CHECKING:
    import pandas as pd


def formula(  # noqa: PLR0913 - one verb with all that a formula leaves open
    text: str | Sequence[str],
    data: Any,
    *,
    family: str | Family | None = None,
    link: str | Mapping[str, str] | None = None,
    priors: Any = None,
    missing: Missing = "refuse",
    matrices: Mapping[str, Any] | None = None,
) -> Model:
    """Make a model of a formula, as lme4 and brms write it, and the table that it speaks of.

    The model is like any other: `model.plan()`, `ft.fit(model)`, `ft.predict(posterior, rows)`; and
    `model.code()` is its code, to be read, changed and run. `data` is a data frame (pandas, polars,
    PyArrow), a mapping of columns, or the path of a table. `family` names the outcome's law,
    Gaussian unless it is of two values or written p(y, n), and `link` another link. Coefficients
    are named `Intercept`, `x`, `f[b]`, `sd[g][x]`, `cor[g][Intercept, x]`, `g[a][x]`.

    `priors` maps classes ("b", "Intercept", "sd", "cor", "sigma"), coefficients ("x", "f[b]") or
    groups ("sd[g]", "sd[g][x]") to distributions or their text; the most particular wins. By
    default a coefficient's is Normal(0, 2.5 sd(outcome) / sd(column)), as rstanarm's, on the link's
    scale with 1 for the outcome's sd; the intercept's has that at the middle of the predictors;
    standard deviations of groups and residuals have HalfNormal with such a scale, correlations
    LKJ(1).

    Rows that lack a value are refused unless `missing` is "drop". `matrices` holds what terms such
    as gr(g, cov=A) and car(W, gr=g) name.

    Raises `ModelError` and `DataError` in a sentence, `MissingExtra` without the extra `formulas`.

    >>> table = {"y": [1.0, 2.0, 3.0, 4.0], "x": [0.0, 1.0, 0.0, 1.0], "g": list("aabb")}
    >>> [v.name for v in formula("y ~ x + (1 | g)", table).variables]
    ['Intercept', 'x', 'sd[g]', 'g', 'sigma', 'y']
    """
    require()
    formulas = parse(text)
    frame = as_frame(data)
    mains, extras = _parted(formulas, frame)
    names = _columns(formulas, frame)
    frame, _ = whole_rows(frame, names, missing)
    script, wished = Script(frame), wishes(priors)
    shared: dict[str, Any] = {}
    for main in mains:
        chosen = _family(main, family, link, frame)
        outcome = read_outcome(main, chosen, frame)
        own = extras if len(mains) == 1 else {}
        _write(script, main, chosen, outcome, own, wished, dict(matrices or {}), shared)
    wished.refuse_unused()
    outcomes = "_".join(m.response for m in mains)

    def read(table: Any) -> dict[str, Any]:
        rows = as_frame(table)
        given = [n for n in names if n in rows]
        rows, _ = whole_rows(rows, [n for n in given if n not in _only_outcome(script)], "refuse")
        return script.make(rows, outcomes=False)

    made = script.model(f"{re.sub(r'[^0-9A-Za-z]+', '_', outcomes).strip('_')}_model", read)
    return made(**script.make(frame))


def _only_outcome(script: Script) -> set[str]:
    """Return the columns that only outcomes are made of."""
    seen = set().union(*(a.columns for a in script.arguments.values() if a.outcome))
    return seen - set().union(*(a.columns for a in script.arguments.values() if not a.outcome))


def _parted(
    formulas: Sequence[Formula], frame: pd.DataFrame
) -> tuple[list[Formula], dict[str, Formula]]:
    """Return the formulas of outcomes, and those of other parameters by name."""
    mains, extras = [formulas[0]], {}
    for other in formulas[1:]:
        if other.response in frame:
            mains.append(other)
        else:
            extras[other.response] = other
    return mains, extras


def _columns(formulas: Sequence[Formula], frame: pd.DataFrame) -> list[str]:
    """Return the columns that formulas speak of, in the table's order."""
    texts = " ".join(f.text for f in formulas)
    quoted = set(re.findall(r"`([^`]+)`", texts))
    words = set(re.findall(r"[^\W\d][\w.]*", texts)) | quoted
    return [n for n in frame.columns if n in words]


def _family(main: Formula, name: str | Family | None, link: Any, frame: pd.DataFrame) -> Family:
    response = main.response.strip("`")
    if response.isidentifier() or main.response.startswith("`"):
        need(frame, [response], main.text)
    return family(name or family_of(main, frame), link)


def _write(  # noqa: PLR0913 - all that the code of one outcome is made of
    script: Script,
    main: Formula,
    chosen: Family,
    outcome: Outcome,
    extras: Mapping[str, Formula],
    wished: Priors,
    matrices: dict[str, Any],
    shared: dict[str, Any],
) -> None:
    level, spread = reach(outcome, chosen, script.frame)
    writing = Writing(script, script.frame, wished, level, spread, "", matrices, shared)
    script.say(f'"""{main.text}"""')
    unknown = [p for p in extras if p not in chosen.links]
    if unknown:
        raise ModelError(
            f"{unknown[0]!r} is neither a column of the table nor a parameter of the family "
            f"{chosen.name} ({', '.join(chosen.links)})"
        )
    write_law(writing, main, chosen, outcome, extras)
