"""Hand draws on to other programs, as data frames with a column a scalar and a row a draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import MissingExtra
from finetti.posterior.scalars import each

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Export:
    """Hold draws, dims (chain, draw, ...), and write them for another program.

    Data frames have the columns chain and draw and one for each scalar, named as the summary names
    its rows, such as `theta[A]`; a row is a draw, chain by chain.
    """

    draws: xr.Dataset

    def columns(self) -> dict[str, np.ndarray]:
        """Return the columns of the data frames, arrays of shape (chain x draw,)."""
        chains, length = self.draws.sizes["chain"], self.draws.sizes["draw"]
        found = {
            "chain": np.repeat(self.draws["chain"].to_numpy(), length),
            "draw": np.tile(self.draws["draw"].to_numpy(), chains),
        }
        for array in self.draws.data_vars.values():
            found |= {name: values.ravel() for name, values in each(array)}
        return found

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas data frame."""
        import pandas as pd

        return pd.DataFrame(self.columns())

    def to_polars(self) -> pl.DataFrame:
        """Return a polars data frame; raises `MissingExtra` without polars."""
        try:
            import polars as pl
        except ImportError as error:
            raise MissingExtra.needed("polars", "cli", "draws as a polars data frame") from error
        return pl.DataFrame(self.columns())

    def to_arrow(self) -> Any:
        """Return a `pyarrow.Table`; raises `MissingExtra` without pyarrow."""
        try:
            import pyarrow as pa  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingExtra.needed("pyarrow", "tables", "draws as an Arrow table") from error
        return pa.table(self.columns())

    def to_numpy(self) -> dict[str, np.ndarray]:
        """Return the draws of each site by name, arrays of shape (chain, draw, ...)."""
        return {
            str(name): array.transpose("chain", "draw", ...).to_numpy()
            for name, array in self.draws.data_vars.items()
        }

    def __repr__(self) -> str:
        return f"<draws of {', '.join(map(str, self.draws.data_vars))}, to be written>"
