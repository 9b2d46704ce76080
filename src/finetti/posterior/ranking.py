"""Rank the members of a plate by their draws: who is best, and how sure that is."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import ModelError, ShapeError, UnknownSite
from finetti.hypertext.html import block, words
from finetti.hypertext.table import Table
from finetti.posterior.labels import dotted, is_own
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.posterior.questions import SHARE, refuse_mode
from finetti.posterior.tabulate import Convention, columns

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

MOST = 5000  # members: the table of their ranks has the square of that
ROWS = 30  # that are printed
TIES = 0  # the seed by which equal draws are put in order


@dataclass(frozen=True, eq=False)
class Ranking:
    """Hold the ranks of a plate's members, 1 for the best; print it to read it.

    `ranks` is an `xarray.Dataset` over the members (and the site's other dimensions):
    `probability`, with one more dimension `rank`, of each rank; `expected`, the mean rank, with its
    Monte Carlo standard error `mcse_expected`; `low` and `high`, the interval that holds `share`
    of the draws' ranks; `best`, the probability of rank 1, with `mcse_best`.

    >>> found = rank(posterior, "theta")
    >>> found.ranks["probability"].dims, found.frame().shape
    (('school', 'rank'), (8, 6))
    """

    ranks: xr.Dataset
    site: str
    plate: str
    descending: bool
    share: float

    def frame(self) -> pd.DataFrame:
        """Return a row a member, those with the best expected ranks first."""
        names = ["expected", "mcse_expected", "low", "high", "best", "mcse_best"]
        whole = self.ranks[names].to_dataframe()
        return whole.iloc[np.argsort(whole["expected"].to_numpy(), kind="stable")][names]

    @property
    def table(self) -> Table:
        """Return the rows as texts, at most some of them."""
        rows = []
        for name, row in self.frame().head(ROWS).iterrows():
            label = ", ".join(map(str, name)) if isinstance(name, tuple) else str(name)
            best = f"{row['best']:.3f}"
            rows.append((label, f"{row['expected']:.1f}", f"{row['low']:.0f}  {row['high']:.0f}",
                         best))  # fmt: skip
        heads = (self.plate, "expected rank", f"{100 * self.share:g}% interval", "P(best)")
        return Table(heads, rows, self.caption)

    @property
    def caption(self) -> str:
        """Say what is ranked, and which is best."""
        first = "largest" if self.descending else "smallest"
        return f"Ranks of {self.plate} by {self.site}, the {first} first"

    def _more(self) -> list[str]:
        hidden = self.ranks["expected"].size - ROWS
        return [f"and {hidden:,} more"] if hidden > 0 else []

    def __str__(self) -> str:
        """Print the members, best first."""
        return "\n".join([self.caption, "", str(self.table), *self._more()])

    def __repr__(self) -> str:
        return f"<ranking of {self.ranks.sizes[self.plate]} of {self.plate} by {self.site}>"

    def _repr_html_(self) -> str:
        return block(self.table.grid(), *map(words, self._more()))


def rank(
    posterior: Posterior,
    name: str,
    *,
    over: str | None = None,
    descending: bool = True,
    share: float = SHARE,
) -> Ranking:
    """Rank the members of a plate at every draw, and return how probable each rank is.

    `name` is a site, or a plate in which one site alone stands. `over` names the plate whose
    members are ranked, where the site has several: they are ranked anew for each member of the
    others, and for each of the site's own terms, such as level and slope. Rank 1 is the largest
    value, or the smallest without `descending`. Members that are equal at a draw are put in an
    order by chance. The ranking of posterior means is another one, and too sure of itself (Laird &
    Louis 1989).

    Raises `UnknownSite` for a name that neither site nor plate has, `ModelError` where there is a
    choice to make, or for a mode, `ShapeError` for a site that is one number.

    >>> @model
    ... def herds(y):
    ...     with plate("herd", ["A", "B"]):
    ...         milk = sample("milk", Normal(20, 5))
    ...         sample("y", Normal(milk, 2), obs=y)
    >>> posterior = fit(herds([18.0, 25.0]), NUTS(draws=250), progress=False)
    >>> ft.rank(posterior, "herd").ranks["best"].sel(herd="B").item() > 0.9
    True
    """
    import xarray as xr

    require_posterior(posterior, "ft.rank")
    refuse_mode(posterior.tree, "a ranking")
    if not 0 < share < 1:
        raise ValueError(f"share={share} is not between 0 and 1: give one such as 0.89")
    site = _site(posterior, dotted(name))
    draws = posterior.draws[site].transpose("chain", "draw", ...)
    dim = _ranked(draws, over, dotted(name))
    alone = [d for d in draws.dims[2:] if d != dim and draws.sizes[d] == 1]
    draws = draws.isel(dict.fromkeys(alone, 0), drop=True)  # such as the one term of (1 | g)
    others = [d for d in draws.dims[2:] if d != dim]
    values = draws.transpose("chain", "draw", *others, dim).to_numpy()
    if values.shape[-1] > MOST:
        raise ModelError(f"`{dim}` has {values.shape[-1]:,} members: at most {MOST:,} are ranked")
    found = _numbers(_places(values, descending), share)
    dims = (*others, dim)
    kept = {d: draws[d] for d in dims if d in draws.coords}
    made = xr.Dataset(
        {n: ((*dims, "rank") if n == "probability" else dims, a) for n, a in found.items()},
        {**kept, "rank": np.arange(1, values.shape[-1] + 1)},
    )
    return Ranking(made, site, str(dim), descending, share)


def _places(values: np.ndarray, descending: bool) -> np.ndarray:
    """Return each member's rank from 1 at each draw; members are the last axis."""
    keys = -values if descending else values
    chance = np.random.default_rng(TIES).random(values.shape)
    order = np.lexsort((chance, keys), axis=-1)
    ranks = np.empty(values.shape, np.int64)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(values.shape[-1]), values.shape), -1)
    return ranks + 1


def _numbers(ranks: np.ndarray, share: float) -> dict[str, np.ndarray]:
    """Return the numbers of a ranking; `ranks` has shape (chain, draw, ..., member)."""
    shape, members = ranks.shape[2:], ranks.shape[-1]
    flat = ranks.reshape(*ranks.shape[:2], -1)
    total = flat.shape[0] * flat.shape[1]
    places = (np.arange(flat.shape[2]) * members + flat - 1).ravel()
    counted = np.bincount(places, minlength=flat.shape[2] * members)
    turned = np.moveaxis(flat, -1, 0)
    error = {n: i for i, n in enumerate(Convention().names)}["mcse_mean"]
    edge = (1 - share) / 2
    with np.errstate(all="ignore"):  # of members that always have one rank
        whole, first = columns(turned, Convention()), columns(turned == 1, Convention())
    every = turned.reshape(len(turned), -1)
    low = np.quantile(every, edge, axis=1, method="lower")
    high = np.quantile(every, 1 - edge, axis=1, method="higher")
    found = {
        "expected": whole[0],
        "mcse_expected": np.nan_to_num(whole[error]),
        "low": low,
        "high": high,
        "best": first[0],
        "mcse_best": np.nan_to_num(first[error]),
    }
    shaped = {name: a.reshape(shape) for name, a in found.items()}
    return {"probability": (counted / total).reshape(*shape, members), **shaped}


def _site(posterior: Posterior, name: str) -> str:
    """Return the site meant: that of the name, or the only one in the plate of the name."""
    draws = posterior.draws
    if name in draws.data_vars:
        return name
    inside = [str(site) for site, a in draws.data_vars.items() if name in a.dims[2:]]
    if not inside:
        plates = {str(d) for a in draws.data_vars.values() for d in a.dims[2:]}
        raise UnknownSite.among(name, [*posterior.names, *sorted(plates)], "rank")
    if len(inside) > 1:
        sites = " or ".join(f"ft.rank(posterior, {site!r})" for site in inside)
        raise ModelError(f"several sites stand in `{name}`: say by which to rank, {sites}")
    return inside[0]


def _ranked(draws: xr.DataArray, over: str | None, name: str) -> Hashable:
    """Return the dimension whose members are ranked."""
    dims: list[Hashable] = list(draws.dims)[2:]
    if not dims:
        raise ShapeError(f"site `{name}` is one number: there are no members to rank")
    wanted = dotted(over) if over is not None else name if name in dims else None
    if wanted is not None:
        if wanted not in dims:
            raise UnknownSite.among(str(over), map(str, dims), "rank over")
        return wanted
    plates = [d for d in dims if not is_own(d, draws.coords)]
    if len(plates) == 1:
        return plates[0]
    if len(dims) > 1:
        ways = " or ".join(f"over={str(d)!r}" for d in dims)
        raise ModelError(f"site `{name}` has several dimensions: say whose members to rank, {ways}")
    return dims[0]
