"""Make a model of a formula and a table: the formula becomes code, and the code the model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from finetti.errors import ModelError
from finetti.formulas import families
from finetti.formulas.advice import advise_outcome
from finetti.formulas.censoring import found_late, with_ends
from finetti.formulas.families import Family
from finetti.formulas.frames import as_frame, need, require, whole_rows
from finetti.formulas.in_place import Gathered, gather
from finetti.formulas.law import write_law
from finetti.formulas.mixtures import mixture
from finetti.formulas.outcome import Outcome, check, family_of, outcome_columns, reach, read_outcome
from finetti.formulas.priors import Priors, wishes
from finetti.formulas.rows import Reading
from finetti.formulas.script import Script, docstring
from finetti.formulas.text import Formula, Predictor, parse, words
from finetti.formulas.together import write_together
from finetti.formulas.unknown import filled, unknown, write_plain
from finetti.formulas.writing import Across, Writing
from finetti.language.holes import WAYS, Missing
from finetti.models import Model
from finetti.scale.opening import in_place
from finetti.scale.table import Table

if TYPE_CHECKING:
    import pandas as pd


def formula(  # noqa: PLR0913 - one verb with all that a formula leaves open
    text: str | Sequence[str],
    data: Any,
    *,
    family: str | Family | Mapping[str, str] | None = None,
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

    `priors` maps classes ("b", "Intercept", "sd", "cor", "sigma"), coefficients (`x`, `f[b]`) or
    groups (`sd[g]`, `sd[g][x]`) to distributions or their text; the most particular wins. By
    default a coefficient's is Normal(0, 2.5 sd(outcome) / sd(column)), as rstanarm's, on the link's
    scale with 1 for the outcome's sd; the intercept's has that at the middle of the predictors;
    standard deviations of groups and residuals have HalfNormal with such a scale, correlations
    LKJ(1).

    Rows that lack a value are refused unless `missing` is "drop", or "impute": what an outcome
    lacks is then left out of its likelihood and predicted by `ft.predict`, and what a predictor
    lacks is unknown, `x_missing[3]`, with a normal law, or that of its own formula, "x ~ z".
    `matrices` holds what terms such as gr(g, cov=A) and car(W, gr=g) name. Several formulas, in a
    sequence or parted by semicolons, are of several outcomes, or of a family's other parameters,
    "y ~ x; sigma ~ z"; terms (1 |id| g) of several have effects that are correlated.

    Raises `ModelError` and `DataError` in a sentence, `MissingExtra` without the extra `formulas`.

    >>> table = {"y": [1.0, 2.0, 3.0, 4.0], "x": [0.0, 1.0, 0.0, 1.0], "g": list("aabb")}
    >>> [v.name for v in formula("y ~ x + (1 | g)", table).variables]
    ['Intercept', 'x', 'sd[g]', 'g', 'sigma', 'y']
    """
    require()
    formulas = parse(text)
    if missing not in WAYS:
        raise ModelError(f"missing is {', '.join(WAYS[:-1])} or {WAYS[-1]}, not {missing!r}")
    place = in_place(data)
    frame = as_frame(data) if place is None else _stub(place)
    source = frame if place is None else data
    mains, extras = _parted(formulas, frame)
    names = _columns(formulas, frame)
    if "Intercept" in names:
        raise ModelError("a column `Intercept` cannot be told from the intercept: rename it")
    frame = with_ends(mains, frame)
    imputing = missing == "impute" and place is None
    holes = unknown(mains, list(extras.values()), frame, names) if imputing else {}
    chosen = [_family(main, family, link, frame) for main in mains]
    _refuse_unlike(mains, extras, chosen)
    gathered, script = None, None
    later = "drop" if missing == "drop" else "refuse"  # what is missing beside holes
    if place is None:
        frame = whole_rows(frame, names, later, holes)
        script = Script(filled(frame, holes))
    else:
        gathered = gather(place, list(zip(mains, chosen, strict=True)), extras, missing)
        frame, mains, extras = gathered.brought.frame, list(gathered.mains), gathered.extras
        script = Script(frame, gathered.brought.counts, gathered.renamed)
    wished = wishes(priors)
    script.wanted |= {n for n in holes for m in mains if n in words(m.text.partition("~")[2])}
    given = dict(matrices or {})
    parts = _prepared(script, frame, mains, chosen, extras, wished, given, gathered)
    first, *others = [*(main.text for main, *_ in parts), *(e.text for e in extras.values())]
    script.lines += [f"    {said}" for said in (docstring(first), *(f"# {t}" for t in others))]
    for name in holes:
        if not any(name in outcome_columns(m, frame) for m in mains):
            write_plain(script, wished, name, holes[name])
    if any(main.tied for main in mains):
        write_together(parts, holes)
    else:
        for main, chosen, outcome, writing in parts:
            write_law(writing, main, chosen, outcome, extras if len(mains) == 1 else {}, holes)
    wished.refuse_unused()
    outcomes = "_".join(m.response for m in mains)

    shown: Any = frame[names] if gathered is None else gathered.brought.shown

    def again(others: Mapping[str, Any]) -> Model:
        both = {**wished.wished, **wishes(others).wished}
        return formula(
            text, source, family=family, link=link, priors=both, missing=missing, matrices=matrices
        )

    told = partial(with_ends, tuple(mains))
    named = {outcome.name: outcome.levels for _, _, outcome, _ in parts}
    read = Reading(
        shown, script, tuple(names), later, frozenset(holes), named, gathered, again, told
    )
    made = script.model(f"{re.sub(r'[^0-9A-Za-z]+', '_', outcomes).strip('_')}_model", read)
    made = made.missing("impute" if holes else "refuse")(**script.make(frame))
    return made if gathered is None else made.added_up(gathered.said)


def _prepared(  # noqa: PLR0913 - all that outcomes are read with
    script: Script,
    frame: pd.DataFrame,
    mains: Sequence[Formula],
    families: Sequence[Family],
    extras: Mapping[str, Formula],
    wished: Priors,
    matrices: dict[str, Any],
    gathered: Gathered | None,
) -> list[tuple[Formula, Family, Outcome, Writing]]:
    """Return each outcome's formula with its family, its values and what it is written with."""
    found, terms = [], {}
    for main, chosen in zip(mains, families, strict=True):
        outcome = read_outcome(main, chosen, frame)
        if "cens" in main.additions:
            whole = chosen.kind in ("counts", "successes", "yes or no")
            outcome = found_late(outcome, main.additions["cens"], frame, whole)
        check(outcome, chosen, frame)
        mean = None if gathered is None else gathered.brought.mean
        level, spread = reach(outcome, chosen, script.counts, mean)
        prefix = f"{outcome.name}_" if len(mains) > 1 else ""
        own = _predictors(prefix, spread, main, chosen, outcome, extras)
        for start, size, predictor in own:
            for term in predictor.groups:
                if term.across:
                    terms.setdefault(term.across, []).append((start, size, term))
        advise_outcome(script, main, chosen, outcome)
        writing = Writing(
            script, script.frame, wished, level, spread, prefix, prefix, matrices=matrices
        )
        found.append((main, chosen, outcome, writing))
    across = Across(terms)
    return [(m, c, o, replace(w, across=across)) for m, c, o, w in found]


def _predictors(
    prefix: str,
    spread: float,
    main: Formula,
    family: Family,
    outcome: Outcome,
    extras: Mapping[str, Formula],
) -> list[tuple[str, float, Predictor]]:
    """Return the predictors that an outcome has, each with its prefix and the scale it is on."""
    found = [(prefix, spread, main.predictor)]
    named = [f"mu{i + 1}" for i in range(len(family.components))]
    if named:
        found = [(f"{prefix}{mu}_", spread, extras.get(mu, main).predictor) for mu in named]
    elif family.several:
        found = [(f"{level}_", 1.0, main.predictor) for level in outcome.levels[1:]]
    return found + [(f"{p}_", 1.0, e.predictor) for p, e in extras.items() if p not in named]


def _parted(
    formulas: Sequence[Formula], frame: pd.DataFrame
) -> tuple[list[Formula], dict[str, Formula]]:
    """Return the formulas of outcomes, and those of other parameters by name."""
    mains, extras = [formulas[0]], {}
    for other in formulas[1:]:
        if other.response.strip("`") in frame:
            mains.append(other)
        else:
            extras[other.response] = other
    named = [m.response.strip("`") for m in mains]
    if len(set(named)) < len(named):
        raise ModelError(f"several formulas are of the outcomes {', '.join(named)}: give each one")
    return _covariates_first(mains), extras


def _covariates_first(mains: list[Formula]) -> list[Formula]:
    """Return formulas of outcomes, those that others have for a predictor before them."""
    predictors = {m.response: words(m.text.partition("~")[2]) for m in mains}

    def depth(main: Formula, seen: tuple[str, ...] = ()) -> int:
        name = main.response.strip("`")
        if name in seen:
            raise ModelError(f"`{name}` is predicted by what it predicts: {' -> '.join(seen)}")
        users = [m for m in mains if name in predictors[m.response]]
        return 1 + max((depth(m, (*seen, name)) for m in users), default=0)

    return sorted(mains, key=lambda m: -depth(m))


def _columns(formulas: Sequence[Formula], frame: pd.DataFrame) -> list[str]:
    """Return the columns that formulas speak of, in the table's order."""
    spoken = words(" ".join(f.text for f in formulas))
    return [n for n in frame.columns if n in spoken]


def _refuse_unlike(
    mains: Sequence[Formula], extras: Mapping[str, Formula], chosen: Sequence[Family]
) -> None:
    """Refuse a formula that is neither of an outcome nor of a parameter of the family."""
    if extras and len(mains) > 1:
        raise ModelError(f"{next(iter(extras))!r} is no column of the table")
    unlike = [p for p in extras if p not in chosen[0].links]
    if unlike:
        raise ModelError(
            f"{unlike[0]!r} is neither a column of the table nor a parameter of the family "
            f"{chosen[0].name} ({', '.join(chosen[0].links)})"
        )


def _stub(place: Table) -> pd.DataFrame:
    """Return a row of the kinds of values that a table in place has."""
    import pandas as pd

    row: Any = {"number": 1.0, "truth": True}
    return pd.DataFrame({n: [row.get(kind, "name")] for n, kind in place.kinds.items()})


def _family(main: Formula, family: Any, link: Any, frame: pd.DataFrame) -> Family:
    """Return the family of an outcome: what is said of it, or what it speaks for itself."""
    name = family.get(main.response) if isinstance(family, Mapping) else family
    response = main.response.strip("`")
    if response.isidentifier() or main.response.startswith("`"):
        need(frame, [response], main.text)
    name = name or family_of(main, frame)
    return mixture(name, link) or families.family(name, link)
