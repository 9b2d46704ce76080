"""Check a posterior by comparing data sets that it predicts with the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.criticism.checking.checked import EXTREME, Check, Outcome
from finetti.criticism.checking.pit import TELLING, loo_pit
from finetti.criticism.checking.quantities import (
    Quantity,
    group_of_name,
    groupings,
    means,
    named,
    usual,
)
from finetti.criticism.predicting.labelled import observations
from finetti.criticism.predicting.predict import predict
from finetti.errors import DataError, ModelError
from finetti.language.dims import Groups
from finetti.language.dims import groups as as_groups
from finetti.models import Model, require_rows
from finetti.posterior.diagnose import ess, quiet
from finetti.posterior.evaluate import log_likelihood, of_known
from finetti.posterior.given import categories
from finetti.posterior.labels import dotted, some
from finetti.posterior.mode import is_mode
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.structure.variables import Variable

if TYPE_CHECKING:
    import xarray as xr

LIMIT = 20_000_000  # replicated numbers; of more, draws are thinned
MASS = 0.89


def check(
    posterior: Posterior,
    quantities: Mapping[str, Callable[..., object]] | Sequence[Callable[..., object]] | None = None,
    groups: Any = None,
    *,
    draws: int | None = None,
    seed: int = 0,
) -> Check:
    """Compare the data with data sets drawn from the posterior predictive distribution.

    Values that are missing are left out of the data and of the replicates, in one row.
    Each test quantity T gets p = P(T(replicated) > T(y) | y), ties counting half, and fails where p
    is within 0.005 of 0 or 1 beyond its Monte-Carlo error (`Outcome.fails`). The usual quantities
    suit what a site holds: mean, sd, skewness and extremes of numbers; mean, sd, share of zeros and
    largest of counts; shares of categories; means of groups. `quantities` replaces them by
    functions of y, an array of the site's shape, or of y and the draw's parameters by name, to one
    number.

    `groups` checks the members of a plate one by one, by its name, that of an effect in it, or of a
    column of a formula's table, or the groups of a column with a value a row: the mean of each, or
    `quantities` of its rows, which are then flat; the limit is divided by their number.
    Every site in plates also gets its LOO-PIT, where each observation has a likelihood of its own.
    A right model fails a p-value at most one time in a hundred, mostly
    less: parameters that were fitted to the data make p-values cautious (Gelman, Meng & Stern 1996;
    Gelman et al. 2013, section 6.3).

    Raises `UnknownSite` for groups of a name the model has not, `DataError` for quantities that
    are no numbers.

    >>> posterior = fit(coin(10).condition(heads=7), NUTS(draws=500), progress=False)
    >>> found = check(posterior, {"heads": lambda y: y})
    >>> found.passed, len(found)
    (True, 1)
    """
    import xarray as xr

    require_posterior(posterior, "ft.check")
    model = posterior.known_model("checking")
    require_rows(model, "ft.check")
    if is_mode(posterior.tree):
        raise ModelError(
            "a mode predicts without its own uncertainty, which is no check: fit by ft.NUTS()"
        )
    names = categories(model)
    seen = observations(model).items()
    sites = {name: replace(v, categories=names.get(name, ())) for name, v in seen}
    if not sites:
        raise ModelError(f"model `{model.name}` observes nothing that could be checked")
    chosen = None if quantities is None else named(quantities)
    for quantity in chosen or ():
        for v in sites.values():
            if not quantity.of_draw:
                quantity(np.asarray(v.data), {})  # refuses what is no quantity before the work
    thin = _thinned(posterior, sum(prod(v.shape) for v in sites.values()), draws)
    tree = predict(thin, seed=seed)
    replicates, parameters = tree["posterior_predictive"].dataset, tree["posterior"].dataset
    outcomes: list[Outcome] = []
    sites = {name: v for name, v in sites.items() if dotted(name) in replicates}
    for v in sites.values():
        grouped, replicated = groupings(model, v), replicates[dotted(v.name)].to_numpy()
        codes = None if groups is None else _codes(groups, model, v, grouped)
        if v.holes is not None:
            known = ~v.holes.ravel()
            grouped = {name: column[known] for name, column in grouped.items()}
            codes = None if codes is None else codes[known]
            replicated = replicated[..., ~v.holes]
            v = replace(v, shape=replicated.shape[2:], data=np.asarray(v.data)[~v.holes])
        rows = _Rows(v, replicated, parameters)
        outcomes += [rows.outcome(q) for q in (usual(v, grouped) if chosen is None else chosen)]
        if codes is not None:
            outcomes += rows.members(codes, chosen)
    likelihood = log_likelihood(model, thin.tree)
    tree["log_likelihood"] = xr.DataTree(of_known(model, likelihood))
    found, notes = [], []
    for v in sites.values():
        name, dims = dotted(v.name), replicates[dotted(v.name)].dims[2:]
        known = v.counted(likelihood[name].shape[2:])
        if likelihood[name].dims != replicates[name].dims:
            notes.append(f"LOO-PIT is not made of {name}, whose values have a likelihood together")
        elif known.sum() < TELLING:
            notes.append(f"LOO-PIT is not made of {name}, which has fewer than {TELLING} values")
        else:
            each = (replicates[name], tree["observed_data"].dataset[name], likelihood[name])
            found.append(loo_pit(name, *(some(a, known, dims) for a in each)))
    notes += [c.doubt for c in found if c.unreliable]
    return Check(tuple(outcomes), tuple(found), tree, tuple(notes))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Hold a site's data and replicates, shape (chain, draw, *site shape), with the parameters."""

    site: Variable
    replicated: np.ndarray
    parameters: xr.Dataset

    @cached_property
    def states(self) -> list[dict[str, np.ndarray]]:
        """Return the parameters of each draw by name, in order of chain and draw."""
        arrays = {str(n): a.to_numpy() for n, a in self.parameters.data_vars.items()}
        shape = self.replicated.shape[:2]
        return [{n: np.asarray(a[index]) for n, a in arrays.items()} for index in np.ndindex(shape)]

    def outcome(self, quantity: Quantity) -> Outcome:
        """Return the outcome of a quantity of all rows."""
        data = np.asarray(self.site.data)
        observed = self._of(quantity, data)
        replicated = self._each(quantity, self.replicated)
        return _outcome(self.site, quantity, "", EXTREME / 2, observed, replicated)

    def members(self, codes: Groups, chosen: list[Quantity] | None) -> list[Outcome]:
        """Return the outcomes of each member of a plate that has rows: its mean, or `chosen`."""
        data = np.asarray(self.site.data).ravel()
        flat = self.replicated.reshape(*self.replicated.shape[:2], -1)
        plain = np.asarray(codes)
        present = np.unique(plain).tolist()
        labels = [str(codes.labels[k]) for k in present]
        quantities = chosen or [Quantity("mean", np.mean, _GROUP)]
        limit = EXTREME / 2 / (len(present) * len(quantities))
        found = []
        if chosen is None:
            of = means(codes)
            every = np.apply_along_axis(of, -1, flat)
            for k, (label, mean) in enumerate(zip(labels, of(data), strict=True)):
                replicated = every[..., k]
                found.append(
                    _outcome(self.site, quantities[0], label, limit, np.asarray(mean), replicated)
                )
            return found
        for quantity in quantities:
            for code, label in zip(present, labels, strict=True):
                rows = np.flatnonzero(plain == code)
                observed = self._of(quantity, data[rows])
                replicated = self._each(quantity, flat[..., rows])
                found.append(_outcome(self.site, quantity, label, limit, observed, replicated))
        return found

    def _of(self, quantity: Quantity, data: np.ndarray) -> np.ndarray:
        """Return a quantity of the data: one number, or one for each draw's parameters."""
        if not quantity.of_draw:
            return np.asarray(quantity(data, {}))
        found = [quantity(data, state) for state in self.states]
        return np.reshape(found, self.replicated.shape[:2])

    def _each(self, quantity: Quantity, replicated: np.ndarray) -> np.ndarray:
        """Return a quantity of each replicated data set, shape (chain, draw)."""
        shape = replicated.shape[:2]
        sets = replicated.reshape(prod(shape), *replicated.shape[2:])
        states = self.states if quantity.of_draw else [{}] * len(sets)
        return np.reshape(
            [quantity(np.asarray(y), s) for y, s in zip(sets, states, strict=True)], shape
        )


_GROUP = "what sets this group apart is not in the model"


def _outcome(
    v: Variable,
    quantity: Quantity,
    member: str,
    limit: float,
    observed: np.ndarray,
    replicated: np.ndarray,
) -> Outcome:
    """Compare a quantity of the data with those of the replicates."""
    p, low, high = _p_value(np.asarray(observed), replicated)
    return Outcome(
        site=dotted(v.name),
        quantity=quantity.name,
        member=member,
        observed=np.asarray(observed),
        replicated=replicated,
        p=p,
        p_low=low,
        p_high=high,
        limit=limit,
        hint=quantity.hint,
    )


def _p_value(observed: np.ndarray, replicated: np.ndarray) -> tuple[float, float, float]:
    """Return the share of replicates above the data, ties counting half, with its 89% interval.

    The interval is Jeffreys' for as many independent draws as the replicates are worth.
    """
    from scipy.stats import beta

    scale = np.abs(replicated).max(initial=0.0)
    tied = np.abs(replicated - observed) <= 1e-12 * scale  # rounding, in another order of the rows
    above = np.where(tied, 0.5, replicated > observed)
    p, worth = float(above.mean()), float(above.size)
    for draws in (above, replicated):
        with quiet():
            found = ess(draws) if draws.shape[1] > 3 else np.nan
        if np.isfinite(found):
            worth = min(found, worth)
            break
    counts = p * worth + 0.5, (1 - p) * worth + 0.5
    low, high = beta.ppf([(1 - MASS) / 2, (1 + MASS) / 2], *counts)
    return p, float(low) if p > 0 else 0.0, float(high) if p < 1 else 1.0


def _codes(groups: Any, model: Model, v: Variable, grouped: Mapping[str, Groups]) -> Groups:
    """Return the groups that were asked for, with a row for each of the site's values."""
    if isinstance(groups, str):
        return group_of_name(groups, model, v, grouped)
    codes = as_groups(groups)
    if len(codes) != prod(v.shape):
        raise DataError(
            f"groups give {len(codes)} rows and site `{v.name}` has {prod(v.shape)} values: give a "
            f"group for each"
        )
    return codes


def _thinned(posterior: Posterior, numbers: int, draws: int | None) -> Posterior:
    """Return the posterior with about as many draws as asked for, or as memory holds."""
    import xarray as xr

    drawn = posterior.tree["posterior"].dataset
    chains, length = drawn.sizes["chain"], drawn.sizes["draw"]
    wanted = min(draws or chains * length, max(LIMIT // max(numbers, 1), chains))
    if wanted >= chains * length:
        return posterior
    places = np.linspace(0, length - 1, -(-wanted // chains)).round().astype(int)
    kept = {"posterior": drawn.isel(draw=places)}
    rest = {g: posterior.tree[g].dataset for g in ("observed_data", "constant_data")}
    return replace(posterior, tree=xr.DataTree.from_dict({**kept, **rest}))
