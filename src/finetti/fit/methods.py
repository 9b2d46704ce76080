"""Name the methods a user can choose, as frozen settings: `fit(model, NUTS(draws=2000))`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

from finetti.kernels.kernel import Kernel
from finetti.kernels.metric import Diagonal, Metric
from finetti.kernels.metropolis import RandomWalk
from finetti.kernels.nuts import NoUTurn

FEW = 6  # dimensions


@dataclass(frozen=True)
class Method(ABC):
    """Hold the settings that every Markov chain method has.

    `draws` and `warmup` are numbers of draws a chain; warm-up draws are not kept. Every `thin`-th
    draw is kept, so that `thin` times as many are made. `step_size` is where the adaptation starts.
    """

    draws: int = 1000
    warmup: int = 1000
    chains: int = 4
    thin: int | None = None
    step_size: float = 0.1

    def __post_init__(self) -> None:
        for name, least in (("draws", 1), ("warmup", 0), ("chains", 1), ("thin", 1)):
            value = getattr(self, name)
            if value is None and name == "thin":
                continue
            if not isinstance(value, int) or value < least:
                raise ValueError(
                    f"{name} must be a whole number of at least {least}, not {value!r}"
                )

    @abstractmethod
    def suited(self, dim: int) -> Method:
        """Return the method with every setting that is None chosen for so many dimensions."""

    @abstractmethod
    def kernel(self) -> Kernel:
        """Return the kernel that makes one step of the method."""


@dataclass(frozen=True)
class NUTS(Method):
    """Sample by the no-U-turn sampler: the default for continuous models.

    `target_acceptance` in (0, 1): nearer 1 gives smaller steps and fewer divergences. Left to the
    method it is 0.8; where a plan leaves at most 6 dimensions, whose trajectories are short, it is
    0.95 and `thin` is 4. `max_depth` bounds a trajectory to 2^max_depth - 1 leapfrogs. `metric` is
    `Diagonal()` or `Dense()`.

    Hoffman & Gelman 2014; Betancourt 2017.
    """

    target_acceptance: float | None = None
    max_depth: int = 10
    metric: Metric = field(default_factory=Diagonal)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target_acceptance is not None:
            _check_rate(self.target_acceptance)

    def suited(self, dim: int) -> Method:
        """Return the method with every setting that is None chosen for so many dimensions."""
        few = dim <= FEW
        rate, thin = (0.95, 4) if few else (0.8, 1)
        rate = rate if self.target_acceptance is None else self.target_acceptance
        return replace(self, target_acceptance=rate, thin=self.thin or thin)

    def kernel(self) -> Kernel:
        """Return the no-U-turn kernel with these settings."""
        return NoUTurn(self.max_depth, self.target_acceptance or 0.8, self.metric)


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
        _check_rate(self.target_acceptance)

    def suited(self, dim: int) -> Method:
        """Return the method with every setting that is None chosen for so many dimensions."""
        return replace(self, thin=self.thin or 1)

    def kernel(self) -> Kernel:
        """Return the random-walk kernel with these settings."""
        return RandomWalk(self.target_acceptance, self.metric)


def _check_rate(rate: float) -> None:
    if not 0 < rate < 1:
        raise ValueError(f"target_acceptance must lie between 0 and 1, not {rate!r}")
