"""Say what makes a model's arguments of a table whose columns are not taken as they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from finetti.types import TableLike


class Reader(Protocol):
    """Make a function's arguments of a table, where columns are not taken as they are.

    `table` is the one that the model was made of, a mapping from names to columns.
    """

    @property
    def table(self) -> Any:
        """Return the table that the model was made of."""
        ...

    @property
    def counts(self) -> Any:
        """Return how many rows each of the table's stands for, None for itself alone."""
        ...

    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of the categories of outcomes that are one of several, by site."""
        ...

    @property
    def predictors(self) -> Collection[str]:
        """Return the columns of its table that are not only observed, or counts of trials."""
        ...

    @property
    def of_trials(self) -> bool:
        """Tell whether outcomes are successes among trials."""
        ...

    def one_trial(self) -> Reader:
        """Return what makes of a table rows with one trial each."""
        ...

    @property
    def said(self) -> str:
        """Return what there is to say of the rows that the table's stand for, if any."""
        ...

    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments made of its own table."""
        ...

    def with_priors(self, priors: Mapping[str, Any], /) -> Any:
        """Return the model of the same table with other priors."""
        ...

    def with_rows(self, rows: TableLike, /) -> Any:
        """Return what reads the table with more rows after its own."""
        ...

    def __call__(self, table: TableLike, /) -> Mapping[str, Any]:
        """Return the arguments made of another table."""
        ...
