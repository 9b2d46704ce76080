"""Read a posterior that is a mode: its table with standard errors, and what to say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from finetti.posterior.finding import Finding
from finetti.posterior.labels import scalars

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def is_mode(tree: xr.DataTree) -> bool:
    """Tell whether a run found a mode rather than made draws."""
    return "standard_error" in tree.children


def table(tree: xr.DataTree, names: list[str] | None) -> pd.DataFrame:
    """Return a row a scalar: the mode and its standard error, NaN for what was not sought."""
    import pandas as pd

    draws, errors = tree["posterior"].dataset, tree["standard_error"].dataset
    rows: dict[str, tuple[float, float]] = {}
    for name in names or list(map(str, draws.data_vars)):
        value = draws[name][0, 0]
        error = np.asarray(errors[name]) if name in errors else np.full(value.shape, np.nan)
        for row, index in zip(scalars(value, 0), np.ndindex(value.shape), strict=True):
            rows[row] = (float(value.values[index]), float(error[index]))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["mode", "standard_error"])


def starts(tree: xr.DataTree) -> Finding | None:
    """Say whether searches for the mode ended in different places."""
    starts, agreed = int(tree.attrs["starts"]), int(tree.attrs["starts_that_agree"])
    lost = int(tree.attrs["starts_that_ran_away"])
    if agreed == starts:
        return None
    others = starts - agreed - lost
    where = [f"{others} on lower modes"] if others else []
    where += [f"{lost} ran away where the density has no top"] if lost else []
    return Finding(
        "several modes",
        (),
        f"Of {starts} starts {agreed} reached this mode ({' and '.join(where)}): it may not stand "
        f"for the posterior. Try more starts, MAP(starts=20); take the groups' effects out by "
        f"plan=model.plan(); or sample by ft.NUTS().",
    )
