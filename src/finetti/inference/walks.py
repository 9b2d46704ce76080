"""Name the methods that keep the step size they are given: trajectories and adaptive walks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from finetti.inference.methods import Chains, check_rate
from finetti.kernels.adaptive import AdaptiveWalk
from finetti.kernels.hmc import Hamiltonian
from finetti.kernels.kernel import Kernel
from finetti.kernels.metric import Diagonal, Metric
from finetti.models import Model
from finetti.structure.plan import Plan
from finetti.targets.layout import Layout


@dataclass(frozen=True)
class HMC(Chains):
    """Sample by Hamiltonian Monte Carlo, every trajectory having as many leapfrogs.

    A `step_size` given is kept as it is, with the identity for metric, in the model's own
    coordinates unless the fit is given a plan; without it warm-up learns both.

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

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own, without moves if the step size is kept."""
        return given or (model.plan() if self.learns else model.plan().unmoved())

    def kernel(self, layout: Layout) -> Kernel:
        """Return the Hamiltonian kernel with these settings."""
        return Hamiltonian(self.leapfrogs, self.target_acceptance, self.metric)


@dataclass(frozen=True)
class AdaptiveMetropolis(Chains):
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

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own, without its changes of coordinates."""
        return (given or model.plan()).unmoved()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the adaptive kernel with these settings."""
        return AdaptiveWalk(self.delay, self.interval)
