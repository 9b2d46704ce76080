"""Hold the columns of a table by name, and what is to be said of how they were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from finetti.errors import DataError


@dataclass(frozen=True, eq=False)
class Columns(Mapping[str, Any]):
    """Hold the columns of a table by name: narwhals series, or from JSON single values too.

    `said` tells what was guessed of how the table is written, empty where nothing was.
    """

    found: Mapping[str, Any]
    said: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __repr__(self) -> str:
        return f"<columns {', '.join(self.found)}>"


def stack(name: str, rows: list[object]) -> np.ndarray:
    """Return a column of lists of numbers as an array of shape (row, ...)."""
    try:
        array = np.asarray(rows)
    except ValueError:
        raise DataError(f"the lists in `{name}` differ in length: make them equal") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"the lists in `{name}` hold something else than numbers")
    return array
