"""Say what a method is, and hold the settings that every Markov chain has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import ceil
from numbers import Real
from typing import ClassVar

import numpy as np

from finetti.inference.methods.precision import ESS, Precision
from finetti.kernels.kernel import Kernel
from finetti.kernels.metric import Metric
from finetti.models import Model
from finetti.structure.plan import Plan
from finetti.targets.layout import Layout


class Method(ABC):
    """Say how a posterior is found out about."""

    @abstractmethod
    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan to work under: the user's if one is given, as the method needs it."""


class Usual(int):
    """Be a number of draws that nobody asked for.

    >>> Usual(1000) == 1000
    True
    """


FIRST_STEP = 0.1
LONG = 1000  # warm-up draws of a chain


@dataclass(frozen=True)
class Chains(Method):
    """Hold the settings that every Markov chain method has.

    `draws` and `warmup` are numbers of draws a chain; warm-up draws are not kept. Left to the
    method `warmup` is 1,000, or fewer where the chains learn together, see `NUTS`. Every `thin`-th
    draw is kept, so that `thin` times as many are made. `step_size` is where the adaptation starts,
    or, for a method that keeps its step size, where it stays.

    With `until`, such as `ESS(400)` or several in a tuple, a run goes on until the draws are as
    precise as that, however many it takes up to 100 times `draws`. After so many `minutes` it ends
    with the draws it has. `posterior.attributes["ended"]` says which it was.
    """

    keeps_step: ClassVar[bool] = False
    moves_discrete: ClassVar[bool] = False
    draws: int = Usual(1000)
    warmup: int | None = None
    chains: int = 4
    thin: int | None = None
    step_size: float | None = 0.1
    until: Precision | tuple[Precision, ...] | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        check_counts(self, draws=1, chains=1)
        if self.warmup is not None:
            check_counts(self, warmup=0)
        if self.thin is not None:
            check_counts(self, thin=1)
        for name in ("step_size", "minutes"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Real) and float(value) > 0):
                raise ValueError(f"{name} must be positive, not {value!r}")
        metric = getattr(self, "metric", None)
        if metric is not None and not isinstance(metric, Metric):
            raise ValueError(f"metric takes ft.Diagonal() or ft.Dense(), not {metric!r}")
        wishes = self.wishes
        if not all(isinstance(wish, Precision) for wish in wishes):
            raise ValueError(f"until takes ft.ESS(...) or ft.MCSE(...), not {self.until!r}")

    def suited(self, dim: int) -> Chains:
        """Return the method with every setting that is None chosen for so many dimensions."""
        warmup = LONG if self.warmup is None else self.warmup
        return replace(self, thin=self.thin or 1, warmup=warmup)

    @abstractmethod
    def kernel(self, layout: Layout) -> Kernel:
        """Return the kernel that makes one step of the method on a vector laid out so."""

    @property
    def wishes(self) -> tuple[Precision, ...]:
        """Return how precise the draws are to be, in all respects that are named."""
        if self.until is None:
            return ()
        return self.until if isinstance(self.until, tuple) else (self.until,)

    @property
    def least(self) -> int:
        """Return how many draws a chain it takes at least, chains that are not antithetic."""
        asked = (wish.draws for wish in self.wishes if isinstance(wish, ESS))
        return max(self.draws, ceil(max(asked, default=0) / self.chains))

    @property
    def learns(self) -> bool:
        """Tell whether warm-up learns a step size and a metric."""
        return not self.keeps_step or self.step_size is None

    @property
    def first_step(self) -> float:
        """Return the step size to start with."""
        return FIRST_STEP if self.step_size is None else self.step_size


def natural(model: Model, method: Chains) -> frozenset[str]:
    """Name the sites that the method moves as they are."""
    moved = method.moves_discrete
    return frozenset(v.name for v in model.variables if moved and v.kind == "latent" and v.discrete)


def check_counts(method: Method, **least: int) -> None:
    for name, smallest in least.items():
        value = getattr(method, name)
        if isinstance(value, np.integer):
            value = int(value)
            object.__setattr__(method, name, value)
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            raise ValueError(f"{name} must be a whole number of at least {smallest}, not {value!r}")


def check_rate(rate: float) -> None:
    """Refuse an acceptance rate that is none."""
    if not 0 < rate < 1:
        raise ValueError(f"target_acceptance must lie between 0 and 1, not {rate!r}")
