"""Predict the mean outcome as one column of the data changes: conditional and average effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Literal, get_args

import jax.numpy as jnp
import numpy as np

from finetti.criticism.explaining.categories import expected, has_categories, labels_of
from finetti.criticism.explaining.derived import Derived
from finetti.criticism.explaining.grids import (
    At,
    Grid,
    columns_of,
    coordinate,
    grid_over,
    orders_of,
    whole_rows,
)
from finetti.criticism.explaining.moved import Moved, Values, at_each, move, moved
from finetti.criticism.predicting.members import newcomers
from finetti.criticism.predicting.placement import placed, states
from finetti.criticism.predicting.rows import covariates, on_rows
from finetti.errors import ModelError, refuse_others
from finetti.posterior.evaluate import run_at
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.structure.words import listed
from finetti.types import Array, TableLike

if TYPE_CHECKING:
    import xarray as xr


What = Literal["predictions", "comparisons", "slopes"]


@dataclass(frozen=True, eq=False)
class Effects:
    """Hold how the mean outcome changes with a column; print it to read it.

    `predictions` are the means, dims (chain, draw, `name`), or (chain, draw, `by`, `name`), over
    values of the column. Of an outcome that is one of several categories they are the probabilities
    of each, dims (chain, draw, `by`, `category`, `name`). `slopes` are their derivatives in it, of
    the same dims, for a column of numbers. `comparisons` are the predictions less those at the
    first value. `words` say what is held where.
    """

    name: str
    by: str | None
    predictions: xr.DataArray
    slopes: xr.DataArray | None
    words: str
    category: str | None = None

    @property
    def comparisons(self) -> xr.DataArray:
        """Return the predictions less those at the first value of the column."""
        return self.predictions - self.predictions.isel({self.name: 0}, drop=True)

    @property
    def title(self) -> str:
        """Say of what it is the mean."""
        by = f" by {self.by}" if self.by else ""
        return f"{self.quantity.capitalize()} of {self.predictions.name} over {self.name}{by}"

    @property
    def quantity(self) -> str:
        """Say what is predicted: a mean, or the probability of each category."""
        return "mean" if self.category is None else "probability"

    def table(self, what: What = "predictions") -> Derived:
        """Return predictions, comparisons or slopes as a table with intervals."""
        refuse_others("what", what, get_args(What))
        found = getattr(self, what)
        if found is None:
            raise ModelError(
                f"`{self.name}` is no column of numbers: it has comparisons, no slopes"
            )
        name = {"predictions": self.quantity, "comparisons": "difference", "slopes": "slope"}[what]
        return Derived(self.title, found.rename(name).to_dataset(), (self.words,))

    def __str__(self) -> str:
        """Print the predictions with their intervals."""
        return str(self.table())

    def __repr__(self) -> str:
        return f"<effects: {self.title}>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def effects(
    posterior: Posterior,
    name: str,
    by: str | None = None,
    *,
    data: TableLike = None,
    at: At | Mapping[str, Any] = "mean",
    of: str | None = None,
) -> Effects:
    """Return how the mean of an observed site changes with a column of the data.

    The column `name` goes over its values: the labels of groups, or 25 numbers from the least to
    the largest. `by` is a second column to part the predictions by. With `at="mean"` the other
    columns are held at their mean, whole numbers at their median and names at the first, or at the
    values of a mapping; with `at="data"` they are those of each row, and predictions are averaged
    over the rows, those of all rows at each value. Groups' effects are at the middle of their
    population but where `name` or `by` is the column of those groups. Of outcomes that are one of
    several categories, or counts or shares of them, the probability of each is predicted; of a
    formula's successes among trials, that of a success. Columns are the model's arguments; of a
    model made by a formula give its table as `data`. `of` names the observed site, if there are
    several.

    Raises `DataError` for a name that is no column, `ModelError` for a posterior without model or
    draws, or an outcome whose mean is not known.

    >>> @model
    ... def weights(x, y):
    ...     slope = sample("slope", Normal(0, 5))
    ...     with plate("apple", len(x)):
    ...         sample("y", Normal(slope * x, 1), obs=y)
    >>> bound = weights(jnp.arange(4.0), jnp.array([0.0, 3.0, 6.0, 9.0]))
    >>> posterior = fit(bound, NUTS(draws=100), progress=False)
    >>> ft.effects(posterior, "x").slopes.mean().item() > 2
    True
    """
    require_posterior(posterior, "ft.effects")
    whole = moved(posterior, of, expected, "effects", several=True)
    made_by = whole.model.reader
    of_trials = made_by is not None and made_by.of_trials
    if made_by is not None and of_trials:
        whole = replace(whole, model=whole.model.reading(made_by.one_trial()))
    columns = whole_rows(columns_of(whole.model, data, name), whole.site.shown)
    reader = whole.model.reader if data is None else None
    chosen = [name] if by is None else [by, name]
    counts = None if reader is None else reader.counts
    grid = grid_over(columns, chosen, at, orders_of(whole.model, data), counts)
    gone = _gone(whole, columns, grid.names)
    found = _means(posterior, whole, grid, gone)
    said = _said(at, gone)
    said += " Of the outcome as it is, whether or not it is censored." if whole.censored else ""
    said += " Of one trial, so that means are probabilities." if of_trials else ""
    return _labelled(posterior, whole, found, grid, said)


def _gone(
    whole: Moved, columns: Mapping[str, np.ndarray], chosen: tuple[str, ...]
) -> frozenset[str]:
    """Return the effects to put at their middle: all but those of groups that are looked at."""
    looked = [set(map(str, columns[name].tolist())) for name in chosen]
    plates = {v.name: v.plates for v in whole.model.variables}

    def is_looked_at(effect: str) -> bool:
        members = [set(map(str, p.labels)) for p in plates[effect] if p.labels]
        return any(labels <= found for found in members for labels in looked)

    return frozenset(effect for effect in whole.effects if not is_looked_at(effect))


def _means(posterior: Posterior, whole: Moved, grid: Grid, gone: frozenset[str]) -> np.ndarray:
    """Return the mean outcome at each place of a grid, shape (chain, draw, step, *values).

    Of categories there is an axis more, of the probability of each.
    """
    table, shape = grid.table(), (*grid.shape, grid.held)
    model, kept, _ = on_rows(whole.model, table)
    free = model.redraw(covariates(whole.model, model, table))
    these = states(posterior, whole.model, False, None)
    put = placed(whole.model, free, these, kept)
    fills = (partial(newcomers, put.known, True), partial(move, {}, gone))
    free = replace(free, handlers=(*free.handlers, *fills))

    def read(given: Values) -> dict[str, Array]:
        mean = expected(whole.told(run_at(free, given))[whole.site.name])
        each = mean.shape[-1:] if has_categories(whole.site.family) else ()
        if mean.size != prod((*shape, *each)):
            raise ModelError(
                f"site `{whole.site.name}` has {mean.size:,} values on {prod(shape):,} rows: "
                f"effects are of outcomes with one value a row"
            )
        spread = mean.reshape(*shape, *each)
        return {"mean": jnp.average(spread, len(shape) - 1, weights=grid.counts)}

    return at_each(put.values, read, 8 * prod(shape))["mean"]


def _labelled(
    posterior: Posterior, whole: Moved, found: np.ndarray, grid: Grid, words: str
) -> Effects:
    """Return predictions, and slopes where the grid steps aside, by the values of the grid."""
    import xarray as xr

    names, drawn, category = grid.names, posterior.draws, None
    coordinates = {dim: drawn[dim].to_numpy() for dim in ("chain", "draw")}
    coordinates |= {n: coordinate(values) for n, values in grid.values.items()}
    dims = ("chain", "draw", *names)
    if has_categories(whole.site.family):
        category = f"{whole.site.name}_category"
        coordinates[category] = labels_of(whole.model, whole.site.name, found.shape[-1])
        dims, found = (
            ("chain", "draw", *names[:-1], category, names[-1]),
            np.swapaxes(found, -1, -2),
        )
    means = xr.DataArray(found[:, :, 0], coordinates, dims, name=whole.site.name)
    slopes = None
    if len(grid.steps) > 1:
        # The grid's first step is where it stands, the others a little to either side.
        change = (found[:, :, 1] - found[:, :, 2]) / (grid.steps[1] - grid.steps[2])
        slopes = xr.DataArray(change, coordinates, dims, name=whole.site.name)
    return Effects(names[-1], names[0] if len(names) > 1 else None, means, slopes, words, category)


def _said(at: At | Mapping[str, Any], gone: frozenset[str]) -> str:
    """Say where the other columns and the groups' effects are held."""
    if isinstance(at, str) and at == "data":
        held = "Averaged over the rows of the data"
    else:
        held = "Other columns at their mean, whole numbers at the median, names at the first"
        given = "" if isinstance(at, str) else ", ".join(f"{n} = {v}" for n, v in at.items())
        held += f"; {given}" if given else ""
    if gone:
        held += f"; {listed(f'`{name}`' for name in sorted(gone))} at the middle of the population"
    return f"{held}."
