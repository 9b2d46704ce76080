"""Write several normal outcomes whose residuals are correlated: set_rescor(True), as in brms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import ModelError
from finetti.formulas.brought import WEIGHT
from finetti.formulas.effects import write_root
from finetti.formulas.families import Family
from finetti.formulas.law import plate_of_rows
from finetti.formulas.outcome import Outcome, numbers
from finetti.formulas.parameters import parameters
from finetti.formulas.script import literal
from finetti.formulas.text import Formula
from finetti.formulas.writing import Writing

if TYPE_CHECKING:
    import pandas as pd

Part = tuple[Formula, Family, Outcome, Writing]


def write_together(parts: Sequence[Part], holes: Mapping[str, np.ndarray]) -> None:
    """Write the predictors of outcomes, how their residuals go together, and their joint law."""
    _refuse_untied(parts, holes)
    script, names = parts[0][3].script, [outcome.name for _, _, outcome, _ in parts]
    terms = [parameters(writing, main, family, {}) for main, family, _, writing in parts]
    plain = parts[0][3].plain()
    root = write_root(plain, "rescor", names, "rescor", "rescor")
    mean, spread = script.identifier("means"), script.identifier("sigmas")
    listed = ", ".join(term["mu"].value for term in terms)
    script.say(f"{mean} = jnp.stack(jnp.broadcast_arrays({listed}), -1)")
    script.say(f"{spread} = jnp.stack([{', '.join(term['sigma'].value for term in terms)}])")
    makes = [outcome.make for _, _, outcome, _ in parts]

    def make(frame: pd.DataFrame) -> np.ndarray:
        return np.stack([each(frame) for each in makes], -1)

    columns = set().union(*(outcome.columns for _, _, outcome, _ in parts))
    observed = script.argument("_".join(names), make, columns, role="outcome")
    whole = f"jnp.broadcast_to({spread}[:, None] * {root}, (*{mean}.shape, {len(names)}))"
    law = f"ft.MultivariateNormal({mean}, scale_tril={whole})"
    if WEIGHT in script.frame:
        weigh, of = numbers(f"`{WEIGHT}`", script.frame)
        ones = script.argument(WEIGHT, weigh, set(of), WEIGHT, otherwise=lambda f: np.ones(len(f)))
        law = f"ft.Weighted({law}, {ones})"
    site = literal(script.name(f"mvbind({', '.join(names)})"))
    dims = f"dims={{{literal(script.name('outcome'))}: {literal(names)}}}"
    with plate_of_rows(script, observed):
        script.say(f"ft.sample({site}, {law}, obs={observed}, {dims})")


def _refuse_untied(parts: Sequence[Part], holes: Mapping[str, np.ndarray]) -> None:
    """Refuse outcomes whose residuals have no correlation, or none that is known how to write."""
    if len(parts) < 2:
        raise ModelError(
            "set_rescor(True) correlates the residuals of several outcomes: write a formula for "
            "each, or mvbind(a, b) ~ x"
        )
    for main, family, outcome, writing in parts:
        if family.name != "gaussian" or family.links["mu"] != "identity":
            raise ModelError(
                f"set_rescor(True) correlates normal outcomes, and `{outcome.name}` is "
                f"{family.name}: give effects an id, (1 |id| g), to correlate those"
            )
        said = [str(call) for name, call in main.additions.items() if name != "mi"]
        if said:
            raise ModelError(f"{said[0]} of `{outcome.name}` cannot be said with set_rescor(True)")
        if outcome.name in holes and outcome.name in writing.script.wanted:
            raise ModelError(
                f"`{outcome.name}` lacks values and predicts another outcome, which is correlated "
                f"with it: leave set_rescor(True) out"
            )
