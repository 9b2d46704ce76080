"""Name the methods a user can choose, as frozen settings: `fit(model, NUTS(draws=2000))`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from finetti.density.layout import Layout
from finetti.kernels.adaptive import AdaptiveWalk
from finetti.kernels.hmc import Hamiltonian
from finetti.kernels.kernel import Kernel
from finetti.kernels.metric import Diagonal, Metric
from finetti.kernels.metropolis import RandomWalk
from finetti.kernels.nuts import NoUTurn

FIRST_STEP = 0.1


@dataclass(frozen=True)
class Method(ABC):
    """Hold the settings that every Markov chain method has.

    `draws` and `warmup` are numbers of draws a chain; warm-up draws are not kept. `step_size`
    is where the adaptation starts, or, for a method that keeps its step size, where it stays. A
    method that moves discrete variables samples a model as it is written, unless the fit is given
    a plan.
    """

    keeps_step: ClassVar[bool] = False
    moves_discrete: ClassVar[bool] = False
    draws: int = 1000
    warmup: int = 1000
    chains: int = 4
    step_size: float | None = 0.1

    def __post_init__(self) -> None:
        for name, least in (("draws", 1), ("warmup", 0), ("chains", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(
                    f"{name} must be a whole number of at least {least}, not {value!r}"
                )
        if self.step_size is not None and not self.step_size > 0:
            raise ValueError(f"step_size must be positive, not {self.step_size!r}")

    @abstractmethod
    def kernel(self, layout: Layout) -> Kernel:
        """Return the kernel that makes one step of the method on a vector laid out so."""

    @property
    def learns(self) -> bool:
        """Tell whether warm-up learns a step size and a metric."""
        return not self.keeps_step or self.step_size is None

    @property
    def first_step(self) -> float:
        """Return the step size to start with."""
        return FIRST_STEP if self.step_size is None else self.step_size


@dataclass(frozen=True)
class NUTS(Method):
    """Sample by the no-U-turn sampler: the default for continuous models.

    `target_acceptance` in (0, 1): nearer 1 gives smaller steps and fewer divergences.
    `max_depth` bounds a trajectory to 2^max_depth - 1 leapfrogs. `metric` is `Diagonal()` or
    `Dense()`.

    Hoffman & Gelman 2014; Betancourt 2017.
    """

    target_acceptance: float = 0.8
    max_depth: int = 10
    metric: Metric = field(default_factory=Diagonal)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)

    def kernel(self, layout: Layout) -> Kernel:
        """Return the no-U-turn kernel with these settings."""
        return NoUTurn(self.max_depth, self.target_acceptance, self.metric)


@dataclass(frozen=True)
class Metropolis(Method):
    """Sample by random-walk Metropolis: many cheap draws, for small models and teaching.

    Metropolis, Rosenbluth, Rosenbluth, Teller & Teller 1953.
    """

    draws: int = 10_000
    warmup: int = 5_000
    target_acceptance: float = 0.234
    metric: Metric = field(default_factory=Diagonal)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)

    def kernel(self, layout: Layout) -> Kernel:
        """Return the random-walk kernel with these settings."""
        return RandomWalk(self.target_acceptance, self.metric)


@dataclass(frozen=True)
class HMC(Method):
    """Sample by Hamiltonian Monte Carlo, every trajectory having as many leapfrogs.

    A `step_size` given is kept as it is, with the identity for metric; without it warm-up learns
    both.

    Duane, Kennedy, Pendleton & Roweth 1987; Neal 2011.

    >>> HMC(step_size=0.4, leapfrogs=3).learns, HMC().learns
    (False, True)
    """

    keeps_step: ClassVar[bool] = True
    step_size: float | None = None
    leapfrogs: int = 10
    target_acceptance: float = 0.8
    metric: Metric = field(default_factory=Diagonal)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)
        if not isinstance(self.leapfrogs, int) or self.leapfrogs < 1:
            raise ValueError(
                f"leapfrogs must be a whole number of at least 1, not {self.leapfrogs!r}"
            )

    def kernel(self, layout: Layout) -> Kernel:
        """Return the Hamiltonian kernel with these settings."""
        return Hamiltonian(self.leapfrogs, self.target_acceptance, self.metric)


@dataclass(frozen=True)
class AdaptiveMetropolis(Method):
    """Sample by Metropolis with a proposal that each chain learns from its own past.

    The covariance is renewed every `interval` steps from step `delay` on, through warm-up and
    after. `step_size` multiplies the usual 2.38 / sqrt(dim).

    Haario, Saksman & Tamminen 2001.
    """

    keeps_step: ClassVar[bool] = True
    draws: int = 10_000
    warmup: int = 5_000
    step_size: float | None = 1.0
    delay: int = 200
    interval: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("delay", "interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")

    def kernel(self, layout: Layout) -> Kernel:
        """Return the adaptive kernel with these settings."""
        return AdaptiveWalk(self.delay, self.interval)


def check_rate(rate: float) -> None:
    """Refuse an acceptance rate that is none."""
    if not 0 < rate < 1:
        raise ValueError(f"target_acceptance must lie between 0 and 1, not {rate!r}")
