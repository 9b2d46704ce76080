"""Say what a rewrite is: a reversible value that names its sites, its reason and its cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np

from finetti.structure.program import Program, Reader
from finetti.structure.variables import Variable
from finetti.types import Array, Atom, Constants, Key

Terms = Callable[[Mapping[str, Array]], Mapping[str, Array]]


class Rewrite(ABC):
    """Change what the sampler moves without changing what the model says.

    Rewrites are frozen values, compared by value: programs with equal rewrites share compiled
    code. Arrays they need at run time are constants, not fields. What a form asks of a rewrite are
    the methods below; those that do not concern it answer with nothing.
    """

    verb: str
    sites: tuple[str, ...]
    asked_for: ClassVar[bool] = False  # made only when the user asks for it
    ahead: ClassVar[bool] = False  # its form depends on the data, not on their shapes alone
    takes_out: ClassVar[bool] = False  # see `Marginal`
    moves: ClassVar[bool] = False  # see `Move`
    by_values: ClassVar[bool] = False  # worth it where values are asked for, and no gradients
    taught: ClassVar[tuple[str, ...]] = ()  # constants that a run learns, beside those of moves
    passing: ClassVar[tuple[str, ...]] = ()  # of these, what holds about the point that taught it
    eases: ClassVar[bool] = False  # spares the sampler the funnel of a group's effects

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

    @property
    def exact(self) -> bool:
        """Tell whether the posterior stays what it is."""
        return True

    @property
    def absorbed(self) -> tuple[str, ...]:
        """Return the sites whose log densities it accounts for."""
        return ()

    @property
    def whole(self) -> Rewrite | None:
        """Return the rewrite in whose place it evaluates an integral, if there is one."""
        return None

    @property
    def members_apart(self) -> int:
        """Return how many members of its sites move by themselves; zero where none do."""
        return 0

    def log_term(self, site: str, reader: Reader, constants: Constants) -> Array | None:
        """Return the sum of a site's log densities by a better way than the program's, or None."""
        return None

    def elements(
        self, site: str, reader: Reader, free: Mapping[str, Array], constants: Constants
    ) -> tuple[Array, Array | float] | None:
        """Return a site's log densities, or sums of some, and what their sum lacks; or None."""
        return None

    def owners(self, each: np.ndarray, nobody: int, constants: Constants) -> np.ndarray | None:
        """Return the member that each of its `elements` depends on; None if some have more.

        `each` tells that of each log density of the program's, `nobody` where there is none.
        """
        return None


class Move(Rewrite):
    """Give sites other coordinates: the sampler moves a bijection of their unconstrained values.

    Values are given and returned by the names of the sites, in the shapes they have in the program.
    """

    moves = True
    settles: ClassVar[bool] = False  # its sites may begin at the mode that `look` tells of

    @abstractmethod
    def start(self, dtype: str) -> Constants:
        """Return the constants before anything is learned."""

    @abstractmethod
    def supply(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, tuple[Array, Array]]:
        """Return each site's unconstrained value, and its part of the log Jacobian (a scalar)."""

    @abstractmethod
    def recover(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, Array]:
        """Return what is moved, at the sites' unconstrained values: `supply` turned round."""

    @property
    def beneath(self) -> tuple[Move, ...]:
        """Return the moves that stand in its place while moves look at a point."""
        return ()

    @property
    def told_early(self) -> tuple[str, ...]:
        """Return its sites of which `early` tells."""
        return ()

    def early(
        self, reader: Reader, free: Mapping[str, Array], learned: Constants
    ) -> dict[str, Array]:
        """Return how far sites are from their priors' locations, none of which is known yet."""
        return {}

    def look(self, around: Around, key: Key) -> Constants:
        """Return the constants that one point teaches."""
        return {}

    def agree(self, found: Constants) -> Constants:
        """Return the constants of many points from what each taught, on a first axis."""
        return {}

    def learn(self, draws: Mapping[str, Array]) -> Constants:
        """Return the constants that draws of the unmoved free values, one a row, teach."""
        return {}


@dataclass(frozen=True)
class Around:
    """Give what a move looks at: a point of the program.

    No site is moved there but by the moves `beneath` others. `reader` reads the program, and `at`
    makes a reader that is given values for some of its variables, whatever they are made of.
    `log_density` is a function of such values, and of the sites whose priors are to be left out.
    """

    reader: Reader
    at: Callable[[Mapping[Atom, Array]], Reader]
    log_density: Callable[[Mapping[Atom, Array], Collection[str]], Array]


class Shortcut(Rewrite):
    """Compute the sum of one site's log densities by another way than the program's."""

    @abstractmethod
    def total(self, reader: Reader, constants: Constants) -> Array:
        """Return the sum of the site's log densities."""

    def log_term(self, site: str, reader: Reader, constants: Constants) -> Array | None:
        """Return the sum of the site's log densities, if it is this one."""
        return self.total(reader, constants) if self.sites == (site,) else None


class Marginal(Rewrite):
    """Take sites out of the sampler: integrate or sum their terms, and draw them back.

    `terms` names the sites whose log densities it accounts for. The methods take a function
    from values of the sites to those log densities (one array a term, with its batch if
    `by_element`, else their sum), everything else being given. The sites' values are their
    unconstrained ones if `by_free`; the function then gives the log Jacobians as well. If
    `by_sums` a term's array may have sums of its elements by a shortcut, and what these lack is
    given beside.
    """

    takes_out = True
    terms: tuple[str, ...]
    by_element: ClassVar[bool] = False
    by_sums: ClassVar[bool] = False
    by_free: ClassVar[bool] = False
    weighs: ClassVar[bool] = False  # its draws have a log importance ratio

    @property
    def absorbed(self) -> tuple[str, ...]:
        """Return the sites whose log densities it accounts for."""
        return self.terms

    @property
    def work(self) -> int:
        """Return about how many numbers are at work beside the sites in one evaluation."""
        return 0

    @abstractmethod
    def log_marginal(self, terms: Terms, constants: Constants) -> Array:
        """Return the log of the integral (or sum) over the sites of the terms' joint density."""

    @abstractmethod
    def draw(self, key: Key, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Draw the sites from their conditional distribution given everything else."""

    @abstractmethod
    def mode(self, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Return the sites at their most probable values given everything else."""

    def teach(self, terms: Terms, constants: Constants) -> Constants:
        """Return the constants `taught`, as everything else that is given teaches them."""
        return {}

    def moments(self, terms: Terms, constants: Constants) -> dict[str, tuple[Array, Array]]:
        """Return mean and variance of sites given everything else, where they are known."""
        return {}

    def probabilities(self, terms: Terms, constants: Constants) -> dict[str, Array]:
        """Return the probabilities of discrete sites' states, shape (*shape, states)."""
        return {}

    def lowest(self, constants: Constants) -> dict[str, np.ndarray]:
        """Return the first state of each member of the sites that `probabilities` are of."""
        return {}

    def log_ratio(self, key: Key, terms: Terms, constants: Constants) -> Array:
        """Return the log density over its approximation at `draw`'s draw with the same key."""
        raise NotImplementedError


Made = tuple[Rewrite, Constants]
R = TypeVar("R", bound=Rewrite)


@dataclass(frozen=True, eq=False)
class Sight:
    """Hold what a rewrite's finder looks at.

    `made` are the rewrites made before, with their constants. `refused` are the sites that the user
    does not want rewritten so, `asked` those that are asked for by name.
    """

    program: Program
    variables: tuple[Variable, ...]
    made: tuple[Made, ...] = ()
    refused: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()

    @cached_property
    def gone(self) -> frozenset[str]:
        """Return the sites that are taken out already."""
        return frozenset(s for r, _ in self.made if r.takes_out for s in r.sites)

    @cached_property
    def absorbed(self) -> frozenset[str]:
        """Return the sites whose log densities are accounted for already."""
        return frozenset(term for r, _ in self.made for term in r.absorbed)

    @property
    def latent(self) -> tuple[Variable, ...]:
        """Return the latent variables."""
        return tuple(v for v in self.variables if v.kind == "latent")

    @property
    def left(self) -> tuple[Variable, ...]:
        """Return the latent variables that are not taken out."""
        return tuple(v for v in self.latent if v.name not in self.gone)

    def of(self, kind: type[R]) -> list[tuple[R, Constants]]:
        """Return those of the rewrites made before that are of a kind."""
        return [(r, constants) for r, constants in self.made if isinstance(r, kind)]


Why = Callable[[Sight], Mapping[str, str]]


@dataclass(frozen=True, eq=False)
class Found:
    """Hold what a finder made, with constants, and by site why it left others as they are.

    What is dear to say is a function, of the sight when all rewrites are made.
    """

    made: tuple[Made, ...] = ()
    left: Mapping[str, str] | Why | None = None

    def why(self, sight: Sight) -> Mapping[str, str]:
        """Return why sites were left as they are."""
        return (self.left(sight) if callable(self.left) else self.left) or {}


@dataclass(frozen=True, eq=False)
class Kind:
    """Name a rewrite and the function that finds where it fits.

    `again` returns, for a rewrite of this kind, those of its constants that differ between many
    sets of data of one site, (set, *site shape), with its weights if it has any; they have a
    leading axis of sets.
    """

    rewrite: type[Rewrite]
    find: Callable[[Sight], Found]
    again: Callable[[Program, Any, np.ndarray, np.ndarray | None], Constants] | None = None

    @property
    def verb(self) -> str:
        """Return the verb that refuses all rewrites of this kind, or asks for them."""
        return self.rewrite.verb
