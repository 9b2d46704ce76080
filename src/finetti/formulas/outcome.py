"""Read the outcome of a formula: its values, what is said of them, and what they are to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import DataError, ModelError
from finetti.formulas.design import linear
from finetti.formulas.families import Family, guess
from finetti.formulas.faults import refuse_columns, refuse_levels
from finetti.formulas.frames import need
from finetti.formulas.priors import mean_of, sd_of
from finetti.formulas.text import Call, Formula, as_call, words
from finetti.language.columns import as_number

if TYPE_CHECKING:
    import pandas as pd

Make = Callable[["pd.DataFrame"], np.ndarray]
TOGETHER = ("cbind",)
PROPORTION = ("p", "prop", "proportion")


@dataclass(frozen=True)
class Outcome:
    """Hold an outcome: its name, how its values are made of a table, and of what columns.

    `values` are those of the table fitted, NaN where they are missing. `levels` are the labels of
    its categories, where it has any. `trials` makes the numbers of trials, `lower` the lower ends
    of intervals that outcomes are known to lie in, whose upper ends are the values.
    """

    name: str
    make: Make
    columns: frozenset[str]
    values: np.ndarray
    levels: tuple[str, ...] = ()
    trials: Make | None = None
    trial_columns: frozenset[str] = frozenset()
    lower: Make | None = None


def family_of(formula: Formula, frame: pd.DataFrame) -> str:
    """Return the family of an outcome by how it is written, or else by what it holds."""
    call = as_call(formula.response)
    if "trials" in formula.additions or (call is not None and call.name in PROPORTION):
        return "binomial"
    name = formula.response.strip("`")
    return guess(frame[name]) if name in frame else "gaussian"


def outcome_columns(formula: Formula, frame: pd.DataFrame) -> set[str]:
    """Return the columns that an outcome is made of, but for numbers of trials."""
    call = as_call(formula.response)
    parts = [formula.response] if call is None else list(call.arguments)
    if call is not None and call.name in PROPORTION:
        parts = parts[:1]
    return words(" ".join(parts)) & set(frame.columns)


def read_outcome(formula: Formula, family: Family, frame: pd.DataFrame) -> Outcome:
    """Read the outcome of a formula from a table; `check` it when it is read.

    Raises `DataError` for a column that is absent or holds no values of the family's kind.
    """
    text = formula.response
    call = as_call(text)
    trials = formula.additions.get("trials")
    if call is not None and call.name in PROPORTION:
        if len(call.arguments) != 2:
            raise ModelError(f"{text}: write p(successes, trials)")
        call.takes(2)
        name, size = call.arguments
        outcome = _single(name, family, frame)
        trials = Call("trials", (size,))
    elif call is not None and call.name in TOGETHER:
        outcome = _joined(call, frame)
    else:
        outcome = _single(text, family, frame)
    if trials is not None and not family.trials:
        raise ModelError(
            f"{trials} says of how many trials successes are, and the family {family.name} counts "
            f"none: take family='binomial' or 'beta_binomial'"
        )
    if family.trials:
        if trials is None and family.several:
            make: Make = lambda frame: outcome.make(frame).sum(-1)  # noqa: E731
            columns = outcome.columns
        elif trials is None:
            raise ModelError(
                f"the family {family.name} counts successes among trials: write "
                f"`{text} | trials(n) ~ ...` or p({text}, n)"
            )
        else:
            make, columns = number(trials.arguments[0], frame)
        outcome = replace(outcome, trials=_whole(make), trial_columns=columns)
    return outcome


def number(text: str, frame: pd.DataFrame) -> tuple[Make, frozenset[str]]:
    """Return what makes a column of numbers of text: a column's name, a number, an expression."""
    try:
        fixed = float(text)
    except ValueError:
        pass
    else:
        return (lambda frame: np.full(len(frame), fixed)), frozenset()
    return numbers(text, frame)


def _whole(make: Make) -> Make:
    """Return what makes numbers of trials, which are whole and not negative."""

    def counts(frame: pd.DataFrame) -> np.ndarray:
        found = make(frame)
        bad = np.flatnonzero((found < 0) | (found != np.round(found)) | ~np.isfinite(found))
        if len(bad):
            raise DataError(
                f"there are {found[bad[0]]:g} trials in row {bad[0] + 1}, of which successes are "
                f"to be: give counts, or leave such rows out"
            )
        return found.astype(int)

    return counts


def numbers(text: str, frame: pd.DataFrame, observed: bool = False) -> tuple[Make, frozenset[str]]:
    """Return what makes a column of numbers: of a column's name, or an expression of columns.

    What is only `observed` may be any number in rows that follow.
    """
    name = text.strip("`")
    if name in frame:
        if frame[name].dtype.kind not in "biuf":
            raise DataError(f"column `{name}` holds {frame[name].iloc[0]!r}, not numbers")
        return (lambda frame: frame[name].to_numpy(float)), frozenset({name})
    if name.isidentifier():
        need(frame, [name], text)
    block = linear(f"0 + I({text})", frame).blocks[0]
    return block.make if observed else block.anew, block.columns


def _single(text: str, family: Family, frame: pd.DataFrame) -> Outcome:
    name = text.strip("`")
    if name not in frame:
        read, columns = numbers(text, frame, observed=True)
        return Outcome(name, read, columns, read(frame))
    column: Any = frame[name]
    plain = column.dtype.kind in "biuf"
    if column.dtype == object:
        refuse_columns(frame, [name])
    if family.kind in ("ordered", "category"):
        levels = _levels(column)
        refuse_levels(name, levels, len(column))
    elif family.kind == "yes or no" and not plain:
        levels = _levels(column)
        if len(levels) != 2:
            raise DataError(
                f"`{name}` has {len(levels)} values ({', '.join(map(repr, levels[:4]))}), where "
                f"yes or no has two: take family='categorical', or 'cumulative' if they are ordered"
            )
    elif not plain:
        raise DataError(
            f"`{name}` holds {column.dropna().iloc[0]!r}, where the family {family.name} takes "
            f"numbers: take family='categorical', or 'cumulative' if the values are ordered"
        )
    else:
        read, columns = numbers(name, frame, observed=True)
        return Outcome(name, read, columns, read(frame))
    codes = {level: i for i, level in enumerate(levels)}

    def make(frame: pd.DataFrame) -> np.ndarray:
        values = frame[name].tolist()
        strange = [v for v in values if v is not None and v == v and v not in codes]
        if strange:
            raise DataError(f"`{name}` is {strange[0]!r}, none of {', '.join(map(repr, levels))}")
        return np.array([codes.get(v, np.nan) for v in values])

    labels = tuple(str(v) for v in levels)
    return Outcome(name, make, frozenset({name}), make(frame), labels)


def _levels(column: pd.Series) -> list[Any]:
    if str(column.dtype) == "category":
        used = set(column.dropna().tolist())
        return [v for v in column.cat.categories.tolist() if v in used]
    found = sorted(set(column.dropna().tolist()))
    numbers = {v: as_number(v) for v in found}
    return found if None in numbers.values() else sorted(found, key=lambda v: numbers[v] or 0.0)


def _joined(call: Call, frame: pd.DataFrame) -> Outcome:
    """Return an outcome of several columns, shape (row, column): cbind(a, b, c)."""
    call.takes(None)
    parts = [numbers(a, frame, observed=True) for a in call.arguments]

    def make(frame: pd.DataFrame) -> np.ndarray:
        return np.stack([m(frame) for m, _ in parts], -1)

    columns = frozenset().union(*(c for _, c in parts))
    names = tuple(a.strip("`") for a in call.arguments)
    return Outcome(str(call), make, columns, make(frame), names)


def check(outcome: Outcome, family: Family, frame: pd.DataFrame) -> None:
    """Refuse values that are none of the family's, naming the first row."""
    y = outcome.values
    known = ~np.isnan(y)
    whole = np.where(known, y == np.round(y), True)
    size = outcome.trials(frame) if outcome.trials is not None else None
    wide = family.kind in ("counts of categories", "shares")
    if wide and y.ndim != 2:
        raise ModelError(
            f"the family {family.name} has several columns for an outcome: write cbind(a, b, c)"
        )
    if not wide and y.ndim != 1:
        raise ModelError(
            f"the family {family.name} has one column for an outcome, not {y.shape[1]}"
        )
    bad, said = {
        "positive": (y <= 0, "above 0; where it may be 0 take a hurdle family, hurdle_gamma"),
        "not negative": (y < 0, "0 or above"),
        "unit": (
            (y <= 0) | (y >= 1),
            "between 0 and 1; where it may be 0 or 1 take zero_one_inflated_beta",
        ),
        "unit or 0": (
            (y < 0) | (y >= 1),
            "from 0 to below 1; where it may be 1 take zero_one_inflated_beta",
        ),
        "closed unit": ((y < 0) | (y > 1), "from 0 to 1"),
        "counts": ((y < 0) | ~whole, "a count, 0, 1, 2, ..."),
        "yes or no": (~np.isin(y, (0, 1)) & known, "0 or 1"),
        "successes": (
            (y < 0) | ~whole | (y > (np.inf if size is None or wide else size)),
            "a number of successes, at most that of its trials",
        ),
        "counts of categories": ((y < 0) | ~whole, "a count, 0, 1, 2, ..."),
        "shares": ((y <= 0) | (y >= 1), "a share of one, between 0 and 1"),
        "angles": (np.abs(y) > np.pi + 1e-9, "an angle in radians, from -pi to pi"),
    }.get(family.kind, (np.zeros(y.shape, bool), ""))
    endless = np.argwhere(np.isinf(y))
    if len(endless):
        row = tuple(endless[0])
        raise DataError(f"the outcome `{outcome.name}` is {y[row]:g} in row {row[0] + 1}")
    rows = np.argwhere(bad & known)
    if len(rows):
        row = tuple(rows[0])
        raise DataError(
            f"the outcome `{outcome.name}` is {y[row]:g} in row {row[0] + 1}, and the family "
            f"{family.name} takes what is {said}"
        )
    if family.kind == "shares" and not np.allclose(np.nansum(y, -1), 1, atol=1e-6):
        raise DataError(f"the shares {outcome.name} do not sum to 1 in every row")
    if size is not None and not wide and not size[known].any():
        raise DataError(f"the trials of `{outcome.name}` are 0 in every row: no row would count")
    if family.kind in ("ordered", "category") and len(outcome.levels) < 2:
        raise DataError(f"the outcome `{outcome.name}` has one value only")


def reach(
    outcome: Outcome, family: Family, counts: np.ndarray | None, mean: float | None
) -> tuple[float, float]:
    """Return where an outcome lies on the link's scale, and how far it spreads there.

    `counts` are the rows that each value stands for, `mean` is that of the rows where it is known.
    """
    known = ~np.isnan(outcome.values)
    y = outcome.values[known]
    if counts is not None and known.ndim == 1:
        counts = counts[known]
    family = family.components[0] if family.components else family
    link = next(iter(family.links.values()))
    if family.name in ("lognormal", "hurdle_lognormal"):
        above = None if counts is None else counts[y > 0]
        logs = np.log(y[y > 0])
        return mean_of(logs, above), sd_of(logs, above)
    if link == "identity" and not family.several:
        return mean_of(y, counts), sd_of(y, counts)
    if link not in ("log", "softplus", "inverse", "1/mu^2", "sqrt"):
        return 0.0, 1.0
    mean = max(mean_of(y, counts) if mean is None else mean, 1e-3)
    if link in ("log", "softplus"):
        return float(np.log(mean)), 1.0
    level = {"inverse": 1 / mean, "1/mu^2": mean**-2, "sqrt": mean**0.5}[link]
    return level, level
