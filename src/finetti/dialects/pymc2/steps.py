"""State PyMC2's step methods: which variables each moves, with which of finetti's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.pymc2.build import site_of, unknown
from finetti.dialects.pymc2.nodes import Stochastic
from finetti.dialects.pymc2.stepping import Compiled, Places, Proposing, StepMethod, random
from finetti.kernels.adaptive import AdaptiveWalk
from finetti.kernels.discrete import BinaryFlip, DiscreteWalk
from finetti.kernels.kernel import Kernel
from finetti.kernels.metropolis import RandomWalk


class Metropolis(Proposing):
    """Propose from a normal around the current value of one stochastic, all of it at once.

    `proposal_sd` is `scale` times the size of the value at the start, 1 where that is zero. With
    `proposal_distribution="prior"` values are drawn given the parents' instead.
    """

    def __init__(  # noqa: PLR0913 - PyMC2's own arguments
        self,
        stochastic: object,
        scale: float | int = 1.0,
        proposal_sd: ArrayLike | None = None,
        proposal_distribution: str | None = None,
        verbose: int = -1,
        tally: bool = True,
        check_before_accepting: bool = True,
    ) -> None:
        """Take on one stochastic."""
        super().__init__(stochastic, verbose)
        (self.stochastic,) = self.stochastics
        self.from_prior = _from_prior(proposal_distribution)
        self.proposal_sd = _proposal_sd(self.stochastic, scale, proposal_sd)

    def propose(self) -> None:
        """Set a value normal around the current one, or drawn from the prior."""
        if self.from_prior:
            self._before = self.terms([self.stochastic])
            self.stochastic.random()
            return
        spread = self.adaptive_scale_factor * self.proposal_sd
        self.stochastic.value = random.normal(self.stochastic.value, spread)

    def hastings_factor(self) -> float:
        """Return the log density of the way back less that of the way there."""
        return self._before - self.terms([self.stochastic]) if self.from_prior else 0.0

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


class DiscreteMetropolis(Proposing):
    """Propose jumps of whole numbers, one coordinate at a time."""

    def __init__(
        self,
        stochastic: object,
        scale: float | int = 1.0,
        proposal_sd: ArrayLike | None = None,
        proposal_distribution: str | None = None,
        non_negative: bool | None = None,
        verbose: int = -1,
    ) -> None:
        """Take on one stochastic."""
        super().__init__(stochastic)
        (self.stochastic,) = self.stochastics
        self.proposal_sd = _proposal_sd(self.stochastic, scale, proposal_sd)

    def propose(self) -> None:
        """Set a value some whole numbers from the current one."""
        spread = self.adaptive_scale_factor * self.proposal_sd
        jumps = np.round(random.normal(0.0, spread, np.shape(self.stochastic.value)))
        self.stochastic.value = self.stochastic.value + jumps.astype(self.stochastic.dtype)

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


class BinaryMetropolis(Proposing):
    """Propose flips between zero and one, one coordinate at a time."""

    tunes = False

    def __init__(
        self,
        stochastic: object,
        p_jump: float | int = 0.1,
        proposal_distribution: str | None = None,
        verbose: int = -1,
        tally: bool = True,
    ) -> None:
        """Take on one stochastic; a kernel proposes every flip, whatever `p_jump` says."""
        super().__init__(stochastic, verbose)
        (self.stochastic,) = self.stochastics
        self.p_jump = p_jump

    def propose(self) -> None:
        """Set a value of which each element is flipped with probability `p_jump`."""
        value = np.asarray(self.stochastic.value)
        flipped = random.random(value.shape) < self.p_jump
        self.stochastic.value = np.where(flipped, 1 - value.astype(int), value)

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


class AdaptiveMetropolis(Compiled):
    """Move several stochastics together by a proposal that learns their covariance.

    `scales` maps stochastics to standard deviations to start with. The covariance is renewed every
    `interval` steps from step `delay` on (Haario, Saksman & Tamminen 2001).
    """

    tunes = False

    def __init__(
        self,
        stochastic: object,
        cov: ArrayLike | None = None,
        delay: int = 1000,
        interval: int = 200,
        scales: dict[Stochastic, ArrayLike] | None = None,
        verbose: int = -1,
        **settings: object,
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
    """Return the step method most competent for a stochastic: a program's own where it is more."""
    kinds: list[Any] = [*METHODS, *StepMethod.registered]
    best = max(kinds, key=lambda kind: kind.competence(stochastic))
    if not best.competence(stochastic):
        raise ValueError(f"no step method is competent for {stochastic.__name__}")
    return best(stochastic)


def _proposal_sd(node: Stochastic, scale: float, given: ArrayLike | None) -> np.ndarray:
    value = np.abs(np.asarray(unknown(node), float))
    if given is not None:
        return np.broadcast_to(np.asarray(given, float), value.shape).copy()
    return np.asarray(np.where(value == 0, 1.0, value) * scale)


def _from_prior(proposal: str | None) -> bool:
    if proposal is not None and proposal.lower() not in ("normal", "prior"):
        raise ValueError(f"proposals are normal, or of the prior, not {proposal!r}")
    return proposal is not None and proposal.lower() == "prior"
