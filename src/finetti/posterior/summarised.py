"""Hold a summary as it is shown and handed on, with no digit that the draws do not support."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import MissingExtra
from finetti.hypertext.html import block, words
from finetti.hypertext.table import Table
from finetti.posterior.digits import cells
from finetti.posterior.labels import is_hidden
from finetti.posterior.whole import whole

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Summary:
    """Hold the summary of a posterior; print it, or write it for another program.

    `frame` is `posterior.summary()`, a row a scalar, unrounded. `hidden` says of each site how many
    of its rows are not among them. What is printed, and written as Markdown or LaTeX, ends at the
    first digit of twice its Monte Carlo standard error; CSV and data frames hold all digits.
    """

    frame: pd.DataFrame
    hidden: Mapping[str, int]

    @classmethod
    def of(
        cls, frame: pd.DataFrame, site_of: Callable[[str], str], rows: int | None = None
    ) -> Summary:
        """Return a summary with at most so many rows a site; `site_of` tells the site of a row."""
        counts: dict[str, int] = {}
        kept = []
        for name in map(str, frame.index):
            site = site_of(name)
            counts[site] = counts.get(site, 0) + 1
            kept.append(rows is None or counts[site] <= rows)
        hidden = {n: max(c - (c if rows is None else rows), 0) for n, c in counts.items()}
        return cls(frame.loc[kept], hidden)

    @cached_property
    def table(self) -> Table:
        """Return the rows as texts; R-hats that are too large are alarming."""
        columns = cells(self.frame)
        rows = list(zip(map(str, self.frame.index), *(c[0] for c in columns.values()), strict=True))
        alarming = {
            (i, j)
            for j, (_, _, bad) in enumerate(columns.values(), 1)
            for i, wrong in enumerate(bad)
            if wrong
        }
        return Table(("", *columns), rows, "", frozenset(alarming))

    def notes(self) -> list[str]:
        """Say which sites have more rows."""
        return [f"{name}: and {count:,} more" for name, count in self.hidden.items() if count]

    def __str__(self) -> str:
        """Print the rows, and how many there are besides."""
        return "\n".join([str(self.table), *self.notes()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return block(self.table.grid(), *map(words, self.notes()))

    def to_markdown(self) -> str:
        """Return the rows as a table in Markdown."""
        return self.table.markdown()

    def to_latex(self) -> str:
        """Return the rows as a LaTeX tabular, for the package booktabs."""
        return self.table.latex()

    def to_csv(self, path: str | Path) -> Path:
        """Write the rows, unrounded, with a first column `name`; return the path."""
        place = Path(path)
        with whole(place, "the summary") as beside:
            self.frame.to_csv(beside, index_label="name")
        return place

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows, unrounded, by their names."""
        return self.frame.copy()

    def to_polars(self) -> pl.DataFrame:
        """Return the rows, unrounded, with a first column `name`.

        Raises `MissingExtra` without polars.
        """
        try:
            import polars as pl
        except ImportError as error:
            raise MissingExtra.needed("polars", "cli", "a polars data frame") from error
        columns = {str(name): column.to_numpy() for name, column in self.frame.items()}
        return pl.DataFrame({"name": list(map(str, self.frame.index)), **columns})


def told(table: pd.DataFrame, draws: xr.Dataset) -> pd.DataFrame:
    """Return a summary without the sites that are hidden, and without entries that are constants.

    An entry is one where its site has others that vary: a matrix's zeros tell nothing.
    """
    shown = []
    for name, found in draws.data_vars.items():
        array = found.transpose("chain", "draw", ...)
        rows = array[0, 0].size
        if is_hidden(str(name)):
            shown.append(np.zeros(rows, bool))
            continue
        moves = np.ones(rows, bool)
        if array.dtype.kind == "f" and rows > 1 and array[..., 0].size > 1:
            flat = array.to_numpy().reshape(-1, rows)
            same = flat[0] == flat[-1]
            moves[same] = np.ptp(flat[:, same], 0) > 0
        shown.append(moves | ~moves.any())
    return table.loc[np.concatenate(shown)].copy() if shown else table.copy()
