"""Say what a table cannot tell of a formula's coefficients, before anything is fitted."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from finetti.formulas.design import Block, Linear, linear
from finetti.formulas.families import Family
from finetti.formulas.faults import MANY
from finetti.formulas.grouping import grouped
from finetti.formulas.outcome import Outcome
from finetti.formulas.script import Script
from finetti.formulas.text import Formula
from finetti.formulas.writing import pretty
from finetti.language.columns import as_number
from finetti.posterior.illnesses.separation import separating
from finetti.structure.words import listed

if TYPE_CHECKING:
    import pandas as pd

# A date as text: 2020-01-31, 31.1.2020, 1/31/20.
DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?!\d)")
LARGEST = 50_000  # numbers that are looked at for what separates
RESIDUAL = ("sigma", "phi", "shape", "kappa")  # parameters of what differs from row to row


def advise_terms(script: Script, found: Linear) -> None:
    """Warn of coefficients of which the rows tell nothing, or not all."""
    for sentence in _of_terms(script, found):
        warnings.warn(sentence, stacklevel=2)


def advise_outcome(script: Script, formula: Formula, family: Family, outcome: Outcome) -> None:
    """Warn of outcomes that tell nothing, or all, and of groups' effects that are as many."""
    for sentence in (*_of_outcome(script, formula, family, outcome),
                     *_of_groups(script, formula, family)):  # fmt: skip
        warnings.warn(sentence, stacklevel=2)


def _of_terms(script: Script, found: Linear) -> Iterator[str]:
    for block in found.blocks:
        if len(block.labels or ()) > MANY and all(map(DATE.match, block.labels or ())):
            yield (
                f"`{pretty(block.name)}` has a coefficient for each of {block.size + 1} dates that "
                f"are written as text: give a number, such as the days since the first, or group "
                f"by it, (1 | {pretty(block.name)})"
            )
    named = [pretty(n) for b in found.blocks for n in b.names]
    columns = [c for b in found.blocks for c in b.matrix.T]
    rows, count = _rows(script), len(named) + found.intercept
    if count >= rows:
        yield (
            f"there are {'more' if count > rows else 'as many'} coefficients ({count}) "
            f"{'than' if count > rows else 'as'} rows ({rows}): what the rows leave open is told "
            f"by the priors"
        )
        return
    cells = [cell for block in found.blocks for cell in _empty_cells(block, script.frame)]
    if cells:
        yield (f"no row has {listed(cells)}: what the model says of such rows, its priors say")
    empty = [n for n, c in zip(named, columns, strict=True) if not c.any()]
    if empty and not cells:
        yield f"no row is of {listed(empty)}: such coefficients are told by their prior alone"
    same = [n for n, c in zip(named, columns, strict=True) if c.any() and not np.ptp(c)]
    if same and found.intercept:
        yield (
            f"{listed(same)} {'has' if len(same) == 1 else 'have'} one value in all rows, as the "
            f"intercept has: the rows tell the sum alone, the priors tell the parts apart"
        )
    if cells or empty or (same and found.intercept):
        return
    whole = [*([np.ones(len(script.frame))] if found.intercept else []), *columns]
    tied = [named[i - found.intercept] for i in _dependent(whole)]
    if tied:
        yield (
            f"{listed(tied)} {'is a sum' if len(tied) == 1 else 'are sums'} of the predictors "
            f"before: the rows tell the coefficients' sums, the priors tell them apart"
        )


def _empty_cells(block: Block, frame: pd.DataFrame) -> list[str]:
    """Return the combinations of names, of a product of columns, that no row has."""
    columns = [c for c in block.name.split(":") if c in frame and frame[c].dtype.kind not in "iufc"]
    if len(columns) < 2:
        return []
    seen = set(zip(*(frame[c] for c in columns), strict=True))
    levels = [list(dict.fromkeys(frame[c])) for c in columns]
    if np.prod([len(each) for each in levels]) > LARGEST:
        return []
    return [
        " and ".join(f"{c} {v!r}" for c, v in zip(columns, cell, strict=True))
        for cell in product(*levels)
        if cell not in seen
    ]


def _dependent(columns: Sequence[np.ndarray]) -> list[int]:
    """Return the places of columns that are sums of those before them."""
    if not columns:
        return []
    whole = np.stack(columns, 1)
    whole = whole / np.linalg.norm(whole, axis=0)
    left = np.abs(np.diag(np.linalg.qr(whole, mode="r")))
    rounding = max(whole.shape) * np.finfo(float).eps  # as numpy.linalg.matrix_rank has it
    return np.flatnonzero(left < rounding).tolist()


def _of_outcome(
    script: Script, formula: Formula, family: Family, outcome: Outcome
) -> Iterator[str]:
    y = outcome.values
    known = ~np.isnan(y) if y.ndim == 1 else np.zeros(0, bool)
    if "cens" in formula.additions or known.sum() < 2:
        return
    named = outcome.levels[int(y[known][0])] if outcome.levels else f"{y[known][0]:g}"
    whole = script.counts is None or family.kind == "yes or no"  # else rows that stand for others
    if whole and not np.ptp(y[known]):
        yield (
            f"the outcome `{outcome.name}` is {named} in every row: what its predictors do is told "
            f"by the priors alone"
        )
        return
    text = outcome.name in script.frame and script.frame[outcome.name].dtype == object
    if family.thresholds and text and None in map(as_number, outcome.levels):
        yield (
            f"`{outcome.name}` is text, whose categories are taken in the order of the alphabet, "
            f"{' < '.join(outcome.levels)}: where theirs is another, give whole numbers, or a "
            f"category that is ordered, as by pandas.Categorical(..., ordered=True)"
        )
    signs = _signs(script, family, outcome)
    if signs is None:
        return
    told = known & ~np.isnan(signs)
    found = linear(formula.predictor.linear, script.frame, script.renamed)
    columns = {
        pretty(n): c[told]
        for b in found.blocks
        for n, c in zip(b.names, b.matrix.T, strict=True)
        if np.ptp(c[told])
    }
    few = len(columns) * len(y) <= LARGEST and len(columns) < told.sum()
    names = separating(signs[told], columns) if columns and few and found.intercept else []
    if names:
        ends = "0s from the rest" if family.kind == "counts" else "noes from the yeses"
        yield (
            f"{listed(names)} {'separates' if len(names) == 1 else 'separate'} the {ends} of "
            f"`{outcome.name}` (some of them, or all): the likelihood grows for ever with such "
            f"coefficients, and only the priors stop them; say by priors= how large they may be, "
            f"or merge or leave out what separates"
        )


def _signs(script: Script, family: Family, outcome: Outcome) -> np.ndarray | None:
    """Return -1 and 1 of outcomes at the lower and the upper end, 0 between; None without ends.

    NaN is said of outcomes that tell nothing.
    """
    y = outcome.values
    if family.kind == "yes or no":
        return np.where(y > 0, 1.0, -1.0)
    if family.kind == "successes" and set(family.links) <= {"mu", "phi"} and outcome.trials:
        size = outcome.trials(script.frame)
        return np.where(size == 0, np.nan, (y == size) * 1.0 - (y == 0))
    if family.kind == "counts" and set(family.links) <= {"mu", "shape"} and script.counts is None:
        return np.where(y == 0, -1.0, 0.0)
    return None


def _of_groups(script: Script, formula: Formula, family: Family) -> Iterator[str]:
    residual = next((p for p in RESIDUAL if p in family.links), None)
    if residual is None or "se" in formula.additions:
        return
    for term in formula.predictor.groups:
        columns = [part.strip(" `") for part in str(term.factor).split(":")]
        if not isinstance(term.factor, str) or not set(columns) <= set(script.frame):
            continue
        design = linear(term.expression, script.frame, script.renamed)
        each = design.intercept + sum(block.size for block in design.blocks)
        effects, rows = each * len(grouped(columns)(script.frame).labels), _rows(script)
        if effects >= rows:
            yield (
                f"({term.expression} | {term.factor}) has {effects} effects and there are {rows} "
                f"rows: what differs from group to group can hardly be told from {residual}, "
                f"which differs from row to row; leave out the term, or a part of it"
            )


def _rows(script: Script) -> int:
    return len(script.frame) if script.counts is None else round(script.counts.sum())
