"""Lay out predictions as a table, a row a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.posterior.digits import decimals
from finetti.reporting.tables import SHOWN, plain_table

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from rich.table import Table

INTERVAL = 0.89  # as in the summary


def prediction_frame(predicted: xr.Dataset) -> pd.DataFrame:
    """Return a row for each number predicted: site, members, mean, sd and 89% interval.

    `members` names its place in the site's plates, such as "Pine, 3".
    """
    import pandas as pd

    return pd.DataFrame([row for name in predicted for row in _rows(predicted[name])])


def prediction_table(predicted: xr.Dataset, limit: int = SHOWN) -> Table:
    """Return the first rows of each site's predictions for `rich` to print."""
    from rich.markup import escape

    table = plain_table()
    for title in ("", "mean", "sd", f"{INTERVAL:.0%} interval"):
        table.add_column(title, justify="right" if title else "left")
    for name in predicted:
        rows = _rows(predicted[name], limit)
        for row in rows:
            place = f"[{row['members']}]" if row["members"] else ""
            error = row["sd"] / np.sqrt(predicted[name].sizes["draw"])
            places = max(decimals(row["mean"], error), 0)
            low, high = (f"{row[end]:.{places}f}" for end in ("low", "high"))
            cells = (f"{row['mean']:.{places}f}", f"{row['sd']:.{places}f}", f"{low}  {high}")
            table.add_row(escape(f"{name}{place}"), *cells)
        count = int(np.prod(predicted[name].shape[2:]))
        if count > len(rows):
            table.add_row(f"[dim]and {count - len(rows):,} more[/]")
    return table


def _rows(draws: xr.DataArray, limit: int | None = None) -> list[dict[str, Any]]:
    """Sum up the draws of each number of a site, dims (chain, draw, *site dims)."""
    axes = [draws[d].values.tolist() if d in draws.coords else range(draws.sizes[d])
            for d in draws.dims[2:]]  # fmt: skip
    values = draws.to_numpy().reshape(draws.shape[0] * draws.shape[1], -1)[:, :limit]
    tails = ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2)
    low, high = np.quantile(values, tails, axis=0)
    places = np.ndindex(*draws.shape[2:])
    return [
        {
            "site": str(draws.name),
            "members": ", ".join(str(axis[i]) for axis, i in zip(axes, place, strict=True)),
            "mean": float(values[:, k].mean()),
            "sd": float(values[:, k].std()),
            "low": float(low[k]),
            "high": float(high[k]),
        }
        for k, place in zip(range(values.shape[1]), places, strict=False)
    ]
