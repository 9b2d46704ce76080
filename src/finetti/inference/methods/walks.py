"""Name the methods that walk at random and need no gradient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from finetti.inference.methods.method import Chains, check_rate
from finetti.kernels.adaptive import AdaptiveWalk
from finetti.kernels.kernel import Kernel
from finetti.kernels.metric import Diagonal, Metric
from finetti.kernels.metropolis import RandomWalk
from finetti.models import Model
from finetti.structure.plan import Plan
from finetti.targets.layout import Layout


@dataclass(frozen=True)
class Metropolis(Chains):
    """Sample by random-walk Metropolis: many cheap draws, for small models and teaching.

    Metropolis, Rosenbluth, Rosenbluth, Teller & Teller 1953.

    >>> found = fit(coin(10).condition(heads=7), Metropolis(draws=50, warmup=50), progress=False)
    >>> found["p"].shape
    (4, 50)
    """

    draws: int = 10_000
    warmup: int = 5_000
    target_acceptance: float = 0.234
    metric: Metric = field(default_factory=Diagonal)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own."""
        return given or model.plan()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the random-walk kernel with these settings."""
        return RandomWalk(self.target_acceptance, self.metric)


@dataclass(frozen=True)
class AdaptiveMetropolis(Chains):
    """Sample by Metropolis with a proposal that each chain learns from its own past.

    The covariance is renewed every `interval` steps from step `delay` on, through warm-up and
    after. `step_size` multiplies the usual 2.38 / sqrt(dim).

    Haario, Saksman & Tamminen 2001.

    >>> AdaptiveMetropolis(draws=5000).draws
    5000
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

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own, without its changes of coordinates."""
        return (given or model.plan()).unmoved()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the adaptive kernel with these settings."""
        return AdaptiveWalk(self.delay, self.interval)
