"""Say how precise draws have to be, so that a run can end when they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from finetti.errors import UnknownSite
from finetti.posterior.tabulate import BLOCK, Convention, bulk_ess, columns, quantile_ess

FEWEST = 100  # draws a chain, before which no look is taken
LOOKS = 8  # in each doubling of the draws
MOST = 100  # times a method's draws: where a run ends that does not get there
CONVENTION = Convention()


@dataclass(frozen=True)
class Precision(ABC):
    """Say what draws must be enough for; see `ESS` and `MCSE`."""

    @property
    @abstractmethod
    def named(self) -> tuple[str, ...]:
        """Return the sites that are named, none where all are meant."""

    def names(self, kept: Collection[str]) -> tuple[str, ...]:
        """Return the sites to look at, of those kept; raises `UnknownSite` for one that is not."""
        for name in self.named:
            if name not in kept:
                raise UnknownSite.among(name, kept, "measure the precision of")
        return self.named or tuple(kept)

    def enough(self, draws: np.ndarray) -> bool:
        """Tell whether draws of some numbers, (chain, draw, ...), are enough for each.

        Those that are the same in all draws are. A few are looked at together, and no others once
        there are not enough for one.
        """
        flat = draws.reshape(*draws.shape[:2], -1)
        count = flat.shape[-1]
        size = max(1, BLOCK // max(1, flat.shape[0] * flat.shape[1]))
        parts = (flat[..., first : first + size] for first in range(0, count, size))
        moving = (part[..., np.ptp(part, (0, 1)) > 0] for part in parts)
        return all(self.each(np.moveaxis(part, 2, 0)).all() for part in moving if part.size)

    @abstractmethod
    def each(self, draws: np.ndarray) -> np.ndarray:
        """Tell of each of some numbers, shape (number, chain, draw), whether draws are enough."""


@dataclass(frozen=True)
class ESS(Precision):
    """Ask for so many effective draws of all chains together, bulk, of each number.

    `ESS(400)` asks it of all sites that are kept, `ESS(400, ("theta",))` of one. With `tails` as
    many are to tell the ends of its interval, as the advice asks. Chains that disagree have few
    effective draws. Vehtari et al. 2021.

    >>> NUTS(until=ESS(400, ("mu", "tau"))).until.named
    ('mu', 'tau')
    """

    draws: float
    sites: tuple[str, ...] = ()
    tails: bool = False

    def __post_init__(self) -> None:
        if not self.draws > 0:
            raise ValueError(f"ESS takes a positive number of effective draws, not {self.draws!r}")
        if isinstance(self.sites, str):
            object.__setattr__(self, "sites", (self.sites,))
        if not isinstance(self.tails, bool):
            raise ValueError(f"tails is True or False, not {self.tails!r}")

    @property
    def named(self) -> tuple[str, ...]:
        """Return the sites that are named, none where all are meant."""
        return self.sites

    def each(self, draws: np.ndarray) -> np.ndarray:
        """Tell of each of some numbers, shape (number, chain, draw), whether draws are enough."""
        with np.errstate(all="ignore"):
            found = bulk_ess(draws)
            for share in (CONVENTION.share, 1 - CONVENTION.share) if self.tails else ():
                # Of few values an end may be the last one: no draw lies beyond, and none tells it.
                found = np.fmin(found, quantile_ess(draws, share))
            return found >= self.draws


@dataclass(frozen=True)
class MCSE(Precision):
    """Ask for a Monte Carlo standard error of the posterior mean, of each number of a site.

    `MCSE("theta", 0.1)`: at most 0.1, in the site's own units.

    >>> NUTS(until=(ESS(400), MCSE("theta", 0.1))).until[1].site
    'theta'
    """

    site: str
    error: float

    def __post_init__(self) -> None:
        if not self.error > 0:
            raise ValueError(f"MCSE takes a positive error, not {self.error!r}")

    @property
    def named(self) -> tuple[str, ...]:
        """Return the site that is named."""
        return (self.site,)

    def each(self, draws: np.ndarray) -> np.ndarray:
        """Tell of each of some numbers, shape (number, chain, draw), whether draws are enough."""
        table = columns(draws, CONVENTION)
        return table[CONVENTION.names.index("mcse_mean")] <= self.error


def due(blocks: int, length: int) -> bool:
    """Tell whether to look after so many blocks of so many draws: `LOOKS` times in a doubling.

    It depends on the number alone, so that a run ends at the same draw however it is cut.
    """
    if blocks * length < FEWEST:
        return False
    return blocks % max(1, (1 << (blocks.bit_length() - 1)) // LOOKS) == 0
