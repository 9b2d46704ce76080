"""Write what is unknown of the table: values that predictors lack, each with a law of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

import finetti.distributions as families
from finetti.errors import DataError
from finetti.formulas.outcome import outcome_columns
from finetti.formulas.priors import Priors, sd_of, written
from finetti.formulas.script import Script, literal
from finetti.formulas.text import Formula
from finetti.formulas.writing import WIDE, rounded

if TYPE_CHECKING:
    import pandas as pd


def unknown(
    mains: Sequence[Formula], frame: pd.DataFrame, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the columns that lack values which can be left unknown, and where they lack them.

    Raises `DataError` for a column of names, other than an outcome, that does.
    """
    outcomes = {name for m in mains for name in outcome_columns(m, frame)}
    found = {}
    for name in names:
        lacking = frame[name].isna().to_numpy()
        if not lacking.any():
            continue
        if lacking.all():
            raise DataError(f"column `{name}` has no value at all")
        if name not in outcomes and frame[name].dtype.kind not in "biuf":
            raise DataError(
                f"column `{name}` lacks {int(lacking.sum())} of its {len(frame)} values, the first "
                f"in row {int(np.flatnonzero(lacking)[0]) + 1}, and holds names: what is unknown "
                f'can be a number; say missing="drop" to leave these rows out'
            )
        found[name] = lacking
    return found


def filled(frame: pd.DataFrame, holes: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the table with something for a value where predictors lack one."""
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
        name, lambda frame: _whole(frame, name), {name}, key=("columns", name, 1)
    )
    write_unknown(script, name, (parts[0], parts[1]), observed, vector=False)


def _whole(frame: pd.DataFrame, name: str) -> np.ndarray:
    column = frame[name].to_numpy(float)
    return np.where(np.isnan(column), np.nanmean(column) if len(column) else 0.0, column)


def write_unknown(
    script: Script, name: str, law: tuple[str, str], observed: str, vector: bool = True
) -> None:
    """Write a column's known values as observed and the others as latent, and join the two.

    `law` is its mean, with an entry a row where it is a `vector`, and its standard deviation.
    """
    mean, sd = law

    def hole(frame: pd.DataFrame) -> np.ndarray:
        return np.flatnonzero(frame[name].isna().to_numpy())

    def known(frame: pd.DataFrame) -> np.ndarray:
        return np.flatnonzero(frame[name].notna().to_numpy())

    def place(frame: pd.DataFrame) -> np.ndarray:
        lacking = frame[name].isna().to_numpy()
        return np.where(lacking, np.cumsum(lacking) - 1, 0)

    there = script.argument(f"{name}_known", known, {name})
    where = script.argument(f"{name}_hole", hole, {name})
    which = script.argument(f"{name}_place", place, {name})
    of = (f"{mean}[{there}]", f"{mean}[{where}]") if vector else (mean, mean)
    with script.deeper(
        f"with ft.plate({literal(script.name(f'{name}_known_row'))}, len({there})):"
    ):
        script.say(
            f"ft.sample({literal(script.name(f'{name}_known'))}, ft.Normal({of[0]}, {sd}), "
            f"obs={observed}[{there}])"
        )
    whole = script.identifier(f"{name}_whole")
    script.say(f"{whole} = {observed}")
    with script.deeper(f"if len({where}):"):
        missing = script.identifier(f"{name}_missing")
        site = literal(script.name(f"{name}_missing"))
        with script.deeper(f"with ft.plate({literal(script.name(f'{name}_hole'))}, {where}):"):
            script.say(f"{missing} = ft.sample({site}, ft.Normal({of[1]}, {sd}))")
        lacking = f"np.isin(np.arange(len({observed})), {where})"
        script.say(f"{whole} = jnp.where({lacking}, {missing}[{which}], {observed})")
    script.filled[name] = whole
