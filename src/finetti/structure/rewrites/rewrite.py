"""Say what a rewrite is: a reversible value that names its sites, its reason and its cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from finetti.structure.program import Reader
from finetti.types import Array, Key

Terms = Callable[[Mapping[str, Array]], Mapping[str, Array]]


class Rewrite(ABC):
    """Change what the sampler moves without changing what the model says.

    Rewrites are frozen values, compared by value: programs with equal rewrites share compiled
    code. Arrays they need at run time are constants, not fields.
    """

    verb: str
    sites: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name by which a user refuses the rewrite, such as `centre theta`."""
        return f"{self.verb} {', '.join(self.sites)}"

    @property
    def names(self) -> frozenset[str]:
        """Return every name it answers to: the whole, and each site alone."""
        return frozenset({self.name, self.verb, *(f"{self.verb} {site}" for site in self.sites)})

    @abstractmethod
    def done(self, site: str) -> str:
        """Say in a few words what is done to a site."""

    @abstractmethod
    def reason(self, site: str) -> str:
        """Say why, for the plan's table."""

    @abstractmethod
    def cost(self) -> str:
        """Say what it costs at each evaluation of the density."""


class Move(Rewrite):
    """Give sites other coordinates: the sampler moves a bijection of their unconstrained values.

    Values are given and returned by the names of the sites, in the shapes they have in the program.
    """

    @abstractmethod
    def start(self, dtype: str) -> dict[str, Any]:
        """Return the constants before anything is learned."""

    @abstractmethod
    def supply(
        self, reader: Reader, free: Mapping[str, Array], learned: Mapping[str, Any]
    ) -> dict[str, tuple[Array, Array]]:
        """Return each site's unconstrained value, and its part of the log Jacobian (a scalar)."""

    @abstractmethod
    def recover(
        self, reader: Reader, free: Mapping[str, Array], learned: Mapping[str, Any]
    ) -> dict[str, Array]:
        """Return what is moved, at the sites' unconstrained values: `supply` turned round."""


class Shortcut(Rewrite):
    """Compute the sum of one site's log densities by another way than the program's."""

    @abstractmethod
    def log_term(self, reader: Reader, constants: Mapping[str, Any]) -> Array:
        """Return the sum of the site's log densities."""


class Marginal(Rewrite):
    """Take sites out of the sampler: integrate or sum their terms, and draw them back.

    `terms` names the sites whose log densities it accounts for. The methods take a function
    from values of the sites to those log densities (one array a term, with its batch if
    `by_element`, else their sum), everything else being given. The sites' values are their
    unconstrained ones if `by_free`; the function then gives the log Jacobians as well.
    """

    terms: tuple[str, ...]
    by_element = False
    by_free = False

    @abstractmethod
    def log_marginal(self, terms: Terms, constants: Mapping[str, Any]) -> Array:
        """Return the log of the integral (or sum) over the sites of the terms' joint density."""

    @abstractmethod
    def draw(self, key: Key, terms: Terms, constants: Mapping[str, Any]) -> dict[str, Array]:
        """Draw the sites from their conditional distribution given everything else."""

    @abstractmethod
    def mode(self, terms: Terms, constants: Mapping[str, Any]) -> dict[str, Array]:
        """Return the sites at their most probable values given everything else."""
