"""Find the draws of single numbers by the names of the summary's rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from finetti.errors import DataError, UnknownSite
from finetti.posterior.labels import site_of
from finetti.posterior.posterior import Posterior
from finetti.posterior.scalars import each


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


def _members(posterior: Posterior, site: str) -> dict[str, np.ndarray]:
    """Return the draws of each member of a site, labelled as in the summary."""
    return dict(each(posterior[site].rename(site)))
