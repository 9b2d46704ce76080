"""Read which rows of an outcome are censored: y | cens(c), or y | cens(c, y2) with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import DataError, ModelError
from finetti.formulas.frames import need
from finetti.formulas.outcome import Outcome, number
from finetti.formulas.text import Call, Formula

if TYPE_CHECKING:
    import pandas as pd

    from finetti.formulas.script import Script

Make = Callable[["pd.DataFrame"], np.ndarray]
NONE, LEFT, RIGHT, BETWEEN = 0, -1, 1, 2
CODES: Mapping[str, int] = {
    "none": NONE, "left": LEFT, "right": RIGHT, "interval": BETWEEN,
    "0": NONE, "-1": LEFT, "1": RIGHT, "2": BETWEEN, "False": NONE, "True": RIGHT,
}  # fmt: skip


def codes(call: Call, frame: pd.DataFrame) -> np.ndarray:
    """Return how each row is censored, and refuse what says nothing of it."""
    if not 1 <= len(call.arguments) <= 2 or call.named:
        raise ModelError(
            f"{call}: write cens(c), where c is none, left or right (0, -1, 1) of each row, or "
            f"cens(c, y2), where it may be interval (2), from the outcome to y2"
        )
    column = call.arguments[0].strip("`")
    need(frame, [column], str(call))
    said = [str(value).removesuffix(".0") for value in frame[column]]
    bad = [row for row, word in enumerate(said) if word not in CODES]
    if bad:
        raise DataError(
            f"cens({column}) is {said[bad[0]]!r} in row {bad[0] + 1}: it says none, left, right "
            f"or interval (0, -1, 1, 2) of each row"
        )
    found = np.array([CODES[word] for word in said])
    between = np.flatnonzero(found == BETWEEN)
    if len(between) and len(call.arguments) < 2:
        raise ModelError(
            f"cens({column}) is {said[between[0]]!r} in row {between[0] + 1}, of an outcome in an "
            f"interval: write cens({column}, y2), where y2 is its upper end"
        )
    return found


def with_ends(mains: Sequence[Formula], frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with something for an interval's upper end in rows that are in none."""
    for main in mains:
        call = main.additions.get("cens")
        if call is None or len(call.arguments) < 2 or call.arguments[0].strip("`") not in frame:
            continue
        end = call.arguments[1].strip("`")
        if end in frame and frame[end].dtype.kind in "biuf":
            lacking = frame[end].isna().to_numpy() & (codes(call, frame) != BETWEEN)
            frame = frame.assign(**{end: frame[end].mask(lacking, 0.0)})
    return frame


def found_late(outcome: Outcome, call: Call, frame: pd.DataFrame, whole: bool) -> Outcome:
    """Return an outcome that is observed where what is known of it ends.

    That is the upper end of the interval that it lies in, and of `whole` numbers that are more than
    what is seen, as brms has right censoring, the next. Raises `DataError` for an interval that
    ends where it begins, or before.
    """
    said_by, *ends = call.arguments
    upper, columns = None, frozenset[str]()
    if ends:
        upper, columns = number(ends[0], frame)
    elif not whole:
        return outcome

    def make(frame: pd.DataFrame) -> np.ndarray:
        lower, said = outcome.make(frame), codes(call, frame)
        found = np.where(said == RIGHT, lower + 1, lower) if whole else lower
        if upper is None:
            return found
        end, within = upper(frame), (said == BETWEEN) & ~np.isnan(lower)
        wrong = within & ~(end > lower)
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(
                f"{call} has an interval from {lower[row]:g} to {end[row]:g} in row {row + 1}: its "
                f"upper end is to be above the outcome"
            )
        return np.where(within, end, found)

    both = outcome.columns | columns | {said_by.strip("`")}
    lower = None if upper is None else outcome.make
    return replace(outcome, make=make, columns=both, values=make(frame), lower=lower)


def censored(
    script: Script, law: str, call: Call, frame: pd.DataFrame, outcome: Outcome, observed: str
) -> str:
    """Write a law of outcomes some of which are only known to lie beyond, or between, values.

    `observed` is the argument with the outcome's values.
    """
    own, argument = script.arguments[observed].make, script.argument
    columns = {call.arguments[0].strip("`"), *outcome.columns}
    here = set(codes(call, frame).tolist())

    def at(make: Make, of: Sequence[int], otherwise: float) -> Make:
        def limits(frame: pd.DataFrame) -> np.ndarray:
            values = make(frame)
            chosen = np.isin(codes(call, frame), of) & ~np.isnan(values)
            return np.where(chosen, values, otherwise)

        return limits

    def endless(otherwise: float) -> Make:  # limits of rows that nothing censors
        return lambda frame: np.full(len(frame), otherwise)

    given = []
    for name, make, of, otherwise in (
        ("low", own, (LEFT, BETWEEN), -np.inf),
        ("high", own, (RIGHT,), np.inf),
        ("after", outcome.lower, (BETWEEN,), -np.inf),
    ):
        if make is not None and not here.isdisjoint(of):
            limit = argument(
                f"{name}_{observed}", at(make, of, otherwise), columns, otherwise=endless(otherwise)
            )
            given.append(f"{name}={limit}")
    return f"ft.Censored({law}, {', '.join(given)})" if given else law
