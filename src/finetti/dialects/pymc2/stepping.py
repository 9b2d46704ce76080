"""Say what a step method is, and make the steps that programs write themselves, on the host."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from finetti.dialects.pymc2.nodes import Node, Stochastic, nodes_in
from finetti.dialects.pymc2.traced import ZeroProbability
from finetti.kernels.kernel import Kernel

Places = dict[str, tuple[int, ...]]
HOOKS = ("step", "propose", "hastings_factor", "reject", "tune")

random = np.random  # PyMC2 programs seed numpy's global generator


class StepMethod:
    """Move some stochastics: subclasses have a `step()` that sets `self.stochastic.value`.

    `loglike` is the log density of the stochastics' children, `logp_plus_loglike` theirs as well;
    both raise `ZeroProbability` where it is zero. A subclass whose `__init__` needs nothing but a
    stochastic is assigned to those for which its `competence` is greatest.
    """

    stochastics: tuple[Stochastic, ...]
    tunes: bool = True
    registered: ClassVar[list[type[StepMethod]]] = []

    def __init__(self, variables: object, verbose: int = -1, tally: bool = False) -> None:
        """Take on the stochastics."""
        self.stochastics = tuple(n for n in nodes_in(variables) if isinstance(n, Stochastic))
        if not self.stochastics:
            raise ValueError(f"{type(self).__name__} is given no stochastics to move")
        for node in self.stochastics:
            if node.observed:
                raise ValueError(f"{node.__name__} is observed: no step method can move it")
        own = set(self.stochastics)
        self.children = set[Node]().union(*(n.extended_children for n in own)) - own
        self.parents = set[Node]().union(*(n.extended_parents for n in own)) - own
        self.markov_blanket = [*self.stochastics, *self.children]
        self.verbose, self.accepted, self.rejected = verbose, 0.0, 0.0
        self.adaptive_scale_factor: float = 1.0
        self._id = "_".join([type(self).__name__, *(n.__name__ for n in self.stochastics)])
        self.terms: Callable[[Iterable[Node]], float] = own_terms

    def __init_subclass__(cls) -> None:
        """Note a subclass that can be assigned to stochastics."""
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        needed = [p for p in parameters if p.default is p.empty and p.kind not in (2, 4)]
        if len(needed) == 1 and "competence" in vars(cls):
            cls.registered.append(cls)

    def step(self) -> None:
        """Move the stochastics once."""
        raise NotImplementedError(f"{type(self).__name__} has no step(self): write one")

    def tune(self, *args: object, **kwargs: object) -> bool:
        """Change what the steps depend on by how they went; tell whether anything changed."""
        return False

    @staticmethod
    def competence(s: Stochastic) -> float:
        """Return how well the method suits a stochastic; 0 is not at all, 3 is best."""
        return 0

    @property
    def loglike(self) -> float:
        """Return the log density of what depends on the stochastics."""
        return self.terms(self.children)

    @property
    def logp_plus_loglike(self) -> float:
        """Return the log density of the stochastics and of what depends on them."""
        return self.terms(self.markov_blanket)

    @property
    def ratio(self) -> float:
        """Return the share of proposals that were accepted since the last tuning."""
        return self.accepted / (self.accepted + self.rejected)


def own_terms(nodes: Iterable[Any]) -> float:
    """Return the sum of nodes' log densities at their current values."""
    return sum(node.logp for node in nodes)


class Compiled(StepMethod):
    """Move by a kernel of finetti's; each place where it moves has a scale that is tuned."""

    def kernel(self) -> Kernel:
        """Return the kernel that moves the coordinates at one place."""
        raise NotImplementedError

    def places(self, where: Places) -> list[tuple[int, ...]]:
        """Return the coordinates that move together, in turn."""
        raise NotImplementedError

    def spread(self) -> np.ndarray:
        """Return the proposals' standard deviations at the start, one a coordinate."""
        raise NotImplementedError


class Proposing(Compiled):
    """Propose a value of one stochastic and accept it by Metropolis' and Hastings' rule.

    Where a subclass has its own `propose`, `hastings_factor`, `step`, `reject` or `tune` it is run
    as it is written, on the host; else by a kernel. `propose` sets `self.stochastic.value`;
    `hastings_factor` is the log density of the way back less that of the way there.
    """

    stochastic: Stochastic

    def hastings_factor(self) -> float:
        """Return 0: proposals are as likely back as there."""
        return 0.0

    def propose(self) -> None:
        """Set a proposed value."""
        raise NotImplementedError(f"{type(self).__name__} has no propose(self): write one")

    def reject(self) -> None:
        """Go back to the value before the proposal."""
        self.stochastic.revert()

    def step(self) -> None:
        """Propose a value, and accept it or not."""
        before = self.logp_plus_loglike
        self.propose()
        try:
            after = self.logp_plus_loglike
            log_ratio = after - before + float(np.sum(self.hastings_factor()))
        except ZeroProbability:
            log_ratio = -np.inf
        if np.log(random.random()) > log_ratio or np.isnan(log_ratio):
            self.reject()
            self.rejected += 1
        else:
            self.accepted += 1

    def tune(self, *args: object, **kwargs: object) -> bool:
        """Follow the acceptance since the last tuning by PyMC2's table."""
        if not self.accepted + self.rejected:
            return True
        before = self.adaptive_scale_factor
        self.adaptive_scale_factor = tuned(before, self.ratio)
        self.accepted = self.rejected = 0.0
        return self.adaptive_scale_factor != before


class NoStepper(StepMethod):
    """Hold stochastics where they are."""

    def step(self) -> None:
        """Do nothing."""


class Gibbs(Proposing):
    """Draw a stochastic given all others: subclasses write `propose`.

    Where not `conjugate` the proposal is of the likelihood alone, and is accepted by the
    stochastic's own log density.
    """

    conjugate: bool = True

    def __init__(self, stochastic: object, verbose: int = -1) -> None:
        """Take on one stochastic."""
        super().__init__(stochastic, verbose)
        (self.stochastic,) = self.stochastics

    def step(self) -> None:
        """Propose a value, and accept it by its own log density unless it is conjugate."""
        if self.conjugate:
            self.propose()
            return
        before = self.stochastic.logp
        self.propose()
        try:
            accepted = np.log(random.random()) <= self.stochastic.logp - before
        except ZeroProbability:
            accepted = False
        if not accepted:
            self.reject()

    def tune(self, *args: object, **kwargs: object) -> bool:
        """Change nothing."""
        return False


class Slicer(StepMethod):
    """Draw each element of a stochastic from a slice of its conditional density (Neal 2003).

    The slice has width `w` at first, found by stepping out up to `m` times, or by `doubling`. The
    stochastic's own density counts; PyMC2 left it out.
    """

    def __init__(  # noqa: PLR0913 - PyMC2's own arguments
        self,
        stochastic: object,
        w: float | int = 1,
        m: int = 1000,
        tune: bool = True,
        doubling: bool = False,
        tally: bool = False,
        verbose: int = -1,
    ) -> None:
        """Take on one stochastic of real numbers."""
        super().__init__(stochastic, verbose)
        (self.stochastic,) = self.stochastics
        if self.stochastic.dtype.kind != "f":
            raise ValueError(
                f"Slicer moves real numbers, and `{self.stochastic.__name__}` is whole"
            )
        self.w, self.m, self.doubling, self._tune = float(w), int(m), doubling, tune
        self._moved: list[float] = []

    def step(self) -> None:
        """Draw each element in turn."""
        for place in np.ndindex(*self.stochastic.shape):
            if self.stochastic.mask is None or self.stochastic.mask[place]:
                self._draw(place)

    def _draw(self, place: tuple[int, ...]) -> None:
        start = float(np.asarray(self.stochastic.value)[place])
        level = self.logp_plus_loglike - random.exponential()
        low = start - random.uniform(0, self.w)
        high = low + self.w
        low, high = self._found(place, level, low, high)
        left, right = low, high
        while True:
            new = random.uniform(left, right)
            found = self._at(place, new) > level
            if found and self._reachable(place, level, (start, new), (low, high)):
                break
            if new < start:
                left = new
            else:
                right = new
        self._moved.append(abs(new - start))

    def _found(
        self, place: tuple[int, ...], level: float, low: float, high: float
    ) -> tuple[float, float]:
        """Return bounds of the slice around the current value."""
        if self.doubling:
            left = self.m
            while left and (level < self._at(place, low) or level < self._at(place, high)):
                low, high = (
                    (2 * low - high, high) if random.random() < 0.5 else (low, 2 * high - low)
                )
                left -= 1
            return low, high
        below = int(random.uniform(0, self.m))
        above = self.m - 1 - below
        while below > 0 and level < self._at(place, low):
            low, below = low - self.w, below - 1
        while above > 0 and level < self._at(place, high):
            high, above = high + self.w, above - 1
        return low, high

    def _reachable(
        self,
        place: tuple[int, ...],
        level: float,
        points: tuple[float, float],
        bounds: tuple[float, float],
    ) -> bool:
        """Tell whether doubling from a new value could have found the same interval."""
        (start, new), (low, high), apart = points, bounds, False
        while self.doubling and high - low > 1.1 * self.w:
            middle = (low + high) / 2
            apart |= (start < middle) != (new < middle)
            low, high = (low, middle) if new < middle else (middle, high)
            if apart and level >= self._at(place, low) and level >= self._at(place, high):
                return False
        if self.doubling:
            self._at(place, new)
        return True

    def _at(self, place: tuple[int, ...], number: float) -> float:
        """Set one element, and return the log density there."""
        value = np.array(self.stochastic.value, float)
        value[place] = number
        self.stochastic.value = value
        try:
            return self.logp_plus_loglike
        except ZeroProbability:
            return -np.inf

    def tune(self, *args: object, **kwargs: object) -> bool:
        """Take twice the mean move so far for the width."""
        if not self._tune or not self._moved:
            return False
        self.w = 2 * float(np.mean(self._moved)) or self.w
        return True


def on_host(method: StepMethod) -> bool:
    """Tell whether a step method is run as it is written, and not by a kernel."""
    kind = type(method)
    if kind is NoStepper:
        return False
    if not isinstance(method, Compiled) or getattr(method, "from_prior", False):
        return True
    base = next(k for k in kind.__mro__ if "kernel" in vars(k))
    if base is Compiled:
        return True
    return any(getattr(kind, n, None) is not getattr(base, n, None) for n in HOOKS)


def tuned(factor: float, rate: float) -> float:
    """Return the scale factor after a window with an acceptance rate, by PyMC2's table.

    >>> [tuned(1.0, rate) for rate in (0.0, 0.01, 0.1, 0.3, 0.6, 0.8, 0.99)]
    [0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0]
    """
    for bound, times in ((0.001, 0.1), (0.05, 0.5), (0.2, 0.9)):
        if rate < bound:
            return factor * times or factor
    for bound, times in ((0.95, 10.0), (0.75, 2.0), (0.5, 1.1)):
        if rate > bound:
            return factor * times
    return factor
