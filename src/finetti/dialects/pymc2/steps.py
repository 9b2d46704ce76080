"""State PyMC2's step methods: which variables each moves, with which of finetti's kernels."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from finetti.dialects.pymc2.build import site_of, unknown
from finetti.dialects.pymc2.nodes import Stochastic, nodes_in
from finetti.kernels.adaptive import AdaptiveWalk
from finetti.kernels.discrete import BinaryFlip, DiscreteWalk
from finetti.kernels.kernel import Kernel
from finetti.kernels.metropolis import RandomWalk
from finetti.types import Value

Places = dict[str, tuple[int, ...]]


class StepMethod(ABC):
    """Move some stochastics by a kernel; each place where it moves has a scale that is tuned."""

    stochastics: tuple[Stochastic, ...]
    tunes: bool = True

    def __init__(self, stochastics: Any) -> None:
        """Take on the stochastics."""
        self.stochastics = tuple(n for n in nodes_in(stochastics) if isinstance(n, Stochastic))
        for node in self.stochastics:
            if node.observed:
                raise ValueError(f"{node.__name__} is observed: no step method can move it")
        self.adaptive_scale_factor: float = 1.0

    @abstractmethod
    def kernel(self) -> Kernel:
        """Return the kernel that moves the coordinates at one place."""

    @abstractmethod
    def places(self, where: Places) -> list[tuple[int, ...]]:
        """Return the coordinates that move together, in turn."""

    @abstractmethod
    def spread(self) -> np.ndarray:
        """Return the proposals' standard deviations at the start, one a coordinate."""

    @staticmethod
    def competence(stochastic: Stochastic) -> int:
        """Return how well the method suits a stochastic; 0 is not at all, 3 is best."""
        return 0


class Metropolis(StepMethod):
    """Propose from a normal around the current value of one stochastic, all of it at once.

    `proposal_sd` is `scale` times the size of the value at the start, 1 where that is zero.
    """

    def __init__(
        self,
        stochastic: Any,
        scale: float | int = 1.0,
        proposal_sd: Value = None,
        proposal_distribution: str | None = None,
        verbose: int = -1,
        tally: bool = True,
    ) -> None:
        """Take on one stochastic."""
        super().__init__(stochastic)
        (self.stochastic,) = self.stochastics
        _only_normal(proposal_distribution)
        self.proposal_sd = _proposal_sd(self.stochastic, scale, proposal_sd)

    def kernel(self) -> Kernel:
        """Return a random walk."""
        return RandomWalk()

    def places(self, where: Places) -> list[tuple[int, ...]]:
        """Move all coordinates of the stochastic together."""
        return [where[site_of(self.stochastic)]]

    def spread(self) -> np.ndarray:
        """Return the proposal's standard deviations."""
        return self.proposal_sd.ravel()

    @staticmethod
    def competence(stochastic: Stochastic) -> int:
        """Suit real numbers."""
        return 1 if stochastic.dtype.kind == "f" else 0


class DiscreteMetropolis(StepMethod):
    """Propose jumps of whole numbers, one coordinate at a time."""

    def __init__(
        self,
        stochastic: Any,
        scale: float | int = 1.0,
        proposal_sd: Value = None,
        proposal_distribution: str | None = None,
        non_negative: bool | None = None,
        verbose: int = -1,
    ) -> None:
        """Take on one stochastic."""
        super().__init__(stochastic)
        (self.stochastic,) = self.stochastics
        self.proposal_sd = _proposal_sd(self.stochastic, scale, proposal_sd)

    def kernel(self) -> Kernel:
        """Return jumps."""
        return DiscreteWalk()

    def places(self, where: Places) -> list[tuple[int, ...]]:
        """Move one coordinate after the other."""
        return [(i,) for i in where[site_of(self.stochastic)]]

    def spread(self) -> np.ndarray:
        """Return the proposal's scales."""
        return self.proposal_sd.ravel()

    @staticmethod
    def competence(stochastic: Stochastic) -> int:
        """Suit whole numbers."""
        return 1 if stochastic.dtype.kind in "iu" else 0


class BinaryMetropolis(StepMethod):
    """Propose flips between zero and one, one coordinate at a time."""

    tunes = False

    def __init__(
        self,
        stochastic: Any,
        p_jump: float | int = 0.1,
        proposal_distribution: str | None = None,
        verbose: int = -1,
        tally: bool = True,
    ) -> None:
        """Take on one stochastic; every flip is proposed, so that `p_jump` has nothing to do."""
        super().__init__(stochastic)
        (self.stochastic,) = self.stochastics

    def kernel(self) -> Kernel:
        """Return flips."""
        return BinaryFlip()

    def places(self, where: Places) -> list[tuple[int, ...]]:
        """Move one coordinate after the other."""
        return [(i,) for i in where[site_of(self.stochastic)]]

    def spread(self) -> np.ndarray:
        """Return ones: flips have no scale."""
        return np.ones(unknown(self.stochastic).size)

    @staticmethod
    def competence(stochastic: Stochastic) -> int:
        """Suit zeros and ones."""
        binary = type(stochastic).__name__ == "Bernoulli" or stochastic.dtype.kind == "b"
        return 2 if binary else 0


class AdaptiveMetropolis(StepMethod):
    """Move several stochastics together by a proposal that learns their covariance.

    `scales` maps stochastics to standard deviations to start with. The covariance is renewed every
    `interval` steps from step `delay` on (Haario, Saksman & Tamminen 2001).
    """

    tunes = False

    def __init__(
        self,
        stochastic: Any,
        cov: Any = None,
        delay: int = 1000,
        interval: int = 200,
        scales: dict[Stochastic, Any] | None = None,
        verbose: int = -1,
        **settings: Any,
    ) -> None:
        """Take on the stochastics."""
        super().__init__(stochastic)
        unknown_settings = settings.keys() - {
            "greedy",
            "drop_zeros",
            "shrink_if_necessary",
            "tally",
        }
        if unknown_settings:
            raise TypeError(f"AdaptiveMetropolis takes no {sorted(unknown_settings)}")
        self.cov, self.delay, self.interval, self.scales = cov, delay, interval, scales or {}

    def kernel(self) -> Kernel:
        """Return an adaptive walk."""
        return AdaptiveWalk(self.delay, self.interval)

    def places(self, where: Places) -> list[tuple[int, ...]]:
        """Move all coordinates of all the stochastics together."""
        return [tuple(i for node in self.stochastics for i in where[site_of(node)])]

    def spread(self) -> np.ndarray:
        """Return the standard deviations to start with."""
        if self.cov is not None:
            return np.sqrt(np.diag(np.atleast_2d(self.cov)))
        return np.concatenate(
            [_proposal_sd(n, 1.0, self.scales.get(n)).ravel() for n in self.stochastics]
        )


METHODS = (Metropolis, DiscreteMetropolis, BinaryMetropolis)


def assign(stochastic: Stochastic) -> StepMethod:
    """Return the step method most competent for a stochastic."""
    best = max(METHODS, key=lambda method: method.competence(stochastic))
    if not best.competence(stochastic):
        raise ValueError(f"no step method is competent for {stochastic.__name__}")
    return best(stochastic)


def is_known(method: type[StepMethod]) -> bool:
    """Tell whether a step method is one of these, without steps that a program wrote itself."""
    return method.__module__ == __name__


def replaced(method: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> StepMethod:
    """Return what moves the stochastics of a step method that a program wrote, and say so.

    It is the method that the program's is a kind of, if that is one of these and takes its
    stochastic alone, or else the most competent one.
    """
    known = next((m for m in method.__mro__ if m in METHODS), None)
    nodes = [n for n in nodes_in(args[:1] or kwargs.get("stochastic")) if isinstance(n, Stochastic)]
    if len(nodes) != 1:
        raise ValueError(
            f"{method.__name__} is a step method that the program writes itself, for "
            f"{len(nodes)} stochastics: it cannot be run; move several by AdaptiveMetropolis"
        )
    made = known(nodes[0]) if known is not None else assign(nodes[0])
    warnings.warn(
        f"{method.__name__} is a step method that the program writes itself, and is not run: "
        f"`{nodes[0].__name__}` is moved by {type(made).__name__}, to the same posterior",
        stacklevel=3,
    )
    return made


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


def _proposal_sd(node: Stochastic, scale: float, given: Any) -> np.ndarray:
    value = np.abs(np.asarray(unknown(node), float))
    if given is not None:
        return np.broadcast_to(np.asarray(given, float), value.shape).copy()
    return np.asarray(np.where(value == 0, 1.0, value) * scale)


def _only_normal(proposal: str | None) -> None:
    if proposal is not None and proposal.lower() != "normal":
        raise ValueError(f"proposals are normal, not {proposal!r}")
