"""Name every way finetti refuses, each with what, where and what to do.

FinettiError
├── ModelError            the model as written cannot be understood
│   ├── DuplicateSite     two sites share a name
│   ├── UnknownSite       a name that no site has
│   ├── ShapeError        a site does not fit its plates
│   ├── OutsidePlate      a code of a member that its plate does not have
│   ├── SupportError      a value or an argument outside its support
│   ├── MissingValue      NaN in observed data, an argument that lacks values
│   ├── Contradiction     a factor graph that rules out every joint state
│   └── TooWide           an exact sum that needs more memory than allowed
├── SeedError             a draw is needed and no seed is in force
├── DataError             a table that cannot be read, or lacks a column
├── SamplingError         the sampler cannot start or go on
├── ClusterError          a cluster that cannot be reached, or would give other results
└── MissingExtra          an optional dependency is not installed
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class FinettiError(Exception):
    """Be the root of every error finetti raises on purpose."""


class ModelError(FinettiError, ValueError):
    """Say that the model as written cannot be understood.

    `members` is what a plate was opened with, where it names one twice.
    """

    members: object = None


class DuplicateSite(ModelError):
    """Say that two sites share a name."""


class UnknownSite(ModelError, KeyError):
    """Say that no site has the name given."""

    __str__ = Exception.__str__

    @classmethod
    def among(cls, name: str, known: Iterable[str], verb: str) -> UnknownSite:
        """Build the error for `name`, suggesting the nearest of `known`."""
        known = list(known)
        listed = ", ".join(f"`{k}`" for k in known) or "none"
        return cls(f"cannot {verb} `{name}`: no such site{hint(name, known)} (sites: {listed})")


class ShapeError(ModelError):
    """Say that a site does not fit the plates it stands in."""


class OutsidePlate(ModelError, IndexError):
    """Say that a code stands for a member that its plate does not have."""


class SupportError(ModelError):
    """Say that a value or a distribution's argument lies outside its support."""


class MissingValue(ModelError):
    """Say that observed data hold NaN, or that an argument lacks values."""


class Contradiction(ModelError):
    """Say that a factor graph and its evidence rule out every joint state."""


class TooWide(ModelError):
    """Say that an exact sum over joint states needs more memory than allowed."""


class SeedError(FinettiError, RuntimeError):
    """Say that a draw is needed and no seed is in force."""


class DataError(FinettiError, ValueError):
    """Say that a table cannot be read or lacks a column."""


class SamplingError(FinettiError, RuntimeError):
    """Say that the sampler cannot start or go on."""


class ClusterError(FinettiError, RuntimeError):
    """Say that a cluster cannot be reached, loses what it has, or would give other results."""


class MissingExtra(FinettiError, ImportError):
    """Say that an optional dependency is not installed."""

    @classmethod
    def needed(cls, package: str, extra: str, purpose: str) -> MissingExtra:
        """Build the error that names the package and the extra that brings it."""
        return cls(f"{purpose} needs {package}: pip install 'finetti[{extra}]'")


def hint(name: str, known: Iterable[str]) -> str:
    """Return what a refusal of a name adds: the nearest one that is known, or nothing.

    >>> hint("Dyas", ["Days", "Subject"]), hint("Dyas", [])
    ('; did you mean `Days`?', '')
    """
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
