"""Fit a posterior's model anew: with other priors, or with more rows beside its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from finetti.criticism.predicting.rows import arguments, columns_of, on_rows, with_arguments
from finetti.errors import DataError, ModelError
from finetti.inference.again import refit as fit_again
from finetti.language import handlers
from finetti.language.columns import entries
from finetti.language.dims import Groups, groups
from finetti.language.holes import rows_lacking, with_nan, without_rows
from finetti.models import Model
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.types import TableLike, Value


def refit(posterior: Posterior, priors: Mapping[str, Any], seed: int | None = None) -> Posterior:
    """Fit a posterior's model with other priors, by the same method, to the same data.

    `priors` maps sites to distributions, of one number or of the site's shape; a formula's names
    are those that `ft.formula` takes, such as "b" and "sd[g]", beside the priors that were given to
    it. `seed` is the posterior's own unless given.

    Raises `UnknownSite` for a site that the model does not have, `SupportError` and `ShapeError`
    for a prior that it cannot have, `ModelError` for a run without its model.

    >>> @model
    ... def weights(y):
    ...     mu = sample("mu", Normal(0, 10))
    ...     with plate("apple", len(y)):
    ...         sample("y", Normal(mu, 1), obs=y)
    >>> posterior = fit(weights([1.0, 2.0, 0.5]), NUTS(draws=500), progress=False)
    >>> ft.refit(posterior, {"mu": Normal(0, 0.01)})["mu"].mean().item() < 0.01
    True
    """
    require_posterior(posterior, "ft.refit")
    model = with_priors(posterior.known_model("fitting again"), priors)
    return fit_again(posterior)(model, _seed(posterior, seed))


def with_priors(model: Model, priors: Mapping[str, Any]) -> Model:
    """Return a model with other priors, by site or, where a formula made it, as that has them."""
    if model.reader is not None:
        return replace(model.reader.with_priors(priors), handlers=model.handlers)
    given = partial(handlers.priors, dict(priors))
    return replace(model, handlers=(*model.handlers, given))


def update(posterior: Posterior, rows: TableLike, seed: int | None = None) -> Posterior:
    """Fit a posterior's model to more rows beside those it has, by the same method.

    `rows` map the model's columns, or those of a formula's table, to values, as for `ft.predict`,
    with outcomes. Priors and what transformations learned stay those of the first rows. Groups that
    are new follow those there were. The result is that of all rows together, exactly.

    A formula of a table that is added up, `ft.formula(text, ft.table(rows))`, holds the sums of its
    rows alone: those of the rows added, which may be such a table too, are added to them, and the
    first rows are not needed. Other models need them, and hold them: where the plan condenses,
    pools or integrates, all rows are added up once, and the fit itself takes no longer than before.

    Rows that lack values are left out where those of the fit were: by a formula's `missing="drop"`,
    by `model.missing("drop")`. Raises `DataError` for others that lack a value, and for columns
    that are absent or do not go on as those of the fit do, `ModelError` for a run without its
    model.

    >>> @model
    ... def weights(y):
    ...     mu = sample("mu", Normal(0, 10))
    ...     with plate("apple", len(y)):
    ...         sample("y", Normal(mu, 1), obs=y)
    >>> posterior = fit(weights([1.0, 2.0, 0.5]), NUTS(draws=500), progress=False)
    >>> ft.update(posterior, {"y": [1.5, 1.0]}).model.arguments[0][0].tolist()
    [1.0, 2.0, 0.5, 1.5, 1.0]
    """
    require_posterior(posterior, "ft.update")
    model = posterior.known_model("an update")
    return fit_again(posterior)(added(model, rows), _seed(posterior, seed))


def _seed(posterior: Posterior, seed: int | None) -> int:
    return int(posterior.attributes.get("seed", 0)) if seed is None else seed


def added(model: Model, rows: TableLike) -> Model:
    """Return a model with more rows beside those it has, its code and priors as they are."""
    if model.handlers:
        raise ModelError(
            f"model `{model.name}` observes, or leaves out, what stands beside its arguments "
            f"(condition and the like): give it the data as arguments, or fit all of them together"
        )
    if model.reader is None:
        return _appended(model, rows)
    reader = model.reader.with_rows(rows)
    made = on_rows(replace(model, reader=None), reader.arguments()).model
    return made.reading(reader).added_up(reader.said)


def _appended(model: Model, rows: TableLike) -> Model:
    """Return the model with more rows in each of its arguments that has rows."""
    known, given = arguments(model), columns_of(rows)
    strange = [n for n in given if n not in known]
    if strange:
        raise DataError(f"model `{model.name}` has no argument `{strange[0]}` to add rows to")
    given = without_rows(given) if model.lacking == "drop" else given
    found = {n: _joined(n, known[n], v) for n, v in given.items()}
    added = {len(found[n]) - len(known[n]) for n in found}
    if len(added) != 1:
        raise DataError(f"the columns of rows have {' and '.join(map(str, sorted(added)))} values")
    sizes = {len(known[n]) for n in found}
    short = [n for n, v in known.items() if n not in found and np.ndim(v) and len(v) in sizes]
    if short:
        raise DataError(
            f"model `{model.name}` has a value of `{short[0]}` for each row: give it for the rows "
            f"that are added, too"
        )
    return with_arguments(model, {**known, **found})


def _joined(name: str, old: Value, new: Value) -> Value:
    """Return a column with more values after its own."""
    if not np.ndim(old):
        raise DataError(f"`{name}` is one value and no column: it cannot have more rows")
    new = with_nan(new)
    lacking = rows_lacking(new)
    if lacking is not None and lacking.any() and not np.any(rows_lacking(old)):
        raise DataError(
            f"`{name}` lacks values in {lacking.sum()} of the rows added: leave these rows out"
        )
    if isinstance(old, Groups):
        more = entries(new.names if isinstance(new, Groups) else new)
        seen = set(old.labels)
        labels = (*old.labels, *(v for v in dict.fromkeys(more) if v not in seen))
        return groups([*old.names.tolist(), *more], labels)
    array = np.asarray(new)
    if array.dtype.kind not in "biuf" or array.shape[1:] != np.shape(old)[1:]:
        raise DataError(
            f"`{name}` holds numbers of shape {np.shape(old)}, and the rows added do not go on so"
        )
    return np.concatenate([np.asarray(old), array])
