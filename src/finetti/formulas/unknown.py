"""Write what is unknown of the table: values that predictors lack, each with a law of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

import finetti.distributions as families
from finetti.errors import DataError
from finetti.formulas.frames import is_truth
from finetti.formulas.outcome import PROPORTION, outcome_columns
from finetti.formulas.priors import Priors, sd_of, written
from finetti.formulas.script import Script, literal
from finetti.formulas.text import Formula, as_call, words
from finetti.formulas.writing import WIDE, rounded

if TYPE_CHECKING:
    import pandas as pd


def unknown(
    mains: Sequence[Formula],
    extras: Sequence[Formula],
    frame: pd.DataFrame,
    names: Sequence[str],
) -> dict[str, np.ndarray]:
    """Return the columns that lack values which can be left unknown, and where they lack them.

    Raises `DataError` for a column of names, other than an outcome, that does, and for one that is
    read as it is: by a smooth, a grouping, or what is said of an outcome.
    """
    read = _as_they_are([*mains, *extras])
    outcomes = {name for m in mains for name in outcome_columns(m, frame)}
    found = {}
    for name in names:
        lacking = frame[name].isna().to_numpy()
        if not lacking.any():
            continue
        if lacking.all():
            raise DataError(f"column `{name}` has no value at all")
        number = frame[name].dtype.kind in "biuf" or is_truth(frame[name])
        if name not in outcomes and not number:
            raise DataError(
                f"column `{name}` lacks {int(lacking.sum())} of its {len(frame)} values, the first "
                f"in row {int(np.flatnonzero(lacking)[0]) + 1}, and holds names: what is unknown "
                f'can be a number; say missing="drop" to leave these rows out'
            )
        if name in read:
            raise DataError(
                f"column `{name}` lacks {int(lacking.sum())} of its {len(frame)} values, the first "
                f"in row {int(np.flatnonzero(lacking)[0]) + 1}, and {read[name]} takes them as "
                f'they are: say missing="drop" to leave these rows out'
            )
        found[name] = lacking
    return found


def _as_they_are(formulas: Sequence[Formula]) -> dict[str, str]:
    """Return the columns that no law can stand for, by what reads them."""
    found: dict[str, str] = {}
    for one in formulas:
        said = [str(call) for call in (*one.additions.values(), *one.predictor.special)]
        said += [f"(... | {term.factor})" for term in one.predictor.groups]
        found |= {name: text for text in said for name in words(text.partition("(")[2])}
        call = as_call(one.response)
        if call is not None and call.name in PROPORTION:
            found |= dict.fromkeys(words(" ".join(call.arguments[1:])), one.response)
    return found


def filled(frame: pd.DataFrame, holes: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the table with something for a value where predictors lack one."""
    truths = [n for n in holes if is_truth(frame[n])]
    frame = frame.assign(**{n: frame[n].astype(float) for n in truths})
    numeric = [n for n in holes if frame[n].dtype.kind in "biuf"]
    return frame.assign(**{n: frame[n].fillna(frame[n].mean()) for n in numeric})


def write_plain(script: Script, priors: Priors, name: str, lacking: np.ndarray) -> None:
    """Write a predictor that lacks values as draws of one normal law."""
    known = script.frame[name].to_numpy(float)[~lacking]
    size = sd_of(known)
    laws = (
        ("mean", families.Normal(rounded(float(known.mean())), rounded(WIDE * size))),
        ("sd", families.HalfNormal(rounded(WIDE * size))),
    )
    parts = []
    for kind, default in laws:
        site = script.name(f"{name}_{kind}")
        prior = written([priors.get(default, site)], script)
        parts.append(script.identifier(site))
        script.say(f"{parts[-1]} = ft.sample({literal(site)}, {prior})")
    observed = script.argument(
        name, lambda frame: frame[name].to_numpy(float), {name}, key=("holes", name)
    )
    write_unknown(script, name, f"ft.Normal({parts[0]}, {parts[1]})", observed)


def write_unknown(script: Script, name: str, law: str, observed: str) -> None:
    """Write a column that lacks values as observed by a law, and hold what stands for the whole."""
    script.rows = script.rows or script.name("row")
    whole, site = script.identifier(f"{name}_whole"), script.name(f"{name}_known")
    with script.deeper(f"with ft.plate({literal(script.rows)}, len({observed})):"):
        script.say(f"{whole} = ft.sample({literal(site)}, {law}, obs={observed})")
    script.filled[name] = whole
