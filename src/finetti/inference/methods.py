"""Name the methods a user can choose, as frozen settings: `fit(model, NUTS(draws=2000))`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar

from finetti.kernels.alternating import Alternating
from finetti.kernels.kernel import Kernel
from finetti.kernels.metric import Diagonal, Metric
from finetti.kernels.metropolis import RandomWalk
from finetti.kernels.nuts import NoUTurn
from finetti.models import Model
from finetti.structure.plan import Plan
from finetti.structure.rewrites.approximate.approximate import Approximate
from finetti.targets.layout import Layout


class Method(ABC):
    """Say how a posterior is found out about."""

    @abstractmethod
    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan to work under: the user's if one is given, as the method needs it."""


FEW = 6  # dimensions
FIRST_STEP = 0.1


@dataclass(frozen=True)
class Chains(Method):
    """Hold the settings that every Markov chain method has.

    `draws` and `warmup` are numbers of draws a chain; warm-up draws are not kept. Every `thin`-th
    draw is kept, so that `thin` times as many are made. `step_size` is where the adaptation starts,
    or, for a method that keeps its step size, where it stays.
    """

    keeps_step: ClassVar[bool] = False
    moves_discrete: ClassVar[bool] = False
    draws: int = 1000
    warmup: int = 1000
    chains: int = 4
    thin: int | None = None
    step_size: float | None = 0.1

    def __post_init__(self) -> None:
        _check_counts(self, draws=1, warmup=0, chains=1)
        if self.thin is not None:
            _check_counts(self, thin=1)
        if self.step_size is not None and not self.step_size > 0:
            raise ValueError(f"step_size must be positive, not {self.step_size!r}")

    def suited(self, dim: int) -> Chains:
        """Return the method with every setting that is None chosen for so many dimensions."""
        return replace(self, thin=self.thin or 1)

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
class NUTS(Chains):
    """Sample by the no-U-turn sampler: the default for continuous models.

    `target_acceptance` in (0, 1): nearer 1 gives smaller steps and fewer divergences. Left to the
    method `thin` is 3 where a plan leaves at most 6 dimensions, whose trajectories are short, and
    else 1. `max_depth` bounds a trajectory to 2^max_depth - 1 leapfrogs. `metric` is
    `Diagonal()` or `Dense()`.

    Hoffman & Gelman 2014; Betancourt 2017.
    """

    target_acceptance: float = 0.8
    max_depth: int = 10
    metric: Metric = field(default_factory=Diagonal)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)

    def suited(self, dim: int) -> Chains:
        """Return the method with every setting that is None chosen for so many dimensions."""
        return replace(self, thin=self.thin or (3 if dim <= FEW else 1))

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own."""
        return given or model.plan()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the no-U-turn kernel with these settings, or one that alternates with it."""
        kernel = NoUTurn(self.max_depth, self.target_acceptance, self.metric)
        if layout.apart and self.metric == Diagonal():
            return Alternating(kernel, layout.spans, layout.members)
        return kernel


@dataclass(frozen=True)
class EmbeddedLaplace(Chains):
    """Integrate the groups' effects out by Laplace's method, and sample the rest by NUTS.

    The effects are drawn back from the Gaussian at their mode, given each kept draw of the rest.
    It is an approximation, never made unless you choose it: fast where groups are many, good
    where each has enough data. Every fit checks it by Pareto-smoothed importance sampling; see
    `posterior.advice()`, the attribute `pareto_k`, and the log importance ratios `log_ratio` in
    `sample_stats`. All that is Gaussian or discrete is still taken out exactly.

    `sites` names the sites to integrate out; without them it is every group's effect that is not
    taken out exactly. The other settings are those of `NUTS`. Raises `ModelError` where nothing
    fits.

    Tierney & Kadane 1986; Rue, Martino & Chopin 2009; Margossian, Vehtari, Simpson & Agrawal 2020.

    >>> @model
    ... def counts(y):
    ...     tau = sample("tau", HalfNormal(1))
    ...     with plate("place", len(y)):
    ...         effect = sample("effect", Normal(1, tau))
    ...         sample("y", Poisson(jnp.exp(effect)), obs=y)
    >>> bound = counts([3, 7, 2, 5, 9, 4])
    >>> posterior = fit(bound, EmbeddedLaplace(draws=200, warmup=200), progress=False)
    >>> posterior["effect"].shape
    (4, 200, 6)
    """

    target_acceptance: float = 0.8
    max_depth: int = 10
    metric: Metric = field(default_factory=Diagonal)
    sites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.target_acceptance)

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan with the sites approximated, unless it already says which."""
        plan = given or model.plan()
        asked = plan.choices.asks(Approximate.verb)
        return plan if asked else plan.approximate(*self.sites)

    def kernel(self, layout: Layout) -> Kernel:
        """Return the no-U-turn kernel with these settings."""
        return NoUTurn(self.max_depth, self.target_acceptance, self.metric)


@dataclass(frozen=True)
class Metropolis(Chains):
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

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own."""
        return given or model.plan()

    def kernel(self, layout: Layout) -> Kernel:
        """Return the random-walk kernel with these settings."""
        return RandomWalk(self.target_acceptance, self.metric)


@dataclass(frozen=True)
class Search(Method):
    """Hold the settings of the methods that look for a mode: from how many random starts."""

    starts: int = 4

    def __post_init__(self) -> None:
        _check_counts(self, starts=1)


@dataclass(frozen=True)
class MAP(Search):
    """Find the posterior mode: where the joint density of the variables as written is highest.

    The density is that of the constrained variables, with no Jacobian, as in PyMC2 and Stan's
    `optimize`; so the mode depends on how the model is written. Without a plan all latent
    variables are sought jointly. With `plan=model.plan()` what is Gaussian or discrete is
    integrated out exactly first, with `plan=model.plan().approximate()` the other effects by
    Laplace's method: then it is the mode of the parameters alone, and the effects stand at their
    conditional modes, as in lme4. That mode exists more often: with a joint one a scale may shrink
    to zero and the density grow without bound.

    The posterior has one chain of one draw; its `summary()` gives each mode and the standard error
    from the curvature there. The `attributes` are `log_density`, `log_likelihood` (of what is
    observed, given the parameters sought), `parameters` (their number k), `observations` (n),
    `aic` = 2 k - 2 log likelihood and `bic` = k log n - 2 log likelihood.

    Raises `SamplingError` where there is no mode, with the direction in which it runs away.

    >>> posterior = fit(coin(10).condition(heads=7), MAP(), progress=False)
    >>> round(posterior["p"].item(), 6)
    0.7
    """

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given without its changes of coordinates, or the model as written."""
        return given.unmoved() if given else model.plan().as_written()


@dataclass(frozen=True)
class NormalApproximation(Search):
    """Draw from a normal distribution at the mode, with the curvature there, and check it.

    The mode is that of the density on the unconstrained scale, where the curvature's inverse is
    the covariance; draws are then mapped to the variables' supports. What the plan takes out
    is not approximated but drawn back given each draw. As for `EmbeddedLaplace`,
    `pareto_k` and `log_ratio` say how far to trust the draws, which are independent.

    Raises `SamplingError` where there is no mode.

    >>> posterior = fit(coin(10).condition(heads=7), NormalApproximation(), progress=False)
    >>> posterior["p"].shape
    (1, 1000)
    """

    draws: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_counts(self, draws=1)

    def plan(self, model: Model, given: Plan | None) -> Plan:
        """Return the plan given, or the model's own, without its changes of coordinates."""
        return (given or model.plan()).unmoved()


def natural(model: Model, method: Chains) -> frozenset[str]:
    """Name the sites that the method moves as they are."""
    moved = method.moves_discrete
    return frozenset(v.name for v in model.variables if moved and v.kind == "latent" and v.discrete)


def _check_counts(method: Method, **least: int) -> None:
    for name, smallest in least.items():
        value = getattr(method, name)
        if not isinstance(value, int) or value < smallest:
            raise ValueError(f"{name} must be a whole number of at least {smallest}, not {value!r}")


def check_rate(rate: float) -> None:
    """Refuse an acceptance rate that is none."""
    if not 0 < rate < 1:
        raise ValueError(f"target_acceptance must lie between 0 and 1, not {rate!r}")
