"""Find the draws of scalars by the names that the summary's rows have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from finetti.errors import UnknownSite
from finetti.posterior.labels import is_hidden, scalars

if TYPE_CHECKING:
    import xarray as xr

SHOWN = 3  # names in a refusal
BLANKS, QUOTES = re.compile(r"\s*([,\[\]])\s*"), re.compile(r"""(?<=[\[,])["']|["'](?=[\],])""")


def names(array: xr.DataArray) -> list[str]:
    """Return the names of a site's scalars in order, dims (chain, draw, ...).

    They are those of the summary's rows, whatever these come to be.
    """
    return list(scalars(array.transpose("chain", "draw", ...)))


def each(array: xr.DataArray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each scalar of a site with its draws, shape (chain, draw)."""
    values = array.transpose("chain", "draw", ...).to_numpy()
    flat = values.reshape(*values.shape[:2], -1)
    for i, name in enumerate(names(array)):
        yield name, flat[..., i]


@dataclass(frozen=True, eq=False)
class Scalars:
    """Look scalars up in the draws of a run by name, such as `theta[A]` or `sd[school][slope]`."""

    draws: xr.Dataset

    @cached_property
    def places(self) -> Mapping[str, tuple[str, int]]:
        """Map each scalar's name to its site and its place there."""
        found = {}
        for site, array in self.draws.data_vars.items():
            found |= {name: (str(site), i) for i, name in enumerate(names(array))}
        return found

    @cached_property
    def phrases(self) -> list[str]:
        """Return the names of sites that are more than a word, such as `log radon`."""
        return [str(n) for n in self.draws.data_vars if not re.fullmatch(r"[\w.]+", str(n))]

    @cached_property
    def loosely(self) -> Mapping[str, str]:
        """Map names without blanks and quotes to the names as they are."""
        return {loose(name): name for name in self.places}

    def find(self, name: str) -> str | None:
        """Return the name of a scalar as it is, where it was written with other blanks or quotes.

        Nested models' sites may have a slash for the dot, and brackets at the end may be left out
        where one scalar alone goes on so, `sd[school]` for `sd[school][slope]`. None where there is
        no such scalar.
        """
        for way in (name, name.replace("/", ".")):
            if way in self.places:
                return way
            if loose(way) in self.loosely:
                return self.loosely[loose(way)]
            begun = [known for known in self.loosely if known.startswith(f"{loose(way)}[")]
            if len(begun) == 1:
                return self.loosely[begun[0]]
        return None

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the draws of a scalar, shape (chain, draw)."""
        known = self.find(name)
        if known is None:
            raise self.unknown(name)
        site, place = self.places[known]
        values = self.draws[site].transpose("chain", "draw", ...).to_numpy()
        return values.reshape(*values.shape[:2], -1)[..., place]

    def array(self, name: str) -> xr.DataArray | None:
        """Return the draws of a scalar with its name, dims (chain, draw); None if there is none."""
        import xarray as xr

        known = self.find(name)
        if known is None:
            return None
        coordinates = {dim: self.draws[dim] for dim in ("chain", "draw")}
        return xr.DataArray(self[known], coordinates, ("chain", "draw"), name=known)

    def site(self, row: str) -> str:
        """Return the site of a row of the summary."""
        return self.places[row][0]

    def unknown(self, name: str) -> UnknownSite:
        """Return the error that names the nearest scalars there are."""
        plain = name.replace("/", ".")
        if plain in self.draws.data_vars:
            rows = names(self.draws[plain])
            return UnknownSite(
                f"`{name}` has {len(rows):,} members, from `{rows[0]}` to `{rows[-1]}`: name one"
            )
        near = get_close_matches(name, self.places, n=SHOWN, cutoff=0.5)
        hint = f"; did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else ""
        listed = [str(site) for site in self.draws.data_vars if not is_hidden(str(site))]
        sites = ", ".join(f"`{site}`" for site in listed) or "none"
        return UnknownSite(f"there is no `{name}` here{hint} (sites: {sites})")


def loose(name: str) -> str:
    """Return a name without the blanks around commas and brackets, and without quotes in them.

    >>> loose('theta[ "A",2001 ]')
    'theta[A,2001]'
    """
    return QUOTES.sub("", BLANKS.sub(r"\1", name).strip())
