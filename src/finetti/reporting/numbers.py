"""Find the draws of single numbers by the names of the summary's rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import DataError, ShapeError, UnknownSite, hint
from finetti.posterior.finding import listed
from finetti.posterior.labels import site_of
from finetti.posterior.posterior import Posterior
from finetti.posterior.scalars import each

if TYPE_CHECKING:
    import xarray as xr


def find_numbers(posterior: Posterior, names: Sequence[str], most: int) -> dict[str, np.ndarray]:
    """Return the draws, of shape (chain, draw), of every number named, by the summary's rows.

    A name is a site, with all its members, or one row such as "theta[A]". Raises `UnknownSite`,
    or `DataError` for more numbers than `most`.
    """
    found: dict[str, np.ndarray] = {}
    for name in [names] if isinstance(names, str) else names:
        site = site_of(name, posterior.names)
        members = _members(posterior, site)
        if site != name and name not in members:
            raise UnknownSite(
                f"cannot draw `{name}`: the rows of site `{site}` run from `{next(iter(members))}` "
                f"to `{list(members)[-1]}`"
            )
        found |= members if site == name else {name: members[name]}
    if not 0 < len(found) <= most:
        raise DataError(
            f"{len(found)} panels asked for, a picture holds 1 to {most}: name single rows of "
            f"the summary, such as `{next(iter(found), 'theta[A]')}`"
        )
    return found


def members(
    posterior: Posterior, name: str, term: str | None, picture: str
) -> tuple[xr.DataArray, str, int]:
    """Return the draws of a site's members, dims (chain, draw, member), and what to call them.

    Members may have terms, of which `term` names the one to take, and its place comes last; one
    that is alone needs no name. Raises `UnknownSite` for a term that there is not, or `ShapeError`
    for a site of other dimensions, naming the `picture` that is not drawn.
    """
    draws = posterior[name]
    if draws.ndim == 3 and term is None:
        return draws, name, 0
    if draws.ndim != 4:
        wish = "one of one does" if term is None else f"`{term}` is of members that have terms"
        raise ShapeError(
            f"site `{name}` stands in {draws.ndim - 2} dimensions and is not drawn by {picture}: "
            f"{wish}"
        )
    known = [str(label) for label in draws[draws.dims[3]].to_numpy()]
    if term is None and len(known) > 1:
        raise ShapeError(
            f"the members of site `{name}` have the terms {listed(known)}: name the one that "
            f"{picture} is to draw, term={known[0]!r}"
        )
    if term is not None and term not in known:
        near = hint(term, known)
        raise UnknownSite(
            f"the members of site `{name}` have no term `{term}`{near} (terms: {listed(known)})"
        )
    place = 0 if term is None else known.index(term)
    return draws[..., place], name if term is None else f"{name}[·][{term}]", place


def _members(posterior: Posterior, site: str) -> dict[str, np.ndarray]:
    """Return the draws of each member of a site, labelled as in the summary."""
    return dict(each(posterior[site].rename(site)))
