"""Write what an outcome is given its predictors: parameters, thresholds, and the law itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

import finetti.distributions as families
from finetti.errors import DataError, ModelError
from finetti.formulas.brought import WEIGHT
from finetti.formulas.censoring import censored
from finetti.formulas.families import Family, Term
from finetti.formulas.faults import sound
from finetti.formulas.mixtures import write_mixture
from finetti.formulas.outcome import Outcome, number, numbers
from finetti.formulas.parameters import parameters
from finetti.formulas.predictor import write_predictor
from finetti.formulas.priors import written
from finetti.formulas.script import Script, literal
from finetti.formulas.text import Call, Formula
from finetti.formulas.unknown import write_unknown
from finetti.formulas.writing import WIDE, Writing, rounded

if TYPE_CHECKING:
    import pandas as pd


def write_law(
    writing: Writing,
    main: Formula,
    family: Family,
    outcome: Outcome,
    extras: Mapping[str, Formula],
    holes: Mapping[str, np.ndarray],
) -> None:
    """Write the predictors of a family's parameters, then the statement of the outcome.

    `holes` tell where columns lack values.
    """
    script = writing.script
    terms: dict[str, Term] = {}
    if not family.components:
        first = Term(_several(writing, main, outcome), "identity") if family.several else None
        terms = parameters(writing, main, family, extras, first)
    predicts = outcome.name in holes and outcome.name in script.wanted
    observed = script.argument(
        outcome.name,
        _cast(outcome.make, family),
        set(outcome.columns),
        role="given" if predicts else "outcome",
    )
    if outcome.trials is not None:
        trials = script.argument(
            f"trials_{outcome.name}" if outcome.trial_columns == outcome.columns else
            "_".join(sorted(outcome.trial_columns)) or "trials",
            outcome.trials, set(outcome.trial_columns),
            key=("trials", outcome.name), role="trials",
        )  # fmt: skip
        terms["trials"] = Term(trials, "identity")
    if family.components:
        law = write_mixture(writing, main, family, extras, terms.get("trials"))
    elif family.thresholds:
        law = _ordered(writing, family, terms["mu"].predictor, outcome)
    else:
        law = family.law(terms, script)
    law = _said(writing, law, main.additions, outcome, observed)
    if predicts:
        if family.kind in ("ordered", "category", "counts of categories", "shares"):
            raise ModelError(
                f"`{outcome.name}` predicts another outcome and lacks values: its own family is to "
                f"be of numbers, not {family.name}"
            )
        write_unknown(script, outcome.name, law, observed)
        return
    name = script.name(outcome.name)
    named = _categories(script, name, outcome) if outcome.values.ndim > 1 else ""
    with plate_of_rows(script, observed):
        script.say(f"ft.sample({literal(name)}, {law}, obs={observed}{named})")


def _categories(script: Script, name: str, outcome: Outcome) -> str:
    """Write the names of categories, along the dimension of an outcome of several columns."""
    category = literal(script.name(f"{name}_category"))
    return f", dims={{{category}: {literal(list(outcome.levels))}}}"


def plate_of_rows(script: Script, observed: str) -> AbstractContextManager[None]:
    """Open the plate of the table's rows, in which outcomes stand."""
    script.rows = script.rows or script.name("row")
    rows = _rows(script, observed)
    return script.deeper(f"with ft.plate({literal(script.rows)}, len({rows})):")


def _rows(script: Script, observed: str) -> str:
    """Return an argument with an entry a row, one that new rows have as well if there is any."""
    count = len(script.frame)
    for name, argument in script.arguments.items():
        if not argument.outcome and np.shape(argument.make(script.frame))[:1] == (count,):
            return name
    return observed


def _cast(
    make: Callable[[pd.DataFrame], np.ndarray], family: Family
) -> Callable[[pd.DataFrame], np.ndarray]:
    whole = family.kind in (
        "counts", "yes or no", "successes", "ordered", "category", "counts of categories",
    )  # fmt: skip

    def cast(frame: pd.DataFrame) -> np.ndarray:
        values = make(frame)
        absent = np.isnan(values.reshape(len(values), -1)).any(1)
        if not absent.any():
            return values.astype(int) if whole else values
        return np.where(absent.reshape(-1, *(1,) * (values.ndim - 1)), np.nan, values)

    return cast


def _several(writing: Writing, main: Formula, outcome: Outcome) -> str:
    """Write a predictor for each category but the first, and their array (row, category)."""
    script, parts = writing.script, []
    for level in outcome.levels[1:]:
        own = replace(writing, prefix=f"{level}_", level=0.0, spread=1.0, shared=True)
        name = script.identifier(f"eta_{level}")
        script.say(f"{name} = {write_predictor(own, main.predictor)}")
        parts.append(name)
    found = script.identifier("eta")
    script.say(f"{found} = jnp.stack(jnp.broadcast_arrays(jnp.zeros(()), {', '.join(parts)}), -1)")
    return found


def _ordered(writing: Writing, family: Family, eta: str, outcome: Outcome) -> str:
    """Write the thresholds of ordered categories, and their law (Buerkner & Vuorre 2019)."""
    script, count = writing.script, len(outcome.levels) - 1
    prior = writing.prior(families.Normal(0.0, rounded(2 * WIDE)), "Intercept")
    labels = [f"{a}|{b}" for a, b in zip(outcome.levels, outcome.levels[1:], strict=False)]
    dims = f"dims={{{literal(script.name(f'{outcome.name}_threshold'))}: {literal(labels)}}}"
    single = written([prior], script)
    cut = script.identifier("Intercept")
    site = script.name(f"{writing.prefix}Intercept")
    if family.name == "cumulative":
        law = f"ft.Ordered({single}.expand([{count}]))"
        script.say(f"{cut} = ft.sample({literal(site)}, {law}, {dims})")
        kind = "OrderedLogistic" if family.links["mu"] == "logit" else "OrderedProbit"
        return f"ft.{kind}({eta}, {cut})"
    script.say(
        f"{cut} = ft.sample({literal(site)}, {single}.expand([{count}]).to_event(1), {dims})"
    )
    away = script.identifier("away")
    script.say(f"{away} = jnp.asarray({eta})[..., None] - {cut}  # of each threshold")
    zero, logits = script.identifier("zero"), script.identifier("logits")
    if family.name == "adjacent":
        if family.links["mu"] != "logit":
            raise ModelError("the family adjacent has the link logit")
        script.say(f"{zero} = jnp.zeros((*{away}.shape[:-1], 1))")
        script.say(f"{logits} = jnp.concatenate([{zero}, jnp.cumsum({away}, -1)], -1)")
        return f"ft.Categorical(logits={logits})"
    on, stop = script.identifier("log_on"), script.identifier("log_stop")
    log = "jax.nn.log_sigmoid" if family.links["mu"] == "logit" else "jax.scipy.special.log_ndtr"
    script.say(f"{on} = jnp.cumsum({log}({away}), -1)  # of going beyond each threshold")
    script.say(f"{stop} = {log}(-{away})")
    script.say(f"{zero} = jnp.zeros((*{away}.shape[:-1], 1))")
    ends = f"jnp.concatenate([{zero}, {on}], -1) + jnp.concatenate([{stop}, {zero}], -1)"
    script.say(f"{logits} = {ends}")
    return f"ft.Categorical(logits={logits})"


def _said(
    writing: Writing, law: str, additions: Mapping[str, Call], outcome: Outcome, observed: str
) -> str:
    """Add to a law what is said of the outcome: censoring, truncation, weights."""
    script, frame = writing.script, writing.frame
    if outcome.values.ndim > 1 and not additions.keys().isdisjoint(("cens", "trunc")):
        raise ModelError("cens(...) and trunc(...) are said of an outcome of one column")
    if "cens" in additions:
        law = censored(script, law, additions["cens"], frame, outcome, observed)
    if "trunc" in additions:
        call = additions["trunc"]
        sides = {"lb": "low", "ub": "high"}
        unknown = set(call.named) - set(sides)
        if unknown or not call.named:
            raise ModelError(f"{call}: write trunc(lb=..., ub=...)")
        given = []
        for side, name in sides.items():
            if side in call.named:
                make, columns = number(call.named[side], frame)
                at = call.named[side]
                if columns:
                    at = script.argument(at, make, set(columns))
                given.append(f"{name}={at}")
        law = f"ft.Truncated({law}, {', '.join(given)})"
    weights = [additions["weights"].arguments[0]] if "weights" in additions else []
    if WEIGHT in frame:
        weights.append(f"`{WEIGHT}`")
    named = []
    for text in weights:
        make, columns = numbers(text, frame)
        if text != f"`{WEIGHT}`":
            make = sound(make, f"weights({text})", 0.0)
        if not make(frame).any():
            raise DataError(f"weights({text}) are all 0: no row would count")
        named.append(
            script.argument(text, make, set(columns), text, otherwise=lambda f: np.ones(len(f)))
        )
    return f"ft.Weighted({law}, {' * '.join(named)})" if named else law
