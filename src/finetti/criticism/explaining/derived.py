"""Hold numbers that were computed at each draw, as a table with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from finetti.hypertext.html import block, heading, items, words
from finetti.posterior import diagnose
from finetti.posterior.labels import dotted
from finetti.posterior.scalars import Scalars
from finetti.posterior.summarised import Summary

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

ROWS = 30  # of one name that are printed


@dataclass(frozen=True, eq=False)
class Derived:
    """Hold quantities by name at each draw, dims (chain, draw, ...); print it to read them.

    `title` says what they are, `notes` what to know of them.
    """

    title: str
    draws: xr.Dataset
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> xr.DataArray:
        """Return the draws of one quantity."""
        return self.draws[dotted(name)]

    @property
    def frame(self) -> pd.DataFrame:
        """Return the summary, a row a scalar: mean, sd, interval and Monte Carlo errors."""
        return self._frame.copy()

    @cached_property
    def _frame(self) -> pd.DataFrame:
        import xarray as xr

        with diagnose.quiet(), np.errstate(all="ignore"):
            return diagnose.summary(xr.DataTree.from_dict({"posterior": self.draws}))

    @cached_property
    def table(self) -> Summary:
        """Return the summary to print, or to write as Markdown, LaTeX or CSV."""
        return Summary.of(self._frame, Scalars(self.draws).site, ROWS)

    def __str__(self) -> str:
        """Print the title, the table and the notes."""
        return "\n".join(
            [self.title, "", str(self.table), *(["", *self.notes] if self.notes else ())]
        )

    def __repr__(self) -> str:
        return f"<{self.title}: {', '.join(map(str, self.draws.data_vars))}>"

    def _repr_html_(self) -> str:
        more = map(words, self.table.notes())
        return block(heading(self.title), self.table.table.grid(), *more, items(self.notes))
