"""Hold a table that stays where it is: what its engine computes of it comes, its rows do not."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from finetti.errors import DataError
from finetti.structure.words import listed

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import pyarrow as pa
    from ibis.backends import BaseBackend

Expr = Any  # an expression of ibis, whose types do not tell what a column picked by name can do
Kind = Literal["number", "name", "truth", "other"]
WIDTH = 100  # characters of a line of SQL that is shown


@dataclass(frozen=True, eq=False)
class Table:
    """Hold a table in place: `rows` is an expression of ibis, `name` what it was given as.

    Make one with `ft.table`. `held` is what must live as long as the table does.

    >>> import polars as pl
    >>> rows = table(pl.LazyFrame({"y": [1.0, 2.0], "g": ["a", "b"]}))
    >>> rows.kinds
    {'y': 'number', 'g': 'name'}
    """

    rows: Expr
    name: str
    held: object = field(default=None, repr=False)

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Return what each column holds: numbers, names, truth values or something else."""
        return {str(n): _kind(dtype) for n, dtype in self.rows.schema().items()}

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(self.kinds)

    def column(self, name: str) -> Expr:
        """Return a column as an expression, numbers as floating-point ones of 64 bits."""
        found = self.rows[name]
        return found.cast("float64") if self.kinds[name] == "number" else found

    def can(self, operation: str) -> bool:
        """Tell whether the table's engine has an operation of ibis, such as "Covariance"."""
        import ibis.expr.operations as operations

        return bool(self.engine.has_operation(getattr(operations, operation)))

    @cached_property
    def engine(self) -> BaseBackend:
        """Return the engine that the table lies in."""
        return self.rows.get_backend()

    def fetch(self, expression: Expr, what: str) -> pa.Table:
        """Return what the engine makes of an expression, which says `what` is asked for.

        Raises `DataError` with the first line of what the engine says.
        """
        streaming: Mapping[str, str] = (
            {"engine": "streaming"} if self.engine.name == "polars" else {}
        )
        try:
            with quiet():
                return expression.to_pyarrow(**streaming)
        except Exception as error:
            said = str(error).strip().partition("\n")[0]
            raise DataError(
                f"the table {self.name} cannot be asked for {what}: {self.engine.name} says "
                f"{said!r:.300}"
            ) from error

    def sql(self, expression: Expr) -> str:
        """Return the query of an expression, or where there is no SQL the expression itself."""
        import ibis

        try:
            return str(ibis.to_sql(expression)).strip()
        except Exception:  # noqa: BLE001 - engines without SQL say so in many ways
            return str(expression).strip()

    def need(self, names: list[str], where: str) -> None:
        """Refuse names that are no columns, listing those there are."""
        for name in names:
            if name not in self.kinds:
                known = listed(f"`{c}`" for c in self.columns)
                raise DataError(
                    f"the table {self.name} has no column `{name}`, of which {where!r} speaks "
                    f"(columns: {known})"
                )


def is_nan(column: Expr) -> Expr:
    """Tell of floating-point values whether they are no numbers.

    DuckDB 2.0 takes a Parquet file's statistics, which leave such values out, for a proof that
    there are none, and answers isnan by them, of sums, products and roots too, but not of exp.
    """
    import ibis.expr.operations as operations

    engine = column.get_backend()
    if not engine.has_operation(operations.IsNan):
        return column.isnull()  # SQLite has no such values, it stores nothing for them
    seen = (-column.abs()).exp() if engine.name == "duckdb" else column
    return seen.isnan().fill_null(False)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what packages say of one another's old ways."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _kind(dtype: dt.DataType) -> Kind:
    if dtype.is_boolean():
        return "truth"
    if dtype.is_numeric():
        return "number"
    return "name" if dtype.is_string() else "other"
