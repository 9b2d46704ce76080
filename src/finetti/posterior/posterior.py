"""Hold the draws of a fit, labelled by plates, in ArviZ's schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from finetti.errors import DataError, ModelError, UnknownSite
from finetti.models import Model, require_model, require_rows
from finetti.posterior import advise, diagnose, evaluate, mode, notebook, questions, saved
from finetti.posterior.exported import Export
from finetti.posterior.given import constants
from finetti.posterior.labels import dotted, is_hidden
from finetti.posterior.learned import LEARNED, Learned
from finetti.posterior.saved import as_path
from finetti.posterior.scalars import Scalars
from finetti.posterior.scalars import names as rows_of
from finetti.posterior.summarised import Summary, told

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

MOMENTS = "moments"  # the group of means and standard deviations
PROBABILITIES = "state_probabilities"  # the group of the sites that were summed out


@dataclass(frozen=True, eq=False)
class Posterior:
    """Hold an `xarray.DataTree` in ArviZ's schema, and read it.

    Groups: posterior (dims chain, draw, then plates), sample_stats, warmup_sample_stats,
    observed_data, constant_data; state_probabilities where discrete sites were summed out, moments
    where draws were not kept. Every ArviZ function takes `.tree`.

    `posterior["theta"]` is an `xarray.DataArray` of shape (chain, draw, ...). The sites of nested
    models have a dot for the slash in their names, which `posterior["inner/theta"]` finds too.

    `model` is the model with its data, and `refit` fits another model by the same method with a
    seed; a run opened from a file has neither until `posterior.of(model)` gives the model.

    >>> posterior["theta"].dims
    ('chain', 'draw', 'school')
    >>> list(posterior.summary(["mu", "tau"]).index)
    ['mu', 'tau']
    """

    tree: xr.DataTree
    model: Model | None = None
    refit: Callable[[Model, int], Posterior] | None = None

    def of(self, model: Model) -> Posterior:
        """Return the posterior with its model, for a run that was opened from a file.

        `model` has its data. Raises `ModelError` where its sites, its data or the arguments it was
        called with are not those of the run.
        """
        require_model(model, "posterior.of")
        self.draws  # noqa: B018 - refuses predictions
        evaluate.latent_draws(model, self.tree)
        observed = {
            dotted(v.name): np.asarray(v.shown) for v in model.variables if v.data is not None
        }
        _agree(observed, self.held("observed_data"), "site", "observed", model)
        given = {str(name): array.to_numpy() for name, array in constants(model).items()}
        _agree(given, self.held("constant_data"), "argument", "given", model)
        return replace(self, model=model)

    def held(self, group: str) -> xr.Dataset:
        """Return a group of the tree, empty where the run has none."""
        import xarray as xr

        return self.tree[group].dataset if group in self.tree.children else xr.Dataset()

    def known_model(self, purpose: str) -> Model:
        """Return the model, or refuse with what it is needed for, such as "predicting"."""
        if self.model is None:
            raise ModelError(
                f"{purpose} needs the model, which a run opened from a file does not bring: "
                f"give it with its data, as posterior.of(model)"
            )
        changed = self.model.changed()
        if changed:
            raise ModelError(
                f"{purpose} would ask another model: model `{self.model.name}` reads "
                f"{', '.join(f'`{name}`' for name in changed)} from around it, changed since the "
                f"fit; set it back, or fit again"
            )
        return self.model

    def log_likelihood(self) -> xr.Dataset:
        """Return each observation's log probability at each draw, computed now.

        One variable an observed site, dims (chain, draw, *site dims), in nats; of a site `y` that
        lacks values (chain, draw, y_known). Raises `ModelError` for a run without its model.
        """
        model = self.known_model("the log likelihood")
        return evaluate.of_known(model, evaluate.log_likelihood(model, self.tree))

    def with_log_likelihood(self) -> Posterior:
        """Return the posterior with the groups log_likelihood and log_prior, computed now.

        ArviZ's `loo`, `compare`, `psense` and their pictures ask for them in the tree. Raises
        `ModelError` for a run without its model.
        """
        import xarray as xr

        require_rows(self.known_model("the log likelihood"), "what ArviZ asks of log_likelihood")
        found = {"log_likelihood": self.log_likelihood(), "log_prior": self.log_prior()}
        added = {name: xr.DataTree(terms) for name, terms in found.items()}
        return replace(self, tree=self.tree.assign(added))

    def log_prior(self) -> xr.Dataset:
        """Return each latent variable's log prior density at each draw, given those above it.

        One variable a latent site, dims (chain, draw, *site dims), in nats, on the site's own
        scale. Raises `ModelError` for a run without its model.
        """
        return evaluate.log_prior(self.known_model("the log prior"), self.tree)

    def __getitem__(self, name: str) -> xr.DataArray:
        """Return the draws of one site, or of one number by its name in the summary."""
        draws = self.draws
        if not isinstance(name, str):
            raise UnknownSite(f"draws are read by the name of a site, not by {name!r:.80}")
        if dotted(name) not in draws.data_vars:
            one = Scalars(draws).array(name)
            if one is not None:
                return one
            if MOMENTS in self.tree and dotted(name) in self.tree[MOMENTS].dataset:
                raise UnknownSite(
                    f"the draws of site `{name}` were not kept: read posterior.moments"
                    f"[{dotted(name)!r}], or fit again with {name!r} in keep="
                )
            raise UnknownSite.among(name, map(str, draws.data_vars), "read")
        return draws[dotted(name)]

    def probabilities(self, name: str) -> xr.DataArray:
        """Return the posterior probabilities of a discrete site's values, P(z = k | y).

        The array has the site's dims and one more, such as `z_state`, with the values as its
        coordinate. They are means over the draws of the probabilities given each draw, which
        err less than frequencies of the draws of the site. Raises `UnknownSite` for a site that
        was not summed out.
        """
        found = self.tree[PROBABILITIES].dataset if PROBABILITIES in self.tree.children else {}
        if dotted(name) not in found:
            raise UnknownSite.among(name, map(str, found), "give the state probabilities of")
        return found[dotted(name)]

    @property
    def moments(self) -> xr.Dataset:
        """Return means and standard deviations of the sites whose draws were not kept.

        `posterior.moments["theta"].sel(moment="sd")` has the site's own shape.
        """
        import xarray as xr

        return self.tree[MOMENTS].dataset if MOMENTS in self.tree else xr.Dataset()

    @property
    def learned(self) -> Learned | None:
        """Return what warm-up learned, for `fit(..., tuning=posterior.learned)`; None of a mode."""
        held = self.held(LEARNED)
        return Learned.of(held) if held else None

    @property
    def draws(self) -> xr.Dataset:
        """Return the draws of all sites; raises `DataError` for predictions, which have none."""
        if "posterior" not in self.tree.children:
            held = ", ".join(sorted(self.tree.children)) or "nothing"
            raise DataError(
                f"there are no draws of a posterior here, only {held}: give a fit's run"
            )
        return self.tree["posterior"].dataset

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the sites drawn."""
        return tuple(map(str, self.draws.data_vars))

    @property
    def attributes(self) -> dict[str, Any]:
        """Return what is known of the fit: model, method, seed, versions, seconds."""
        return {str(k): v for k, v in self.tree.attrs.items()}

    def summary(self, names: Iterable[str] | None = None) -> pd.DataFrame:
        """Return a table, one row a scalar such as `theta[A]`; `names` are of sites or of scalars.

        Columns: mean, sd, 89% equal-tailed interval, bulk and tail effective sample size,
        R-hat, and the Monte-Carlo standard errors of mean and sd (Vehtari et al. 2021), by
        arviz-stats, unrounded. Of a mode (`MAP`): the mode and its standard error. Sites whose name
        begins with an underscore are shown where `names` asks for them, as are entries that are
        constants, such as those above the diagonal of a triangle.
        """
        if names is None:
            table = told(self._table, self.draws)
        else:
            rows = [
                row for array in self.chosen(names).data_vars.values() for row in rows_of(array)
            ]
            sites = list(dict.fromkeys(map(Scalars(self.draws).site, rows)))
            seek = mode.table if mode.is_mode(self.tree) else diagnose.summary
            table = seek(self.tree, sites).loc[list(dict.fromkeys(rows))]
        table.attrs["sites"] = self.names
        return table

    def table(self, names: Iterable[str] | None = None, rows: int | None = None) -> Summary:
        """Return the summary to print, or to write as Markdown, LaTeX, CSV or for polars.

        Its numbers end where their Monte Carlo error begins; `summary()` has all digits. `rows` is
        how many of each site to show: without it all.

        >>> posterior = fit(coin(10).condition(heads=7), NUTS(draws=100), progress=False)
        >>> posterior.table().to_markdown().splitlines()[1].count("---")
        7
        """
        return Summary.of(self.summary(names), Scalars(self.draws).site, rows)

    def probability(self, statement: str) -> questions.Probability:
        """Return the probability of a statement, with its Monte Carlo standard error.

        A statement compares rows of the summary by their names, with numbers, + - * / **, and, or,
        not, abs, exp, log, sqrt, min and max. Raises `UnknownSite` for a name that no row has,
        `ModelError` for what is no statement, or not defined at all draws.

        >>> posterior = fit(coin(10).condition(heads=7), NUTS(draws=1000), progress=False)
        >>> 0.8 < float(posterior.probability("p > 0.5")) < 0.95
        True
        """
        questions.refuse_mode(self.tree, "a probability")
        return questions.probability(self.draws, statement)

    def contrast(
        self, expression: str, rope: float | tuple[float, float] | None = None, share: float = 0.89
    ) -> questions.Contrast:
        """Return a quantity computed from rows of the summary, such as `theta[A] - theta[B]`.

        It has the mean, an equal-tailed interval that holds `share` of the draws, and the
        probability of being above 0. `rope` is a region of practical equivalence, (low, high), or
        one number for both sides of 0: then also the probabilities below, within and above it, and
        a verdict. Raises as `probability` does.
        """
        questions.refuse_mode(self.tree, "a contrast")
        return questions.contrast(self.draws, expression, rope, share)

    def export(self, names: Iterable[str] | None = None) -> Export:
        """Return the draws of some sites or scalars, as `posterior.export().to_polars()`.

        Without names they are those of all sites whose name does not begin with an underscore.
        """
        shown = (name for name in self.names if not is_hidden(name)) if names is None else names
        return Export(self.chosen(shown))

    def chosen(self, names: Iterable[str]) -> xr.Dataset:
        """Return the draws of the sites or scalars named; a text is one name."""
        import xarray as xr

        given = [names] if isinstance(names, str) else names
        return xr.Dataset({array.name: array for array in map(self.__getitem__, given)})

    @cached_property
    def _table(self) -> pd.DataFrame:
        """Return the whole summary; of many thousand rows it takes a while, and many ask for it."""
        self.draws  # noqa: B018 - refuses predictions
        if mode.is_mode(self.tree):
            return mode.table(self.tree, None)
        return diagnose.summary(self.tree)

    def advice(self, quantiles: Iterable[float] = ()) -> advise.Advice:
        """Return what is wrong, if anything, in sentences that name the sites and a remedy.

        `quantiles` are those you want to read, such as 0.999: the advice says whether the draws
        are enough for them. A run opened from a file is judged by its draws, statistics and data;
        with its model, `posterior.of(model)`, the advice sees more. Raises `ValueError` for a
        quantile that is not between 0 and 1.
        """
        asked = tuple(quantiles)
        for q in asked:
            if not 0 < q < 1:
                raise ValueError(f"quantile {q} is not between 0 and 1: give one such as 0.975")
        return advise.advise(self.tree, self.model, asked, self._table)

    def save(self, path: str | Path) -> Path:
        """Save the run: NetCDF if the name ends in .nc, else a Zarr folder; return the path.

        A run that is there is replaced, but only when the new one is whole: whatever happens in
        between, one of the two stands. `ft.open` and `xarray.open_datatree` (ArviZ's `from_netcdf`
        and `from_zarr`) read it. Raises `DataError` where something else than a run is there, or
        it cannot be written, `MissingExtra` without the `io` extra.
        """
        place = as_path(path, "saving a run")
        saved.save(self.tree, place)
        return place

    def __repr__(self) -> str:
        name = self.tree.attrs.get("model", "model")
        if "posterior" not in self.tree.children:
            return f"<{', '.join(sorted(self.tree.children))} of {name}>"
        sizes = self.tree["posterior"].sizes
        return f"<posterior of {name}: {sizes['chain']} chains x {sizes['draw']} draws>"

    def _repr_html_(self) -> str:
        return notebook.shown(self)


def require_posterior(value: object, verb: str) -> Posterior:
    """Return a posterior, or refuse what is none in a sentence that says how to come by one."""
    if isinstance(value, Posterior):
        return value
    if isinstance(value, str | PathLike):
        given, remedy = f"the path {str(value)!r:.80}", "open the run first, by ft.open"
    elif isinstance(value, Model):
        given, remedy = f"the model `{value.name}`", "fit it first, by ft.fit"
    elif type(value).__name__ in ("DataTree", "InferenceData"):
        given, remedy = f"a {type(value).__name__}", "make it one by ft.Posterior(tree)"
    else:
        given, remedy = f"{value!r:.80}", "give what ft.fit or ft.open returned"
    raise ModelError(f"{verb} takes a posterior, not {given}: {remedy}")


def _agree(
    values: Mapping[str, np.ndarray], known: xr.Dataset, kind: str, verb: str, model: Model
) -> None:
    """Refuse data that are not those of the run, naming the first."""
    for name, value in values.items():
        if name not in known or not _same(known[name].to_numpy(), value):
            raise ModelError(
                f"{kind} `{name}` is {verb} otherwise in model `{model.name}` than in the run: "
                f"give the data of the fit"
            )


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two arrays are equal, missing values being so to one another."""
    numbers = {one.dtype.kind, other.dtype.kind} <= set("biuf")
    return np.array_equal(one, other, equal_nan=numbers)
