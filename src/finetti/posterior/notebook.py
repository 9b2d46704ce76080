"""Show a posterior in a notebook: what is wrong with it first, then the head of its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from finetti.hypertext.html import block, folded, heading, items, words
from finetti.posterior.finding import Advice
from finetti.posterior.summarised import Summary

if TYPE_CHECKING:
    import xarray as xr

ROWS = 8  # of a site
MOST = 20_000  # scalars, beyond which nothing is computed to show them


class Shown(Protocol):
    """Name what is shown of a posterior."""

    @property
    def tree(self) -> xr.DataTree:
        """Return the groups."""
        ...

    def table(self, names: list[str] | None = None, rows: int | None = None) -> Summary:
        """Return the summary, at most so many rows of a site."""
        ...

    def advice(self) -> Advice:
        """Return what is wrong."""
        ...


def shown(posterior: Shown) -> str:
    """Return advice, the head of the summary and the groups of the tree as HTML."""
    title = heading(repr(posterior)[1:-1])
    if "posterior" not in posterior.tree.children:
        return block(title)
    draws = posterior.tree["posterior"].dataset
    if sum(array[0, 0].size for array in draws.values()) > MOST:
        sites = [f"{n}: {', '.join(map(str, a.dims[2:])) or 'a number'}" for n, a in draws.items()]
        said = words("posterior.summary() gives the numbers, posterior.advice() judges them.")
        return block(title, items(sites), said)
    table = posterior.table(rows=ROWS)
    return block(
        title,
        posterior.advice()._repr_html_(),
        table.table.grid(),
        *map(words, table.notes()),
        folded("groups of the tree", items(posterior.tree.children)),
    )
