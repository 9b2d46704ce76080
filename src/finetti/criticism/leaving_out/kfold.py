"""Predict parts of the data from the rest: folds of observations, or groups with new effects.

A group left out is predicted as a new one: its effects are drawn from their population's
distribution given each draw of what all groups share, many times, and the density of the group's
observations, all together, is averaged over these draws.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from finetti.criticism.leaving_out.belonging import NOTHING, belonging
from finetti.criticism.leaving_out.elpd import Elpd
from finetti.criticism.leaving_out.held_out import (
    Without,
    average,
    counted,
    highest_k,
    known_model,
    observed_site,
    pointwise,
)
from finetti.errors import ModelError
from finetti.inference.again import refit
from finetti.inference.cluster.pieces import done
from finetti.inference.cluster.reached import On, reached
from finetti.language.dims import groups
from finetti.language.effects import Site
from finetti.models import Model, require_rows
from finetti.posterior.evaluate import latent_draws, log_likelihood
from finetti.posterior.labels import dotted, some
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.types import Array

if TYPE_CHECKING:
    import xarray as xr

FOLDS = 10
DRAWS = 40_000  # of the effects of a group left out, about so many in all


def kfold(
    posterior: Posterior,
    folds: int | None = None,
    *,
    by: str | Sequence[Hashable] | np.ndarray | None = None,
    of: str | None = None,
    seed: int = 0,
    on: On = None,
) -> Elpd:
    """Return the log density of parts of the data given the rest, the model fitted to it anew.

    Without `by`, the observations of the site `of` (needed where several are observed) are parted
    at random into `folds`, 10 unless given. With `by`, the name of a plate, or of an effect that
    stands in it, its members are left out one at a time, or parted into `folds`; a point is then a
    group, all its observations together, and its effects are integrated out over their population's
    distribution. `by` may also be a column with a group for each observation of `of`. `seed` parts
    and fits. The fits are made on the cluster `on`, as in `fit`.

    Raises `ModelError` where nothing can be left out, or observations belong to several members.

    Vehtari, Gelman & Gabry 2017; Roberts et al. 2017 on leaving out groups.

    >>> @model
    ... def apples(tree, y):
    ...     mu = sample("mu", Normal(0, 10))
    ...     with plate("tree", tree):
    ...         theta = sample("theta", Normal(mu, 1))
    ...     with plate("apple", len(y)):
    ...         sample("y", Normal(theta[tree], 1), obs=y)
    >>> bound = apples(ft.groups(["a", "a", "b", "c"]), [1.0, 2.0, 0.5, 1.5])
    >>> posterior = fit(bound, NUTS(draws=200, warmup=200), progress=False)
    >>> ft.kfold(posterior, by="tree").scores["elpd"].dims
    ('tree',)
    """
    require_posterior(posterior, "ft.kfold")
    model = known_model(posterior, "cross-validation")
    require_rows(model, "ft.kfold")
    points = _points(posterior, model, by, of)
    many, rng = points.count, np.random.default_rng(seed)
    parts = min(folds or (FOLDS if by is None else many), many)
    if parts < 2:
        raise ModelError(f"model `{model.name}` can be parted into {parts} fold: it takes two")
    fold = np.empty(many, int)
    fold[rng.permutation(many)] = np.arange(many) % parts
    job = Without(refit(posterior), model, points)
    chosen = [np.flatnonzero(fold == number) for number in range(parts)]
    with reached(on) as client:
        inside = job.score(latent_draws(model, posterior.tree))["points"]
        pieces = [(places, seed + number) for number, places in enumerate(chosen)]
        found = np.empty((many, 2))
        for places, rows in zip(chosen, done(job, pieces, client), strict=True):
            found[places] = rows
    elpd, error = found.T
    p = np.array([average(inside[:, :, i])[0] for i in range(many)]) - elpd
    scores = {"elpd": elpd, "p": p, "mcse": error, "pareto_k": np.full(many, np.nan)}
    scores |= {"refitted": np.full(many, True), "sole": np.full(many, False)}
    observed = [v for v in model.variables if v.name in points.codes]
    return Elpd(
        model.name,
        points.method(parts),
        fold,
        points.labelled(scores),
        {v.name: np.asarray(v.shown)[points.counting[v.name]] for v in observed},
        {name: code[points.counting[name]] for name, code in points.codes.items()},
        all(v.discrete for v in observed),
        highest_k(inside.shape[0] * inside.shape[1]),
    )


@dataclass(frozen=True, eq=False)
class Points:
    """Hold which point each observation belongs to: itself, or a group of which there are many.

    `codes` number the points by observed site, -1 for none; `counting` tells which observations
    are known and count; `labels` has the points' shape and coordinates; `own` names the latent
    sites that are drawn anew for a point left out.
    """

    name: str
    codes: Mapping[str, np.ndarray]
    counting: Mapping[str, np.ndarray]
    labels: xr.DataArray
    own: tuple[str, ...] = ()
    grouped: bool = True

    @property
    def count(self) -> int:
        """Return the number of points."""
        return self.labels.size

    def read(self, sites: dict[str, Site]) -> dict[str, Array]:
        """Return the log density of each point's observations together, shape (points,)."""
        sums = jnp.zeros(self.count + 1)  # the last is that of no point
        for name, code in self.codes.items():
            terms = sites[name].distribution.log_prob(sites[name].value)
            sums = sums.at[code.ravel()].add(jnp.ravel(terms))
        return {"points": sums[:-1]}

    def left(self, chosen: np.ndarray) -> dict[str, np.ndarray]:
        """Return by observed site where an observation is of one of the points chosen."""
        return {name: np.isin(code, chosen) for name, code in self.codes.items()}

    def given(self, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the draws of what is not drawn anew, each many times if anything is."""
        shared = {name: a for name, a in draws.items() if name not in self.own}
        if not self.own or not shared:
            return dict(draws)
        chains, length = next(iter(shared.values())).shape[:2]
        times = max(1, round(DRAWS / (chains * length)))
        return {name: np.repeat(a, times, 1) for name, a in shared.items()}

    def method(self, parts: int) -> str:
        """Say in words what is left out at a time."""
        if not self.grouped:
            return f"{parts}-fold cross-validation"
        if parts == self.count:
            return f"leave-one-{self.name}-out"
        return f"{parts}-fold cross-validation by {self.name}"

    def labelled(self, scores: Mapping[str, np.ndarray]) -> xr.Dataset:
        """Return scores of shape (points,) as a dataset with the points' labels."""
        import xarray as xr

        made = {n: self.labels.copy(data=a.reshape(self.labels.shape)) for n, a in scores.items()}
        return xr.Dataset(made, attrs={"points": self.name})


def _points(
    posterior: Posterior,
    model: Model,
    by: str | Sequence[Hashable] | np.ndarray | None,
    of: str | None,
) -> Points:
    """Return what is left out as a whole: a plate's members, groups given, or single rows."""
    import xarray as xr

    likelihood = log_likelihood(model, posterior.tree)
    counting = counted(likelihood, model)
    if isinstance(by, str):
        found = belonging(model, by, counting)
        members = found.plate.coordinate()
        labels = xr.DataArray(np.zeros(len(members)), {dotted(by): members}, (dotted(by),))
        return _with_rows(Points(by, found.codes, counting, labels, found.own))
    v = observed_site(model, of)
    one = pointwise(likelihood, v)[0, 0].drop_vars(("chain", "draw"))
    keep = counting[v.name]
    if by is None:
        codes = np.where(keep, np.cumsum(keep).reshape(keep.shape) - 1, NOTHING)
        labels = some(one, keep, one.dims)
        return Points(v.name, {v.name: codes}, {v.name: keep}, labels, grouped=False)
    column = groups(by)
    if column.shape != one.shape:
        raise ModelError(
            f"by= has {column.size} values, and site `{v.name}` observations of shape {one.shape}: "
            f"give a group for each"
        )
    labels = xr.DataArray(np.zeros(len(column.labels)), {"group": list(column.labels)}, ("group",))
    codes = np.where(keep, np.asarray(column), NOTHING)
    return _with_rows(Points("group", {v.name: codes}, {v.name: keep}, labels))


def _with_rows(points: Points) -> Points:
    """Return the groups that have observations, of which alone there is something to predict."""
    flat = np.concatenate([code.ravel() for code in points.codes.values()])
    there = np.bincount(flat[flat >= 0], minlength=points.count) > 0
    number = np.where(there, np.cumsum(there) - 1, NOTHING)
    codes = {n: np.where(code >= 0, number[code], NOTHING) for n, code in points.codes.items()}
    return replace(points, codes=codes, labels=points.labels[there])
