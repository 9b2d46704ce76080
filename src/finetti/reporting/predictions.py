"""Lay out predictions as a table, a row a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

    `members` names its place in the site's plates, such as "Pine, 3". Of what is one of several
    categories there is a row for each of them, "Pine, 3, red", whose mean is its probability.
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
            table.add_row(escape(f"{name}{place}"), *_cells(row, predicted[name].sizes["draw"]))
        categories = predicted[name].attrs.get("categories", [""])
        count = int(np.prod(predicted[name].shape[2:])) * len(categories)
        if count > len(rows):
            table.add_row(f"[dim]and {count - len(rows):,} more[/]")
    return table


def _cells(row: Mapping[str, Any], draws: int) -> tuple[str, str, str]:
    """Return a row's mean, sd and interval, with the digits that so many draws support."""
    if row["sd"] is None:
        error = np.sqrt(row["mean"] * (1 - row["mean"]) / draws)
        return f"{row['mean']:.{max(decimals(row['mean'], error), 0)}f}", "", ""
    places = max(decimals(row["mean"], row["sd"] / np.sqrt(draws)), 0)
    low, high = (f"{row[end]:.{places}f}" for end in ("low", "high"))
    return f"{row['mean']:.{places}f}", f"{row['sd']:.{places}f}", f"{low}  {high}"


def _rows(draws: xr.DataArray, limit: int | None = None) -> list[dict[str, Any]]:
    """Sum up the draws of each number of a site, dims (chain, draw, *site dims)."""
    if "categories" in draws.attrs:
        return _shares(draws, limit)
    values = draws.to_numpy().reshape(draws.shape[0] * draws.shape[1], -1)[:, :limit]
    tails = ((1 - INTERVAL) / 2, (1 + INTERVAL) / 2)
    low, high = np.quantile(values, tails, axis=0)
    return [
        {
            "site": str(draws.name),
            "members": members,
            "mean": float(values[:, k].mean()),
            "sd": float(values[:, k].std()),
            "low": float(low[k]),
            "high": float(high[k]),
        }
        for k, members in zip(range(values.shape[1]), _members(draws), strict=False)
    ]


def _shares(draws: xr.DataArray, limit: int | None) -> list[dict[str, Any]]:
    """Return the share of the draws that each category has, of each number of a site."""
    names = list(draws.attrs["categories"])
    few = None if limit is None else -(-limit // len(names))
    values = draws.to_numpy().reshape(draws.shape[0] * draws.shape[1], -1)[:, :few]
    blank = dict.fromkeys(("sd", "low", "high"))
    rows = [
        {
            "site": str(draws.name),
            "members": f"{members}, {name}" if members else name,
            "mean": float((values[:, k] == code).mean()),
            **blank,
        }
        for k, members in zip(range(values.shape[1]), _members(draws), strict=False)
        for code, name in enumerate(names)
    ]
    return rows[:limit]


def _members(draws: xr.DataArray) -> Iterator[str]:
    """Name the place of each number of a site in its plates."""
    axes = [draws[d].values.tolist() if d in draws.coords else range(draws.sizes[d])
            for d in draws.dims[2:]]  # fmt: skip
    for place in np.ndindex(*draws.shape[2:]):
        yield ", ".join(str(axis[i]) for axis, i in zip(axes, place, strict=True))
